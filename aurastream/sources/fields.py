"""Every field of the platforms that is stored: where it goes, and who uses it.

A field that nobody uses is collected in vain; a field that somebody uses must be declared here.
Tests compare this with what the assets, the readings and the staging models really read, asking
the database which columns each statement rests on, and follow staging models to the marts and
rollups that show their columns. Only ids by which a person's rows are found may go unused.
``script/field-dictionary`` writes ``docs/field-dictionary.md`` from it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["IDLE", "SOURCE_FIELDS", "USES", "SourceField"]


@dataclass(frozen=True, slots=True)
class SourceField:
    """A field of an answer and the columns it is stored in.

    Parameters
    ----------
    endpoint : str
        Platform and method.
    path : str
        Where it stands in an item of the answer; a place in brackets is not a field of its own.
    columns : tuple of str
        ``schema.table.column``.
    """

    endpoint: str
    path: str
    columns: tuple[str, ...]


SOURCE_FIELDS: Final = (
    SourceField(
        "youtube.videos.list",
        "id",
        (
            "collection.youtube_videos.video_id",
            "collection.youtube_trending.video_id",
            "collection.youtube_games.video_id",
        ),
    ),
    SourceField(
        "youtube.videos.list",
        "items (position in the chart)",
        ("collection.youtube_trending.rank",),
    ),
    SourceField("youtube.videos.list", "snippet.title", ("collection.youtube_videos.title",)),
    SourceField(
        "youtube.videos.list", "snippet.description", ("collection.youtube_videos.description",)
    ),
    SourceField("youtube.videos.list", "snippet.tags", ("collection.youtube_videos.tags",)),
    SourceField(
        "youtube.videos.list", "snippet.channelId", ("collection.youtube_videos.channel_id",)
    ),
    SourceField(
        "youtube.videos.list", "snippet.channelTitle", ("collection.youtube_videos.channel_title",)
    ),
    SourceField(
        "youtube.videos.list", "snippet.categoryId", ("collection.youtube_videos.category_id",)
    ),
    SourceField(
        "youtube.videos.list", "snippet.publishedAt", ("collection.youtube_videos.published_at",)
    ),
    SourceField(
        "youtube.videos.list", "snippet.thumbnails", ("collection.youtube_videos.thumbnail_url",)
    ),
    SourceField(
        "youtube.videos.list",
        "snippet.liveBroadcastContent",
        ("collection.youtube_videos.live_state",),
    ),
    SourceField(
        "youtube.videos.list",
        "snippet.defaultLanguage",
        ("collection.youtube_videos.default_language",),
    ),
    SourceField(
        "youtube.videos.list",
        "snippet.defaultAudioLanguage",
        ("collection.youtube_videos.audio_language",),
    ),
    SourceField(
        "youtube.videos.list", "contentDetails.duration", ("collection.youtube_videos.duration_s",)
    ),
    SourceField(
        "youtube.videos.list",
        "contentDetails.definition",
        ("collection.youtube_videos.definition",),
    ),
    SourceField(
        "youtube.videos.list", "contentDetails.caption", ("collection.youtube_videos.has_captions",)
    ),
    SourceField(
        "youtube.videos.list",
        "contentDetails.licensedContent",
        ("collection.youtube_videos.is_licensed",),
    ),
    SourceField(
        "youtube.videos.list", "status.madeForKids", ("collection.youtube_videos.is_made_for_kids",)
    ),
    SourceField(
        "youtube.videos.list",
        "topicDetails.topicCategories",
        ("collection.youtube_videos.topic_categories",),
    ),
    SourceField(
        "youtube.videos.list",
        "liveStreamingDetails.scheduledStartTime",
        ("collection.youtube_videos.scheduled_start_at",),
    ),
    SourceField(
        "youtube.videos.list",
        "liveStreamingDetails.actualStartTime",
        ("collection.youtube_videos.actual_start_at",),
    ),
    SourceField(
        "youtube.videos.list",
        "statistics.viewCount",
        (
            "collection.youtube_trending.views",
            "collection.youtube_games.views",
        ),
    ),
    SourceField(
        "youtube.videos.list",
        "statistics.likeCount",
        (
            "collection.youtube_trending.likes",
            "collection.youtube_games.likes",
        ),
    ),
    SourceField(
        "youtube.videos.list",
        "statistics.commentCount",
        (
            "collection.youtube_trending.comments",
            "collection.youtube_games.comments",
        ),
    ),
    SourceField(
        "youtube.videos.list",
        "liveStreamingDetails.concurrentViewers",
        (
            "collection.youtube_trending.concurrent_viewers",
            "collection.youtube_games.concurrent_viewers",
        ),
    ),
    SourceField("youtube.channels.list", "id", ("collection.youtube_channels.channel_id",)),
    SourceField("youtube.channels.list", "snippet.title", ("collection.youtube_channels.title",)),
    SourceField(
        "youtube.channels.list", "snippet.country", ("collection.youtube_channels.country",)
    ),
    SourceField(
        "youtube.channels.list",
        "snippet.publishedAt",
        ("collection.youtube_channels.published_at",),
    ),
    SourceField(
        "youtube.channels.list", "statistics.viewCount", ("collection.youtube_channels.views",)
    ),
    SourceField(
        "youtube.channels.list",
        "statistics.subscriberCount",
        ("collection.youtube_channels.subscribers",),
    ),
    SourceField(
        "youtube.channels.list",
        "statistics.hiddenSubscriberCount",
        ("collection.youtube_channels.subscribers",),
    ),
    SourceField(
        "youtube.channels.list", "statistics.videoCount", ("collection.youtube_channels.videos",)
    ),
    SourceField("twitch.streams", "id", ("collection.twitch_streams.stream_id",)),
    SourceField("twitch.streams", "game_id", ("collection.twitch_streams.game_id",)),
    SourceField("twitch.streams", "user_id", ("collection.twitch_streams.user_id",)),
    SourceField("twitch.streams", "user_login", ("collection.twitch_streams.user_login",)),
    SourceField("twitch.streams", "user_name", ("collection.twitch_streams.user_name",)),
    SourceField("twitch.streams", "title", ("collection.twitch_streams.title",)),
    SourceField("twitch.streams", "viewer_count", ("collection.twitch_streams.viewer_count",)),
    SourceField("twitch.streams", "started_at", ("collection.twitch_streams.started_at",)),
    SourceField("twitch.streams", "language", ("collection.twitch_streams.language",)),
    SourceField("twitch.streams", "tags", ("collection.twitch_streams.tags",)),
    SourceField("twitch.streams", "is_mature", ("collection.twitch_streams.is_mature",)),
    SourceField("twitch.games.top", "id", ("collection.twitch_top_games.game_id",)),
    SourceField("twitch.games.top", "name", ("collection.twitch_top_games.game_name",)),
    SourceField("twitch.games.top", "data (position)", ("collection.twitch_top_games.rank",)),
    SourceField("twitch.clips", "id", ("collection.clip_radar.clip_id",)),
    SourceField("twitch.clips", "game_id", ("collection.clip_radar.game_id",)),
    SourceField("twitch.clips", "broadcaster_id", ("collection.clip_radar.broadcaster_id",)),
    SourceField("twitch.clips", "broadcaster_name", ("collection.clip_radar.broadcaster_name",)),
    SourceField("twitch.clips", "creator_id", ("collection.clip_radar.creator_id",)),
    SourceField("twitch.clips", "video_id", ("collection.clip_radar.video_id",)),
    SourceField("twitch.clips", "title", ("collection.clip_radar.title",)),
    SourceField("twitch.clips", "view_count", ("collection.clip_radar.view_count",)),
    SourceField("twitch.clips", "language", ("collection.clip_radar.language",)),
    SourceField("twitch.clips", "created_at", ("collection.clip_radar.created_at",)),
    SourceField("twitch.clips", "duration", ("collection.clip_radar.duration_s",)),
    SourceField("twitch.clips", "vod_offset", ("collection.clip_radar.vod_offset_s",)),
    SourceField("twitch.clips", "thumbnail_url", ("collection.clip_radar.thumbnail_url",)),
)

# Who reads which columns of which table.
_READ: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "collection/youtube_games": {
        "collection.youtube_games": (
            "video_id",
            "views",
        ),
        "collection.youtube_trending": (
            "video_id",
            "views",
        ),
        "collection.youtube_videos": (
            "category_id",
            "channel_id",
            "published_at",
            "tags",
            "title",
            "video_id",
        ),
    },
    "dbt/stg_collection__twitch_streams": {
        "collection.twitch_streams": (
            "game_id",
            "language",
            "stream_id",
            "title",
            "user_name",
            "viewer_count",
        ),
    },
    "dbt/stg_collection__youtube_channels": {
        "collection.youtube_channels": (
            "channel_id",
            "country",
            "published_at",
            "subscribers",
            "title",
            "videos",
            "views",
        ),
    },
    "dbt/stg_collection__youtube_videos": {
        "collection.youtube_videos": (
            "actual_start_at",
            "channel_id",
            "channel_title",
            "live_state",
            "published_at",
            "scheduled_start_at",
            "title",
            "video_id",
        ),
    },
    "intelligence/channel_outliers": {
        "collection.youtube_videos": (
            "title",
            "video_id",
        ),
    },
    "intelligence/clip_hours": {
        "collection.clip_radar": (
            "clip_id",
            "created_at",
            "game_id",
        ),
    },
    "intelligence/clip_intel": {
        "collection.clip_radar": (
            "clip_id",
            "created_at",
            "game_id",
            "view_count",
        ),
    },
    "intelligence/competition": {
        "collection.twitch_streams": (
            "game_id",
            "stream_id",
            "user_id",
            "viewer_count",
        ),
    },
    "intelligence/description_features": {
        "collection.youtube_videos": (
            "description",
            "duration_s",
            "video_id",
        ),
    },
    "intelligence/description_intel": {
        "collection.youtube_games": (
            "video_id",
            "views",
        ),
        "collection.youtube_trending": (
            "video_id",
            "views",
        ),
        "collection.youtube_videos": (
            "default_language",
            "definition",
            "description",
            "duration_s",
            "has_captions",
            "is_licensed",
            "is_made_for_kids",
            "tags",
            "topic_categories",
            "video_id",
        ),
    },
    "intelligence/evaluations": {
        "collection.youtube_games": (
            "comments",
            "likes",
            "video_id",
            "views",
        ),
        "collection.youtube_trending": (
            "comments",
            "likes",
            "rank",
            "video_id",
            "views",
        ),
        "collection.youtube_videos": (
            "audio_language",
            "category_id",
            "channel_id",
            "channel_title",
            "default_language",
            "definition",
            "duration_s",
            "has_captions",
            "is_licensed",
            "live_state",
            "published_at",
            "tags",
            "title",
            "video_id",
        ),
    },
    "intelligence/keyword_scores": {
        "collection.youtube_games": (
            "video_id",
            "views",
        ),
        "collection.youtube_trending": (
            "video_id",
            "views",
        ),
        "collection.youtube_videos": (
            "tags",
            "title",
            "video_id",
        ),
    },
    "intelligence/language_mix": {
        "collection.twitch_streams": (
            "game_id",
            "language",
            "stream_id",
            "viewer_count",
        ),
        "collection.youtube_videos": (
            "title",
            "video_id",
        ),
    },
    "intelligence/prediction_backtest": {
        "collection.youtube_games": (
            "comments",
            "likes",
            "video_id",
            "views",
        ),
        "collection.youtube_trending": (
            "comments",
            "likes",
            "rank",
            "video_id",
            "views",
        ),
    },
    "intelligence/premiere_intel": {
        "collection.youtube_videos": (
            "actual_start_at",
            "live_state",
            "published_at",
            "scheduled_start_at",
            "video_id",
        ),
    },
    "intelligence/publishing_times": {
        "collection.youtube_videos": (
            "actual_start_at",
            "live_state",
            "published_at",
            "scheduled_start_at",
            "video_id",
        ),
    },
    "intelligence/thumbnail_features": {
        "collection.youtube_videos": (
            "thumbnail_url",
            "video_id",
        ),
    },
    "intelligence/title_intel": {
        "collection.youtube_games": (
            "video_id",
            "views",
        ),
        "collection.youtube_trending": (
            "video_id",
            "views",
        ),
        "collection.youtube_videos": (
            "title",
            "video_id",
        ),
    },
    "intelligence/topic_intel": {
        "collection.youtube_games": (
            "video_id",
            "views",
        ),
        "collection.youtube_trending": (
            "video_id",
            "views",
        ),
        "collection.youtube_videos": (
            "tags",
            "title",
            "video_id",
        ),
    },
    "intelligence/video_velocity": {
        "collection.youtube_games": (
            "comments",
            "likes",
            "video_id",
            "views",
        ),
        "collection.youtube_trending": (
            "comments",
            "likes",
            "rank",
            "video_id",
            "views",
        ),
        "collection.youtube_videos": (
            "audio_language",
            "channel_id",
            "default_language",
            "duration_s",
            "published_at",
            "video_id",
        ),
    },
    "intelligence/viewer_anomalies": {
        "collection.twitch_streams": (
            "game_id",
            "stream_id",
            "user_id",
            "viewer_count",
        ),
    },
    "intelligence/viral_model": {
        "collection.youtube_games": (
            "comments",
            "likes",
            "video_id",
            "views",
        ),
        "collection.youtube_trending": (
            "comments",
            "likes",
            "rank",
            "video_id",
            "views",
        ),
        "collection.youtube_videos": (
            "audio_language",
            "category_id",
            "channel_id",
            "channel_title",
            "default_language",
            "definition",
            "duration_s",
            "has_captions",
            "is_licensed",
            "live_state",
            "published_at",
            "tags",
            "title",
            "video_id",
        ),
    },
    "intelligence/viral_predictions": {
        "collection.youtube_games": (
            "comments",
            "likes",
            "video_id",
            "views",
        ),
        "collection.youtube_trending": (
            "comments",
            "likes",
            "rank",
            "video_id",
            "views",
        ),
        "collection.youtube_videos": (
            "audio_language",
            "category_id",
            "channel_id",
            "channel_title",
            "default_language",
            "definition",
            "duration_s",
            "has_captions",
            "is_licensed",
            "live_state",
            "published_at",
            "tags",
            "title",
            "video_id",
        ),
    },
    "intelligence/viral_scores": {
        "collection.youtube_videos": (
            "title",
            "video_id",
        ),
    },
    "reporting/hot_documents": {
        "collection.clip_radar": (
            "broadcaster_id",
            "broadcaster_name",
            "clip_id",
            "created_at",
            "duration_s",
            "game_id",
            "language",
            "thumbnail_url",
            "title",
            "video_id",
            "view_count",
            "vod_offset_s",
        ),
        "collection.twitch_streams": (
            "game_id",
            "is_mature",
            "language",
            "started_at",
            "stream_id",
            "tags",
            "title",
            "user_id",
            "user_login",
            "user_name",
            "viewer_count",
        ),
        "collection.twitch_top_games": (
            "game_id",
            "game_name",
            "rank",
        ),
        "collection.youtube_games": (
            "comments",
            "concurrent_viewers",
            "likes",
            "video_id",
            "views",
        ),
        "collection.youtube_trending": (
            "comments",
            "concurrent_viewers",
            "likes",
            "rank",
            "video_id",
            "views",
        ),
        "collection.youtube_videos": (
            "channel_id",
            "channel_title",
            "duration_s",
            "published_at",
            "thumbnail_url",
            "title",
            "video_id",
        ),
    },
}

USES: Final[Mapping[str, frozenset[str]]] = {
    user: frozenset(f"{table}.{name}" for table, names in tables.items() for name in names)
    for user, tables in _READ.items()
}
"""The columns that each dataset, document or staging model uses, by its name."""

_FORGET: Final = "whose row it is: `aurastream forget` finds it by this"
IDLE: Final[Mapping[str, str]] = {
    "collection.clip_radar.creator_id": _FORGET,
}
"""What no dataset, document or model uses: ids alone, by which a person's rows are found."""
