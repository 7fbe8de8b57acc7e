"""How fast clips gather views, and what the clips of each game do together."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core import clip_velocity
from aurastream.store import readings
from aurastream_assets.intelligence import clip_plots
from aurastream_assets.intelligence.anew import compute_anew
from aurastream_assets.intelligence.outlived import as_on_record
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

__all__ = ["clip_activity", "clip_intel"]

# The newest crawl may be an hour old, a clip half an hour older, its reference six hours more.
_STATE_AND_REFERENCE: Final = pd.Timedelta(hours=7, minutes=30)


@windowed_asset(
    key=asset_key("intelligence", "clip_intel"),
    code_version="3",
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
                "lookback": str(_STATE_AND_REFERENCE),
            },
        )
    },
)
def clip_intel(context: dg.AssetExecutionContext, store: Store, clips: pd.DataFrame) -> Analysis:
    """Measure the velocity of each recent clip and score it among the clips of its game.

    The gain is that between two stored snapshots, so that no run can count a view twice. The clips
    of class VIRAL are the viral clips of the game. A window has clips only if they were asked for
    within the hour before its end; a crawl that got only a part of the clips ends none of them.
    Computed anew in every window: clips are measured at `as_of`.
    """
    games = readings.tracked_categories(store.frames, "game")
    as_of = window_ends(context)
    partial = readings.incomplete_crawls(
        store.frames,
        ("collection/clip_radar",),
        (as_of[0] - WINDOW - _STATE_AND_REFERENCE).to_pydatetime(),
        as_of[-1].to_pydatetime(),
    )
    found = compute_anew(
        context,
        lambda ends, seen: clip_velocity.clip_velocity(
            seen["clips"], as_of=ends, games=seen["games"], partial_crawls=seen["partial"]
        ),
        {"clips": clips, "games": games, "partial": partial},
        because="clips are measured at as_of",
        reach=_STATE_AND_REFERENCE,
    )
    rows = as_on_record(context, store, found.rows, reach=_STATE_AND_REFERENCE)
    found = replace(found, rows=rows)
    last = last_window(context, found.rows)
    describe_windows(
        context,
        found.rows,
        viral_clips=int((last["trend_class"] == "VIRAL").sum()),
        velocity=clip_plots.clip_velocities(last),
    )
    return found


@windowed_asset(
    key=asset_key("intelligence", "clip_activity"),
    code_version="1",
    tags={"worker": "clip_radar_worker"},
    freshness_policy=HALF_HOURLY,
    ins={"clips": dg.AssetIn(key=asset_key("intelligence", "clip_intel"))},
)
def clip_activity(context: dg.AssetExecutionContext, store: Store, clips: pd.DataFrame) -> Analysis:
    """Sum the clips of each game up: how many, how fast, and how much of it the viral ones have.

    What is said here is of games alone, so that it may be kept when the clips have to be deleted.
    Computed anew in every window: the clips are measured at `as_of`.
    """
    found = compute_anew(
        context,
        lambda _, seen: clip_velocity.clip_activity(seen["clips"]),
        {"clips": clips},
        because="the clips are measured at as_of",
    )
    rows = as_on_record(context, store, found.rows, reach=timedelta())
    found = replace(found, rows=rows)
    describe_windows(context, rows, gained=clip_plots.clip_activity(last_window(context, rows)))
    return found
