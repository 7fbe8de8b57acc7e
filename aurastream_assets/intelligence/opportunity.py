"""Where a new video or stream has the best chance."""

import dagster as dg
import pandas as pd

from aurastream.core import opportunity as core
from aurastream_assets.intelligence import plots
from aurastream_assets.intelligence.anew import compute_anew
from aurastream_assets.intelligence.windows import describe_windows, last_window, windowed_asset
from aurastream_assets.keys import asset_key
from resources.frame_io import Analysis

__all__ = ["opportunity"]


@windowed_asset(
    key=asset_key("intelligence", "opportunity"),
    code_version="1",
    ins={
        "viral": dg.AssetIn(key=asset_key("intelligence", "viral_scores")),
        "stats": dg.AssetIn(key=asset_key("intelligence", "category_stats")),
        "competition": dg.AssetIn(key=asset_key("intelligence", "competition")),
    },
)
def opportunity(
    context: dg.AssetExecutionContext,
    viral: pd.DataFrame,
    stats: pd.DataFrame,
    competition: pd.DataFrame,
) -> Analysis:
    """Score the opportunity in each category from 0 to 100, higher is better.

    0.4 of the score is how much is trending, 0.3 how fast the category moves against its baseline,
    0.3 how easy the competition is (50 where there is no Twitch data); times 0.85 in the audience's
    peak hours. Null under the minimum sample. Computed anew in every window: velocities, classes
    and confidence are those at `as_of`.
    """
    found = compute_anew(
        context,
        lambda _, seen: core.opportunity(seen["viral"], seen["stats"], seen["competition"]),
        {"viral": viral, "stats": stats, "competition": competition},
        because="velocities, classes and confidence are those at as_of",
    )
    last = last_window(context, found.rows)
    best = last.nlargest(1, "opportunity_score")["category"].tolist()
    describe_windows(
        context,
        found.rows,
        best_category=best[0] if best else "none",
        opportunity=plots.opportunity_by_category(last),
    )
    return found
