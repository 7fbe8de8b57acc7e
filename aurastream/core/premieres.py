"""Announced against instant releases, punctuality, and when to publish.

``performance_ratio`` is the median velocity of announced videos over that of instant ones: 0 or
more, above 1 means that announcing goes with more views per hour. ``delay_min`` is minutes from
the announced to the actual start, above 0 is late. ``on_time_share`` is 0–1, higher is more
punctual, with its Wilson interval. ``index`` of a publishing time is the typical (geometric mean)
velocity of the videos released in that hour of the week over that of the whole category: above 0,
1 is usual, higher is better, with its confidence interval.

The API does not tell a premiere from a broadcast that was announced, so both are announced here.
All of this describes videos that were seen, most of them because they chart: it shows what goes
with success among those, not what causes it.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
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
    group_keys,
    require_columns,
    text,
    times,
    timestamps,
)

__all__ = [
    "PREMIERE_SCHEMA",
    "PUBLISHING_TIMES_SCHEMA",
    "PremiereParams",
    "PublishingParams",
    "ReleaseKind",
    "delay_minutes",
    "on_time_share",
    "premiere_performance",
    "publishing_times",
    "release_kinds",
    "wilson_interval",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class ReleaseKind(StrEnum):
    """How a video came out.

    ``announced`` had a scheduled start (a premiere or an announced broadcast) and has begun;
    ``instant`` was simply published; ``live`` was broadcast without a schedule, or still runs;
    ``upcoming`` has not begun.
    """

    ANNOUNCED = "announced"
    INSTANT = "instant"
    LIVE = "live"
    UPCOMING = "upcoming"


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
    "delay_known_count": "int32",
    "delay_median_min": "float64",
    "delay_worst_min": "float64",
    "on_time_share": "float64",
    "on_time_low": "float64",
    "on_time_high": "float64",
}

PUBLISHING_TIMES_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "timezone": "str",
    "dow": "int16",
    "hour": "int16",
    "sample_count": "int32",
    "index": "float64",
    "index_low": "float64",
    "index_high": "float64",
    "is_distinct": "bool",
    "is_best": "bool",
    "is_worst": "bool",
}

_SCHEDULE: Final = ("video_id", "published_at", "scheduled_start_at", "actual_start_at")
_VELOCITY: Final = (
    *("window_start", "category", "video_id", "observed_at", "views"),
    "lifetime_velocity_per_hour",
)
_KINDS: Final = np.array([kind.value for kind in ReleaseKind], dtype=object)
_ANNOUNCED, _INSTANT, _LIVE, _UPCOMING, _UNKNOWN = range(5)
_MISSING_TIME: Final = np.iinfo(np.int64).min
_MINUTE_US: Final = 60_000_000
_HOURS: Final = 24
_SLOTS: Final = 7 * _HOURS
_FEWEST: Final = 2


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
        _check(self.min_sample, self.confidence)
        if not 0 <= self.tolerance_min < np.inf:
            raise InvalidInputError("tolerance_min must be 0 or more.", fix="Use 5.")


@dataclass(frozen=True, slots=True)
class PublishingParams:
    """How many videos an hour of the week needs, and how sure an interval is.

    Five videos per hour of the week. The spread is pooled over the hours of a category, so that
    an hour of few videos is as uncertain as few videos are.
    """

    min_sample: int = 5
    confidence: float = 0.95

    def __post_init__(self) -> None:
        _check(self.min_sample, self.confidence)


def _check(min_sample: int, confidence: float) -> None:
    if min_sample < 1:
        raise InvalidInputError("min_sample must be 1 or more.", fix="Use 5.")
    if not 0 < confidence < 1:
        raise InvalidInputError("confidence must lie between 0 and 1.", fix="Write 95 % as 0.95.")


DEFAULT: Final = PremiereParams()
DEFAULT_PUBLISHING: Final = PublishingParams()


def release_kinds(videos: pd.DataFrame) -> npt.NDArray[Any]:
    """Return how each video came out, as text.

    Parameters
    ----------
    videos : pandas.DataFrame
        With live_state, scheduled_start_at, actual_start_at of ``collection.youtube_videos``.

    Examples
    --------
    >>> at = pd.Timestamp("2026-01-01", tz="UTC")
    >>> release_kinds(pd.DataFrame({
    ...     "live_state": ["none", "none", "none", "live", "upcoming", None],
    ...     "scheduled_start_at": [at, pd.NaT, pd.NaT, at, at, pd.NaT],
    ...     "actual_start_at": [at, pd.NaT, at, at, pd.NaT, pd.NaT],
    ... })).tolist()
    ['announced', 'instant', 'live', 'live', 'upcoming', 'instant']
    """
    columns = ("live_state", "scheduled_start_at", "actual_start_at")
    videos = require_columns(videos, columns, "youtube_videos")
    kinds: npt.NDArray[Any] = _KINDS[_kind_codes(videos)]
    return kinds


def delay_minutes(scheduled_at: Any, actual_at: Any) -> Floats:  # noqa: ANN401 # pandas datetimes
    """Return minutes from the announced to the actual start; above 0 is late, below early.

    NaN where either is unknown.

    Raises
    ------
    InvalidInputError
        When a time has no zone.

    Examples
    --------
    >>> planned = pd.DatetimeIndex(["2026-01-01T10:00"] * 3, tz="UTC")
    >>> began = pd.DatetimeIndex(["2026-01-01T10:01:30", "2026-01-01T09:58", None], tz="UTC")
    >>> delay_minutes(planned, began).tolist()
    [1.5, -2.0, nan]
    """
    frame = pd.DataFrame({"scheduled_start_at": scheduled_at, "actual_start_at": actual_at})
    scheduled = _moments(frame, "scheduled_start_at")
    actual = _moments(frame, "actual_start_at")
    known = (scheduled != _MISSING_TIME) & (actual != _MISSING_TIME)
    apart = np.where(known, actual, 0) - np.where(known, scheduled, 0)
    return np.where(known, apart / _MINUTE_US, np.nan)


def on_time_share(delay_min: npt.ArrayLike, *, tolerance_min: float = 5.0) -> float:
    """Return the share of starts within the tolerance, early or late.

    Range 0–1, higher is more punctual; a start exactly at the tolerance is on time; NaN delays do
    not count, and without any the share is NaN.

    Examples
    --------
    >>> on_time_share([0.0, 5.0, -5.0, 5.1])
    0.75
    >>> on_time_share([float("nan")]), on_time_share([])
    (nan, nan)
    """
    delay = np.asarray(delay_min, dtype=np.float64)
    delay = delay[~np.isnan(delay)]
    return float((np.abs(delay) <= tolerance_min).mean()) if delay.size else float("nan")


def wilson_interval(
    hits: npt.ArrayLike, trials: npt.ArrayLike, *, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Return the Wilson score interval of a share; 0–1, NaN without trials.

    Raises
    ------
    InvalidInputError
        When hits are negative or more than the trials.

    References
    ----------
    .. [1] E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
       JASA 22, 1927.

    Examples
    --------
    >>> low, high = wilson_interval([9, 0], [10, 0])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.596, nan], [0.982, nan])
    """
    k, n = np.asarray(hits, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if (k < 0).any() or (k > n).any():
        raise InvalidInputError("Hits must lie between 0 and the trials.", fix="Count again.")
    z = _z(confidence)
    whole = np.where(n > 0, n, 1.0)
    share = k / whole
    scale = 1.0 + z * z / whole
    middle = (share + z * z / (2.0 * whole)) / scale
    reach = z * np.sqrt(share * (1.0 - share) / whole + z * z / (4.0 * whole * whole)) / scale
    low = np.where(k == 0, 0.0, np.clip(middle - reach, 0.0, 1.0))
    high = np.where(k == n, 1.0, np.clip(middle + reach, 0.0, 1.0))
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)


