"""How fast each charted or tracked video gathers views."""

from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core import velocity
from aurastream.store import readings
from aurastream_assets.intelligence import plots
from aurastream_assets.intelligence.windows import (
    describe_windows,
    last_window,
    window_ends,
    windowed_asset,
)
from aurastream_assets.keys import asset_key
from resources.store import Store

__all__ = ["video_velocity"]

# A missed crawl is carried forward for a day; its velocity_now needs the trailing window before it.
_STATE_AND_TRAIL: Final = "27h"

_COUNTERS: Final = ["views", "likes", "comments", "metadata_hash", "observed_at", "crawl_at"]


@windowed_asset(
    key=asset_key("intelligence", "video_velocity"),
    code_version="3",
    ins={
        "trending": dg.AssetIn(
            key=asset_key("collection", "youtube_trending"),
            metadata={
                "columns": ["chart", "region", "video_id", "rank", *_COUNTERS],
                "lookback": _STATE_AND_TRAIL,
            },
        ),
        "games": dg.AssetIn(
            key=asset_key("collection", "youtube_games"),
            metadata={"columns": ["game", "video_id", *_COUNTERS], "lookback": _STATE_AND_TRAIL},
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
) -> pd.DataFrame:
    """Measure the views per hour of each video that charts or plays a tracked game.

    `lifetime_velocity_per_hour` is views over age (at least half an hour).
    `velocity_now_per_hour` is the gain between two snapshots within the trailing three hours; it is
    null, never negative, when the counter fell. A video appears once per category it is in. What an
    incomplete crawl was not answered about is carried forward from the last complete one.
    """
    as_of = window_ends(context)
    partial = readings.incomplete_crawls(
        store.frames,
        ("collection/youtube_trending", "collection/youtube_games"),
        (as_of[0] - pd.Timedelta(_STATE_AND_TRAIL)).to_pydatetime(),
        as_of[-1].to_pydatetime(),
    )
    result = velocity.video_velocity(trending, games, videos, as_of=as_of, partial_crawls=partial)
    describe_windows(
        context, result, velocity=plots.velocity_distribution(last_window(context, result))
    )
    return result
