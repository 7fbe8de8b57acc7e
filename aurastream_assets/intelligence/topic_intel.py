"""What a category is about: its topics, each idea once, with the videos they rest on."""

import dagster as dg
import pandas as pd

from aurastream.core.topic_evidence import topic_evidence
from aurastream.core.topics import topics
from aurastream.core.unchanged import fingerprints
from aurastream.store import readings_texts
from aurastream_assets.intelligence.analyses import analyse_together, analysis_asset
from aurastream_assets.intelligence.refusals import Frames
from aurastream_assets.intelligence.text_plots import top_topics
from aurastream_assets.intelligence.texts import TEXT_SOURCES, scored_videos, with_texts
from aurastream_assets.intelligence.windows import last_window
from aurastream_assets.keys import asset_key
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["topic_intel"]

_KEYS = ["window_start", "category"]


@analysis_asset(
    key=asset_key("intelligence", "topic_intel"),
    code_version="2",
    ins={
        "velocity": scored_videos("lifetime_velocity_per_hour"),
        "keywords": dg.AssetIn(
            key=asset_key("intelligence", "keyword_scores"),
            metadata={"columns": [*_KEYS, "term", "score", "trend", "video_count"]},
        ),
    },
    deps=TEXT_SOURCES,
)
def topic_intel(
    context: dg.AssetExecutionContext,
    store: Store,
    velocity: pd.DataFrame,
    keywords: pd.DataFrame,
) -> Analysis:
    """Merge keywords and tags that say the same into topics, and name the videos behind each.

    Two terms are one topic when their words, without plurals and without the category's own name,
    overlap by 60 % or more; the better one names it. A term that hardly ever stands apart from a
    longer one belongs to that. Evidence are the fastest videos whose title or
    tags say it.
    """
    names = readings_texts.category_names(store.frames)
    videos = with_texts(context, store, velocity, ["title", "tags"])

    def find(seen: Frames) -> pd.DataFrame:
        candidates = seen["keywords"]
        found = topics(candidates, names=names)
        trends = (
            candidates.sort_values([*_KEYS, "score", "trend"], ascending=[True, True, False, True])
            .drop_duplicates([*_KEYS, "term"])
            .rename(columns={"term": "topic"})[[*_KEYS, "topic", "trend"]]
        )
        found = found.merge(trends, on=[*_KEYS, "topic"], how="left", sort=False)
        return pd.concat([found, topic_evidence(found, seen["videos"])], axis=1)

    def read(seen: Frames) -> pd.DataFrame:
        terms = fingerprints(seen["keywords"]).rename(columns={"input_hash": "terms"})
        rows = seen["videos"].drop(columns=["metadata_hash", "title", "tags"])
        own_names = rows["category"].map(lambda category: "\n".join(names.get(category, ())))
        return rows.assign(names=own_names).merge(terms[[*_KEYS, "terms"]], on=_KEYS, how="left")

    found = analyse_together(
        context,
        store,
        {"videos": videos, "keywords": keywords},
        find,
        read=read,
        moved_by="scores and trends of keywords depend on all categories, and one has moved",
    )
    context.add_asset_metadata(
        {"topics": top_topics(last_window(context, found.rows))},
        partition_key=context.partition_key_range.end,
    )
    return found
