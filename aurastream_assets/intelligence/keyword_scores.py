"""Which words, phrases and tags carry a category, and which are on the rise."""

from dataclasses import replace
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core import keywords
from aurastream.core.unchanged import fingerprints
from aurastream.store.readings_continuity import source_starts
from aurastream_assets.intelligence.analyses import analyse, analysis_asset
from aurastream_assets.intelligence.refusals import each_for_itself
from aurastream_assets.intelligence.text_plots import top_keywords
from aurastream_assets.intelligence.texts import TEXT_SOURCES, scored_videos, with_texts
from aurastream_assets.intelligence.windows import last_window
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import FOUR_HOURS
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["keyword_scores"]

# The window before and no older one, so that a range of windows equals its windows one by one.
_PARAMS: Final = replace(keywords.DEFAULT, prior_within=FOUR_HOURS)


@analysis_asset(
    key=asset_key("intelligence", "keyword_scores"),
    code_version=f"3-{keywords.STOP_WORDS_VERSION}",
    ins={"velocity": scored_videos("lifetime_velocity_per_hour", windows_before=1)},
    deps=TEXT_SOURCES,
)
def keyword_scores(
    context: dg.AssetExecutionContext, store: Store, velocity: pd.DataFrame
) -> Analysis:
    """Score words, phrases of two and three words, and tags, with their trend.

    A term scores high when many fast videos of the category have it and other categories do not.
    The trend compares the share of videos that have it with that in the window before, unless
    another source answered then.
    """
    videos = with_texts(context, store, velocity, ["title", "tags"])
    start, end = context.partition_time_window
    broken = source_starts(store.frames, start - FOUR_HOURS, end).floor(FOUR_HOURS)
    # Scores rest on all categories of a window: what cannot be scored goes before any is.
    videos, refused = each_for_itself(videos.drop(columns="metadata_hash"), keywords.usable_rows)

    def score(new: pd.DataFrame) -> pd.DataFrame:
        wanted = new["window_start"].unique()
        # Trends rest on the window before, too.
        read = {*wanted, *(moment - FOUR_HOURS for moment in wanted)}
        rows = videos[videos["window_start"].isin(read)]
        # What lies on the other side of a break is no window before.
        sides = [
            side for _, side in rows.groupby(broken.searchsorted(rows["window_start"], "right"))
        ]
        found = pd.concat(
            [
                scores(side, params=_PARAMS)
                for scores in (keywords.keyword_scores, keywords.tag_scores)
                for side in sides or [rows]
            ],
            ignore_index=True,
        )
        return found[_groups(found).isin(_groups(new))]

    found = analyse(
        context,
        store,
        _with_context(videos, start),
        score,
        moved_by="what sets a category apart depends on all categories, and one of them has moved",
        refused=refused[refused["window_start"] >= start],
    )
    context.add_asset_metadata(
        {"keywords": top_keywords(last_window(context, found.rows))},
        partition_key=context.partition_key_range.end,
    )
    return found


def _groups(videos: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(videos[["window_start", "category"]])


def _with_context(videos: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    """Return the videos from the start on, with the fingerprint of all that their scores rest on.

    A category's score depends on every category of its window, and its trend on the window before.
    """
    plain = videos.drop(columns=["title", "tags"])
    whole = plain.assign(own=plain["category"], category="")
    prints = fingerprints(whole).set_index("window_start")["input_hash"]
    rows = plain[plain["window_start"] >= start]
    before = (rows["window_start"] - FOUR_HOURS).map(prints).fillna("")
    return rows.assign(all_categories=rows["window_start"].map(prints), window_before=before)
