"""Every table of the record, column by column: type, meaning and policy class.

The asset ``["collection", "youtube_trending"]`` is the table ``collection.youtube_trending``.
This module is the one place where columns are described: migrations create the tables and their
SQL comments from it, the graph takes its column schemas from it, and the frame I/O casts to it.

Policy classes (``column.info["policy"]``) say what the platforms' terms allow:
``raw_meta`` titles, names, descriptions; ``raw_stat`` counters; ``derived`` our scores;
``own`` our decisions and settings; ``ops`` operational records.
"""

from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

__all__ = [
    "PARTITIONED",
    "SCHEMAS",
    "PolicyClass",
    "metadata",
    "table_for",
]

PolicyClass = Literal["raw_meta", "raw_stat", "derived", "own", "ops"]

SCHEMAS = (
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

metadata = sa.MetaData()

_Timestamp = sa.TIMESTAMP(timezone=True)


def _c(
    name: str,
    type_: Any,  # noqa: ANN401 # SQLAlchemy takes a type class or a type instance
    policy: PolicyClass,
    comment: str,
    *,
    null: bool = False,
    key: bool = False,
) -> sa.Column[Any]:
    return sa.Column(
        name,
        type_,
        nullable=null,
        primary_key=key,
        autoincrement=False,
        comment=comment,
        info={"policy": policy},
    )


def _partitioned(name: str, schema: str, by: str, *items: Any, comment: str) -> sa.Table:  # noqa: ANN401 # columns and constraints
    return sa.Table(
        name,
        metadata,
        *items,
        schema=schema,
        comment=comment,
        postgresql_partition_by=f"RANGE ({by})",
        info={"partition_by": by},
    )


# --- collection: append-only snapshots, observed_at from the answer ------------------------------

_FETCH = "the API call that brought this row (operations.fetch_log)"
_CRAWL_AT = "start of the crawl this row belongs to; the same for all rows of one crawl"
_OBSERVED = "when the platform answered, by the platform's clock"
_HASH = "metadata version of the video (collection.youtube_videos)"

youtube_trending = _partitioned(
    "youtube_trending",
    "collection",
    "observed_at",
    _c("observed_at", _Timestamp, "ops", _OBSERVED, key=True),
    _c("chart", sa.Text, "own", "chart category: trending, gaming, music or movies", key=True),
    _c("region", sa.Text, "own", "ISO 3166-1 alpha-2 region of the chart", key=True),
    _c("video_id", sa.Text, "raw_meta", "YouTube video id", key=True),
    _c("rank", sa.SmallInteger, "raw_stat", "position in the chart, 1 is the top"),
    _c("views", sa.BigInteger, "raw_stat", "viewCount; null when hidden", null=True),
    _c("likes", sa.BigInteger, "raw_stat", "likeCount; null when hidden, never 0", null=True),
    _c("comments", sa.BigInteger, "raw_stat", "commentCount; null when disabled", null=True),
    _c("concurrent_viewers", sa.BigInteger, "raw_stat", "live viewers, while live", null=True),
    _c("metadata_hash", sa.Text, "ops", _HASH),
    _c("crawl_at", _Timestamp, "ops", _CRAWL_AT),
    _c("fetch_id", UUID(as_uuid=False), "ops", _FETCH),
    comment="Rows of videos.list chart=mostPopular, one per crawl, chart, region and video.",
)

youtube_games = _partitioned(
    "youtube_games",
    "collection",
    "observed_at",
    _c("observed_at", _Timestamp, "ops", _OBSERVED, key=True),
    _c("game", sa.Text, "own", "tracked game the classifier assigned", key=True),
    _c("video_id", sa.Text, "raw_meta", "YouTube video id", key=True),
    _c("views", sa.BigInteger, "raw_stat", "viewCount; null when hidden", null=True),
    _c("likes", sa.BigInteger, "raw_stat", "likeCount; null when hidden, never 0", null=True),
    _c("comments", sa.BigInteger, "raw_stat", "commentCount; null when disabled", null=True),
    _c("concurrent_viewers", sa.BigInteger, "raw_stat", "live viewers, while live", null=True),
    _c("confidence", sa.REAL, "derived", "classifier confidence, 0–1, higher is surer"),
    _c("rule", sa.Text, "derived", "classifier rule that matched"),
    _c("classifier_version", sa.Text, "ops", "version of the classifier's rules"),
    _c("discovered_by", sa.Text, "ops", "chart, search or refresh"),
    _c("metadata_hash", sa.Text, "ops", _HASH),
    _c("crawl_at", _Timestamp, "ops", _CRAWL_AT),
    _c("fetch_id", UUID(as_uuid=False), "ops", _FETCH),
    comment="Counters of the videos of each tracked game, one row per crawl, game and video.",
)

youtube_videos = sa.Table(
    "youtube_videos",
    metadata,
    _c("video_id", sa.Text, "raw_meta", "YouTube video id", key=True),
    _c("metadata_hash", sa.Text, "ops", "sha256 prefix over all columns below", key=True),
    _c("first_observed_at", _Timestamp, "ops", "when this version was first seen"),
    _c("title", sa.Text, "raw_meta", "title as the API gave it"),
    _c("description", sa.Text, "raw_meta", "description"),
    _c("tags", ARRAY(sa.Text), "raw_meta", "tags in the creator's order; empty when none"),
    _c("channel_id", sa.Text, "raw_meta", "YouTube channel id"),
    _c("channel_title", sa.Text, "raw_meta", "channel name"),
    _c("category_id", sa.Integer, "raw_meta", "YouTube category id", null=True),
    _c("published_at", _Timestamp, "raw_meta", "publication time", null=True),
    _c("duration_s", sa.Integer, "raw_meta", "length in seconds; null for P0D and live", null=True),
    _c("definition", sa.Text, "raw_meta", "hd or sd", null=True),
    _c("has_captions", sa.Boolean, "raw_meta", "captions are available", null=True),
    _c("is_licensed", sa.Boolean, "raw_meta", "licensed content", null=True),
    _c("default_language", sa.Text, "raw_meta", "language tag of title and text", null=True),
    _c("audio_language", sa.Text, "raw_meta", "language tag of the audio", null=True),
    _c("live_state", sa.Text, "raw_meta", "none, upcoming or live", null=True),
    _c("scheduled_start_at", _Timestamp, "raw_meta", "announced start of a premiere", null=True),
    _c("actual_start_at", _Timestamp, "raw_meta", "start of the broadcast", null=True),
    _c("actual_end_at", _Timestamp, "raw_meta", "end of the broadcast", null=True),
    _c("thumbnail_url", sa.Text, "raw_meta", "largest thumbnail", null=True),
    _c("is_made_for_kids", sa.Boolean, "raw_meta", "marked as made for kids", null=True),
    _c("topic_categories", ARRAY(sa.Text), "raw_meta", "topicDetails links; empty when none"),
    schema="collection",
    comment="Metadata versions of videos: a new row whenever anything but a counter changed.",
)

youtube_channels = _partitioned(
    "youtube_channels",
    "collection",
    "observed_at",
    _c("observed_at", _Timestamp, "ops", _OBSERVED, key=True),
    _c("channel_id", sa.Text, "raw_meta", "YouTube channel id", key=True),
    _c("title", sa.Text, "raw_meta", "channel name"),
    _c("country", sa.Text, "raw_meta", "country the channel declares", null=True),
    _c("published_at", _Timestamp, "raw_meta", "creation of the channel", null=True),
    _c("views", sa.BigInteger, "raw_stat", "all-time views", null=True),
    _c("subscribers", sa.BigInteger, "raw_stat", "subscribers; null when hidden", null=True),
    _c("videos", sa.BigInteger, "raw_stat", "public videos", null=True),
    _c("fetch_id", UUID(as_uuid=False), "ops", _FETCH),
    comment="Counters of the channels behind the tracked games' videos.",
)

twitch_streams = _partitioned(
    "twitch_streams",
    "collection",
    "observed_at",
    _c("observed_at", _Timestamp, "ops", _OBSERVED, key=True),
    _c("game_id", sa.Text, "raw_meta", "Twitch game id; '' is uncategorised", key=True),
    _c("stream_id", sa.Text, "raw_meta", "Twitch stream id", key=True),
    _c("rank", sa.SmallInteger, "derived", "position by viewers within game and crawl, 1 is top"),
    _c("user_id", sa.Text, "raw_meta", "Twitch user id"),
    _c("user_login", sa.Text, "raw_meta", "login name"),
    _c("user_name", sa.Text, "raw_meta", "display name"),
    _c("title", sa.Text, "raw_meta", "stream title"),
    _c("viewer_count", sa.Integer, "raw_stat", "concurrent viewers"),
    _c("started_at", _Timestamp, "raw_meta", "start of the stream", null=True),
    _c("language", sa.Text, "raw_meta", "language the broadcaster chose"),
    _c("tags", ARRAY(sa.Text), "raw_meta", "tags; empty when none"),
    _c("is_mature", sa.Boolean, "raw_meta", "marked as mature", null=True),
    _c("crawl_at", _Timestamp, "ops", _CRAWL_AT),
    _c("fetch_id", UUID(as_uuid=False), "ops", _FETCH),
    comment="Top 100 live streams of each tracked game, one row per crawl, game and stream.",
)

twitch_top_games = _partitioned(
    "twitch_top_games",
    "collection",
    "observed_at",
    _c("observed_at", _Timestamp, "ops", _OBSERVED, key=True),
    _c("game_id", sa.Text, "raw_meta", "Twitch game id", key=True),
    _c("rank", sa.SmallInteger, "raw_stat", "position by viewers, 1 is the top"),
    _c("game_name", sa.Text, "raw_meta", "game name"),
    _c("crawl_at", _Timestamp, "ops", _CRAWL_AT),
    _c("fetch_id", UUID(as_uuid=False), "ops", _FETCH),
    comment="Most watched games on Twitch, one row per crawl and game.",
)

clip_radar = _partitioned(
    "clip_radar",
    "collection",
    "observed_at",
    _c("observed_at", _Timestamp, "ops", _OBSERVED, key=True),
    _c("game_id", sa.Text, "raw_meta", "Twitch game id", key=True),
    _c("clip_id", sa.Text, "raw_meta", "Twitch clip id", key=True),
    _c("broadcaster_id", sa.Text, "raw_meta", "channel the clip was taken from"),
    _c("broadcaster_name", sa.Text, "raw_meta", "its display name"),
    _c("creator_id", sa.Text, "raw_meta", "user who clipped"),
    _c("video_id", sa.Text, "raw_meta", "source video; '' when none"),
    _c("title", sa.Text, "raw_meta", "clip title"),
    _c("view_count", sa.BigInteger, "raw_stat", "views of the clip"),
    _c("language", sa.Text, "raw_meta", "language"),
    _c("created_at", _Timestamp, "raw_meta", "when the clip was made"),
    _c("duration_s", sa.REAL, "raw_meta", "length in seconds", null=True),
    _c("vod_offset_s", sa.Integer, "raw_meta", "offset into the source video", null=True),
    _c("thumbnail_url", sa.Text, "raw_meta", "thumbnail", null=True),
    _c("crawl_at", _Timestamp, "ops", _CRAWL_AT),
    _c("fetch_id", UUID(as_uuid=False), "ops", _FETCH),
    comment="Recent clips of each tracked game with their views, one row per crawl and clip.",
)

# --- intelligence: pure functions of (snapshots, as_of), half-hour windows ------------------------

_WINDOW = "start of the half-hour window; as_of is its end"
_CATEGORY = "chart category or tracked game"

video_velocity = _partitioned(
    "video_velocity",
    "intelligence",
    "window_start",
    _c("window_start", _Timestamp, "ops", _WINDOW, key=True),
    _c("category", sa.Text, "own", _CATEGORY, key=True),
    _c("video_id", sa.Text, "raw_meta", "YouTube video id", key=True),
    _c("channel_id", sa.Text, "raw_meta", "YouTube channel id"),
    _c("observed_at", _Timestamp, "ops", "newest snapshot of the video at or before as_of"),
    _c("published_at", _Timestamp, "raw_meta", "publication time", null=True),
    _c("age_h", sa.Float, "derived", "hours from publication to observed_at", null=True),
    _c("best_rank", sa.SmallInteger, "raw_stat", "best chart rank over regions", null=True),
    _c("region_count", sa.SmallInteger, "derived", "regions whose chart shows the video"),
    _c("views", sa.BigInteger, "raw_stat", "views at observed_at", null=True),
    _c("likes", sa.BigInteger, "raw_stat", "likes at observed_at", null=True),
    _c("comments", sa.BigInteger, "raw_stat", "comments at observed_at", null=True),
    _c("duration_s", sa.Integer, "raw_meta", "length in seconds", null=True),
    _c("audio_language", sa.Text, "derived", "audio tag, else title tag, else und"),
    _c(
        "lifetime_velocity_per_hour",
        sa.Float,
        "derived",
        "views / max(0.5 h, age); 0 or more, higher is faster",
        null=True,
    ),
    _c(
        "velocity_now_per_hour",
        sa.Float,
        "derived",
        "views gained per hour between the two snapshots that span the trailing window",
        null=True,
    ),
    _c("velocity_now_span_h", sa.Float, "derived", "hours between those snapshots", null=True),
    _c("velocity_now_n", sa.Integer, "derived", "snapshots in the trailing window"),
    _c("views_fell", sa.Boolean, "derived", "the counter fell, so velocity_now is null"),
    _c("engagement_rate", sa.Float, "derived", "(likes + comments) / views, 0–1", null=True),
    _c("freshness", sa.Text, "derived", "FRESH, RECENT, STALE, OLD or EXPIRED"),
    _c("confidence_pct", sa.Float, "derived", "interpolated freshness confidence, 0–100"),
    comment="How fast each charted or tracked video gathers views, as known at the window's end.",
)


def _moments(metric: str, unit: str) -> list[sa.Column[Any]]:
    what = {
        "mean": "mean without outliers",
        "std": "population standard deviation without outliers",
        "p25": "25th percentile, linear, outliers kept",
        "p50": "median",
        "p75": "75th percentile",
        "p90": "90th percentile",
    }
    return [
        _c(f"{metric}_{name}", sa.Float, "derived", f"{text} of {unit}", null=True)
        for name, text in what.items()
    ]


category_stats = _partitioned(
    "category_stats",
    "intelligence",
    "window_start",
    _c("window_start", _Timestamp, "ops", _WINDOW, key=True),
    _c("category", sa.Text, "own", _CATEGORY, key=True),
    _c("sample_count", sa.Integer, "derived", "videos in the category"),
    _c("outlier_count", sa.Integer, "derived", "videos outside the 1.5 IQR fence of velocity"),
    *_moments("views", "views"),
    *_moments("velocity", "lifetime velocity, views per hour"),
    *_moments("engagement", "engagement rate, 0–1"),
    _c(
        "baseline_velocity_per_hour",
        sa.Float,
        "derived",
        "median velocity of the p25–p75 slice; the category's default under 30 videos",
    ),
    _c("baseline_source", sa.Text, "derived", "dynamic or default"),
    comment="Distribution of views, velocity and engagement of each category in the window.",
)

viral_scores = _partitioned(
    "viral_scores",
    "intelligence",
    "window_start",
    _c("window_start", _Timestamp, "ops", _WINDOW, key=True),
    _c("category", sa.Text, "own", _CATEGORY, key=True),
    _c("video_id", sa.Text, "raw_meta", "YouTube video id", key=True),
    _c("trend_class", sa.Text, "derived", "VIRAL, RISING, STABLE, FALLING or UNKNOWN"),
    _c(
        "viral_score",
        sa.Float,
        "derived",
        "percentile score of velocity within the category, 0–100, higher is more viral",
        null=True,
    ),
    _c("velocity_z", sa.Float, "derived", "z-score of velocity within the category", null=True),
    _c("views_score", sa.Float, "derived", "percentile score of views, 0–100", null=True),
    _c("engagement_score", sa.Float, "derived", "percentile score of engagement", null=True),
    _c("decayed_score", sa.Float, "derived", "viral_score × confidence / 100", null=True),
    _c("confidence_pct", sa.Float, "derived", "freshness and sample-size confidence, 0–100"),
    _c("sample_count", sa.Integer, "derived", "videos the percentiles rest on"),
    comment="How viral each video is against its category in the window.",
)

competition = _partitioned(
    "competition",
    "intelligence",
    "window_start",
    _c("window_start", _Timestamp, "ops", _WINDOW, key=True),
    _c("category", sa.Text, "own", "tracked game", key=True),
    _c("observed_at", _Timestamp, "ops", "newest stream crawl at or before as_of", null=True),
    _c("live_count", sa.Integer, "derived", "live streams seen (at most 100 per game)"),
    _c("viewer_total", sa.BigInteger, "derived", "their concurrent viewers"),
    _c("baseline_live_count", sa.Float, "derived", "usual streams at this hour of week", null=True),
    _c("baseline_n", sa.Integer, "derived", "samples behind the baseline"),
    _c("saturation_score", sa.Float, "derived", "0–100, higher is less crowded"),
    _c("hhi", sa.Float, "derived", "Herfindahl–Hirschman index of viewers, 0–1", null=True),
    _c("hhi_lower", sa.Float, "derived", "lower bound over the unobserved tail", null=True),
    _c("hhi_upper", sa.Float, "derived", "upper bound over the unobserved tail", null=True),
    _c("concentration_band", sa.Text, "derived", "LOW, MODERATE or HIGH", null=True),
    _c("concentration_score", sa.Float, "derived", "0–100, higher is less concentrated"),
    _c("ease_score", sa.Float, "derived", "0–100, higher is easier to compete in"),
    _c("is_peak", sa.Boolean, "derived", "the window lies in the audience's peak hours"),
    _c("confidence_pct", sa.Float, "derived", "freshness and baseline confidence, 0–100"),
    comment="How hard it is to be seen on Twitch in each game, as known at the window's end.",
)

opportunity = _partitioned(
    "opportunity",
    "intelligence",
    "window_start",
    _c("window_start", _Timestamp, "ops", _WINDOW, key=True),
    _c("category", sa.Text, "own", _CATEGORY, key=True),
    _c("viral_count", sa.Integer, "derived", "videos of class VIRAL"),
    _c("rising_count", sa.Integer, "derived", "videos of class RISING"),
    _c("sample_count", sa.Integer, "derived", "videos in the category"),
    _c("velocity_ratio", sa.Float, "derived", "mean without outliers / baseline", null=True),
    _c("trend_part", sa.Float, "derived", "0–100, weight .4"),
    _c("velocity_part", sa.Float, "derived", "0–100, weight .3"),
    _c("ease_part", sa.Float, "derived", "0–100, weight .3; 50 when there is no Twitch data"),
    _c("peak_factor", sa.Float, "derived", "0.85 in the audience's peak hours, else 1"),
    _c(
        "opportunity_score",
        sa.Float,
        "derived",
        "0–100, higher is better; null under the minimum sample",
        null=True,
    ),
    _c("confidence_pct", sa.Float, "derived", "0–100: freshness, sample and competition"),
    comment="Where a new video or stream has the best chance, as known at the window's end.",
)

# --- aggregation: written by dbt, declared here for their column meanings -------------------------
# dbt owns these tables (dbt_project/models/aggregation); they are not created by migrations.

# --- operations ---------------------------------------------------------------------------------

fetch_log = _partitioned(
    "fetch_log",
    "operations",
    "observed_at",
    _c("observed_at", _Timestamp, "ops", "when the answer came", key=True),
    _c("fetch_id", UUID(as_uuid=False), "ops", "one API call", key=True),
    _c("platform", sa.Text, "ops", "youtube or twitch"),
    _c("endpoint", sa.Text, "ops", "for example videos.list or streams"),
    _c("params", JSONB, "ops", "query without credentials"),
    _c("status", sa.SmallInteger, "ops", "HTTP status; null when there was no answer", null=True),
    _c("outcome", sa.Text, "ops", "ok, not_modified, or the error class"),
    _c("items", sa.Integer, "ops", "items accepted"),
    _c("rejected", sa.Integer, "ops", "items sent to quarantine"),
    _c("attempts", sa.SmallInteger, "ops", "tries including the last"),
    _c("duration_ms", sa.REAL, "ops", "wall time of the last try"),
    _c("units", sa.Integer, "ops", "quota units it cost"),
    _c("bucket", sa.Text, "ops", "quota bucket"),
    _c("run_id", sa.Text, "ops", "Dagster run, or the name of the loader", null=True),
    comment="One row per API call: what was asked, what came, what it cost.",
)

crawls = _partitioned(
    "crawls",
    "operations",
    "crawl_at",
    _c("crawl_at", _Timestamp, "ops", "start of the crawl", key=True),
    _c("dataset", sa.Text, "ops", "for example collection/youtube_trending", key=True),
    _c("category", sa.Text, "ops", "chart or game", key=True),
    _c("region", sa.Text, "ops", "region, or '' where it does not apply", key=True),
    _c("observed_at", _Timestamp, "ops", "last answer of the crawl", null=True),
    _c("expected", sa.Integer, "ops", "items the platform led us to expect", null=True),
    _c("got", sa.Integer, "ops", "items stored"),
    _c("rejected", sa.Integer, "ops", "items quarantined"),
    _c("is_complete", sa.Boolean, "ops", "false for a partial crawl"),
    _c("reason", sa.Text, "ops", "why it is incomplete, '' otherwise"),
    _c("membership_hash", sa.Text, "ops", "which items with which metadata"),
    _c("stats_hash", sa.Text, "ops", "their counters"),
    comment="What each crawl expected and got, per category and region.",
)

quarantine = _partitioned(
    "quarantine",
    "operations",
    "occurred_at",
    _c("occurred_at", _Timestamp, "ops", "when it was rejected", key=True),
    _c("quarantine_id", UUID(as_uuid=False), "ops", "row id", key=True),
    _c("source", sa.Text, "ops", "dataset or endpoint"),
    _c("item_id", sa.Text, "raw_meta", "the item's id where it could be read", null=True),
    _c("reason", sa.Text, "ops", "why it was rejected"),
    _c("raw", sa.Text, "raw_meta", "the raw body of the item"),
    _c("fetch_id", UUID(as_uuid=False), "ops", _FETCH, null=True),
    comment="Every rejected item with its reason and raw body.",
)

quota_ledger = sa.Table(
    "quota_ledger",
    metadata,
    _c("reservation_id", UUID(as_uuid=False), "ops", "one reservation", key=True),
    _c("platform", sa.Text, "ops", "youtube or twitch"),
    _c("bucket", sa.Text, "ops", "quota bucket"),
    _c("quota_date", sa.Date, "ops", "America/Los_Angeles date of the reservation"),
    _c("endpoint", sa.Text, "ops", "for example videos.list"),
    _c("purpose", sa.Text, "ops", "dataset the call serves"),
    _c("units_reserved", sa.Integer, "ops", "units set aside before the call"),
    _c("units_settled", sa.Integer, "ops", "units it really cost; null while open", null=True),
    _c("reserved_at", _Timestamp, "ops", "when it was reserved"),
    _c("settled_at", _Timestamp, "ops", "when it was settled or released", null=True),
    sa.Index("ix_quota_ledger_day", "platform", "bucket", "quota_date"),
    schema="operations",
    comment="Quota reservations and settlements; what remains is a sum over this table.",
)

quota_exhaustion = sa.Table(
    "quota_exhaustion",
    metadata,
    _c("platform", sa.Text, "ops", "youtube or twitch", key=True),
    _c("bucket", sa.Text, "ops", "quota bucket", key=True),
    _c("quota_date", sa.Date, "ops", "Pacific date on which the platform refused", key=True),
    _c("reported_at", _Timestamp, "ops", "when the platform said so"),
    schema="operations",
    comment="Buckets that the platform itself declared exhausted, whatever our sum says.",
)

collection_state = sa.Table(
    "collection_state",
    metadata,
    _c("dataset", sa.Text, "ops", "for example collection/youtube_games", key=True),
    _c("category", sa.Text, "ops", "chart or game", key=True),
    _c("last_crawl_at", _Timestamp, "ops", "last finished crawl", null=True),
    _c("membership_hash", sa.Text, "ops", "of the last crawl", null=True),
    _c("unchanged_count", sa.Integer, "ops", "crawls in a row without a membership change"),
    _c("failure_count", sa.Integer, "ops", "failed crawls in a row"),
    schema="operations",
    comment="What the planner remembers of each category between crawls.",
)

categories = sa.Table(
    "categories",
    metadata,
    _c("category", sa.Text, "own", "slug", key=True),
    _c("kind", sa.Text, "own", "chart or game"),
    _c("title", sa.Text, "own", "display name"),
    _c("youtube_category_id", sa.Integer, "own", "videoCategoryId of a chart", null=True),
    _c("twitch_game_id", sa.Text, "own", "Twitch game id", null=True),
    _c("twitch_game_name", sa.Text, "own", "Twitch's name of the game", null=True),
    _c("priority", sa.SmallInteger, "own", "1 is collected first"),
    _c("interval_minutes", sa.Integer, "own", "base collection interval"),
    _c("max_videos", sa.Integer, "own", "videos refreshed per crawl"),
    _c("baseline_velocity_per_hour", sa.Float, "own", "default until enough is known"),
    _c("audience_timezone", sa.Text, "own", "IANA zone of the peak hours"),
    _c("rules", JSONB, "own", "classifier rules of a game"),
    _c("is_enabled", sa.Boolean, "own", "collected when true"),
    schema="operations",
    comment="The charts and games that are tracked: data, so that one is added without code.",
)

leadership = sa.Table(
    "leadership",
    metadata,
    _c("singleton", sa.Boolean, "ops", "always true: one row", key=True),
    _c("holder", sa.Text, "ops", "application name of the leading head"),
    _c("epoch", sa.BigInteger, "ops", "fencing token, grows with every take-over"),
    _c("acquired_at", _Timestamp, "ops", "start of the leadership, server clock"),
    _c("heartbeat_at", _Timestamp, "ops", "last heartbeat, server clock"),
    schema="operations",
    comment="Who leads: the process that holds the advisory lock and ticks.",
)

heads = sa.Table(
    "heads",
    metadata,
    _c("head_id", sa.Text, "ops", "application name of the head", key=True),
    _c("host", sa.Text, "ops", "host name"),
    _c("pid", sa.Integer, "ops", "process id"),
    _c("state", sa.Text, "ops", "INITIALIZING … STOPPED"),
    _c("is_leader", sa.Boolean, "ops", "holds the lock"),
    _c("started_at", _Timestamp, "ops", "server clock"),
    _c("seen_at", _Timestamp, "ops", "server clock"),
    _c("detail", sa.Text, "ops", "why it is in this state"),
    schema="operations",
    comment="Every head that has run, with its state.",
)

PARTITIONED = tuple(t for t in metadata.sorted_tables if "partition_by" in t.info)


def table_for(key: tuple[str, ...] | list[str]) -> sa.Table:
    """Return the table of an asset key such as ``("collection", "youtube_trending")``.

    Raises
    ------
    KeyError
        When no such table is declared here.
    """
    schema, name = key
    return metadata.tables[f"{schema}.{name}"]
