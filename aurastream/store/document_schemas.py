"""What the hot documents in Redis look like, and how long each is good for.

Every document begins with the same envelope. ``fresh_until`` says until when it counts as current;
after that it is served with its freshness label (stale if there is nothing better) until the hard
time to live removes it.
"""

import datetime as dt
from typing import Literal

import msgspec

__all__ = [
    "KINDS",
    "BaselineDocument",
    "CategoryStatsDocument",
    "ClipsDocument",
    "CompetitionDocument",
    "Document",
    "FormatDocument",
    "Freshness",
    "GameVideosDocument",
    "Kind",
    "Label",
    "LastFetchDocument",
    "StreamsDocument",
    "TitleDocument",
    "TopGamesDocument",
    "TrendingDocument",
    "VideoIdeasDocument",
    "ViralClipsDocument",
    "ViralDocument",
    "kind_of",
]

Label = Literal["live", "replay"]
Freshness = Literal["FRESH", "RECENT", "STALE", "OLD", "EXPIRED"]

SCHEMA_VERSION = 1


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope.

    Parameters
    ----------
    as_of : datetime
        The moment the document describes; a newer one is never replaced by an older one.
    observed_at : datetime
        When its data were observed, at or before ``as_of``.
    fresh_until : datetime
        Until when it counts as current.
    version : int
        Version of the schema.
    label : {"live", "replay"}
        Whether the platforms or the replayed archive are behind it.
    freshness : str
        FRESH, RECENT, STALE, OLD or EXPIRED, at ``as_of``.
    """

    as_of: dt.datetime
    observed_at: dt.datetime
    fresh_until: dt.datetime
    version: int
    label: Label
    freshness: Freshness


class Video(msgspec.Struct, frozen=True, kw_only=True):
    """A video with its newest counters; a hidden counter is null."""

    video_id: str
    title: str | None
    channel_id: str | None
    channel_title: str | None
    published_at: dt.datetime | None
    duration_s: int | None
    thumbnail_url: str | None
    views: int | None
    likes: int | None
    comments: int | None
    concurrent_viewers: int | None


class TrendingVideo(Video, frozen=True, kw_only=True):
    """A charted video: its best rank (1 is the top) and the regions that chart it."""

    best_rank: int
    regions: list[str]


class GameVideo(Video, frozen=True, kw_only=True):
    """A video of a game; ``confidence`` is the classifier's, 0–1, higher is surer."""

    confidence: float


class Stream(msgspec.Struct, frozen=True, kw_only=True):
    """A live stream; rank 1 has the most viewers."""

    rank: int
    stream_id: str
    user_id: str
    user_login: str
    user_name: str
    title: str
    viewer_count: int
    started_at: dt.datetime | None
    language: str
    tags: list[str]
    is_mature: bool | None


class TopGame(msgspec.Struct, frozen=True, kw_only=True):
    """A game by viewers; rank 1 has the most."""

    rank: int
    game_id: str
    game_name: str


class Clip(msgspec.Struct, frozen=True, kw_only=True):
    """A clip with its views so far; ``vod_offset_s`` is its place in the recording ``video_id``."""

    clip_id: str
    title: str
    broadcaster_id: str
    broadcaster_name: str
    video_id: str
    view_count: int
    language: str
    created_at: dt.datetime
    duration_s: float | None
    vod_offset_s: int | None
    thumbnail_url: str | None


class ViralClip(Clip, frozen=True, kw_only=True):
    """A clip that runs away; its score is 0–100, higher is faster."""

    velocity_per_hour: float
    velocity_span_h: float
    velocity_basis: str
    velocity_score: float
    confidence_pct: float


class ViralVideo(msgspec.Struct, frozen=True, kw_only=True):
    """A scored video; scores 0–100, higher is more viral, null when the sample is too small."""

    video_id: str
    title: str | None
    channel_id: str | None
    channel_title: str | None
    thumbnail_url: str | None
    trend_class: str
    viral_score: float | None
    decayed_score: float | None
    velocity_now_per_hour: float | None
    lifetime_velocity_per_hour: float | None
    views: int | None
    confidence_pct: float


class Moments(msgspec.Struct, frozen=True, kw_only=True):
    """Distribution of one metric; null where the sample is empty."""

    mean: float | None
    std: float | None
    p25: float | None
    p50: float | None
    p75: float | None
    p90: float | None