def premiere_performance(
    velocity: pd.DataFrame, videos: pd.DataFrame, *, params: PremiereParams = DEFAULT
) -> pd.DataFrame:
    """Compare announced with instant releases, and measure punctuality, per window and category.

    The age of an announced video counts from its actual start, because its page is public before.
    A video without metadata is in no count. Medians are null without a value, the ratio unless
    both sides have ``min_sample`` velocities or where the instant median is 0.

    Parameters
    ----------
    velocity : pandas.DataFrame
        Shaped like ``intelligence.video_velocity``.
    videos : pandas.DataFrame
        Shaped like ``collection.youtube_videos``; of several versions of a video the last by
        ``first_observed_at`` counts, so pass those known at the window.
    params : PremiereParams
        Tolerance, sample size and confidence.

    Returns
    -------
    pandas.DataFrame
        ``PREMIERE_SCHEMA``, by window and category. O(n log n) in the rows, all windows at once.

    Raises
    ------
    InvalidInputError
        When a column is missing, a value is negative, or a time has no zone.

    Examples
    --------
    >>> at = pd.Timestamp("2026-01-01T12:00", tz="UTC")
    >>> rows = pd.DataFrame({
    ...     "window_start": at, "category": "music", "video_id": ["a", "b"], "observed_at": at,
    ...     "views": [900, 100], "lifetime_velocity_per_hour": [90.0, 50.0],
    ... })
    >>> videos = pd.DataFrame({
    ...     "video_id": ["a", "b"], "first_observed_at": at, "live_state": "none",
    ...     "published_at": pd.Timestamp("2026-01-01T10:00", tz="UTC"),
    ...     "scheduled_start_at": [at - pd.Timedelta("3h"), pd.NaT],
    ...     "actual_start_at": [at - pd.Timedelta("3h"), pd.NaT],
    ... })
    >>> one = premiere_performance(rows, videos, params=PremiereParams(min_sample=1)).iloc[0]
    >>> one.performance_ratio.item(), one.on_time_share.item()
    (6.0, 1.0)
    """
    name = "video_velocity"
    velocity = require_columns(velocity, _VELOCITY, name)
    videos = require_columns(
        videos, (*_SCHEDULE, "first_observed_at", "live_state"), "youtube_videos"
    )
    if velocity.empty:
        return empty_frame(PREMIERE_SCHEMA)
    views = counters(velocity, "views", name)
    released = _release(velocity, videos)
    speed = released.velocity
    keyed = group_keys((velocity, name))
    _, first, group = np.unique(keyed.keys[0], return_index=True, return_inverse=True)
    n = first.size
    announced, instant = (_side(released.kind == k, group, speed, views, n) for k in (0, 1))
    enough = np.minimum(announced.known, instant.known) >= params.min_sample
    usable = enough & (instant.median > 0)
    ratio = np.where(usable, announced.median / np.where(usable, instant.median, 1.0), np.nan)
    delay = np.where(released.kind == _ANNOUNCED, released.delay, np.nan)
    timed = ~np.isnan(delay)
    late = np.abs(delay)
    on_time = timed & (late <= params.tolerance_min)
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
            "live_count": np.bincount(group[released.kind == _LIVE], minlength=n),
            "upcoming_count": np.bincount(group[released.kind == _UPCOMING], minlength=n),
            "delay_known_count": n_timed,
            "delay_median_min": _medians(group[timed], delay[timed], n),
            "delay_worst_min": _maxima(group[timed], delay[timed], n),
            "on_time_share": np.where(n_timed > 0, n_on_time / np.maximum(n_timed, 1), np.nan),
            "on_time_low": low,
            "on_time_high": high,
        },
    )


