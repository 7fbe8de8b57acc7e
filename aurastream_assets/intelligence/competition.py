"""How hard it is to be seen on Twitch."""

import dagster as dg
import pandas as pd

from aurastream.core import competition as core
from aurastream.store import readings
from aurastream_assets.intelligence.windows import describe_windows, window_ends, windowed_asset
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW
from resources.store import Store

__all__ = ["competition"]


@windowed_asset(
    key=asset_key("intelligence", "competition"),
    code_version="1",
    ins={
        "streams": dg.AssetIn(
            key=asset_key("collection", "twitch_streams"),
            metadata={
                "columns": [
                    "observed_at",
                    "crawl_at",
                    "game_id",
                    "stream_id",
                    "user_id",
                    "viewer_count",
                ],
                "lookback": "24h",
            },
        )
    },
)
def competition(
    context: dg.AssetExecutionContext, store: Store, streams: pd.DataFrame
) -> pd.DataFrame:
    """Score saturation and concentration of live streams per game; higher is easier.

    Saturation compares live streams with what is usual at the same hour of the week over four
    weeks; concentration is one minus twice the Herfindahl-Hirschman index of viewers.
    """
    ends = window_ends(context)
    result = core.competition(
        streams,
        readings.stream_totals(store.frames, ends[0] - WINDOW - pd.Timedelta(days=28), ends[-1]),
        as_of=ends,
        games=readings.tracked_categories(store.frames, "game"),
    )
    describe_windows(context, result)
    return result
