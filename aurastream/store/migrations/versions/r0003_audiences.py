"""Formats, languages, regions and releases, four-hour windows."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "content_formats",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column(
            "duration_bucket", sa.Text(), nullable=False, comment="length, for example 3-8 min"
        ),
        sa.Column("video_count", sa.Integer(), nullable=False, comment="videos of this length"),
        sa.Column(
            "views_known_count",
            sa.Integer(),
            nullable=False,
            comment="those whose views are known",
        ),
        sa.Column("avg_views", sa.Float(), nullable=True, comment="their mean views"),
        sa.Column(
            "performance_index",
            sa.Float(),
            nullable=True,
            comment="mean views / mean views of the category; 1 is usual, higher is better",
        ),
        sa.Column(
            "is_optimal",
            sa.Boolean(),
            nullable=False,
            comment="best index among lengths with enough videos",
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "duration_bucket"),
        schema="intelligence",
        comment="Which length of video does best in each category, as known at the window's end.",
        postgresql_partition_by="RANGE (window_start)",
    )


def downgrade() -> None:
    """Undo the revision."""
    op.drop_table("content_formats", schema="intelligence")
