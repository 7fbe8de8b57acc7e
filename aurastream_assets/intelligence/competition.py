"""How hard it is to be seen on Twitch."""

from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core import competition as core
from aurastream.store import readings
from aurastream_assets.intelligence.windows import (
    describe_windows,
    last_window,
    window_ends,
    windowed_asset,
)
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW
from resources.store import Store

__all__ = ["competition"]

# The clocks may have been put back in between, which makes four weeks an hour longer.
_FOUR_WEEKS: Final = pd.Timedelta(days=28, hours=2)


@windowed_asset(
    key=asset_key("intelligence", "competition"),
    code_version="2",
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

    Saturation compares live streams with what four weeks say is usual at this hour of the week;
    concentration is one minus twice the Herfindahl-Hirschman index of viewers. Peak hours are
    learned from the same weeks, and fixed while fewer than 14 days are known (`peak_source`).
    """
    ends = window_ends(context)
    result = core.competition(
        streams,
        readings.stream_totals(store.frames, ends[0] - WINDOW - _FOUR_WEEKS, ends[-1]),
        as_of=ends,
        games=readings.tracked_categories(store.frames, "game"),
    )
    last = last_window(context, result)
    describe_windows(
        context, result, peak_hours_learned=int((last["peak_source"] == "learned").sum())
    )
    return result
