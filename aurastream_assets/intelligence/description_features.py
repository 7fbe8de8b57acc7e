"""What each version of a description holds, read once."""

from datetime import timedelta

import dagster as dg
import pandas as pd

from aurastream.core.descriptions import DESCRIPTION_SCHEMA, RULES_VERSION, mine_descriptions
from aurastream.core.frames import empty_frame
from aurastream.store import readings_texts
from aurastream_assets.intelligence.analyses import ANALYSIS_TAG
from aurastream_assets.keys import asset_key
from aurastream_assets.policies import RETRIES, freshness_within
from resources.store import Store

__all__ = ["description_features"]


@dg.asset(
    key=asset_key("intelligence", "description_features"),
    code_version=f"1-{RULES_VERSION}",
    deps=[asset_key("collection", "youtube_videos")],
    retry_policy=RETRIES,
    io_manager_key="frame_io",
    kinds={"python", "pandas", "postgres"},
    tags={**ANALYSIS_TAG, "worker": "creator_intel_worker"},
    freshness_policy=freshness_within(
        timedelta(hours=4, minutes=30), timedelta(hours=8, minutes=30)
    ),
)
def description_features(context: dg.AssetExecutionContext, store: Store) -> pd.DataFrame:
    """Read links, chapters, hashtags, disclosures and calls out of descriptions, each once.

    A description is read when its version (`metadata_hash`) is new, or the rules are: reading takes
    milliseconds, and the same versions are looked at in every window. Titles are not kept like
    this, because describing a title is faster than fetching what was found.
    """
    parts = [
        mine_descriptions(part).assign(
            rules_version=RULES_VERSION, first_observed_at=part["first_observed_at"].array
        )
        for part in readings_texts.undescribed(store.frames, version=RULES_VERSION)
    ]
    kinds = {
        **DESCRIPTION_SCHEMA,
        "rules_version": "str",
        "first_observed_at": "datetime64[us, UTC]",
    }
    found = pd.concat(parts, ignore_index=True) if parts else empty_frame(kinds)
    known = readings_texts.described(store.frames, version=RULES_VERSION)
    context.add_output_metadata(
        {
            "read_now": len(found),
            "read_before": known,
            "dagster/row_count": known + len(found),
            "rules_version": RULES_VERSION,
        }
    )
    return found
