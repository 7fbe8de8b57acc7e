"""What was replaced since a moment is looked up by its window and by its category."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_index(
        "ix_score_history_window",
        "score_history",
        ["asset", "window_start", "kept_at"],
        schema="maintenance",
    )
    op.create_index(
        "ix_score_history_category",
        "score_history",
        [
            "asset",
            sa.text("coalesce(row_key::jsonb ->> 'category', row_key::jsonb ->> 'category_key')"),
            "window_start",
            "kept_at",
        ],
        schema="maintenance",
    )


def downgrade() -> None:
    """Undo the revision."""
    op.drop_index("ix_score_history_category", "score_history", schema="maintenance")
    op.drop_index("ix_score_history_window", "score_history", schema="maintenance")
