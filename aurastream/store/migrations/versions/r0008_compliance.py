"""What was archived, purged and forgotten, with the proof; what backfills changed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLES = (
    "retention_rules",
    "purges",
    "forgotten",
    "forgotten_items",
    "archive",
    "backfills",
    "backfill_steps",
    "backfill_windows",
    "window_versions",
    "score_history",
)
# The salt would let a reader find out who asked to be forgotten.
_OPEN_FORGOTTEN = (
    "subject_hash, platform, first_asked_at, last_asked_at, completed_at, requests, counts, "
    "remaining"
)


def _create_retention_rules() -> None:
    op.create_table(
        "retention_rules",
        sa.Column("table_name", sa.Text(), nullable=False, comment="schema.table"),
        sa.Column(
            "platforms",
            sa.Text(),
            nullable=False,
            comment="youtube, twitch, both or '' for our own records",
        ),
        sa.Column("classes", sa.Text(), nullable=False, comment="policy classes of its columns"),
        sa.Column(
            "mode",
            sa.Text(),
            nullable=False,
            comment="policy mode in force: strict, amended, or exempt in a replay",
        ),
        sa.Column(
            "label", sa.Text(), nullable=False, comment="live or replay: where the rows come from"
        ),
        sa.Column(
            "max_age_hours",
            sa.Float(),
            nullable=True,
            comment="rows older than this go; null keeps them",
        ),
        sa.Column("decided_by", sa.Text(), nullable=False, comment="terms, operator or nobody"),
        sa.Column(
            "action",
            sa.Text(),
            nullable=False,
            comment="drop_partitions, delete_rows, empty or keep",
        ),
        sa.Column(
            "is_computed",
            sa.Boolean(),
            nullable=False,
            comment="false where the policy mode forbids the table",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="why, in words"),
        sa.Column(
            "evaluated_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the rules were written down last",
        ),
        sa.PrimaryKeyConstraint("table_name"),
        schema="maintenance",
        comment="Which rule keeps each table within the platforms' terms, as the last run applied "
        "it.",
    )


def _create_purges() -> None:
    op.create_table(
        "purges",
        sa.Column("purge_id", sa.UUID(), nullable=False, comment="one purge of one target"),
        sa.Column(
            "purged_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="when it was done"
        ),
        sa.Column("store", sa.Text(), nullable=False, comment="table, archive, redis or dagster"),
        sa.Column("target", sa.Text(), nullable=False, comment="table, files, keys or kind of run"),
        sa.Column(
            "action",
            sa.Text(),
            nullable=False,
            comment="what was done, for example drop_partitions",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="the rule it followed"),
        sa.Column(
            "mode",
            sa.Text(),
            nullable=False,
            comment="policy mode in force: strict, amended or exempt",
        ),
        sa.Column(
            "cutoff",
            sa.TIMESTAMP(timezone=True),
            nullable=True,
            comment="everything older went; null when all did",
        ),
        sa.Column(
            "items",
            sa.BigInteger(),
            nullable=False,
            comment="rows, documents, runs or files that went",
        ),
        sa.Column(
            "bytes",
            sa.BigInteger(),
            nullable=False,
            comment="bytes they took, as far as the store can say",
        ),
        sa.Column(
            "parts",
            ARRAY(sa.Text()),
            nullable=False,
            comment="partitions, files, keys or runs by name",
        ),
        sa.Column("before_count", sa.BigInteger(), nullable=False, comment="items before"),
        sa.Column(
            "after_count",
            sa.BigInteger(),
            nullable=False,
            comment="items left afterwards, counted again",
        ),
        sa.Column("run_id", sa.Text(), nullable=True, comment="Dagster run, or the command"),
        sa.PrimaryKeyConstraint("purge_id"),
        schema="maintenance",
        comment="Proof of every purge: what went, how many, before and after, when and why.",
    )
    op.create_index(
        "ix_purges_purged_at", "purges", ["purged_at"], unique=False, schema="maintenance"
    )


def _create_forgotten() -> None:
    op.create_table(
        "forgotten",
        sa.Column(
            "subject_hash", sa.Text(), nullable=False, comment="sha256 of salt, platform and id"
        ),
        sa.Column("platform", sa.Text(), nullable=False, comment="youtube or twitch"),
        sa.Column(
            "salt", sa.Text(), nullable=False, comment="the installation's salt; not for readers"
        ),
        sa.Column(
            "first_asked_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when it was asked for first",
        ),
        sa.Column(
            "last_asked_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when it was asked for last",
        ),
        sa.Column(
            "completed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=True,
            comment="when every store was done",
        ),
        sa.Column("requests", sa.Integer(), nullable=False, comment="how often it was asked for"),
        sa.Column(
            "counts",
            JSONB(),
            nullable=False,
            comment="items removed or blanked per store and target, all requests",
        ),
        sa.Column(
            "remaining",
            sa.BigInteger(),
            nullable=True,
            comment="items found by the search afterwards",
        ),
        sa.PrimaryKeyConstraint("subject_hash"),
        schema="maintenance",
        comment="Channels and users that asked to be forgotten: the proof, and the list of the "
        "denied.",
    )


def _create_forgotten_items() -> None:
    op.create_table(
        "forgotten_items",
        sa.Column(
            "item_hash",
            sa.Text(),
            nullable=False,
            comment="sha256 of salt, platform and id of a video",
        ),
        sa.Column(
            "subject_hash",
            sa.Text(),
            nullable=False,
            comment="whose it was (maintenance.forgotten)",
        ),
        sa.PrimaryKeyConstraint("item_hash"),
        schema="maintenance",
        comment="Hashed ids of what belonged to the forgotten, so that no write brings it back.",
    )


def _create_archive() -> None:
    op.create_table(
        "archive",
        sa.Column("month", sa.Date(), nullable=False, comment="first day of the month"),
        sa.Column("dataset", sa.Text(), nullable=False, comment="schema.table"),
        sa.Column("rows", sa.BigInteger(), nullable=False, comment="rows archived"),
        sa.Column("bytes", sa.BigInteger(), nullable=False, comment="bytes of the files"),
        sa.Column("files", sa.Integer(), nullable=False, comment="files, one per day"),
        sa.Column(
            "content_sha256",
            sa.Text(),
            nullable=False,
            comment="checksum over all values in key order",
        ),
        sa.Column(
            "schema_version",
            sa.Integer(),
            nullable=False,
            comment="version of the archive's layout",
        ),
        sa.Column("columns", ARRAY(sa.Text()), nullable=False, comment="columns archived"),
        sa.Column(
            "left_out",
            ARRAY(sa.Text()),
            nullable=False,
            comment="columns that the terms do not let us keep",
        ),
        sa.Column(
            "path",
            sa.Text(),
            nullable=False,
            comment="folder of the files, relative to the archive",
        ),
        sa.Column(
            "archived_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when it was written",
        ),
        sa.PrimaryKeyConstraint("month", "dataset"),
        schema="maintenance",
        comment="Manifest of the monthly Parquet archive, as in its manifest files.",
    )


def _create_backfills() -> None:
    op.create_table(
        "backfills",
        sa.Column("backfill_id", sa.UUID(), nullable=False, comment="one backfill"),
        sa.Column(
            "asked_at", sa.TIMESTAMP(timezone=True), nullable=False, comment="when it was asked for"
        ),
        sa.Column(
            "range_start", sa.TIMESTAMP(timezone=True), nullable=False, comment="first moment"
        ),
        sa.Column(
            "range_end",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="last moment, not included",
        ),
        sa.Column(
            "assets",
            ARRAY(sa.Text()),
            nullable=False,
            comment="assets it is confined to; empty for all",
        ),
        sa.Column(
            "again", sa.Boolean(), nullable=False, comment="also what was materialized already"
        ),
        sa.Column("status", sa.Text(), nullable=False, comment="RUNNING, DONE or FAILED"),
        sa.Column(
            "ended_at", sa.TIMESTAMP(timezone=True), nullable=True, comment="when it was over"
        ),
        sa.Column("partitions", sa.Integer(), nullable=False, comment="partitions planned"),
        sa.Column("done", sa.Integer(), nullable=False, comment="partitions materialized"),
        sa.Column("detail", sa.Text(), nullable=False, comment="why it failed, '' otherwise"),
        sa.PrimaryKeyConstraint("backfill_id"),
        schema="maintenance",
        comment="Backfills asked for by command: resumed after a kill, one at a time.",
    )


def _create_backfill_steps() -> None:
    op.create_table(
        "backfill_steps",
        sa.Column("backfill_id", sa.UUID(), nullable=False, comment="maintenance.backfills"),
        sa.Column("job", sa.Text(), nullable=False, comment="job of the step"),
        sa.Column("first_key", sa.Text(), nullable=False, comment="first partition of the step"),
        sa.Column("last_key", sa.Text(), nullable=False, comment="last partition of the step"),
        sa.Column("step", sa.Integer(), nullable=False, comment="place in the order of the work"),
        sa.Column("partitions", sa.Integer(), nullable=False, comment="how many"),
        sa.Column(
            "run_id",
            sa.Text(),
            nullable=True,
            comment="Dagster run of the step; null until launched",
        ),
        sa.Column("status", sa.Text(), nullable=False, comment="PLANNED, LAUNCHED or DONE"),
        sa.PrimaryKeyConstraint("backfill_id", "job", "first_key"),
        schema="maintenance",
        comment="The runs of a backfill, so that a killed one continues where it was.",
    )


def _create_backfill_windows() -> None:
    op.create_table(
        "backfill_windows",
        sa.Column("backfill_id", sa.UUID(), nullable=False, comment="maintenance.backfills"),
        sa.Column("table_name", sa.Text(), nullable=False, comment="schema.table"),
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="window, hour or day",
        ),
        sa.Column("rows_before", sa.BigInteger(), nullable=False, comment="rows before"),
        sa.Column(
            "checksum_before",
            sa.Text(),
            nullable=False,
            comment="md5 over the rows before, in key order; '' none",
        ),
        sa.Column(
            "rows_after", sa.BigInteger(), nullable=True, comment="rows after; null until compared"
        ),
        sa.Column(
            "checksum_after", sa.Text(), nullable=True, comment="the same over the rows after"
        ),
        sa.PrimaryKeyConstraint("backfill_id", "table_name", "window_start"),
        schema="maintenance",
        comment="Checksum of each window before and after a backfill: what it changed.",
    )


def _create_window_versions() -> None:
    op.create_table(
        "window_versions",
        sa.Column("asset", sa.Text(), nullable=False, comment="asset key as stage/table"),
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the window",
        ),
        sa.Column(
            "code_version",
            sa.Text(),
            nullable=False,
            comment="code version that wrote the rows that are there now",
        ),
        sa.Column("run_id", sa.Text(), nullable=True, comment="Dagster run that wrote them"),
        sa.PrimaryKeyConstraint("asset", "window_start"),
        schema="maintenance",
        comment="Which code version wrote each window of each scored table.",
    )


def _create_score_history() -> None:
    op.create_table(
        "score_history",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the window",
        ),
        sa.Column("asset", sa.Text(), nullable=False, comment="asset key as stage/table"),
        sa.Column(
            "code_version",
            sa.Text(),
            nullable=False,
            comment="code version that computed the values; of a rollup until when they stood",
        ),
        sa.Column(
            "row_key",
            sa.Text(),
            nullable=False,
            comment="the row's key without the window, as JSON",
        ),
        sa.Column(
            "values",
            JSONB(),
            nullable=False,
            comment="the row's derived columns, as they were; of a rollup all columns, or null "
            "without the row",
        ),
        sa.Column(
            "kept_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when they were replaced",
        ),
        sa.PrimaryKeyConstraint("window_start", "asset", "code_version", "row_key"),
        schema="maintenance",
        comment="What scores were before another code version replaced them (see `aurastream "
        "diff`), and hours and days before they were computed again.",
    )
    op.create_index(
        "ix_score_history_asset_kept_at",
        "score_history",
        ["asset", "kept_at"],
        schema="maintenance",
    )


def upgrade() -> None:
    """Apply the revision."""
    _create_retention_rules()
    _create_purges()
    _create_forgotten()
    _create_forgotten_items()
    _create_archive()
    _create_backfills()
    _create_backfill_steps()
    _create_backfill_windows()
    _create_window_versions()
    _create_score_history()
    op.execute("REVOKE SELECT ON maintenance.forgotten FROM aurastream_reader")
    op.execute(f"GRANT SELECT ({_OPEN_FORGOTTEN}) ON maintenance.forgotten TO aurastream_reader")


def downgrade() -> None:
    """Undo the revision."""
    for name in reversed(_TABLES):
        op.drop_table(name, schema="maintenance")
