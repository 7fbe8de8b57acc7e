"""The record: schemas, tables, comments and the read-only role's rights.

Written out rather than taken from `aurastream.store.tables`, which goes on changing: a revision has
to mean the same for every database it is applied to.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SCHEMAS = (
    "collection",
    "intelligence",
    "aggregation",
    "reporting",
    "generation",
    "maintenance",
    "operations",
    "app",
    "marts",
)
# What belongs to people is not for analysts; of operations they get table by table what they may.
_OPEN_SCHEMAS = tuple(name for name in _SCHEMAS if name not in {"app", "operations"})
# Everything but the raw bodies of API answers.
_OPEN_OPERATIONS = {
    "analysis_inputs": "",
    "categories": "",
    "collection_state": "",
    "crawls": "",
    "fetch_log": "",
    "heads": "",
    "installation": "",
    "leadership": "",
    "quarantine": " (occurred_at, quarantine_id, source, item_id, reason, fetch_id)",
    "quota_exhaustion": "",
    "quota_ledger": "",
}


def _create_collection() -> None:
    op.create_table(
        "clip_radar",
        sa.Column(
            "observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the platform answered, by the platform's clock",
        ),
        sa.Column("game_id", sa.Text(), nullable=False, comment="Twitch game id"),
        sa.Column("clip_id", sa.Text(), nullable=False, comment="Twitch clip id"),
        sa.Column(
            "broadcaster_id", sa.Text(), nullable=False, comment="channel the clip was taken from"
        ),
        sa.Column("broadcaster_name", sa.Text(), nullable=False, comment="its display name"),
        sa.Column("creator_id", sa.Text(), nullable=False, comment="user who clipped"),
        sa.Column("video_id", sa.Text(), nullable=False, comment="source video; '' when none"),
        sa.Column("title", sa.Text(), nullable=False, comment="clip title"),
        sa.Column("view_count", sa.BigInteger(), nullable=False, comment="views of the clip"),
        sa.Column("language", sa.Text(), nullable=False, comment="language"),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the clip was made",
        ),
        sa.Column("duration_s", sa.REAL(), nullable=True, comment="length in seconds"),
        sa.Column(
            "vod_offset_s", sa.Integer(), nullable=True, comment="offset into the source video"
        ),
        sa.Column("thumbnail_url", sa.Text(), nullable=True, comment="thumbnail"),
        sa.Column(
            "crawl_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the crawl this row belongs to; the same for all rows of one crawl",
        ),
        sa.Column(
            "fetch_id",
            sa.UUID(),
            nullable=False,
            comment="the API call that brought this row (operations.fetch_log)",
        ),
        sa.PrimaryKeyConstraint("observed_at", "game_id", "clip_id"),
        schema="collection",
        comment="Recent clips of each tracked game with their views, one row per crawl and clip.",
        postgresql_partition_by="RANGE (observed_at)",
    )
    op.create_table(
        "twitch_streams",
        sa.Column(
            "observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the platform answered, by the platform's clock",
        ),
        sa.Column(
            "game_id", sa.Text(), nullable=False, comment="Twitch game id; '' is uncategorised"
        ),
        sa.Column("stream_id", sa.Text(), nullable=False, comment="Twitch stream id"),
        sa.Column(
            "rank",
            sa.SmallInteger(),
            nullable=False,
            comment="position by viewers within game and crawl, 1 is top",
        ),
        sa.Column("user_id", sa.Text(), nullable=False, comment="Twitch user id"),
        sa.Column("user_login", sa.Text(), nullable=False, comment="login name"),
        sa.Column("user_name", sa.Text(), nullable=False, comment="display name"),
        sa.Column("title", sa.Text(), nullable=False, comment="stream title"),
        sa.Column("viewer_count", sa.Integer(), nullable=False, comment="concurrent viewers"),
        sa.Column(
            "started_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="start of the stream"
        ),
        sa.Column("language", sa.Text(), nullable=False, comment="language the broadcaster chose"),
        sa.Column("tags", ARRAY(sa.Text()), nullable=False, comment="tags; empty when none"),
        sa.Column("is_mature", sa.Boolean(), nullable=True, comment="marked as mature"),
        sa.Column(
            "crawl_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the crawl this row belongs to; the same for all rows of one crawl",
        ),
        sa.Column(
            "fetch_id",
            sa.UUID(),
            nullable=False,
            comment="the API call that brought this row (operations.fetch_log)",
        ),
        sa.PrimaryKeyConstraint("observed_at", "game_id", "stream_id"),
        schema="collection",
        comment="Top 100 live streams of each tracked game, one row per crawl, game and stream.",
        postgresql_partition_by="RANGE (observed_at)",
    )
    op.create_table(
        "twitch_top_games",
        sa.Column(
            "observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the platform answered, by the platform's clock",
        ),
        sa.Column("game_id", sa.Text(), nullable=False, comment="Twitch game id"),
        sa.Column(
            "rank", sa.SmallInteger(), nullable=False, comment="position by viewers, 1 is the top"
        ),
        sa.Column("game_name", sa.Text(), nullable=False, comment="game name"),
        sa.Column(
            "crawl_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the crawl this row belongs to; the same for all rows of one crawl",
        ),
        sa.Column(
            "fetch_id",
            sa.UUID(),
            nullable=False,
            comment="the API call that brought this row (operations.fetch_log)",
        ),
        sa.PrimaryKeyConstraint("observed_at", "game_id"),
        schema="collection",
        comment="Most watched games on Twitch, one row per crawl and game.",
        postgresql_partition_by="RANGE (observed_at)",
    )
    op.create_table(
        "youtube_channels",
        sa.Column(
            "observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the platform answered, by the platform's clock",
        ),
        sa.Column("channel_id", sa.Text(), nullable=False, comment="YouTube channel id"),
        sa.Column("title", sa.Text(), nullable=False, comment="channel name"),
        sa.Column("country", sa.Text(), nullable=True, comment="country the channel declares"),
        sa.Column(
            "published_at",
            sa.TIMESTAMP(timezone=True),
            nullable=True,
            comment="creation of the channel",
        ),
        sa.Column("views", sa.BigInteger(), nullable=True, comment="all-time views"),
        sa.Column(
            "subscribers", sa.BigInteger(), nullable=True, comment="subscribers; null when hidden"
        ),
        sa.Column("videos", sa.BigInteger(), nullable=True, comment="public videos"),
        sa.Column(
            "fetch_id",
            sa.UUID(),
            nullable=False,
            comment="the API call that brought this row (operations.fetch_log)",
        ),
        sa.PrimaryKeyConstraint("observed_at", "channel_id"),
        schema="collection",
        comment="Counters of the channels behind the tracked games' videos.",
        postgresql_partition_by="RANGE (observed_at)",
    )
    op.create_table(
        "youtube_games",
        sa.Column(
            "observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the platform answered, by the platform's clock",
        ),
        sa.Column(
            "game", sa.Text(), nullable=False, comment="tracked game the classifier assigned"
        ),
        sa.Column("video_id", sa.Text(), nullable=False, comment="YouTube video id"),
        sa.Column("views", sa.BigInteger(), nullable=True, comment="viewCount; null when hidden"),
        sa.Column(
            "likes", sa.BigInteger(), nullable=True, comment="likeCount; null when hidden, never 0"
        ),
        sa.Column(
            "comments", sa.BigInteger(), nullable=True, comment="commentCount; null when disabled"
        ),
        sa.Column(
            "concurrent_viewers", sa.BigInteger(), nullable=True, comment="live viewers, while live"
        ),
        sa.Column(
            "confidence",
            sa.REAL(),
            nullable=False,
            comment="classifier confidence, 0–1, higher is surer",
        ),
        sa.Column("rule", sa.Text(), nullable=False, comment="classifier rule that matched"),
        sa.Column(
            "classifier_version",
            sa.Text(),
            nullable=False,
            comment="version of the classifier's rules",
        ),
        sa.Column("discovered_by", sa.Text(), nullable=False, comment="chart, search or refresh"),
        sa.Column(
            "metadata_hash",
            sa.Text(),
            nullable=False,
            comment="metadata version of the video (collection.youtube_videos)",
        ),
        sa.Column(
            "crawl_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the crawl this row belongs to; the same for all rows of one crawl",
        ),
        sa.Column(
            "fetch_id",
            sa.UUID(),
            nullable=False,
            comment="the API call that brought this row (operations.fetch_log)",
        ),
        sa.PrimaryKeyConstraint("observed_at", "game", "video_id"),
        schema="collection",
        comment="Counters of the videos of each tracked game, one row per crawl, game and video.",
        postgresql_partition_by="RANGE (observed_at)",
    )
    op.create_table(
        "youtube_trending",
        sa.Column(
            "observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the platform answered, by the platform's clock",
        ),
        sa.Column(
            "chart",
            sa.Text(),
            nullable=False,
            comment="chart category: trending, gaming, music or movies",
        ),
        sa.Column(
            "region", sa.Text(), nullable=False, comment="ISO 3166-1 alpha-2 region of the chart"
        ),
        sa.Column("video_id", sa.Text(), nullable=False, comment="YouTube video id"),
        sa.Column(
            "rank", sa.SmallInteger(), nullable=False, comment="position in the chart, 1 is the top"
        ),
        sa.Column("views", sa.BigInteger(), nullable=True, comment="viewCount; null when hidden"),
        sa.Column(
            "likes", sa.BigInteger(), nullable=True, comment="likeCount; null when hidden, never 0"
        ),
        sa.Column(
            "comments", sa.BigInteger(), nullable=True, comment="commentCount; null when disabled"
        ),
        sa.Column(
            "concurrent_viewers", sa.BigInteger(), nullable=True, comment="live viewers, while live"
        ),
        sa.Column(
            "metadata_hash",
            sa.Text(),
            nullable=False,
            comment="metadata version of the video (collection.youtube_videos)",
        ),
        sa.Column(
            "crawl_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the crawl this row belongs to; the same for all rows of one crawl",
        ),
        sa.Column(
            "fetch_id",
            sa.UUID(),
            nullable=False,
            comment="the API call that brought this row (operations.fetch_log)",
        ),
        sa.PrimaryKeyConstraint("observed_at", "chart", "region", "video_id"),
        schema="collection",
        comment="Rows of videos.list chart=mostPopular, one per crawl, chart, region and video.",
        postgresql_partition_by="RANGE (observed_at)",
    )
    op.create_table(
        "youtube_videos",
        sa.Column("video_id", sa.Text(), nullable=False, comment="YouTube video id"),
        sa.Column(
            "metadata_hash",
            sa.Text(),
            nullable=False,
            comment="sha256 prefix over all columns below",
        ),
        sa.Column(
            "first_observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when this version was first seen",
        ),
        sa.Column("title", sa.Text(), nullable=False, comment="title as the API gave it"),
        sa.Column("description", sa.Text(), nullable=False, comment="description"),
        sa.Column(
            "tags",
            ARRAY(sa.Text()),
            nullable=False,
            comment="tags in the creator's order; empty when none",
        ),
        sa.Column("channel_id", sa.Text(), nullable=False, comment="YouTube channel id"),
        sa.Column("channel_title", sa.Text(), nullable=False, comment="channel name"),
        sa.Column("category_id", sa.Integer(), nullable=True, comment="YouTube category id"),
        sa.Column(
            "published_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="publication time"
        ),
        sa.Column(
            "duration_s",
            sa.Integer(),
            nullable=True,
            comment="length in seconds; null for P0D and live",
        ),
        sa.Column("definition", sa.Text(), nullable=True, comment="hd or sd"),
        sa.Column("has_captions", sa.Boolean(), nullable=True, comment="captions are available"),
        sa.Column("is_licensed", sa.Boolean(), nullable=True, comment="licensed content"),
        sa.Column(
            "default_language", sa.Text(), nullable=True, comment="language tag of title and text"
        ),
        sa.Column("audio_language", sa.Text(), nullable=True, comment="language tag of the audio"),
        sa.Column("live_state", sa.Text(), nullable=True, comment="none, upcoming or live"),
        sa.Column(
            "scheduled_start_at",
            sa.TIMESTAMP(timezone=True),
            nullable=True,
            comment="announced start of a premiere",
        ),
        sa.Column(
            "actual_start_at",
            sa.TIMESTAMP(timezone=True),
            nullable=True,
            comment="start of the broadcast",
        ),
        sa.Column("thumbnail_url", sa.Text(), nullable=True, comment="largest thumbnail"),
        sa.Column(
            "is_made_for_kids", sa.Boolean(), nullable=True, comment="marked as made for kids"
        ),
        sa.Column(
            "topic_categories",
            ARRAY(sa.Text()),
            nullable=False,
            comment="topicDetails links; empty when none",
        ),
        sa.PrimaryKeyConstraint("video_id", "metadata_hash"),
        schema="collection",
        comment="Metadata versions of videos: a new row whenever anything but a counter changed.",
    )


def _create_intelligence() -> None:
    op.create_table(
        "category_stats",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the half-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column("sample_count", sa.Integer(), nullable=False, comment="videos in the category"),
        sa.Column(
            "outlier_count",
            sa.Integer(),
            nullable=False,
            comment="videos outside the 1.5 IQR fence of velocity",
        ),
        sa.Column(
            "views_mean", sa.Float(), nullable=True, comment="mean without outliers of views"
        ),
        sa.Column(
            "views_std",
            sa.Float(),
            nullable=True,
            comment="population standard deviation without outliers of views",
        ),
        sa.Column(
            "views_p25",
            sa.Float(),
            nullable=True,
            comment="25th percentile, linear, outliers kept of views",
        ),
        sa.Column("views_p50", sa.Float(), nullable=True, comment="median of views"),
        sa.Column("views_p75", sa.Float(), nullable=True, comment="75th percentile of views"),
        sa.Column("views_p90", sa.Float(), nullable=True, comment="90th percentile of views"),
        sa.Column(
            "velocity_mean",
            sa.Float(),
            nullable=True,
            comment="mean without outliers of lifetime velocity, views per hour",
        ),
        sa.Column(
            "velocity_std",
            sa.Float(),
            nullable=True,
            comment="population standard deviation without outliers of lifetime "
            "velocity, views per hour",
        ),
        sa.Column(
            "velocity_p25",
            sa.Float(),
            nullable=True,
            comment="25th percentile, linear, outliers kept of lifetime velocity, views per hour",
        ),
        sa.Column(
            "velocity_p50",
            sa.Float(),
            nullable=True,
            comment="median of lifetime velocity, views per hour",
        ),
        sa.Column(
            "velocity_p75",
            sa.Float(),
            nullable=True,
            comment="75th percentile of lifetime velocity, views per hour",
        ),
        sa.Column(
            "velocity_p90",
            sa.Float(),
            nullable=True,
            comment="90th percentile of lifetime velocity, views per hour",
        ),
        sa.Column(
            "engagement_mean",
            sa.Float(),
            nullable=True,
            comment="mean without outliers of engagement rate, 0–1",
        ),
        sa.Column(
            "engagement_std",
            sa.Float(),
            nullable=True,
            comment="population standard deviation without outliers of engagement rate, 0–1",
        ),
        sa.Column(
            "engagement_p25",
            sa.Float(),
            nullable=True,
            comment="25th percentile, linear, outliers kept of engagement rate, 0–1",
        ),
        sa.Column(
            "engagement_p50", sa.Float(), nullable=True, comment="median of engagement rate, 0–1"
        ),
        sa.Column(
            "engagement_p75",
            sa.Float(),
            nullable=True,
            comment="75th percentile of engagement rate, 0–1",
        ),
        sa.Column(
            "engagement_p90",
            sa.Float(),
            nullable=True,
            comment="90th percentile of engagement rate, 0–1",
        ),
        sa.Column(
            "baseline_velocity_per_hour",
            sa.Float(),
            nullable=False,
            comment="median velocity of the p25–p75 slice; the category's default under 30 videos",
        ),
        sa.Column("baseline_source", sa.Text(), nullable=False, comment="dynamic or default"),
        sa.PrimaryKeyConstraint("window_start", "category"),
        schema="intelligence",
        comment="Distribution of views, velocity and engagement of each category in the window.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "competition",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the half-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="tracked game"),
        sa.Column(
            "observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=True,
            comment="newest stream crawl at or before as_of",
        ),
        sa.Column(
            "live_count",
            sa.Integer(),
            nullable=False,
            comment="live streams seen (at most 100 per game)",
        ),
        sa.Column(
            "viewer_total", sa.BigInteger(), nullable=False, comment="their concurrent viewers"
        ),
        sa.Column(
            "baseline_live_count",
            sa.Float(),
            nullable=True,
            comment="usual streams at this hour of week",
        ),
        sa.Column(
            "baseline_n", sa.Integer(), nullable=False, comment="samples behind the baseline"
        ),
        sa.Column(
            "saturation_score", sa.Float(), nullable=False, comment="0–100, higher is less crowded"
        ),
        sa.Column(
            "hhi", sa.Float(), nullable=True, comment="Herfindahl–Hirschman index of viewers, 0–1"
        ),
        sa.Column(
            "hhi_lower", sa.Float(), nullable=True, comment="lower bound over the unobserved tail"
        ),
        sa.Column(
            "hhi_upper", sa.Float(), nullable=True, comment="upper bound over the unobserved tail"
        ),
        sa.Column("concentration_band", sa.Text(), nullable=True, comment="LOW, MODERATE or HIGH"),
        sa.Column(
            "concentration_score",
            sa.Float(),
            nullable=False,
            comment="0–100, higher is less concentrated",
        ),
        sa.Column(
            "ease_score",
            sa.Float(),
            nullable=False,
            comment="0–100, higher is easier to compete in",
        ),
        sa.Column(
            "is_peak",
            sa.Boolean(),
            nullable=False,
            comment="the window lies in the audience's peak hours",
        ),
        sa.Column(
            "confidence_pct",
            sa.Float(),
            nullable=False,
            comment="freshness and baseline confidence, 0–100",
        ),
        sa.PrimaryKeyConstraint("window_start", "category"),
        schema="intelligence",
        comment="How hard it is to be seen on Twitch in each game, as known at the window's end.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "opportunity",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the half-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column("viral_count", sa.Integer(), nullable=False, comment="videos of class VIRAL"),
        sa.Column("rising_count", sa.Integer(), nullable=False, comment="videos of class RISING"),
        sa.Column("sample_count", sa.Integer(), nullable=False, comment="videos in the category"),
        sa.Column(
            "velocity_ratio", sa.Float(), nullable=True, comment="mean without outliers / baseline"
        ),
        sa.Column("trend_part", sa.Float(), nullable=False, comment="0–100, weight .4"),
        sa.Column("velocity_part", sa.Float(), nullable=False, comment="0–100, weight .3"),
        sa.Column(
            "ease_part",
            sa.Float(),
            nullable=False,
            comment="0–100, weight .3; 50 when there is no Twitch data",
        ),
        sa.Column(
            "peak_factor",
            sa.Float(),
            nullable=False,
            comment="0.85 in the audience's peak hours, else 1",
        ),
        sa.Column(
            "opportunity_score",
            sa.Float(),
            nullable=True,
            comment="0–100, higher is better; null under the minimum sample",
        ),
        sa.Column(
            "confidence_pct",
            sa.Float(),
            nullable=False,
            comment="0–100: freshness, sample and competition",
        ),
        sa.PrimaryKeyConstraint("window_start", "category"),
        schema="intelligence",
        comment="Where a new video or stream has the best chance, as known at the window's end.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "video_velocity",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the half-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column("video_id", sa.Text(), nullable=False, comment="YouTube video id"),
        sa.Column("channel_id", sa.Text(), nullable=False, comment="YouTube channel id"),
        sa.Column(
            "observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="newest snapshot of the video at or before as_of",
        ),
        sa.Column(
            "published_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="publication time"
        ),
        sa.Column(
            "age_h", sa.Float(), nullable=True, comment="hours from publication to observed_at"
        ),
        sa.Column(
            "best_rank", sa.SmallInteger(), nullable=True, comment="best chart rank over regions"
        ),
        sa.Column(
            "region_count",
            sa.SmallInteger(),
            nullable=False,
            comment="regions whose chart shows the video",
        ),
        sa.Column("views", sa.BigInteger(), nullable=True, comment="views at observed_at"),
        sa.Column("likes", sa.BigInteger(), nullable=True, comment="likes at observed_at"),
        sa.Column("comments", sa.BigInteger(), nullable=True, comment="comments at observed_at"),
        sa.Column("duration_s", sa.Integer(), nullable=True, comment="length in seconds"),
        sa.Column(
            "audio_language",
            sa.Text(),
            nullable=False,
            comment="audio tag, else title tag, else und",
        ),
        sa.Column(
            "lifetime_velocity_per_hour",
            sa.Float(),
            nullable=True,
            comment="views / max(0.5 h, age); 0 or more, higher is faster",
        ),
        sa.Column(
            "velocity_now_per_hour",
            sa.Float(),
            nullable=True,
            comment="views gained per hour between the two snapshots that span the trailing window",
        ),
        sa.Column(
            "velocity_now_span_h",
            sa.Float(),
            nullable=True,
            comment="hours between those snapshots",
        ),
        sa.Column(
            "velocity_now_n",
            sa.Integer(),
            nullable=False,
            comment="snapshots in the trailing window",
        ),
        sa.Column(
            "views_fell",
            sa.Boolean(),
            nullable=False,
            comment="the counter fell, so velocity_now is null",
        ),
        sa.Column(
            "engagement_rate", sa.Float(), nullable=True, comment="(likes + comments) / views, 0–1"
        ),
        sa.Column(
            "freshness", sa.Text(), nullable=False, comment="FRESH, RECENT, STALE, OLD or EXPIRED"
        ),
        sa.Column(
            "confidence_pct",
            sa.Float(),
            nullable=False,
            comment="interpolated freshness confidence, 0–100",
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "video_id"),
        schema="intelligence",
        comment="How fast each charted or tracked video gathers views, as "
        "known at the window's end.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "viral_scores",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the half-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column("video_id", sa.Text(), nullable=False, comment="YouTube video id"),
        sa.Column(
            "trend_class",
            sa.Text(),
            nullable=False,
            comment="VIRAL, RISING, STABLE, FALLING or UNKNOWN",
        ),
        sa.Column(
            "viral_score",
            sa.Float(),
            nullable=True,
            comment="percentile score of velocity within the category, 0–100, higher is more viral",
        ),
        sa.Column(
            "velocity_z",
            sa.Float(),
            nullable=True,
            comment="z-score of velocity within the category",
        ),
        sa.Column(
            "views_score", sa.Float(), nullable=True, comment="percentile score of views, 0–100"
        ),
        sa.Column(
            "engagement_score", sa.Float(), nullable=True, comment="percentile score of engagement"
        ),
        sa.Column(
            "decayed_score", sa.Float(), nullable=True, comment="viral_score × confidence / 100"
        ),
        sa.Column(
            "confidence_pct",
            sa.Float(),
            nullable=False,
            comment="freshness and sample-size confidence, 0–100",
        ),
        sa.Column(
            "sample_count", sa.Integer(), nullable=False, comment="videos the percentiles rest on"
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "video_id"),
        schema="intelligence",
        comment="How viral each video is against its category in the window.",
        postgresql_partition_by="RANGE (window_start)",
    )


def _create_operations() -> None:
    op.create_table(
        "analysis_inputs",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the analysed window",
        ),
        sa.Column(
            "dataset",
            sa.Text(),
            nullable=False,
            comment="for example intelligence/title_intel",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column("code_version", sa.Text(), nullable=False, comment="version of the formula"),
        sa.Column(
            "input_hash",
            sa.Text(),
            nullable=False,
            comment="fingerprint of what the analysis read, 16 digits",
        ),
        sa.Column("input_rows", sa.Integer(), nullable=False, comment="rows it read"),
        sa.Column(
            "source_window",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="the window whose equal input was computed; its own start when it was "
            "computed here",
        ),
        sa.PrimaryKeyConstraint("window_start", "dataset", "category"),
        schema="operations",
        comment="The proof that an unchanged category was rightly not analysed again.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "categories",
        sa.Column("category", sa.Text(), nullable=False, comment="slug"),
        sa.Column("kind", sa.Text(), nullable=False, comment="chart or game"),
        sa.Column("title", sa.Text(), nullable=False, comment="display name"),
        sa.Column(
            "youtube_category_id", sa.Integer(), nullable=True, comment="videoCategoryId of a chart"
        ),
        sa.Column("twitch_game_id", sa.Text(), nullable=True, comment="Twitch game id"),
        sa.Column(
            "twitch_game_name", sa.Text(), nullable=True, comment="Twitch's name of the game"
        ),
        sa.Column("priority", sa.SmallInteger(), nullable=False, comment="1 is collected first"),
        sa.Column(
            "interval_minutes", sa.Integer(), nullable=False, comment="base collection interval"
        ),
        sa.Column("max_videos", sa.Integer(), nullable=False, comment="videos refreshed per crawl"),
        sa.Column(
            "baseline_velocity_per_hour",
            sa.Float(),
            nullable=False,
            comment="default until enough is known",
        ),
        sa.Column(
            "audience_timezone", sa.Text(), nullable=False, comment="IANA zone of the peak hours"
        ),
        sa.Column("rules", JSONB(), nullable=False, comment="classifier rules of a game"),
        sa.Column("is_enabled", sa.Boolean(), nullable=False, comment="collected when true"),
        sa.PrimaryKeyConstraint("category"),
        schema="operations",
        comment="The charts and games that are tracked: data, so that one is added without code.",
    )
    op.create_table(
        "collection_state",
        sa.Column(
            "dataset", sa.Text(), nullable=False, comment="for example collection/youtube_games"
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart or game"),
        sa.Column(
            "last_crawl_at",
            sa.TIMESTAMP(timezone=True),
            nullable=True,
            comment="last finished crawl",
        ),
        sa.Column("membership_hash", sa.Text(), nullable=True, comment="of the last crawl"),
        sa.Column(
            "unchanged_count",
            sa.Integer(),
            nullable=False,
            comment="crawls in a row without a membership change",
        ),
        sa.Column("failure_count", sa.Integer(), nullable=False, comment="failed crawls in a row"),
        sa.PrimaryKeyConstraint("dataset", "category"),
        schema="operations",
        comment="What the planner remembers of each category between crawls.",
    )
    op.create_table(
        "crawls",
        sa.Column(
            "crawl_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="start of the crawl"
        ),
        sa.Column(
            "dataset", sa.Text(), nullable=False, comment="for example collection/youtube_trending"
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart or game"),
        sa.Column(
            "region", sa.Text(), nullable=False, comment="region, or '' where it does not apply"
        ),
        sa.Column(
            "observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=True,
            comment="last answer of the crawl",
        ),
        sa.Column(
            "expected", sa.Integer(), nullable=True, comment="items the platform led us to expect"
        ),
        sa.Column("got", sa.Integer(), nullable=False, comment="items stored"),
        sa.Column("rejected", sa.Integer(), nullable=False, comment="items quarantined"),
        sa.Column("is_complete", sa.Boolean(), nullable=False, comment="false for a partial crawl"),
        sa.Column(
            "reason", sa.Text(), nullable=False, comment="why it is incomplete, '' otherwise"
        ),
        sa.Column(
            "membership_hash", sa.Text(), nullable=False, comment="which items with which metadata"
        ),
        sa.Column("stats_hash", sa.Text(), nullable=False, comment="their counters"),
        sa.PrimaryKeyConstraint("crawl_at", "dataset", "category", "region"),
        schema="operations",
        comment="What each crawl expected and got, per category and region.",
        postgresql_partition_by="RANGE (crawl_at)",
    )
    op.create_table(
        "fetch_log",
        sa.Column(
            "observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the answer came",
        ),
        sa.Column("fetch_id", sa.UUID(), nullable=False, comment="one API call"),
        sa.Column("platform", sa.Text(), nullable=False, comment="youtube or twitch"),
        sa.Column(
            "endpoint", sa.Text(), nullable=False, comment="for example videos.list or streams"
        ),
        sa.Column("params", JSONB(), nullable=False, comment="query without credentials"),
        sa.Column(
            "status",
            sa.SmallInteger(),
            nullable=True,
            comment="HTTP status; null when there was no answer",
        ),
        sa.Column(
            "outcome", sa.Text(), nullable=False, comment="ok, not_modified, or the error class"
        ),
        sa.Column("items", sa.Integer(), nullable=False, comment="items accepted"),
        sa.Column("rejected", sa.Integer(), nullable=False, comment="items sent to quarantine"),
        sa.Column(
            "attempts", sa.SmallInteger(), nullable=False, comment="tries including the last"
        ),
        sa.Column("duration_ms", sa.REAL(), nullable=False, comment="wall time of the last try"),
        sa.Column("units", sa.Integer(), nullable=False, comment="quota units it cost"),
        sa.Column("bucket", sa.Text(), nullable=False, comment="quota bucket"),
        sa.Column(
            "run_id", sa.Text(), nullable=True, comment="Dagster run, or the name of the loader"
        ),
        sa.PrimaryKeyConstraint("observed_at", "fetch_id"),
        schema="operations",
        comment="One row per API call: what was asked, what came, what it cost.",
        postgresql_partition_by="RANGE (observed_at)",
    )
    op.create_table(
        "heads",
        sa.Column("head_id", sa.Text(), nullable=False, comment="application name of the head"),
        sa.Column("host", sa.Text(), nullable=False, comment="host name"),
        sa.Column("pid", sa.Integer(), nullable=False, comment="process id"),
        sa.Column("state", sa.Text(), nullable=False, comment="INITIALIZING … STOPPED"),
        sa.Column("is_leader", sa.Boolean(), nullable=False, comment="holds the lock"),
        sa.Column(
            "started_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="server clock"
        ),
        sa.Column("seen_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="server clock"),
        sa.Column("detail", sa.Text(), nullable=False, comment="why it is in this state"),
        sa.PrimaryKeyConstraint("head_id"),
        schema="operations",
        comment="Every head that has run, with its state.",
    )
    op.create_table(
        "installation",
        sa.Column("singleton", sa.Boolean(), nullable=False, comment="always true: one row"),
        sa.Column(
            "origin",
            sa.Text(),
            nullable=False,
            comment="replay or live: where every row of the record comes from",
        ),
        sa.Column(
            "policy_mode",
            sa.Text(),
            nullable=True,
            comment="strict or amended, the operator's choice",
        ),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the record was claimed, server clock",
        ),
        sa.PrimaryKeyConstraint("singleton"),
        schema="operations",
        comment="What this record is, written before its first crawl: replayed and live never mix.",
    )
    op.create_table(
        "leadership",
        sa.Column("singleton", sa.Boolean(), nullable=False, comment="always true: one row"),
        sa.Column(
            "holder", sa.Text(), nullable=False, comment="application name of the leading head"
        ),
        sa.Column(
            "epoch",
            sa.BigInteger(),
            nullable=False,
            comment="fencing token, grows with every take-over",
        ),
        sa.Column(
            "acquired_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the leadership, server clock",
        ),
        sa.Column(
            "heartbeat_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="last heartbeat, server clock",
        ),
        sa.PrimaryKeyConstraint("singleton"),
        schema="operations",
        comment="Who leads: the process that holds the advisory lock and ticks.",
    )
    op.create_table(
        "quarantine",
        sa.Column(
            "occurred_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when it was rejected",
        ),
        sa.Column("quarantine_id", sa.UUID(), nullable=False, comment="row id"),
        sa.Column("source", sa.Text(), nullable=False, comment="dataset or endpoint"),
        sa.Column(
            "item_id", sa.Text(), nullable=True, comment="the item's id where it could be read"
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="why it was rejected"),
        sa.Column("raw", sa.Text(), nullable=False, comment="the raw body of the item"),
        sa.Column(
            "fetch_id",
            sa.UUID(),
            nullable=True,
            comment="the API call that brought this row (operations.fetch_log)",
        ),
        sa.PrimaryKeyConstraint("occurred_at", "quarantine_id"),
        schema="operations",
        comment="Every rejected item with its reason and raw body.",
        postgresql_partition_by="RANGE (occurred_at)",
    )
    op.create_table(
        "quota_exhaustion",
        sa.Column("platform", sa.Text(), nullable=False, comment="youtube or twitch"),
        sa.Column("bucket", sa.Text(), nullable=False, comment="quota bucket"),
        sa.Column(
            "quota_date",
            sa.Date(),
            nullable=False,
            comment="Pacific date on which the platform refused",
        ),
        sa.Column(
            "reported_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the platform said so",
        ),
        sa.PrimaryKeyConstraint("platform", "bucket", "quota_date"),
        schema="operations",
        comment="Buckets that the platform itself declared exhausted, whatever our sum says.",
    )
    op.create_table(
        "quota_ledger",
        sa.Column("reservation_id", sa.UUID(), nullable=False, comment="one reservation"),
        sa.Column("platform", sa.Text(), nullable=False, comment="youtube or twitch"),
        sa.Column("bucket", sa.Text(), nullable=False, comment="quota bucket"),
        sa.Column(
            "quota_date",
            sa.Date(),
            nullable=False,
            comment="America/Los_Angeles date of the reservation",
        ),
        sa.Column("endpoint", sa.Text(), nullable=False, comment="for example videos.list"),
        sa.Column("purpose", sa.Text(), nullable=False, comment="dataset the call serves"),
        sa.Column(
            "units_reserved",
            sa.Integer(),
            nullable=False,
            comment="units set aside before the call",
        ),
        sa.Column(
            "units_settled",
            sa.Integer(),
            nullable=True,
            comment="units it really cost; null while open",
        ),
        sa.Column(
            "reserved_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when it was reserved",
        ),
        sa.Column(
            "settled_at",
            sa.TIMESTAMP(timezone=True),
            nullable=True,
            comment="when it was settled or released",
        ),
        sa.PrimaryKeyConstraint("reservation_id"),
        schema="operations",
        comment="Quota reservations and settlements; what remains is a sum over this table.",
    )
    op.create_index(
        "ix_quota_ledger_day",
        "quota_ledger",
        ["platform", "bucket", "quota_date"],
        unique=False,
        schema="operations",
    )


def upgrade() -> None:
    """Apply the revision."""
    # Dagster keeps its own tables in a schema of the same database.
    for name in (*_SCHEMAS, "dagster"):
        op.execute(f'CREATE SCHEMA IF NOT EXISTS "{name}"')
    _create_collection()
    _create_intelligence()
    _create_operations()
    for name in _OPEN_SCHEMAS:
        op.execute(f'GRANT USAGE ON SCHEMA "{name}" TO aurastream_reader')
        op.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{name}" TO aurastream_reader')
        op.execute(
            f'ALTER DEFAULT PRIVILEGES IN SCHEMA "{name}" '
            "GRANT SELECT ON TABLES TO aurastream_reader"
        )
    op.execute("GRANT USAGE ON SCHEMA operations TO aurastream_reader")
    for table, columns in _OPEN_OPERATIONS.items():
        op.execute(f"GRANT SELECT{columns} ON operations.{table} TO aurastream_reader")


def downgrade() -> None:
    """Undo the revision."""
    for name in reversed(_SCHEMAS):
        if name != "operations":  # holds the version table, which Alembic still needs
            op.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')
    for table in _OPEN_OPERATIONS:
        op.execute(f"DROP TABLE IF EXISTS operations.{table} CASCADE")
