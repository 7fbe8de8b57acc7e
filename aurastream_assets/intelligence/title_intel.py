"""Which patterns of titles go along with speed."""

import dagster as dg
import pandas as pd

from aurastream.core.title_features import HOOKS_VERSION
from aurastream.core.title_intel import title_intel as measured
from aurastream.core.title_questions import QUESTIONS_VERSION
from aurastream_assets.intelligence.analyses import analyse, analysis_asset
from aurastream_assets.intelligence.text_plots import lift_forest
from aurastream_assets.intelligence.texts import TEXT_SOURCES, scored_videos, with_texts
from aurastream_assets.intelligence.windows import last_window
from aurastream_assets.keys import asset_key
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["title_intel"]


@analysis_asset(
    key=asset_key("intelligence", "title_intel"),
    code_version=f"4-{HOOKS_VERSION}-{QUESTIONS_VERSION}",
    ins={
        "velocity": scored_videos("channel_id", "age_h", "best_rank", "lifetime_velocity_per_hour")
    },
    deps=TEXT_SOURCES,
)
def title_intel(
    context: dg.AssetExecutionContext, store: Store, velocity: pd.DataFrame
) -> Analysis:
    """Say of 25 patterns of titles how common each is, and how much faster such videos are.

    Lift compares titles with the pattern to titles without it among videos of the same category,
    age and rank; it comes with its confidence interval and a p-value adjusted for all patterns
    tested together. UNKNOWN where fewer than ten titles of either kind can be compared.
    """
    videos = with_texts(context, store, velocity, ["title"])
    found = analyse(
        context,
        store,
        videos.drop(columns=["metadata_hash", "said"]),
        measured,
        names=["video_id"],
    )
    context.add_asset_metadata(
        {"lift": lift_forest(last_window(context, found.rows))},
        partition_key=context.partition_key_range.end,
    )
    return found
