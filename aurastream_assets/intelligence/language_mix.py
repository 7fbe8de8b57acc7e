"""What is watched in which language."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core import languages
from aurastream.core.versions import known_versions
from aurastream.store import readings
from aurastream_assets.intelligence.analyses import analyse, analysis_asset, at_window_end
from aurastream_assets.intelligence.audience_plots import language_shares
from aurastream_assets.intelligence.outlived import as_on_record
from aurastream_assets.intelligence.refusals import each_for_itself
from aurastream_assets.intelligence.video_versions import every_version
from aurastream_assets.intelligence.windows import describe_last, last_window, window_ends
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import FOUR_HOURS
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["language_mix"]

_DAY: Final = pd.Timedelta(days=1)


@analysis_asset(
    key=asset_key("intelligence", "language_mix"),
    code_version="3",
    ins={
        "velocity": at_window_end(
            "video_velocity", ["window_start", "category", "video_id", "audio_language", "views"]
        ),
        "videos": every_version("title"),
        "streams": dg.AssetIn(
            key=asset_key("collection", "twitch_streams"),
            metadata={
                "columns": ["crawl_at", "game_id", "stream_id", "viewer_count", "language"],
                "lookback": str(_DAY),
            },
        ),
    },
)
def language_mix(
    context: dg.AssetExecutionContext,
    store: Store,
    velocity: pd.DataFrame,
    videos: pd.DataFrame,
    streams: pd.DataFrame,
) -> Analysis:
    """Count videos, live streams and their viewers per language in each category.

    Shares are 0 to 1. What creators set as language and what their titles are written in are rows
    of their own, and what is not known is `und`, never English. Streams are those of the last
    complete crawl of an hour, or without one of the last crawl of all.
    """
    as_of = window_ends(context)
    partial = readings.incomplete_crawls(
        store.frames,
        ("collection/twitch_streams",),
        (as_of[0] - FOUR_HOURS - _DAY).to_pydatetime(),
        as_of[-1].to_pydatetime(),
    )
    on_twitch = languages.twitch_language_items(
        streams,
        as_of=as_of,
        games=readings.tracked_categories(store.frames, "game"),
        partial_crawls=partial,
        window=FOUR_HOURS,
    )
    # The position -1 of a video without metadata is null.
    version = known_versions(velocity, videos, window=FOUR_HOURS)
    titled = velocity.assign(title=videos["title"].array.take(version, allow_fill=True))
    on_youtube, refused = each_for_itself(titled, _on_youtube)
    items = pd.concat([on_youtube, on_twitch], ignore_index=True)
    items = items.drop(columns="language_source")
    found = analyse(
        context,
        store,
        items,
        _mix,
        moved_by="live streams and their viewers are those of the window",
        refused=refused,
    )
    # A crawl is carried forward for a day, but of a window that is whole its own is the newest.
    rows = as_on_record(context, store, found.rows, reach=timedelta(), only={"platform": "twitch"})
    found = replace(found, rows=rows)
    describe_last(context, shares=language_shares(last_window(context, found.rows)))
    return found


def _on_youtube(titled: pd.DataFrame) -> pd.DataFrame:
    return languages.youtube_language_items(titled).assign(title=titled["title"].array)


def _mix(items: pd.DataFrame) -> pd.DataFrame:
    """Count what tags say and, on YouTube, what titles say."""
    tagged = items.assign(language_source="tag").drop(columns="title")
    titled = languages.title_language_items(items[items["platform"] == "youtube"])
    return languages.language_mix(pd.concat([tagged, titled], ignore_index=True))
