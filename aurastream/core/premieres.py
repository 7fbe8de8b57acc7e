"""Announced against instant releases, and punctuality.

``performance_ratio`` is the median velocity of announced videos over that of instant ones: 0 or
more, above 1 means that announcing goes with more views per hour. ``delay_min`` is minutes from
the announced to the actual start, above 0 is late. ``on_time_share`` is 0–1, higher is more
punctual, with its Wilson interval; what never began is in no share, but counted beside it.

All of this describes videos that were seen, most of them because they chart: it shows what goes
with success among those, not what causes it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.arrays import floats
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    Schema,
    build_frame,
    counters,
    empty_frame,
    finite,
    group_keys,
    plain_texts,
    require_columns,
    text,
    timestamps,
)
from aurastream.core.intervals import two_sided_z, wilson_interval
from aurastream.core.releases import ReleaseKind

__all__ = ["PREMIERE_SCHEMA", "PremiereParams", "on_time_share", "premiere_performance"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

PREMIERE_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "announced_count": "int32",
    "announced_known_count": "int32",
    "announced_median_velocity": "float64",
    "announced_avg_views": "float64",
    "instant_count": "int32",
    "instant_known_count": "int32",
    "instant_median_velocity": "float64",
    "instant_avg_views": "float64",
    "performance_ratio": "float64",
    "live_count": "int32",
    "upcoming_count": "int32",
    "overdue_count": "int32",
    "unknown_count": "int32",
    "delay_known_count": "int32",
    "delay_median_min": "float64",
    "delay_worst_min": "float64",
    "on_time_share": "float64",
    "on_time_low": "float64",
    "on_time_high": "float64",
}

_RELEASES: Final = (
    *("window_start", "category", "release_kind", "delay_min", "views", "velocity_per_hour"),
)


@dataclass(frozen=True, slots=True)
class PremiereParams:
    """What is on time, and how many videos a comparison needs.

    Five minutes either way is the tolerance because premieres open with a countdown of up to
    that length. Five videos on each side is the least a median is given for.
    """

    tolerance_min: float = 5.0
    min_sample: int = 5
    confidence: float = 0.95

    def __post_init__(self) -> None:
        if self.min_sample < 1:
            raise InvalidInputError("min_sample must be 1 or more.", fix="Use 5.")
        two_sided_z(self.confidence)
        if not 0 <= self.tolerance_min < np.inf:
            raise InvalidInputError("tolerance_min must be 0 or more.", fix="Use 5.")


DEFAULT: Final = PremiereParams()


def on_time_share(delay_min: npt.ArrayLike, *, tolerance_min: float = 5.0) -> float:
    """Return the share of starts within the tolerance, early or late.

    Range 0–1, higher is more punctual; a start exactly at the tolerance is on time; NaN delays do
    not count, and without any the share is NaN.

    Parameters
    ----------
    delay_min : array_like
        Minutes late, below 0 early.
    tolerance_min : float
        0 or more.

    Returns
    -------
    float
        0–1, or NaN.

    Raises
    ------
    InvalidInputError
        When the tolerance is negative or no number, or a delay is no number, or infinite.

    Notes
    -----
    O(n).

    References
    ----------
    Creator Intel V2 (#87); the five minutes are ours.

    Examples
    --------
    >>> on_time_share([0.0, 5.0, -5.0, 5.1])
    0.75
    >>> on_time_share([float("nan")]), on_time_share([])
    (nan, nan)
    """
    if not tolerance_min >= 0:
        raise InvalidInputError(
            f"The tolerance is {tolerance_min:g} minutes.", fix="It must be 0 or more."
        )
    delay = floats(delay_min, "delay_min")
    delay = delay[~np.isnan(delay)]
    return float((np.abs(delay) <= tolerance_min).mean()) if delay.size else float("nan")


def premiere_performance(
    releases: pd.DataFrame, *, params: PremiereParams = DEFAULT
) -> pd.DataFrame:
    """Compare announced with instant releases, and measure punctuality, per window and category.

    Medians are null without a value, the ratio unless both sides have ``min_sample`` velocities or
    where the instant median is 0.

    Parameters
    ----------
    releases : pandas.DataFrame
        ``RELEASES_SCHEMA``, as `releases` returns it; a video without a kind is only counted.
    params : PremiereParams
        Tolerance, sample size and confidence.

    Returns
    -------
    pandas.DataFrame
        ``PREMIERE_SCHEMA``, by window and category. O(n log n) in the rows, all windows at once.

    Raises
    ------
    InvalidInputError
        When a column is missing, views or a velocity are negative, or one of them or a delay is
        infinite.

    References
    ----------
    Creator Intel V2 (#87). Wilson, E. B. (1927). Probable inference, the law of succession, and
    statistical inference. JASA 22.

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-01-01T12:00", tz="UTC"), "category": "music",
    ...     "release_kind": ["announced", "instant"], "delay_min": [0.0, None],
    ...     "views": [900, 100], "velocity_per_hour": [300.0, 50.0],
    ... })
    >>> one = premiere_performance(rows, params=PremiereParams(min_sample=1)).iloc[0]
    >>> one.performance_ratio.item(), one.on_time_share.item()
    (6.0, 1.0)
    >>> premiere_performance(pd.DataFrame()).empty
    True

    Delays that are not known are in no share, and a side of none has no ratio:

    >>> alone = premiere_performance(rows.tail(1), params=PremiereParams(min_sample=1)).iloc[0]
    >>> alone.performance_ratio.item(), alone.on_time_share.item(), alone.delay_known_count.item()
    (nan, nan, 0)
    """
    name = "releases"
    releases = require_columns(releases, _RELEASES, name)
    if releases.empty:
        return empty_frame(PREMIERE_SCHEMA)
    views = counters(releases, "views", name)
    speed = counters(releases, "velocity_per_hour", name)
    # Another kind is none we know.
    kind = pd.Index([*ReleaseKind], dtype=object).get_indexer(
        plain_texts(releases, "release_kind", name)
    )
    keyed = group_keys((releases, name))
    _, first, group = np.unique(keyed.keys[0], return_index=True, return_inverse=True)
    n = first.size
    count = {
        one: np.bincount(group[kind == place], minlength=n) for place, one in enumerate(ReleaseKind)
    }
    announced, instant = (
        _side(kind == list(ReleaseKind).index(one), group, speed, views, n)
        for one in (ReleaseKind.ANNOUNCED, ReleaseKind.INSTANT)
    )
    enough = np.minimum(announced.known, instant.known) >= params.min_sample
    usable = enough & (instant.median > 0)
    ratio = np.where(usable, announced.median / np.where(usable, instant.median, 1.0), np.nan)
    delay = finite(releases, "delay_min", name)
    timed = ~np.isnan(delay)
    on_time = timed & (np.abs(delay) <= params.tolerance_min)
    n_timed = np.bincount(group[timed], minlength=n)
    n_on_time = np.bincount(group[on_time], minlength=n)
    low, high = wilson_interval(n_on_time, n_timed, confidence=params.confidence)
    return build_frame(
        PREMIERE_SCHEMA,
        {
            "window_start": timestamps(keyed.windows[0][first]),
            "category": text(keyed.names, keyed.categories[0][first]),
            "announced_count": announced.count,
            "announced_known_count": announced.known,
            "announced_median_velocity": announced.median,
            "announced_avg_views": announced.mean_views,
            "instant_count": instant.count,
            "instant_known_count": instant.known,
            "instant_median_velocity": instant.median,
            "instant_avg_views": instant.mean_views,
            "performance_ratio": ratio,
            "live_count": count[ReleaseKind.LIVE],
            "upcoming_count": count[ReleaseKind.UPCOMING],
            "overdue_count": count[ReleaseKind.OVERDUE],
            "unknown_count": np.bincount(group[kind < 0], minlength=n),
            "delay_known_count": n_timed,
            "delay_median_min": _medians(group[timed], delay[timed], n),
            "delay_worst_min": _maxima(group[timed], delay[timed], n),
            "on_time_share": np.where(n_timed > 0, n_on_time / np.maximum(n_timed, 1), np.nan),
            "on_time_low": low,
            "on_time_high": high,
        },
    )


@dataclass(frozen=True, slots=True)
class _Side:
    count: Integers
    known: Integers
    median: Floats
    mean_views: Floats


def _side(chosen: Bools, group: Integers, speed: Floats, views: Floats, n: int) -> _Side:
    timed = chosen & ~np.isnan(speed)
    viewed = chosen & ~np.isnan(views)
    n_viewed = np.bincount(group[viewed], minlength=n)
    total = np.bincount(group[viewed], weights=views[viewed], minlength=n)
    return _Side(
        count=np.bincount(group[chosen], minlength=n),
        known=np.bincount(group[timed], minlength=n),
        median=_medians(group[timed], speed[timed], n),
        mean_views=np.where(n_viewed > 0, total / np.maximum(n_viewed, 1), np.nan),
    )


def _medians(group: Integers, values: Floats, n: int) -> Floats:
    """Return the median of each group; NaN for an empty one."""
    if values.size == 0:
        return np.full(n, np.nan)
    ordered = values[np.lexsort((values, group))]
    size = np.bincount(group, minlength=n)
    start = np.cumsum(size) - size
    top = values.size - 1
    lower = ordered[np.minimum(start + np.maximum(size - 1, 0) // 2, top)]
    upper = ordered[np.minimum(start + size // 2, top)]
    return np.where(size > 0, (lower + upper) / 2.0, np.nan)


def _maxima(group: Integers, values: Floats, n: int) -> Floats:
    found = np.full(n, -np.inf)
    np.maximum.at(found, group, values)
    return np.where(np.isinf(found), np.nan, found)