class TrendingDocument(Document, frozen=True, kw_only=True):
    """``youtube:trending:{category}``: a chart over all its regions, best rank first."""

    category: str
    videos: list[TrendingVideo]


class GameVideosDocument(Document, frozen=True, kw_only=True):
    """``youtube:games:{game}``: a game's videos, most viewed first."""

    game: str
    videos: list[GameVideo]


class StreamsDocument(Document, frozen=True, kw_only=True):
    """``twitch:streams:{game_id}``: a game's live streams, most watched first."""

    game: str
    game_id: str
    viewer_total: int
    streams: list[Stream]


class TopGamesDocument(Document, frozen=True, kw_only=True):
    """``twitch:top_games``: the most watched games."""

    games: list[TopGame]


class LastFetchDocument(Document, frozen=True, kw_only=True):
    """``twitch:streams:last_fetch``: the last crawl of streams."""

    crawl_at: dt.datetime
    games: int
    is_complete: bool


class ClipsDocument(Document, frozen=True, kw_only=True):
    """``clip_radar:{game_id}:clips``: a game's recent clips, most viewed first."""

    game: str
    game_id: str
    clips: list[Clip]


class ViralClipsDocument(Document, frozen=True, kw_only=True):
    """``clip_radar:{game_id}:viral``: a game's viral clips, fastest first; none may be viral."""

    game: str
    game_id: str
    window_start: dt.datetime
    sample_count: int
    clips: list[ViralClip]


class ViralDocument(Document, frozen=True, kw_only=True):
    """``intel:viral:precomputed:{game}``: the hottest videos of a category, best score first."""

    category: str
    window_start: dt.datetime
    sample_count: int
    viral_count: int
    rising_count: int
    videos: list[ViralVideo]


class TitlePattern(msgspec.Struct, frozen=True, kw_only=True):
    """A pattern of titles: its share (0–1) and, where known, its lift; above 1 is faster."""

    pattern: str
    pattern_share: float
    lift: float | None
    ci_low: float | None
    ci_high: float | None
    q_value: float | None
    verdict: str


class Keyword(msgspec.Struct, frozen=True, kw_only=True):
    """A term; a higher score carries more."""

    term: str
    score: float
    video_count: int
    trend: str


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """A topic with the fastest videos that say it."""

    topic: str
    score: float
    trend: str
    video_count: int
    evidence_video_ids: list[str]


class TitleDocument(Document, frozen=True, kw_only=True):
    """``intel:title:precomputed:{game}``: what the titles of a category say, surest first."""

    category: str
    window_start: dt.datetime
    title_count: int
    patterns: list[TitlePattern]
    keywords: list[Keyword]
    tags: list[Keyword]
    topics: list[Topic]


class VideoIdea(msgspec.Struct, frozen=True, kw_only=True):
    """An idea with its evidence; score 0–100, higher is better, difficulty higher is harder."""

    rank: int
    idea_id: str
    topic: str
    format: str
    concept: str
    hook: str
    idea_score: float
    confidence_pct: float
    difficulty_score: float
    difficulty_band: str
    duration_bucket: str
    tags: list[str]
    evidence_count: int
    evidence_video_ids: list[str]


class VideoIdeasDocument(Document, frozen=True, kw_only=True):
    """``intel:video_ideas:precomputed:{game}``: what to make next in a category, best first."""

    category: str
    window_start: dt.datetime
    ideas: list[VideoIdea]


class FormatLength(msgspec.Struct, frozen=True, kw_only=True):
    """A length of videos; an index of 1 is the category's mean views, higher is better."""

    duration_bucket: str
    video_count: int
    avg_views: float | None
    performance_index: float | None


class ShortsRatio(msgspec.Struct, frozen=True, kw_only=True):
    """Likely Shorts against long-form videos of one regime; above 1 Shorts gather more views."""

    regime: str
    shorts_count: int
    shorts_avg_views: float | None
    longform_count: int
    longform_avg_views: float | None
    shorts_performance_ratio: float | None
    crossing_count: int
    unknown_count: int
    shorts_rule_version: str


class FormatDocument(Document, frozen=True, kw_only=True):
    """``intel:format:precomputed:{game}``: which lengths do best, shortest first."""

    category: str
    window_start: dt.datetime
    optimal_length: str | None
    optimal_length_of_week: str | None
    lengths: list[FormatLength]
    shorts: list[ShortsRatio]


