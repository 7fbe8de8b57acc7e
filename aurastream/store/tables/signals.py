"""Intelligence that feeds the feed: pure functions of (snapshots, as_of), half-hour windows."""

from typing import Any

import sqlalchemy as sa

from aurastream.store.tables.declare import CATEGORY, WINDOW, Timestamp, column, partitioned

video_velocity = partitioned(
    "video_velocity",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", WINDOW, key=True),
    column("category", sa.Text, "own", CATEGORY, key=True),
    column("video_id", sa.Text, "raw_meta", "YouTube video id", key=True),
    column("channel_id", sa.Text, "raw_meta", "YouTube channel id"),
    column("observed_at", Timestamp, "ops", "newest snapshot of the video at or before as_of"),
    column("published_at", Timestamp, "raw_meta", "publication time", null=True),
    column("age_h", sa.Float, "derived", "hours from publication to observed_at", null=True),
    column("best_rank", sa.SmallInteger, "raw_stat", "best chart rank over regions", null=True),
    column("region_count", sa.SmallInteger, "derived", "regions whose chart shows the video"),
    column("views", sa.BigInteger, "raw_stat", "views at observed_at", null=True),
    column("likes", sa.BigInteger, "raw_stat", "likes at observed_at", null=True),
    column("comments", sa.BigInteger, "raw_stat", "comments at observed_at", null=True),
    column("duration_s", sa.Integer, "raw_meta", "length in seconds", null=True),
    column("audio_language", sa.Text, "derived", "audio tag, else title tag, else und"),
    column(
        "lifetime_velocity_per_hour",
        sa.Float,
        "derived",
        "views / max(0.5 h, age); 0 or more, higher is faster",
        null=True,
    ),
    column(
        "velocity_now_per_hour",
        sa.Float,
        "derived",
        "views gained per hour between the two snapshots that span the trailing window",
        null=True,
    ),
    column("velocity_now_span_h", sa.Float, "derived", "hours between those snapshots", null=True),
    column("velocity_now_n", sa.Integer, "derived", "snapshots in the trailing window"),
    column("views_fell", sa.Boolean, "derived", "the counter fell, so velocity_now is null"),
    column("engagement_rate", sa.Float, "derived", "(likes + comments) / views, 0–1", null=True),
    column("freshness", sa.Text, "derived", "FRESH, RECENT, STALE, OLD or EXPIRED"),
    column("confidence_pct", sa.Float, "derived", "interpolated freshness confidence, 0–100"),
    comment="How fast each charted or tracked video gathers views, as known at the window's end.",
)


def _moments(metric: str, unit: str) -> list[sa.Column[Any]]:
    what = {
        "mean": "mean without outliers",
        "std": "population standard deviation without outliers",
        "p25": "25th percentile, linear, outliers kept",
        "p50": "median",
        "p75": "75th percentile",
        "p90": "90th percentile",
    }
    return [
        column(f"{metric}_{name}", sa.Float, "derived", f"{text} of {unit}", null=True)
        for name, text in what.items()
    ]


category_stats = partitioned(
    "category_stats",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", WINDOW, key=True),
    column("category", sa.Text, "own", CATEGORY, key=True),
    column("sample_count", sa.Integer, "derived", "videos in the category"),
    column("outlier_count", sa.Integer, "derived", "videos outside the 1.5 IQR fence of velocity"),
    *_moments("views", "views"),
    *_moments("velocity", "lifetime velocity, views per hour"),
    *_moments("engagement", "engagement rate, 0–1"),
    column(
        "baseline_velocity_per_hour",
        sa.Float,
        "derived",
        "median velocity of the p25–p75 slice; the category's default under 30 videos",
    ),
    column("baseline_source", sa.Text, "derived", "dynamic or default"),
    comment="Distribution of views, velocity and engagement of each category in the window.",
)

