"""How fast clips gather views, and which of them run away.

``velocity_per_hour`` is the views gained per hour between two known moments of one clip: 0 or
more, higher is faster. The later moment is its newest snapshot; the earlier one is the oldest
within the hour before it, or, when that is less than ten minutes away, the newest before that, up
to six hours back. A clip begins with no views when it is made, so that its creation is such a
moment as well (``velocity_basis`` says ``creation``); a clip younger than half an hour counts as
half an hour old then, as a video does. The gain is taken from stored snapshots, so that computing
it again, by however many processes, cannot count a view twice (audit #6).

A counter that falls (Twitch counts again and takes views away) sets ``views_fell``: what was known
before the fall is forgotten, and the velocity is that of the snapshots since, or null.

``velocity_score`` is the percentile score of that velocity among the clips of the same game and
window, 0–100, higher is faster; ``trend_class`` names it as for videos. **The viral clips of a game
are those of class VIRAL**: velocity at or above the game's 90th percentile, among at least 20 clips
whose velocity is known. Below 20 nobody can say, and the class is UNKNOWN.

A clip is there in a window when the game's newest crawl, at most an hour old, or one within half an
hour before that crawl showed it: Twitch's paging omits clips now and then. An older crawl says
nothing of what runs away now, so that a window without one has no clips. A crawl that got only a
part of the game's clips says of none that it is gone: what it left out is there as it would be
without it, as long as the last crawl that was complete, or the window's last hour, lets it be.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core import kernels_numpy as kernels
from aurastream.core.crawls import of_partial_crawls
from aurastream.core.frames import (
    EXACT,
    HOUR_US,
    Schema,
    Strings,
    build_frame,
    codes_of,
    counters,
    empty_frame,
    flags,
    group_keys,
    lookup,
    microseconds,
    named,
    plain_texts,
    refusal,
    require_columns,
    text,
    times,
    timestamps,
    tracked_games,
    window_ends,
)
from aurastream.core.freshness import FreshnessParams, confidence
from aurastream.core.trend import CLASS_NAMES, TrendParams
from aurastream.core.velocity import lifetime_velocity

__all__ = [
    "CLIP_ACTIVITY_SCHEMA",
    "CLIP_HOURS_SCHEMA",
    "CLIP_SCHEMA",
    "ClipHoursParams",
    "ClipParams",
    "clip_activity",
    "clip_hours",
    "clip_velocity",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

CLIP_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "clip_id": "str",
    "observed_at": "datetime64[us, UTC]",
    "created_at": "datetime64[us, UTC]",
    "age_h": "float64",
    "views": "int64",
    "lifetime_velocity_per_hour": "float64",
    "velocity_per_hour": "float64",
    "velocity_span_h": "float64",
    "velocity_basis": "str",
    "views_fell": "bool",
    "velocity_score": "float64",
    "trend_class": "str",
    "sample_count": "int32",
    "confidence_pct": "float64",
}

CLIP_ACTIVITY_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "observed_at": "datetime64[us, UTC]",
    "clip_count": "int32",
    "sample_count": "int32",
    "viral_count": "Int32",
    "fell_count": "int32",
    "views_gained_per_hour": "float64",
    "velocity_p50": "float64",
    "velocity_p90": "float64",
    "viral_share": "float64",
    "confidence_pct": "float64",
}

CLIP_HOURS_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "hour_start": "datetime64[us, UTC]",
    "clip_count": "int32",
}

_CLIPS = ("crawl_at", "observed_at", "game_id", "clip_id", "view_count", "created_at")
_GAMES = ("category", "twitch_game_id")
_MISSING_TIME: Final = np.iinfo(np.int64).min
_NAMES: Final = pd.array(list(CLASS_NAMES), dtype="str")
_CRAWLS, _CREATION, _NO_BASIS = range(3)
_BASES: Final = pd.array(["crawls", "creation", None], dtype="str")


@dataclass(frozen=True, slots=True)
class ClipParams:
    """What counts as now.

    Half an hour under which an age does not fall is the AuraStream paper's, six hours are how far
    the crawls of clips reach back; the rest is ours: crawls come every five minutes.
    """

    window: timedelta = timedelta(minutes=30)
    max_age: timedelta = timedelta(hours=1)
    omitted_for: timedelta = timedelta(minutes=30)
    trailing: timedelta = timedelta(hours=1)
    min_span: timedelta = timedelta(minutes=10)
    max_span: timedelta = timedelta(hours=6)
    min_age_h: float = 0.5
    scale_floor: float = 1.0
    full_sample: int = 30
    trend: TrendParams = TrendParams()  # noqa: RUF009 # frozen
    freshness: FreshnessParams = FreshnessParams()  # noqa: RUF009 # frozen


DEFAULT: Final = ClipParams()


@dataclass(frozen=True, slots=True)
class ClipHoursParams:
    """How far back the crawls of clips reach, and which hours a window tells of."""

    window: timedelta = timedelta(hours=4)
    reach: timedelta = timedelta(hours=6)
    reports: timedelta = timedelta(hours=8)


HOURS_DEFAULT: Final = ClipHoursParams()


@dataclass(frozen=True, slots=True)
class _Shots:
    """One row per game, clip and crawl, by clip, then crawl; every clip begins with its making."""

    clip: Integers
    moment: Integers
    crawl_at: Integers  # of the making: the smallest integer
    views: Floats
    game: Integers
    falls: Integers  # how often the clip's views fell up to this row


def clip_velocity(
    clips: pd.DataFrame,
    *,
    as_of: pd.DatetimeIndex,
    games: pd.DataFrame,
    partial_crawls: pd.DataFrame | None = None,
    params: ClipParams = DEFAULT,
) -> pd.DataFrame:
    """Measure every recent clip of every game in every window.

    Parameters
    ----------
    clips : pandas.DataFrame
        Shaped like ``collection.clip_radar``, from 7.5 hours before the first window's end on.
    as_of : pandas.DatetimeIndex
        Ends of the windows, with time zone.
    games : pandas.DataFrame
        ``category`` and ``twitch_game_id``; clips of other games are left out.
    partial_crawls : pandas.DataFrame, optional
        ``category`` and ``crawl_at`` of the incomplete crawls of clips; without it every crawl is
        taken for complete.
    params : ClipParams
        What counts as now, and as enough.

    Returns
    -------
    pandas.DataFrame
        Shaped like ``intelligence.clip_intel``, ordered by window, category and clip. A clip that
        stands twice in one crawl counts with its larger number of views. O(rows · log rows).

    Raises
    ------
    InvalidInputError
        When a column is missing, a view count is missing or negative, or a time has no zone.

    References
    ----------
    Worker audit (#90), without its counter in Redis; the viral set by the percentiles of #64 (C24,
    C26).

    Examples
    --------
    Three crawls of a clip made at 09:20; its views fall and grow again:

    >>> rows = pd.DataFrame({
    ...     "crawl_at": pd.to_datetime(["2026-01-10T09:50Z", "2026-01-10T10:05Z",
    ...                                 "2026-01-10T10:20Z"]),
    ...     "game_id": "g1", "clip_id": "c1", "view_count": [50, 40, 60],
    ...     "created_at": pd.Timestamp("2026-01-10T09:20Z")})
    >>> rows["observed_at"] = rows["crawl_at"]
    >>> games = pd.DataFrame({"category": ["minecraft"], "twitch_game_id": ["g1"]})
    >>> said = ["velocity_per_hour", "velocity_span_h", "velocity_basis", "views_fell"]
    >>> ends = pd.DatetimeIndex(["2026-01-10T10:00Z", "2026-01-10T10:30Z"])
    >>> clip_velocity(rows, as_of=ends, games=games)[said].values.tolist()
    [[100.0, 0.5, 'creation', False], [80.0, 0.25, 'crawls', True]]
    >>> clip_velocity(rows.iloc[:0], as_of=ends, games=games).empty
    True

    Twice in one crawl, the answer with more views counts, whichever came later:

    >>> twice = rows.tail(1).assign(view_count=40, observed_at=pd.Timestamp("2026-01-10T10:20:09Z"))
    >>> both = clip_velocity(pd.concat([rows, twice]), as_of=ends[1:], games=games)
    >>> both["views"].tolist()
    [60]

    Seen once and made long ago, there is nothing to compare with:

    >>> old = rows.tail(1).assign(created_at=pd.Timestamp("2026-01-09T00:00Z"))
    >>> clip_velocity(old, as_of=ends[1:], games=games)["velocity_per_hour"].tolist()
    [nan]
    """
    ends = window_ends(as_of)
    clips = require_columns(clips, _CLIPS, "clip_radar")
    games = require_columns(games, _GAMES, "games")
    games = tracked_games(games).dropna(subset=["twitch_game_id"])
    if ends.size == 0 or games.empty or clips.empty:
        return empty_frame(CLIP_SCHEMA)
    (game, own), _ = codes_of(clips["game_id"], games["twitch_game_id"])
    # The number of a game is its place in the order of the categories.
    by_code = np.argsort(own, kind="stable")
    slot = lookup(own[by_code], game)
    slot = np.where(slot >= 0, by_code[np.maximum(slot, 0)], -1)
    crawl_at = times(clips, "crawl_at", "clip_radar")
    oldest = ends[0] - microseconds(params.max_age + params.omitted_for + params.max_span)
    usable = (slot >= 0) & (crawl_at >= oldest) & (crawl_at < ends[-1])
    if not usable.any():
        return empty_frame(CLIP_SCHEMA)
    rows = clips.loc[usable] if not usable.all() else clips
    shots, clip_names = _shots(rows, slot[usable], len(games))
    is_partial = of_partial_crawls(
        shots.crawl_at, {"category": (games["category"].array, shots.game)}, partial_crawls
    )
    window, newest = _members(shots, is_partial, len(games), ends, params)
    if newest.size == 0:
        return empty_frame(CLIP_SCHEMA)
    now = _velocities(shots, newest, params)
    views, observed = shots.views[newest], shots.moment[newest]
    owner = shots.clip[newest]
    created = shots.moment[np.searchsorted(shots.clip, owner)]
    category = shots.game[newest]
    age = np.maximum(observed - created, 0) / HOUR_US

    group = window * len(games) + category
    n_groups = ends.size * len(games)
    _, ordered, counts, starts = kernels.sorted_segments(group, now.velocity, n_groups)
    cuts = kernels.segment_percentiles(ordered, counts, starts, kernels.QUANTILES)
    anchors = np.vstack([np.zeros(n_groups), cuts])
    score = kernels.percentile_scores(
        now.velocity, anchors[:, group], np.full(group.size, params.scale_floor)
    )
    samples = counts[group]
    known = samples >= params.trend.min_sample
    trend = kernels.trend_codes(now.velocity, cuts[0][group], cuts[2][group], cuts[3][group], known)
    staleness = (ends[window] - observed) / HOUR_US
    sure = np.minimum(1.0, samples / params.full_sample)
    return build_frame(
        CLIP_SCHEMA,
        {
            "window_start": timestamps(ends[window] - microseconds(params.window)),
            "category": pd.array(games["category"].to_numpy(object), dtype="str").take(category),
            "clip_id": text(clip_names, owner // len(games)),
            "observed_at": timestamps(observed),
            "created_at": timestamps(created),
            "age_h": age,
            "views": views,
            "lifetime_velocity_per_hour": lifetime_velocity(views, age, min_age_h=params.min_age_h),
            "velocity_per_hour": now.velocity,
            "velocity_span_h": now.span_h,
            "velocity_basis": _BASES.take(now.basis),
            "views_fell": now.fell,
            "velocity_score": score,
            "trend_class": _NAMES.take(trend),
            "sample_count": samples,
            "confidence_pct": confidence(staleness, params=params.freshness) * sure,
        },
    )


def _shots(rows: pd.DataFrame, slot: Integers, n_games: int) -> tuple[_Shots, Strings]:
    """Keep one snapshot per game, clip and crawl, and put the clip's making before them."""
    views = counters(rows, "view_count", "clip_radar", most=EXACT)
    if np.isnan(views).any():
        raise refusal(
            rows.index,
            np.isnan(views),
            lambda _: "Column 'view_count' of the clip_radar frame has missing values.",
            fix="Quarantine the clips that lack it.",
        )
    (code,), names = codes_of(rows["clip_id"])
    named(rows, "clip_id", code, "clip_radar")
    clip = code * n_games + slot
    crawl_at = times(rows, "crawl_at", "clip_radar")
    observed = times(rows, "observed_at", "clip_radar")
    created = times(rows, "created_at", "clip_radar")
    # Of several answers in one crawl the one with most views, of equal ones the latest.
    order = np.lexsort((created, observed, views, crawl_at, clip))
    last = np.append((np.diff(clip[order]) != 0) | (np.diff(crawl_at[order]) != 0), [True])
    kept = order[last]
    clip, crawl_at, observed, created = clip[kept], crawl_at[kept], observed[kept], created[kept]
    views = views[kept]
    begins = np.flatnonzero(np.append([True], np.diff(clip) != 0))
    # A clip seen before it was made was made by a clock that is ahead.
    made = np.minimum(np.minimum.reduceat(created, begins), observed[begins])
    clip = np.insert(clip, begins, clip[begins])
    views = np.insert(views, begins, 0.0)
    fell = np.append([False], (np.diff(views) < 0) & (np.diff(clip) == 0))
    return (
        _Shots(
            clip=clip,
            moment=np.insert(observed, begins, made),
            crawl_at=np.insert(crawl_at, begins, _MISSING_TIME),
            views=views,
            game=clip % n_games,
            falls=np.cumsum(fell),
        ),
        names,
    )


