"""How fast videos gather views.

``lifetime_velocity_per_hour`` is views / max(0.5 h, age): 0 or more, higher is faster; it is an
average over the video's life and says little about an old video today. ``velocity_now_per_hour``
is the views gained per hour between two snapshots: 0 or more, higher is faster, with the hours
between them (``velocity_now_span_h``) and the number of snapshots in the trailing window
(``velocity_now_n``). ``engagement_rate`` is (likes + comments) / views, 0–1.
``confidence_pct`` is 0–100, higher is surer.

Ages and spans are measured between the moments that snapshots stand for (`crawls.moments`), so that
equal counters of one crawl give equal velocities, bit by bit.

What is unknown is null, and nothing is clamped in silence: a publication date in the future gives
no age and no lifetime velocity; a counter that fell between the two snapshots gives no velocity
now and sets ``views_fell``; where the platform began to count a video's views otherwise
(`aurastream.core.formats.REGIME_BREAKS`), velocity now is that of the snapshots since then; hidden
likes or comments, no views, or more reactions than views (the counters are then of different
moments) give no engagement rate.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.arrays import together
from aurastream.core.crawls import (
    Expansion,
    carry_forward,
    latest_crawls,
    moments,
    of_partial_crawls,
)
from aurastream.core.errors import InvalidInputError
from aurastream.core.formats import (
    REGIME_BREAKS,
    SHORT_THRESHOLD,
    RegimeBreak,
    short_likelihood,
)
from aurastream.core.frames import (
    EXACT,
    HOUR_US,
    Schema,
    Strings,
    build_frame,
    codes_of,
    counters,
    empty_frame,
    lookup,
    microseconds,
    named,
    plain_texts,
    require_columns,
    text,
    times,
    timestamps,
    window_ends,
)
from aurastream.core.freshness import FreshnessParams, confidence, freshness_levels
from aurastream.core.versions import known_versions

__all__ = [
    "VELOCITY_SCHEMA",
    "VelocityParams",
    "counted_since",
    "lifetime_velocity",
    "video_velocity",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

VELOCITY_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "video_id": "str",
    "channel_id": "str",
    "observed_at": "datetime64[us, UTC]",
    "published_at": "datetime64[us, UTC]",
    "age_h": "float64",
    "best_rank": "Int16",
    "region_count": "int16",
    "views": "Int64",
    "likes": "Int64",
    "comments": "Int64",
    "duration_s": "Int32",
    "audio_language": "str",
    "lifetime_velocity_per_hour": "float64",
    "velocity_now_per_hour": "float64",
    "velocity_now_span_h": "float64",
    "velocity_now_n": "int32",
    "views_fell": "bool",
    "engagement_rate": "float64",
    "freshness": "str",
    "confidence_pct": "float64",
}

_COUNTERS = ("views", "likes", "comments")
_SNAPSHOT = ("observed_at", "crawl_at", "video_id", *_COUNTERS, "metadata_hash")
_TRENDING = ("chart", "region", "rank", *_SNAPSHOT)
_GAMES = ("game", *_SNAPSHOT)
_VIDEOS = (
    "video_id",
    "metadata_hash",
    "first_observed_at",
    "channel_id",
    "published_at",
    "duration_s",
    "default_language",
    "audio_language",
)
_MISSING_TIME: Final = np.iinfo(np.int64).min
_MASK_BITS = 63


@dataclass(frozen=True, slots=True)
class VelocityParams:
    """What counts as now.

    The half hour under which a video's age does not fall is the AuraStream paper's. The rest is
    ours: velocity now spans the trailing three hours; snapshots closer than 20 minutes are one
    moment to YouTube's counters; where a game is polled less often than the window is long, the
    newest snapshot before the window is the reference, up to six hours before the last one. Views
    of before and after one of ``breaks`` that affects views do not compare: the snapshots before it
    are no reference and do not count. A break of Shorts concerns likely Shorts and videos of
    unknown length. All known breaks count, the unannounced one as well, as they do for formats.
    """

    window: timedelta = timedelta(minutes=30)
    max_age: timedelta = timedelta(hours=24)
    min_age_h: float = 0.5
    trailing: timedelta = timedelta(hours=3)
    min_span: timedelta = timedelta(minutes=20)
    max_span: timedelta = timedelta(hours=6)
    breaks: tuple[RegimeBreak, ...] = REGIME_BREAKS
    freshness: FreshnessParams = FreshnessParams()  # noqa: RUF009 # frozen


DEFAULT: Final = VelocityParams()


def lifetime_velocity(
    views: npt.ArrayLike, age_h: npt.ArrayLike, *, min_age_h: float = DEFAULT.min_age_h
) -> Floats:
    """Return views per hour of life; the age does not count as less than ``min_age_h``.

    Range 0 and up; grows with views, falls with age.

    Parameters
    ----------
    views : array_like
        0 or more; NaN is hidden.
    age_h : array_like
        Hours since the publication; below 0 it has not come.
    min_age_h : float
        Hours that the age does not fall below.

    Returns
    -------
    numpy.ndarray
        Views per hour.

    Raises
    ------
    InvalidInputError
        When views are negative, an argument is no array of finite numbers, they do not fit
        together, or the smallest age is not above 0.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.1.1 (#61), under its right name (C24).

    Examples
    --------
    >>> lifetime_velocity([1000.0, 1000.0, 1000.0], [10.0, 0.5, 0.1]).tolist()
    [100.0, 2000.0, 2000.0]

    A video that is not published yet, or whose views are hidden, has no velocity:

    >>> lifetime_velocity([1000.0, float("nan")], [-1.0, 2.0]).tolist()
    [nan, nan]

    >>> lifetime_velocity([], []).tolist()
    []
    """
    if not 0 < min_age_h < np.inf:
        raise InvalidInputError(f"min_age_h is {min_age_h:g}.", fix="It must be above 0.")
    view, age = together(views=views, age_h=age_h)
    if (view < 0).any():
        raise InvalidInputError("Views are negative.", fix="Null is the value for hidden views.")
    with np.errstate(over="ignore"):
        result: Floats = view / np.maximum(min_age_h, age)
    return np.where(age < 0, np.nan, result)


def counted_since(rows: pd.DataFrame, *, params: VelocityParams = DEFAULT) -> pd.DatetimeIndex:
    """Say since when the views of each row are counted as they are, if that is why they wait.

    A row that has a moment here and no velocity now has none because the platform began to count
    its views otherwise, and what was seen since then is not yet enough.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``observed_at``, ``published_at`` and ``duration_s``, as `video_velocity` returns them.
    params : VelocityParams
        The changes of counting, and how far back velocity now reaches.

    Returns
    -------
    pandas.DatetimeIndex
        One moment per row; NaT where no change is near enough to matter.

    Raises
    ------
    InvalidInputError
        When a column is missing, a length is negative or a time has no zone.

    Notes
    -----
    O(n).

    References
    ----------
    No comparison across a change of what counts as a view (C37).

    Examples
    --------
    Two hours after starts of Shorts began to count; a video of ten minutes is not concerned:

    >>> rows = pd.DataFrame({
    ...     "observed_at": pd.Timestamp("2025-03-31T02:00Z"),
    ...     "published_at": pd.Timestamp("2025-03-30T00:00Z"), "duration_s": [30, 600, None],
    ... })
    >>> counted_since(rows).strftime("%Y-%m-%d").tolist()
    ['2025-03-31', nan, '2025-03-31']
    >>> len(counted_since(rows.iloc[:0]))
    0
    """
    rows = require_columns(rows, ("observed_at", "published_at", "duration_s"), "video_velocity")
    starts = _regime_starts(
        times(rows, "observed_at", "video_velocity"),
        counters(rows, "duration_s", "video_velocity"),
        times(rows, "published_at", "video_velocity", null=True),
        params,
    )
    return pd.DatetimeIndex(timestamps(starts))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of all charts and games as arrays; text as codes."""

    category: Integers
    region: Integers  # -1 for a game
    rank: Floats  # NaN for a game
    video: Integers
    version: Integers
    crawl_at: Integers
    observed: Integers
    counters: tuple[Floats, Floats, Floats]

    def take(self, chosen: Any) -> "_Rows":  # noqa: ANN401 # a mask or an index array
        return _Rows(
            category=self.category[chosen],
            region=self.region[chosen],
            rank=self.rank[chosen],
            video=self.video[chosen],
            version=self.version[chosen],
            crawl_at=self.crawl_at[chosen],
            observed=self.observed[chosen],
            counters=tuple(c[chosen] for c in self.counters),
        )


@dataclass(frozen=True, slots=True)
class _Members:
    """Who belongs to which window and category, in the order of the result."""

    window: Integers
    category: Integers
    video: Integers
    best_rank: Floats
    region_count: Integers


@dataclass(frozen=True, slots=True)
class _Snapshots:
    """One row per video and crawl start, by video, then crawl."""

    key: Integers  # video * n_crawls + crawl
    video: Integers
    version: Integers
    observed: Integers
    moment: Integers  # what ages and spans are measured by
    counters: tuple[Floats, Floats, Floats]


def video_velocity(
    trending: pd.DataFrame,
    games: pd.DataFrame,
    videos: pd.DataFrame,
    *,
    as_of: pd.DatetimeIndex,
    partial_crawls: pd.DataFrame | None = None,
    params: VelocityParams = DEFAULT,
) -> pd.DataFrame:
    """Compute the velocity of every video that charts or is tracked, in every window.

    A video appears once per chart that shows it and once per game it is assigned to. Its counters
    come from its newest snapshot in any chart, region or game, because they are the same counter.
    Rank and region count of a game's video are those over all charts; 0 regions, null rank when
    it charts nowhere.

    A crawl that got only a part of its chart or game is not taken for the whole: the videos it was
    not answered about are carried forward, back to the last complete crawl, at most a day.

    Parameters
    ----------
    trending, games, videos : pandas.DataFrame
        Shaped like the tables of the same names in ``collection``; 24 hours before the first
        window are enough of the first two.
    as_of : pandas.DatetimeIndex
        Ends of the windows, with time zone.
    partial_crawls : pandas.DataFrame, optional
        ``category``, ``region`` ('' for games) and ``crawl_at`` of the incomplete crawls; without
        it every crawl is taken for complete.
    params : VelocityParams
        What counts as now.

    Returns
    -------
    pandas.DataFrame
        Shaped like ``intelligence.video_velocity``, ordered by window, category and video.

    Raises
    ------
    InvalidInputError
        When a column is missing, a counter is negative, or a time has no zone.

    Notes
    -----
    O(n log n) in the snapshots, plus the rows of the result; all windows at once.

    References
    ----------
    AuraStream paper 5.1.1 (#61), with the gain between snapshots beside it (C24) but not across a
    change of what counts as a view (C37), engagement as defined in C56 and freshness as in #77 and
    #78.

    Examples
    --------
    A video of ten hours, seen twice within three:

    >>> import pandas as pd
    >>> crawls = pd.to_datetime(["2026-01-10T08:00Z", "2026-01-10T10:00Z"])
    >>> trending = pd.DataFrame({
    ...     "chart": "gaming", "region": "US", "rank": [2, 1], "video_id": "v",
    ...     "metadata_hash": "h", "observed_at": crawls, "crawl_at": crawls,
    ...     "views": [700, 1000], "likes": [40, 50], "comments": [10, None],
    ... })
    >>> videos = pd.DataFrame({
    ...     "video_id": ["v"], "metadata_hash": "h", "channel_id": "c", "duration_s": 60,
    ...     "first_observed_at": crawls[0], "published_at": pd.Timestamp("2026-01-10T00:00Z"),
    ...     "default_language": "en", "audio_language": None,
    ... })
    >>> ends = pd.DatetimeIndex(["2026-01-10T10:30Z"])
    >>> one = video_velocity(trending, pd.DataFrame(), videos, as_of=ends).iloc[0]
    >>> one.lifetime_velocity_per_hour.item(), one.velocity_now_per_hour.item(), one.velocity_now_n
    (100.0, 150.0, np.int32(2))

    Hidden comments give no engagement rate; a counter that fell gives no velocity now:

    >>> one.engagement_rate.item(), one.audio_language
    (nan, 'en')
    >>> fallen = video_velocity(
    ...     trending.assign(views=[1000, 900]), pd.DataFrame(), videos, as_of=ends
    ... ).iloc[0]
    >>> fallen.velocity_now_per_hour.item(), fallen.views_fell.item()
    (nan, True)

    A snapshot with hidden views does not hide a fall between those around it:

    >>> clock = [f"2026-01-10T{at}Z" for at in ("07:40", "08:20", "09:00", "10:00")]
    >>> hidden = trending.iloc[[0, 0, 1, 1]].assign(
    ...     crawl_at=pd.to_datetime(clock), observed_at=pd.to_datetime(clock),
    ...     views=[1000, None, 500, 1100],
    ... )
    >>> behind = video_velocity(hidden, pd.DataFrame(), videos, as_of=ends).iloc[0]
    >>> behind.velocity_now_per_hour.item(), behind.views_fell.item()
    (nan, True)

    Since 31 March 2025 every start of a Short counts, so that its views of before do not compare;
    those of a longer video do:

    >>> clock = pd.to_datetime(["2025-03-30T23:00Z", "2025-03-31T01:00Z"])
    >>> across = trending.assign(crawl_at=clock, observed_at=clock, views=[1000, 500_000])
    >>> published = pd.Timestamp("2025-03-30T01:00Z")
    >>> for seconds in (30, 600):
    ...     told = videos.assign(duration_s=seconds, published_at=published)
    ...     night = pd.DatetimeIndex(["2025-03-31T01:30Z"])
    ...     two = video_velocity(across, pd.DataFrame(), told, as_of=night).iloc[0]
    ...     two.velocity_now_per_hour.item(), two.velocity_now_n.item(), round(two.age_h)
    (nan, 1, 24)
    (249500.0, 2, 24)

    >>> nothing = pd.DataFrame()
    >>> video_velocity(nothing, nothing, nothing, as_of=ends).empty
    True
    """
    ends = window_ends(as_of)
    if ends.size == 0:
        return empty_frame(VELOCITY_SCHEMA)
    encoded = _encode(trending, games, videos, ends, params)
    rows, category_names, video_names = encoded.rows, encoded.categories, encoded.video_names
    if rows.video.size == 0:
        return empty_frame(VELOCITY_SCHEMA)
    n_regions = int(rows.region.max()) + 2
    states = latest_crawls(
        rows.category * n_regions + rows.region + 1,
        rows.crawl_at,
        len(category_names) * n_regions,
        ends,
        microseconds(params.max_age),
    )
    n_crawls = states.crawl_times.size
    slots = {
        "category": (category_names, rows.category),
        "region": (encoded.regions, rows.region),
    }
    is_partial = of_partial_crawls(rows.crawl_at, slots, partial_crawls)
    chosen = carry_forward(states, rows.video, is_partial).expand()
    is_young = rows.crawl_at[chosen.row] >= ends[chosen.window] - microseconds(params.max_age)
    chosen = Expansion(row=chosen.row[is_young], window=chosen.window[is_young])
    if chosen.row.size == 0:
        return empty_frame(VELOCITY_SCHEMA)
    members = _members(rows, chosen.row, chosen.window, len(category_names), len(video_names))
    shots = _snapshots(rows, states.crawl, n_crawls)
    newest = np.searchsorted(shots.key, members.video * n_crawls + states.known[members.window]) - 1
    as_of_us = ends[members.window]
    about = _metadata(encoded, shots.video[newest], shots.version[newest], shots.observed[newest])
    regime = _regime_starts(shots.moment[newest], about.duration, about.published, params)
    now = _velocity_now(shots, newest, as_of_us, regime, params)

    views, likes, comments = (c[newest] for c in shots.counters)
    observed = shots.observed[newest]
    age = _age(shots.moment[newest], observed, about.published)
    reactions = likes + comments
    rated = (views > 0) & (reactions <= views)
    staleness = (as_of_us - observed) / HOUR_US
    return build_frame(
        VELOCITY_SCHEMA,
        {
            "window_start": timestamps(as_of_us - microseconds(params.window)),
            "category": text(category_names, members.category),
            "video_id": text(video_names, members.video),
            "channel_id": about.channel,
            "observed_at": timestamps(observed),
            "published_at": timestamps(about.published),
            "age_h": age,
            "best_rank": members.best_rank,
            "region_count": members.region_count,
            "views": views,
            "likes": likes,
            "comments": comments,
            "duration_s": about.duration,
            "audio_language": about.language,
            "lifetime_velocity_per_hour": lifetime_velocity(views, age, min_age_h=params.min_age_h),
            "velocity_now_per_hour": now.velocity,
            "velocity_now_span_h": now.span_h,
            "velocity_now_n": now.n,
            "views_fell": now.fell,
            "engagement_rate": np.where(rated, reactions / np.where(rated, views, 1.0), np.nan),
            "freshness": pd.array(
                freshness_levels(staleness, params=params.freshness), dtype="str"
            ),
            "confidence_pct": confidence(staleness, params=params.freshness),
        },
    )


@dataclass(frozen=True, slots=True)
class _Encoded:
    """The rows any window can use, the metadata versions they can need, and the names behind."""

    rows: _Rows
    categories: Strings
    regions: Strings
    video_names: Strings
    videos: pd.DataFrame
    described: Integers  # video of each metadata version
    of_version: Integers  # hash of each metadata version


def _encode(
    trending: pd.DataFrame,
    games: pd.DataFrame,
    videos: pd.DataFrame,
    ends: Integers,
    params: VelocityParams,
) -> _Encoded:
    """Check the frames, drop what no window can use, join charts and games, encode text."""
    oldest = ends[0] - microseconds(max(params.max_age, params.trailing + params.max_span))
    trending = _usable(trending, _TRENDING, "youtube_trending", oldest, ends[-1])
    games = _usable(games, _GAMES, "youtube_games", oldest, ends[-1])
    videos = require_columns(videos, _VIDEOS, "youtube_videos")
    trending = trending.assign(video_id=plain_texts(trending, "video_id", "youtube_trending"))
    games = games.assign(video_id=plain_texts(games, "video_id", "youtube_games"))
    if len(videos) > len(trending) + len(games):
        # Reading text is what a single window costs: leave out the versions it cannot need.
        wanted = pd.concat([trending["video_id"], games["video_id"]]).unique()
        try:
            is_wanted = videos["video_id"].isin(wanted)
        except TypeError:
            # A list; what holds one is named.
            is_wanted = plain_texts(videos, "video_id", "youtube_videos").isin(wanted)
        videos = videos[is_wanted]
    (chart, game), categories = codes_of(trending["chart"], games["game"])
    (region,), regions = codes_of(trending["region"])
    (charting, playing, described), video_names = codes_of(
        trending["video_id"], games["video_id"], videos["video_id"]
    )
    (of_chart, of_game, of_version), _ = codes_of(
        trending["metadata_hash"], games["metadata_hash"], videos["metadata_hash"]
    )
    named(trending, "chart", chart, "youtube_trending")
    named(games, "game", game, "youtube_games")
    named(trending, "region", region, "youtube_trending")
    named(trending, "video_id", charting, "youtube_trending")
    named(games, "video_id", playing, "youtube_games")
    frames = ((trending, "youtube_trending"), (games, "youtube_games"))
    values = [
        np.concatenate([counters(frame, column, name, most=EXACT) for frame, name in frames])
        for column in _COUNTERS
    ]
    rows = _Rows(
        category=np.concatenate([chart, game]),
        region=np.concatenate([region, np.full(len(games), -1, dtype=np.int64)]),
        rank=np.concatenate(
            [counters(trending, "rank", "youtube_trending"), np.full(len(games), np.nan)]
        ),
        video=np.concatenate([charting, playing]),
        version=np.concatenate([of_chart, of_game]),
        crawl_at=np.concatenate([times(frame, "crawl_at", name) for frame, name in frames]),
        observed=np.concatenate([times(frame, "observed_at", name) for frame, name in frames]),
        counters=(values[0], values[1], values[2]),
    )
    return _Encoded(rows, categories, regions, video_names, videos, described, of_version)


def _usable(
    frame: pd.DataFrame, columns: tuple[str, ...], name: str, oldest: int, end: int
) -> pd.DataFrame:
    """Return the rows whose crawl some window can use."""
    frame = require_columns(frame, columns, name)
    crawl_at = times(frame, "crawl_at", name)
    inside = (crawl_at >= oldest) & (crawl_at < end)
    return frame if inside.all() else frame.loc[inside, list(columns)]


def _starts(sorted_key: Integers) -> Integers:
    """Return where each run of equal keys begins."""
    return np.flatnonzero(np.concatenate([[True], sorted_key[1:] != sorted_key[:-1]]))


def _members(
    rows: _Rows, row: Integers, window: Integers, n_categories: int, n_videos: int
) -> _Members:
    """Reduce rows to one per window, category and video; count regions, keep the best rank."""
    key = (window * n_videos + rows.video[row]) * n_categories + rows.category[row]
    order = np.argsort(key)
    row, key = row[order], key[order]
    begins = _starts(key)
    rank = rows.rank[row]
    region = rows.region[row]
    # A game row takes rank and regions from all charts that show the video in the window.
    whole = _starts(key[begins] // n_categories)
    owner = np.repeat(np.arange(whole.size), np.diff(np.append(whole, begins.size)))
    video_begins = begins[whole]
    is_game = region[begins] < 0
    best = np.where(
        is_game, np.fmin.reduceat(rank, video_begins)[owner], np.fmin.reduceat(rank, begins)
    )
    count = np.where(is_game, _distinct(region, video_begins)[owner], _distinct(region, begins))
    found = key[begins]
    category = found % n_categories
    video = found // n_categories % n_videos
    at = found // (n_categories * n_videos)
    order = np.argsort((at * n_categories + category) * n_videos + video)
    return _Members(
        window=at[order],
        category=category[order],
        video=video[order],
        best_rank=best[order],
        region_count=count[order],
    )


def _distinct(region: Integers, begins: Integers) -> Integers:
    """Count the distinct regions in each run; -1 is none."""
    total = np.zeros(begins.size, dtype=np.int64)
    for base in range(0, int(region.max()) + 1, _MASK_BITS):
        here = (region >= base) & (region < base + _MASK_BITS)
        bits = np.where(here, np.left_shift(1, np.where(here, region - base, 0)), 0)
        total += np.bitwise_count(np.bitwise_or.reduceat(bits, begins))
    return total


def _snapshots(rows: _Rows, crawl: Integers, n_crawls: int) -> _Snapshots:
    """Keep one snapshot per video and crawl: the newest.

    Where several answers of one crawl tie, the larger counters win, and every row order gives the
    same choice.
    """
    key = rows.video * n_crawls + crawl
    order = np.argsort(key)
    key = key[order]
    begins = _starts(key)
    sizes = np.diff(np.append(begins, key.size))
    if begins.size < key.size:
        best = np.ones(key.size, dtype=np.bool_)
        for column in (rows.observed, *rows.counters, rows.version):
            # Below every real value, so that a loser or a null never wins.
            score = np.where(best, np.nan_to_num(column[order].astype(np.float64), nan=-2.0), -3.0)
            best &= score == np.repeat(np.maximum.reduceat(score, begins), sizes)
        first = np.where(best, np.arange(key.size), key.size)
        order = order[np.minimum.reduceat(first, begins)]
    kept = rows.take(order)
    return _Snapshots(
        key=key[begins],
        video=kept.video,
        version=kept.version,
        observed=kept.observed,
        moment=moments(kept.crawl_at, kept.observed),
        counters=kept.counters,
    )


def _age(moment: Integers, observed: Integers, published: Integers) -> Floats:
    """Return hours of life; NaN without a date of publication, or with one after the answer."""
    known = (published != _MISSING_TIME) & (published <= observed)
    # Published while its crawl was under way is no age, but not a negative one.
    life = np.maximum(moment - np.where(known, published, moment), 0)
    return np.where(known, life / HOUR_US, np.nan)


@dataclass(frozen=True, slots=True)
class _Now:
    velocity: Floats
    span_h: Floats
    n: Integers
    fell: npt.NDArray[np.bool_]


def _regime_starts(
    moment: Integers, duration: Floats, published: Integers, params: VelocityParams
) -> Integers:
    """Return since when the views of each video are counted as they are at the moment.

    Breaks further back than any reference are left out: the smallest integer.
    """
    starts = np.full(moment.size, _MISSING_TIME)
    reach = microseconds(max(params.trailing, params.max_span))
    for found in params.breaks:
        at = round(found.at.timestamp()) * 1_000_000
        passed = (moment >= at) & (moment - at <= reach)
        if found.affects != "views" or not passed.any():
            continue
        if found.concerns == "shorts":
            likelihood = short_likelihood(duration, timestamps(published))
            # What has no known length may be one.
            passed &= ~(likelihood < SHORT_THRESHOLD)
        starts = np.where(passed, np.maximum(starts, at), starts)
    return starts


def _velocity_now(
    shots: _Snapshots,
    newest: Integers,
    as_of_us: Integers,
    regime: Integers,
    params: VelocityParams,
) -> _Now:
    """Compare the newest snapshot with the oldest one of the trailing window and the regime."""
    video, observed, views = shots.video, shots.moment, shots.counters[0]
    origin = int(observed.min())
    width = int(observed.max()) - origin + 1
    # Crawls that overlap could answer out of order; the running maximum keeps the key sorted.
    moment = np.maximum.accumulate(video * width + (observed - origin))
    since = np.maximum(as_of_us - microseconds(params.trailing), regime)
    owner = video[newest]
    oldest = np.searchsorted(moment, owner * width + np.clip(since - origin, 0, width))
    n = np.maximum(newest - oldest + 1, 0)
    recent = (n > 0) & (observed[newest] >= since)
    reference = np.minimum(oldest, newest)
    span = observed[newest] - observed[reference]
    min_span = microseconds(params.min_span)
    before = np.maximum(reference - 1, 0)
    reach = observed[newest] - observed[before]
    back = (
        (span < min_span)
        & (reference > 0)
        & (video[before] == owner)
        & (observed[before] >= regime)
        & (reach <= microseconds(params.max_span))
    )
    reference = np.where(back, before, reference)
    span = np.where(back, reach, span)
    usable = recent & (span >= min_span) & (observed[reference] >= regime)

    drops, since_known = _falls(video, views)
    gain = views[newest] - views[reference]
    fell = usable & (drops[newest] > drops[np.minimum(since_known[reference], newest)])
    hours = span / HOUR_US
    valid = usable & ~fell
    velocity = np.where(valid, gain / np.where(valid, hours, 1.0), np.nan)
    return _Now(velocity, np.where(usable, hours, np.nan), np.where(recent, n, 0), fell)


def _falls(video: Integers, views: Floats) -> tuple[Integers, Integers]:
    """Return how often the known views fell up to each row, and the next row whose are known.

    A row without views neither hides a fall nor is one; behind the last known row stands that row.
    """
    row = np.arange(views.size)
    known = np.flatnonzero(~np.isnan(views))
    fell = (np.diff(views[known]) < 0) & (np.diff(video[known]) == 0)
    drops = np.zeros(views.size, dtype=np.int64)
    drops[known[1:]] = fell
    following = np.append(known, [views.size - 1])[np.searchsorted(known, row)]
    return np.cumsum(drops), following


@dataclass(frozen=True, slots=True)
class _Metadata:
    channel: Strings
    published: Integers
    duration: Floats
    language: Strings


def _metadata(
    encoded: _Encoded, video: Integers, version: Integers, observed: Integers
) -> _Metadata:
    """Look up each snapshot's metadata version, or the last one known by then, or nothing."""
    videos, described, of_version = encoded.videos, encoded.described, encoded.of_version
    if not len(videos):
        return _Metadata(
            channel=pd.array([""], dtype="str").take(np.zeros(video.size, dtype=np.int64)),
            published=np.full(video.size, _MISSING_TIME),
            duration=np.full(video.size, np.nan),
            language=pd.array(["und"], dtype="str").take(np.zeros(video.size, dtype=np.int64)),
        )
    width = int(max(version.max(), of_version.max())) + 2
    keys = described * width + of_version
    order = np.argsort(keys, kind="stable")
    at = lookup(keys[order], video * width + version)
    found = np.where(at >= 0, order[at], -1)
    lost = found < 0
    if lost.any():
        found[lost] = known_versions(
            pd.DataFrame(
                {
                    "window_start": timestamps(observed[lost]),
                    "video_id": text(encoded.video_names, video[lost]),
                }
            ),
            videos,
            window=timedelta(0),
        )

    used, position = np.unique(found, return_inverse=True)
    # A video without metadata (-1) borrows a row here and is blanked below.
    part = videos.iloc[np.maximum(used, 0)]
    unknown = used < 0

    def strings(column: str) -> "pd.Series[str]":
        values = plain_texts(part, column, "youtube_videos").reset_index(drop=True)
        return values.mask(unknown | (values == "").to_numpy(dtype=np.bool_, na_value=False))

    language = strings("audio_language").fillna(strings("default_language")).fillna("und")
    published = times(part, "published_at", "youtube_videos", null=True)
    duration = counters(part, "duration_s", "youtube_videos")
    return _Metadata(
        channel=strings("channel_id").fillna("").array.take(position),
        published=np.where(unknown, _MISSING_TIME, published)[position],
        duration=np.where(unknown, np.nan, duration)[position],
        language=language.array.take(position),
    )
