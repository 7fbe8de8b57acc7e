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
from aurastream_assets.instances import why_not

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
    """A schedule and the environments it exists in.

    ``rest`` is what takes its place where its platform cannot be asked.
    """

    definition: dg.ScheduleDefinition
    environments: frozenset[Environment]
    platform: Platform | None = None
    rest: dg.ScheduleDefinition | None = None


def declare(
    job: NamedJob,
    *,
    cron: str,
    environments: Iterable[Environment],
    description: str,
    partition_of: PartitionOf | None = None,
    skip_while_running: bool,
    platform: Platform | None = None,
    asking: Collection[dg.AssetKey] = (),
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
    asking : collection of AssetKey, optional
        The assets of the job that ask it. Where they are named, the schedule exists without keys,
        too, and its ticks leave them out: the others work on what the other platform brings.
    """

    def schedule(left_out: Collection[dg.AssetKey]) -> dg.ScheduleDefinition:
        def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
            if stranger := why_not(context.instance):
                return dg.SkipReason(stranger)
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
                asset_selection=_others(context, job, left_out) if left_out else None,
            )

        return dg.ScheduleDefinition(
            name=f"{job.name}_schedule",
            job_name=job.name,
            cron_schedule=cron,
            execution_timezone="UTC",
            execution_fn=tick,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=description,
        )

    return DeclaredSchedule(
        schedule(()), frozenset(environments), platform, schedule(asking) if asking else None
    )


def schedules_for(
    declared: Iterable[DeclaredSchedule],
    environment: Environment,
    platforms: Collection[Platform] = ("youtube", "twitch"),
) -> list[dg.ScheduleDefinition]:
    """Return the schedules of an environment: those whose platform can be asked, and the rest."""
    found = (
        d.definition if d.platform is None or d.platform in platforms else d.rest
        for d in declared
        if environment in d.environments
    )
    return [definition for definition in found if definition is not None]


def _others(
    context: dg.ScheduleEvaluationContext, job: NamedJob, left_out: Collection[dg.AssetKey]
) -> list[dg.AssetKey]:
    if context.repository_def is None:
        raise dg.DagsterInvariantViolationError("A tick needs the repository of its job.")
    layer = context.repository_def.get_job(job.name).asset_layer
    return sorted(layer.selected_asset_keys - set(left_out), key=lambda key: key.to_user_string())


def _unfinished(instance: dg.DagsterInstance, job_name: str) -> list[UnfinishedRun]:
    records = instance.get_run_records(
        dg.RunsFilter(job_name=job_name, statuses=_UNFINISHED), limit=20
    )
    return [UnfinishedRun(r.dagster_run.run_id, r.create_timestamp) for r in records]
