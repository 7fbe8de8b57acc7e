"""What the analyses of texts share: the scored videos of a window with what was written on them."""

from collections.abc import Sequence
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.store import readings_texts
from aurastream_assets.intelligence.analyses import at_window_end
from aurastream_assets.intelligence.windows import window_length
from aurastream_assets.keys import asset_key
from resources.store import Store

__all__ = ["TEXT_SOURCES", "scored_videos", "with_texts"]

TEXT_SOURCES: Final = (
    asset_key("collection", "youtube_videos"),
    # They say which version of its texts a video showed at a window's end.
    asset_key("collection", "youtube_trending"),
    asset_key("collection", "youtube_games"),
)


def scored_videos(*columns: str, windows_before: int = 0) -> dg.AssetIn:
    """Declare the videos that were scored at the end of each window as an input."""
    return at_window_end(
        "video_velocity",
        ["window_start", "category", "video_id", *columns],
        windows_before=windows_before,
    )


def with_texts(
    context: dg.AssetExecutionContext, store: Store, videos: pd.DataFrame, columns: Sequence[str]
) -> pd.DataFrame:
    """Add to each video of a window what was written on it then.

    Parameters
    ----------
    context : AssetExecutionContext
        Of a windowed asset.
    store : Store
        The record.
    videos : DataFrame
        ``window_start``, ``category`` and ``video_id``.
    columns : sequence of str
        Columns of ``collection.youtube_videos``; none gives ``metadata_hash`` alone.

    Returns
    -------
    DataFrame
        In the order of `videos`, with ``metadata_hash``, the columns, and ``said``: one text that
        is the same where all columns are. A video of which no version is known has nulls.
    """
    length = window_length(context)
    starts = videos["window_start"].drop_duplicates().sort_values()
    ends = [moment.to_pydatetime() + length for moment in starts]
    versions = readings_texts.text_versions(store.frames, ends, length=length)
    # The rows of a window are many times the versions: what is said is put together by version.
    known = videos.merge(versions, on=["window_start", "video_id"], how="left", sort=False)
    context.add_asset_metadata({"without_text": int(known["metadata_hash"].isna().sum())})
    if not columns:
        return known
    texts = readings_texts.video_texts(store.frames, versions, columns)
    rows = zip(*(texts[name] for name in columns), strict=True)
    texts["said"] = pd.array([repr(row) for row in rows], dtype="str")
    return known.merge(texts, on=["video_id", "metadata_hash"], how="left", sort=False)
