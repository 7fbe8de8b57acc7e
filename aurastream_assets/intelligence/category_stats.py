"""What is usual in each category, so that a video can be compared with its peers."""

import dagster as dg
import pandas as pd

from aurastream.core import category_stats as core
from aurastream.store import readings
from aurastream_assets.intelligence.windows import describe_windows, windowed_asset
from aurastream_assets.keys import asset_key
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
) -> pd.DataFrame:
    """Describe views, velocity and engagement per category: mean, spread and percentiles.

    Means and deviations leave outliers out, percentiles keep them. The baseline is the median
    velocity of the middle half; below 30 videos it is the category's default.
    """
    tracked = readings.tracked_categories(store.frames)
    result = core.category_stats(
        velocity,
        default_baselines=dict(
            zip(tracked["category"], tracked["baseline_velocity_per_hour"], strict=True)
        ),
    )
    describe_windows(context, result)
    return result
