"""Operations: what was asked, what it cost, what was rejected, who leads."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID

from aurastream.store.tables.declare import FETCH, Timestamp, column, metadata, partitioned

fetch_log = partitioned(
    "fetch_log",
    "operations",
    "observed_at",
    column("observed_at", Timestamp, "ops", "when the answer came", key=True),
    column("fetch_id", UUID(as_uuid=False), "ops", "one API call", key=True),
    column("platform", sa.Text, "ops", "youtube or twitch"),
    column("endpoint", sa.Text, "ops", "for example videos.list or streams"),
    column("params", JSONB, "ops", "query without credentials"),
    column(
        "status", sa.SmallInteger, "ops", "HTTP status; null when there was no answer", null=True
    ),
    column("outcome", sa.Text, "ops", "ok, not_modified, or the error class"),
    column("items", sa.Integer, "ops", "items accepted"),
    column("rejected", sa.Integer, "ops", "items sent to quarantine"),
    column("attempts", sa.SmallInteger, "ops", "tries including the last"),
    column("duration_ms", sa.REAL, "ops", "wall time of the last try"),
    column("units", sa.Integer, "ops", "quota units it cost"),
    column("bucket", sa.Text, "ops", "quota bucket"),
    column("run_id", sa.Text, "ops", "Dagster run, or the name of the loader", null=True),
    comment="One row per API call: what was asked, what came, what it cost.",
)

crawls = partitioned(
    "crawls",
    "operations",
    "crawl_at",
    column("crawl_at", Timestamp, "ops", "start of the crawl", key=True),
    column("dataset", sa.Text, "ops", "for example collection/youtube_trending", key=True),
    column("category", sa.Text, "ops", "chart or game", key=True),
    column("region", sa.Text, "ops", "region, or '' where it does not apply", key=True),
    column("observed_at", Timestamp, "ops", "last answer of the crawl", null=True),
    column("expected", sa.Integer, "ops", "items the platform led us to expect", null=True),
    column("got", sa.Integer, "ops", "items stored"),
    column("rejected", sa.Integer, "ops", "items quarantined"),
    column("is_complete", sa.Boolean, "ops", "false for a partial crawl"),
    column("reason", sa.Text, "ops", "why it is incomplete, '' otherwise"),
    column("membership_hash", sa.Text, "ops", "which items with which metadata"),
    column("stats_hash", sa.Text, "ops", "their counters"),
    column("viewer_total", sa.BigInteger, "derived", "viewers of its streams together", null=True),
    comment="What each crawl expected and got, per category and region.",
)

quarantine = partitioned(
    "quarantine",
    "operations",
    "occurred_at",
    column("occurred_at", Timestamp, "ops", "when it was rejected", key=True),
    column("quarantine_id", UUID(as_uuid=False), "ops", "row id", key=True),
    column("source", sa.Text, "ops", "dataset or endpoint"),
    column("item_id", sa.Text, "raw_meta", "the item's id where it could be read", null=True),
    column("reason", sa.Text, "ops", "why it was rejected"),
    column("raw", sa.Text, "raw_meta", "the raw body of the item"),
    column("fetch_id", UUID(as_uuid=False), "ops", FETCH, null=True),
    comment="Every rejected item with its reason and raw body.",
    recurs=True,  # an item that stays what it is, is rejected by every crawl
)

quota_ledger = sa.Table(
    "quota_ledger",
    metadata,
    column("reservation_id", UUID(as_uuid=False), "ops", "one reservation", key=True),
    column("platform", sa.Text, "ops", "youtube or twitch"),
    column("bucket", sa.Text, "ops", "quota bucket"),
    column("quota_date", sa.Date, "ops", "America/Los_Angeles date of the reservation"),
    column("endpoint", sa.Text, "ops", "for example videos.list"),
    column("purpose", sa.Text, "ops", "dataset the call serves"),
    column("units_reserved", sa.Integer, "ops", "units set aside before the call"),
    column("units_settled", sa.Integer, "ops", "units it really cost; null while open", null=True),
    column("reserved_at", Timestamp, "ops", "when it was reserved"),
    column("settled_at", Timestamp, "ops", "when it was settled or released", null=True),
    sa.Index("ix_quota_ledger_day", "platform", "bucket", "quota_date"),
    sa.Index("ix_quota_ledger_reserved_at", "reserved_at"),
    schema="operations",
    comment="Quota reservations and settlements; what remains is a sum over this table.",
)

quota_exhaustion = sa.Table(
    "quota_exhaustion",
    metadata,
    column("platform", sa.Text, "ops", "youtube or twitch", key=True),
    column("bucket", sa.Text, "ops", "quota bucket", key=True),
    column("quota_date", sa.Date, "ops", "Pacific date on which the platform refused", key=True),
    column("reported_at", Timestamp, "ops", "when the platform said so"),
    schema="operations",
    comment="Buckets that the platform itself declared exhausted, whatever our sum says.",
)

collection_state = sa.Table(
    "collection_state",
    metadata,
    column("dataset", sa.Text, "ops", "for example collection/youtube_games", key=True),
    column("category", sa.Text, "ops", "chart or game", key=True),
    column("last_crawl_at", Timestamp, "ops", "last finished crawl", null=True),
    column("membership_hash", sa.Text, "ops", "of the last crawl", null=True),
    column("unchanged_count", sa.Integer, "ops", "crawls in a row without a membership change"),
    column("failure_count", sa.Integer, "ops", "failed crawls in a row"),
    schema="operations",
    comment="What the planner remembers of each category between crawls.",
)

categories = sa.Table(
    "categories",
    metadata,
    column("category", sa.Text, "own", "slug", key=True),
    column("kind", sa.Text, "own", "chart or game"),
    column("title", sa.Text, "own", "display name"),
    column("youtube_category_id", sa.Integer, "own", "videoCategoryId of a chart", null=True),
    column("twitch_game_id", sa.Text, "own", "Twitch game id", null=True),
    column("twitch_game_name", sa.Text, "own", "Twitch's name of the game", null=True),
    column("priority", sa.SmallInteger, "own", "1 is collected first"),
    column("interval_minutes", sa.Integer, "own", "base collection interval"),
    column("max_videos", sa.Integer, "own", "videos refreshed per crawl"),
    column("baseline_velocity_per_hour", sa.Float, "own", "default until enough is known"),
    column("audience_timezone", sa.Text, "own", "IANA zone of the peak hours"),
    column("rules", JSONB, "own", "classifier rules of a game"),
    column("is_enabled", sa.Boolean, "own", "collected when true"),
    schema="operations",
    comment="The charts and games that are tracked: data, so that one is added without code.",
)

source_starts = sa.Table(
    "source_starts",
    metadata,
    column("dataset", sa.Text, "ops", "for example collection/youtube_trending", key=True),
    column("started_at", Timestamp, "ops", "crawl to which another source answered", key=True),
    column("previous_crawl_at", Timestamp, "ops", "the crawl that it was compared with"),
    column("lists", sa.Integer, "ops", "charts of regions that both crawls have"),
    column("lists_kept", sa.Integer, "ops", "those of them that have a video in common"),
    schema="operations",
    comment="From when on another source answers: nothing is compared with what was there before.",
)

analysis_inputs = partitioned(
    "analysis_inputs",
    "operations",
    "window_start",
    column("window_start", Timestamp, "ops", "start of the analysed window", key=True),
    column("dataset", sa.Text, "ops", "for example intelligence/title_intel", key=True),
    column("category", sa.Text, "own", "chart category or tracked game", key=True),
    column("code_version", sa.Text, "ops", "version of the formula"),
    column("input_hash", sa.Text, "ops", "fingerprint of what the analysis read, 16 digits"),
    column("input_rows", sa.Integer, "ops", "rows it read"),
    column(
        "source_window",
        Timestamp,
        "ops",
        "the window whose equal input was computed; its own start when it was computed here",
    ),
    comment="The proof that an unchanged category was rightly not analysed again.",
)

installation = sa.Table(
    "installation",
    metadata,
    column("singleton", sa.Boolean, "ops", "always true: one row", key=True),
    column("origin", sa.Text, "ops", "replay or live: where every row of the record comes from"),
    column("policy_mode", sa.Text, "ops", "strict or amended, the operator's choice", null=True),
    column("created_at", Timestamp, "ops", "when the record was claimed, server clock"),
    schema="operations",
    comment="What this record is, written before its first crawl: replayed and live never mix.",
)

leadership = sa.Table(
    "leadership",
    metadata,
    column("singleton", sa.Boolean, "ops", "always true: one row", key=True),
    column("holder", sa.Text, "ops", "application name of the leading head"),
    column("epoch", sa.BigInteger, "ops", "fencing token, grows with every take-over"),
    column("acquired_at", Timestamp, "ops", "start of the leadership, server clock"),
    column("heartbeat_at", Timestamp, "ops", "last heartbeat, server clock"),
    schema="operations",
    comment="Who leads: the process that holds the advisory lock and ticks.",
)

heads = sa.Table(
    "heads",
    metadata,
    column("head_id", sa.Text, "ops", "application name of the head", key=True),
    column("host", sa.Text, "ops", "host name"),
    column("pid", sa.Integer, "ops", "process id"),
    column("state", sa.Text, "ops", "INITIALIZING … STOPPED"),
    column("is_leader", sa.Boolean, "ops", "holds the lock"),
    column("started_at", Timestamp, "ops", "server clock"),
    column("seen_at", Timestamp, "ops", "server clock"),
    column("detail", sa.Text, "ops", "why it is in this state"),
    schema="operations",
    comment="Every head that has run, with its state.",
)
