"""How earlier predictions did, looked at again each day."""

from datetime import timedelta

import dagster as dg
import pandas as pd

from aurastream.evaluation.archives import observations_of
from aurastream.evaluation.backtest import ALL, HORIZONS, backtest, looked_at_again
from aurastream.evaluation.metrics import calibration_bins
from aurastream.evaluation.pictures import calibration, course, spark
from aurastream.store import readings_models
from aurastream.store.columns import empty_frame
from aurastream.store.tables.models import prediction_backtest as table
from aurastream_assets.intelligence.learning import (
    SNAPSHOTS,
    counters_between,
    daily_asset,
    day_number,
    day_start,
    picture,
)
from aurastream_assets.keys import asset_key
from resources.failures import failing_fast
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["prediction_backtest"]

_LOOK_BACK = "14D"
_TOLD_DAYS = 30


@daily_asset(
    key=asset_key("intelligence", "prediction_backtest"),
    code_version="2",
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
) -> Analysis:
    """Judge the predictions of the last two weeks by what has really happened since.

    Each row is a method, a horizon (one day: much is still open; seven: settled) and a category
    (each tracked game, the rest, and all), over the predictions of seven consecutive days. Compare
    the rows of many days to see whether a method keeps its promise.
    """
    window = context.partition_time_window
    start = window.end - pd.Timedelta(_LOOK_BACK).to_pytimedelta() - timedelta(days=1)
    counters, refused = counters_between(context, store, start, window.end)
    if predictions.empty or counters.empty:
        context.add_output_metadata({"state": "There are no earlier predictions yet."})
        return Analysis(empty_frame(table), refused=refused)
    days = predictions["window_start"].map(day_number)
    seen = observations_of(counters)
    last = day_number(window.start)
    dated = predictions.assign(day=days)
    found = backtest(dated, seen, last_day=last)
    if found.empty:
        context.add_output_metadata({"state": "The oldest prediction is not a day old yet."})
        return Analysis(empty_frame(table), refused=refused)
    _describe(context, found, dated, seen)
    earlier = readings_models.backtest_days(
        store.frames, window.start - timedelta(days=_TOLD_DAYS - 1), window.start
    )
    now = found.assign(window_start=pd.Timestamp(window.start).as_unit("us"))
    context.add_output_metadata(_over_time(pd.concat([earlier, now]), now))
    rows = now.assign(
        predicted_from=found["first_day"].map(day_start),
        predicted_to=found["newest_day"].map(day_start),
    ).drop(columns=["first_day", "newest_day"])
    return Analysis(rows, refused=refused)


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


def _over_time(days: pd.DataFrame, now: pd.DataFrame) -> dict[str, dg.MetadataValue]:
    """Tell each game's figures of the day with the course of the last 30 days."""
    of_row = ["method", "horizon_days", "category"]
    courses = dict(list(days.sort_values("window_start").groupby(of_row)))
    titles = ["game", "method", "days", "videos", "called", "hits", "precision", "recall"]
    titles += ["calibration error", *(f"{n}, {_TOLD_DAYS} days" for n in ("precision", "recall"))]
    lines = [f"| {' | '.join(titles)} |", "|---|---|" + "--:|" * 7 + "---|---|"]
    figures = ("precision", "recall", "calibration_error")
    told = {n: now[n].astype("float64").map("{:.2f}".format, na_action="ignore") for n in figures}
    shown = now.assign(**{name: column.fillna("-") for name, column in told.items()})
    for row in shown.sort_values(["category", "method", "horizon_days"]).itertuples():
        own = courses[row.method, row.horizon_days, row.category]
        lines.append(
            f"| {row.category} | {row.method} | {row.horizon_days} | {row.video_count} "
            f"| {row.called_count} | {row.hit_count} | {row.precision} "
            f"| {row.recall} | {row.calibration_error} "
            f"| {spark(own['precision'].astype('float64').tolist())} "
            f"| {spark(own['recall'].astype('float64').tolist())} |"
        )
    metadata: dict[str, dg.MetadataValue] = {"each_game": dg.MetadataValue.md("\n".join(lines))}
    for (method, horizon, category), own in courses.items():
        if category == ALL:
            title = f"{method}, looked at again after {horizon} days: all games, day by day"
            moments = own["window_start"].dt.date
            curves = {
                name.replace("_", " "): list(zip(moments, own[name].astype("float64"), strict=True))
                for name in figures
            }
            metadata[f"course_{method}_{horizon}d"] = picture(course(curves, title=title), title)
    return metadata
