"""A window in which a code version found nothing is known from one that it never computed."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_COUNT = "rows that it wrote, 0 where it found nothing; null where nobody counted them"
# Table, column, its comment from now on, and before.
_COMMENTS = (
    (
        "window_versions",
        "code_version",
        "code version that computed what is there now",
        "code version that wrote the rows that are there now",
    ),
    (
        "score_history",
        "row_key",
        "the row's key without the window, as JSON; {} with null values: a window without a row",
        "the row's key without the window, as JSON",
    ),
)
_WINDOWS = "Which code version computed each window of each scored table."
_WINDOWS_BEFORE = "Which code version wrote each window of each scored table."


def upgrade() -> None:
    """Apply the revision."""
    count = sa.Column("row_count", sa.BigInteger, nullable=True, comment=_COUNT)
    op.add_column("window_versions", count, schema="maintenance")
    op.create_table_comment("window_versions", _WINDOWS, schema="maintenance")
    for table, column, comment, _ in _COMMENTS:
        op.alter_column(table, column, comment=comment, schema="maintenance")


def downgrade() -> None:
    """Undo the revision."""
    for table, column, _, comment in _COMMENTS:
        op.alter_column(table, column, comment=comment, schema="maintenance")
    op.create_table_comment("window_versions", _WINDOWS_BEFORE, schema="maintenance")
    op.drop_column("window_versions", "row_count", schema="maintenance")
