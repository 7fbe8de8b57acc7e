"""How common each pattern of titles is in a category, and whether it goes along with speed.

``pattern_share`` is 0–1 and has no better direction. What is said of speed (``lift``, its interval,
``p_value``, ``q_value``, ``verdict``) is that of `aurastream.core.title_lift`: a comparison within
cohorts of equal age and rank, above 1 is faster.
"""

from typing import Final

import numpy as np
import pandas as pd

from aurastream.core.frames import (
    Schema,
    build_frame,
    empty_frame,
    group_keys,
    require_columns,
    texts,
)
from aurastream.core.title_features import PATTERNS, title_features, title_patterns
from aurastream.core.title_lift import DEFAULT, TITLE_LIFT_SCHEMA, TitleLiftParams, title_lift

__all__ = ["TITLE_INTEL_SCHEMA", "title_intel"]

_KEYS: Final = ("window_start", "category", "pattern")

TITLE_INTEL_SCHEMA: Final[Schema] = {
    **{name: TITLE_LIFT_SCHEMA[name] for name in _KEYS},
    "title_count": "int32",
    "pattern_count": "int32",
    "pattern_share": "float64",
    **{name: kind for name, kind in TITLE_LIFT_SCHEMA.items() if name not in _KEYS},
}
"""Columns of `title_intel`."""


def title_intel(videos: pd.DataFrame, *, params: TitleLiftParams = DEFAULT) -> pd.DataFrame:
    """Return share and lift of every pattern in every window and category.

    Parameters
    ----------
    videos : pandas.DataFrame
        One row per video of a window and category, with ``title`` and what
        `aurastream.core.title_lift.title_lift` needs beside the patterns. A video whose title is
        not known (null) does not count; an empty title is a title.
    params : TitleLiftParams
        Cohorts and evidence.

    Returns
    -------
    pandas.DataFrame
        With the columns of `TITLE_INTEL_SCHEMA`, by window, category and pattern in the order of
        `aurastream.core.title_features.PATTERNS`: every category with a title has them all.

    Raises
    ------
    InvalidInputError
        When a column is missing or holds impossible values, or a row has no category.

    Notes
    -----
    O(characters of the distinct titles + patterns · rows): a title that several windows or
    categories show is looked at once.

    References
    ----------
    Worker gaps 1, title intelligence (#80).

    Examples
    --------
    >>> import pandas as pd
    >>> videos = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-03-01T08:00Z"),
    ...     "category": "gaming",
    ...     "channel_id": ["a", "b", "c", "d"],
    ...     "age_h": 12.0,
    ...     "lifetime_velocity_per_hour": 100.0,
    ...     "title": ["WHY?", "Why not", "", None],
    ... })
    >>> found = title_intel(videos).set_index("pattern")
    >>> found.loc[["question", "emoji"], ["title_count", "pattern_count"]].values.tolist()
    [[3, 2], [3, 0]]
    >>> found["verdict"].unique().tolist()
    ['UNKNOWN']
    >>> title_intel(pd.DataFrame()).shape
    (0, 16)
    """
    columns = ("window_start", "category", "title")
    videos = require_columns(videos, columns, "videos")
    known = videos[videos["title"].notna()].drop(columns=list(PATTERNS), errors="ignore")
    if known.empty:
        return empty_frame(TITLE_INTEL_SCHEMA)
    codes, titles = pd.factorize(texts(known, "title", "videos"))
    shown = title_patterns(title_features(titles)).take(codes).set_axis(known.index)
    lift = title_lift(pd.concat([known.drop(columns="title"), shown], axis=1), params=params)
    keys = group_keys((known, "videos")).keys[0]
    _, group = np.unique(keys, return_inverse=True)
    sizes = np.bincount(group)
    counts = np.column_stack(
        [np.bincount(group, shown[name].to_numpy(dtype=np.float64)) for name in PATTERNS]
    ).ravel()
    totals = np.repeat(sizes, len(PATTERNS))
    return build_frame(
        TITLE_INTEL_SCHEMA,
        {
            **{name: lift[name].array for name in TITLE_LIFT_SCHEMA},
            "title_count": totals,
            "pattern_count": counts,
            "pattern_share": counts / totals,
        },
    )
