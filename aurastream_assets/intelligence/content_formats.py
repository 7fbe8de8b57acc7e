"""Which length of video does best."""

import dagster as dg
import pandas as pd

from aurastream.core import formats
from aurastream_assets.intelligence.analyses import analyse, analysis_asset, at_window_end
from aurastream_assets.intelligence.audience_plots import lengths
from aurastream_assets.intelligence.windows import describe_last, last_window
from aurastream_assets.keys import asset_key
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["content_formats"]


@analysis_asset(
    key=asset_key("intelligence", "content_formats"),
    code_version="1",
    ins={
        "velocity": at_window_end(
            "video_velocity", ["window_start", "category", "video_id", "duration_s", "views"]
        )
    },
)
def content_formats(
    context: dg.AssetExecutionContext, store: Store, velocity: pd.DataFrame
) -> Analysis:
    """Compare the mean views of six lengths of video in each category; 1 is usual.

    The optimal length is the best among those with at least five videos; a tie goes to the shorter.
    """
    found = analyse(context, store, velocity, formats.format_buckets, names=["video_id"])
    describe_last(context, lengths=lengths(last_window(context, found.rows)))
    return found
