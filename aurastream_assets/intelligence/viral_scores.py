"""Which videos are taking off."""

import dagster as dg
import pandas as pd

from aurastream.core import viral
from aurastream.store import readings
from aurastream_assets.intelligence import plots
from aurastream_assets.intelligence.anew import compute_anew
from aurastream_assets.intelligence.windows import describe_windows, last_window, windowed_asset
from aurastream_assets.keys import asset_key
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["viral_scores"]


@windowed_asset(
    key=asset_key("intelligence", "viral_scores"),
    code_version="3",
    ins={
        "velocity": dg.AssetIn(
            key=asset_key("intelligence", "video_velocity"),
            metadata={
                "columns": [
                    "window_start",
                    "category",
                    "video_id",
                    "views",
                    "lifetime_velocity_per_hour",
                    "velocity_now_per_hour",
                    "engagement_rate",
                    "confidence_pct",
                ]
            },
        ),
        "stats": dg.AssetIn(key=asset_key("intelligence", "category_stats")),
    },
)
def viral_scores(
    context: dg.AssetExecutionContext,
    store: Store,
    velocity: pd.DataFrame,
    stats: pd.DataFrame,
) -> Analysis:
    """Score from 0 to 100 how viral each video is against its category, and class it.

    VIRAL at or above the category's 90th percentile of velocity, RISING at the 75th, STABLE at the
    25th, FALLING below, UNKNOWN under 20 videos. Higher scores are more viral; a flat category
    scores 50, a missing counter scores null. Computed anew in every window: velocities and
    confidence are those at `as_of`.
    """
    found = compute_anew(
        context,
        lambda _, seen: viral.viral_scores(seen["velocity"], seen["stats"]),
        {"velocity": velocity, "stats": stats},
        because="velocities and confidence are those at as_of",
    )
    last = last_window(context, found.rows)
    top = plots.most_viral(last, last_window(context, velocity))
    describe_windows(
        context,
        found.rows,
        viral_now=int((last["trend_class"] == "VIRAL").sum()),
        rising_now=int((last["trend_class"] == "RISING").sum()),
        top_viral=plots.top_viral(top, readings.titles(store.frames, top["video_id"].tolist())),
    )
    return found
