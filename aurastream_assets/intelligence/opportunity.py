"""Where a new video or stream has the best chance."""

import dagster as dg
import pandas as pd

from aurastream.core import opportunity as core
from aurastream_assets.intelligence import plots
from aurastream_assets.intelligence.windows import describe_windows, last_window, windowed_asset
from aurastream_assets.keys import asset_key

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
) -> pd.DataFrame:
    """Score the opportunity in each category from 0 to 100, higher is better.

    0.4 of the score is how much is trending, 0.3 how fast the category moves against its baseline,
    0.3 how easy the competition is (50 where there is no Twitch data); times 0.85 in the audience's
    peak hours. Null under the minimum sample.
    """
    result = core.opportunity(viral, stats, competition)
    last = last_window(context, result)
    best = last.nlargest(1, "opportunity_score")["category"].tolist()
    describe_windows(
        context,
        result,
        best_category=best[0] if best else "none",
        opportunity=plots.opportunity_by_category(last),
    )
    return result
