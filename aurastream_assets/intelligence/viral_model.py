"""The model of viral videos, trained on the record itself."""

import hashlib
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from aurastream.evaluation.metrics import calibration_bins
from aurastream.evaluation.pictures import calibration
from aurastream.evaluation.versions import LABEL, MODEL_VERSION
from aurastream.store.tables.models import viral_model as table
from aurastream_assets.intelligence.learning import (
    SNAPSHOTS,
    Day,
    Record,
    daily_asset,
    day_start,
    days_of,
    picture,
    together,
)
from aurastream_assets.keys import asset_key
from resources.failures import failing_fast
from resources.frame_io import Analysis
from resources.store import Store

if TYPE_CHECKING:
    from aurastream.evaluation.predictions import Trained

__all__ = ["viral_model"]


@daily_asset(
    key=asset_key("intelligence", "viral_model"),
    code_version=f"{MODEL_VERSION}.1",
    deps=SNAPSHOTS,
    kinds={"python", "scikitlearn", "postgres"},
)
@failing_fast()
def viral_model(context: dg.AssetExecutionContext, store: Store) -> Analysis:
    """Train the model and the points table on every video whose outcome is known by now.

    The label is T2: the largest hourly velocity on the seven days after the first sighting, in the
    top decile of its category. The same record gives the same bytes on one kind of processor.
    With too little history there is no row, and the metadata say what is missing; the plain rules
    do not need a model.
    """
    # scikit-learn is not needed to load the graph.
    from aurastream.evaluation.predictions import TooLittleHistory, train  # noqa: PLC0415 # as said

    record = Record(context, store)
    rows: list[pd.DataFrame] = []
    for day in days_of(context):
        archive = record.until(day)
        trained = TooLittleHistory(0, 0, 0) if archive is None else train(archive)
        if isinstance(trained, TooLittleHistory):
            context.log.info("%s: %s", day.key, trained)
            told = {"state": str(trained), "videos": trained.videos}
            context.add_asset_metadata(told, partition_key=day.key)
        else:
            row = _row(trained).assign(window_start=day.start)
            _describe(context, day, trained, row)
            rows.append(row)
    return Analysis(together(rows, table), refused=record.refused)


def _describe(
    context: dg.AssetExecutionContext, day: Day, trained: "Trained", row: pd.DataFrame
) -> None:
    context.add_asset_metadata(
        {
            "state": f"trained on {trained.video_count} videos",
            "videos": trained.video_count,
            "hits": trained.hit_count,
            "trained_from": row["trained_from"].iloc[0].date().isoformat(),
            "trained_to": row["trained_to"].iloc[0].date().isoformat(),
            "cross_f1": trained.cross_f1,
            "cross_average_precision": trained.cross_average_precision,
            "model_sha256": row["model_sha256"].iloc[0],
            "model_bytes": len(row["model"].iloc[0]),
            "points_table": dg.MetadataValue.md(
                "\n".join(f"- {line}" for line in trained.table.lines)
                + f"\n\nCalled from {trained.table.bar:g} points."
            ),
            "calibration": picture(
                calibration(
                    {"model": calibration_bins(trained.truth, trained.promised)},
                    title="Promised and real share of hits, unseen channels",
                ),
                "Calibration on channels that the trees had not seen",
            ),
        },
        partition_key=day.key,
    )


def _row(trained: "Trained") -> pd.DataFrame:
    from aurastream.evaluation.predictions import LIBRARY, table_as_json  # noqa: PLC0415 # loading the graph needs none

    stored = trained.model.to_bytes()
    return pd.DataFrame(
        {
            "label": [LABEL],
            "model_version": MODEL_VERSION,
            "library": LIBRARY,
            "trained_from": day_start(trained.first_day),
            "trained_to": day_start(trained.last_day),
            "video_count": trained.video_count,
            "channel_count": trained.channel_count,
            "hit_count": trained.hit_count,
            "call_threshold": trained.call_threshold,
            "cross_f1": trained.cross_f1,
            "cross_average_precision": trained.cross_average_precision,
            "cross_brier_skill": trained.cross_brier_skill,
            "points_table": [table_as_json(trained.table)],
            "model_sha256": hashlib.sha256(stored).hexdigest(),
            "model": [stored],
        }
    )