def _members(
    shots: _Shots, is_partial: Bools, n_games: int, ends: Integers, params: ClipParams
) -> tuple[Integers, Integers]:
    """Return the windows and the newest snapshot in them of every clip that is there."""
    seen = np.flatnonzero(shots.crawl_at != _MISSING_TIME)
    crawl_at, game = shots.crawl_at[seen], shots.game[seen]
    # A snapshot is a clip's newest from the first window that ends after its crawl began to the
    # last one that ends before, or when, the next crawl that saw the clip begins.
    first = np.searchsorted(ends, crawl_at, side="right")
    following = np.append(shots.crawl_at[1:], [_MISSING_TIME])[seen]
    is_last = following == _MISSING_TIME
    until = np.where(
        is_last, ends.size, np.searchsorted(ends, np.where(is_last, 0, following), side="right")
    )
    latest = np.full((n_games, ends.size), _MISSING_TIME)
    for number in range(n_games):
        mine = game == number
        if not mine.any():
            continue
        latest[number] = _newest(crawl_at[mine], ends)
        # Later complete crawls that leave a clip out end its presence; so does the hour.
        whole = _newest(crawl_at[mine & ~is_partial[seen]], ends)
        since = np.minimum(latest[number], np.maximum(whole, ends - microseconds(params.max_age)))
        left = np.searchsorted(
            since, crawl_at[mine] + microseconds(params.omitted_for), side="right"
        )
        until[mine] = np.minimum(until[mine], left)
    sizes = np.maximum(until - first, 0)
    row = np.repeat(np.arange(seen.size), sizes)
    begins = np.cumsum(sizes) - sizes
    window = np.repeat(first - begins, sizes) + np.arange(row.size)
    current = latest[game[row], window] >= ends[window] - microseconds(params.max_age)
    row, window = row[current], window[current]
    newest = seen[row]
    # Clips are numbered by id, then game; the result is ordered by game, then id.
    order = np.lexsort((shots.clip[newest], shots.game[newest], window))
    return window[order], newest[order]


