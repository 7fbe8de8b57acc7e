"""What API calls cost, when the quota resets, and whether it will last until then.

Costs are data: a profile is a series of cost tables, each in force from a date on, because the
platform changes its prices. Days are quota days: the date in Los Angeles, where YouTube's
counters start again at midnight; such a day has 23 or 25 hours when the clocks change.

Units are the platform's quota units. Every number of units is 0 or more, and of ``remaining``
more is better.
"""

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from aurastream.core.errors import InvalidInputError

__all__ = [
    "BATCH_SIZE",
    "PACIFIC",
    "PROFILES",
    "SEARCH_CALLS_PER_DAY",
    "Bucket",
    "Cost",
    "CostTable",
    "Forecast",
    "QuotaStatus",
    "RateStatus",
    "cost_table",
    "estimate_units",
    "forecast",
    "next_reset",
    "quota_date",
    "quota_day",
    "quota_statuses",
    "rate_statuses",
]

PACIFIC: Final = ZoneInfo("America/Los_Angeles")
BATCH_SIZE: Final = 50
SEARCH_CALLS_PER_DAY: Final = 80
_HOUR_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Bucket:
    """A counter that the platform resets once a day.

    Parameters
    ----------
    name : str
        For example ``youtube.default``; the part before the dot is the platform.
    daily_limit : int or None
        Units per quota day; None where the platform limits the rate only, not the day.
    minute_limit : int or None
        Units per minute; None where the platform limits the day only.
    """

    name: str
    daily_limit: int | None
    minute_limit: int | None = None

    @property
    def platform(self) -> str:
        """Return the platform the bucket belongs to."""
        return self.name.partition(".")[0]


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call of an endpoint takes out of which bucket.

    Parameters
    ----------
    bucket : str
        Name of the bucket.
    units : int
        Units per call, an invalid call included.
    calls_per_day : int or None
        Our own limit below the platform's; None where only the bucket limits.
    """

    bucket: str
    units: int
    calls_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class CostTable:
    """The prices in force from a quota date on.

    Parameters
    ----------
    name : str
        Name of the table.
    since : datetime.date
        First Pacific date on which it applies.
    buckets : mapping of str to Bucket
        The counters.
    costs : mapping of str to Cost
        Endpoint to cost, for example ``videos.list``.
    """

    name: str
    since: dt.date
    buckets: Mapping[str, Bucket]
    costs: Mapping[str, Cost]

    def cost(self, endpoint: str) -> Cost:
        """Return what one call of ``endpoint`` costs.

        Raises
        ------
        InvalidInputError
            When the endpoint has no price: a call that nobody priced must not be made.
        """
        try:
            return self.costs[endpoint]
        except KeyError:
            raise InvalidInputError(
                f"No quota cost is known for endpoint {endpoint!r} in {self.name}.",
                fix=f"Known endpoints: {', '.join(sorted(self.costs))}.",
            ) from None

    def own_limit(self, bucket: str) -> int | None:
        """Return the units a day to which we keep a bucket ourselves; None where we do not.

        Examples
        --------
        >>> import datetime as dt
        >>> table = cost_table("granular_2026", dt.datetime(2026, 11, 21, tzinfo=dt.UTC))
        >>> table.own_limit("youtube.search"), table.own_limit("youtube.default")
        (80, None)
        """
        total = 0
        for cost in self.costs.values():
            if cost.bucket == bucket:
                if cost.calls_per_day is None:
                    return None
                total += cost.calls_per_day * cost.units
        return total

    def bucket(self, endpoint: str) -> Bucket:
        """Return the bucket that a call of ``endpoint`` draws on."""
        return self.buckets[self.cost(endpoint).bucket]


_TWITCH_ENDPOINTS: Final = (
    "games",
    "games/top",
    "streams",
    "clips",
    "videos",
    "channels",
    "users",
)
# Twitch limits points per minute (the rate limiter's matter) and nothing per day.
_TWITCH_BUCKET: Final = Bucket("twitch.helix", None, 800)
_TWITCH_COSTS: Final = {name: Cost(_TWITCH_BUCKET.name, 1) for name in _TWITCH_ENDPOINTS}
_LISTS: Final = ("videos.list", "channels.list", "videoCategories.list", "playlistItems.list")


def _table(
    name: str, since: dt.date, buckets: Iterable[Bucket], costs: Mapping[str, Cost]
) -> CostTable:
    return CostTable(
        name,
        since,
        MappingProxyType({b.name: b for b in (*buckets, _TWITCH_BUCKET)}),
        MappingProxyType({**costs, **_TWITCH_COSTS}),
    )


# Eight searches a day is one per tracked game: at 100 units each, more would starve the charts.
_LEGACY: Final = _table(
    "legacy_units",
    dt.date.min,
    [Bucket("youtube.default", 10_000)],
    {
        **{name: Cost("youtube.default", 1) for name in _LISTS},
        "videos.batchGetStats": Cost("youtube.default", 1),
        "search.list": Cost("youtube.default", 100, calls_per_day=8),
    },
)
_GRANULAR: Final = _table(
    "granular_2026",
    dt.date(2026, 6, 1),
    [
        Bucket("youtube.default", 10_000),
        Bucket("youtube.batch_stats", 10_000),
        Bucket("youtube.search", 100),
    ],
    {
        **{name: Cost("youtube.default", 1) for name in _LISTS},
        "videos.batchGetStats": Cost("youtube.batch_stats", 1),
        "search.list": Cost("youtube.search", 1, calls_per_day=SEARCH_CALLS_PER_DAY),
    },
)

PROFILES: Final[Mapping[str, tuple[CostTable, ...]]] = MappingProxyType(
    {"granular_2026": (_LEGACY, _GRANULAR), "legacy_units": (_LEGACY,)}
)


def cost_table(profile: str, at: dt.datetime) -> CostTable:
    """Return the prices that ``profile`` puts in force at the instant ``at``.

    Parameters
    ----------
    profile : str
        ``granular_2026`` or ``legacy_units``.
    at : datetime.datetime
        Aware instant.

    Returns
    -------
    CostTable
        Buckets and prices.

    Raises
    ------
    InvalidInputError
        When the profile is unknown or ``at`` has no time zone.

    Notes
    -----
    O(1).

    References
    ----------
    Creator Intel V2 (#43) and the platform's prices since 2026-06-01 (C17).

    Examples
    --------
    >>> import datetime as dt
    >>> noon = dt.datetime(2026, 5, 31, 12, tzinfo=dt.UTC)
    >>> cost_table("granular_2026", noon).cost("search.list").units
    100
    >>> cost_table("granular_2026", noon + dt.timedelta(days=1)).cost("search.list").units
    1
    """
    if profile not in PROFILES:
        raise InvalidInputError(
            f"Unknown quota profile {profile!r}.", fix=f"Use one of {', '.join(sorted(PROFILES))}."
        )
    day = quota_date(at)
    return max((t for t in PROFILES[profile] if t.since <= day), key=lambda t: t.since)


def quota_date(at: dt.datetime) -> dt.date:
    """Return the quota day of an instant: the date in Los Angeles.

    Parameters
    ----------
    at : datetime.datetime
        Aware instant.

    Returns
    -------
    datetime.date
        The date in Los Angeles.

    Notes
    -----
    O(1).

    References
    ----------
    Creator Intel V2 (#47); the paper's UTC day was wrong (C19).

    Examples
    --------
    >>> import datetime as dt
    >>> quota_date(dt.datetime(2026, 11, 21, 7, 59, tzinfo=dt.UTC))
    datetime.date(2026, 11, 20)
    >>> quota_date(dt.datetime(2026, 11, 21, 8, 0, tzinfo=dt.UTC))
    datetime.date(2026, 11, 21)
    """
    _require_aware(at)
    return at.astimezone(PACIFIC).date()


def quota_day(day: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """Return the instants (UTC) between which a quota day lies, the end excluded.

    Parameters
    ----------
    day : datetime.date
        A quota day.

    Returns
    -------
    start, end : datetime.datetime
        In UTC; 23 to 25 hours apart.

    Notes
    -----
    O(1).

    References
    ----------
    Creator Intel V2 (#47, C19).

    Examples
    --------
    >>> import datetime as dt
    >>> start, end = quota_day(dt.date(2026, 11, 1))  # clocks go back
    >>> (end - start) / dt.timedelta(hours=1)
    25.0
    """
    start, end = (
        dt.datetime.combine(d, dt.time.min, PACIFIC).astimezone(dt.UTC)
        for d in (day, day + dt.timedelta(days=1))
    )
    return start, end


def next_reset(at: dt.datetime) -> dt.datetime:
    """Return the next midnight in Los Angeles after ``at``, in UTC.

    Parameters
    ----------
    at : datetime.datetime
        Aware instant.

    Returns
    -------
    datetime.datetime
        In UTC, after ``at``.

    Notes
    -----
    O(1).

    References
    ----------
    Creator Intel V2 (#47, C19).

    Examples
    --------
    >>> import datetime as dt
    >>> next_reset(dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC))
    datetime.datetime(2026, 7, 2, 7, 0, tzinfo=datetime.timezone.utc)
    """
    return quota_day(quota_date(at))[1]


def estimate_units(videos: int) -> int:
    """Return what a game of ``videos`` videos costs: its id batches and one list call.

    Parameters
    ----------
    videos : int
        Number of videos, 0 or more.

    Returns
    -------
    int
        Units, 1 or more.

    Notes
    -----
    O(1).

    References
    ----------
    Creator Intel V2 (#43, #49), rounded as settled in C20.

    Examples
    --------
    >>> [estimate_units(n) for n in (0, 1, 50, 51, 100)]
    [1, 2, 2, 3, 3]
    """
    if videos < 0:
        raise InvalidInputError(f"A number of videos cannot be negative: {videos}.")
    return math.ceil(videos / BATCH_SIZE) + 1


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where a bucket will stand when it resets.

    Parameters
    ----------
    used : int
        Units used so far on this quota day.
    limit : int
        Units allowed per quota day.
    rate_per_hour : float
        Units per hour lately, 0 or more.
    projected : float
        Units used at the reset if the rate holds; may exceed the limit.
    resets_at : datetime.datetime
        The reset, UTC.
    exhausts_at : datetime.datetime or None
        When the limit is reached at this rate, if that is before the reset.
    """

    used: int
    limit: int
    rate_per_hour: float
    projected: float
    resets_at: dt.datetime
    exhausts_at: dt.datetime | None

    @property
    def remaining(self) -> int:
        """Return the units left, never below 0."""
        return max(0, self.limit - self.used)

    @property
    def stretch(self) -> float:
        """Return how much wider intervals must get to last until the reset: 1 or more.

        It is what is wanted until the reset divided by what is left; infinite when nothing
        is left and something is wanted.
        """
        wanted = self.projected - self.used
        if wanted <= self.remaining:
            return 1.0
        return math.inf if self.remaining == 0 else wanted / self.remaining


def forecast(
    usage: "pd.Series[int]",
    as_of: dt.datetime,
    *,
    limit: int,
    own_limit: int | None = None,
    trailing_h: float = 6.0,
) -> Forecast:
    """Project the use of one bucket to its next reset.

    The rate is what was used in the trailing hours (across the last reset, so that it is known
    from the first minute of a day), over the time since the first use in them, at least one
    hour: a burst right after the start is not taken for a habit.

    A bucket that we keep below a limit of our own is used in passes, once a day, and not at a
    rate: as much as in the last 24 hours is expected of this day, and never more than that limit.

    Parameters
    ----------
    usage : pandas.Series
        Units of each call or reservation, indexed by its aware time, in any order. Give the
        current quota day and, where known, the trailing hours before it.
    as_of : datetime.datetime
        The present; later entries are ignored.
    limit : int
        Units per quota day.
    own_limit : int, optional
        Units per quota day to which we keep the bucket ourselves.
    trailing_h : float, optional
        Hours over which the rate is taken, above 0.

    Returns
    -------
    Forecast
        Use at the reset, and when the bucket runs dry before it.

    Notes
    -----
    O(n log n) in the entries.

    References
    ----------
    Ours: the sources ask to stay under half the quota (#14, #44), the ledger is that of C18.

    Examples
    --------
    >>> import datetime as dt
    >>> import pandas as pd
    >>> now = dt.datetime(2026, 11, 21, 20, tzinfo=dt.UTC)  # 12 h before the reset
    >>> hours = pd.date_range("2026-11-21 14:30", periods=6, freq="h", tz="UTC")
    >>> f = forecast(pd.Series(1000, index=hours), now, limit=10_000)
    >>> f.used, round(f.rate_per_hour), round(f.projected)
    (6000, 1091, 19091)
    >>> f.exhausts_at.isoformat()
    '2026-11-21T23:40:00+00:00'

    Eight searches of the daily pass are eight searches a day:

    >>> searched = pd.Series(1, index=pd.DatetimeIndex([now - dt.timedelta(minutes=5)] * 8))
    >>> f = forecast(searched, now, limit=100, own_limit=80)
    >>> f.projected, f.exhausts_at
    (8.0, None)

    Nothing used, nothing projected:

    >>> idle = forecast(pd.Series([], index=hours[:0], dtype=int), now, limit=10_000)
    >>> idle.used, idle.projected, idle.exhausts_at is None
    (0, 0.0, True)
    """
    start, resets_at = quota_day(quota_date(as_of))
    if usage.empty:
        return Forecast(0, limit, 0.0, 0.0, resets_at, None)
    at = pd.DatetimeIndex(usage.index)
    if at.tz is None:
        raise InvalidInputError("Quota usage must be indexed by times with a time zone.")
    units = usage.to_numpy(dtype="int64")
    past = np.asarray(at <= pd.Timestamp(as_of))
    used = int(units[past & np.asarray(at >= pd.Timestamp(start))].sum())
    recent = past & np.asarray(at > pd.Timestamp(as_of - dt.timedelta(hours=trailing_h)))
    rate = 0.0
    if recent.any():
        since = (as_of - at[recent].min()).total_seconds() / _HOUR_S
        rate = float(units[recent].sum()) / max(1.0, since)
    if own_limit is not None:
        day = past & np.asarray(at > pd.Timestamp(as_of - dt.timedelta(hours=24)))
        projected = float(max(used, min(own_limit, int(units[day].sum()))))
        full = as_of.astimezone(dt.UTC) if used >= min(limit, own_limit) else None
        return Forecast(used, limit, rate, projected, resets_at, full)
    left_h = (resets_at - as_of).total_seconds() / _HOUR_S
    exhausts_at: dt.datetime | None = None
    if used >= limit:
        exhausts_at = as_of.astimezone(dt.UTC)
    elif used + rate * left_h > limit:
        exhausts_at = (as_of + dt.timedelta(hours=(limit - used) / rate)).astimezone(dt.UTC)
    return Forecast(used, limit, rate, used + rate * left_h, resets_at, exhausts_at)


@dataclass(frozen=True, slots=True)
class QuotaStatus:
    """One line of ``aurastream quota``: where a bucket stands and where it is heading.

    Parameters
    ----------
    platform, bucket : str
        Whose counter.
    quota_date : datetime.date
        The quota day (Pacific).
    limit, used : int
        Units.
    remaining : int
        Units that may still be taken: of our own limit where there is one, and 0 once the
        platform itself has refused.
    used_pct : float
        Share of the limit, in percent; above 100 when the platform let more through.
    projected : float
        Units at the reset, at the present rate.
    resets_at : datetime.datetime
        The reset, UTC.
    exhausts_at : datetime.datetime or None
        When it runs dry, if before the reset.
    is_exhausted : bool
        Nothing more can be asked until the reset.
    own_limit : int or None
        Units a day to which we keep the bucket ourselves; None where we do not.
    """

    platform: str
    bucket: str
    quota_date: dt.date
    limit: int
    used: int
    remaining: int
    used_pct: float
    projected: float
    resets_at: dt.datetime
    exhausts_at: dt.datetime | None
    is_exhausted: bool
    own_limit: int | None = None


def quota_statuses(
    table: CostTable,
    usage: pd.DataFrame,
    as_of: dt.datetime,
    *,
    refused: Iterable[str] = (),
) -> tuple[QuotaStatus, ...]:
    """Return the state of every daily bucket of a cost table, by name.

    Parameters
    ----------
    table : CostTable
        The prices in force.
    usage : pandas.DataFrame
        Columns ``bucket``, ``at`` (aware) and ``units``; other buckets are ignored.
    as_of : datetime.datetime
        The present.
    refused : iterable of str, optional
        Buckets that the platform declared exhausted on this quota day.

    Returns
    -------
    tuple of QuotaStatus
        Sorted by bucket name; buckets without a daily limit are left out.

    Notes
    -----
    O(buckets · n log n) for n entries.

    References
    ----------
    Creator Intel V2 (#46), out of one ledger (C18).

    Examples
    --------
    >>> import datetime as dt
    >>> import pandas as pd
    >>> now = dt.datetime(2026, 11, 21, 20, tzinfo=dt.UTC)
    >>> at = pd.DatetimeIndex([now - dt.timedelta(hours=1)])
    >>> usage = pd.DataFrame({"bucket": "youtube.default", "at": at, "units": 9_000})
    >>> found = {s.bucket: s for s in quota_statuses(cost_table("granular_2026", now), usage, now)}
    >>> found["youtube.default"].used, found["youtube.default"].remaining
    (9000, 1000)

    Nothing used is all left, and a bucket that the platform refused has nothing left to give:

    >>> none = quota_statuses(cost_table("granular_2026", now), usage.iloc[:0], now)
    >>> {s.used for s in none}
    {0}
    >>> refused = quota_statuses(
    ...     cost_table("granular_2026", now), usage, now, refused=["youtube.default"]
    ... )
    >>> [s.is_exhausted for s in refused if s.bucket == "youtube.default"]
    [True]

    What is left of a bucket that we keep below a limit of our own is what that limit leaves:

    >>> searches = usage.assign(bucket="youtube.search", units=8)
    >>> found = quota_statuses(cost_table("granular_2026", now), searches, now)
    >>> [(s.limit, s.own_limit, s.remaining) for s in found if s.bucket == "youtube.search"]
    [(100, 80, 72)]
    """
    refused = frozenset(refused)
    found = []
    for name, bucket in sorted(table.buckets.items()):
        if bucket.daily_limit is None:
            continue
        own_limit = table.own_limit(name)
        rows = usage[usage["bucket"] == name]
        seen = forecast(
            pd.Series(rows["units"].to_numpy(), index=pd.DatetimeIndex(rows["at"])),
            as_of,
            limit=bucket.daily_limit,
            own_limit=own_limit,
        )
        allowed = seen.limit if own_limit is None else min(seen.limit, own_limit)
        remaining = 0 if name in refused else max(0, allowed - seen.used)
        exhausted = remaining == 0
        found.append(
            QuotaStatus(
                platform=bucket.platform,
                bucket=name,
                quota_date=quota_date(as_of),
                limit=seen.limit,
                used=seen.used,
                remaining=remaining,
                used_pct=100.0 * seen.used / seen.limit,
                projected=seen.projected,
                resets_at=seen.resets_at,
                exhausts_at=as_of.astimezone(dt.UTC) if exhausted else seen.exhausts_at,
                is_exhausted=exhausted,
                own_limit=own_limit,
            )
        )
    return tuple(found)


@dataclass(frozen=True, slots=True)
class RateStatus:
    """One line of ``aurastream quota``: a bucket that the platform limits by the minute alone.

    Parameters
    ----------
    platform, bucket : str
        Whose counter.
    quota_date : datetime.date
        The quota day (Pacific) that ``used`` is counted in; it limits nothing here.
    used : int
        Units of the day so far.
    minute_limit : int
        Units per minute that the platform allows.
    busiest_minute : int
        Units of the busiest minute of the day, minutes counted from its start.
    """

    platform: str
    bucket: str
    quota_date: dt.date
    used: int
    minute_limit: int
    busiest_minute: int


def rate_statuses(
    table: CostTable, usage: pd.DataFrame, as_of: dt.datetime
) -> tuple[RateStatus, ...]:
    """Return the use of every bucket of a cost table that is limited by the minute alone, by name.

    Parameters
    ----------
    table : CostTable
        The prices in force.
    usage : pandas.DataFrame
        Columns ``bucket``, ``at`` (aware) and ``units``; other buckets are ignored.
    as_of : datetime.datetime
        The present; later entries are ignored, and so are those of other quota days.

    Returns
    -------
    tuple of RateStatus
        Sorted by bucket name.

    Notes
    -----
    O(buckets · n log n) for n entries.

    References
    ----------
    Creator Intel V2, 800 requests a minute of Twitch (#45).

    Examples
    --------
    >>> import datetime as dt
    >>> import pandas as pd
    >>> now = dt.datetime(2026, 11, 21, 20, tzinfo=dt.UTC)
    >>> at = now - pd.to_timedelta(["3595s", "3550s", "1800s"])
    >>> usage = pd.DataFrame({"bucket": "twitch.helix", "at": at, "units": 9})
    >>> [found] = rate_statuses(cost_table("granular_2026", now), usage, now)
    >>> found.used, found.busiest_minute, found.minute_limit
    (27, 18, 800)

    >>> [idle] = rate_statuses(cost_table("granular_2026", now), usage.iloc[:0], now)
    >>> idle.used, idle.busiest_minute
    (0, 0)
    """
    start, _ = quota_day(quota_date(as_of))
    at = pd.DatetimeIndex(usage["at"])
    today = usage[(at >= pd.Timestamp(start)) & (at <= pd.Timestamp(as_of))]
    found = []
    for name, bucket in sorted(table.buckets.items()):
        if bucket.minute_limit is None or bucket.daily_limit is not None:
            continue
        rows = today[today["bucket"] == name]
        minutes = rows["units"].groupby(pd.DatetimeIndex(rows["at"]).floor("min")).sum()
        found.append(
            RateStatus(
                platform=bucket.platform,
                bucket=name,
                quota_date=quota_date(as_of),
                used=int(rows["units"].sum()),
                minute_limit=bucket.minute_limit,
                busiest_minute=int(minutes.max()) if len(minutes) else 0,
            )
        )
    return tuple(found)


def _require_aware(at: dt.datetime) -> None:
    if at.tzinfo is None:
        raise InvalidInputError(f"{at.isoformat()} has no time zone; quota days need instants.")
