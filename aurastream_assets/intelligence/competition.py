"""How hard it is to be seen on Twitch."""

from dataclasses import replace
from datetime import timedelta
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core import competition as core
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
from aurastream_assets.partitions import WINDOW
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["competition"]

_DAY: Final = pd.Timedelta(days=1)


@windowed_asset(
    key=asset_key("intelligence", "competition"),
    code_version="3",
    ins={
        "streams": dg.AssetIn(
            key=asset_key("collection", "twitch_streams"),
            metadata={
                "columns": [
                    "observed_at",
                    "crawl_at",
                    "game_id",
                    "stream_id",
                    "user_id",
                    "viewer_count",
                ],
                "lookback": str(_DAY),
            },
        )
    },
)
def competition(context: dg.AssetExecutionContext, store: Store, streams: pd.DataFrame) -> Analysis:
    """Score saturation and concentration of live streams per game; higher is easier.

    Saturation compares live streams with what four weeks say is usual at this hour of the week;
    concentration is one minus twice the Herfindahl-Hirschman index of viewers. Peak hours are
    learned from the same weeks, and fixed while fewer than 14 days are known (`peak_source`).
    Streams are those of the last complete crawl of an hour, or without one of the last of all.
    Computed anew in every window: what is usual depends on the hour of `as_of`. A window whose
    streams had to be deleted since keeps what was found of them.
    """
    ends = window_ends(context)
    history = readings.stream_totals(store.frames, ends[0] - WINDOW - core.HISTORY, ends[-1])
    games = readings.tracked_categories(store.frames, "game")
    crawls = readings.stream_crawls(store.frames, ends[0] - WINDOW - _DAY, ends[-1])
    found = compute_anew(
        context,
        lambda at, seen: core.competition(
            seen["streams"],
            seen["history"],
            as_of=at,
            games=seen["games"],
            partial_crawls=seen["partial"],
        ),
        {
            "streams": streams,
            "history": history,
            "games": games,
            "partial": crawls[~crawls["is_complete"]],
        },
        because="what is usual depends on the hour of as_of",
        reach={
            "streams": _DAY,
            "history": core.HISTORY,
            "games": timedelta(),
            "partial": _DAY,
        },
    )
    before = readings.competition_before(store.frames, ends[0] - WINDOW, ends[-1])
    found = replace(found, rows=core.as_known_before(found.rows, before, crawls))
    last = last_window(context, found.rows)
    describe_windows(
        context,
        found.rows,
        peak_hours_learned=int((last["peak_source"] == "learned").sum()),
        ease=plots.competition_by_game(last),
    )
    return found
