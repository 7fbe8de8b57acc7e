"""Whether the clips of a game run ahead of its videos."""

from datetime import timedelta
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core import clip_velocity, lead_lag
from aurastream.store import readings_clips
from aurastream_assets.intelligence import clip_plots
from aurastream_assets.intelligence.analyses import analysis_asset
from aurastream_assets.intelligence.anew import compute_anew
from aurastream_assets.intelligence.outlived import as_on_record, raw_since
from aurastream_assets.intelligence.windows import describe_windows, last_window, window_ends
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import FOUR_HOURS
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["clip_hours", "clip_video_lead_lag"]

# A window tells of the eight hours before its end; a crawl reaches six hours back.
_TOLD: Final = timedelta(hours=8)
_TWO_WEEKS: Final = pd.Timedelta(days=14)


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
    # Crawls outlive their clips: without them they would say that nobody clipped.
    since = max(start, raw_since() or start)
    found = clip_velocity.clip_hours(
        readings_clips.clips_made(store.frames, since, end),
        readings_clips.clip_crawls(store.frames, since, end),
        as_of=ends,
    )
    result = as_on_record(context, store, found, reach=_TOLD - FOUR_HOURS)
    describe_windows(context, result)
    return result


@analysis_asset(
    key=asset_key("intelligence", "clip_video_lead_lag"),
    code_version="2",
    deps=[asset_key("intelligence", "video_velocity")],
    ins={
        "clips": dg.AssetIn(
            key=asset_key("intelligence", "clip_hours"),
            metadata={
                "columns": ["window_start", "category", "hour_start", "clip_count"],
                "lookback": str(_TWO_WEEKS),
            },
        )
    },
)
def clip_video_lead_lag(
    context: dg.AssetExecutionContext, store: Store, clips: pd.DataFrame
) -> Analysis:
    """Correlate hourly changes of clips made with those of video velocity, 12 hours to either side.

    Over the last 14 days, freed of the rhythm of the day; believed only beyond what the same search
    finds when the series are moved against each other. UNKNOWN below 84 common hours. Computed anew
    in every window: the two weeks end with `as_of`.
    """
    ends = window_ends(context)
    videos = readings_clips.game_video_views(
        store.frames, (ends[0] - _TWO_WEEKS).to_pydatetime(), ends[-1].to_pydatetime()
    )
    found = compute_anew(
        context,
        lambda at, seen: lead_lag.clip_video_lead_lag(seen["clips"], seen["videos"], as_of=at),
        {"clips": clips, "videos": videos},
        because="the two weeks end with as_of",
        reach={"clips": _TWO_WEEKS, "videos": _TWO_WEEKS - FOUR_HOURS},
    )
    last = last_window(context, found.rows)
    describe_windows(
        context,
        found.rows,
        unknown=int((last["relation"] == "UNKNOWN").sum()),
        relations=clip_plots.relations(last),
    )
    return found
