"""Which version of a video's metadata was known in which window.

A window says what could be known at its end, whenever it is computed: a title that was changed
later, or a premiere that began later, is not in it. A video nothing was known of is unknown in it.
"""

from datetime import timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.frames import codes_of, microseconds, require_columns, times

__all__ = ["known_versions"]

Integers = npt.NDArray[np.int64]

_ANSWERED_WITHIN: Final = timedelta(minutes=30)
"""How late the answers of a crawl may come: the interval of the charts, after which the next one is
due. Ours."""


def known_versions(
    rows: pd.DataFrame,
    videos: pd.DataFrame,
    *,
    window: timedelta = timedelta(hours=4),
    late: timedelta = _ANSWERED_WITHIN,
) -> Integers:
    """Return for each row where in `videos` the version stands that its window knew.

    That is the last one first observed before the window's end. A crawl that began in a window may
    be answered after it, so a video without such a version has its first, if that came less than
    ``late`` after the end. One that came later tells what nobody knew then, and is not used.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``window_start`` and ``video_id``.
    videos : pandas.DataFrame
        ``video_id``, ``metadata_hash`` and ``first_observed_at``, a row per version. Versions first
        observed at once are ordered by their hash.
    window : timedelta
        Length of the windows.
    late : timedelta
        How long after its end a window still takes the first version of a video.

    Returns
    -------
    numpy.ndarray
        Positions, -1 for a video without any version that was known. O((n + m) log m) for n rows,
        m versions.

    Raises
    ------
    InvalidInputError
        When a column is missing, or a time is missing or has no zone.

    References
    ----------
    Ours: a window shows what was known at its end.

    Examples
    --------
    >>> at = pd.Timestamp("2026-01-01", tz="UTC")
    >>> videos = pd.DataFrame({
    ...     "video_id": ["a", "a", "b"], "metadata_hash": list("xyz"),
    ...     "first_observed_at": [at, at + pd.Timedelta("5h"), at + pd.Timedelta("245min")],
    ... })
    >>> rows = pd.DataFrame({
    ...     "video_id": ["a", "a", "b", "c"],
    ...     "window_start": [at, at + pd.Timedelta("4h"), at, at],
    ... })
    >>> known_versions(rows, videos).tolist()
    [0, 1, 2, -1]
    >>> known_versions(rows, videos.head(0)).tolist()
    [-1, -1, -1, -1]

    Metadata that came a month later is unknown in the window:

    >>> month = videos.assign(first_observed_at=videos["first_observed_at"] + pd.Timedelta("30D"))
    >>> known_versions(rows, month).tolist()
    [-1, -1, -1, -1]
    """
    rows = require_columns(rows, ("window_start", "video_id"), "rows")
    columns = ("video_id", "metadata_hash", "first_observed_at")
    videos = require_columns(videos, columns, "youtube_videos")
    if rows.empty or videos.empty:
        return np.full(len(rows), -1, dtype=np.int64)
    seen = times(videos, "first_observed_at", "youtube_videos")
    ends = times(rows, "window_start", "rows") + microseconds(window)
    (wanted, described), _ = codes_of(rows["video_id"], videos["video_id"])
    (version,), _ = codes_of(videos["metadata_hash"])
    moments = np.unique(np.concatenate([seen, ends]))
    width = moments.size + 1
    # One ascending key for (video, moment); a video without an id is before all others.
    key = described * width + np.searchsorted(moments, seen)
    order = np.lexsort((version, key))
    key = key[order]
    found = np.searchsorted(key, wanted * width + np.searchsorted(moments, ends)) - 1
    first = np.minimum(np.searchsorted(key, wanted * width), key.size - 1)
    is_known = (found >= 0) & (key[found] // width == wanted)
    in_time = seen[order[first]] - ends < microseconds(late)
    at = np.where(is_known, found, first)
    usable = (wanted >= 0) & (key[at] // width == wanted) & (is_known | in_time)
    return np.where(usable, order[at], -1)
