"""What is usual on Twitch at each hour of the audience's week."""

from datetime import timedelta
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core import hour_of_week
from aurastream.store import readings
from aurastream_assets.intelligence import clip_plots
from aurastream_assets.intelligence.analyses import analysis_asset
from aurastream_assets.intelligence.windows import describe_windows, last_window, window_ends
from aurastream_assets.keys import asset_key
from resources.store import Store

__all__ = ["hour_of_week_map"]

# The clocks may have been put back in between, which makes four weeks an hour longer.
_FOUR_WEEKS: Final = timedelta(days=28, hours=2)


@analysis_asset(
    key=asset_key("intelligence", "hour_of_week_map"),
    code_version="1",
    deps=[asset_key("collection", "twitch_streams")],
)
def hour_of_week_map(context: dg.AssetExecutionContext, store: Store) -> pd.DataFrame:
    """Learn viewers and live streams of each hour of the week from the last four weeks.

    Each estimate is drawn towards that of the hour of the day as far as days are alike, and says
    how sure it is. `competition` learns what is usual, and when the peak hours are, in the same
    way; with fewer than 14 days the peak hours are the fixed ones.
    """
    ends = window_ends(context)
    totals = readings.stream_totals(
        store.frames, (ends[0] - _FOUR_WEEKS).to_pydatetime(), ends[-1].to_pydatetime()
    )
    result = hour_of_week.hour_of_week_map(
        totals, as_of=ends, games=readings.tracked_categories(store.frames, "game")
    )
    last = last_window(context, result)
    describe_windows(
        context,
        result,
        learned=int(last.loc[last["peak_source"] == hour_of_week.LEARNED, "category"].nunique()),
        weeks=clip_plots.weeks(last),
    )
    return result
