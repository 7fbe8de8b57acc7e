"""What a schedule's tick asks for: pure decisions, tested without a scheduler.

A collector's tick is skipped while the same job's previous run is unfinished: the next tick sees
the same charts a little later, and two crawls side by side would only pay for them twice. Rollups
are never skipped, because each of their ticks owns a partition of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = [
    "TickDecision",
    "UnfinishedRun",
    "day_before",
    "decide_tick",
    "four_hours_before",
    "hour_before",
    "window_of",
]

_WINDOW: Final = timedelta(minutes=30)

# Run monitoring ends a run at its timeout, but it needs a living daemon to do so. A run that is
# twice as old has lost both its worker and its monitor, and must not silence the schedule.
_GIVE_UP_AFTER_TIMEOUTS: Final = 2


@dataclass(frozen=True, slots=True)
class UnfinishedRun:
    """A run that was created and has not ended yet."""

    run_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TickDecision:
    """Whether a tick launches a run and, if it does not, why."""

    launch: bool
    reason: str


def decide_tick(
    unfinished: Sequence[UnfinishedRun], *, now: datetime, timeout: timedelta
) -> TickDecision:
    """Decide whether a tick may launch a run of a job.

    Parameters
    ----------
    unfinished : sequence of UnfinishedRun
        The job's runs that are queued, starting, running or being cancelled.
    now : datetime
        The moment of the tick, with a timezone.
    timeout : timedelta
        The longest that a run of this job may take.

    Returns
    -------
    TickDecision
        Launches when nothing is under way, or when all that is under way has been stuck for two
        timeouts.

    Examples
    --------
    >>> noon = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    >>> run = UnfinishedRun("0f3c", noon - timedelta(minutes=4))
    >>> decide_tick([run], now=noon, timeout=timedelta(minutes=10))
    TickDecision(launch=False, reason='run 0f3c is still in progress after 4 min')
    >>> decide_tick([run], now=noon, timeout=timedelta(minutes=2)).launch
    True
    """
    live = [run for run in unfinished if now - run.created_at < timeout * _GIVE_UP_AFTER_TIMEOUTS]
    if live:
        oldest = min(live, key=lambda run: run.created_at)
        minutes = max(0, int((now - oldest.created_at) / timedelta(minutes=1)))
        return TickDecision(
            launch=False, reason=f"run {oldest.run_id} is still in progress after {minutes} min"
        )
    if unfinished:
        stuck = ", ".join(sorted(run.run_id for run in unfinished))
        return TickDecision(launch=True, reason=f"stuck for two timeouts, not waited for: {stuck}")
    return TickDecision(launch=True, reason="nothing in progress")


def window_of(moment: datetime) -> datetime:
    """Return the start of the half-hour window that `moment` lies in.

    Examples
    --------
    >>> window_of(datetime(2026, 11, 21, 13, 55, tzinfo=UTC)).isoformat()
    '2026-11-21T13:30:00+00:00'
    """
    moment = moment.astimezone(UTC).replace(second=0, microsecond=0)
    return moment.replace(minute=moment.minute - moment.minute % 30)


def hour_before(moment: datetime) -> datetime:
    """Return the start of the last hour that has ended at `moment`.

    Examples
    --------
    >>> hour_before(datetime(2026, 11, 21, 13, 5, tzinfo=UTC)).isoformat()
    '2026-11-21T12:00:00+00:00'
    """
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour - timedelta(hours=1)


def four_hours_before(moment: datetime) -> datetime:
    """Return the start of the last four-hour window that has ended at `moment`.

    Examples
    --------
    >>> four_hours_before(datetime(2026, 11, 21, 13, 5, tzinfo=UTC)).isoformat()
    '2026-11-21T08:00:00+00:00'
    """
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return hour.replace(hour=hour.hour - hour.hour % 4) - timedelta(hours=4)


def day_before(moment: datetime) -> datetime:
    """Return the start of the last UTC day that has ended at `moment`.

    Examples
    --------
    >>> day_before(datetime(2026, 11, 21, 0, 15, tzinfo=UTC)).isoformat()
    '2026-11-20T00:00:00+00:00'
    """
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=1)
