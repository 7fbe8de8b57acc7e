"""How earlier predictions did, looked at again each day."""

from datetime import timedelta

import dagster as dg
import pandas as pd

from aurastream.evaluation.archives import observations_of
from aurastream.evaluation.backtest import ALL, HORIZONS, backtest, looked_at_again
from aurastream.evaluation.metrics import calibration_bins
from aurastream.evaluation.pictures import calibration
from aurastream.store import readings_models
from aurastream.store.columns import empty_frame
from aurastream.store.tables.models import prediction_backtest as table
from aurastream_assets.intelligence.learning import (
    SNAPSHOTS,
    daily_asset,
    day_number,
    day_start,
    picture,
)
from aurastream_assets.keys import asset_key
from resources.failures import failing_fast
from resources.store import Store

__all__ = ["prediction_backtest"]

_LOOK_BACK = "14D"


@daily_asset(
    key=asset_key("intelligence", "prediction_backtest"),
    code_version="1",
    deps=SNAPSHOTS,
    ins={
        "predictions": dg.AssetIn(
            key=asset_key("intelligence", "viral_predictions"),
            metadata={"lookback": _LOOK_BACK},
        )
    },
    kinds={"python", "pandas", "postgres"},
)
@failing_fast()
def prediction_backtest(
    context: dg.AssetExecutionContext, store: Store, predictions: pd.DataFrame
) -> pd.DataFrame:
    """Judge the predictions of the last two weeks by what has really happened since.

    Each row is a method, a horizon (one day: much is still open; seven: settled) and a category
    (each tracked game, the rest, and all), over the predictions of seven consecutive days. Compare
    the rows of many days to see whether a method keeps its promise.
    """
    window = context.partition_time_window
    start = window.end - pd.Timedelta(_LOOK_BACK).to_pytimedelta() - timedelta(days=1)
    counters = readings_models.counter_days(store.frames, start, window.end)
    if predictions.empty or counters.empty:
        context.add_output_metadata({"state": "There are no earlier predictions yet."})
        return empty_frame(table)
    days = predictions["window_start"].map(day_number)
    seen = observations_of(counters)
    last = day_number(window.start)
    dated = predictions.assign(day=days)
    found = backtest(dated, seen, last_day=last)
    if found.empty:
        context.add_output_metadata({"state": "The oldest prediction is not a day old yet."})
        return empty_frame(table)
    _describe(context, found, dated, seen)
    return found.assign(
        window_start=pd.Timestamp(window.start).as_unit("us"),
        predicted_from=found["first_day"].map(day_start),
        predicted_to=found["newest_day"].map(day_start),
    ).drop(columns=["first_day", "newest_day"])


def _describe(
    context: dg.AssetExecutionContext,
    found: pd.DataFrame,
    predictions: pd.DataFrame,
    seen: pd.DataFrame,
) -> None:
    whole = found[found["category"] == ALL]
    lines = [
        "| method | days | videos | called | hits | precision | recall |",
        "|---|--:|" + "--:|" * 5,
    ]
    lines += [
        f"| {row.method} | {row.horizon_days} | {row.video_count} | {row.called_count} "
        f"| {row.hit_count} | {row.precision:.2f} | {row.recall:.2f} |"
        for row in whole.itertuples()
    ]
    curves = {}
    for horizon in HORIZONS:
        rows = looked_at_again(
            predictions,
            seen,
            last_day=day_number(context.partition_time_window.start),
            horizon=horizon,
        )
        rows = rows[rows["probability"].notna()]
        if len(rows):
            curves[f"after {horizon} days"] = calibration_bins(
                rows["is_hit"].to_numpy(dtype=bool), rows["probability"].to_numpy(dtype="float64")
            )
    metadata: dict[str, dg.MetadataValue | str] = {
        "state": "Looked at again.",
        "all_games": dg.MetadataValue.md("\n".join(lines)),
    }
    if curves:
        title = "What was promised, and what came of it"
        metadata["calibration"] = picture(calibration(curves, title=title), title)
    context.add_output_metadata(metadata)
