"""Likely Shorts against long-form videos."""

import dagster as dg
import pandas as pd

from aurastream.core import formats
from aurastream_assets.intelligence.analyses import analyse, analysis_asset, at_window_end
from aurastream_assets.intelligence.audience_plots import shorts_ratios
from aurastream_assets.intelligence.windows import describe_last, last_window
from aurastream_assets.keys import asset_key
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["shorts_comparison"]


@analysis_asset(
    key=asset_key("intelligence", "shorts_comparison"),
    code_version=f"1-{formats.SHORTS_RULE_VERSION}",
    ins={
        "velocity": at_window_end(
            "video_velocity",
            [
                *("window_start", "category", "video_id"),
                *("observed_at", "published_at", "duration_s", "views"),
            ],
        )
    },
)
def shorts_comparison(
    context: dg.AssetExecutionContext, store: Store, velocity: pd.DataFrame
) -> Analysis:
    """Compare the mean views of likely Shorts with those of long-form videos in each category.

    Above 1 Shorts gather more. The platform has changed what a Short and what a view is, so videos
    from before the last change are left out and counted; null under five videos on either side.
    """
    # Rules change at midnight: to the day is exact, and a crawl alone does not make input new.
    days = velocity.assign(observed_at=velocity["observed_at"].dt.floor("D"))
    found = analyse(context, store, days, formats.format_comparison, names=["video_id"])
    describe_last(context, ratios=shorts_ratios(last_window(context, found.rows)))
    return found
