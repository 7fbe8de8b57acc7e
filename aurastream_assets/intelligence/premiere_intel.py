"""Announced against instant releases, and punctuality."""

import dagster as dg
import pandas as pd

from aurastream.core.premieres import premiere_performance
from aurastream_assets.intelligence.analyses import analyse, analysis_asset, at_window_end
from aurastream_assets.intelligence.audience_plots import punctuality
from aurastream_assets.intelligence.video_versions import SCHEDULE, every_version, releases_of
from aurastream_assets.intelligence.windows import describe_last, last_window
from aurastream_assets.keys import asset_key
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["premiere_intel"]


@analysis_asset(
    key=asset_key("intelligence", "premiere_intel"),
    code_version="2",
    ins={
        "velocity": at_window_end(
            "video_velocity",
            [
                "window_start",
                "category",
                "video_id",
                "observed_at",
                "views",
                "lifetime_velocity_per_hour",
            ],
        ),
        "videos": every_version(*SCHEDULE),
    },
)
def premiere_intel(
    context: dg.AssetExecutionContext, store: Store, velocity: pd.DataFrame, videos: pd.DataFrame
) -> Analysis:
    """Compare announced with instant releases in each category, and say how punctual starts are.

    Above 1 announced videos gather views faster, by the median; null under five on either side. On
    time is within five minutes, with its 95 % interval. What never begins is counted apart.
    """
    known, refused = releases_of(velocity, videos)
    known = known.drop(columns=["video_id", "released_at"])
    found = analyse(context, store, known, premiere_performance, refused=refused)
    describe_last(context, punctuality=punctuality(last_window(context, found.rows)))
    return found
