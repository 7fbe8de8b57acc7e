"""Which windows and rollups no longer say what is beneath them: pure decisions.

A half-hour window can be scored again long after its hour was rolled up (a backfill, a new formula,
a late crawl). The rollup is then stale, and only the order of the two materializations tells so:
event storage ids grow with every materialization, whichever machine's clock wrote them.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from aurastream.operations.schedule_policy import window_of
from aurastream.store.deliveries import Delivery

__all__ = [
    "LateWindows",
    "Scoring",
    "StaleRange",
    "joined",
    "late_windows",
    "missed_windows",
    "stale_rollups",
    "tries_of_due",
]

_WINDOW: Final = timedelta(minutes=30)
# Scores carry the last state of a video or stream forward for a day, not longer.
_CARRIED: Final = timedelta(hours=24)
# How long after a run that failed the next one is asked for, and then no more: a lost connection
# is over in minutes and an outage in hours; what still fails after a shift needs somebody.
_PAUSES: Final = (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=6))


@dataclass(frozen=True, slots=True)
class StaleRange:
    """Neighbouring periods whose rollup is older than its parts, or missing.

    Attributes
    ----------
    first, last : datetime
        Starts of the first and the last stale period.
    newest_part : int
        Storage id of the newest part beneath them: the same state gives the same number.
    """

    first: datetime
    last: datetime
    newest_part: int


def stale_rollups(
    parts: Mapping[datetime, int],
    rollups: Mapping[datetime, int],
    *,
    origin: datetime,
    period: timedelta,
    settled_before: datetime,
) -> list[StaleRange]:
    """Find the periods to roll up again.

    Parameters
    ----------
    parts : mapping of datetime to int
        Start of each materialized part (window or hour) and its latest storage id.
    rollups : mapping of datetime to int
        Start of each materialized rollup and its latest storage id.
    origin : datetime
        A moment at which a period begins, for example the first midnight kept.
    period : timedelta
        Length of the rollup's partition.
    settled_before : datetime
        Only periods that end at or before this moment count; younger ones are still waiting for
        their scheduled rollup.

    Returns
    -------
    list of StaleRange
        In time order, neighbours joined.

    Examples
    --------
    >>> from datetime import UTC
    >>> ten, half_past = (datetime(2026, 11, 21, 10, m, tzinfo=UTC) for m in (0, 30))
    >>> stale_rollups(
    ...     {ten: 41, half_past: 57}, {ten: 50}, origin=ten, period=timedelta(hours=1),
    ...     settled_before=datetime(2026, 11, 21, 12, tzinfo=UTC),
    ... )[0].newest_part
    57
    """
    newest: defaultdict[datetime, int] = defaultdict(int)
    for start, storage_id in parts.items():
        bucket = origin + period * ((start - origin) // period)
        newest[bucket] = max(newest[bucket], storage_id)

    ranges: list[StaleRange] = []
    for start in sorted(newest):
        rolled_up = rollups.get(start)
        is_fresh = rolled_up is not None and rolled_up > newest[start]
        if is_fresh or start + period > settled_before:
            continue
        if ranges and ranges[-1].last + period == start:
            previous = ranges[-1]
            ranges[-1] = StaleRange(previous.first, start, max(previous.newest_part, newest[start]))
        else:
            ranges.append(StaleRange(start, start, newest[start]))
    return ranges


def joined(ranges: Iterable[StaleRange], *, period: timedelta) -> list[StaleRange]:
    """Join ranges that overlap or touch, as found for several rollups of the same period.

    Examples
    --------
    >>> from datetime import UTC
    >>> one, two = (datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2))
    >>> found = [StaleRange(two, two, 7), StaleRange(one, one, 9), StaleRange(one, one, 3)]
    >>> [(r.first.day, r.last.day, r.newest_part) for r in joined(found, period=two - one)]
    [(1, 2, 9)]
    """
    found: list[StaleRange] = []
    for item in sorted(ranges, key=lambda r: r.first):
        if found and item.first <= found[-1].last + period:
            before = found[-1]
            found[-1] = StaleRange(
                before.first,
                max(before.last, item.last),
                max(before.newest_part, item.newest_part),
            )
        else:
            found.append(item)
    return found


@dataclass(frozen=True, slots=True)
class LateWindows:
    """Neighbouring windows that were scored without rows which came since.

    Attributes
    ----------
    first, last : datetime
        Starts of the first and the last of them.
    deliveries : tuple of str
        What came, by id.
    """

    first: datetime
    last: datetime
    deliveries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scoring:
    """A run that was to score a range of windows, and is over.

    Attributes
    ----------
    first, last : datetime
        Starts of the first and the last window.
    asked_at, ended_at : datetime
        When it was requested, and when it was over.
    succeeded : bool
        Whether the windows were scored.
    """

    first: datetime
    last: datetime
    asked_at: datetime
    ended_at: datetime
    succeeded: bool


def tries_of_due(
    deliveries: Iterable[Delivery],
    scorings: Sequence[Scoring],
    *,
    origin: datetime,
    now: datetime,
) -> dict[Delivery, int]:
    """Find the deliveries whose windows are to be scored, again or for the first time.

    A delivery is done with when a run that was requested after it came has scored all its windows,
    whoever requested that. After a run that failed the next one waits, each time longer; after
    four of them the delivery is given up.

    Parameters
    ----------
    deliveries : iterable of Delivery
        What came late.
    scorings : sequence of Scoring
        The runs since; none may be under way.
    origin : datetime
        The first window that can still be scored.
    now : datetime
        The present.

    Returns
    -------
    dict of Delivery to int
        How often each was tried in vain.

    Examples
    --------
    >>> from datetime import UTC
    >>> ten, eleven, noon = (datetime(2026, 11, 21, h, tzinfo=UTC) for h in (10, 11, 12))
    >>> late = Delivery("a", eleven, ten, ten)
    >>> failed = Scoring(ten, eleven, noon, noon, succeeded=False)
    >>> for minutes in (5, 10):
    ...     now = noon + timedelta(minutes=minutes)
    ...     print(list(tries_of_due([late], [failed], origin=ten, now=now).values()))
    []
    [1]
    """
    due: dict[Delivery, int] = {}
    for item in deliveries:
        first, last = _span(item, origin)
        of_it = [
            s
            for s in scorings
            if s.asked_at >= item.delivered_at and s.first <= first and last <= s.last
        ]
        tries = len(of_it)
        if any(s.succeeded for s in of_it) or tries > len(_PAUSES):
            continue
        if not tries or max(s.ended_at for s in of_it) + _PAUSES[tries - 1] <= now:
            due[item] = tries
    return due


def _span(item: Delivery, origin: datetime) -> tuple[datetime, datetime]:
    """Return the first and the last window that lack a delivery."""
    last = min(window_of(item.delivered_at), window_of(item.last_at + _CARRIED))
    return max(window_of(item.first_at), origin), last


def late_windows(
    deliveries: Iterable[Delivery], *, origin: datetime, now: datetime
) -> list[LateWindows]:
    """Find the windows to score again after late deliveries.

    The windows of a delivery begin with the one of its oldest row. They end with the one in which
    it came: what is scored later has it. A delivery whose last window is still open waits.

    Parameters
    ----------
    deliveries : iterable of Delivery
        Those that are due.
    origin : datetime
        The first window that can still be scored.
    now : datetime
        The present.

    Returns
    -------
    list of LateWindows
        In time order, neighbours joined.

    Examples
    --------
    >>> from datetime import UTC
    >>> ten, eleven = (datetime(2026, 11, 21, h, 5, tzinfo=UTC) for h in (10, 11))
    >>> found = late_windows(
    ...     [Delivery("a", eleven, ten, ten)], origin=datetime(2026, 11, 1, tzinfo=UTC),
    ...     now=datetime(2026, 11, 21, 11, 30, tzinfo=UTC),
    ... )
    >>> [(f"{late.first:%H:%M}", f"{late.last:%H:%M}") for late in found]
    [('10:00', '11:00')]
    """
    spans = []
    for item in deliveries:
        first, last = _span(item, origin)
        if window_of(item.delivered_at) + _WINDOW <= now and first <= last:
            spans.append(LateWindows(first, last, (item.delivery_id,)))
    found: list[LateWindows] = []
    for span in sorted(spans, key=lambda s: (s.first, s.last, s.deliveries)):
        if found and span.first <= found[-1].last + _WINDOW:
            before = found[-1]
            found[-1] = LateWindows(
                before.first,
                max(before.last, span.last),
                (*before.deliveries, *span.deliveries),
            )
        else:
            found.append(span)
    return found


def missed_windows(
    scored: Collection[datetime], *, origin: datetime, now: datetime
) -> list[tuple[datetime, datetime]]:
    """Find the windows of the last day that are over and were not scored.

    What lies before the first window that ever was scored is not missed: there was nothing to
    score, or it is being loaded. Nor is what is more than a day old: no state is carried so far.

    Parameters
    ----------
    scored : collection of datetime
        Starts of the windows that were scored.
    origin : datetime
        The first window that can be scored.
    now : datetime
        The present, or a moment before it up to which windows have to be over.

    Returns
    -------
    list of (datetime, datetime)
        First and last of neighbouring windows, in time order.

    Examples
    --------
    >>> from datetime import UTC
    >>> at = [datetime(2026, 11, 21, 10, tzinfo=UTC) + n * timedelta(minutes=30) for n in range(6)]
    >>> found = missed_windows({at[0], at[3]}, origin=at[0] - timedelta(days=9), now=at[5])
    >>> [(f"{first:%H:%M}", f"{last:%H:%M}") for first, last in found]
    [('10:30', '11:00'), ('12:00', '12:00')]
    >>> missed_windows(set(), origin=at[0], now=at[5])
    []
    """
    if not scored:
        return []
    found: list[tuple[datetime, datetime]] = []
    start = max(min(scored), window_of(now - _CARRIED), origin)
    while start + _WINDOW <= now:
        if start not in scored:
            is_next = bool(found) and found[-1][1] + _WINDOW == start
            first = found.pop()[0] if is_next else start
            found.append((first, start))
        start += _WINDOW
    return found
