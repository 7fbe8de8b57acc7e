"""Live streams with unusually many or few viewers, half-hour windows."""

import sqlalchemy as sa

from aurastream.store.tables.declare import WINDOW, Timestamp, column, partitioned


def _score(name: str) -> sa.Column[float]:
    return column(f"{name}_score", sa.Float, "derived", f"score of {name}, 0–100", null=True)


viewer_anomalies = partitioned(
    "viewer_anomalies",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", WINDOW, key=True),
    column("category", sa.Text, "own", "tracked game", key=True),
    column("stream_id", sa.Text, "raw_meta", "Twitch stream id", key=True),
    column("crawl_at", Timestamp, "ops", "start of the crawl, within the window", key=True),
    column("user_id", sa.Text, "raw_meta", "Twitch user id; '' when unknown"),
    column("observed_at", Timestamp, "ops", "when the platform answered"),
    column("viewers", sa.BigInteger, "raw_stat", "concurrent viewers", null=True),
    column(
        "anomaly_score",
        sa.Float,
        "derived",
        "largest deviation against its threshold, 0–100, 50 is at it, higher is rarer",
        null=True,
    ),
    column("direction", sa.Text, "derived", "SPIKE, DROP, USUAL or UNKNOWN"),
    column("strategy", sa.Text, "derived", "the strategy that says so", null=True),
    column("z", sa.Float, "derived", "its deviation, above 0 is more viewers", null=True),
    column("threshold", sa.Float, "ops", "its threshold as it was set", null=True),
    column("baseline_viewers", sa.Float, "derived", "what it takes for usual, viewers", null=True),
    column(
        "baseline_source",
        sa.Text,
        "derived",
        "whose samples it rests on: stream or channel",
        null=True,
    ),
    column("sample_count", sa.Integer, "derived", "how many samples it rests on"),
    column("known_count", sa.SmallInteger, "derived", "strategies with enough samples"),
    column("anomaly_count", sa.SmallInteger, "derived", "those that reach their threshold"),
    *(_score(name) for name in ("zscore", "percent_change", "moving_average", "quantile")),
    comment="How unusual the viewers of each stream were at each crawl of the window.",
)
