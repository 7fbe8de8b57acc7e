"""Late data: what came late is scored again, and everything above it follows.

A schedule cannot serve here, because lateness has no time of its own. No sensor needs a cursor:
they compare which came last, parts and rollups or deliveries and runs, so a missed tick, a restart
or a second look changes nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from aurastream.operations.late_data import (
    Scoring,
    StaleRange,
    joined,
    late_windows,
    stale_rollups,
    tries_of_due,
)
from aurastream.operations.policy import forbidden_tables, limits_of
from aurastream.settings import Environment, Settings
from aurastream.store.deliveries import DELIVERIES, deliveries_of
from aurastream.store.start_note import is_starting
from aurastream_assets import jobs
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import FOUR_HOURS, days, four_hours, half_hours, hours
from resources.store import Store
from sensors.asking import EVERY_S, RANGE, STARTING, busy, newest, request, start_of
from sensors.declaration import DeclaredSensor

__all__ = ["INPUTS", "SENSORS", "late_analyses", "late_crawls", "late_days", "late_hours"]

# The scheduled rollup of a period launches 5, 11 or 15 minutes after its end; what is younger than
# this is not late.
_HOUR_SETTLES: Final = timedelta(minutes=15)
_ANALYSES_SETTLE: Final = timedelta(minutes=30)
_DAY_SETTLES: Final = timedelta(minutes=45)
_REMEMBERED: Final = timedelta(days=2)

_ENDED: Final = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]

_Partitioned = tuple[dg.AssetKey, dg.TimeWindowPartitionsDefinition]

_VELOCITY: Final[_Partitioned] = (asset_key("intelligence", "video_velocity"), half_hours)
_SCORES: Final[_Partitioned] = (asset_key("intelligence", "viral_scores"), half_hours)
# Made of the crawls of streams, which have no partitions: scored again when one of them came late.
_COMPETITION: Final[_Partitioned] = (asset_key("intelligence", "competition"), half_hours)
_HOURLY: Final[_Partitioned] = (asset_key("aggregation", "intel_hourly_metrics"), hours)

INPUTS: Final[Mapping[str, Mapping[dg.AssetKey, tuple[_Partitioned, ...]]]] = {
    "hourly_rollup": {_HOURLY[0]: (_VELOCITY, _SCORES)},
    "analyses": {asset_key("intelligence", "content_formats"): (_VELOCITY,)},
    "daily_rollup": {
        asset_key("aggregation", name): inputs
        for name, inputs in {
            "intel_daily_metrics": (_HOURLY, _VELOCITY),
            "intel_duration_performance": (_HOURLY, _VELOCITY),
            "intel_regional_performance": (_HOURLY, _VELOCITY, _COMPETITION),
            "intel_premiere_performance": (_HOURLY, _VELOCITY),
            "intel_channel_days": (_HOURLY, _VELOCITY, _SCORES),
            "intel_posting_hours": (_HOURLY, _VELOCITY),
            "intel_stream_hours": (_COMPETITION,),
            "intel_competition_days": (_COMPETITION,),
            "intel_insight_days": (_HOURLY, _VELOCITY, _SCORES, _COMPETITION),
        }.items()
    },
}
"""What each rollup of a job is made of, as far as it has partitions."""


@dg.sensor(
    job_name=jobs.rescore.name,
    minimum_interval_seconds=EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Scores windows again whose crawls reached the record after them.",
)
def late_crawls(
    context: dg.SensorEvaluationContext, store: Store
) -> dg.SensorResult | dg.SkipReason:
    """Request the windows that were scored before a spool was delivered, until they are scored."""
    waiting = busy(context, jobs.rescore.name)
    if waiting:
        return waiting
    if is_starting(store.frames):
        return dg.SkipReason(STARTING)
    now = datetime.now(UTC)
    recent = deliveries_of(store.frames.read(DELIVERIES, start=now - _REMEMBERED))
    if not recent:
        return dg.SkipReason("nothing was delivered late")
    origin = half_hours.start
    scorings = _scorings(context.instance, since=recent[0].delivered_at)
    due = tries_of_due(recent, scorings, origin=origin, now=now)
    late = late_windows(due, origin=origin, now=now)
    if not late:
        return dg.SkipReason(
            "what was delivered late is scored, waits for the end of its window or for another "
            "try, or was given up"
        )
    # Another try needs another key: nothing is launched twice under the same.
    tries = {item.delivery_id: count for item, count in due.items()}
    return dg.SensorResult(
        run_requests=[
            request(found.first, found.last, half_hours, f"{name}:{tries[name]}")
            for found in late
            for name in found.deliveries[-1:]
        ]
    )


@dg.sensor(
    job_name=jobs.hourly_rollup.name,
    minimum_interval_seconds=EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Rolls hours up again whose half-hour windows were scored after the rollup.",
)
def late_hours(
    context: dg.SensorEvaluationContext,
) -> dg.SensorResult | dg.SkipReason:
    """Request the hours whose scores are newer than their rollup."""
    return _follow(
        context,
        jobs.hourly_rollup.name,
        hours,
        period=timedelta(hours=1),
        settles=_HOUR_SETTLES,
    )


@dg.sensor(
    job_name=jobs.analyses.name,
    minimum_interval_seconds=EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Analyses four hours again whose half-hour windows were scored after them.",
)
def late_analyses(
    context: dg.SensorEvaluationContext,
) -> dg.SensorResult | dg.SkipReason:
    """Request the four hours whose scores are newer than their analyses."""
    return _follow(
        context, jobs.analyses.name, four_hours, period=FOUR_HOURS, settles=_ANALYSES_SETTLE
    )


@dg.sensor(
    job_name=jobs.daily_rollup.name,
    minimum_interval_seconds=EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Rolls days up again of which any rollup is older than what it is made of.",
)
def late_days(
    context: dg.SensorEvaluationContext,
) -> dg.SensorResult | dg.SkipReason:
    """Request the days of which a rollup is older than its own inputs."""
    return _follow(
        context, jobs.daily_rollup.name, days, period=timedelta(days=1), settles=_DAY_SETTLES
    )


def _scorings(instance: dg.DagsterInstance, *, since: datetime) -> list[Scoring]:
    """Return the runs that were to score ranges of windows and are over, whoever asked for them."""
    found = []
    for record in instance.get_run_records(
        dg.RunsFilter(job_name=jobs.rescore.name, statuses=_ENDED, created_after=since)
    ):
        run, asked_at = record.dagster_run, record.create_timestamp
        first, last = (run.tags.get(tag, run.tags.get("dagster/partition")) for tag in RANGE)
        if first and last and not run.asset_selection:  # a choice of assets is not all scores
            found.append(
                Scoring(
                    start_of(first, half_hours),
                    start_of(last, half_hours),
                    asked_at,
                    datetime.fromtimestamp(record.end_time, UTC) if record.end_time else asked_at,
                    run.status is dg.DagsterRunStatus.SUCCESS,
                )
            )
    return found


def _follow(
    context: dg.SensorEvaluationContext,
    job_name: str,
    partitions: dg.TimeWindowPartitionsDefinition,
    *,
    period: timedelta,
    settles: timedelta,
) -> dg.SensorResult | dg.SkipReason:
    waiting = busy(context, job_name)
    if waiting:
        return waiting
    # What the policy mode forbids is never there, and would be late for ever.
    forbidden = forbidden_tables(limits_of(Settings.from_env()))
    followed = {
        rollup: inputs
        for rollup, inputs in INPUTS[job_name].items()
        if ".".join(rollup.path) not in forbidden
    }
    now = datetime.now(UTC)
    needed = {inputs for each in followed.values() for inputs in each}
    parts = {found[0]: newest(context.instance, *found) for found in needed}
    stale: list[StaleRange] = []
    for rollup, inputs in followed.items():
        stale += stale_rollups(
            _latest([parts[key] for key, _ in inputs], partitions.start),
            newest(context.instance, rollup, partitions),
            origin=partitions.start,
            period=period,
            settled_before=now - settles,
        )
    if not stale:
        return dg.SkipReason("every rollup is newer than its parts")
    # A rollup that failed for good is asked for again, but not before another would be due.
    turn = (now - partitions.start) // period
    return dg.SensorResult(
        run_requests=[
            request(late.first, late.last, partitions, f"{late.newest_part}:{turn}")
            for late in joined(stale, period=period)
        ]
    )


def _latest(found: Sequence[Mapping[datetime, int]], start: datetime) -> dict[datetime, int]:
    """Return, by moment, the latest of several materializations that can still be followed."""
    latest: dict[datetime, int] = {}
    for each in found:
        for moment, storage_id in each.items():
            if moment >= start:
                latest[moment] = max(latest.get(moment, 0), storage_id)
    return latest


_RUNNING_SYSTEMS: Final = frozenset[Environment]({"local", "production"})

SENSORS: Final = (
    DeclaredSensor(late_crawls, _RUNNING_SYSTEMS),
    DeclaredSensor(late_hours, _RUNNING_SYSTEMS),
    DeclaredSensor(late_analyses, _RUNNING_SYSTEMS),
    DeclaredSensor(late_days, _RUNNING_SYSTEMS),
)
