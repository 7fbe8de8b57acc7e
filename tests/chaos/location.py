"""A code location for the chaos tests: one job, a fast sensor and a minutely schedule."""

import os

import dagster as dg

AT_ONCE_VARIABLE = "CHAOS_RUNS_AT_ONCE"
"""How many runs the sensor's first tick requests, and no other; without it, each requests one."""
_AT_ONCE = int(os.environ.get(AT_ONCE_VARIABLE, "0"))


@dg.op
def nothing() -> None:
    """Do nothing, successfully."""


@dg.job
def idle() -> None:
    nothing()


@dg.sensor(job=idle, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def counting(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Request runs; two daemons at one cursor would request the same run key twice."""
    count = int(context.cursor or "0") + 1
    keys = [str(count)]
    if _AT_ONCE:
        keys = [str(n) for n in range(_AT_ONCE)] if count == 1 else []
    return dg.SensorResult([dg.RunRequest(run_key=key) for key in keys], cursor=str(count))


minutely = dg.ScheduleDefinition(
    name="minutely",
    job=idle,
    cron_schedule="* * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)

defs = dg.Definitions(
    jobs=[idle], sensors=[counting], schedules=[minutely], executor=dg.in_process_executor
)
