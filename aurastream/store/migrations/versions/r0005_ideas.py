"""Video ideas and how hard each game is to enter, four-hour windows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "video_ideas",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column("rank", sa.Integer(), nullable=False, comment="place by score, 1 is the best"),
        sa.Column(
            "idea_id", sa.Text(), nullable=False, comment="same idea, same id, in every window"
        ),
        sa.Column("topic", sa.Text(), nullable=False, comment="what the video would be about"),
        sa.Column(
            "format", sa.Text(), nullable=False, comment="tutorial, reaction, challenge or news"
        ),
        sa.Column(
            "concept", sa.Text(), nullable=False, comment="the idea in a line, from a template"
        ),
        sa.Column("hook", sa.Text(), nullable=False, comment="how it could begin, from a template"),
        sa.Column("idea_score", sa.Float(), nullable=False, comment="0–100, higher is better"),
        sa.Column(
            "demand_part", sa.Float(), nullable=False, comment="viral score of its evidence, 0–100"
        ),
        sa.Column(
            "difficulty_score", sa.Float(), nullable=False, comment="0–100, higher is harder"
        ),
        sa.Column("difficulty_band", sa.Text(), nullable=False, comment="EASY, MODERATE or HARD"),
        sa.Column(
            "opportunity_part",
            sa.Float(),
            nullable=False,
            comment="of the category, 0–100; 50 if unknown",
        ),
        sa.Column(
            "format_part",
            sa.Float(),
            nullable=False,
            comment="share of the evidence in this format, 0–100",
        ),
        sa.Column("confidence_pct", sa.Float(), nullable=False, comment="0–100, higher is surer"),
        sa.Column(
            "sample_part",
            sa.Float(),
            nullable=False,
            comment="how many videos are the evidence, 0–100",
        ),
        sa.Column(
            "freshness_part", sa.Float(), nullable=False, comment="how fresh they are, 0–100"
        ),
        sa.Column(
            "wording_part",
            sa.Float(),
            nullable=False,
            comment="share whose titles tell a format, 0–100",
        ),
        sa.Column(
            "duration_bucket",
            sa.Text(),
            nullable=False,
            comment="length that does best; '' if unknown",
        ),
        sa.Column(
            "tags", ARRAY(sa.Text()), nullable=False, comment="tags of the evidence, best first"
        ),
        sa.Column(
            "evidence_count", sa.Integer(), nullable=False, comment="videos that show the topic"
        ),
        sa.Column(
            "evidence_video_ids",
            ARRAY(sa.Text()),
            nullable=False,
            comment="the fastest of them, at most ten",
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "rank"),
        schema="intelligence",
        comment="What to make next in each category, with the evidence, as of the window's end.",
        postgresql_partition_by="RANGE (window_start)",
    )


def downgrade() -> None:
    """Undo the revision."""
    op.drop_table("video_ideas", schema="intelligence")
