"""Every version of what was written on videos, as an input: each window picks what it knew."""

from typing import Final

import dagster as dg

from aurastream_assets.keys import asset_key

__all__ = ["SCHEDULE", "every_version"]

SCHEDULE: Final = ("live_state", "published_at", "scheduled_start_at", "actual_start_at")
"""How a video was, or is to be, released."""


def every_version(*columns: str) -> dg.AssetIn:
    """Declare columns of all versions of all videos as an input."""
    return dg.AssetIn(
        key=asset_key("collection", "youtube_videos"),
        metadata={"columns": ["video_id", "metadata_hash", "first_observed_at", *columns]},
    )