def publishing_times(
    velocity: pd.DataFrame,
    videos: pd.DataFrame,
    *,
    timezones: Mapping[str, str] | None = None,
    params: PublishingParams = DEFAULT_PUBLISHING,
) -> pd.DataFrame:
    """Rate every hour of the week in which videos came out, and name the best and the worst.

    A video comes out at its actual start where it has one, else when it was published. The best
    hour is the one with the highest lower bound, the worst the one with the lowest upper bound,
    among hours with ``min_sample`` videos whose interval excludes 1: a lucky hour of few videos is
    neither, and often there is none. Ties go to the earlier hour of the week. ``is_distinct`` is
    stricter: its interval also allows for as many hours having been looked at (Bonferroni).

    Parameters
    ----------
    velocity : pandas.DataFrame
        Shaped like ``intelligence.video_velocity``; a video without a velocity does not count,
        and one of 0 counts as one view per hour.
    videos : pandas.DataFrame
        Shaped like ``collection.youtube_videos``.
    timezones : Mapping, optional
        IANA zone of each category's audience; UTC for those without one.
    params : PublishingParams
        Sample size and confidence.

    Returns
    -------
    pandas.DataFrame
        ``PUBLISHING_TIMES_SCHEMA``, by window, category, day (0 is Monday) and hour; hours
        without videos have no row. O(n log n) in the rows, all windows at once.

    Raises
    ------
    InvalidInputError
        When a column is missing, a value is negative, a time has no zone or a zone is unknown.

    Examples
    --------
    >>> at = pd.Timestamp("2026-01-08", tz="UTC")
    >>> rows = pd.DataFrame({
    ...     "window_start": at, "category": "gta", "video_id": list("abcd"), "observed_at": at,
    ...     "views": 1, "lifetime_velocity_per_hour": [90.0, 100.0, 10.0, 11.0],
    ... })
    >>> videos = pd.DataFrame({
    ...     "video_id": list("abcd"), "first_observed_at": at, "live_state": "none",
    ...     "published_at": pd.DatetimeIndex(["2026-01-05T18:30"] * 2 + ["2026-01-06T03:00"] * 2,
    ...                                      tz="UTC"),
    ...     "scheduled_start_at": pd.NaT, "actual_start_at": pd.NaT,
    ... })
    >>> found = publishing_times(rows, videos, params=PublishingParams(min_sample=2))
    >>> found[["dow", "hour", "sample_count", "is_best", "is_worst"]].values.tolist()
    [[0, 18, 2, True, False], [1, 3, 2, False, True]]
    """
    name = "video_velocity"
    velocity = require_columns(velocity, _VELOCITY, name)
    videos = require_columns(
        videos, (*_SCHEDULE, "first_observed_at", "live_state"), "youtube_videos"
    )
    if velocity.empty:
        return empty_frame(PUBLISHING_TIMES_SCHEMA)
    released = _release(velocity, videos)
    keyed = group_keys((velocity, name))
    usable = (
        (released.moment != _MISSING_TIME)
        & ~np.isnan(released.velocity)
        & ((released.kind == _ANNOUNCED) | (released.kind == _INSTANT))
    )
    row = np.flatnonzero(usable)
    if row.size == 0:
        return empty_frame(PUBLISHING_TIMES_SCHEMA)
    zones = _zones(keyed.names, timezones or {})
    slot = _slots(released.moment[row], keyed.categories[0][row], zones)
    log = np.log(np.maximum(released.velocity[row], 1.0))
    _, first, group = np.unique(keyed.keys[0][row], return_index=True, return_inverse=True)
    cell, at, member = np.unique(group * _SLOTS + slot, return_index=True, return_inverse=True)
    owner = cell // _SLOTS
    count = np.bincount(member)
    mean = np.bincount(member, weights=log) / count
    size = np.bincount(group)
    centre = np.bincount(group, weights=log) / size
    # The spread inside the hours, pooled: what is left once the hours' own means are taken off.
    rest = np.bincount(group, weights=(log - mean[member]) ** 2)
    freedom = size - np.bincount(owner)
    spread = np.where(freedom > 0, np.sqrt(rest / np.maximum(freedom, 1)), np.nan)
    gain = mean - centre[owner]
    error = spread[owner] * np.sqrt(np.maximum(1.0 / count - 1.0 / size[owner], 0.0))
    enough = count >= params.min_sample
    reach = np.where(enough, _z(params.confidence) * error, np.nan)
    looked_at = np.bincount(owner[enough], minlength=first.size)
    strict = np.array([_z(1.0 - (1.0 - params.confidence) / max(int(k), 1)) for k in looked_at])
    low, high = gain - reach, gain + reach
    best = _extreme(owner, np.where(low > 0, low, -np.inf))
    worst = _extreme(owner, np.where(high < 0, -high, -np.inf))
    source = row[at]
    return build_frame(
        PUBLISHING_TIMES_SCHEMA,
        {
            "window_start": timestamps(keyed.windows[0][source]),
            "category": text(keyed.names, keyed.categories[0][source]),
            "timezone": pd.array(zones, dtype="str").take(keyed.categories[0][source]),
            "dow": cell % _SLOTS // _HOURS,
            "hour": cell % _HOURS,
            "sample_count": count,
            "index": np.exp(gain),
            "index_low": np.exp(low),
            "index_high": np.exp(high),
            "is_distinct": enough & (np.abs(gain) > strict[owner] * error),
            "is_best": best,
            "is_worst": worst,
        },
    )


