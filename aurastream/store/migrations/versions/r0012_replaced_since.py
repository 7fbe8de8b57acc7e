"""What revision 8 gained after databases had passed it: an index, and what columns are for.

A database that came later has all of it; there this changes nothing.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_COLUMNS = (
    ("purges", "parts", "partitions, files, keys or runs by name"),
    (
        "score_history",
        "code_version",
        "code version that computed the values; of a rollup until when they stood",
    ),
    (
        "score_history",
        "values",
        "the row's derived columns, as they were; of a rollup all columns, or null without the row",
    ),
    ("score_history", "kept_at", "when they were replaced"),
)
_HISTORY = (
    "What scores were before another code version replaced them (see `aurastream diff`), and hours "
    "and days before they were computed again."
)


def upgrade() -> None:
    """Apply the revision."""
    op.create_index(
        "ix_score_history_asset_kept_at",
        "score_history",
        ["asset", "kept_at"],
        schema="maintenance",
        if_not_exists=True,
    )
    for table, column, comment in _COLUMNS:
        op.alter_column(table, column, comment=comment, schema="maintenance")
    op.create_table_comment("score_history", _HISTORY, schema="maintenance")


def downgrade() -> None:
    """Undo nothing: what this repairs belongs to revision 8."""
