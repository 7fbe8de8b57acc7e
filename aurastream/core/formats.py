"""Which lengths work: likely Shorts against long-form videos, and duration buckets.

``short_likelihood`` is 0–1, higher is likelier a Short. The API does not say what is one, so the
length and the limit in force on the day of publication decide, under a rule that has a version:
rows of two versions do not compare. ``performance_index`` is the mean views of a duration bucket
over those of its category: 0 or more, 1 is the category's mean, higher is better.
``shorts_performance_ratio`` is the mean views of likely Shorts over those of long-form videos: 0
or more, above 1 means that Shorts gather more.

Means of views are led by their largest values; they stand here because the AuraStream papers
define the index so, with the number of videos beside each. The definitions are those of the SQL
macros in ``video_format.sql``, and a test holds the two together.

YouTube has changed what a Short is and what a view is, so views before and after such a date do
not compare. A comparison is made within one regime: a video published before a break and observed
after it belongs to none and is only counted.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.arrays import floats, together, unfit
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    Schema,
    build_frame,
    counters,
    empty_frame,
    group_keys,
    require_columns,
    shown,
    text,
    times,
    timestamps,
)

__all__ = [
    "DURATION_BUCKETS",
    "FORMAT_BUCKETS_SCHEMA",
    "FORMAT_COMPARISON_SCHEMA",
    "REGIME_BREAKS",
    "SHORTS_RULE_VERSION",
    "SHORT_THRESHOLD",
    "FormatParams",
    "RegimeBreak",
    "duration_buckets",
    "format_buckets",
    "format_comparison",
    "performance_index",
    "regimes",
    "short_likelihood",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SHORTS_RULE_VERSION: Final = "duration-2024-10-15"
SHORT_THRESHOLD: Final = 0.5
"""A video counts as a Short from this likelihood on."""

DURATION_BUCKETS: Final = ("<1 min", "1-3 min", "3-8 min", "8-15 min", "15-30 min", ">30 min")
"""Shortest first; the lower bound belongs to the bucket."""

_BUCKET_STARTS: Final = (60.0, 180.0, 480.0, 900.0, 1800.0)
_OLD_LIMIT_S: Final = 60.0
_NEW_LIMIT_S: Final = 180.0
_SURE: Final = 0.9
_LIKELY: Final = 0.6
_MISSING_TIME: Final = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class RegimeBreak:
    """A day from which views or formats mean something else.

    ``affects`` says what changed: "format" what is a Short, "views" how views are counted, and
    ``concerns`` for which videos. ``is_confirmed`` is false where the platform has not announced
    it; a comparison that trusts such a break loses some videos, one that does not may compare what
    does not compare.
    """

    at: datetime
    name: str
    affects: Literal["format", "views"]
    is_confirmed: bool
    note: str
    concerns: Literal["shorts", "all"] = "all"


REGIME_BREAKS: Final = (
    RegimeBreak(
        at=datetime(2024, 10, 15, tzinfo=UTC),
        name="shorts-180s",
        affects="format",
        is_confirmed=True,
        note="Shorts may last 180 seconds instead of 60.",
    ),
    RegimeBreak(
        at=datetime(2025, 3, 31, tzinfo=UTC),
        name="shorts-starts",
        affects="views",
        is_confirmed=True,
        note="Every start and replay of a Short counts as a view.",
        concerns="shorts",
    ),
    RegimeBreak(
        at=datetime(2026, 8, 24, tzinfo=UTC),
        name="views-2026-08",
        affects="views",
        is_confirmed=False,
        note="View counting is reported to have changed again; reported once, not announced.",
    ),
)
"""Every known break, oldest first."""

FIRST_REGIME: Final = "original"
"""Name of the time before the first break; later regimes have the name of their break."""

FORMAT_BUCKETS_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "duration_bucket": "str",
    "video_count": "int32",
    "views_known_count": "int32",
    "avg_views": "float64",
    "performance_index": "float64",
    "is_optimal": "bool",
}

FORMAT_COMPARISON_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "regime": "str",
    "shorts_count": "int32",
    "shorts_known_count": "int32",
    "shorts_avg_views": "float64",
    "longform_count": "int32",
    "longform_known_count": "int32",
    "longform_avg_views": "float64",
    "shorts_performance_ratio": "float64",
    "crossing_count": "int32",
    "unknown_count": "int32",
    "shorts_rule_version": "str",
}


@dataclass(frozen=True, slots=True)
class FormatParams:
    """How many videos a length needs, and which breaks part the comparison.

    Five videos per bucket is the aggregation layer's minimum; fewer say nothing about a length.
    All known breaks count by default, the unannounced one as well: losing some videos is the
    smaller harm.
    """

    min_sample: int = 5
    breaks: tuple[RegimeBreak, ...] = REGIME_BREAKS

    def __post_init__(self) -> None:
        if self.min_sample < 1:
            raise InvalidInputError("min_sample must be 1 or more.", fix="Use 5.")
        days = [found.at for found in self.breaks]
        if any(day.tzinfo is None for day in days) or days != sorted(set(days)):
            raise InvalidInputError(
                "Regime breaks must ascend and have a time zone.", fix="Order them by date."
            )


DEFAULT: Final = FormatParams()


def short_likelihood(duration_s: npt.ArrayLike, published_at: Any = None) -> Floats:  # noqa: ANN401 # pandas datetimes
    """Return how likely each video is a Short.

    Range 0–1, higher is likelier: 0.9 up to 60 s; 0.6 up to 180 s when published since 2024-10-15,
    because long-form videos are common there too; 0 above.

    Parameters
    ----------
    duration_s : array_like
        Length in seconds, 0 or more; NaN where the platform gives none (live, upcoming).
    published_at : datetime array_like, optional
        With time zone; one per video. A missing date takes the limit of today.

    Returns
    -------
    numpy.ndarray
        Likelihoods, NaN without a length. Time and memory grow with the number of videos.

    Raises
    ------
    InvalidInputError
        When a length is negative, infinite or no number, dates are none or have no time zone, or
        there are not as many dates as lengths.

    See Also
    --------
    regimes : which dates compare with which.

    Notes
    -----
    O(n).

    References
    ----------
    Creator Intel V2 (#85); the API has no such field, and the limit moved on 2024-10-15 (C37).

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2024-10-14T23:59Z", "2024-10-15T00:00Z"])
    >>> short_likelihood([60.0, 60.0], days).tolist()
    [0.9, 0.9]
    >>> short_likelihood([180.0, 180.0], days).tolist()
    [0.0, 0.6]

    A limit belongs to the Short; no date takes the newer rule, no length no likelihood:

    >>> short_likelihood([61.0, 180.0, 181.0, float("nan")]).tolist()
    [0.6, 0.6, 0.0, nan]
    >>> short_likelihood([]).tolist()
    []
    """
    length = _lengths(duration_s)
    if published_at is None:
        moment = np.full(length.shape, _MISSING_TIME)
    else:
        moment = _moments(published_at, length)
    limit_since = _break_us(REGIME_BREAKS[0])
    new_rule = (moment == _MISSING_TIME) | (moment >= limit_since)
    result = np.where(length <= _OLD_LIMIT_S, _SURE, 0.0)
    result = np.where(
        (length > _OLD_LIMIT_S) & (length <= _NEW_LIMIT_S) & new_rule, _LIKELY, result
    )
    return np.where(np.isnan(length), np.nan, result)


def duration_buckets(duration_s: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return the bucket of each length as text, None where the length is unknown.

    Parameters
    ----------
    duration_s : array_like
        Length in seconds, 0 or more.

    Returns
    -------
    numpy.ndarray
        Names of buckets, None where the length is not known.

    Raises
    ------
    InvalidInputError
        When a length is negative, infinite or no number.

    Notes
    -----
    O(n).

    References
    ----------
    Creator Intel V2 (#85, #95); the limits are settled in C56.

    Examples
    --------
    >>> duration_buckets([0, 59, 60, 180, 480, 900, 1800]).tolist()
    ['<1 min', '<1 min', '1-3 min', '3-8 min', '8-15 min', '15-30 min', '>30 min']
    >>> duration_buckets([float("nan")]).tolist()
    [None]
    >>> duration_buckets([]).tolist()
    []
    """
    names = np.array([*DURATION_BUCKETS, None], dtype=object)
    found: npt.NDArray[Any] = names[_bucket_codes(_lengths(duration_s))]
    return found


def regimes(
    moments: Any,  # noqa: ANN401 # pandas datetimes
    *,
    breaks: tuple[RegimeBreak, ...] = REGIME_BREAKS,
) -> npt.NDArray[Any]:
    """Return the name of the regime each moment lies in; None where there is no moment.

    A break belongs to the regime it begins.

    Parameters
    ----------
    moments : datetime array_like
        With time zone.
    breaks : tuple of RegimeBreak
        Ascending.

    Returns
    -------
    numpy.ndarray
        Names of regimes.

    Notes
    -----
    O(n log b) for b breaks.

    References
    ----------
    Creator Intel V2 has none (#85); the breaks are those of the platform (C37).

    Examples
    --------
    >>> days = pd.DatetimeIndex(["2020-01-01", "2025-03-30T23:59", "2025-03-31"], tz="UTC")
    >>> regimes(days).tolist()
    ['original', 'shorts-180s', 'shorts-starts']
    >>> regimes(pd.DatetimeIndex([pd.NaT], tz="UTC")).tolist()
    [None]

    >>> regimes(pd.DatetimeIndex([], tz="UTC")).tolist()
    []
    """
    moment = times(pd.DataFrame({"moment": moments}), "moment", "", null=True)
    names = np.array([FIRST_REGIME, *(found.name for found in breaks), None], dtype=object)
    code = _regime_codes(moment, breaks)
    found: npt.NDArray[Any] = names[np.where(code < 0, len(names) - 1, code)]
    return found


def performance_index(bucket_mean: npt.ArrayLike, category_mean: npt.ArrayLike) -> Floats:
    """Return bucket mean / category mean; 0 or more, 1 is the category's mean, higher is better.

    NaN where either is unknown, or where the whole category has no views.

    Parameters
    ----------
    bucket_mean, category_mean : array_like
        Mean views, 0 or more; NaN is not known.

    Returns
    -------
    numpy.ndarray
        Ratios, 0 or more; infinite where one is beyond every float.

    Raises
    ------
    InvalidInputError
        When a mean is negative, or an argument no array of finite numbers.

    Notes
    -----
    O(n).

    References
    ----------
    Creator Intel V2 (#95), defined in C56.

    Examples
    --------
    >>> performance_index([300.0, 50.0, 0.0], 100.0).tolist()
    [3.0, 0.5, 0.0]
    >>> performance_index([0.0, float("nan")], [0.0, 100.0]).tolist()
    [nan, nan]
    >>> performance_index([], 1.0).tolist()
    []
    """
    mean, whole = together(bucket_mean=bucket_mean, category_mean=category_mean)
    if (mean < 0).any() or (whole < 0).any():
        raise InvalidInputError("A mean of views is negative.", fix="Null is the unknown value.")
    with np.errstate(over="ignore"):
        return np.where(whole > 0, mean / np.where(whole > 0, whole, 1.0), np.nan)


def format_buckets(velocity: pd.DataFrame, *, params: FormatParams = DEFAULT) -> pd.DataFrame:
    """Describe the duration buckets of every category in every window, and name the optimal one.

    The optimal bucket has the highest performance index among those with at least ``min_sample``
    known views; a tie goes to the shorter. A category without such a bucket has no optimal one.
    The category's mean is over all its videos, those without a length too.

    Parameters
    ----------
    velocity : pandas.DataFrame
        With window_start, category, duration_s and views of ``intelligence.video_velocity``; a
        video once per window and category.
    params : FormatParams
        Sample size.

    Returns
    -------
    pandas.DataFrame
        ``FORMAT_BUCKETS_SCHEMA``, by window, category and length; a bucket without videos has no
        row. O(n log n) in the rows, all windows at once.

    Raises
    ------
    InvalidInputError
        When a column is missing, or a value is negative or infinite.

    References
    ----------
    Creator Intel V2 (#85, #95), defined in C56.

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-01-01", tz="UTC"), "category": "gaming",
    ...     "duration_s": [30, 40, 700, 700, None], "views": [100, 300, 700, 900, None],
    ... })
    >>> found = format_buckets(rows, params=FormatParams(min_sample=2))
    >>> found[["duration_bucket", "avg_views", "performance_index", "is_optimal"]].values.tolist()
    [['<1 min', 200.0, 0.4, False], ['8-15 min', 800.0, 1.6, True]]
    >>> format_buckets(pd.DataFrame()).empty
    True
    """
    name = "video_velocity"
    columns = ("window_start", "category", "duration_s", "views")
    velocity = require_columns(velocity, columns, name)
    if velocity.empty:
        return empty_frame(FORMAT_BUCKETS_SCHEMA)
    views = counters(velocity, "views", name)
    code = _bucket_codes(counters(velocity, "duration_s", name))
    keyed = group_keys((velocity, name))
    _, first, group = np.unique(keyed.keys[0], return_index=True, return_inverse=True)
    _, _, whole_mean = _means(group, views, first.size)
    n = len(DURATION_BUCKETS)
    with_length = code < n
    cell = group[with_length] * n + code[with_length]
    count, known, mean = _means(cell, views[with_length], first.size * n)
    index = performance_index(mean, np.repeat(whole_mean, n))
    # The first maximum is the shorter bucket.
    candidate = np.where(known >= params.min_sample, mean, -1.0).reshape(-1, n)
    candidate[np.isnan(candidate)] = -1.0
    best = np.argmax(candidate, axis=1)
    optimal = np.zeros((first.size, n), dtype=np.bool_)
    optimal[np.arange(first.size), best] = candidate.max(axis=1) >= 0
    kept = np.flatnonzero(count)
    row = first[kept // n]
    return build_frame(
        FORMAT_BUCKETS_SCHEMA,
        {
            "window_start": timestamps(keyed.windows[0][row]),
            "category": text(keyed.names, keyed.categories[0][row]),
            "duration_bucket": pd.array(list(DURATION_BUCKETS), dtype="str").take(kept % n),
            "video_count": count[kept],
            "views_known_count": known[kept],
            "avg_views": mean[kept],
            "performance_index": index[kept],
            "is_optimal": optimal.ravel()[kept],
        },
    )


def format_comparison(velocity: pd.DataFrame, *, params: FormatParams = DEFAULT) -> pd.DataFrame:
    """Compare likely Shorts with long-form videos, within one regime each.

    The regime of a row is that of its observation. A video whose publication lies in an earlier
    regime (or has no date) is left out of counts and means and counted in ``crossing_count``; one
    without a length in ``unknown_count``. The ratio is null unless both sides have at least
    ``min_sample`` known views, or where long-form videos have none at all.

    Parameters
    ----------
    velocity : pandas.DataFrame
        With window_start, category, observed_at, published_at, duration_s and views of
        ``intelligence.video_velocity``.
    params : FormatParams
        Sample size and breaks.

    Returns
    -------
    pandas.DataFrame
        ``FORMAT_COMPARISON_SCHEMA``, by window, category and regime; more than one regime only in
        a window that a break falls into. O(n log n) in the rows.

    Raises
    ------
    InvalidInputError
        When a column is missing, a value is negative or infinite, or a time has no zone.

    References
    ----------
    Creator Intel V2 (#85), within one regime (C37).

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-01-01", tz="UTC"), "category": "gaming",
    ...     "observed_at": pd.Timestamp("2026-01-01", tz="UTC"),
    ...     "published_at": pd.DatetimeIndex(
    ...         ["2025-12-31", "2025-12-31", "2025-03-30"], tz="UTC"
    ...     ),
    ...     "duration_s": [30, 700, 40], "views": [100, 400, 10**9],
    ... })
    >>> one = format_comparison(rows, params=FormatParams(min_sample=1)).iloc[0]
    >>> one.regime, one.shorts_performance_ratio.item(), one.crossing_count.item()
    ('shorts-starts', 0.25, 1)

    Without a length a video is neither; equal means have a ratio of 1; no rows give no rows:

    >>> both = rows.assign(duration_s=[30, 700, None], views=100)
    >>> one = format_comparison(both, params=FormatParams(min_sample=1)).iloc[0]
    >>> one.shorts_performance_ratio.item()
    1.0
    >>> format_comparison(rows.iloc[:0]).empty
    True
    """
    name = "video_velocity"
    columns = ("window_start", "category", "observed_at", "published_at", "duration_s", "views")
    velocity = require_columns(velocity, columns, name)
    if velocity.empty:
        return empty_frame(FORMAT_COMPARISON_SCHEMA)
    views = counters(velocity, "views", name)
    likelihood = short_likelihood(counters(velocity, "duration_s", name), velocity["published_at"])
    published = _regime_codes(times(velocity, "published_at", name, null=True), params.breaks)
    regime = _regime_codes(times(velocity, "observed_at", name), params.breaks)
    keyed = group_keys((velocity, name))
    n_regimes = len(params.breaks) + 1
    key = keyed.keys[0] * n_regimes + regime
    _, first, group = np.unique(key, return_index=True, return_inverse=True)

    inside = published == regime
    known = ~np.isnan(likelihood)
    short = inside & (likelihood >= SHORT_THRESHOLD)
    long = inside & (likelihood < SHORT_THRESHOLD)
    shorts, longs = (_means(group[side], views[side], first.size) for side in (short, long))
    enough = (shorts[1] >= params.min_sample) & (longs[1] >= params.min_sample)
    ratio = performance_index(shorts[2], longs[2])
    names = [FIRST_REGIME, *(found.name for found in params.breaks)]
    return build_frame(
        FORMAT_COMPARISON_SCHEMA,
        {
            "window_start": timestamps(keyed.windows[0][first]),
            "category": text(keyed.names, keyed.categories[0][first]),
            "regime": pd.array(names, dtype="str").take(regime[first]),
            "shorts_count": shorts[0],
            "shorts_known_count": shorts[1],
            "shorts_avg_views": shorts[2],
            "longform_count": longs[0],
            "longform_known_count": longs[1],
            "longform_avg_views": longs[2],
            "shorts_performance_ratio": np.where(enough, ratio, np.nan),
            "crossing_count": np.bincount(group[~inside], minlength=first.size),
            "unknown_count": np.bincount(group[inside & ~known], minlength=first.size),
            "shorts_rule_version": pd.array([SHORTS_RULE_VERSION] * first.size, dtype="str"),
        },
    )


def _lengths(duration_s: npt.ArrayLike) -> Floats:
    length = floats(duration_s, "duration_s")
    bad = length < 0
    if bad.any():
        raise InvalidInputError(
            f"A length is {length[bad][0]:g} seconds.",
            fix="It must be 0 or more; NaN is the value for unknown.",
        )
    return length


def _moments(published_at: Any, length: Floats) -> Integers:  # noqa: ANN401 # pandas datetimes
    try:
        dates = pd.DataFrame({"published_at": pd.Series(published_at)})
    except ValueError as error:
        raise InvalidInputError(
            f"'published_at' holds what is no list of dates: {shown(error)}.",
            fix="Pass one date per length; null is for unknown ones.",
        ) from None
    if length.shape not in ((), (len(dates),)):
        raise unfit({"duration_s": length, "published_at": dates.to_numpy()[:, 0]})
    return times(dates, "published_at", "dates", null=True)


def _bucket_codes(length: Floats) -> Integers:
    """Return the position of each bucket; one behind the last is no length."""
    code = np.searchsorted(_BUCKET_STARTS, length, side="right")
    return np.where(np.isnan(length), len(DURATION_BUCKETS), code)


def _break_us(found: RegimeBreak) -> int:
    return round(found.at.timestamp()) * 1_000_000


def _regime_codes(moment: Integers, breaks: tuple[RegimeBreak, ...]) -> Integers:
    """Return the number of breaks up to each moment; -1 without a moment."""
    starts = np.array([_break_us(found) for found in breaks], dtype=np.int64)
    code = np.searchsorted(starts, moment, side="right")
    return np.where(moment == _MISSING_TIME, -1, code)


def _means(group: Integers, views: Floats, n_groups: int) -> tuple[Integers, Integers, Floats]:
    """Return per group the rows, the known values and their mean (NaN without any)."""
    known = ~np.isnan(views)
    count = np.bincount(group, minlength=n_groups)
    known_count = np.bincount(group[known], minlength=n_groups)
    total = np.bincount(group[known], weights=views[known], minlength=n_groups)
    mean = np.where(known_count > 0, total / np.maximum(known_count, 1), np.nan)
    return count, known_count, mean