def _newest(crawl_at: Integers, ends: Integers) -> Integers:
    """Return the last of the crawls that began before each end."""
    crawls = np.unique(np.append(crawl_at, [_MISSING_TIME]))
    return crawls[np.searchsorted(crawls, ends, side="left") - 1]


@dataclass(frozen=True, slots=True)
class _Now:
    velocity: Floats
    span_h: Floats
    basis: Integers
    fell: Bools


def _velocities(shots: _Shots, newest: Integers, params: ClipParams) -> _Now:
    """Compare the newest snapshots with their references."""
    clip, moment, views = shots.clip, shots.moment, shots.views
    origin = int(moment.min())
    width = int(moment.max()) - origin + 1
    # Crawls that overlap could answer out of order; the running maximum keeps the key sorted.
    key = np.maximum.accumulate(clip * width + (moment - origin))
    owner, at = clip[newest], moment[newest]
    made = np.searchsorted(clip, owner)
    since = np.maximum(at - microseconds(params.trailing) - origin, 0)
    reference = np.minimum(np.searchsorted(key, owner * width + since), newest)
    min_span = microseconds(params.min_span)
    before = np.maximum(reference - 1, made)
    back = (
        (at - moment[reference] < min_span)
        & (reference > made)
        & (at - moment[before] <= microseconds(params.max_span))
    )
    reference = np.where(back, before, reference)
    fell = shots.falls[newest] > shots.falls[reference]
    # The first row with the newest count of falls is the one at which the views fell last.
    reference = np.where(fell, np.searchsorted(shots.falls, shots.falls[newest]), reference)
    from_making = reference == made
    span = (at - moment[reference]) / HOUR_US
    span = np.where(from_making, np.maximum(span, params.min_age_h), span)
    usable = from_making | (at - moment[reference] >= min_span)
    gain = views[newest] - views[reference]
    return _Now(
        velocity=np.where(usable, gain / np.where(usable, span, 1.0), np.nan),
        span_h=np.where(usable, span, np.nan),
        basis=np.where(usable, np.where(from_making, _CREATION, _CRAWLS), _NO_BASIS),
        fell=fell,
    )


