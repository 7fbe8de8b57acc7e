"""Which past moments to collect, so that a first start has a history to work on.

Only the replay server can be asked about the past; the live platforms cannot. The grid is
absolute (it depends on the clock's value, not on when the loader was started), so a second start
plans the same moments and skips those that are already stored.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

__all__ = ["Cadence", "Dataset", "Step", "plan_history"]

Dataset = Literal["youtube_trending", "youtube_games", "twitch_streams", "clip_radar"]

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cadence:
    """How densely a dataset's past is sampled.

    Parameters
    ----------
    recent : timedelta
        Interval within the last ``recent_span``, the dataset's own live interval.
    recent_span : timedelta
        How far back the live interval reaches.
    older : timedelta
        Interval before that; the past is sampled, not relived.
    phase : timedelta
        Offset from the full hour at which the dataset is collected.
    """

    recent: timedelta
    recent_span: timedelta
    older: timedelta
    phase: timedelta


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """One crawl of the past."""

    at: datetime
    dataset: Dataset


CADENCES: Final[Mapping[Dataset, Cadence]] = {
    "youtube_trending": Cadence(
        recent=timedelta(minutes=30),
        recent_span=timedelta(days=1),
        older=timedelta(hours=3),
        phase=timedelta(minutes=25),
    ),
    "youtube_games": Cadence(
        recent=timedelta(hours=2),
        recent_span=timedelta(days=1),
        older=timedelta(hours=6),
        phase=timedelta(minutes=40),
    ),
    "twitch_streams": Cadence(
        recent=timedelta(minutes=15),
        recent_span=timedelta(hours=6),
        older=timedelta(hours=1),
        phase=timedelta(minutes=7),
    ),
    "clip_radar": Cadence(
        recent=timedelta(minutes=30),
        recent_span=timedelta(hours=6),
        older=timedelta(hours=4),
        phase=timedelta(minutes=11),
    ),
}


def plan_history(
    now: datetime,
    *,
    days: float,
    stored: Mapping[str, Iterable[datetime]],
    cadences: Mapping[Dataset, Cadence] = CADENCES,
) -> list[Step]:
    """Return the crawls of the past that are not stored yet, oldest first.

    Parameters
    ----------
    now : datetime
        The present, aware; nothing at or after it is planned.
    days : float
        How many days back the history reaches.
    stored : mapping of dataset to iterable of datetime
        Starts of the crawls that are already stored; a planned moment with a stored crawl closer
        than half its interval is left out.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> now = datetime(2026, 3, 2, 12, tzinfo=UTC)
    >>> steps = plan_history(now, days=1, stored={})
    >>> steps[0].at.isoformat(), steps[-1].at < now
    ('2026-03-01T12:07:00+00:00', True)
    >>> done = {name: [s.at for s in steps if s.dataset == name] for name in CADENCES}
    >>> plan_history(now, days=1, stored=done)
    []
    """
    start = now - timedelta(days=days)
    steps: list[Step] = []
    for dataset, cadence in cadences.items():
        present = sorted(stored.get(dataset, ()))
        recent_start = now - cadence.recent_span
        older = _grid(start, min(recent_start, now), cadence.older, cadence.phase)
        recent = _grid(max(recent_start, start), now, cadence.recent, cadence.phase)
        steps += [
            Step(at, dataset)
            for at, interval in (
                *((at, cadence.older) for at in older),
                *((at, cadence.recent) for at in recent),
            )
            if not _has_neighbour(present, at, interval / 2)
        ]
    return sorted(steps)


def _grid(start: datetime, end: datetime, interval: timedelta, phase: timedelta) -> list[datetime]:
    """Return the moments phase + k · interval in [start, end), counted from a fixed epoch."""
    first = -((_EPOCH + phase - start) // interval)
    moments: list[datetime] = []
    at = _EPOCH + phase + first * interval
    while at < end:
        moments.append(at)
        at += interval
    return moments


def _has_neighbour(present: Sequence[datetime], at: datetime, distance: timedelta) -> bool:
    index = bisect_left(present, at)
    return any(abs(present[i] - at) < distance for i in (index - 1, index) if 0 <= i < len(present))
