"""What is usual in each category, so that a video can be compared with its peers."""

import dagster as dg
import pandas as pd

from aurastream.core import category_stats as core
from aurastream.store import readings
from aurastream_assets.intelligence import plots
from aurastream_assets.intelligence.anew import compute_anew
from aurastream_assets.intelligence.windows import describe_windows, last_window, windowed_asset
from aurastream_assets.keys import asset_key
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["category_stats"]


@windowed_asset(
    key=asset_key("intelligence", "category_stats"),
    code_version="1",
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
                    "engagement_rate",
                ]
            },
        )
    },
)
def category_stats(
    context: dg.AssetExecutionContext, store: Store, velocity: pd.DataFrame
) -> Analysis:
    """Describe views, velocity and engagement per category: mean, spread and percentiles.

    Means and deviations leave outliers out, percentiles keep them. The baseline is the median
    velocity of the middle half; below 30 videos it is the category's default. Computed
    anew in every window: the velocities are those at `as_of`.
    """
    tracked = readings.tracked_categories(store.frames)
    baselines = dict(zip(tracked["category"], tracked["baseline_velocity_per_hour"], strict=True))
    found = compute_anew(
        context,
        lambda _, seen: core.category_stats(seen["velocity"], default_baselines=baselines),
        {"velocity": velocity},
        because="the velocities are those at as_of",
    )
    describe_windows(
        context, found.rows, velocities=plots.usual_velocities(last_window(context, found.rows))
    )
    return found
