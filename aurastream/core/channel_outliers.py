"""How far a video stands out from its own channel.

``outlier_score`` is a video's lifetime velocity over the median of the channel's other recent
videos: 0 or more, 1 is usual for the channel, 3 is three times as fast. A young video is faster by
nature, so ``like_age_score`` asks the same of the views the others had at a like age: 0 or more,
1 is usual. Each has its ``n``, the number of other videos it rests on, and is null under a
minimum of them: a channel with two known videos has no usual.

This stands beside the score within a category: a video may lead its category and be ordinary for
its channel, or the reverse.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.core.formats import REGIME_BREAKS, RegimeBreak
from aurastream.core.frames import (
    Schema,
    Strings,
    build_frame,
    codes_of,
    counters,
    empty_frame,
    microseconds,
    refusal,
    require_columns,
    text,
    times,
    timestamps,
)

__all__ = [
    "CHANNEL_OUTLIER_SCHEMA",
    "ChannelOutlierParams",
    "channel_outliers",
    "leave_one_out_medians",
    "usable_rows",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CHANNEL_OUTLIER_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "video_id": "str",
    "channel_id": "str",
    "outlier_score": "float64",
    "channel_median_velocity": "float64",
    "channel_n": "int32",
    "like_age_score": "float64",
    "like_age_median_views": "float64",
    "like_age_n": "int32",
}

_COLUMNS: Final = (
    *("window_start", "video_id", "channel_id", "published_at", "age_h", "views"),
    "lifetime_velocity_per_hour",
)
_MISSING_TIME: Final = np.iinfo(np.int64).min
_AGE_UNITS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class ChannelOutlierParams:
    """Which videos of a channel are its usual ones, and how many there must be.

    Three others are the least a median is called usual for. Recent are those published in the 90
    days before the video's window. What was seen more than 30 days before the window does not
    count, because the record keeps no more and a window must not depend on what it still has. Nor
    does what was seen before one of ``breaks`` changed what counts as a view: lengths are not known
    here, so that one of Shorts counts for all. A like age is within a factor of 1.5 either way;
    between such ages views are scaled in proportion.
    """

    min_videos: int = 3
    recent: timedelta = timedelta(days=90)
    memory: timedelta = timedelta(days=30)
    age_factor: float = 1.5
    min_age_h: float = 0.5
    breaks: tuple[RegimeBreak, ...] = REGIME_BREAKS

    def __post_init__(self) -> None:
        if self.min_videos < 1 or min(self.recent, self.memory) <= timedelta(0):
            raise InvalidInputError(
                "min_videos, recent and memory must be above 0.",
                fix="Use 3 videos of 90 days, remembered for 30.",
            )
        if not (1 < self.age_factor < np.inf and 0 < self.min_age_h < np.inf):
            raise InvalidInputError(
                "age_factor must be above 1 and min_age_h above 0.", fix="Use 1.5 and 0.5."
            )


DEFAULT: Final = ChannelOutlierParams()


def leave_one_out_medians(group: Integers, values: Floats) -> tuple[Floats, Integers]:
    """Return for each value the median of the others of its group, and how many those are.

    NaN values do not count among the others, and get the median of all that do; alone, NaN.

    Parameters
    ----------
    group : numpy.ndarray
        Group of each value, 0 or more.
    values : numpy.ndarray
        The values.

    Returns
    -------
    tuple of numpy.ndarray
        Medians and counts. O(n log n).

    References
    ----------
    Ours: the sources compare a video with its category alone (#64).

    Examples
    --------
    >>> group = np.array([0, 0, 0, 0, 1, 2, 2])
    >>> medians, n = leave_one_out_medians(group, np.array([1.0, 2.0, 3.0, 10.0, 5.0, 7.0, np.nan]))
    >>> medians.tolist(), n.tolist()
    ([3.0, 3.0, 2.0, 2.0, nan, nan, 7.0], [3, 3, 3, 3, 0, 0, 1])
    >>> leave_one_out_medians(np.array([], dtype=np.int64), np.array([]))[0].tolist()
    []
    """
    if group.size == 0:
        return np.empty(0), np.empty(0, dtype=np.int64)
    known = ~np.isnan(values)
    order = np.lexsort((values, ~known, group))
    rows = np.bincount(group)
    size = np.bincount(group[known], minlength=rows.size)
    start = np.cumsum(rows) - rows
    rank = np.empty(group.size, dtype=np.int64)
    rank[order] = np.arange(group.size) - start[group[order]]
    others = size[group] - known
    ordered = values[order]

    def pick(position: Integers) -> Floats:
        # Behind the value itself the others lie one further.
        shifted = position + (known & (position >= rank))
        at = np.minimum(start[group] + shifted, group.size - 1)
        picked: Floats = ordered[at]
        return picked

    lower = pick(np.maximum(others - 1, 0) // 2)
    upper = pick(others // 2)
    return np.where(others > 0, (lower + upper) / 2.0, np.nan), others


def usable_rows(velocity: pd.DataFrame) -> pd.DataFrame:
    """Return rows that `channel_outliers` can work on as they are.

    Parameters
    ----------
    velocity : pandas.DataFrame
        Shaped like ``intelligence.video_velocity``.

    Returns
    -------
    pandas.DataFrame
        The same rows, or an empty frame with the columns.

    Raises
    ------
    InvalidInputError
        When it could not: a column is missing, a value is negative or infinite, a time has no zone.

    Notes
    -----
    O(n).

    References
    ----------
    Ours, beside #64.

    Examples
    --------
    >>> usable_rows(pd.DataFrame()).empty
    True
    """
    name = "video_velocity"
    velocity = require_columns(velocity, _COLUMNS, name)
    for column in ("age_h", "views", "lifetime_velocity_per_hour"):
        counters(velocity, column, name)
    for column in ("window_start", "published_at"):
        times(velocity, column, name, null=column == "published_at")
    _named(velocity)
    return velocity


def channel_outliers(
    velocity: pd.DataFrame,
    history: pd.DataFrame | None = None,
    *,
    params: ChannelOutlierParams = DEFAULT,
) -> pd.DataFrame:
    """Compare every video of every window with the channel's other recent videos.

    What a window knows is every row up to and including it, at most ``memory`` old, of ``velocity``
    and ``history`` alike; later rows never count. A video stands for itself once, in its newest
    row. At a like age each other video gives the views of its row whose age is nearest (a tie goes
    to the younger), scaled to the age in question.

    Parameters
    ----------
    velocity : pandas.DataFrame
        Shaped like ``intelligence.video_velocity``; the windows to score.
    history : pandas.DataFrame, optional
        The same of earlier windows.
    params : ChannelOutlierParams
        Recent, like age and sample size.

    Returns
    -------
    pandas.DataFrame
        ``CHANNEL_OUTLIER_SCHEMA``, by window and video; a video once per window, whatever the
        number of its categories. Scores are null without a velocity, under ``min_videos``, or
        where the channel's median is 0. Per window O(v log h) for v known videos in h rows, plus
        the pairs of videos within each channel.

    Raises
    ------
    InvalidInputError
        When a column is missing, a value is negative or infinite, or a time has no zone.

    References
    ----------
    Ours: the sources compare a video with its category alone (#64). Views against the median of the
    channel's recent videos is how creators' tools define an outlier. No comparison across a change
    of what counts as a view (C37).

    Examples
    --------
    >>> at = pd.Timestamp("2026-01-10", tz="UTC")
    >>> rows = pd.DataFrame({
    ...     "window_start": at, "video_id": list("abcd"), "channel_id": "c",
    ...     "published_at": at - pd.Timedelta("10h"), "age_h": 10.0,
    ...     "views": [100, 200, 300, 1000],
    ...     "lifetime_velocity_per_hour": [10.0, 20.0, 30.0, 100.0],
    ... })
    >>> found = channel_outliers(rows)
    >>> found[["video_id", "outlier_score", "channel_n", "like_age_score"]].values.tolist()[-1]
    ['d', 5.0, 3, 5.0]

    Two others are no usual:

    >>> channel_outliers(rows.head(3))["outlier_score"].isna().all()
    np.True_

    Equal videos stand out by nothing, unknown views by nothing known, and no rows give no rows:

    >>> same = rows.assign(views=100, lifetime_velocity_per_hour=10.0)
    >>> channel_outliers(same)["outlier_score"].tolist()
    [1.0, 1.0, 1.0, 1.0]
    >>> unknown = rows.assign(views=None, lifetime_velocity_per_hour=None)
    >>> channel_outliers(unknown)["outlier_score"].isna().all()
    np.True_
    >>> channel_outliers(rows.iloc[:0]).empty
    True
    """
    name = "video_velocity"
    velocity = require_columns(velocity, _COLUMNS, name)
    if velocity.empty:
        return empty_frame(CHANNEL_OUTLIER_SCHEMA)
    known = _Known.of(velocity, history, params)
    windows = np.unique(times(velocity, "window_start", name))
    parts = [_one_window(known, window, params) for window in windows.tolist()]
    row, scores = np.concatenate([p[0] for p in parts]), np.vstack([p[1] for p in parts])
    median, n, like, like_n = scores.T
    enough = (n >= params.min_videos) & (median > 0)
    like_enough = (like_n >= params.min_videos) & (like > 0)
    return build_frame(
        CHANNEL_OUTLIER_SCHEMA,
        {
            "window_start": timestamps(known.window[row]),
            "video_id": text(known.video_names, known.video[row]),
            "channel_id": text(known.channel_names, known.channel[row]),
            "outlier_score": _ratio(known.speed[row], median, enough),
            "channel_median_velocity": np.where(n >= params.min_videos, median, np.nan),
            "channel_n": n,
            "like_age_score": _ratio(known.views[row], like, like_enough),
            "like_age_median_views": np.where(like_n >= params.min_videos, like, np.nan),
            "like_age_n": like_n,
        },
    )


def _ratio(value: Floats, usual: Floats, enough: npt.NDArray[np.bool_]) -> Floats:
    return np.where(enough, value / np.where(enough, usual, 1.0), np.nan)


def _named(rows: pd.DataFrame) -> tuple[tuple[Integers, Strings], tuple[Integers, Strings]]:
    """Return the codes and the texts of videos and of channels; neither may be missing."""
    (video,), video_names = codes_of(rows["video_id"])
    (channel,), channel_names = codes_of(rows["channel_id"])
    nameless = (video < 0) | (channel < 0)
    if nameless.any():
        raise refusal(
            rows.index,
            nameless,
            lambda _: "A row has no video_id or no channel_id.",
            fix="An unknown channel is ''.",
        )
    return (video, video_names), (channel, channel_names)


@dataclass(frozen=True, slots=True)
class _Known:
    """All rows as arrays, one per video and window, by video and window."""

    window: Integers
    video: Integers
    channel: Integers
    published: Integers
    age: Floats
    views: Floats
    speed: Floats
    wanted: npt.NDArray[np.bool_]
    has_channel: npt.NDArray[np.bool_]  # a video without one has no siblings
    video_names: "pd.api.extensions.ExtensionArray"
    channel_names: "pd.api.extensions.ExtensionArray"

    @staticmethod
    def of(
        velocity: pd.DataFrame, history: pd.DataFrame | None, params: ChannelOutlierParams
    ) -> "_Known":
        name = "video_velocity"
        past = pd.DataFrame() if history is None else history
        past = require_columns(past, _COLUMNS, "history")
        frames = [frame for frame in (velocity, past) if not frame.empty]
        rows = pd.concat([frame[list(_COLUMNS)] for frame in frames])
        (video, video_names), (channel, channel_names) = _named(rows)
        window = times(rows, "window_start", name)
        wanted = np.arange(len(rows)) < len(velocity)
        # The scored row wins over the same row of the history.
        order = np.lexsort((~wanted, window, video))
        key = video[order], window[order]
        first = np.concatenate([[True], (np.diff(key[0]) != 0) | (np.diff(key[1]) != 0)])
        kept = order[first]
        return _Known(
            window=window[kept],
            video=video[kept],
            channel=channel[kept],
            published=times(rows, "published_at", name, null=True)[kept],
            age=np.maximum(counters(rows, "age_h", name)[kept], params.min_age_h),
            views=counters(rows, "views", name)[kept],
            speed=counters(rows, "lifetime_velocity_per_hour", name)[kept],
            wanted=wanted[kept],
            has_channel=np.asarray(channel_names != "")[channel[kept]],
            video_names=video_names,
            channel_names=channel_names,
        )


def _one_window(
    known: _Known, window: int, params: ChannelOutlierParams
) -> tuple[Integers, Floats]:
    """Return the rows of a window and, per row: median, n, like-age median, like-age n."""
    # Rows are by video and window, so the last of the visible ones of a video is its newest.
    remembered = known.window > window - microseconds(params.memory)
    for one in params.breaks:
        at = round(one.at.timestamp()) * 1_000_000
        if one.affects == "views" and at <= window:
            remembered &= known.window >= at
    visible = np.flatnonzero(remembered & (known.window <= window))
    video = known.video[visible]
    newest = visible[np.concatenate([video[1:] != video[:-1], [True]])]
    target = newest[known.wanted[newest] & (known.window[newest] == window)]
    since = window - microseconds(params.recent)
    published = known.published[newest]
    recent = (published != _MISSING_TIME) & (published >= since)
    peer = newest[recent & known.has_channel[newest]]

    is_peer = np.isin(target, peer)
    both = np.concatenate([peer, target[~is_peer]])
    value = np.concatenate([known.speed[peer], np.full((~is_peer).sum(), np.nan)])
    median, n = leave_one_out_medians(known.channel[both], value)
    place = np.empty(known.video.size, dtype=np.int64)
    place[both] = np.arange(both.size)
    like, like_n = _like_age(known, visible, target, peer, params)
    return target, np.column_stack([median[place[target]], n[place[target]], like, like_n])


def _like_age(
    known: _Known,
    visible: Integers,
    target: Integers,
    peer: Integers,
    params: ChannelOutlierParams,
) -> tuple[Floats, Floats]:
    """Return the median of the siblings' views at the age of each target, and their number."""
    peer = peer[np.argsort(known.channel[peer], kind="stable")]
    of_peer = known.channel[peer]
    start = np.searchsorted(of_peer, known.channel[target], side="left")
    size = np.searchsorted(of_peer, known.channel[target], side="right") - start
    pair_target = np.repeat(np.arange(target.size), size)
    offset = np.arange(pair_target.size) - np.repeat(np.cumsum(size) - size, size)
    pair_peer = peer[start[pair_target] + offset]
    other = known.video[pair_peer] != known.video[target[pair_target]]
    pair_target, pair_peer = pair_target[other], pair_peer[other]
    nothing = np.full(target.size, np.nan), np.zeros(target.size)
    usable = visible[~np.isnan(known.age[visible]) & ~np.isnan(known.views[visible])]
    if pair_target.size == 0 or usable.size == 0:
        return nothing

    # One ascending key for (video, logarithm of the age); ages count up with the windows.
    level = np.rint(np.log(known.age) * _AGE_UNITS)
    low = np.nanmin(level[usable])
    width = np.nanmax(level[usable]) - low + 2.0
    key = known.video[usable] * width + (level[usable] - low)
    order = np.argsort(key, kind="stable")
    usable, key = usable[order], key[order]
    age = level[target[pair_target]]
    sibling = known.video[pair_peer]
    after = np.searchsorted(key, sibling * width + np.clip(age - low, 0.0, width - 1.0))
    best = np.full(pair_target.size, -1, dtype=np.int64)
    distance = np.full(pair_target.size, np.log(params.age_factor) * _AGE_UNITS + 0.5)
    for at in (after - 1, after):  # the younger first: a tie stays with it
        row = usable[np.clip(at, 0, usable.size - 1)]
        away = np.abs(level[row] - age)
        fits = (at >= 0) & (at < usable.size) & (known.video[row] == sibling) & (away < distance)
        best[fits], distance[fits] = row[fits], away[fits]
    hit = best >= 0
    if not hit.any():
        return nothing
    scale = known.age[target[pair_target[hit]]] / known.age[best[hit]]
    views = known.views[best[hit]] * scale
    return _medians(pair_target[hit], views, target.size)


def _medians(group: Integers, values: Floats, n_groups: int) -> tuple[Floats, Floats]:
    """Return the median and the size of each group; NaN for an empty one."""
    ordered = values[np.lexsort((values, group))]
    size = np.bincount(group, minlength=n_groups)
    start = np.cumsum(size) - size
    top = values.size - 1
    lower = ordered[np.minimum(start + np.maximum(size - 1, 0) // 2, top)]
    upper = ordered[np.minimum(start + size // 2, top)]
    return np.where(size > 0, (lower + upper) / 2.0, np.nan), size.astype(np.float64)
