"""Late data: when a window is scored again after its hour was rolled up, the hour follows.

A schedule cannot serve here, because lateness has no time of its own. The sensor holds no cursor:
it compares which came last, so a missed tick, a restart or a second look changes nothing.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from aurastream.operations.late_data import StaleRange, stale_rollups
from aurastream.settings import Environment
from aurastream_assets import jobs
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import days, half_hours, hours
from sensors.declaration import DeclaredSensor

__all__ = ["SENSORS", "late_days", "late_hours"]

_EVERY_S: Final = 60

# The scheduled rollup of a period launches 5 or 15 minutes after its end; what is younger than this
# is not late.
_HOUR_SETTLES: Final = timedelta(minutes=15)
_DAY_SETTLES: Final = timedelta(minutes=45)

_UNFINISHED: Final = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.sensor(
    job_name=jobs.hourly_rollup.name,
    minimum_interval_seconds=_EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Rolls hours up again whose half-hour windows were scored after the rollup.",
)
def late_hours(
    context: dg.SensorEvaluationContext,
) -> dg.SensorResult | dg.SkipReason:
    """Request the hours whose scores are newer than their rollup."""
    return _request(
        context,
        parts=(
            [
                asset_key("intelligence", "video_velocity"),
                asset_key("intelligence", "viral_scores"),
            ],
            half_hours,
        ),
        rollup=([asset_key("aggregation", "intel_hourly_metrics")], hours),
        period=timedelta(hours=1),
        settles=_HOUR_SETTLES,
        job_name=jobs.hourly_rollup.name,
    )


@dg.sensor(
    job_name=jobs.daily_rollup.name,
    minimum_interval_seconds=_EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Rolls days up again whose hours were rolled up after the day.",
)
def late_days(
    context: dg.SensorEvaluationContext,
) -> dg.SensorResult | dg.SkipReason:
    """Request the days whose hourly metrics are newer than their rollup."""
    return _request(
        context,
        parts=([asset_key("aggregation", "intel_hourly_metrics")], hours),
        rollup=([asset_key("aggregation", "intel_daily_metrics")], days),
        period=timedelta(days=1),
        settles=_DAY_SETTLES,
        job_name=jobs.daily_rollup.name,
    )


_Partitioned = tuple[list[dg.AssetKey], dg.TimeWindowPartitionsDefinition]


def _request(
    context: dg.SensorEvaluationContext,
    *,
    parts: _Partitioned,
    rollup: _Partitioned,
    period: timedelta,
    settles: timedelta,
    job_name: str,
) -> dg.SensorResult | dg.SkipReason:
    busy = context.instance.get_runs_count(dg.RunsFilter(job_name=job_name, statuses=_UNFINISHED))
    if busy:
        return dg.SkipReason(f"{job_name}: {busy} run(s) in progress, their results come first")
    partitions = rollup[1]
    stale = stale_rollups(
        _newest(context.instance, *parts),
        _newest(context.instance, *rollup),
        origin=partitions.start,
        period=period,
        settled_before=datetime.now(UTC) - settles,
    )
    if not stale:
        return dg.SkipReason("every rollup is newer than its parts")
    return dg.SensorResult(run_requests=list(_runs(stale, partitions)))


def _newest(
    instance: dg.DagsterInstance,
    keys: list[dg.AssetKey],
    partitions: dg.TimeWindowPartitionsDefinition,
) -> dict[datetime, int]:
    """Return the latest materialization of each partition that can still be re-materialized."""
    newest: dict[datetime, int] = {}
    for key in keys:
        of_key = instance.get_latest_storage_id_by_partition(
            key, dg.DagsterEventType.ASSET_MATERIALIZATION
        )
        for name, storage_id in of_key.items():
            start = datetime.strptime(name, partitions.fmt).replace(tzinfo=UTC)
            if start >= partitions.start:
                newest[start] = max(newest.get(start, 0), storage_id)
    return newest


def _runs(
    stale: list[StaleRange], partitions: dg.TimeWindowPartitionsDefinition
) -> Iterator[dg.RunRequest]:
    for late in stale:
        first, last = (moment.strftime(partitions.fmt) for moment in (late.first, late.last))
        yield dg.RunRequest(
            run_key=f"{first}..{last}:{late.newest_part}",
            tags={
                "dagster/asset_partition_range_start": first,
                "dagster/asset_partition_range_end": last,
            },
        )


_RUNNING_SYSTEMS: Final = frozenset[Environment]({"local", "production"})

SENSORS: Final = (
    DeclaredSensor(late_hours, _RUNNING_SYSTEMS),
    DeclaredSensor(late_days, _RUNNING_SYSTEMS),
)
