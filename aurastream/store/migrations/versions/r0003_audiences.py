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
            "views_known_count", sa.Integer(), nullable=False, comment="those whose views are known"
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
    op.create_table(
        "shorts_comparison",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column(
            "regime",
            sa.Text(),
            nullable=False,
            comment="counting rules in force at the observation",
        ),
        sa.Column(
            "shorts_count", sa.Integer(), nullable=False, comment="likely Shorts of this regime"
        ),
        sa.Column(
            "shorts_known_count",
            sa.Integer(),
            nullable=False,
            comment="those whose views are known",
        ),
        sa.Column("shorts_avg_views", sa.Float(), nullable=True, comment="their mean views"),
        sa.Column(
            "longform_count",
            sa.Integer(),
            nullable=False,
            comment="long-form videos of this regime",
        ),
        sa.Column(
            "longform_known_count",
            sa.Integer(),
            nullable=False,
            comment="those whose views are known",
        ),
        sa.Column("longform_avg_views", sa.Float(), nullable=True, comment="their mean views"),
        sa.Column(
            "shorts_performance_ratio",
            sa.Float(),
            nullable=True,
            comment="mean views of Shorts / of long-form videos; above 1 Shorts gather more",
        ),
        sa.Column(
            "crossing_count",
            sa.Integer(),
            nullable=False,
            comment="videos of an earlier regime, left out",
        ),
        sa.Column(
            "unknown_count",
            sa.Integer(),
            nullable=False,
            comment="videos without a length, left out",
        ),
        sa.Column(
            "shorts_rule_version",
            sa.Text(),
            nullable=False,
            comment="version of the rule for what is a Short",
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "regime"),
        schema="intelligence",
        comment="Likely Shorts against long-form videos in each category, at the window's end.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "language_mix",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column("platform", sa.Text(), nullable=False, comment="youtube or twitch"),
        sa.Column(
            "language_source",
            sa.Text(),
            nullable=False,
            comment="tag: set by the creator; title: detected in the title",
        ),
        sa.Column(
            "language", sa.Text(), nullable=False, comment="primary language subtag; und is unknown"
        ),
        sa.Column(
            "item_count", sa.Integer(), nullable=False, comment="videos or live streams in it"
        ),
        sa.Column(
            "share",
            sa.Float(),
            nullable=False,
            comment="of all items of category and platform, 0–1",
        ),
        sa.Column(
            "viewer_total", sa.Float(), nullable=True, comment="their views, or concurrent viewers"
        ),
        sa.Column("market_share", sa.Float(), nullable=True, comment="of all known viewers, 0–1"),
        sa.PrimaryKeyConstraint(
            "window_start", "category", "platform", "language_source", "language"
        ),
        schema="intelligence",
        comment="What is watched in which language in each category, as known at the window's end.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "regional_intel",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column("platform", sa.Text(), nullable=False, comment="youtube or twitch"),
        sa.Column(
            "language_source",
            sa.Text(),
            nullable=False,
            comment="tag: set by the creator; title: detected in the title",
        ),
        sa.Column("item_count", sa.Integer(), nullable=False, comment="videos or live streams"),
        sa.Column(
            "undetermined_count", sa.Integer(), nullable=False, comment="those of unknown language"
        ),
        sa.Column(
            "language_count", sa.Integer(), nullable=False, comment="languages found, without und"
        ),
        sa.Column(
            "dominant_language",
            sa.Text(),
            nullable=False,
            comment="the one of most items, und among them",
        ),
        sa.Column(
            "dominant_share", sa.Float(), nullable=False, comment="its share of the items, 0–1"
        ),
        sa.Column(
            "leading_market_language",
            sa.Text(),
            nullable=True,
            comment="the one of most viewers, without und",
        ),
        sa.Column(
            "leading_market_share", sa.Float(), nullable=True, comment="its share of viewers, 0–1"
        ),
        sa.Column(
            "language_diversity",
            sa.Float(),
            nullable=True,
            comment="normalised entropy without und, 0–1; 0 is one language, 1 an even mix",
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "platform", "language_source"),
        schema="intelligence",
        comment="Which languages lead in each category and how mixed it is, at the window's end.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "premiere_intel",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column(
            "announced_count",
            sa.Integer(),
            nullable=False,
            comment="videos that were announced and began",
        ),
        sa.Column(
            "announced_known_count", sa.Integer(), nullable=False, comment="those with a velocity"
        ),
        sa.Column(
            "announced_median_velocity",
            sa.Float(),
            nullable=True,
            comment="their median views per hour since the start",
        ),
        sa.Column("announced_avg_views", sa.Float(), nullable=True, comment="their mean views"),
        sa.Column(
            "instant_count",
            sa.Integer(),
            nullable=False,
            comment="videos that were simply published",
        ),
        sa.Column(
            "instant_known_count", sa.Integer(), nullable=False, comment="those with a velocity"
        ),
        sa.Column(
            "instant_median_velocity",
            sa.Float(),
            nullable=True,
            comment="their median views per hour since publication",
        ),
        sa.Column("instant_avg_views", sa.Float(), nullable=True, comment="their mean views"),
        sa.Column(
            "performance_ratio",
            sa.Float(),
            nullable=True,
            comment="announced / instant median velocity; above 1 announced are faster",
        ),
        sa.Column(
            "live_count",
            sa.Integer(),
            nullable=False,
            comment="broadcasts, unannounced or still running",
        ),
        sa.Column("upcoming_count", sa.Integer(), nullable=False, comment="announced, not begun"),
        sa.Column(
            "overdue_count",
            sa.Integer(),
            nullable=False,
            comment="not begun a day after the announced start",
        ),
        sa.Column("unknown_count", sa.Integer(), nullable=False, comment="videos without metadata"),
        sa.Column(
            "delay_known_count", sa.Integer(), nullable=False, comment="starts with a schedule"
        ),
        sa.Column(
            "delay_median_min", sa.Float(), nullable=True, comment="median delay, above 0 is late"
        ),
        sa.Column("delay_worst_min", sa.Float(), nullable=True, comment="latest start"),
        sa.Column(
            "on_time_share",
            sa.Float(),
            nullable=True,
            comment="starts within five minutes either way",
        ),
        sa.Column(
            "on_time_low", sa.Float(), nullable=True, comment="lower end of its 95 % interval"
        ),
        sa.Column(
            "on_time_high", sa.Float(), nullable=True, comment="upper end of its 95 % interval"
        ),
        sa.PrimaryKeyConstraint("window_start", "category"),
        schema="intelligence",
        comment="Announced against instant releases and their punctuality, at the window's end.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "publishing_times",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column("grain", sa.Text(), nullable=False, comment="hour_of_week, hour or weekday"),
        sa.Column(
            "slot",
            sa.SmallInteger(),
            nullable=False,
            comment="its number, from Monday 00:00 or from 0",
        ),
        sa.Column("dow", sa.SmallInteger(), nullable=True, comment="day of the week, 0 is Monday"),
        sa.Column("hour", sa.SmallInteger(), nullable=True, comment="hour of the day"),
        sa.Column(
            "timezone", sa.Text(), nullable=False, comment="IANA zone of the category's audience"
        ),
        sa.Column("sample_count", sa.Integer(), nullable=False, comment="videos published then"),
        sa.Column(
            "index",
            sa.Float(),
            nullable=False,
            comment="typical first-day velocity / that of the category; higher is better",
        ),
        sa.Column("index_low", sa.Float(), nullable=True, comment="lower end of its 95 % interval"),
        sa.Column(
            "index_high", sa.Float(), nullable=True, comment="upper end of its 95 % interval"
        ),
        sa.Column(
            "is_distinct",
            sa.Boolean(),
            nullable=False,
            comment="differs even if all were looked at",
        ),
        sa.Column("is_best", sa.Boolean(), nullable=False, comment="highest lower end, above 1"),
        sa.Column("is_worst", sa.Boolean(), nullable=False, comment="lowest upper end, below 1"),
        sa.PrimaryKeyConstraint("window_start", "category", "grain", "slot"),
        schema="intelligence",
        comment="When videos came out that did well, over the four weeks before the window's end.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "channel_outliers",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column("video_id", sa.Text(), nullable=False, comment="YouTube video id"),
        sa.Column("channel_id", sa.Text(), nullable=False, comment="YouTube channel id"),
        sa.Column(
            "outlier_score",
            sa.Float(),
            nullable=True,
            comment="velocity / median of the channel's other recent videos; 1 is usual",
        ),
        sa.Column("channel_median_velocity", sa.Float(), nullable=True, comment="that median"),
        sa.Column(
            "channel_n", sa.Integer(), nullable=False, comment="other recent videos it rests on"
        ),
        sa.Column(
            "like_age_score",
            sa.Float(),
            nullable=True,
            comment="views / median of what the others had at a like age; 1 is usual",
        ),
        sa.Column("like_age_median_views", sa.Float(), nullable=True, comment="that median"),
        sa.Column("like_age_n", sa.Integer(), nullable=False, comment="other videos it rests on"),
        sa.Column(
            "viral_score",
            sa.Float(),
            nullable=True,
            comment="the score within the category at the same moment, 0–100",
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "video_id"),
        schema="intelligence",
        comment="How far each video stands out from its own channel, beside its category.",
        postgresql_partition_by="RANGE (window_start)",
    )


def downgrade() -> None:
    """Undo the revision."""
    op.drop_table("channel_outliers", schema="intelligence")
    op.drop_table("publishing_times", schema="intelligence")
    op.drop_table("premiere_intel", schema="intelligence")
    op.drop_table("regional_intel", schema="intelligence")
    op.drop_table("language_mix", schema="intelligence")
    op.drop_table("shorts_comparison", schema="intelligence")
    op.drop_table("content_formats", schema="intelligence")
