"""Whether one hourly series runs ahead of another, and by how many hours.

Both series are changes from hour to hour, freed of the mean change at their hour of the day, so
that neither a common level nor the rhythm of the day can pass for a link. ``correlation`` at lag k
is Pearson's r of x at hour t and y at hour t + k over the hours where both are known (−1 to 1):
a lag above 0 means that x runs ahead. Missing hours are left out, never filled.

Whether the best of the 2·L + 1 lags is more than the best that chance finds is judged by the same
search over series that cannot be linked: x against y moved by every amount further than any lag
looked at, around the end (a permutation by cyclic shifts, which keeps each series as it is, with
its own memory). ``band`` is the 95th percentile of the largest absolute correlation found so;
``p_value`` the share of shifts that find as much, (1 + as many) / (1 + all), 0 to 1. Overlapping
shifts are not independent, but none is left out, and nothing is drawn: same input, same answer.

``relation``: LEADS (best lag above 0, beyond the band), FOLLOWS (below 0), TOGETHER (0), NONE
(within the band), UNKNOWN (too few common hours, or a series that never changes). ``lag_low_h``
and ``lag_high_h`` are the smallest and the largest best lag when any one day is left out. With
eight games about every third window names a link that is none (1 − .95⁸): a relation that holds
for days is worth a look, a single one is not. A lead in time is no cause.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.arrays import floats, integers, unfit
from aurastream.core.errors import InvalidInputError
from aurastream.core.formats import REGIME_BREAKS, RegimeBreak
from aurastream.core.frames import (
    HOUR_US,
    Schema,
    build_frame,
    codes_of,
    counters,
    empty_frame,
    microseconds,
    require_columns,
    times,
    timestamps,
    window_ends,
)

__all__ = [
    "LEAD_LAG_SCHEMA",
    "LeadLag",
    "LeadLagParams",
    "clip_changes",
    "clip_video_lead_lag",
    "cross_correlation",
    "deseasonalised",
    "lead_lag",
    "video_changes",
]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LEAD_LAG_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "relation": "str",
    "lag_h": "Int16",
    "lag_low_h": "Int16",
    "lag_high_h": "Int16",
    "correlation": "float64",
    "band": "float64",
    "p_value": "float64",
    "common_hours": "int32",
    "clip_hours": "int32",
    "video_hours": "int32",
    "resolution_h": "float64",
}

_DAY_H: Final = 24
_LEADS, _FOLLOWS, _TOGETHER, _NONE, _UNKNOWN = range(5)
_RELATIONS: Final = pd.array(["LEADS", "FOLLOWS", "TOGETHER", "NONE", "UNKNOWN"], dtype="str")


@dataclass(frozen=True, slots=True)
class LeadLagParams:
    """How long is looked at, how far apart, and what it takes to say anything.

    A quarter of the hours of two weeks has to be known on both sides at once. Views gained over
    more than three hours say nothing about an hour; neither do those gained while `breaks` changed
    what counts as a view.
    """

    window: timedelta = timedelta(hours=4)
    span_h: int = 14 * 24
    max_lag_h: int = 12
    min_common_h: int = 84
    min_pairs: int = 48
    band: float = 0.95
    longest_gap: timedelta = timedelta(hours=3)
    min_videos: int = 3
    breaks: tuple[RegimeBreak, ...] = REGIME_BREAKS


DEFAULT: Final = LeadLagParams()


@dataclass(frozen=True, slots=True)
class LeadLag:
    """What is known of one pair of series; NaN and None where the relation is UNKNOWN."""

    relation: str
    lag_h: int | None
    lag_low_h: int | None
    lag_high_h: int | None
    correlation: float
    band: float
    p_value: float
    common: int


def deseasonalised(changes: npt.ArrayLike, hours: npt.ArrayLike) -> Floats:
    """Take the mean of its hour of the day from every value; NaN stays NaN.

    Parameters
    ----------
    changes : array_like
        (..., hours); several series at once are freed one by one.
    hours : array_like
        Number of each hour; equal modulo 24 is the same hour of the day.

    Returns
    -------
    numpy.ndarray
        Of the shape of ``changes``.

    Raises
    ------
    InvalidInputError
        When an argument is no array of finite numbers, an hour no whole number, or there is not
        one hour for each change of a series.

    Notes
    -----
    O(n).

    References
    ----------
    Ours: the sources have clips and videos side by side (#90) and no lead between them.

    Examples
    --------
    >>> import numpy as np
    >>> hours = np.arange(72)
    >>> bool(np.abs(deseasonalised(np.sin(hours * np.pi / 12), hours)).max() < 1e-12)
    True
    >>> deseasonalised([1.0, 3.0, float("nan")], [0, 24, 48]).tolist()
    [-1.0, 1.0, nan]

    >>> deseasonalised([], []).tolist()
    []
    """
    values, hour = floats(changes, "changes"), integers(hours, "hours") % _DAY_H
    if values.shape[-1:] != hour.shape:
        raise unfit({"changes": values, "hours": hour})
    is_hour = (hour == np.arange(_DAY_H)[:, None]).astype(np.float64)
    known = ~np.isnan(values)
    sums = np.where(known, values, 0.0) @ is_hour.T
    counts = known @ is_hour.T
    means = sums / np.maximum(counts, 1.0)
    freed: Floats = values - means[..., hour]
    return freed


def cross_correlation(x: npt.ArrayLike, y: npt.ArrayLike, max_lag: int) -> tuple[Floats, Integers]:
    """Correlate x at t with y at t + lag, for every lag from −max_lag to max_lag.

    Parameters
    ----------
    x, y : array_like
        (..., hours); NaN is not known.
    max_lag : int
        Hours either way.

    Returns
    -------
    correlations : numpy.ndarray
        −1 to 1; NaN where fewer than two pairs are known or one side never changes.
    pairs : numpy.ndarray
        Pairs of known values behind each.

    Raises
    ------
    InvalidInputError
        When the series differ in length or are none of numbers of at most 1e50 either way, or the
        largest lag is negative.

    Notes
    -----
    O(n · lags).

    References
    ----------
    Ours, beside #90: Pearson's correlation of the pairs that are known at each lag.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(5).normal(size=100)
    >>> r, n = cross_correlation(x[2:], x[:-2], 3)
    >>> r.argmax() - 3, r.max().round(9), n.tolist()
    (np.int64(2), np.float64(1.0), [95, 96, 97, 98, 97, 96, 95])
    >>> cross_correlation([1.0, 1.0], [1.0, 2.0], 0)[0].tolist()
    [nan]

    >>> cross_correlation([], [], 1)[1].tolist()
    [0, 0, 0]
    """
    first, second = floats(x, "x", most=_MOST), floats(y, "y", most=_MOST)
    if first.shape != second.shape or first.ndim != 1:
        raise unfit({"x": first, "y": second})
    if max_lag < 0:
        raise InvalidInputError(f"The largest lag is {max_lag}.", fix="It must be 0 or more.")
    pad = np.full(max_lag, np.nan)
    padded = np.concatenate([pad, second, pad])
    moved = np.lib.stride_tricks.sliding_window_view(padded, first.size)
    return _correlations(np.broadcast_to(first, moved.shape), moved)


def _correlations(x: Floats, y: Floats) -> tuple[Floats, Integers]:
    """Correlate the rows of two arrays over the columns that both know."""
    both = ~(np.isnan(x) | np.isnan(y))
    pairs = both.sum(axis=-1)
    n = np.maximum(pairs, 1)
    a = np.where(both, x, 0.0)
    b = np.where(both, y, 0.0)
    a = np.where(both, a - (a.sum(axis=-1) / n)[..., None], 0.0)
    b = np.where(both, b - (b.sum(axis=-1) / n)[..., None], 0.0)
    power = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    usable = (pairs > 1) & (power > _NO_POWER)
    r = np.where(usable, (a * b).sum(axis=-1) / np.where(usable, power, 1.0), np.nan)
    return np.clip(r, -1.0, 1.0), pairs


# The power of two series multiplies four of their values.
_MOST: Final = 1e50
# Below this a series differs from its own mean by rounding alone.
_NO_POWER: Final = 1e-12


def lead_lag(
    x: npt.ArrayLike, y: npt.ArrayLike, hours: npt.ArrayLike, *, params: LeadLagParams = DEFAULT
) -> LeadLag:
    """Say whether the changes of x run ahead of those of y.

    Parameters
    ----------
    x, y : array_like
        Changes over the same hours in a row; NaN is unknown.
    hours : array_like
        Numbers of the hours, growing by one.
    params : LeadLagParams
        How far apart, and what it takes.

    Returns
    -------
    LeadLag
        O(hours · max_lag + hours²).

    Raises
    ------
    InvalidInputError
        When the series differ in length, or in length from the hours, when they are none of numbers
        of at most 1e50 either way, or an hour is no whole number.

    References
    ----------
    Ours, beside #90: what chance can do is read off circular shifts of one of the two series.

    Examples
    --------
    y does what x did three hours before, and half of it is noise:

    >>> import numpy as np
    >>> rng = np.random.default_rng(3)
    >>> cause, noise, hours = rng.normal(size=336), rng.normal(size=336), np.arange(336)
    >>> found = lead_lag(cause, np.roll(cause, 3) + noise, hours)
    >>> found.relation, found.lag_h, (found.lag_low_h, found.lag_high_h)
    ('LEADS', 3, (3, 3))
    >>> lead_lag(np.roll(cause, 3) + noise, cause, hours).lag_h
    -3
    >>> lead_lag(cause, noise, hours).relation
    'NONE'

    Too few hours, or a series that never changes:

    >>> lead_lag(cause[:80], cause[:80], hours[:80]).relation
    'UNKNOWN'
    >>> lead_lag(np.zeros(336), cause, hours).relation
    'UNKNOWN'

    >>> lead_lag([], [], []).relation
    'UNKNOWN'
    """
    hour = integers(hours, "hours")
    x, y = floats(x, "x", most=_MOST), floats(y, "y", most=_MOST)
    if not x.shape == y.shape == hour.shape or hour.ndim != 1:
        raise unfit({"x": x, "y": y, "hours": hour})
    first, second = deseasonalised(x, hour), deseasonalised(y, hour)
    common = int((~np.isnan(first) & ~np.isnan(second)).sum())
    nothing = LeadLag("UNKNOWN", None, None, None, np.nan, np.nan, np.nan, common)
    if common < params.min_common_h:
        return nothing
    r, pairs = cross_correlation(first, second, params.max_lag_h)
    strength = np.where(pairs >= params.min_pairs, np.abs(r), np.nan)
    if np.isnan(strength).all():
        return nothing
    lag = _best(strength)
    chance = _by_chance(first, second, params)
    if chance.size == 0:
        return nothing
    found = float(strength[lag + params.max_lag_h])
    band = float(np.quantile(chance, params.band))
    beyond = found > band
    relation = _NONE if not beyond else (_LEADS if lag > 0 else _FOLLOWS if lag < 0 else _TOGETHER)
    left_out = _without_each_day(x, y, hour, params)
    return LeadLag(
        relation=str(_RELATIONS[relation]),
        lag_h=lag,
        lag_low_h=min(left_out, default=lag),
        lag_high_h=max(left_out, default=lag),
        correlation=float(r[lag + params.max_lag_h]),
        band=band,
        p_value=float((1 + (chance >= found).sum()) / (1 + chance.size)),
        common=common,
    )


def _best(strength: Floats) -> int:
    """Return the strongest lag; a tie goes to the one nearest to 0, then to x ahead."""
    lags = np.arange(strength.size) - strength.size // 2
    order = np.lexsort((-lags, np.abs(lags), -np.nan_to_num(strength, nan=-1.0)))
    return int(lags[order[0]])


def _by_chance(x: Floats, y: Floats, params: LeadLagParams) -> Floats:
    """Return the strongest correlation of the search in each series that cannot be linked."""
    reach = params.max_lag_h
    size = x.size
    circle = np.concatenate([y, y])
    moved = np.lib.stride_tricks.sliding_window_view(circle, size)[:size]
    r, pairs = _correlations(np.broadcast_to(x, moved.shape), moved)
    strength = np.where(pairs >= params.min_pairs, np.abs(r), np.nan)
    # A search centred on shift s looks at s − reach … s + reach; none may touch a lag looked at.
    wide = 2 * reach + 1
    searches = np.lib.stride_tricks.sliding_window_view(strength, wide)[reach + 1 : -reach - 1]
    known = ~np.isnan(searches).all(axis=-1)
    return np.asarray(np.nanmax(searches[known], axis=-1), dtype=np.float64)


def _without_each_day(x: Floats, y: Floats, hours: Integers, params: LeadLagParams) -> list[int]:
    """Return the best lag when each day in turn is left out, of both series and of their rhythm."""
    day = hours // _DAY_H
    lags = []
    for one in np.unique(day):
        first, second = (
            deseasonalised(np.where(day == one, np.nan, part), hours) for part in (x, y)
        )
        r, pairs = cross_correlation(first, second, params.max_lag_h)
        strength = np.where(pairs >= params.min_pairs, np.abs(r), np.nan)
        if not np.isnan(strength).all():
            lags.append(_best(strength))
    return lags


def clip_changes(counts: Floats) -> Floats:
    """Return the change of log(1 + clips made) from the hour before; NaN where either is unknown.

    Parameters
    ----------
    counts : numpy.ndarray
        Clips made in each hour, 0 or more; NaN is not known.

    Returns
    -------
    numpy.ndarray
        One change per hour; the first is NaN.

    Notes
    -----
    O(n).

    References
    ----------
    Ours, of the counts of #90.

    Examples
    --------
    >>> import numpy as np
    >>> np.expm1(clip_changes(np.array([0.0, 1.0, 3.0, np.nan, 3.0]))).round(9).tolist()
    [nan, 1.0, 1.0, nan, nan]

    >>> clip_changes(np.zeros(0)).tolist()
    []
    """
    level = np.log1p(counts)
    return np.concatenate([[np.nan], np.diff(level)]) if counts.size else level


def video_changes(
    video: Integers,
    observed: Integers,
    views: Floats,
    *,
    first_hour: int,
    n_hours: int,
    params: LeadLagParams = DEFAULT,
) -> tuple[Floats, float]:
    """Return how the speed of a game's videos changes from hour to hour.

    Between two snapshots at most three hours apart a video gains its views evenly, as far as anyone
    knows; a gap longer than that, or a fallen counter, is unknown. An hour's speed is known when
    snapshots cover it whole. The change of an hour is the median, over at least three videos known
    in it and in the hour before, of the change of log(1 + views per hour): the videos are the same
    on both sides, so that a video that comes or goes is no change.

    From the hour before a change of what counts as a view to the hour after it nothing is known: of
    any video, as no length says here which are Shorts.

    Parameters
    ----------
    video, observed, views : numpy.ndarray
        Snapshots: number of the video, microseconds, views (NaN unknown).
    first_hour, n_hours : int
        The hours since the epoch to look at.
    params : LeadLagParams
        Longest gap, fewest videos, and when views began to be counted otherwise.

    Returns
    -------
    changes : numpy.ndarray
        One per hour, NaN where unknown.
    resolution_h : float
        Median gap behind the known hours, the sharpness that any lag can have; NaN without one.

    Notes
    -----
    O(n log n + videos · hours).

    References
    ----------
    Ours, of the velocity between snapshots that C24 asks for; no comparison across a change of what
    counts as a view (C37).

    Examples
    --------
    Three videos at 10 views per hour, then at 20:

    >>> import numpy as np
    >>> hour = np.array([0, 1, 2, 3] * 3) * 3_600_000_000
    >>> video, views = np.repeat([0, 1, 2], 4), np.array([0.0, 10, 30, 50] * 3)
    >>> changes, resolution = video_changes(video, hour, views, first_hour=0, n_hours=3)
    >>> np.exp(changes).round(6).tolist(), resolution
    ([nan, 1.909091, 1.0], 1.0)

    >>> changes, resolution = video_changes(video, hour, views + np.nan, first_hour=0, n_hours=2)
    >>> changes.tolist(), resolution
    ([nan, nan], nan)

    >>> video_changes(video[:0], hour[:0], views[:0], first_hour=0, n_hours=2)[0].tolist()
    [nan, nan]
    """
    known = ~np.isnan(views)
    video, observed, views = video[known], observed[known], views[known]
    order = np.lexsort((views, observed, video))
    video, observed, views = video[order], observed[order], views[order]
    gap = np.diff(observed)
    gain = np.diff(views)
    usable = (
        (np.diff(video) == 0) & (gap > 0) & (gap <= microseconds(params.longest_gap)) & (gain >= 0)
    )
    counted_anew = _counted_anew(params.breaks)
    # Which way of counting each snapshot is of.
    regime = np.searchsorted(counted_anew, observed, side="right")
    usable &= np.diff(regime) == 0
    at = np.flatnonzero(usable)
    begin, end = observed[at] - first_hour * HOUR_US, observed[at + 1] - first_hour * HOUR_US
    rate = gain[at] / gap[at]
    owner = np.unique(video[at], return_inverse=True)[1]
    n_videos = int(owner.max()) + 1 if owner.size else 0
    # Each gap lies in at most this many hours; its part of each goes there.
    most = microseconds(params.longest_gap) // HOUR_US + 2
    gained = np.zeros(n_videos * n_hours)
    covered = np.zeros(n_videos * n_hours, dtype=np.int64)
    gaps = np.zeros(n_videos * n_hours, dtype=np.int64)
    for step in range(int(most)):
        hour = begin // HOUR_US + step
        part = np.minimum(end, (hour + 1) * HOUR_US) - np.maximum(begin, hour * HOUR_US)
        inside = (part > 0) & (hour >= 0) & (hour < n_hours)
        cell = owner[inside] * n_hours + hour[inside]
        gained += np.bincount(cell, rate[inside] * part[inside], minlength=gained.size)
        np.add.at(covered, cell, part[inside])
        np.maximum.at(gaps, cell, gap[at][inside])
    whole = (covered == HOUR_US).reshape(n_videos, n_hours)
    speed = np.where(whole, np.log1p(gained.reshape(n_videos, n_hours)), np.nan)
    change = np.full((n_videos, n_hours), np.nan)
    change[:, 1:] = np.diff(speed, axis=1)
    hours = (first_hour + np.arange(n_hours)) * HOUR_US
    begins_in = np.searchsorted(counted_anew, hours, side="right")
    ends_in = np.searchsorted(counted_anew, hours + HOUR_US, side="left")
    # The hour and the one before it are counted in one way.
    change[:, 1:][:, begins_in[:-1] != ends_in[1:]] = np.nan
    enough = (~np.isnan(change)).sum(axis=0) >= params.min_videos
    result = np.full(n_hours, np.nan)
    if enough.any():
        result[enough] = np.nanmedian(change[:, enough], axis=0)
    used = ~np.isnan(change)
    sharp = gaps.reshape(n_videos, n_hours)[used]
    return result, float(np.median(sharp)) / HOUR_US if sharp.size else np.nan


def _counted_anew(breaks: tuple[RegimeBreak, ...]) -> Integers:
    """Return when views began to be counted otherwise, in microseconds, ascending."""
    moments = [round(one.at.timestamp()) * 1_000_000 for one in breaks if one.affects == "views"]
    return np.array(sorted(moments), dtype=np.int64)


def clip_video_lead_lag(
    clips: pd.DataFrame,
    videos: pd.DataFrame,
    *,
    as_of: pd.DatetimeIndex,
    params: LeadLagParams = DEFAULT,
) -> pd.DataFrame:
    """Ask of every game in every window whether its clips run ahead of its videos.

    Parameters
    ----------
    clips : pandas.DataFrame
        Shaped like ``intelligence.clip_hours``, of the windows of the two weeks before; of two
        windows that tell of one hour the later one, as far as it had ended, is believed.
    videos : pandas.DataFrame
        ``category``, ``video_id``, ``observed_at`` and ``views`` of the same two weeks.
    as_of : pandas.DatetimeIndex
        Ends of the windows, with time zone; the two weeks end with the last full hour before.
    params : LeadLagParams
        How long, how far apart, and what it takes.

    Returns
    -------
    pandas.DataFrame
        Shaped like ``intelligence.clip_video_lead_lag``: one row per window and game that either
        frame names, ordered by both.

    Raises
    ------
    InvalidInputError
        When a column is missing or a count is negative.

    Notes
    -----
    O(windows · games · (hours · lags + snapshots)).

    References
    ----------
    Ours, of clips (#90) and velocity now (C24).

    Examples
    --------
    >>> empty = pd.DataFrame()
    >>> clip_video_lead_lag(empty, empty, as_of=pd.DatetimeIndex(["2026-01-10T04:00Z"])).empty
    True
    """
    ends = window_ends(as_of)
    clips = require_columns(
        clips, ("window_start", "category", "hour_start", "clip_count"), "clip_hours"
    )
    videos = require_columns(
        videos, ("category", "video_id", "observed_at", "views"), "video_velocity"
    )
    if ends.size == 0 or (clips.empty and videos.empty):
        return empty_frame(LEAD_LAG_SCHEMA)
    (clip_of, video_of), names = codes_of(clips["category"], videos["category"])
    told = times(clips, "window_start", "clip_hours") + microseconds(params.window)
    hour = times(clips, "hour_start", "clip_hours") // HOUR_US
    count = counters(clips, "clip_count", "clip_hours")
    (video,), _ = codes_of(videos["video_id"])
    observed = times(videos, "observed_at", "video_velocity")
    views = counters(videos, "views", "video_velocity")
    columns: dict[str, list[Any]] = {name: [] for name in LEAD_LAG_SCHEMA}
    for end in ends.tolist():
        last = end // HOUR_US
        first = last - params.span_h
        hours = np.arange(first, last)
        for code, name in enumerate(names):
            mine = (clip_of == code) & (told <= end) & (hour >= first) & (hour < last)
            counts = np.full(params.span_h, np.nan)
            newest = np.flatnonzero(mine)[np.argsort(told[mine], kind="stable")]
            counts[hour[newest] - first] = count[newest]
            theirs = (video_of == code) & (observed >= first * HOUR_US) & (observed < end)
            changes, resolution = video_changes(
                video[theirs],
                observed[theirs],
                views[theirs],
                first_hour=first,
                n_hours=params.span_h,
                params=params,
            )
            said = clip_changes(counts)
            found = lead_lag(said, changes, hours, params=params)
            row = {
                "window_start": end - microseconds(params.window),
                "category": name,
                "relation": found.relation,
                "lag_h": found.lag_h,
                "lag_low_h": found.lag_low_h,
                "lag_high_h": found.lag_high_h,
                "correlation": found.correlation,
                "band": found.band,
                "p_value": found.p_value,
                "common_hours": found.common,
                "clip_hours": int((~np.isnan(said)).sum()),
                "video_hours": int((~np.isnan(changes)).sum()),
                "resolution_h": resolution,
            }
            for key, value in row.items():
                columns[key].append(value)
    text = ("category", "relation")
    typed: dict[str, Any] = {
        name: pd.array(values, dtype="str") if name in text else np.array(values, dtype=np.float64)
        for name, values in columns.items()
        if name != "window_start"
    }
    typed["window_start"] = timestamps(np.array(columns["window_start"], dtype=np.int64))
    return build_frame(LEAD_LAG_SCHEMA, typed)
