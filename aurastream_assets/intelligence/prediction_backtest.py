"""How earlier predictions did, looked at again each day."""

from datetime import timedelta
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.evaluation.archives import observations_of
from aurastream.evaluation.backtest import ALL, HORIZONS, backtest, looked_at_again
from aurastream.evaluation.metrics import calibration_bins
from aurastream.evaluation.pictures import calibration, course, spark
from aurastream.store import readings_models
from aurastream.store.tables.models import prediction_backtest as table
from aurastream_assets.intelligence.learning import (
    SNAPSHOTS,
    Day,
    Record,
    daily_asset,
    day_number,
    day_start,
    days_of,
    picture,
    together,
)
from aurastream_assets.keys import asset_key
from resources.failures import failing_fast
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["prediction_backtest"]

_LOOK_BACK: Final = 14
_TOLD_DAYS: Final = 30


@daily_asset(
    key=asset_key("intelligence", "prediction_backtest"),
    code_version="4",
    deps=SNAPSHOTS,
    ins={
        "predictions": dg.AssetIn(
            key=asset_key("intelligence", "viral_predictions"),
            metadata={"lookback": f"{_LOOK_BACK}D"},
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
    # The look back of the oldest prediction needs what its day ended with.
    record = Record(context, store, look_back=_LOOK_BACK + 1)
    dated = predictions.assign(day=[day_number(at) for at in predictions["window_start"]])
    start = context.partition_time_window.start
    told_from = start - timedelta(days=_TOLD_DAYS - 1)
    told = readings_models.backtest_days(store.frames, told_from, start)
    found: list[pd.DataFrame] = []
    for day in days_of(context):
        is_known = dated["day"].between(day.number - _LOOK_BACK, day.number)
        known = dated[is_known & (dated["window_start"] >= record.begin_of(day))]
        state, rows = _judged(context, day, known, record.counters_until(day))
        context.add_asset_metadata({"state": state}, partition_key=day.key)
        if rows is not None:
            told = pd.concat([told, rows], ignore_index=True)
            recent = told[told["window_start"] > day.start - timedelta(days=_TOLD_DAYS)]
            context.add_asset_metadata(_over_time(recent, rows), partition_key=day.key)
            found.append(rows)
    whole = together(found, table)
    if found:
        whole = whole.assign(
            predicted_from=whole["first_day"].map(day_start),
            predicted_to=whole["newest_day"].map(day_start),
        ).drop(columns=["first_day", "newest_day"])
    return Analysis(whole, refused=record.refused)


def _judged(
    context: dg.AssetExecutionContext, day: Day, predictions: pd.DataFrame, counters: pd.DataFrame
) -> tuple[str, pd.DataFrame | None]:
    """Return what there is to say of a day, and the rows of its backtest if there is one."""
    if predictions.empty or counters.empty:
        return "There are no earlier predictions yet.", None
    seen = observations_of(counters)
    found = backtest(predictions, seen, last_day=day.number)
    if found.empty:
        return "The oldest prediction is not a day old yet.", None
    _describe(context, day, found, predictions, seen)
    return "Looked at again.", found.assign(window_start=day.start)


def _describe(
    context: dg.AssetExecutionContext,
    day: Day,
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
            last_day=day.number,
            horizon=horizon,
        )
        rows = rows[rows["probability"].notna()]
        if len(rows):
            curves[f"after {horizon} days"] = calibration_bins(
                rows["is_hit"].to_numpy(dtype=bool), rows["probability"].to_numpy(dtype="float64")
            )
    metadata: dict[str, dg.MetadataValue] = {"all_games": dg.MetadataValue.md("\n".join(lines))}
    if curves:
        title = "What was promised, and what came of it"
        metadata["calibration"] = picture(calibration(curves, title=title), title)
    context.add_asset_metadata(metadata, partition_key=day.key)


def _over_time(days: pd.DataFrame, now: pd.DataFrame) -> dict[str, dg.MetadataValue]:
    """Tell each game's figures of the day with the course of the last 30 days."""
    of_row = ["method", "horizon_days", "category"]
    courses = dict(list(days.sort_values("window_start").groupby(of_row)))
    titles = ["game", "method", "days", "videos", "called", "hits", "precision", "recall"]
    titles += ["calibration error", *(f"{n}, {_TOLD_DAYS} days" for n in ("precision", "recall"))]
    lines = [f"| {' | '.join(titles)} |", "|---|---|" + "--:|" * 7 + "---|---|"]
    figures = ("precision", "recall", "calibration_error")
    told = {
        n: now[n].astype("float64").map("{:.2f}".format, na_action="ignore").astype(object)
        for n in figures
    }
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
