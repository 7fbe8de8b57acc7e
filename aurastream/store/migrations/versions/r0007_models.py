"""Trained models, their evaluations and how earlier predictions did."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "viral_model",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the day (UTC); nothing after its end is known",
        ),
        sa.Column("label", sa.Text(), nullable=False, comment="outcome that is predicted: T2"),
        sa.Column(
            "model_version",
            sa.Text(),
            nullable=False,
            comment="version of features, words and trees",
        ),
        sa.Column(
            "library",
            sa.Text(),
            nullable=False,
            comment="library that grew the trees, with its version",
        ),
        sa.Column(
            "trained_from",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="day of the first videos it learned from",
        ),
        sa.Column(
            "trained_to",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="day of the last videos it learned from",
        ),
        sa.Column("video_count", sa.Integer(), nullable=False, comment="videos it learned from"),
        sa.Column("channel_count", sa.Integer(), nullable=False, comment="their channels"),
        sa.Column("hit_count", sa.Integer(), nullable=False, comment="those that took off"),
        sa.Column(
            "call_threshold",
            sa.Float(),
            nullable=False,
            comment="probability from which on a video is called",
        ),
        sa.Column(
            "cross_f1",
            sa.Float(),
            nullable=False,
            comment="F1 on channels that the trees had not seen, 0–1",
        ),
        sa.Column(
            "cross_average_precision",
            sa.Float(),
            nullable=False,
            comment="average precision on them, 0–1",
        ),
        sa.Column(
            "cross_brier_skill",
            sa.Float(),
            nullable=False,
            comment="Brier skill on them, 1 is perfect",
        ),
        sa.Column(
            "points_table",
            JSONB(),
            nullable=False,
            comment="the rule that learned from the same videos",
        ),
        sa.Column("model_sha256", sa.Text(), nullable=False, comment="digest of the model's bytes"),
        sa.Column(
            "model",
            sa.LargeBinary(),
            nullable=False,
            comment="names and arrays of the model, compressed",
        ),
        sa.PrimaryKeyConstraint("window_start", "label"),
        schema="intelligence",
        comment="The model of viral videos as it was trained at the end of each day.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "viral_predictions",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the day (UTC); nothing after its end is known",
        ),
        sa.Column(
            "video_id",
            sa.Text(),
            nullable=False,
            comment="YouTube video id, first sighted on this day",
        ),
        sa.Column("category_id", sa.Integer(), nullable=False, comment="YouTube category id"),
        sa.Column("game", sa.Text(), nullable=True, comment="tracked game it was assigned to"),
        sa.Column(
            "observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="the sighting that the prediction rests on",
        ),
        sa.Column("views", sa.BigInteger(), nullable=False, comment="views at observed_at"),
        sa.Column(
            "velocity_per_hour",
            sa.Float(),
            nullable=False,
            comment="views per hour since publication",
        ),
        sa.Column(
            "velocity_share",
            sa.Float(),
            nullable=True,
            comment="share of its category's first sightings of four weeks that were slower, 0–1",
        ),
        sa.Column(
            "is_velocity_called",
            sa.Boolean(),
            nullable=False,
            comment="velocity_share is at least 0.9",
        ),
        sa.Column("points", sa.Float(), nullable=True, comment="points of the learned table"),
        sa.Column(
            "is_points_called", sa.Boolean(), nullable=True, comment="they reach the table's bar"
        ),
        sa.Column(
            "probability", sa.Float(), nullable=True, comment="model's probability of taking off"
        ),
        sa.Column(
            "is_model_called", sa.Boolean(), nullable=True, comment="it reaches the threshold"
        ),
        sa.Column("model_sha256", sa.Text(), nullable=True, comment="model that predicted"),
        sa.PrimaryKeyConstraint("window_start", "video_id"),
        schema="intelligence",
        comment="What was expected of each video on the day it was first sighted.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "prediction_backtest",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the day (UTC); nothing after its end is known",
        ),
        sa.Column("method", sa.Text(), nullable=False, comment="model, points or velocity"),
        sa.Column(
            "horizon_days", sa.SmallInteger(), nullable=False, comment="days that had passed since"
        ),
        sa.Column(
            "category", sa.Text(), nullable=False, comment="tracked game, other (no game) or all"
        ),
        sa.Column(
            "predicted_from",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="day of the oldest prediction",
        ),
        sa.Column(
            "predicted_to",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="day of the newest prediction",
        ),
        sa.Column(
            "video_count",
            sa.Integer(),
            nullable=False,
            comment="predictions that were looked at again",
        ),
        sa.Column(
            "called_count", sa.Integer(), nullable=False, comment="videos that had been called"
        ),
        sa.Column("hit_count", sa.Integer(), nullable=False, comment="videos that did take off"),
        sa.Column(
            "precision", sa.Float(), nullable=True, comment="share of the called that took off, 0–1"
        ),
        sa.Column(
            "recall", sa.Float(), nullable=True, comment="share of those that took off, called"
        ),
        sa.Column("f1", sa.Float(), nullable=True, comment="harmonic mean of the two, 0–1"),
        sa.Column(
            "average_precision", sa.Float(), nullable=True, comment="over all thresholds, 0–1"
        ),
        sa.Column(
            "brier_skill", sa.Float(), nullable=True, comment="1 is perfect, 0 is the base rate"
        ),
        sa.Column(
            "calibration_error", sa.Float(), nullable=True, comment="promise against share, 0–1"
        ),
        sa.Column("mean_probability", sa.Float(), nullable=True, comment="mean promise"),
        sa.Column("hit_share", sa.Float(), nullable=False, comment="share that took off, 0–1"),
        sa.PrimaryKeyConstraint("window_start", "method", "horizon_days", "category"),
        schema="intelligence",
        comment="How earlier predictions did, looked at again each day on what really happened.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "evaluations",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the day (UTC); nothing after its end is known",
        ),
        sa.Column(
            "kind", sa.Text(), nullable=False, comment="viral, opportunity, anomalies or language"
        ),
        sa.Column(
            "archive", sa.Text(), nullable=False, comment="data that was judged; record is our own"
        ),
        sa.Column("label", sa.Text(), nullable=False, comment="what was predicted"),
        sa.Column("method", sa.Text(), nullable=False, comment="who predicted"),
        sa.Column("split", sa.Text(), nullable=False, comment="train, loso or test"),
        sa.Column(
            "is_primary",
            sa.Boolean(),
            nullable=False,
            comment="the method declared beforehand, where it is judged",
        ),
        sa.Column(
            "n", sa.Integer(), nullable=False, comment="videos, cells, windows or titles judged"
        ),
        sa.Column("precision", sa.Float(), nullable=True, comment="0–1"),
        sa.Column("recall", sa.Float(), nullable=True, comment="0–1"),
        sa.Column("f1", sa.Float(), nullable=True, comment="0–1"),
        sa.Column(
            "ci_low", sa.Float(), nullable=True, comment="low end of the headline's 95 % interval"
        ),
        sa.Column(
            "ci_high", sa.Float(), nullable=True, comment="high end of the headline's interval"
        ),
        sa.Column("nab_score", sa.Float(), nullable=True, comment="100 is perfect, 0 is silence"),
        sa.Column("average_precision", sa.Float(), nullable=True, comment="0–1"),
        sa.Column(
            "brier_skill", sa.Float(), nullable=True, comment="1 is perfect, 0 is the base rate"
        ),
        sa.Column("calibration_error", sa.Float(), nullable=True, comment="0–1, lower is better"),
        sa.Column("correlation", sa.Float(), nullable=True, comment="Pearson's r, −1 to 1"),
        sa.Column("squared_error", sa.Float(), nullable=True, comment="mean, lower is better"),
        sa.Column(
            "gain", sa.Float(), nullable=True, comment="correlation over that of persistence"
        ),
        sa.Column("gain_low", sa.Float(), nullable=True, comment="low end of its 95 % interval"),
        sa.Column("gain_high", sa.Float(), nullable=True, comment="high end of its interval"),
        sa.Column(
            "error_reduction", sa.Float(), nullable=True, comment="share of persistence's error"
        ),
        sa.Column(
            "error_reduction_low", sa.Float(), nullable=True, comment="low end of its interval"
        ),
        sa.Column(
            "error_reduction_high", sa.Float(), nullable=True, comment="high end of its interval"
        ),
        sa.Column("detail", sa.Text(), nullable=True, comment="the setting that was judged"),
        sa.PrimaryKeyConstraint("window_start", "kind", "archive", "label", "method", "split"),
        schema="intelligence",
        comment="Figures of every method on data it had not seen, by the protocols of the docs.",
        postgresql_partition_by="RANGE (window_start)",
    )


def downgrade() -> None:
    """Undo the revision."""
    op.drop_table("evaluations", schema="intelligence")
    op.drop_table("prediction_backtest", schema="intelligence")
    op.drop_table("viral_predictions", schema="intelligence")
    op.drop_table("viral_model", schema="intelligence")
