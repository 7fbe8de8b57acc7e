"""What is usual at each hour of the week: learned, shrunken, with its uncertainty.

A week has 168 hours of the audience's own clock, hour 0 begins on Monday at midnight. From the
crawls of the last four weeks every hour that is over gives one value, the mean of log(1 + count)
of its crawls, so that quarter-hourly and hourly crawls weigh the same. Four weeks give an hour of
the week four values at most, too few to trust their mean; the same hour of the other days says
much of the same. So the estimate is drawn from the hour of the week towards the hour of the day,
as far as the data say that days differ (empirical Bayes)::

    estimate = day + w · (week − day),  w = n·τ² / (n·τ² + σ²)

with the spread σ² of one hour of the week from week to week and the spread τ² between the days of
the week at one hour, both by the method of moments (one-way random effects, pooled over the 24
hours), and n values of that hour of the week. w is 0 where days do not differ, or nothing was
repeated yet, and near 1 where they differ by much more than weeks do.

``expected`` is the estimate as a count, 0 or more; ``low`` and ``high`` are its 90 % interval: of
what is usual, not of what one hour may bring. ``effective_n`` (0 or more, higher is surer) is how
many hours of independent data would say as much: σ² over the variance of the estimate.

An hour is a peak where its estimate lies in the top 9/24 of the week, the share that the fixed
peak hours have, and the 95 % lower bound of its estimate lies above the mean of the week. Where no
rhythm can be told from noise, hardly any hour is one.
"""

import contextlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    HOUR_US,
    Schema,
    build_frame,
    codes_of,
    counters,
    empty_frame,
    microseconds,
    require_columns,
    shown,
    times,
    timestamps,
    tracked_games,
    window_ends,
)

__all__ = [
    "FIXED",
    "HOUR_OF_WEEK_SCHEMA",
    "LEARNED",
    "WEEK_H",
    "HourOfWeekParams",
    "WeekEstimate",
    "hour_of_week_map",
    "learned_peaks",
    "local_hours",
    "local_times",
    "shrunken_week",
    "week_samples",
]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

HOUR_OF_WEEK_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "hour_of_week": "int16",
    "next_start_at": "datetime64[us, UTC]",
    "viewers_expected": "float64",
    "viewers_low": "float64",
    "viewers_high": "float64",
    "viewers_n": "int32",
    "viewers_effective_n": "float64",
    "live_expected": "float64",
    "live_low": "float64",
    "live_high": "float64",
    "live_n": "int32",
    "live_effective_n": "float64",
    "days_known": "int32",
    "is_peak": "bool",
    "peak_source": "str",
}

WEEK_H: Final = 168
LEARNED: Final = "learned"
FIXED: Final = "fixed"

_DAYS: Final = 7
_DAY_H: Final = 24
_MONDAY_H: Final = 96  # the epoch was a Thursday
_TOTALS = ("crawl_at", "game_id", "live_count", "viewer_total")
_GAMES = ("category", "twitch_game_id", "audience_timezone")


@dataclass(frozen=True, slots=True)
class HourOfWeekParams:
    """How much past is looked at, and what it takes to replace the fixed peak hours.

    Four weeks are the sources' (C30); fixed hours until a map is learned are theirs as well (C32).
    Two weeks at least, because one week cannot tell the hour from the accident, are ours.
    """

    window: timedelta = timedelta(hours=4)
    weeks: int = 4
    min_samples: int = 3
    min_days: int = 14
    peak_share: float = 9 / 24
    interval_z: float = 1.645
    fixed_peak_hours: frozenset[int] = frozenset({14, 15, 16, 17, 19, 20, 21, 22, 23})


DEFAULT: Final = HourOfWeekParams()


