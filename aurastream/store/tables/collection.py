"""Collection: append-only snapshots, ``observed_at`` from the answer."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from aurastream.store.tables.declare import (
    FETCH,
    Narrow,
    Timestamp,
    column,
    metadata,
    partitioned,
)

_CRAWL_AT = "start of the crawl this row belongs to; the same for all rows of one crawl"
_OBSERVED = "when the platform answered, by the platform's clock"
_HASH = "metadata version of the video (collection.youtube_videos)"
_COUNTERS = ("views", "likes", "comments", "concurrent_viewers")

youtube_trending = partitioned(
    "youtube_trending",
    "collection",
    "observed_at",
    column("observed_at", Timestamp, "ops", _OBSERVED, key=True),
    column("chart", sa.Text, "own", "chart category: trending, gaming, music or movies", key=True),
    column("region", sa.Text, "own", "ISO 3166-1 alpha-2 region of the chart", key=True),
    column("video_id", sa.Text, "raw_meta", "YouTube video id", key=True),
    column("rank", sa.SmallInteger, "raw_stat", "position in the chart, 1 is the top"),
    column("views", sa.BigInteger, "raw_stat", "viewCount; null when hidden", null=True),
    column("likes", sa.BigInteger, "raw_stat", "likeCount; null when hidden, never 0", null=True),
    column("comments", sa.BigInteger, "raw_stat", "commentCount; null when disabled", null=True),
    column("concurrent_viewers", sa.BigInteger, "raw_stat", "live viewers, while live", null=True),
    column("metadata_hash", sa.Text, "ops", _HASH),
    column("crawl_at", Timestamp, "ops", _CRAWL_AT),
    column("fetch_id", UUID(as_uuid=False), "ops", FETCH),
    comment="Rows of videos.list chart=mostPopular, one per crawl, chart, region and video.",
    narrow=Narrow(
        subject=("video_id", "chart", "region", "metadata_hash"),
        answer=("fetch_id", "crawl_at"),
        counters=_COUNTERS,
    ),
)

youtube_games = partitioned(
    "youtube_games",
    "collection",
    "observed_at",
    column("observed_at", Timestamp, "ops", _OBSERVED, key=True),
    column("game", sa.Text, "own", "tracked game the classifier assigned", key=True),
    column("video_id", sa.Text, "raw_meta", "YouTube video id", key=True),
    column("views", sa.BigInteger, "raw_stat", "viewCount; null when hidden", null=True),
    column("likes", sa.BigInteger, "raw_stat", "likeCount; null when hidden, never 0", null=True),
    column("comments", sa.BigInteger, "raw_stat", "commentCount; null when disabled", null=True),
    column("concurrent_viewers", sa.BigInteger, "raw_stat", "live viewers, while live", null=True),
    column("confidence", sa.REAL, "derived", "classifier confidence, 0–1, higher is surer"),
    column("rule", sa.Text, "derived", "classifier rule that matched"),
    column("classifier_version", sa.Text, "ops", "version of the classifier's rules"),
    column("discovered_by", sa.Text, "ops", "chart, search or refresh"),
    column("metadata_hash", sa.Text, "ops", _HASH),
    column("crawl_at", Timestamp, "ops", _CRAWL_AT),
    column("fetch_id", UUID(as_uuid=False), "ops", FETCH),
    comment="Counters of the videos of each tracked game, one row per crawl, game and video.",
    narrow=Narrow(
        subject=(
            "video_id",
            "game",
            "metadata_hash",
            "confidence",
            "rule",
            "classifier_version",
            "discovered_by",
        ),
        answer=("fetch_id", "crawl_at"),
        counters=_COUNTERS,
    ),
)

youtube_videos = sa.Table(
    "youtube_videos",
    metadata,
    column("video_id", sa.Text, "raw_meta", "YouTube video id", key=True),
    column("metadata_hash", sa.Text, "ops", "sha256 prefix over all columns below", key=True),
    column("first_observed_at", Timestamp, "ops", "when this version was first seen"),
    column("title", sa.Text, "raw_meta", "title as the API gave it"),
    column("description", sa.Text, "raw_meta", "description"),
    column("tags", ARRAY(sa.Text), "raw_meta", "tags in the creator's order; empty when none"),
    column("channel_id", sa.Text, "raw_meta", "YouTube channel id"),
    column("channel_title", sa.Text, "raw_meta", "channel name"),
    column("category_id", sa.Integer, "raw_meta", "YouTube category id", null=True),
    column("published_at", Timestamp, "raw_meta", "publication time", null=True),
    column(
        "duration_s", sa.Integer, "raw_meta", "length in seconds; null for P0D and live", null=True
    ),
    column("definition", sa.Text, "raw_meta", "hd or sd", null=True),
    column("has_captions", sa.Boolean, "raw_meta", "captions are available", null=True),
    column("is_licensed", sa.Boolean, "raw_meta", "licensed content", null=True),
    column("default_language", sa.Text, "raw_meta", "language tag of title and text", null=True),
    column("audio_language", sa.Text, "raw_meta", "language tag of the audio", null=True),
    column("live_state", sa.Text, "raw_meta", "none, upcoming or live", null=True),
    column("scheduled_start_at", Timestamp, "raw_meta", "announced start of a premiere", null=True),
    column("actual_start_at", Timestamp, "raw_meta", "start of the broadcast", null=True),
    column("thumbnail_url", sa.Text, "raw_meta", "largest thumbnail", null=True),
    column("is_made_for_kids", sa.Boolean, "raw_meta", "marked as made for kids", null=True),
    column("topic_categories", ARRAY(sa.Text), "raw_meta", "topicDetails links; empty when none"),
    schema="collection",
    comment="Metadata versions of videos: a new row whenever anything but a counter changed.",
)

youtube_channels = partitioned(
    "youtube_channels",
    "collection",
    "observed_at",
    column("observed_at", Timestamp, "ops", _OBSERVED, key=True),
    column("channel_id", sa.Text, "raw_meta", "YouTube channel id", key=True),
    column("title", sa.Text, "raw_meta", "channel name"),
    column("country", sa.Text, "raw_meta", "country the channel declares", null=True),
    column("published_at", Timestamp, "raw_meta", "creation of the channel", null=True),
    column("views", sa.BigInteger, "raw_stat", "all-time views", null=True),
    column("subscribers", sa.BigInteger, "raw_stat", "subscribers; null when hidden", null=True),
    column("videos", sa.BigInteger, "raw_stat", "public videos", null=True),
    column("fetch_id", UUID(as_uuid=False), "ops", FETCH),
    sa.Index("ix_youtube_channels_channel", "channel_id", "observed_at"),
    comment="Counters of the channels behind the tracked games' videos.",
)

twitch_streams = partitioned(
    "twitch_streams",
    "collection",
    "observed_at",
    column("observed_at", Timestamp, "ops", _OBSERVED, key=True),
    column("game_id", sa.Text, "raw_meta", "Twitch game id; '' is uncategorised", key=True),
    column("stream_id", sa.Text, "raw_meta", "Twitch stream id", key=True),
    column(
        "rank", sa.SmallInteger, "derived", "position by viewers within game and crawl, 1 is top"
    ),
    column("user_id", sa.Text, "raw_meta", "Twitch user id"),
    column("user_login", sa.Text, "raw_meta", "login name"),
    column("user_name", sa.Text, "raw_meta", "display name"),
    column("title", sa.Text, "raw_meta", "stream title"),
    column("viewer_count", sa.Integer, "raw_stat", "concurrent viewers"),
    column("started_at", Timestamp, "raw_meta", "start of the stream", null=True),
    column("language", sa.Text, "raw_meta", "language the broadcaster chose"),
    column("tags", ARRAY(sa.Text), "raw_meta", "tags; empty when none"),
    column("is_mature", sa.Boolean, "raw_meta", "marked as mature", null=True),
    column("crawl_at", Timestamp, "ops", _CRAWL_AT),
    column("fetch_id", UUID(as_uuid=False), "ops", FETCH),
    comment="Top 100 live streams of each tracked game, one row per crawl, game and stream.",
)

twitch_top_games = partitioned(
    "twitch_top_games",
    "collection",
    "observed_at",
    column("observed_at", Timestamp, "ops", _OBSERVED, key=True),
    column("game_id", sa.Text, "raw_meta", "Twitch game id", key=True),
    column("rank", sa.SmallInteger, "raw_stat", "position by viewers, 1 is the top"),
    column("game_name", sa.Text, "raw_meta", "game name"),
    column("crawl_at", Timestamp, "ops", _CRAWL_AT),
    column("fetch_id", UUID(as_uuid=False), "ops", FETCH),
    comment="Most watched games on Twitch, one row per crawl and game.",
)

clip_radar = partitioned(
    "clip_radar",
    "collection",
    "observed_at",
    column("observed_at", Timestamp, "ops", _OBSERVED, key=True),
    column("game_id", sa.Text, "raw_meta", "Twitch game id", key=True),
    column("clip_id", sa.Text, "raw_meta", "Twitch clip id", key=True),
    column("broadcaster_id", sa.Text, "raw_meta", "channel the clip was taken from"),
    column("broadcaster_name", sa.Text, "raw_meta", "its display name"),
    column("creator_id", sa.Text, "raw_meta", "user who clipped"),
    column("video_id", sa.Text, "raw_meta", "source video; '' when none"),
    column("title", sa.Text, "raw_meta", "clip title"),
    column("view_count", sa.BigInteger, "raw_stat", "views of the clip"),
    column("language", sa.Text, "raw_meta", "language"),
    column("created_at", Timestamp, "raw_meta", "when the clip was made"),
    column("duration_s", sa.REAL, "raw_meta", "length in seconds", null=True),
    column("vod_offset_s", sa.Integer, "raw_meta", "offset into the source video", null=True),
    column("thumbnail_url", sa.Text, "raw_meta", "thumbnail", null=True),
    column("crawl_at", Timestamp, "ops", _CRAWL_AT),
    column("fetch_id", UUID(as_uuid=False), "ops", FETCH),
    comment="Recent clips of each tracked game with their views, one row per crawl and clip.",
)