class CompetitionDocument(Document, frozen=True, kw_only=True):
    """``intel:competition:{category}``: how hard it is to be seen; scores: higher is easier.

    ``competition_score`` is the ease under the name that the sources gave it.
    """

    category: str
    window_start: dt.datetime
    live_count: int
    viewer_total: int
    baseline_live_count: float | None
    saturation_score: float
    hhi: float | None
    concentration_band: str | None
    concentration_score: float
    ease_score: float
    competition_score: float
    is_peak: bool
    peak_source: str
    confidence_pct: float


class CategoryStatsDocument(Document, frozen=True, kw_only=True):
    """``intel:category_stats:{category}``: what is normal in a category."""

    category: str
    window_start: dt.datetime
    sample_count: int
    outlier_count: int
    views: Moments
    velocity: Moments
    engagement: Moments


class BaselineDocument(Document, frozen=True, kw_only=True):
    """``viral:baseline:{category}``: views per hour of a usual video."""

    category: str
    baseline_velocity_per_hour: float
    source: str
    sample_count: int


class Kind(msgspec.Struct, frozen=True):
    """A kind of document.

    Parameters
    ----------
    prefix, suffix : str
        What surrounds the category, game or game id in the key; a key without one is the prefix.
    schema : type
        Shape of the document.
    fresh_for : timedelta
        Added to ``observed_at`` it gives ``fresh_until``.
    ttl : timedelta
        Hard time to live from its publication.
    """

    prefix: str
    suffix: str
    schema: type[Document]
    fresh_for: dt.timedelta
    ttl: dt.timedelta

    def key(self, name: str = "") -> str:
        """Return the key of the document about ``name``."""
        return f"{self.prefix}{name}{self.suffix}"


def _minutes(count: int) -> dt.timedelta:
    return dt.timedelta(minutes=count)


_DAYS_3 = dt.timedelta(hours=72)
_DAY = dt.timedelta(hours=24)
_WEEK = dt.timedelta(hours=168)

KINDS: dict[str, Kind] = {
    # Before twitch:streams:{game_id}, whose pattern would match it as well.
    "last_fetch": Kind("twitch:streams:last_fetch", "", LastFetchDocument, _minutes(20), _DAY),
    "trending": Kind("youtube:trending:", "", TrendingDocument, _minutes(30), _DAYS_3),
    "games": Kind("youtube:games:", "", GameVideosDocument, _minutes(300), _DAYS_3),
    "streams": Kind("twitch:streams:", "", StreamsDocument, _minutes(20), _DAY),
    "top_games": Kind("twitch:top_games", "", TopGamesDocument, _minutes(20), _DAY),
    # Twitch's terms: its content is a cache of 24 hours.
    "clips": Kind("clip_radar:", ":clips", ClipsDocument, _minutes(5), _DAY),
    "viral_clips": Kind("clip_radar:", ":viral", ViralClipsDocument, _minutes(30), _DAY),
    "viral": Kind("intel:viral:precomputed:", "", ViralDocument, _minutes(300), _DAYS_3),
    "title": Kind("intel:title:precomputed:", "", TitleDocument, _minutes(300), _DAYS_3),
    "video_ideas": Kind(
        "intel:video_ideas:precomputed:", "", VideoIdeasDocument, _minutes(300), _DAYS_3
    ),
    "format": Kind("intel:format:precomputed:", "", FormatDocument, _minutes(300), _DAYS_3),
    "competition": Kind("intel:competition:", "", CompetitionDocument, _minutes(15), _DAYS_3),
    "category_stats": Kind(
        "intel:category_stats:", "", CategoryStatsDocument, _minutes(60), _DAYS_3
    ),
    "baseline": Kind("viral:baseline:", "", BaselineDocument, _minutes(60), _WEEK),
}


def kind_of(key: str) -> Kind | None:
    """Return the kind of a key, None when it is not a document's.

    Examples
    --------
    >>> kind_of("twitch:streams:33214").schema.__name__
    'StreamsDocument'
    >>> kind_of("twitch:streams:last_fetch").schema.__name__
    'LastFetchDocument'
    >>> kind_of("session:1") is None
    True
    """
    for kind in KINDS.values():
        if key.startswith(kind.prefix) and key.endswith(kind.suffix):
            return kind
    return None
