"""Which languages lead, and how mixed an audience is."""

import dagster as dg
import pandas as pd

from aurastream.core import languages
from aurastream_assets.intelligence.analyses import analyse, analysis_asset
from aurastream_assets.intelligence.audience_plots import diversity
from aurastream_assets.intelligence.windows import describe_last, last_window
from aurastream_assets.keys import asset_key
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["regional_intel"]


@analysis_asset(
    key=asset_key("intelligence", "regional_intel"),
    code_version="1",
    ins={"mix": dg.AssetIn(key=asset_key("intelligence", "language_mix"))},
)
def regional_intel(context: dg.AssetExecutionContext, store: Store, mix: pd.DataFrame) -> Analysis:
    """Name the dominant language and the leading market of each category, and its diversity.

    Diversity is the normalised entropy of the determined languages: 0 is one language, 1 an even
    mix, null when none is determined.
    """
    found = analyse(
        context,
        store,
        mix,
        languages.regional,
        # Shares are read, and not what they are shares of.
        names=["viewer_total"],
        moved_by="live streams and their viewers are those of the window",
    )
    describe_last(context, diversity=diversity(last_window(context, found.rows)))
    return found
