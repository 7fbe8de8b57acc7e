"""A code location for the chaos tests: one job, a fast sensor and a minutely schedule."""

import dagster as dg


@dg.op
def nothing() -> None:
    """Do nothing, successfully."""


@dg.job
def idle() -> None:
    nothing()


@dg.sensor(job=idle, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def counting(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Request one run per tick; two daemons at one cursor would request the same run key twice."""
    count = int(context.cursor or "0") + 1
    return dg.SensorResult([dg.RunRequest(run_key=str(count))], cursor=str(count))


minutely = dg.ScheduleDefinition(
    name="minutely",
    job=idle,
    cron_schedule="* * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)

defs = dg.Definitions(
    jobs=[idle], sensors=[counting], schedules=[minutely], executor=dg.in_process_executor
)
