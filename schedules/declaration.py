"""How a schedule is declared: the job, the cron, and the environments it exists in.

There is no default environment. A schedule that does not name one is absent there, which is final;
"stopped" is only a toggle in a UI.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

import dagster as dg

from aurastream.operations.schedule_policy import UnfinishedRun, decide_tick
from aurastream.settings import Environment
from aurastream.sources.ports import Platform

__all__ = ["DeclaredSchedule", "NamedJob", "declare", "schedules_for"]

_UNFINISHED: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

# A crawl asks for nothing but "now"; a partition is computed from the tick's own time.
PartitionOf = Callable[[datetime], str]


class NamedJob(Protocol):
    """What a schedule needs to know of its job."""

    @property
    def name(self) -> str:
        """Name of the job."""

    @property
    def tags(self) -> Mapping[str, str] | None:
        """Run tags; ``timeout_s`` among them."""


@dataclass(frozen=True, slots=True)
class DeclaredSchedule:
    """A schedule and the environments it exists in."""

    definition: dg.ScheduleDefinition
    environments: frozenset[Environment]
    platform: Platform | None = None


def declare(
    job: NamedJob,
    *,
    cron: str,
    environments: Iterable[Environment],
    description: str,
    partition_of: PartitionOf | None = None,
    skip_while_running: bool,
    platform: Platform | None = None,
) -> DeclaredSchedule:
    """Declare the schedule of a job; it is on wherever it exists.

    Parameters
    ----------
    job : NamedJob
        What each tick launches.
    cron : str
        Cron expression, UTC.
    environments : iterable of Environment
        Where the schedule exists.
    description : str
        One sentence for the UI.
    partition_of : callable, optional
        The partition key that a tick's time asks for; none for unpartitioned jobs.
    skip_while_running : bool
        Whether a tick is skipped while an earlier run of the job is unfinished.
    platform : {"youtube", "twitch"}, optional
        The platform its job asks; without keys for it, the schedule does not exist.
    """

    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        moment = context.scheduled_execution_time.astimezone(UTC)
        if skip_while_running:
            decision = decide_tick(
                _unfinished(context.instance, job.name),
                now=moment,
                timeout=timedelta(seconds=float((job.tags or {})["timeout_s"])),
            )
            if not decision.launch:
                return dg.SkipReason(f"{job.name}: {decision.reason}")
        return dg.RunRequest(
            run_key=f"{job.name}:{moment.isoformat(timespec='minutes')}",
            partition_key=partition_of(moment) if partition_of else None,
        )

    return DeclaredSchedule(
        dg.ScheduleDefinition(
            name=f"{job.name}_schedule",
            job_name=job.name,
            cron_schedule=cron,
            execution_timezone="UTC",
            execution_fn=tick,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=description,
        ),
        frozenset(environments),
        platform,
    )


def schedules_for(
    declared: Iterable[DeclaredSchedule],
    environment: Environment,
    platforms: Collection[Platform] = ("youtube", "twitch"),
) -> list[dg.ScheduleDefinition]:
    """Return the schedules that exist in an environment and whose platform can be asked."""
    return [
        d.definition
        for d in declared
        if environment in d.environments and (d.platform is None or d.platform in platforms)
    ]


def _unfinished(instance: dg.DagsterInstance, job_name: str) -> list[UnfinishedRun]:
    records = instance.get_run_records(
        dg.RunsFilter(job_name=job_name, statuses=_UNFINISHED), limit=20
    )
    return [UnfinishedRun(r.dagster_run.run_id, r.create_timestamp) for r in records]
