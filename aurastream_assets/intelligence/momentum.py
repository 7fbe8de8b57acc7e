"""Which categories are speeding up."""

from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core import momentum as core
from aurastream.store import readings_continuity
from aurastream_assets.intelligence import clip_plots
from aurastream_assets.intelligence.anew import compute_anew
from aurastream_assets.intelligence.windows import (
    HALF_HOURLY,
    describe_windows,
    last_window,
    window_ends,
    windowed_asset,
)
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["momentum"]

# The 14 days of usual changes, and the day before the first of them.
_PAST: Final = pd.Timedelta(days=15)


def _past(name: str, *columns: str) -> dg.AssetIn:
    """Declare a dataset of the windows, of the 14 days before, and of the day before those."""
    return dg.AssetIn(
        key=asset_key("intelligence", name),
        metadata={"columns": ["window_start", "category", *columns], "lookback": str(_PAST)},
    )


@windowed_asset(
    key=asset_key("intelligence", "momentum"),
    code_version="4",
    tags={"worker": "creator_intel_worker"},
    freshness_policy=HALF_HOURLY,
    ins={
        "stats": _past("category_stats", "velocity_p50"),
        "opportunity": _past("opportunity", "viral_count", "opportunity_score", "confidence_pct"),
        "competition": _past("competition", "observed_at", "viewer_total"),
    },
)
def momentum(
    context: dg.AssetExecutionContext,
    store: Store,
    stats: pd.DataFrame,
    opportunity: pd.DataFrame,
    competition: pd.DataFrame,
) -> Analysis:
    """Compare velocity, viral videos and viewers with those of a day ago, against usual changes.

    0 to 100, 50 is as usual, higher is gaining. Apart from opportunity: it says what changed, not
    how good it is. Computed anew in every window: the day and the two weeks before move on.
    """
    ends = window_ends(context)
    start, end = (ends[0] - WINDOW).to_pydatetime(), ends[-1].to_pydatetime()
    continuity = readings_continuity.games_continuity(store.frames, start, end)
    starts = readings_continuity.source_starts(store.frames, start - _PAST, end)
    found = compute_anew(
        context,
        lambda at, seen: core.momentum(
            seen["stats"],
            seen["opportunity"],
            seen["competition"],
            seen["continuity"],
            as_of=at,
            broken=starts.floor(WINDOW),
        ),
        {
            "stats": stats,
            "opportunity": opportunity,
            "competition": competition,
            "continuity": continuity,
        },
        because="the day and the two weeks before as_of move on",
        reach=_PAST,
    )
    last = last_window(context, found.rows)
    gaining = last.loc[last["direction"] == "GAINING", "category"].sort_values().tolist()
    describe_windows(
        context,
        found.rows,
        gaining=", ".join(gaining) or "none",
        momentum=clip_plots.momentum_by_category(last),
    )
    return found
