"""How fast each charted or tracked video gathers views."""

from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core import velocity
from aurastream.store import readings
from aurastream_assets.intelligence import plots
from aurastream_assets.intelligence.anew import compute_anew
from aurastream_assets.intelligence.windows import (
    describe_windows,
    last_window,
    window_ends,
    windowed_asset,
)
from aurastream_assets.keys import asset_key
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["video_velocity"]

# A missed crawl is carried forward for a day; its velocity_now needs the trailing window before it.
_STATE_AND_TRAIL: Final = pd.Timedelta(hours=27)

_COUNTERS: Final = ["views", "likes", "comments", "metadata_hash", "observed_at", "crawl_at"]


@windowed_asset(
    key=asset_key("intelligence", "video_velocity"),
    code_version="6",
    ins={
        "trending": dg.AssetIn(
            key=asset_key("collection", "youtube_trending"),
            metadata={
                "columns": ["chart", "region", "video_id", "rank", *_COUNTERS],
                "lookback": str(_STATE_AND_TRAIL),
            },
        ),
        "games": dg.AssetIn(
            key=asset_key("collection", "youtube_games"),
            metadata={
                "columns": ["game", "video_id", *_COUNTERS],
                "lookback": str(_STATE_AND_TRAIL),
            },
        ),
        "videos": dg.AssetIn(
            key=asset_key("collection", "youtube_videos"),
            metadata={
                "columns": [
                    "video_id",
                    "metadata_hash",
                    "first_observed_at",
                    "channel_id",
                    "published_at",
                    "duration_s",
                    "default_language",
                    "audio_language",
                ]
            },
        ),
    },
)
def video_velocity(
    context: dg.AssetExecutionContext,
    store: Store,
    trending: pd.DataFrame,
    games: pd.DataFrame,
    videos: pd.DataFrame,
) -> Analysis:
    """Measure the views per hour of each video that charts or plays a tracked game.

    `lifetime_velocity_per_hour` is views over age (at least half an hour).
    `velocity_now_per_hour` is the gain between two snapshots within the trailing three hours; it is
    null, never negative, when the counter fell; `counted_anew` in the metadata says of how many it
    is null because the platform changed what counts as a view. A video appears once per category it
    is in. What an incomplete crawl was not answered about is carried forward from the last complete
    one. Computed anew in every window: ages and confidence depend on `as_of`.
    """
    as_of = window_ends(context)
    partial = readings.incomplete_crawls(
        store.frames,
        ("collection/youtube_trending", "collection/youtube_games"),
        (as_of[0] - _STATE_AND_TRAIL).to_pydatetime(),
        as_of[-1].to_pydatetime(),
    )
    found = compute_anew(
        context,
        lambda ends, seen: velocity.video_velocity(
            seen["trending"],
            seen["games"],
            seen["videos"],
            as_of=ends,
            partial_crawls=seen["partial"],
        ),
        {"trending": trending, "games": games, "videos": videos, "partial": partial},
        because="ages and confidence depend on as_of",
        reach=_STATE_AND_TRAIL,
    )
    rows = found.rows
    last = last_window(context, rows)
    waiting = last[last["velocity_now_per_hour"].isna()]
    describe_windows(
        context,
        rows,
        velocity=plots.velocity_distribution(last),
        without_velocity_now=len(waiting),
        # Which of them the platform counts otherwise since a moment too short ago to compare.
        counted_anew=len(velocity.counted_since(waiting).dropna()),
    )
    return found
