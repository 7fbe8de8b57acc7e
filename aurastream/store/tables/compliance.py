"""Compliance: what was archived, purged and forgotten, with the proof; what a backfill changed."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

from aurastream.store.tables.declare import Timestamp, column, metadata

retention_rules = sa.Table(
    "retention_rules",
    metadata,
    column("table_name", sa.Text, "ops", "schema.table", key=True),
    column("platforms", sa.Text, "ops", "youtube, twitch, both or '' for our own records"),
    column("classes", sa.Text, "ops", "policy classes of its columns"),
    column("mode", sa.Text, "ops", "policy mode in force: strict, amended, or exempt in a replay"),
    column("label", sa.Text, "ops", "live or replay: where the rows come from"),
    column("max_age_hours", sa.Float, "ops", "rows older than this go; null keeps them", null=True),
    column("decided_by", sa.Text, "ops", "terms, operator or nobody"),
    column("action", sa.Text, "ops", "drop_partitions, delete_rows, empty or keep"),
    column("is_computed", sa.Boolean, "ops", "false where the policy mode forbids the table"),
    column("reason", sa.Text, "ops", "why, in words"),
    column("evaluated_at", Timestamp, "ops", "when the rules were written down last"),
    schema="maintenance",
    comment="Which rule keeps each table within the platforms' terms, as the last run applied it.",
)

purges = sa.Table(
    "purges",
    metadata,
    column("purge_id", UUID(as_uuid=False), "ops", "one purge of one target", key=True),
    column("purged_at", Timestamp, "ops", "when it was done"),
    column("store", sa.Text, "ops", "table, archive, redis or dagster"),
    column("target", sa.Text, "ops", "table, files, keys or kind of run"),
    column("action", sa.Text, "ops", "what was done, for example drop_partitions"),
    column("reason", sa.Text, "ops", "the rule it followed"),
    column("mode", sa.Text, "ops", "policy mode in force: strict, amended or exempt"),
    column("cutoff", Timestamp, "ops", "everything older went; null when all did", null=True),
    column("items", sa.BigInteger, "ops", "rows, documents, runs or files that went"),
    column("bytes", sa.BigInteger, "ops", "bytes they took, as far as the store can say"),
    column("parts", ARRAY(sa.Text), "ops", "partitions, files, keys or runs by name"),
    column("before_count", sa.BigInteger, "ops", "items before"),
    column("after_count", sa.BigInteger, "ops", "items left afterwards, counted again"),
    column("run_id", sa.Text, "ops", "Dagster run, or the command", null=True),
    sa.Index("ix_purges_purged_at", "purged_at"),
    schema="maintenance",
    comment="Proof of every purge: what went, how many, before and after, when and why.",
)

forgotten = sa.Table(
    "forgotten",
    metadata,
    column("subject_hash", sa.Text, "ops", "sha256 of salt, platform and id", key=True),
    column("platform", sa.Text, "ops", "youtube or twitch"),
    column("salt", sa.Text, "ops", "the installation's salt; not for readers"),
    column("first_asked_at", Timestamp, "ops", "when it was asked for first"),
    column("last_asked_at", Timestamp, "ops", "when it was asked for last"),
    column("completed_at", Timestamp, "ops", "when every store was done", null=True),
    column("requests", sa.Integer, "ops", "how often it was asked for"),
    column("counts", JSONB, "ops", "items removed or blanked per store and target, all requests"),
    column("remaining", sa.BigInteger, "ops", "items found by the search afterwards", null=True),
    schema="maintenance",
    comment="Channels and users that asked to be forgotten: the proof, and the list of the denied.",
)

forgotten_items = sa.Table(
    "forgotten_items",
    metadata,
    column("item_hash", sa.Text, "ops", "sha256 of salt, platform and id of a video", key=True),
    column("subject_hash", sa.Text, "ops", "whose it was (maintenance.forgotten)"),
    schema="maintenance",
    comment="Hashed ids of what belonged to the forgotten, so that no write brings it back.",
)

archive = sa.Table(
    "archive",
    metadata,
    column("month", sa.Date, "ops", "first day of the month", key=True),
    column("dataset", sa.Text, "ops", "schema.table", key=True),
    column("rows", sa.BigInteger, "ops", "rows archived"),
    column("bytes", sa.BigInteger, "ops", "bytes of the files"),
    column("files", sa.Integer, "ops", "files, one per day"),
    column("content_sha256", sa.Text, "ops", "checksum over all values in key order"),
    column("schema_version", sa.Integer, "ops", "version of the archive's layout"),
    column("columns", ARRAY(sa.Text), "ops", "columns archived"),
    column("left_out", ARRAY(sa.Text), "ops", "columns that the terms do not let us keep"),
    column("path", sa.Text, "ops", "folder of the files, relative to the archive"),
    column("archived_at", Timestamp, "ops", "when it was written"),
    schema="maintenance",
    comment="Manifest of the monthly Parquet archive, as in its manifest files.",
)

backfills = sa.Table(
    "backfills",
    metadata,
    column("backfill_id", UUID(as_uuid=False), "ops", "one backfill", key=True),
    column("asked_at", Timestamp, "ops", "when it was asked for"),
    column("range_start", Timestamp, "ops", "first moment"),
    column("range_end", Timestamp, "ops", "last moment, not included"),
    column("assets", ARRAY(sa.Text), "ops", "assets it is confined to; empty for all"),
    column("again", sa.Boolean, "ops", "also what was materialized already"),
    column("status", sa.Text, "ops", "RUNNING, DONE or FAILED"),
    column("ended_at", Timestamp, "ops", "when it was over", null=True),
    column("partitions", sa.Integer, "ops", "partitions planned"),
    column("done", sa.Integer, "ops", "partitions materialized"),
    column("detail", sa.Text, "ops", "why it failed, '' otherwise"),
    schema="maintenance",
    comment="Backfills asked for by command: resumed after a kill, one at a time.",
)

backfill_steps = sa.Table(
    "backfill_steps",
    metadata,
    column("backfill_id", UUID(as_uuid=False), "ops", "maintenance.backfills", key=True),
    column("job", sa.Text, "ops", "job of the step", key=True),
    column("first_key", sa.Text, "ops", "first partition of the step", key=True),
    column("last_key", sa.Text, "ops", "last partition of the step"),
    column("step", sa.Integer, "ops", "place in the order of the work"),
    column("partitions", sa.Integer, "ops", "how many"),
    column("run_id", sa.Text, "ops", "Dagster run of the step; null until launched", null=True),
    column("status", sa.Text, "ops", "PLANNED, LAUNCHED or DONE"),
    schema="maintenance",
    comment="The runs of a backfill, so that a killed one continues where it was.",
)

backfill_windows = sa.Table(
    "backfill_windows",
    metadata,
    column("backfill_id", UUID(as_uuid=False), "ops", "maintenance.backfills", key=True),
    column("table_name", sa.Text, "ops", "schema.table", key=True),
    column("window_start", Timestamp, "ops", "window, hour or day", key=True),
    column("rows_before", sa.BigInteger, "ops", "rows before"),
    column("checksum_before", sa.Text, "ops", "md5 over the rows before, in key order; '' none"),
    column("rows_after", sa.BigInteger, "ops", "rows after; null until compared", null=True),
    column("checksum_after", sa.Text, "ops", "the same over the rows after", null=True),
    schema="maintenance",
    comment="Checksum of each window before and after a backfill: what it changed.",
)

window_versions = sa.Table(
    "window_versions",
    metadata,
    column("asset", sa.Text, "ops", "asset key as stage/table", key=True),
    column("window_start", Timestamp, "ops", "start of the window", key=True),
    column("code_version", sa.Text, "ops", "code version that computed what is there now"),
    column("run_id", sa.Text, "ops", "Dagster run that wrote them", null=True),
    column(
        "row_count",
        sa.BigInteger,
        "ops",
        "rows that it wrote, 0 where it found nothing; null where nobody counted them",
        null=True,
    ),
    schema="maintenance",
    comment="Which code version computed each window of each scored table.",
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    column("delivered_at", Timestamp, "ops", "when the rows reached the record", key=True),
    column("delivery_id", UUID(as_uuid=False), "ops", "one delivery of one table", key=True),
    column("table_name", sa.Text, "ops", "schema.table of the rows"),
    column("first_at", Timestamp, "ops", "when the platform gave the oldest of them"),
    column("last_at", Timestamp, "ops", "when the platform gave the newest of them"),
    schema="maintenance",
    comment="Collected rows that waited in a spool: their windows are scored again.",
)

score_history = sa.Table(
    "score_history",
    metadata,
    column("window_start", Timestamp, "ops", "start of the window", key=True),
    column("asset", sa.Text, "ops", "asset key as stage/table", key=True),
    column(
        "code_version",
        sa.Text,
        "ops",
        "code version that computed the values; of a rollup until when they stood",
        key=True,
    ),
    column(
        "row_key",
        sa.Text,
        "raw_meta",
        "the row's key without the window, as JSON; {} with null values: a window without a row",
        key=True,
    ),
    column(
        "values",
        JSONB,
        "derived",
        "the row's derived columns, as they were; of a rollup all columns, or null without the row",
    ),
    column("kept_at", Timestamp, "ops", "when they were replaced"),
    sa.Index("ix_score_history_asset_kept_at", "asset", "kept_at"),
    sa.Index("ix_score_history_window", "asset", "window_start", "kept_at"),
    # dbt's `category_of_kept` says the same: who asks about one game reads its rows alone.
    sa.Index(
        "ix_score_history_category",
        "asset",
        sa.text("coalesce(row_key::jsonb ->> 'category', row_key::jsonb ->> 'category_key')"),
        "window_start",
        "kept_at",
    ),
    schema="maintenance",
    comment="What scores were before another code version replaced them (see `aurastream diff`), "
    "and hours and days before they were computed again.",
)
