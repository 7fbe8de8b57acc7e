"""Columns of a crawl into a frame with the dtypes of the tables."""

from typing import Final

import pandas as pd

from aurastream.sources.ports import Columns

__all__ = ["to_frame"]

_INSTANT: Final = "datetime64[us, UTC]"
_COUNTER: Final = "Int64"
_TEXT: Final = "str"
_LIST: Final = "object"

_DTYPES: Final = {
    **dict.fromkeys(
        (
            "observed_at",
            "published_at",
            "created_at",
            "started_at",
            "scheduled_start_at",
            "actual_start_at",
        ),
        _INSTANT,
    ),
    **dict.fromkeys(
        (
            "views",
            "likes",
            "comments",
            "concurrent_viewers",
            "subscribers",
            "videos",
            "category_id",
            "duration_s",
            "vod_offset_s",
            "muted_s",
        ),
        _COUNTER,
    ),
    **dict.fromkeys(("rank", "viewer_count", "view_count"), "int64"),
    **dict.fromkeys(
        ("has_captions", "is_licensed", "is_made_for_kids", "is_mature", "is_assignable"),
        "boolean",
    ),
    **dict.fromkeys(("tags", "topic_categories"), _LIST),
}
# A clip's length has a fraction; everything else is whole seconds.
_OF_DATASET: Final = {("clips", "duration_s"): "float64"}


def to_frame(dataset: str, columns: Columns) -> pd.DataFrame:
    """Return columns as a frame.

    Parameters
    ----------
    dataset : str
        Kind of the rows, see `aurastream.sources.ports.Crawl`.
    columns : dict of str to list
        Values by column, all of one length.

    Returns
    -------
    pandas.DataFrame
        Times as ``datetime64[us, UTC]``, counters as nullable ``Int64``, flags as nullable
        ``boolean``, texts as ``str``, lists as objects.

    Examples
    --------
    >>> frame = to_frame("videos", {"video_id": ["a", "b"], "likes": [3, None]})
    >>> frame["likes"].isna().tolist()
    [False, True]
    """
    return pd.DataFrame(
        {
            name: pd.Series(
                values, dtype=_OF_DATASET.get((dataset, name)) or _DTYPES.get(name, _TEXT)
            )
            for name, values in columns.items()
        }
    )
