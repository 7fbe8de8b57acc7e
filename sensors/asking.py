"""What every sensor asks of the instance, and how it asks for runs of ranges."""

from datetime import UTC, datetime
from typing import Final

import dagster as dg

from aurastream.operations.first_runs import PLANNED
from aurastream_assets import jobs
from aurastream_assets.instances import why_not

__all__ = ["EVERY_S", "RANGE", "STARTING", "busy", "newest", "request", "start_of"]

EVERY_S: Final = 60
RANGE: Final = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
STARTING: Final = "a start loads and scores what is missing before it"

_UNFINISHED: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def busy(context: dg.SensorEvaluationContext, job_name: str) -> dg.SkipReason | None:
    """Return why nothing is to be asked for now, None where something may be."""
    if stranger := why_not(context.instance):
        return dg.SkipReason(stranger)
    count = context.instance.get_runs_count
    if waiting := count(dg.RunsFilter(job_name=job_name, statuses=_UNFINISHED)):
        return dg.SkipReason(f"{job_name}: {waiting} run(s) in progress, their results come first")
    if waiting := count(dg.RunsFilter(tags=PLANNED, statuses=_UNFINISHED)):
        return dg.SkipReason(f"{waiting} run(s) of a start or a backfill, which go on to rollups")
    return None


def start_of(name: str, partitions: dg.TimeWindowPartitionsDefinition) -> datetime:
    """Return the moment at which a partition begins."""
    return datetime.strptime(name, partitions.fmt).replace(tzinfo=UTC)


def newest(
    instance: dg.DagsterInstance, key: dg.AssetKey, partitions: dg.TimeWindowPartitionsDefinition
) -> dict[datetime, int]:
    """Return the latest materialization of each partition that can still be re-materialized."""
    of_key = instance.get_latest_storage_id_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION
    )
    found = {start_of(name, partitions): storage_id for name, storage_id in of_key.items()}
    return {start: storage_id for start, storage_id in found.items() if start >= partitions.start}


def request(
    first: datetime, last: datetime, partitions: dg.TimeWindowPartitionsDefinition, what: object
) -> dg.RunRequest:
    """Ask for one run of a range of partitions; the same ``what`` asks for the same run.

    Whatever its job, it makes up for something: what the clock asks for goes before it.
    """
    names = [moment.strftime(partitions.fmt) for moment in (first, last)]
    return dg.RunRequest(
        run_key=f"{names[0]}..{names[1]}:{what}",
        tags=jobs.BATCH | dict(zip(RANGE, names, strict=True)),
    )
