"""What creators write into descriptions, category by category."""

from collections.abc import Iterator
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core.description_shares import HABITS
from aurastream.core.description_shares import description_intel as summarised
from aurastream.core.descriptions import RULES_VERSION, mine_descriptions
from aurastream.store import readings_texts
from aurastream_assets.intelligence.analyses import analyse, analysis_asset
from aurastream_assets.intelligence.text_plots import description_habits
from aurastream_assets.intelligence.texts import TEXT_SOURCES, scored_videos, with_texts
from aurastream_assets.intelligence.windows import last_window
from aurastream_assets.keys import asset_key
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["description_intel", "in_batches"]

_VERSION: Final = ["video_id", "metadata_hash"]
_BATCH: Final = 200_000  # videos, or one category if it has more


@analysis_asset(
    key=asset_key("intelligence", "description_intel"),
    code_version=f"1-{RULES_VERSION}",
    ins={"velocity": scored_videos()},
    deps=[*TEXT_SOURCES, asset_key("intelligence", "description_features")],
)
def description_intel(
    context: dg.AssetExecutionContext, store: Store, velocity: pd.DataFrame
) -> Analysis:
    """Say how many videos of a category have links, chapters, hashtags, sponsors, calls to action.

    Computed anew only where the videos of a category or their metadata changed: views play no part.
    """
    members = with_texts(context, store, velocity, [])

    def summarise(new: pd.DataFrame) -> pd.DataFrame:
        known = new[new["metadata_hash"].notna()]
        parts = [
            summarised(some, _features(store, some[_VERSION].drop_duplicates()))
            for some in in_batches(known)
        ]
        return pd.concat(parts, ignore_index=True)

    found = analyse(context, store, members, summarise)
    context.add_asset_metadata(
        {"habits": description_habits(last_window(context, found.rows))},
        partition_key=context.partition_key_range.end,
    )
    return found


def in_batches(members: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """Yield the members some categories at a time, so that a large window fits into memory."""
    sizes = members.groupby("category", sort=True, observed=True).size()
    batch = (sizes.cumsum() - sizes) // _BATCH
    of_member = members["category"].map(batch)
    for number in batch.unique() if len(batch) else [0]:
        yield members[of_member == number]


def _features(store: Store, versions: pd.DataFrame) -> pd.DataFrame:
    """Return what the versions hold: as it was read before, and read now where it was not."""
    found = readings_texts.description_features(store.frames, versions, version=RULES_VERSION)
    habits = readings_texts.video_texts(store.frames, versions, HABITS)
    missing = versions.merge(found[_VERSION], on=_VERSION, how="left", indicator=True)
    missing = missing.loc[missing["_merge"] == "left_only", _VERSION]
    if len(missing):
        texts = readings_texts.video_texts(store.frames, missing, ["description", "duration_s"])
        read = mine_descriptions(texts)
        found = pd.concat([found, read], ignore_index=True) if len(found) else read
    return found.merge(habits, on=_VERSION, how="inner")
