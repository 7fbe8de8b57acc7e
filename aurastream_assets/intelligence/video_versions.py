"""Every version of what was written on videos, as an input: each window picks what it knew."""

from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core.releases import releases
from aurastream.core.versions import known_versions
from aurastream_assets.intelligence.refusals import accepted_beside, each_for_itself
from aurastream_assets.keys import asset_key

__all__ = ["SCHEDULE", "every_version", "releases_of"]

SCHEDULE: Final = ("live_state", "published_at", "scheduled_start_at", "actual_start_at")
"""How a video was, or is to be, released."""


def every_version(*columns: str) -> dg.AssetIn:
    """Declare columns of all versions of all videos as an input."""
    return dg.AssetIn(
        key=asset_key("collection", "youtube_videos"),
        metadata={"columns": ["video_id", "metadata_hash", "first_observed_at", *columns]},
    )


def releases_of(rows: pd.DataFrame, videos: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Say how and when the videos came out; neither a row nor a version costs another one.

    Parameters
    ----------
    rows : DataFrame
        Velocities, as `aurastream.core.releases.releases` reads them.
    videos : DataFrame
        Every version, with `SCHEDULE`.

    Returns
    -------
    tuple of DataFrame
        The releases, and what was refused, as `refusals.each_for_itself` says it.
    """
    anybody = pd.DataFrame({"window_start": [pd.Timestamp(0, tz="UTC")], "video_id": [""]})
    usable, versions = accepted_beside(
        rows, videos, lambda some: known_versions(anybody, some), on="video_id"
    )
    known, refused = each_for_itself(rows, lambda some: releases(some, usable))
    told = [part for part in (versions, refused) if len(part)]
    return known, pd.concat(told, ignore_index=True) if told else refused
