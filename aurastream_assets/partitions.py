"""Time partitions, the only kind there is: half hours, hours, four hours and days, all in UTC.

The sets roll with retention: they begin on the Monday at least ``WINDOW_DAYS`` days back, so that
no set grows past about 2,000 keys, and their identity (which Dagster's partition caches and
running backfills hang on) changes once a week and not at every load. A record that is younger
begins later: what it can never have is not offered, and does not look as if it were missing.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg

from aurastream.settings import record_start

__all__ = [
    "FOUR_HOURS",
    "WINDOW",
    "WINDOW_DAYS",
    "days",
    "first_day",
    "first_moment",
    "four_hours",
    "half_hours",
    "hours",
    "months",
    "newest_of",
]

WINDOW: Final = timedelta(minutes=30)
FOUR_HOURS: Final = timedelta(hours=4)
WINDOW_DAYS: Final = 30  # raw snapshots older than this may not be kept, nor scored again


def first_day(now: datetime) -> datetime:
    """Return the first midnight that can still be re-materialized at ``now``.

    Parameters
    ----------
    now : datetime
        Any moment, with a timezone.

    Returns
    -------
    datetime
        Midnight UTC of the Monday at least `WINDOW_DAYS` and at most `WINDOW_DAYS` + 6 days back.

    Examples
    --------
    >>> first_day(datetime(2026, 11, 21, 13, 5, tzinfo=UTC)).isoformat()
    '2026-10-19T00:00:00+00:00'
    """
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    day -= timedelta(days=WINDOW_DAYS)
    return day - timedelta(days=day.weekday())


def first_moment(now: datetime, start: datetime | None) -> datetime:
    """Return where the sets begin, given where the record does.

    Parameters
    ----------
    now : datetime
        Any moment, with a timezone.
    start : datetime or None
        Beginning of the record; None when nobody said.

    Returns
    -------
    datetime
        `first_day`, or midnight of the day on which a younger record begins, so that the windows of
        every set divide those of the longer ones; at least two days back, so that each has two.

    Examples
    --------
    >>> now = datetime(2026, 11, 21, 13, 5, tzinfo=UTC)
    >>> first_moment(now, datetime(2026, 11, 7, 14, 30, tzinfo=UTC)).isoformat()
    '2026-11-07T00:00:00+00:00'
    >>> first_moment(now, now).isoformat()
    '2026-11-19T00:00:00+00:00'
    >>> first_moment(now, None) == first_moment(now, datetime(2020, 1, 1, tzinfo=UTC))
    True
    """
    if start is None:
        return first_day(now)
    start = min(start, now - timedelta(days=2)).astimezone(UTC)
    return max(first_day(now), start.replace(hour=0, minute=0, second=0, microsecond=0))


_START: Final = first_moment(datetime.now(UTC), record_start())

# end_offset=1: the window that is still open can be scored, as each new crawl comes in.
half_hours: Final = dg.TimeWindowPartitionsDefinition(
    start=_START, cron_schedule="*/30 * * * *", fmt="%Y-%m-%d-%H:%M", timezone="UTC", end_offset=1
)
# Slow intelligence. The last window is over before it is analysed, so there is no open one.
four_hours: Final = dg.TimeWindowPartitionsDefinition(
    start=_START, cron_schedule="0 */4 * * *", fmt="%Y-%m-%d-%H:%M", timezone="UTC"
)
hours: Final = dg.HourlyPartitionsDefinition(start_date=_START, timezone="UTC")
days: Final = dg.DailyPartitionsDefinition(start_date=_START, timezone="UTC")
# Months are twelve a year: this set need not roll, and what was archived stays known.
months: Final = dg.MonthlyPartitionsDefinition(start_date="2026-01-01", timezone="UTC")


def newest_of(key: dg.AssetKey) -> dg.AssetDep:
    """Declare that an asset without partitions reads the newest partition of another.

    Left to itself, Dagster takes it to read them all, and names each of them in every run.
    """
    return dg.AssetDep(key, partition_mapping=dg.LastPartitionMapping())
