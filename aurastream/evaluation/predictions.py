"""What is expected of a video on the day it is first sighted, from what is on record until then.

The record trains the model itself. A video can be learned from once its first sighting is certain
(two days after collection began) and seven days have passed, because T2 looks a week ahead; until
there are enough of those, there is no model and no points table, and the plain rule speaks alone:
faster than nine tenths of its category's first sightings of the last four weeks.
"""

from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.evaluation.archives import Archive
from aurastream.evaluation.cohort import WARM_UP_DAYS, cohort_mask, first_sightings
from aurastream.evaluation.features import day_one, documents
from aurastream.evaluation.labels import SERIES_DAYS, hits, outcomes
from aurastream.evaluation.metrics import (
    average_precision,
    best_threshold,
    brier_skill,
    precision_recall_f1,
)
from aurastream.evaluation.model import Training, ViralModel, cross_predictions
from aurastream.evaluation.rules import Condition, Line, PointsTable, learn_points
from aurastream.evaluation.versions import LABEL

__all__ = [
    "LIBRARY",
    "Prediction",
    "TooLittleHistory",
    "Trained",
    "predict",
    "table_as_json",
    "table_from_json",
    "train",
]

LIBRARY: Final = f"scikit-learn {version('scikit-learn')}"
FEWEST_VIDEOS: Final = 300
FEWEST_HITS: Final = 30
FEWEST_DAYS: Final = 3
VELOCITY_CALLS_FROM: Final = 0.9


@dataclass(frozen=True, slots=True)
class TooLittleHistory:
    """Why there is no model yet; ``str`` says it in a sentence."""

    days: int
    videos: int
    hits: int

    def __str__(self) -> str:
        return (
            f"No model yet: the record has {self.days} days of first sightings whose outcome is "
            f"known, with {self.videos} videos and {self.hits} hits; a model needs {FEWEST_DAYS} "
            f"days, {FEWEST_VIDEOS} videos and {FEWEST_HITS} hits."
        )


@dataclass(frozen=True, slots=True)
class Trained:
    """A model with its threshold, the points table, and how both were come by.

    ``first_day`` and ``last_day`` are those of the videos learned from, as days since 1970. The
    ``cross_`` figures are those of channels that the judging trees had not seen.
    """

    model: ViralModel
    table: PointsTable
    call_threshold: float
    first_day: int
    last_day: int
    video_count: int
    channel_count: int
    hit_count: int
    cross_f1: float
    cross_average_precision: float
    cross_brier_skill: float
    promised: npt.NDArray[np.float64]
    truth: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What predicts: a model and a table, both or none of them."""

    model: ViralModel | None = None
    call_threshold: float = np.nan
    table: PointsTable | None = None

    @classmethod
    def of(cls, trained: Trained) -> Self:
        """Keep of a training what predicting needs."""
        return cls(trained.model, trained.call_threshold, trained.table)


def train(archive: Archive) -> Trained | TooLittleHistory:
    """Train on every video of an archive whose outcome is known by its last day."""
    rows = first_sightings(archive)
    inside = cohort_mask(rows, archive, outcome_days=SERIES_DAYS)
    learned = rows[inside].reset_index(drop=True)
    outcome = outcomes(learned, archive.observations)[LABEL]
    truth = hits(outcome, learned["category_id"])
    days, found = int(learned["day"].nunique()), int(truth.sum())
    if days < FEWEST_DAYS or len(learned) < FEWEST_VIDEOS or found < FEWEST_HITS:
        return TooLittleHistory(days, len(learned), found)
    features = day_one(rows, archive.charts)[inside].reset_index(drop=True)
    training = Training(
        features,
        documents(learned),
        outcome.to_numpy(),
        truth,
        learned["channel_id"].to_numpy(dtype=object),
    )
    crossed = cross_predictions(training)
    bar = best_threshold(truth, crossed)
    return Trained(
        model=ViralModel.fit(training),
        table=learn_points(features, truth),
        call_threshold=bar,
        first_day=int(learned["day"].min()),
        last_day=int(learned["day"].max()),
        video_count=len(learned),
        channel_count=int(learned["channel_id"].nunique()),
        hit_count=found,
        cross_f1=precision_recall_f1(truth, crossed >= bar)[2],
        cross_average_precision=average_precision(truth, crossed),
        cross_brier_skill=brier_skill(truth, crossed),
        promised=crossed,
        truth=truth,
    )


def predict(archive: Archive, prediction: Prediction) -> pd.DataFrame:
    """Predict the videos that were first sighted on the archive's last day.

    Returns
    -------
    pandas.DataFrame
        ``video_id``, ``category_id``, ``observed_at``, ``views``, ``velocity_per_hour``,
        ``velocity_share`` and ``is_velocity_called``, and, null without a model or table,
        ``points``, ``is_points_called``, ``probability`` and ``is_model_called``; in the order of
        the videos. Empty while the first sightings of the day are not certain.
    """
    rows = first_sightings(archive)
    features = day_one(rows, archive.charts)
    is_certain = archive.last_day >= archive.first_day + WARM_UP_DAYS
    is_today = (rows["day"] == archive.last_day).to_numpy() & is_certain
    today, known = rows[is_today], features[is_today]
    share = known["velocity_in_category"].to_numpy()
    nothing = pd.array([pd.NA] * len(today), dtype="boolean")
    found: dict[str, Any] = {
        "video_id": today["video_id"].to_numpy(),
        "category_id": pd.to_numeric(today["category_id"]).to_numpy(),
        "observed_at": today["fetched_at"].array,
        "views": today["views"].to_numpy(),
        "velocity_per_hour": known["velocity"].to_numpy(),
        "velocity_share": share,
        "is_velocity_called": share >= VELOCITY_CALLS_FROM,
        "points": np.nan,
        "is_points_called": nothing,
        "probability": np.nan,
        "is_model_called": nothing,
    }
    if prediction.table is not None:
        found["points"] = prediction.table.points(known)
        found["is_points_called"] = prediction.table.calls(known)
    if prediction.model is not None:
        probability = prediction.model.probability(known, documents(today))
        found["probability"] = probability
        found["is_model_called"] = probability >= prediction.call_threshold
    return pd.DataFrame(found).sort_values("video_id", ignore_index=True)


def table_as_json(table: PointsTable) -> dict[str, Any]:
    """Return a points table as a JSON object, from which `table_from_json` makes it again."""
    return asdict(table)


def table_from_json(stored: dict[str, Any]) -> PointsTable:
    """Make a points table of its JSON object."""
    return PointsTable(
        tuple(
            Line(tuple(Condition(**one) for one in line["conditions"]), line["points"])
            for line in stored["lines"]
        ),
        float(stored["bar"]),
    )
