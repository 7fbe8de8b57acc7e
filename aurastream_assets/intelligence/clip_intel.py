"""How fast clips gather views, and what the clips of each game do together."""

from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core import clip_velocity
from aurastream.store import readings
from aurastream_assets.intelligence import clip_plots
from aurastream_assets.intelligence.windows import (
    HALF_HOURLY,
    describe_windows,
    last_window,
    window_ends,
    windowed_asset,
)
from aurastream_assets.keys import asset_key
from resources.store import Store

__all__ = ["clip_activity", "clip_intel"]

# The newest crawl may be an hour old, a clip half an hour older, its reference six hours more.
_STATE_AND_REFERENCE: Final = "7h30min"


@windowed_asset(
    key=asset_key("intelligence", "clip_intel"),
    code_version="1",
    tags={"worker": "clip_radar_worker"},
    freshness_policy=HALF_HOURLY,
    ins={
        "clips": dg.AssetIn(
            key=asset_key("collection", "clip_radar"),
            metadata={
                "columns": [
                    "observed_at",
                    "crawl_at",
                    "game_id",
                    "clip_id",
                    "view_count",
                    "created_at",
                ],
                "lookback": _STATE_AND_REFERENCE,
            },
        )
    },
)
def clip_intel(
    context: dg.AssetExecutionContext, store: Store, clips: pd.DataFrame
) -> pd.DataFrame:
    """Measure the velocity of each recent clip and score it among the clips of its game.

    The gain is that between two stored snapshots, so that no run can count a view twice. The clips
    of class VIRAL are the viral clips of the game. A window has clips only if they were asked for
    within the hour before its end.
    """
    games = readings.tracked_categories(store.frames, "game")
    result = clip_velocity.clip_velocity(clips, as_of=window_ends(context), games=games)
    last = last_window(context, result)
    describe_windows(
        context,
        result,
        viral_clips=int((last["trend_class"] == "VIRAL").sum()),
        velocity=clip_plots.clip_velocities(last),
    )
    return result


@windowed_asset(
    key=asset_key("intelligence", "clip_activity"),
    code_version="1",
    tags={"worker": "clip_radar_worker"},
    freshness_policy=HALF_HOURLY,
    ins={"clips": dg.AssetIn(key=asset_key("intelligence", "clip_intel"))},
)
def clip_activity(context: dg.AssetExecutionContext, clips: pd.DataFrame) -> pd.DataFrame:
    """Sum the clips of each game up: how many, how fast, and how much of it the viral ones have.

    What is said here is of games alone, so that it may be kept when the clips have to be deleted.
    """
    result = clip_velocity.clip_activity(clips)
    describe_windows(context, result, gained=clip_plots.clip_activity(last_window(context, result)))
    return result
