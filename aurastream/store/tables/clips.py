"""Clips, the rhythm of the week on Twitch, and what gains momentum."""

from typing import Any

import sqlalchemy as sa

from aurastream.store.tables.declare import (
    CATEGORY,
    FOUR_HOURS,
    WINDOW,
    Timestamp,
    column,
    partitioned,
)

_GAME = "tracked game"

clip_intel = partitioned(
    "clip_intel",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", WINDOW, key=True),
    column("category", sa.Text, "own", _GAME, key=True),
    column("clip_id", sa.Text, "raw_meta", "Twitch clip id", key=True),
    column("observed_at", Timestamp, "ops", "newest snapshot of the clip before as_of"),
    column("created_at", Timestamp, "raw_meta", "when the clip was made"),
    column("age_h", sa.Float, "derived", "hours from its making to observed_at"),
    column("views", sa.BigInteger, "raw_stat", "views at observed_at"),
    column(
        "lifetime_velocity_per_hour",
        sa.Float,
        "derived",
        "views / max(0.5 h, age); 0 or more, higher is faster",
    ),
    column(
        "velocity_per_hour",
        sa.Float,
        "derived",
        "views gained per hour since the reference; 0 or more, higher is faster",
        null=True,
    ),
    column("velocity_span_h", sa.Float, "derived", "hours since the reference", null=True),
    column(
        "velocity_basis",
        sa.Text,
        "derived",
        "what the reference is: crawls or creation",
        null=True,
    ),
    column("views_fell", sa.Boolean, "derived", "the counter fell since the reference"),
    column(
        "velocity_score",
        sa.Float,
        "derived",
        "percentile score of velocity among the game's clips, 0–100, higher is faster",
        null=True,
    ),
    column("trend_class", sa.Text, "derived", "VIRAL, RISING, STABLE, FALLING or UNKNOWN"),
    column("sample_count", sa.Integer, "derived", "velocities the percentiles rest on"),
    column("confidence_pct", sa.Float, "derived", "freshness and sample-size confidence, 0–100"),
    comment="How fast each recent clip gathers views, as known at the window's end.",
)

clip_activity = partitioned(
    "clip_activity",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", WINDOW, key=True),
    column("category", sa.Text, "own", _GAME, key=True),
    column("observed_at", Timestamp, "ops", "newest snapshot of any of its clips"),
    column("clip_count", sa.Integer, "derived", "clips that are there"),
    column("sample_count", sa.Integer, "derived", "those whose velocity is known"),
    column("viral_count", sa.Integer, "derived", "those of class VIRAL", null=True),
    column("fell_count", sa.Integer, "derived", "those whose counter fell"),
    column(
        "views_gained_per_hour",
        sa.Float,
        "derived",
        "sum of the known velocities, views per hour",
        null=True,
    ),
    column("velocity_p50", sa.Float, "derived", "median velocity, views per hour", null=True),
    column(
        "velocity_p90",
        sa.Float,
        "derived",
        "90th percentile of velocity, views per hour",
        null=True,
    ),
    column(
        "viral_share",
        sa.Float,
        "derived",
        "share of views_gained_per_hour that goes to the viral clips, 0–1",
        null=True,
    ),
    column("confidence_pct", sa.Float, "derived", "mean confidence of its clips, 0–100"),
    comment="What the clips of each game do together; kept when the clips themselves must go.",
)

clip_hours = partitioned(
    "clip_hours",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", FOUR_HOURS, key=True),
    column("category", sa.Text, "own", _GAME, key=True),
    column("hour_start", Timestamp, "ops", "the full hour, UTC", key=True),
    column("clip_count", sa.Integer, "derived", "clips made in that hour, as known at as_of"),
    comment="Clips made per hour, for the eight hours before the window's end that are known.",
)

