"""Which rollups no longer say what the parts beneath them say: a pure decision.

A half-hour window can be scored again long after its hour was rolled up (a backfill, a new formula,
a late crawl). The rollup is then stale, and only the order of the two materializations tells so:
event storage ids grow with every materialization, whichever machine's clock wrote them.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["StaleRange", "stale_rollups"]


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
