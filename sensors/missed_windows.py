"""Windows that nobody scored: a platform was away, a run failed, a tick was skipped.

The scores of a window are launched together with its crawl and not without it. A state is carried
forward for a day, so that a window without a crawl of its own can be scored all the same, with the
confidence that is left.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from aurastream.operations.late_data import missed_windows
from aurastream.operations.policy import forbidden_tables, limits_of
from aurastream.settings import Environment, Settings
from aurastream.store.start_note import is_starting
from aurastream_assets import jobs
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import half_hours
from resources.store import Store
from sensors.asking import EVERY_S, STARTING, busy, newest, request
from sensors.declaration import DeclaredSensor

__all__ = ["SENSORS", "unscored_windows"]

_SCORED: Final = (
    asset_key("intelligence", "video_velocity"),
    asset_key("intelligence", "opportunity"),
    asset_key("intelligence", "competition"),
)
# A window's own run begins five minutes before its end; with all its tries, and a worker that is
# replaced, it may end well after it.
_SETTLES: Final = timedelta(minutes=10)


@dg.sensor(
    job_name=jobs.rescore.name,
    minimum_interval_seconds=EVERY_S,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Scores windows of the last day that their own run did not score.",
)
def unscored_windows(
    context: dg.SensorEvaluationContext, store: Store
) -> dg.SensorResult | dg.SkipReason:
    """Request the windows that lack scores, once an hour until they have them."""
    waiting = busy(context, jobs.rescore.name) or busy(context, jobs.signal.name)
    if waiting:
        return waiting
    if is_starting(store.frames):
        return dg.SkipReason(STARTING)
    now = datetime.now(UTC)
    # What the policy mode forbids is never there, and would be missed for ever.
    forbidden = forbidden_tables(limits_of(Settings.from_env()))
    permitted = (key for key in _SCORED if ".".join(key.path) not in forbidden)
    scored = [set(newest(context.instance, key, half_hours)) for key in permitted]
    missed = missed_windows(set.intersection(*scored), origin=half_hours.start, now=now - _SETTLES)
    if not missed:
        return dg.SkipReason("every window of the last day is scored")
    return dg.SensorResult(
        run_requests=[
            request(first, last, half_hours, f"unscored:{now:%Y-%m-%dT%H}")
            for first, last in missed
        ]
    )


SENSORS: Final = (
    DeclaredSensor(unscored_windows, frozenset[Environment]({"local", "production"})),
)
