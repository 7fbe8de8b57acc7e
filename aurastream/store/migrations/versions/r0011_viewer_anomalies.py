"""Live streams with unusually many or few viewers."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "viewer_anomalies",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the half-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="tracked game"),
        sa.Column("stream_id", sa.Text(), nullable=False, comment="Twitch stream id"),
        sa.Column(
            "crawl_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the crawl, within the window",
        ),
        sa.Column("user_id", sa.Text(), nullable=False, comment="Twitch user id; '' when unknown"),
        sa.Column(
            "observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the platform answered",
        ),
        sa.Column("viewers", sa.BigInteger(), nullable=True, comment="concurrent viewers"),
        sa.Column(
            "anomaly_score",
            sa.Float(),
            nullable=True,
            comment="largest deviation against its threshold, 0–100, 50 is at it, higher is rarer",
        ),
        sa.Column("direction", sa.Text(), nullable=False, comment="SPIKE, DROP, USUAL or UNKNOWN"),
        sa.Column("strategy", sa.Text(), nullable=True, comment="the strategy that says so"),
        sa.Column("z", sa.Float(), nullable=True, comment="its deviation, above 0 is more viewers"),
        sa.Column("threshold", sa.Float(), nullable=True, comment="its threshold as it was set"),
        sa.Column(
            "baseline_viewers",
            sa.Float(),
            nullable=True,
            comment="what it takes for usual, viewers",
        ),
        sa.Column(
            "baseline_source",
            sa.Text(),
            nullable=True,
            comment="whose samples it rests on: stream or channel",
        ),
        sa.Column(
            "sample_count", sa.Integer(), nullable=False, comment="how many samples it rests on"
        ),
        sa.Column(
            "known_count",
            sa.SmallInteger(),
            nullable=False,
            comment="strategies with enough samples",
        ),
        sa.Column(
            "anomaly_count",
            sa.SmallInteger(),
            nullable=False,
            comment="those that reach their threshold",
        ),
        sa.Column("zscore_score", sa.Float(), nullable=True, comment="score of zscore, 0–100"),
        sa.Column(
            "percent_change_score",
            sa.Float(),
            nullable=True,
            comment="score of percent_change, 0–100",
        ),
        sa.Column(
            "moving_average_score",
            sa.Float(),
            nullable=True,
            comment="score of moving_average, 0–100",
        ),
        sa.Column("quantile_score", sa.Float(), nullable=True, comment="score of quantile, 0–100"),
        sa.PrimaryKeyConstraint("window_start", "category", "stream_id", "crawl_at"),
        schema="intelligence",
        comment="How unusual the viewers of each stream were at each crawl of the window.",
        postgresql_partition_by="RANGE (window_start)",
    )


def downgrade() -> None:
    """Undo the revision."""
    op.drop_table("viewer_anomalies", schema="intelligence")