@dataclass(frozen=True, slots=True)
class _Released:
    """How and when the video of each row came out; kind `_UNKNOWN` has no metadata."""

    kind: Integers
    moment: Integers
    delay: Floats
    velocity: Floats


def _release(velocity: pd.DataFrame, videos: pd.DataFrame) -> _Released:
    """Look up the last version of each row's video, and count its age from its release."""
    n = len(velocity)
    speed = counters(velocity, "lifetime_velocity_per_hour", "video_velocity")
    if videos.empty:
        none = np.full(n, _MISSING_TIME)
        return _Released(np.full(n, _UNKNOWN), none, np.full(n, np.nan), speed)
    seen = times(videos, "first_observed_at", "youtube_videos")
    (wanted, described), names = codes_of(velocity["video_id"], videos["video_id"])
    last = np.full(len(names) + 1, -1, dtype=np.int64)
    order = np.argsort(seen, kind="stable")
    last[described[order]] = order  # a later version overwrites an earlier one
    last[-1] = -1
    found = last[wanted]
    known = found >= 0
    found = np.maximum(found, 0)
    kind = np.where(known, _kind_codes(videos)[found], _UNKNOWN)
    published = _moments(videos, "published_at")[found]
    started = _moments(videos, "actual_start_at")[found]
    delay = delay_minutes(videos["scheduled_start_at"], videos["actual_start_at"])[found]
    has_start = known & (kind == _ANNOUNCED) & (started != _MISSING_TIME)
    at = np.where(has_start, started, np.where(known, published, _MISSING_TIME))
    observed = times(velocity, "observed_at", "video_velocity")
    views = counters(velocity, "views", "video_velocity")
    age = (observed - np.where(has_start, started, observed)) / HOUR_US
    own = np.where(age >= 0, views / np.maximum(age, 0.5), np.nan)
    return _Released(kind, at, np.where(known, delay, np.nan), np.where(has_start, own, speed))


