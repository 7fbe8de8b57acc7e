"""What to make next, with the videos that say so."""

import dagster as dg
import pandas as pd

from aurastream.core import ideas as core
from aurastream.core.idea_formats import WORDING_VERSION
from aurastream.core.keywords import STOP_WORDS_VERSION
from aurastream.core.unchanged import fingerprints
from aurastream.store.readings_texts import text_versions, video_texts
from aurastream_assets.intelligence.analyses import (
    analyse_together,
    analysis_asset,
    at_window_end,
)
from aurastream_assets.intelligence.plots import best_ideas
from aurastream_assets.intelligence.refusals import Frames
from aurastream_assets.intelligence.windows import describe_last, last_window, window_ends
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import FOUR_HOURS
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["video_ideas"]

_KEYS = ["window_start", "category"]


@analysis_asset(
    key=asset_key("intelligence", "video_ideas"),
    # Stop words are no subjects, whatever the wording.
    code_version=f"5-{WORDING_VERSION}-{STOP_WORDS_VERSION}",
    ins={
        "topics": dg.AssetIn(
            key=asset_key("intelligence", "topic_intel"),
            metadata={"columns": [*_KEYS, "rank", "topic", "lemmas"]},
        ),
        "formats": dg.AssetIn(
            key=asset_key("intelligence", "content_formats"),
            metadata={"columns": [*_KEYS, "duration_bucket", "is_optimal"]},
        ),
        "velocity": at_window_end(
            "video_velocity",
            [
                *_KEYS,
                *("video_id", "channel_id", "views"),
                *("lifetime_velocity_per_hour", "confidence_pct"),
            ],
        ),
        "viral": at_window_end("viral_scores", [*_KEYS, "video_id", "viral_score"]),
        "competition": at_window_end("competition", [*_KEYS, "ease_score"]),
        "opportunity": at_window_end("opportunity", [*_KEYS, "opportunity_score"]),
    },
)
def video_ideas(  # noqa: PLR0917 # one parameter per dataset it rests on
    context: dg.AssetExecutionContext,
    store: Store,
    topics: pd.DataFrame,
    formats: pd.DataFrame,
    velocity: pd.DataFrame,
    viral: pd.DataFrame,
    competition: pd.DataFrame,
    opportunity: pd.DataFrame,
) -> Analysis:
    """Turn the topics that take off into ideas: a concept, a hook, and the evidence of each.

    Five to ten ideas per category, best first; none where no video shows a topic. The score is
    0–100, higher is better; confidence says how many videos it rests on and how fresh they are.
    A category is carried over where all of that, its freshness included, is as it was.
    """
    versions = text_versions(store.frames, list(window_ends(context)), length=FOUR_HOURS)
    texts = versions.merge(
        video_texts(store.frames, versions, ["title", "tags"]), on=["video_id", "metadata_hash"]
    )
    videos = velocity.merge(viral, on=[*_KEYS, "video_id"], how="left").merge(
        texts, on=["window_start", "video_id"], how="left"
    )
    beside = {
        "topics": topics,
        "competition": competition,
        "opportunity": opportunity,
        "formats": formats,
    }

    def find(seen: Frames) -> pd.DataFrame:
        return core.video_ideas(
            seen["topics"],
            seen["videos"],
            competition=seen["competition"],
            opportunity=seen["opportunity"],
            formats=seen["formats"],
        )

    def read(seen: Frames) -> pd.DataFrame:
        rows = seen["videos"].drop(columns="metadata_hash")
        for name in beside:
            proof = fingerprints(seen[name]).rename(columns={"input_hash": name})
            rows = rows.merge(proof[[*_KEYS, name]], on=_KEYS, how="left")
        return rows

    found = analyse_together(
        context,
        store,
        {"videos": videos, **beside},
        find,
        read=read,
        moved_by="topics, opportunity and competition are those at the window's end",
    )
    describe_last(context, best=best_ideas(last_window(context, found.rows)))
    return found
