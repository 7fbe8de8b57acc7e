"""What is usual on Twitch at each hour of the audience's week."""

from datetime import timedelta
from typing import Final

import dagster as dg

from aurastream.core import hour_of_week
from aurastream.store import readings
from aurastream_assets.intelligence import clip_plots
from aurastream_assets.intelligence.analyses import analysis_asset
from aurastream_assets.intelligence.anew import compute_anew
from aurastream_assets.intelligence.windows import describe_windows, last_window, window_ends
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import FOUR_HOURS
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["hour_of_week_map"]

# The clocks may have been put back in between, which makes four weeks an hour longer.
_FOUR_WEEKS: Final = timedelta(days=28, hours=2)


@analysis_asset(
    key=asset_key("intelligence", "hour_of_week_map"),
    code_version="1",
    deps=[asset_key("collection", "twitch_streams")],
)
def hour_of_week_map(context: dg.AssetExecutionContext, store: Store) -> Analysis:
    """Learn viewers and live streams of each hour of the week from the last four weeks.

    Each estimate is drawn towards that of the hour of the day as far as days are alike, and says
    how sure it is. `competition` learns what is usual, and when the peak hours are, in the same
    way; with fewer than 14 days the peak hours are the fixed ones. Computed anew in every window:
    how old a crawl is, and when an hour begins next, depend on `as_of`.
    """
    ends = window_ends(context)
    totals = readings.stream_totals(
        store.frames, (ends[0] - _FOUR_WEEKS).to_pydatetime(), ends[-1].to_pydatetime()
    )
    found = compute_anew(
        context,
        lambda at, seen: hour_of_week.hour_of_week_map(
            seen["totals"], as_of=at, games=seen["games"]
        ),
        {"totals": totals, "games": readings.tracked_categories(store.frames, "game")},
        because="how old a crawl is, and when an hour begins next, depend on as_of",
        reach=_FOUR_WEEKS - FOUR_HOURS,
    )
    last = last_window(context, found.rows)
    describe_windows(
        context,
        found.rows,
        learned=int(last.loc[last["peak_source"] == hour_of_week.LEARNED, "category"].nunique()),
        weeks=clip_plots.weeks(last),
    )
    return found
