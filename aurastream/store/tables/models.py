"""Trained models, their evaluations and how earlier predictions did."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from aurastream.store.tables.declare import Timestamp, column, partitioned

_DAY = "start of the day (UTC); nothing after its end is known"
_METHOD = "model, points or velocity"

viral_model = partitioned(
    "viral_model",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", _DAY, key=True),
    column("label", sa.Text, "own", "outcome that is predicted: T2", key=True),
    column("model_version", sa.Text, "ops", "version of features, words and trees"),
    column("library", sa.Text, "ops", "library that grew the trees, with its version"),
    column("trained_from", Timestamp, "ops", "day of the first videos it learned from"),
    column("trained_to", Timestamp, "ops", "day of the last videos it learned from"),
    column("video_count", sa.Integer, "derived", "videos it learned from"),
    column("channel_count", sa.Integer, "derived", "their channels"),
    column("hit_count", sa.Integer, "derived", "those that took off"),
    column("call_threshold", sa.Float, "derived", "probability from which on a video is called"),
    column("cross_f1", sa.Float, "derived", "F1 on channels that the trees had not seen, 0–1"),
    column("cross_average_precision", sa.Float, "derived", "average precision on them, 0–1"),
    column("cross_brier_skill", sa.Float, "derived", "Brier skill on them, 1 is perfect"),
    column("points_table", JSONB, "derived", "the rule that learned from the same videos"),
    column("model_sha256", sa.Text, "ops", "digest of the model's bytes"),
    column("model", sa.LargeBinary, "derived", "names and arrays of the model, compressed"),
    comment="The model of viral videos as it was trained at the end of each day.",
)

viral_predictions = partitioned(
    "viral_predictions",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", _DAY, key=True),
    column(
        "video_id", sa.Text, "raw_meta", "YouTube video id, first sighted on this day", key=True
    ),
    column("category_id", sa.Integer, "raw_meta", "YouTube category id"),
    column("game", sa.Text, "own", "tracked game it was assigned to", null=True),
    column("observed_at", Timestamp, "ops", "the sighting that the prediction rests on"),
    column("views", sa.BigInteger, "raw_stat", "views at observed_at"),
    column("velocity_per_hour", sa.Float, "derived", "views per hour since publication"),
    column(
        "velocity_share",
        sa.Float,
        "derived",
        "share of its category's first sightings of four weeks that were slower, 0–1",
        null=True,
    ),
    column("is_velocity_called", sa.Boolean, "derived", "velocity_share is at least 0.9"),
    column("points", sa.Float, "derived", "points of the learned table", null=True),
    column("is_points_called", sa.Boolean, "derived", "they reach the table's bar", null=True),
    column("probability", sa.Float, "derived", "model's probability of taking off", null=True),
    column("is_model_called", sa.Boolean, "derived", "it reaches the threshold", null=True),
    column("model_sha256", sa.Text, "ops", "model that predicted", null=True),
    comment="What was expected of each video on the day it was first sighted.",
)

prediction_backtest = partitioned(
    "prediction_backtest",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", _DAY, key=True),
    column("method", sa.Text, "own", _METHOD, key=True),
    column("horizon_days", sa.SmallInteger, "own", "days that had passed since", key=True),
    column("category", sa.Text, "own", "tracked game, other (no game) or all", key=True),
    column("predicted_from", Timestamp, "ops", "day of the oldest prediction"),
    column("predicted_to", Timestamp, "ops", "day of the newest prediction"),
    column("video_count", sa.Integer, "derived", "predictions that were looked at again"),
    column("called_count", sa.Integer, "derived", "videos that had been called"),
    column("hit_count", sa.Integer, "derived", "videos that did take off"),
    column("precision", sa.Float, "derived", "share of the called that took off, 0–1", null=True),
    column("recall", sa.Float, "derived", "share of those that took off, called", null=True),
    column("f1", sa.Float, "derived", "harmonic mean of the two, 0–1", null=True),
    column("average_precision", sa.Float, "derived", "over all thresholds, 0–1", null=True),
    column("brier_skill", sa.Float, "derived", "1 is perfect, 0 is the base rate", null=True),
    column("calibration_error", sa.Float, "derived", "promise against share, 0–1", null=True),
    column("mean_probability", sa.Float, "derived", "mean promise", null=True),
    column("hit_share", sa.Float, "derived", "share that took off, 0–1"),
    comment="How earlier predictions did, looked at again each day on what really happened.",
)

evaluations = partitioned(
    "evaluations",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", _DAY, key=True),
    column("kind", sa.Text, "own", "viral, opportunity, anomalies or language", key=True),
    column("archive", sa.Text, "own", "data that was judged; record is our own", key=True),
    column("label", sa.Text, "own", "what was predicted", key=True),
    column("method", sa.Text, "own", "who predicted", key=True),
    column("split", sa.Text, "own", "train, loso or test", key=True),
    column("is_primary", sa.Boolean, "own", "the method declared beforehand, where it is judged"),
    column("n", sa.Integer, "derived", "videos, cells, windows or titles judged"),
    column("precision", sa.Float, "derived", "0–1", null=True),
    column("recall", sa.Float, "derived", "0–1", null=True),
    column("f1", sa.Float, "derived", "0–1", null=True),
    column("ci_low", sa.Float, "derived", "low end of the headline's 95 % interval", null=True),
    column("ci_high", sa.Float, "derived", "high end of the headline's interval", null=True),
    column("nab_score", sa.Float, "derived", "100 is perfect, 0 is silence", null=True),
    column("average_precision", sa.Float, "derived", "0–1", null=True),
    column("brier_skill", sa.Float, "derived", "1 is perfect, 0 is the base rate", null=True),
    column("calibration_error", sa.Float, "derived", "0–1, lower is better", null=True),
    column("correlation", sa.Float, "derived", "Pearson's r, −1 to 1", null=True),
    column("squared_error", sa.Float, "derived", "mean, lower is better", null=True),
    column("gain", sa.Float, "derived", "correlation over that of persistence", null=True),
    column("gain_low", sa.Float, "derived", "low end of its 95 % interval", null=True),
    column("gain_high", sa.Float, "derived", "high end of its interval", null=True),
    column("error_reduction", sa.Float, "derived", "share of persistence's error", null=True),
    column("error_reduction_low", sa.Float, "derived", "low end of its interval", null=True),
    column("error_reduction_high", sa.Float, "derived", "high end of its interval", null=True),
    column("detail", sa.Text, "derived", "the setting that was judged", null=True),
    comment="Figures of every method on data it had not seen, by the protocols of the docs.",
)
