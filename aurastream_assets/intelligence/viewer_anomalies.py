"""Which live streams have unusually many or few viewers."""

from dataclasses import replace
from typing import Any, Final

import dagster as dg
import pandas as pd
from pydantic import Field

from aurastream.core import anomalies as core
from aurastream.core.anomaly_strategies import (
    DEFAULT_STRATEGIES,
    LONGEST_LOOKBACK,
    merge_strategies,
)
from aurastream.core.errors import InvalidInputError
from aurastream.store import readings
from aurastream_assets.intelligence import anomaly_plots
from aurastream_assets.intelligence.anew import compute_anew
from aurastream_assets.intelligence.outlived import as_on_record
from aurastream_assets.intelligence.windows import (
    HALF_HOURLY,
    describe_windows,
    last_window,
    windowed_asset,
)
from aurastream_assets.keys import asset_key
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["AnomalyConfig", "viewer_anomalies"]

_REACH: Final = pd.Timedelta(LONGEST_LOOKBACK)
_SAMPLE: Final = ("window_start", "category", "stream_id", "crawl_at")


class AnomalyConfig(dg.Config):
    """What a run changes of the strategies."""

    strategies: list[dict[str, Any]] = Field(
        default=[],
        description="Merged by name over the defaults; what an entry omits stays, for example "
        "{name: zscore, threshold: 3.0}. Fields: name, enabled, threshold, lookback_minutes.",
    )


@windowed_asset(
    key=asset_key("intelligence", "viewer_anomalies"),
    code_version="1",
    tags={"worker": "twitch_streams_worker"},
    freshness_policy=HALF_HOURLY,
    ins={
        "streams": dg.AssetIn(
            key=asset_key("collection", "twitch_streams"),
            metadata={
                "columns": [
                    "crawl_at",
                    "observed_at",
                    "game_id",
                    "stream_id",
                    "user_id",
                    "viewer_count",
                ],
                "lookback": str(_REACH),
            },
        )
    },
)
def viewer_anomalies(
    context: dg.AssetExecutionContext,
    config: AnomalyConfig,
    store: Store,
    streams: pd.DataFrame,
) -> Analysis:
    """Score how unusual the viewers of each stream are at each crawl, 0 to 100; 50 is the bar.

    Four strategies compare a stream with its own earlier samples, or, while it is young, with those
    of its channel; a stream of which too little is known is UNKNOWN. A crawl belongs to the window
    it began in. Computed anew in every window: each has crawls of its own.
    """
    try:
        params = core.AnomalyParams(merge_strategies(DEFAULT_STRATEGIES, config.strategies))
    except InvalidInputError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
    found = compute_anew(
        context,
        lambda ends, seen: core.viewer_anomalies(
            seen["streams"], as_of=ends, games=seen["games"], params=params
        ),
        {"streams": streams, "games": readings.tracked_categories(store.frames, "game")},
        because="each window has crawls of its own",
        reach=_REACH,
    )
    # Who asks for other strategies wants other rows, from whatever is left of the day.
    if not config.strategies:
        rows = as_on_record(context, store, found.rows, reach=_REACH, about=_SAMPLE)
        found = replace(found, rows=rows)
    last = last_window(context, found.rows)
    describe_windows(
        context,
        found.rows,
        spikes=int((last["direction"] == "SPIKE").sum()),
        drops=int((last["direction"] == "DROP").sum()),
        unknown=int((last["direction"] == "UNKNOWN").sum()),
        young=int((last["baseline_source"] == "channel").sum()),
        strategies=anomaly_plots.settings(params.strategies),
        anomalies=anomaly_plots.anomalies_by_game(last),
        most_unusual=anomaly_plots.most_unusual(last),
    )
    return found