clip_video_lead_lag = partitioned(
    "clip_video_lead_lag",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", FOUR_HOURS, key=True),
    column("category", sa.Text, "own", _GAME, key=True),
    column("relation", sa.Text, "derived", "LEADS, FOLLOWS, TOGETHER, NONE or UNKNOWN"),
    column(
        "lag_h",
        sa.SmallInteger,
        "derived",
        "lag of the strongest correlation in hours, ±12; above 0 clips run ahead",
        null=True,
    ),
    column("lag_low_h", sa.SmallInteger, "derived", "smallest lag without any one day", null=True),
    column("lag_high_h", sa.SmallInteger, "derived", "largest lag without any one day", null=True),
    column("correlation", sa.Float, "derived", "Pearson's r at that lag, −1 to 1", null=True),
    column(
        "band",
        sa.Float,
        "derived",
        "95th percentile of the strongest correlation among cyclic shifts, 0–1",
        null=True,
    ),
    column("p_value", sa.Float, "derived", "share of shifts that correlate as much", null=True),
    column("common_hours", sa.Integer, "derived", "hours known on both sides, of 336"),
    column("clip_hours", sa.Integer, "derived", "hours whose change in clips is known"),
    column("video_hours", sa.Integer, "derived", "hours whose change in video speed is known"),
    column(
        "resolution_h",
        sa.Float,
        "derived",
        "median hours between the snapshots behind the video side",
        null=True,
    ),
    comment="Whether the clips of a game run ahead of its videos, over the last 14 days.",
)


def _expected(name: str, unit: str) -> list[sa.Column[Any]]:
    return [
        column(
            f"{name}_expected",
            sa.Float,
            "derived",
            f"usual {unit} at this hour, shrunken",
            null=True,
        ),
        column(f"{name}_low", sa.Float, "derived", f"90 % interval of usual {unit}", null=True),
        column(f"{name}_high", sa.Float, "derived", f"90 % interval of usual {unit}", null=True),
        column(f"{name}_n", sa.Integer, "derived", f"weeks in which {unit} at this hour are known"),
        column(
            f"{name}_effective_n",
            sa.Float,
            "derived",
            "independent hours that would say as much as the estimate",
        ),
    ]


hour_of_week_map = partitioned(
    "hour_of_week_map",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", FOUR_HOURS, key=True),
    column("category", sa.Text, "own", _GAME, key=True),
    column(
        "hour_of_week",
        sa.SmallInteger,
        "derived",
        "hour of the audience's week, 0 is Monday 00:00",
        key=True,
    ),
    column("next_start_at", Timestamp, "derived", "when that hour begins next, UTC"),
    *_expected("viewers", "viewers"),
    *_expected("live", "live streams"),
    column("days_known", sa.Integer, "derived", "days of the last 28 with any crawl"),
    column("is_peak", sa.Boolean, "derived", "the hour is a peak of the audience"),
    column("peak_source", sa.Text, "derived", "learned from viewers, or the fixed hours"),
    comment="What is usual on Twitch at each hour of the audience's week, as of as_of.",
)

momentum = partitioned(
    "momentum",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", WINDOW, key=True),
    column("category", sa.Text, "own", CATEGORY, key=True),
    column(
        "velocity_change",
        sa.Float,
        "derived",
        "change of log(1 + median lifetime velocity) in 24 hours",
        null=True,
    ),
    column("velocity_z", sa.Float, "derived", "that against its usual changes, −4 to 4", null=True),
    column(
        "viral_change",
        sa.Float,
        "derived",
        "change of log(1 + VIRAL videos) in 24 hours",
        null=True,
    ),
    column("viral_z", sa.Float, "derived", "that against its usual changes, −4 to 4", null=True),
    column(
        "viewers_change",
        sa.Float,
        "derived",
        "change of log(1 + viewers on Twitch) in 24 hours",
        null=True,
    ),
    column("viewers_z", sa.Float, "derived", "that against its usual changes, −4 to 4", null=True),
    column("changes_n", sa.Integer, "derived", "earlier changes behind the usual ones, of 672"),
    column(
        "momentum_score",
        sa.Float,
        "derived",
        "0–100, 50 is as usual, higher is gaining",
        null=True,
    ),
    column("direction", sa.Text, "derived", "GAINING, STEADY, LOSING or UNKNOWN"),
    column("confidence_pct", sa.Float, "derived", "0–100: freshness, sample, signals and past"),
    comment="Which categories are speeding up against their own usual changes.",
)