def _kind_codes(videos: pd.DataFrame) -> Integers:
    state = videos["live_state"].astype("str")
    scheduled = _is_set(videos, "scheduled_start_at")
    started = _is_set(videos, "actual_start_at")
    upcoming = (state == "upcoming").to_numpy(dtype=np.bool_, na_value=False)
    live = (state == "live").to_numpy(dtype=np.bool_, na_value=False)
    return np.select(
        [upcoming | (scheduled & ~started & ~live), live | (started & ~scheduled), scheduled],
        [_UPCOMING, _LIVE, _ANNOUNCED],
        default=_INSTANT,
    )


def _moments(videos: pd.DataFrame, column: str) -> Integers:
    """Return a column of times; one without any time may have any type."""
    if not _is_set(videos, column).any():
        return np.full(len(videos), _MISSING_TIME)
    return times(videos, column, "youtube_videos", null=True)


def _is_set(videos: pd.DataFrame, column: str) -> Bools:
    return videos[column].notna().to_numpy(dtype=np.bool_)


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


def _extreme(owner: Integers, value: Floats) -> Bools:
    """Mark the first largest value of each owner, unless that is minus infinity."""
    chosen = np.zeros(owner.size, dtype=np.bool_)
    value = np.where(np.isnan(value), -np.inf, value)
    order = np.lexsort((np.arange(owner.size), -value, owner))
    _, first = np.unique(owner[order], return_index=True)
    chosen[order[first]] = True
    return chosen & ~np.isinf(value)


def _zones(names: Any, timezones: Mapping[str, str]) -> list[str]:  # noqa: ANN401 # pandas strings
    return [timezones.get(str(name), "UTC") for name in names]


def _slots(moment: Integers, category: Integers, zones: list[str]) -> Integers:
    """Return the hour of the week of each moment on its category's clock; 0 is Monday 00:00."""
    slot = np.zeros(moment.size, dtype=np.int64)
    of_row = np.array(zones, dtype=object)[category]
    for zone in sorted(set(of_row)):
        mine = of_row == zone
        local = _local(pd.DatetimeIndex(timestamps(moment[mine])), zone)
        slot[mine] = local.day_of_week.to_numpy() * _HOURS + local.hour.to_numpy()
    return slot


def _local(moments: pd.DatetimeIndex, zone: str) -> pd.DatetimeIndex:
    if zone:
        with contextlib.suppress(KeyError, ValueError, OSError):
            return moments.tz_convert(zone)
    raise InvalidInputError(
        f"'{zone}' is no time zone.", fix="Use an IANA name such as America/New_York."
    )


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2.0)