@dataclass(frozen=True, slots=True)
class WeekEstimate:
    """What is usual in log(1 + count) at each moment's view of the week.

    ``mean``, ``sd``, ``n`` and ``effective_n`` are (moments, 168); ``days`` (moments,) counts the
    days that have any value. An hour whose hour of the day has too few values is NaN.
    """

    mean: Floats
    sd: Floats
    n: Integers
    effective_n: Floats
    days: Integers

    def expected(self, z: float = 0.0) -> Floats:
        """Return the estimate, moved by ``z`` standard errors, as a count of 0 or more."""
        # What goes through logarithms and back misses whole counts by a hair.
        counts = np.maximum(0.0, np.expm1(self.mean + z * self.sd))
        return np.asarray(np.round(counts, 9), dtype=np.float64)


def local_times(moments: pd.DatetimeIndex, timezone: object) -> pd.DatetimeIndex:
    """Return moments by the clock of a time zone.

    Parameters
    ----------
    moments : pandas.DatetimeIndex
        With time zone.
    timezone : str
        IANA name; anything else is refused.

    Returns
    -------
    pandas.DatetimeIndex
        The same moments by the zone's clock, daylight saving included.

    Raises
    ------
    InvalidInputError
        When the zone is not an IANA name.

    Notes
    -----
    O(n).

    References
    ----------
    The paper's peak hours "by timezone" (#72) have no zone; they are the audience's here (C32).

    Examples
    --------
    >>> import pandas as pd
    >>> moments = pd.DatetimeIndex(["2026-01-15T00:00Z", "2026-07-15T00:00Z"])
    >>> local_times(moments, "America/New_York").hour.tolist()
    [19, 20]

    A missing moment stays missing, and none are none:

    >>> local_times(pd.DatetimeIndex([pd.NaT], tz="UTC"), "Asia/Tokyo").isna().tolist()
    [True]
    >>> len(local_times(moments[:0], "Asia/Tokyo"))
    0
    """
    # pandas takes a missing zone as a wish for naive times.
    if isinstance(timezone, str) and timezone:
        with contextlib.suppress(KeyError, ValueError, OSError):
            return moments.tz_convert(timezone)
    raise InvalidInputError(
        f"'{shown(timezone)}' is no time zone.", fix="Use an IANA name such as America/New_York."
    )


