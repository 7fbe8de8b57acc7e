"""What is expected of the videos that were first sighted on a day."""

from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from aurastream.evaluation.archives import Archive
from aurastream.evaluation.versions import MODEL_VERSION
from aurastream.store import readings_models
from aurastream.store.tables.models import viral_predictions as table
from aurastream_assets.intelligence.learning import (
    SNAPSHOTS,
    Day,
    Record,
    daily_asset,
    days_of,
    together,
)
from aurastream_assets.keys import asset_key
from resources.failures import failing_fast
from resources.frame_io import Analysis
from resources.store import Store

if TYPE_CHECKING:
    from aurastream.evaluation.predictions import Prediction

__all__ = ["viral_predictions"]


@daily_asset(
    key=asset_key("intelligence", "viral_predictions"),
    code_version=f"{MODEL_VERSION}.1",
    deps=SNAPSHOTS,
    ins={"model": dg.AssetIn(key=asset_key("intelligence", "viral_model"))},
    kinds={"python", "pandas", "postgres"},
)
@failing_fast()
def viral_predictions(
    context: dg.AssetExecutionContext, store: Store, model: pd.DataFrame
) -> Analysis:
    """Predict, with what was known at the end of the day, which of its new videos will take off.

    Three methods stand side by side: the model and the points table, which learned from earlier
    videos and are null until there are enough of those, and the plain rule, which needs none:
    faster than nine tenths of its category's first sightings of four weeks.
    """
    record = Record(context, store)
    found = []
    for day in days_of(context):
        archive = record.until(day)
        # A day without charts has no first sightings; the archive's last day is an earlier one.
        if archive is None or archive.last_day != day.number:
            told = {"state": "No charts were collected on this day."}
            context.add_asset_metadata(told, partition_key=day.key)
        else:
            learned = model[model["window_start"] == day.start]
            found.append(_predicted(context, store, day, archive, learned))
    return Analysis(together(found, table), refused=record.refused)


def _predicted(
    context: dg.AssetExecutionContext,
    store: Store,
    day: Day,
    archive: Archive,
    model: pd.DataFrame,
) -> pd.DataFrame:
    # scikit-learn is not needed to load the graph.
    from aurastream.evaluation.predictions import predict  # noqa: PLC0415 # as said

    prediction = _prediction(model)
    found = predict(archive, prediction)
    games = readings_models.games_of_videos(store.frames, day.start, day.end)
    found = found.merge(games, on="video_id", how="left").assign(
        window_start=day.start,
        model_sha256=None if model.empty else model["model_sha256"].iloc[0],
    )
    state = "Predicted." if len(found) else "First sightings are certain from the third day on."
    context.add_asset_metadata(
        {
            "state": state,
            "videos": len(found),
            "with_model": prediction.model is not None,
            "called_by_model": int(found["is_model_called"].fillna(False).sum()),  # noqa: FBT003 # null is not called
            "called_by_points": int(found["is_points_called"].fillna(False).sum()),  # noqa: FBT003 # null is not called
            "called_by_velocity": int(found["is_velocity_called"].sum()),
        },
        partition_key=day.key,
    )
    return found


def _prediction(model: pd.DataFrame) -> "Prediction":
    """Return what the stored model predicts with; one of another version is left alone."""
    from aurastream.evaluation.model import ViralModel  # noqa: PLC0415 # as above
    from aurastream.evaluation.predictions import Prediction, table_from_json  # noqa: PLC0415 # as said

    usable = model[model["model_version"] == MODEL_VERSION]
    if usable.empty:
        return Prediction()
    row = usable.iloc[0]
    return Prediction(
        ViralModel.from_bytes(row["model"]),
        float(row["call_threshold"]),
        table_from_json(row["points_table"]),
    )