def clip_activity(clips: pd.DataFrame, *, params: ClipParams = DEFAULT) -> pd.DataFrame:
    """Sum the clips of every window and game up; nothing of a single clip is left in it.

    Parameters
    ----------
    clips : pandas.DataFrame
        As `clip_velocity` returns them.
    params : ClipParams
        From how many velocities on the viral ones are known.

    Returns
    -------
    pandas.DataFrame
        Shaped like ``intelligence.clip_activity``, ordered by window and category; O(rows · log
        rows). ``views_gained_per_hour`` is the sum of the known velocities, ``viral_share`` what
        the viral clips have of it (0–1).

    References
    ----------
    Worker audit (#90); aggregates alone outlive a clip's day (C41).

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-01-10T10:00Z"), "category": "minecraft",
    ...     "observed_at": pd.Timestamp("2026-01-10T10:20Z"), "trend_class": "UNKNOWN",
    ...     "velocity_per_hour": [10.0, 30.0, float("nan")], "views_fell": [False, False, True],
    ...     "confidence_pct": 10.0})
    >>> found = clip_activity(rows).iloc[0]
    >>> print(*found[["clip_count", "sample_count", "viral_count", "fell_count"]])
    3 2 <NA> 1
    >>> print(*found[["views_gained_per_hour", "velocity_p50", "confidence_pct"]])
    40.0 20.0 10.0

    >>> clip_activity(rows.iloc[:0]).empty
    True
    """
    clips = require_columns(
        clips,
        (
            "window_start",
            "category",
            "observed_at",
            "trend_class",
            "velocity_per_hour",
            "views_fell",
            "confidence_pct",
        ),
        "clip_intel",
    )
    if clips.empty:
        return empty_frame(CLIP_ACTIVITY_SCHEMA)
    keyed = group_keys((clips, "clip_intel"))
    keys, group = np.unique(keyed.keys[0], return_inverse=True)
    first = np.full(keys.size, len(clips))
    np.minimum.at(first, group, np.arange(len(clips)))
    velocity = counters(clips, "velocity_per_hour", "clip_intel")
    segment, ordered, counts, starts = kernels.sorted_segments(group, velocity, keys.size)
    cuts = kernels.segment_percentiles(ordered, counts, starts, (0.5, 0.9))
    gained = np.bincount(segment, ordered, minlength=keys.size)
    viral = (plain_texts(clips, "trend_class", "clip_intel") == "VIRAL").to_numpy(dtype=np.bool_)
    hot_segment, hot, _, _ = kernels.sorted_segments(group[viral], velocity[viral], keys.size)
    hot_gained = np.bincount(hot_segment, hot, minlength=keys.size)
    sure_segment, sure, sure_n, _ = kernels.sorted_segments(
        group, counters(clips, "confidence_pct", "clip_intel"), keys.size
    )
    newest = np.full(keys.size, _MISSING_TIME)
    np.maximum.at(newest, group, times(clips, "observed_at", "clip_intel"))
    enough = counts >= params.trend.min_sample
    fell = flags(clips, "views_fell")
    return build_frame(
        CLIP_ACTIVITY_SCHEMA,
        {
            "window_start": timestamps(keyed.windows[0][first]),
            "category": text(keyed.names, keyed.categories[0][first]),
            "observed_at": timestamps(newest),
            "clip_count": np.bincount(group, minlength=keys.size),
            "sample_count": counts,
            "viral_count": np.where(enough, np.bincount(group[viral], minlength=keys.size), np.nan),
            "fell_count": np.bincount(group[fell], minlength=keys.size),
            "views_gained_per_hour": np.where(counts > 0, gained, np.nan),
            "velocity_p50": cuts[0],
            "velocity_p90": cuts[1],
            "viral_share": np.where(
                enough & (gained > 0), hot_gained / np.where(gained > 0, gained, 1.0), np.nan
            ),
            "confidence_pct": np.bincount(sure_segment, sure, minlength=keys.size)
            / np.maximum(sure_n, 1),
        },
    )