def local_hours(moments: Integers, timezone: object) -> Integers:
    """Return the number of each moment's hour by a clock; modulo 168 it is the hour of the week.

    Parameters
    ----------
    moments : numpy.ndarray
        Microseconds since the epoch.
    timezone : str
        IANA name.

    Returns
    -------
    numpy.ndarray
        Hours since a Monday 00:00 of that clock.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.3.3 (#72), by the audience's clock (C32).

    Examples
    --------
    19:00 on a Thursday in New York, in winter and in summer time:

    >>> import numpy as np, pandas as pd
    >>> moments = pd.DatetimeIndex(["2026-03-06T00:05Z", "2026-03-12T23:05Z"]).as_unit("us").asi8
    >>> (local_hours(moments, "America/New_York") % 168).tolist()
    [91, 91]

    The hour that a clock shows twice is one hour:

    >>> twice = pd.DatetimeIndex(["2026-11-01T05:30Z", "2026-11-01T06:30Z"]).as_unit("us").asi8
    >>> np.diff(local_hours(twice, "America/New_York")).tolist()
    [0]

    >>> local_hours(moments[:0], "America/New_York").tolist()
    []
    """
    local = local_times(pd.DatetimeIndex(timestamps(moments)), timezone)
    shown = local.tz_localize(None).as_unit("us").asi8
    return np.asarray(shown // HOUR_US - _MONDAY_H, dtype=np.int64)


def week_samples(
    hours: Integers, counts: Floats, at: Integers, *, params: HourOfWeekParams = DEFAULT
) -> Floats:
    """Lay the hours before each moment out as weeks: log(1 + count), NaN where nothing is known.

    Parameters
    ----------
    hours : numpy.ndarray
        Local hour of each crawl, as `local_hours` numbers them.
    counts : numpy.ndarray
        What the crawl counted, 0 or more; NaN is unknown.
    at : numpy.ndarray
        Local hour of each moment; it and later ones are not looked at.
    params : HourOfWeekParams
        How many weeks.

    Returns
    -------
    numpy.ndarray
        (moments, weeks, 168), oldest week first. O(crawls · log crawls + moments · weeks).

    References
    ----------
    Baseline of the same hour of the week over four weeks (#70, C30).

    Examples
    --------
    >>> import numpy as np
    >>> rows = week_samples(np.array([0, 0, 168, 336]), np.array([0.0, 0.0, 7.0, 9.0]),
    ...                     np.array([336]))
    >>> np.expm1(rows[0, :, 0]).round(9).tolist()
    [nan, nan, 0.0, 7.0]

    A count that is not known is no count, and no crawls know nothing:

    >>> nothing = week_samples(np.array([0]), np.array([np.nan]), np.array([336]))
    >>> bool(np.isnan(nothing).all())
    True

    >>> week_samples(np.zeros(0, dtype=int), np.zeros(0), np.zeros(0, dtype=int)).shape
    (0, 4, 168)
    """
    span = params.weeks * WEEK_H
    known = ~np.isnan(counts)
    hours, counts = hours[known], counts[known]
    first = int(at.min()) - span if at.size else 0
    inside = (hours >= first) & (hours < (int(at.max()) if at.size else 0))
    hours, values = hours[inside] - first, np.log1p(counts[inside])
    # In the order of the values, so that the order of the crawls cannot show in the sum.
    order = np.lexsort((values, hours))
    size = (int(at.max()) if at.size else 0) - first
    sums = np.bincount(hours[order], values[order], minlength=size)
    n = np.bincount(hours[order], minlength=size)
    hourly = np.where(n > 0, sums / np.maximum(n, 1), np.nan)
    cell = np.arange(WEEK_H)
    begin = at[:, None] - span + (cell - at[:, None]) % WEEK_H - first
    weeks = np.arange(params.weeks)[:, None] * WEEK_H
    rows: Floats = hourly[begin[:, None, :] + weeks]
    return rows


def shrunken_week(samples: Floats, *, params: HourOfWeekParams = DEFAULT) -> WeekEstimate:
    """Estimate each hour of the week from its own weeks and from the same hour of other days.

    Parameters
    ----------
    samples : numpy.ndarray
        As `week_samples` returns them.
    params : HourOfWeekParams
        How many values an hour of the day needs.

    Returns
    -------
    WeekEstimate
        The estimate lies between the mean of the hour of the week and that of the hour of the
        day; O(size).

    References
    ----------
    The median of the same hour over four weeks (#70, C30) rests on four values; these lean on the
    other days. Efron, B. and Morris, C. (1975). Data analysis using Stein's estimator and its
    generalizations. JASA 70.

    Examples
    --------
    Days that do not differ are one:

    >>> import numpy as np
    >>> rng = np.random.default_rng(7)
    >>> noise = rng.normal(5.0, 1.0, (1, 4, 168))
    >>> found = shrunken_week(noise)
    >>> bool(np.ptp(found.mean, axis=1)[0] < np.ptp(noise.mean(axis=1)))
    True

    Days that differ by more than weeks do are left apart, and a missing hour takes what the other
    days have at that time:

    >>> days = np.repeat(np.arange(7.0), 24)
    >>> weekly = np.stack([days, days, days, days])[None]
    >>> np.allclose(shrunken_week(weekly).mean, days)
    True
    >>> weekly[0, :, 3] = np.nan
    >>> float(shrunken_week(weekly).mean[0, 3])
    3.5
    >>> shrunken_week(np.full((1, 4, 168), np.nan)).effective_n.sum().item()
    0.0

    >>> shrunken_week(np.empty((0, 4, 168))).mean.shape
    (0, 168)
    """
    moments = samples.shape[0]
    known = ~np.isnan(samples)
    value = np.where(known, samples, 0.0)
    n = known.sum(axis=1)
    here = n > 0
    week = value.sum(axis=1) / np.maximum(n, 1)

    def by_hour(values: Floats) -> Floats:
        summed: Floats = values.reshape(moments, _DAYS, _DAY_H).sum(axis=1)
        return summed

    def of_hour(values: Floats) -> Floats:
        return np.tile(values, (1, _DAYS))

    day_n = by_hour(n.astype(np.float64))
    day = of_hour(by_hour(week * n) / np.maximum(day_n, 1.0))

    total = n.sum(axis=1)
    cells = here.sum(axis=1)
    hours = (day_n > 0).sum(axis=1)
    deviation = np.where(known, samples - week[:, None, :], 0.0)
    within = (deviation * deviation).sum(axis=(1, 2))
    between = (n * (week - day) ** 2).sum(axis=1)
    repeated = total - cells
    # Without a repeated hour the two spreads cannot be told apart: all is noise, all is pooled.
    noise = np.where(
        repeated > 0,
        within / np.maximum(repeated, 1),
        between / np.maximum(cells - hours, 1),
    )
    heavy = by_hour(n.astype(np.float64) ** 2) / np.maximum(day_n, 1.0)
    weight = total - heavy.sum(axis=1)
    excess = between - (cells - hours) * noise
    spread = np.where(
        (repeated > 0) & (weight > 0), np.maximum(0.0, excess) / np.maximum(weight, 1e-300), 0.0
    )
    signal = n * spread[:, None]
    whole = signal + noise[:, None]
    own = np.where(whole > 0, signal / np.where(whole > 0, whole, 1.0), 0.0)
    mean = day + own * (week - day)
    shared = noise[:, None] / np.maximum(day_n, 1.0) + spread[:, None] * heavy / np.maximum(
        day_n, 1.0
    )
    variance = spread[:, None] * (1.0 - own) + (1.0 - own) ** 2 * of_hour(shared)
    enough = of_hour(day_n) >= params.min_samples
    certain = variance <= 0
    effective = np.where(certain, of_hour(day_n), noise[:, None] / np.where(certain, 1.0, variance))
    return WeekEstimate(
        mean=np.where(enough, mean, np.nan),
        sd=np.where(enough, np.sqrt(variance), np.nan),
        n=n,
        effective_n=np.where(enough, np.minimum(effective, of_hour(day_n)), 0.0),
        days=known.reshape(moments, params.weeks, _DAYS, _DAY_H).any(axis=3).sum(axis=(1, 2)),
    )


def learned_peaks(
    estimate: WeekEstimate, *, params: HourOfWeekParams = DEFAULT
) -> tuple[Bools, Bools]:
    """Say which hours of the week are peaks, and whether that is learned or the fixed hours.

    Parameters
    ----------
    estimate : WeekEstimate
        Of the viewers, as `shrunken_week` returns it.
    params : HourOfWeekParams
        Fixed hours, and what it takes to replace them.

    Returns
    -------
    peaks : numpy.ndarray
        (moments, 168).
    is_learned : numpy.ndarray
        (moments,): every hour has an estimate, and ``min_days`` days are known.

    Notes
    -----
    O(moments · 168).

    References
    ----------
    AuraStream paper 5.3.3 (#72), replaced by what is learned (C32).

    Examples
    --------
    >>> import numpy as np
    >>> evening = np.tile(np.where(np.arange(24) >= 15, 3.0, 1.0), 7)
    >>> weeks = evening + np.random.default_rng(1).normal(0, 0.1, (1, 4, 168))
    >>> peaks, is_learned = learned_peaks(shrunken_week(weeks))
    >>> np.flatnonzero(peaks[0])[:9].tolist(), is_learned.tolist()
    ([15, 16, 17, 18, 19, 20, 21, 22, 23], [True])

    One week is not enough, and a flat week has no peaks:

    >>> weeks[:, :3] = np.nan
    >>> peaks, is_learned = learned_peaks(shrunken_week(weeks))
    >>> np.flatnonzero(peaks[0])[:3].tolist(), is_learned.tolist()
    ([14, 15, 16], [False])
    >>> learned_peaks(shrunken_week(np.ones((1, 4, 168))))[0].any().item()
    False

    >>> learned_peaks(shrunken_week(np.empty((0, 4, 168))))[0].shape
    (0, 168)
    """
    is_learned = (estimate.days >= params.min_days) & ~np.isnan(estimate.mean).any(axis=1)
    week = np.where(is_learned[:, None], estimate.mean, 0.0)
    # The lowest of the top share of hours, at the rank that share gives: ties are peaks together.
    rank = WEEK_H - max(1, round(params.peak_share * WEEK_H))
    least = np.partition(week, rank, axis=1)[:, rank]
    lowest = week - params.interval_z * np.where(is_learned[:, None], estimate.sd, 0.0)
    learned = (week >= least[:, None]) & (lowest > week.mean(axis=1)[:, None] + _ROUNDING)
    fixed = np.isin(np.arange(WEEK_H) % _DAY_H, list(params.fixed_peak_hours))
    return np.where(is_learned[:, None], learned, fixed), is_learned


# A flat week differs from its own mean by rounding alone.
_ROUNDING: Final = 1e-9


def hour_of_week_map(
    totals: pd.DataFrame,
    *,
    as_of: pd.DatetimeIndex,
    games: pd.DataFrame,
    params: HourOfWeekParams = DEFAULT,
) -> pd.DataFrame:
    """Draw the week of every game as it is known at every moment.

    Parameters
    ----------
    totals : pandas.DataFrame
        ``crawl_at``, ``game_id``, ``live_count`` and ``viewer_total`` (null: unknown) of the
        complete crawls of the four weeks before.
    as_of : pandas.DatetimeIndex
        Ends of the windows, with time zone.
    games : pandas.DataFrame
        ``category``, ``twitch_game_id`` (null: no Twitch game), ``audience_timezone``.
    params : HourOfWeekParams
        How much past, and what it takes to replace the fixed peak hours.

    Returns
    -------
    pandas.DataFrame
        Shaped like ``intelligence.hour_of_week_map``: 168 rows per window and game that has any
        crawl, ordered by window, category and hour. ``next_start_at`` is when the hour begins next
        in UTC, after the clocks have been put forward or back.

    Raises
    ------
    InvalidInputError
        When a column is missing, a count is negative or a zone is unknown.

    Notes
    -----
    O(crawls log crawls + windows · games · 168).

    References
    ----------
    AuraStream paper 5.3.3 (#72, C32) and Creator Intel V2, best and worst hours (#88); baseline of
    C30.

    Examples
    --------
    >>> games = pd.DataFrame({"category": ["minecraft"], "twitch_game_id": ["27471"],
    ...                       "audience_timezone": ["Europe/Berlin"]})
    >>> crawls = pd.DataFrame({"crawl_at": pd.date_range("2026-01-05", periods=24 * 14, freq="h",
    ...                                                  tz="UTC"), "game_id": "27471"})
    >>> hour = crawls["crawl_at"].dt.hour
    >>> crawls = crawls.assign(live_count=50 + hour, viewer_total=1000 + 100 * hour)
    >>> week = hour_of_week_map(crawls, as_of=pd.DatetimeIndex(["2026-01-19T00:00Z"]), games=games)
    >>> len(week), week["peak_source"].unique().tolist(), int(week["is_peak"].sum())
    (168, ['learned'], 63)
    >>> evening = week[week["hour_of_week"] == 20].iloc[0]
    >>> round(float(evening["viewers_expected"]), 6), evening["next_start_at"].isoformat()
    (2900.0, '2026-01-19T19:00:00+00:00')

    Totals that are not known say nothing of the viewers: the fixed hours stay. Equal hours have no
    peak; no crawls give no week:

    >>> unknown = crawls.assign(viewer_total=None)
    >>> ends = pd.DatetimeIndex(["2026-01-19T00:00Z"])
    >>> hour_of_week_map(unknown, as_of=ends, games=games)["peak_source"].unique().tolist()
    ['fixed']
    >>> flat = crawls.assign(viewer_total=1000)
    >>> bool(hour_of_week_map(flat, as_of=ends, games=games)["is_peak"].any())
    False
    >>> hour_of_week_map(crawls.iloc[:0], as_of=ends, games=games).empty
    True
    """
    ends = window_ends(as_of)
    totals = require_columns(totals, _TOTALS, "totals")
    games = require_columns(games, _GAMES, "games")
    if ends.size == 0 or games.empty:
        return empty_frame(HOUR_OF_WEEK_SCHEMA)
    games = tracked_games(games)
    (past_game, own_game), _ = codes_of(totals["game_id"], games["twitch_game_id"])
    crawl_at = times(totals, "crawl_at", "totals")
    counted = {
        name: counters(totals, column, "totals")
        for name, column in (("viewers", "viewer_total"), ("live", "live_count"))
    }
    parts = []
    for category, code, zone in zip(
        games["category"], own_game, games["audience_timezone"], strict=True
    ):
        mine = past_game == code if code >= 0 else np.zeros(past_game.size, dtype=np.bool_)
        at = local_hours(ends, zone)
        if mine.any():
            hours = local_hours(crawl_at[mine], zone)
            weeks = {
                name: shrunken_week(
                    week_samples(hours, counts[mine], at, params=params), params=params
                )
                for name, counts in counted.items()
            }
            parts.append(_rows(str(category), ends, zone, weeks, params))
    if not parts:
        return empty_frame(HOUR_OF_WEEK_SCHEMA)
    rows = pd.concat(parts, ignore_index=True)
    order = ["window_start", "category", "hour_of_week"]
    return rows.sort_values(order, kind="stable").reset_index(drop=True)


def _rows(
    category: str,
    ends: Integers,
    zone: Any,  # noqa: ANN401 # a cell of a frame
    weeks: dict[str, WeekEstimate],
    params: HourOfWeekParams,
) -> pd.DataFrame:
    peaks, is_learned = learned_peaks(weeks["viewers"], params=params)
    known = np.repeat(weeks["live"].days > 0, WEEK_H)
    columns: dict[str, Any] = {
        "window_start": timestamps(np.repeat(ends - microseconds(params.window), WEEK_H)[known]),
        "category": pd.array(np.full(int(known.sum()), category, dtype=object), dtype="str"),
        "hour_of_week": np.tile(np.arange(WEEK_H), ends.size)[known],
        "next_start_at": timestamps(_next_starts(ends, zone).ravel()[known]),
        "days_known": np.repeat(weeks["live"].days, WEEK_H)[known],
        "is_peak": peaks.ravel()[known],
        "peak_source": pd.array(
            np.where(np.repeat(is_learned, WEEK_H), LEARNED, FIXED)[known].astype(object),
            dtype="str",
        ),
    }
    for name, week in weeks.items():
        for bound, z in (("expected", 0.0), ("low", -1.0), ("high", 1.0)):
            columns[f"{name}_{bound}"] = week.expected(z * params.interval_z).ravel()[known]
        columns[f"{name}_n"] = week.n.ravel()[known]
        columns[f"{name}_effective_n"] = week.effective_n.ravel()[known]
    return build_frame(HOUR_OF_WEEK_SCHEMA, columns)


def _next_starts(ends: Integers, zone: object) -> Integers:
    """Return when each hour of the week begins next, in UTC; (moments, 168)."""
    at = local_hours(ends, zone)
    # The hour that is running began already, so that its next start is a week away.
    ahead = (np.arange(WEEK_H) - at[:, None] - 1) % WEEK_H + 1
    at_its_start = local_hours(ends - 1, zone) != at
    ahead = np.where((ahead == WEEK_H) & at_its_start[:, None], 0, ahead)
    wanted = (at[:, None] + ahead + _MONDAY_H) * HOUR_US
    clock = pd.DatetimeIndex(wanted.ravel().view("M8[us]"))
    moments = clock.tz_localize(
        str(zone), ambiguous=np.ones(clock.size, dtype=np.bool_), nonexistent="shift_forward"
    )
    return np.asarray(moments.tz_convert("UTC").as_unit("us").asi8).reshape(wanted.shape)
