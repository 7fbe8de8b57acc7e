"""How earlier predictions did, looked at again on what really happened.

A prediction is looked at with a horizon: what had happened ``horizon`` days after it. After one day
much is still open, after seven T2 is settled. The predictions of seven consecutive days are pooled,
because the p90 of a category over a single day would hang on a handful of videos. Where nothing was
collected on any of the days that count, nobody knows what happened, and nothing is judged: not
looked at is not the same as not seen again.
"""

from typing import Final

import numpy as np
import pandas as pd

from aurastream.evaluation.labels import SERIES_DAYS, hits, outcomes
from aurastream.evaluation.metrics import (
    average_precision,
    brier_skill,
    calibration_error,
    precision_recall_f1,
)
from aurastream.evaluation.versions import LABEL

__all__ = ["ALL", "HORIZONS", "METHODS", "OTHER", "POOLED_DAYS", "backtest", "looked_at_again"]

HORIZONS: Final = (1, SERIES_DAYS)
POOLED_DAYS: Final = 7
METHODS: Final = {
    "model": ("is_model_called", "probability"),
    "points": ("is_points_called", "points"),
    "velocity": ("is_velocity_called", "velocity_share"),
}
"""What each method calls, and the score it calls by; only the model's is a probability."""
ALL: Final = "all"
OTHER: Final = "other"


def looked_at_again(
    predictions: pd.DataFrame, observations: pd.DataFrame, *, last_day: int, horizon: int
) -> pd.DataFrame:
    """Return the pooled predictions of one horizon with ``is_hit``: what became of them.

    Parameters
    ----------
    predictions : pandas.DataFrame
        Rows like ``intelligence.viral_predictions`` with ``day`` (since 1970).
    observations : pandas.DataFrame
        Counters by ``day``; those after ``last_day`` are not looked at.
    last_day : int
        The last day whose counters are known.
    horizon : int
        Days between a prediction and the look. Predictions of a day without any counters on the
        days up to its horizon are left out; of a video that several days predicted, the first one
        counts.
    """
    newest = last_day - horizon
    known = observations[observations["day"] <= last_day]
    rows = predictions[predictions["day"].between(newest - POOLED_DAYS + 1, newest)]
    collected = np.sort(known["day"].unique())
    day = rows["day"].to_numpy()
    days = [np.searchsorted(collected, edge, side="right") for edge in (day, day + horizon)]
    rows = rows[days[1] > days[0]]
    # A day that gained charts late takes first sightings from the next: what was said first counts.
    is_first = rows["day"] == rows.groupby("video_id")["day"].transform("min")
    rows = rows[is_first].reset_index(drop=True)
    outcome = outcomes(rows, known, series_days=horizon)[LABEL]
    return rows.assign(is_hit=hits(outcome, rows["category_id"]) if len(rows) else False)


def backtest(
    predictions: pd.DataFrame, observations: pd.DataFrame, *, last_day: int
) -> pd.DataFrame:
    """Return the figures of every method, horizon and category.

    Parameters
    ----------
    predictions, observations : pandas.DataFrame
        As `looked_at_again`; ``game`` names the category, null is ``other``.
    last_day : int
        The last day whose counters are known.

    Returns
    -------
    pandas.DataFrame
        One row per method that predicted, horizon and category, ``all`` among them, with the
        counts and figures of ``intelligence.prediction_backtest``; ``first_day`` and ``newest_day``
        are those of the predictions. A figure whose denominator is 0 is null.
    """
    found = []
    for horizon in HORIZONS:
        rows = looked_at_again(predictions, observations, last_day=last_day, horizon=horizon)
        games = rows["game"].astype(object).where(rows["game"].notna(), OTHER)
        groups = [(ALL, rows), *sorted((str(name), part) for name, part in rows.groupby(games))]
        for category, part in groups:
            for method in METHODS:
                figures = _figures(part, method)
                if figures is not None:
                    found.append(
                        {
                            "method": method,
                            "horizon_days": horizon,
                            "category": category,
                            **figures,
                        }
                    )
    return pd.DataFrame(found, columns=[*_KEY, *_COUNTS, *_FIGURES])


_KEY: Final = ["method", "horizon_days", "category"]
_COUNTS: Final = ["first_day", "newest_day", "video_count", "called_count", "hit_count"]
_FIGURES: Final = [
    "precision", "recall", "f1", "average_precision", "brier_skill", "calibration_error",
    "mean_probability", "hit_share",
]  # fmt: skip


def _figures(rows: pd.DataFrame, method: str) -> dict[str, float] | None:
    called_by, scored_by = METHODS[method]
    rows = rows[rows[called_by].notna() & rows[scored_by].notna()]
    if rows.empty:
        return None
    truth = rows["is_hit"].to_numpy(dtype=bool)
    called = rows[called_by].to_numpy(dtype=bool)
    score = rows[scored_by].to_numpy(dtype="float64")
    precision, recall, f1 = precision_recall_f1(truth, called)
    figures = {
        "first_day": int(rows["day"].min()),
        "newest_day": int(rows["day"].max()),
        "video_count": len(rows),
        "called_count": int(called.sum()),
        "hit_count": int(truth.sum()),
        "precision": precision if called.any() else np.nan,
        "recall": recall if truth.any() else np.nan,
        "f1": f1 if called.any() or truth.any() else np.nan,
        "average_precision": average_precision(truth, score) if truth.any() else np.nan,
        "hit_share": float(truth.mean()),
    }
    if method == "model":
        both = truth.any() and not truth.all()
        figures |= {
            "brier_skill": brier_skill(truth, score) if both else np.nan,
            "calibration_error": calibration_error(truth, score),
            "mean_probability": float(score.mean()),
        }
    return figures