def clip_hours(
    made: pd.DataFrame,
    crawls: pd.DataFrame,
    *,
    as_of: pd.DatetimeIndex,
    params: ClipHoursParams = HOURS_DEFAULT,
) -> pd.DataFrame:
    """Count the clips that were made in each full hour, where the crawls can tell.

    An hour is known when a complete crawl began after its end and reaches back to its beginning;
    then 0 means that nobody clipped. What was not looked at is no row.

    Parameters
    ----------
    made : pandas.DataFrame
        ``category``, ``clip_id``, ``created_at`` and ``first_crawl_at`` of every clip.
    crawls : pandas.DataFrame
        ``category`` and ``crawl_at`` of the complete crawls.
    as_of : pandas.DatetimeIndex
        Ends of the windows, with time zone.
    params : ClipHoursParams
        How far back a crawl reaches and a window reports.

    Returns
    -------
    pandas.DataFrame
        Shaped like ``intelligence.clip_hours``, ordered by window, category and hour. Each window
        tells of the eight hours before its end, so that an hour is told of until it is settled.

    Notes
    -----
    O((clips + crawls) log + windows · hours).

    References
    ----------
    Worker audit (#90), for the lead of clips over videos, which is ours.

    Examples
    --------
    >>> at = pd.to_datetime(["2026-01-10T01:10Z", "2026-01-10T01:50Z"])
    >>> made = pd.DataFrame({"category": "minecraft", "clip_id": ["a", "b"], "created_at": at,
    ...                      "first_crawl_at": pd.Timestamp("2026-01-10T03:05Z")})
    >>> crawls = pd.DataFrame({"category": ["minecraft"],
    ...                        "crawl_at": [pd.Timestamp("2026-01-10T03:05Z")]})
    >>> found = clip_hours(made, crawls, as_of=pd.DatetimeIndex(["2026-01-10T04:00Z"]))
    >>> found["hour_start"].dt.hour.tolist(), found["clip_count"].tolist()
    ([22, 23, 0, 1, 2], [0, 0, 0, 2, 0])

    An hour that no complete crawl came after is not known, which is no 0; without any, none is:

    >>> late = clip_hours(made, crawls, as_of=pd.DatetimeIndex(["2026-01-10T08:00Z"]))
    >>> late["hour_start"].dt.hour.max()
    np.int32(2)
    >>> clip_hours(made, crawls.iloc[:0], as_of=pd.DatetimeIndex(["2026-01-10T04:00Z"])).empty
    True
    """
    ends = window_ends(as_of)
    made = require_columns(made, ("category", "clip_id", "created_at", "first_crawl_at"), "made")
    crawls = require_columns(crawls, ("category", "crawl_at"), "crawls")
    if ends.size == 0 or crawls.empty:
        return empty_frame(CLIP_HOURS_SCHEMA)
    (clip_of, crawl_of), names = codes_of(made["category"], crawls["category"])
    back = microseconds(params.reports) // HOUR_US
    # The hours that each window reports; its own end need not be a full hour.
    last = ends // HOUR_US
    hours = last[:, None] - back + np.arange(back)
    crawl_at = times(crawls, "crawl_at", "crawls")
    created = times(made, "created_at", "made") // HOUR_US
    first_seen = times(made, "first_crawl_at", "made")
    reach = microseconds(params.reach)
    columns: dict[str, list[Any]] = {name: [] for name in CLIP_HOURS_SCHEMA}
    for code, name in enumerate(names):
        at = np.sort(crawl_at[crawl_of == code])
        if at.size == 0:
            continue
        # The latest crawl that the window may know and that still reaches back to the hour.
        horizon = np.minimum(ends[:, None], hours * HOUR_US + reach + 1)
        found = np.searchsorted(at, horizon, side="left") - 1
        known = (found >= 0) & (at[np.maximum(found, 0)] >= (hours + 1) * HOUR_US)
        mine = clip_of == code
        hour, seen = created[mine], first_seen[mine]
        order = np.lexsort((seen, hour))
        hour, seen = hour[order], seen[order]
        origin = int(min(seen.min(initial=0), ends.min())) if seen.size else int(ends.min())
        width = int(max(seen.max(initial=0), ends.max())) - origin + 1
        key = (hour - hours.min()) * width + (seen - origin)
        base = (hours - hours.min()) * width
        count = np.searchsorted(key, base + (ends[:, None] - origin)) - np.searchsorted(key, base)
        row, column = np.nonzero(known)
        columns["window_start"].append(ends[row] - microseconds(params.window))
        columns["category"].append(np.full(row.size, name, dtype=object))
        columns["hour_start"].append(hours[row, column] * HOUR_US)
        columns["clip_count"].append(count[row, column])
    if not columns["category"]:
        return empty_frame(CLIP_HOURS_SCHEMA)
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    rows = build_frame(
        CLIP_HOURS_SCHEMA,
        {
            "window_start": timestamps(joined["window_start"]),
            "category": pd.array(joined["category"], dtype="str"),
            "hour_start": timestamps(joined["hour_start"]),
            "clip_count": joined["clip_count"],
        },
    )
    by = ["window_start", "category", "hour_start"]
    return rows.sort_values(by, kind="stable").reset_index(drop=True)
