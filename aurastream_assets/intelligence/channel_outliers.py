"""Which videos stand out from their own channel."""

from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core import channel_outliers as core
from aurastream.core.unchanged import fingerprints
from aurastream.store import readings, readings_audiences
from aurastream_assets.intelligence.analyses import analysis_asset, analysis_of, at_window_end
from aurastream_assets.intelligence.audience_plots import most_outstanding, outstanding
from aurastream_assets.intelligence.refusals import each_for_itself
from aurastream_assets.intelligence.windows import describe_last, last_window, window_ends
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import FOUR_HOURS
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["channel_outliers"]

_KEYS: Final = ["window_start", "category", "video_id"]


@analysis_asset(
    key=asset_key("intelligence", "channel_outliers"),
    code_version="2",
    ins={
        "velocity": at_window_end(
            "video_velocity",
            [
                *_KEYS,
                "channel_id",
                "published_at",
                "age_h",
                "views",
                "lifetime_velocity_per_hour",
            ],
        ),
        "scores": at_window_end("viral_scores", [*_KEYS, "viral_score"]),
    },
)
def channel_outliers(
    context: dg.AssetExecutionContext, store: Store, velocity: pd.DataFrame, scores: pd.DataFrame
) -> Analysis:
    """Score how many times faster each video is than its channel's other recent ones; 1 is usual.

    Null for channels of which fewer than three other videos are known. The score within the
    category at the same moment stands beside it. Every window adds to what is known of a channel,
    so nothing is ever unchanged here, and every window is computed.
    """
    ends = window_ends(context)
    params = core.ChannelOutlierParams()
    start = (ends[0] - FOUR_HOURS - params.memory).to_pydatetime()
    history = readings_audiences.channel_history(store.frames, start, ends[-1].to_pydatetime())
    usable, refused = each_for_itself(velocity, core.usable_rows)
    found = core.channel_outliers(usable, history, params=params).drop(columns="channel_id")
    rows = usable[[*_KEYS, "channel_id"]].merge(found, on=["window_start", "video_id"])
    rows = rows.merge(scores, on=_KEYS, how="left", validate="one_to_one")
    read = fingerprints(usable)
    result = analysis_of(context, rows, read.assign(source_window=read["window_start"]), [refused])
    last = last_window(context, rows)
    top = most_outstanding(last)
    describe_last(
        context,
        why_computed="every window adds to what is known of a channel",
        known_now=int(last["outlier_score"].notna().sum()),
        outstanding=outstanding(top, readings.titles(store.frames, top["video_id"].tolist())),
    )
    return result
