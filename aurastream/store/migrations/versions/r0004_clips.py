"""Clips, the rhythm of the week on Twitch, and what gains momentum."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "clip_intel",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the half-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="tracked game"),
        sa.Column("clip_id", sa.Text(), nullable=False, comment="Twitch clip id"),
        sa.Column(
            "observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="newest snapshot of the clip before as_of",
        ),
        sa.Column(
            "created_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the clip was made",
        ),
        sa.Column(
            "age_h", sa.Float(), nullable=False, comment="hours from its making to observed_at"
        ),
        sa.Column("views", sa.BigInteger(), nullable=False, comment="views at observed_at"),
        sa.Column(
            "lifetime_velocity_per_hour",
            sa.Float(),
            nullable=False,
            comment="views / max(0.5 h, age); 0 or more, higher is faster",
        ),
        sa.Column(
            "velocity_per_hour",
            sa.Float(),
            nullable=True,
            comment="views gained per hour since the reference; 0 or more, higher is faster",
        ),
        sa.Column(
            "velocity_span_h", sa.Float(), nullable=True, comment="hours since the reference"
        ),
        sa.Column(
            "velocity_basis",
            sa.Text(),
            nullable=True,
            comment="what the reference is: crawls or creation",
        ),
        sa.Column(
            "views_fell",
            sa.Boolean(),
            nullable=False,
            comment="the counter fell since the reference",
        ),
        sa.Column(
            "velocity_score",
            sa.Float(),
            nullable=True,
            comment="percentile score of velocity among the game's clips, 0–100, higher is faster",
        ),
        sa.Column(
            "trend_class",
            sa.Text(),
            nullable=False,
            comment="VIRAL, RISING, STABLE, FALLING or UNKNOWN",
        ),
        sa.Column(
            "sample_count",
            sa.Integer(),
            nullable=False,
            comment="velocities the percentiles rest on",
        ),
        sa.Column(
            "confidence_pct",
            sa.Float(),
            nullable=False,
            comment="freshness and sample-size confidence, 0–100",
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "clip_id"),
        schema="intelligence",
        comment="How fast each recent clip gathers views, as known at the window's end.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "clip_activity",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the half-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="tracked game"),
        sa.Column(
            "observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="newest snapshot of any of its clips",
        ),
        sa.Column("clip_count", sa.Integer(), nullable=False, comment="clips that are there"),
        sa.Column(
            "sample_count", sa.Integer(), nullable=False, comment="those whose velocity is known"
        ),
        sa.Column("viral_count", sa.Integer(), nullable=True, comment="those of class VIRAL"),
        sa.Column("fell_count", sa.Integer(), nullable=False, comment="those whose counter fell"),
        sa.Column(
            "views_gained_per_hour",
            sa.Float(),
            nullable=True,
            comment="sum of the known velocities, views per hour",
        ),
        sa.Column(
            "velocity_p50", sa.Float(), nullable=True, comment="median velocity, views per hour"
        ),
        sa.Column(
            "velocity_p90",
            sa.Float(),
            nullable=True,
            comment="90th percentile of velocity, views per hour",
        ),
        sa.Column(
            "viral_share",
            sa.Float(),
            nullable=True,
            comment="share of views_gained_per_hour that goes to the viral clips, 0–1",
        ),
        sa.Column(
            "confidence_pct",
            sa.Float(),
            nullable=False,
            comment="mean confidence of its clips, 0–100",
        ),
        sa.PrimaryKeyConstraint("window_start", "category"),
        schema="intelligence",
        comment="What the clips of each game do together; kept when the clips themselves must go.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "clip_hours",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="tracked game"),
        sa.Column(
            "hour_start", sa.TIMESTAMP(timezone=True), nullable=False, comment="the full hour, UTC"
        ),
        sa.Column(
            "clip_count",
            sa.Integer(),
            nullable=False,
            comment="clips made in that hour, as known at as_of",
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "hour_start"),
        schema="intelligence",
        comment="Clips made per hour, for the eight hours before the window's end that are known.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "clip_video_lead_lag",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="tracked game"),
        sa.Column(
            "relation",
            sa.Text(),
            nullable=False,
            comment="LEADS, FOLLOWS, TOGETHER, NONE or UNKNOWN",
        ),
        sa.Column(
            "lag_h",
            sa.SmallInteger(),
            nullable=True,
            comment="lag of the strongest correlation in hours, ±12; above 0 clips run ahead",
        ),
        sa.Column(
            "lag_low_h",
            sa.SmallInteger(),
            nullable=True,
            comment="smallest lag without any one day",
        ),
        sa.Column(
            "lag_high_h",
            sa.SmallInteger(),
            nullable=True,
            comment="largest lag without any one day",
        ),
        sa.Column(
            "correlation", sa.Float(), nullable=True, comment="Pearson's r at that lag, −1 to 1"
        ),
        sa.Column(
            "band",
            sa.Float(),
            nullable=True,
            comment="95th percentile of the strongest correlation among cyclic shifts, 0–1",
        ),
        sa.Column(
            "p_value", sa.Float(), nullable=True, comment="share of shifts that correlate as much"
        ),
        sa.Column(
            "common_hours",
            sa.Integer(),
            nullable=False,
            comment="hours known on both sides, of 336",
        ),
        sa.Column(
            "clip_hours",
            sa.Integer(),
            nullable=False,
            comment="hours whose change in clips is known",
        ),
        sa.Column(
            "video_hours",
            sa.Integer(),
            nullable=False,
            comment="hours whose change in video speed is known",
        ),
        sa.Column(
            "resolution_h",
            sa.Float(),
            nullable=True,
            comment="median hours between the snapshots behind the video side",
        ),
        sa.PrimaryKeyConstraint("window_start", "category"),
        schema="intelligence",
        comment="Whether the clips of a game run ahead of its videos, over the last 14 days.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "hour_of_week_map",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="tracked game"),
        sa.Column(
            "hour_of_week",
            sa.SmallInteger(),
            nullable=False,
            comment="hour of the audience's week, 0 is Monday 00:00",
        ),
        sa.Column(
            "next_start_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when that hour begins next, UTC",
        ),
        sa.Column(
            "viewers_expected",
            sa.Float(),
            nullable=True,
            comment="usual viewers at this hour, shrunken",
        ),
        sa.Column(
            "viewers_low", sa.Float(), nullable=True, comment="90 % interval of usual viewers"
        ),
        sa.Column(
            "viewers_high", sa.Float(), nullable=True, comment="90 % interval of usual viewers"
        ),
        sa.Column(
            "viewers_n",
            sa.Integer(),
            nullable=False,
            comment="weeks in which viewers at this hour are known",
        ),
        sa.Column(
            "viewers_effective_n",
            sa.Float(),
            nullable=False,
            comment="independent hours that would say as much as the estimate",
        ),
        sa.Column(
            "live_expected",
            sa.Float(),
            nullable=True,
            comment="usual live streams at this hour, shrunken",
        ),
        sa.Column(
            "live_low", sa.Float(), nullable=True, comment="90 % interval of usual live streams"
        ),
        sa.Column(
            "live_high", sa.Float(), nullable=True, comment="90 % interval of usual live streams"
        ),
        sa.Column(
            "live_n",
            sa.Integer(),
            nullable=False,
            comment="weeks in which live streams at this hour are known",
        ),
        sa.Column(
            "live_effective_n",
            sa.Float(),
            nullable=False,
            comment="independent hours that would say as much as the estimate",
        ),
        sa.Column(
            "days_known", sa.Integer(), nullable=False, comment="days of the last 28 with any crawl"
        ),
        sa.Column(
            "is_peak", sa.Boolean(), nullable=False, comment="the hour is a peak of the audience"
        ),
        sa.Column(
            "peak_source",
            sa.Text(),
            nullable=False,
            comment="learned from viewers, or the fixed hours",
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "hour_of_week"),
        schema="intelligence",
        comment="What is usual on Twitch at each hour of the audience's week, as of as_of.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "momentum",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the half-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column(
            "velocity_change",
            sa.Float(),
            nullable=True,
            comment="change of log(1 + median lifetime velocity) in 24 hours",
        ),
        sa.Column(
            "velocity_z",
            sa.Float(),
            nullable=True,
            comment="that against its usual changes, −4 to 4",
        ),
        sa.Column(
            "viral_change",
            sa.Float(),
            nullable=True,
            comment="change of log(1 + VIRAL videos) in 24 hours",
        ),
        sa.Column(
            "viral_z", sa.Float(), nullable=True, comment="that against its usual changes, −4 to 4"
        ),
        sa.Column(
            "viewers_change",
            sa.Float(),
            nullable=True,
            comment="change of log(1 + viewers on Twitch) in 24 hours",
        ),
        sa.Column(
            "viewers_z",
            sa.Float(),
            nullable=True,
            comment="that against its usual changes, −4 to 4",
        ),
        sa.Column(
            "changes_n",
            sa.Integer(),
            nullable=False,
            comment="earlier changes behind the usual ones, of 672",
        ),
        sa.Column(
            "momentum_score",
            sa.Float(),
            nullable=True,
            comment="0–100, 50 is as usual, higher is gaining",
        ),
        sa.Column(
            "direction", sa.Text(), nullable=False, comment="GAINING, STEADY, LOSING or UNKNOWN"
        ),
        sa.Column(
            "confidence_pct",
            sa.Float(),
            nullable=False,
            comment="0–100: freshness, sample, signals and past",
        ),
        sa.PrimaryKeyConstraint("window_start", "category"),
        schema="intelligence",
        comment="Which categories are speeding up against their own usual changes.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.add_column(
        "competition",
        sa.Column(
            "baseline_low", sa.Float(), nullable=True, comment="90 % interval of the usual streams"
        ),
        schema="intelligence",
    )
    op.add_column(
        "competition",
        sa.Column(
            "baseline_high", sa.Float(), nullable=True, comment="90 % interval of the usual streams"
        ),
        schema="intelligence",
    )
    op.add_column(
        "competition",
        sa.Column(
            "peak_source",
            sa.Text(),
            nullable=True,
            comment="peak hours learned from viewers, or fixed",
        ),
        schema="intelligence",
    )
    # Until now the peak hours were the fixed ones, always.
    op.execute("UPDATE intelligence.competition SET peak_source = 'fixed'")
    op.alter_column("competition", "peak_source", nullable=False, schema="intelligence")
    op.alter_column(
        "competition",
        "baseline_n",
        existing_type=sa.Integer(),
        existing_nullable=False,
        comment="independent hours that would say as much",
        existing_comment="samples behind the baseline",
        schema="intelligence",
    )
    op.add_column(
        "crawls",
        sa.Column(
            "viewer_total",
            sa.BigInteger(),
            nullable=True,
            comment="viewers of its streams together",
        ),
        schema="operations",
    )
    # The crawls that are there say it from now on as well, as far as their streams are kept.
    op.execute(
        """
        UPDATE operations.crawls c SET viewer_total = s.viewers
        FROM (
            SELECT game_id, crawl_at, sum(viewer_count) AS viewers
            FROM (
                SELECT game_id, crawl_at, stream_id, max(viewer_count) AS viewer_count
                FROM collection.twitch_streams GROUP BY 1, 2, 3
            ) once
            GROUP BY 1, 2
        ) s
        JOIN operations.categories g ON g.twitch_game_id = s.game_id
        WHERE c.dataset = 'collection/twitch_streams'
          AND c.category = g.category AND c.crawl_at = s.crawl_at
        """
    )


def downgrade() -> None:
    """Undo the revision."""
    op.drop_column("crawls", "viewer_total", schema="operations")
    op.alter_column(
        "competition",
        "baseline_n",
        existing_type=sa.Integer(),
        existing_nullable=False,
        comment="samples behind the baseline",
        existing_comment="independent hours that would say as much",
        schema="intelligence",
    )
    for name in ("peak_source", "baseline_high", "baseline_low"):
        op.drop_column("competition", name, schema="intelligence")
    for name in (
        "momentum",
        "hour_of_week_map",
        "clip_video_lead_lag",
        "clip_hours",
        "clip_activity",
        "clip_intel",
    ):
        op.drop_table(name, schema="intelligence")
