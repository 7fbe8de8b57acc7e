"""Whether the clips of a game run ahead of its videos."""

from datetime import timedelta
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core import clip_velocity, lead_lag
from aurastream.store import readings_clips
from aurastream_assets.intelligence import clip_plots
from aurastream_assets.intelligence.analyses import analysis_asset
from aurastream_assets.intelligence.windows import describe_windows, last_window, window_ends
from aurastream_assets.keys import asset_key
from resources.store import Store

__all__ = ["clip_hours", "clip_video_lead_lag"]

# A window tells of the eight hours before its end; a crawl reaches six hours back.
_TOLD: Final = timedelta(hours=8)
_TWO_WEEKS: Final = timedelta(days=14)


@analysis_asset(
    key=asset_key("intelligence", "clip_hours"),
    code_version="1",
    deps=[asset_key("collection", "clip_radar")],
)
def clip_hours(context: dg.AssetExecutionContext, store: Store) -> pd.DataFrame:
    """Count the clips made in each full hour of each game, where complete crawls can tell.

    Of games alone, like `clip_activity`: it outlives the clips it was counted from.
    """
    ends = window_ends(context)
    start = (ends[0] - _TOLD).to_pydatetime()
    end = ends[-1].to_pydatetime()
    result = clip_velocity.clip_hours(
        readings_clips.clips_made(store.frames, start, end),
        readings_clips.clip_crawls(store.frames, start, end),
        as_of=ends,
    )
    describe_windows(context, result)
    return result


@analysis_asset(
    key=asset_key("intelligence", "clip_video_lead_lag"),
    code_version="1",
    deps=[asset_key("intelligence", "video_velocity")],
    ins={
        "clips": dg.AssetIn(
            key=asset_key("intelligence", "clip_hours"),
            metadata={
                "columns": ["window_start", "category", "hour_start", "clip_count"],
                "lookback": "14D",
            },
        )
    },
)
def clip_video_lead_lag(
    context: dg.AssetExecutionContext, store: Store, clips: pd.DataFrame
) -> pd.DataFrame:
    """Correlate hourly changes of clips made with those of video velocity, 12 hours to either side.

    Over the last 14 days, freed of the rhythm of the day; believed only beyond what the same search
    finds when the series are moved against each other. UNKNOWN below 84 common hours.
    """
    ends = window_ends(context)
    videos = readings_clips.game_video_views(
        store.frames, (ends[0] - _TWO_WEEKS).to_pydatetime(), ends[-1].to_pydatetime()
    )
    result = lead_lag.clip_video_lead_lag(clips, videos, as_of=ends)
    last = last_window(context, result)
    describe_windows(
        context,
        result,
        unknown=int((last["relation"] == "UNKNOWN").sum()),
        relations=clip_plots.relations(last),
    )
    return result