viral_scores = partitioned(
    "viral_scores",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", WINDOW, key=True),
    column("category", sa.Text, "own", CATEGORY, key=True),
    column("video_id", sa.Text, "raw_meta", "YouTube video id", key=True),
    column("trend_class", sa.Text, "derived", "VIRAL, RISING, STABLE, FALLING or UNKNOWN"),
    column(
        "viral_score",
        sa.Float,
        "derived",
        "percentile score of velocity within the category, 0–100, higher is more viral",
        null=True,
    ),
    column("velocity_z", sa.Float, "derived", "z-score of velocity within the category", null=True),
    column("views_score", sa.Float, "derived", "percentile score of views, 0–100", null=True),
    column("engagement_score", sa.Float, "derived", "percentile score of engagement", null=True),
    column("decayed_score", sa.Float, "derived", "viral_score × confidence / 100", null=True),
    column("confidence_pct", sa.Float, "derived", "freshness and sample-size confidence, 0–100"),
    column("sample_count", sa.Integer, "derived", "videos the percentiles rest on"),
    comment="How viral each video is against its category in the window.",
)

competition = partitioned(
    "competition",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", WINDOW, key=True),
    column("category", sa.Text, "own", "tracked game", key=True),
    column("observed_at", Timestamp, "ops", "newest stream crawl at or before as_of", null=True),
    column("live_count", sa.Integer, "derived", "live streams seen (at most 100 per game)"),
    column("viewer_total", sa.BigInteger, "derived", "their concurrent viewers"),
    column(
        "baseline_live_count", sa.Float, "derived", "usual streams at this hour of week", null=True
    ),
    column("baseline_n", sa.Integer, "derived", "independent hours that would say as much"),
    column("saturation_score", sa.Float, "derived", "0–100, higher is less crowded"),
    column("hhi", sa.Float, "derived", "Herfindahl–Hirschman index of viewers, 0–1", null=True),
    column("hhi_lower", sa.Float, "derived", "lower bound over the unobserved tail", null=True),
    column("hhi_upper", sa.Float, "derived", "upper bound over the unobserved tail", null=True),
    column("concentration_band", sa.Text, "derived", "LOW, MODERATE or HIGH", null=True),
    column("concentration_score", sa.Float, "derived", "0–100, higher is less concentrated"),
    column("ease_score", sa.Float, "derived", "0–100, higher is easier to compete in"),
    column("is_peak", sa.Boolean, "derived", "the window lies in the audience's peak hours"),
    column("confidence_pct", sa.Float, "derived", "freshness and baseline confidence, 0–100"),
    column("baseline_low", sa.Float, "derived", "90 % interval of the usual streams", null=True),
    column("baseline_high", sa.Float, "derived", "90 % interval of the usual streams", null=True),
    column("peak_source", sa.Text, "derived", "peak hours learned from viewers, or fixed"),
    comment="How hard it is to be seen on Twitch in each game, as known at the window's end.",
)

opportunity = partitioned(
    "opportunity",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", WINDOW, key=True),
    column("category", sa.Text, "own", CATEGORY, key=True),
    column("viral_count", sa.Integer, "derived", "videos of class VIRAL"),
    column("rising_count", sa.Integer, "derived", "videos of class RISING"),
    column("sample_count", sa.Integer, "derived", "videos in the category"),
    column("velocity_ratio", sa.Float, "derived", "mean without outliers / baseline", null=True),
    column("trend_part", sa.Float, "derived", "0–100, weight .4"),
    column("velocity_part", sa.Float, "derived", "0–100, weight .3"),
    column("ease_part", sa.Float, "derived", "0–100, weight .3; 50 when there is no Twitch data"),
    column("peak_factor", sa.Float, "derived", "0.85 in the audience's peak hours, else 1"),
    column(
        "opportunity_score",
        sa.Float,
        "derived",
        "0–100, higher is better; null under the minimum sample",
        null=True,
    ),
    column("confidence_pct", sa.Float, "derived", "0–100: freshness, sample and competition"),
    comment="Where a new video or stream has the best chance, as known at the window's end.",
)
