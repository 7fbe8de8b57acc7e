"""What is normal in a category: distribution of views, velocity and engagement per window.

Percentiles (p25, p50, p75, p90) are linear and keep outliers; mean and population standard
deviation leave out what lies outside the 1.5 interquartile fence. All are in the unit of their
metric (views, views per hour, 0–1) and null where no value is known. ``outlier_count`` counts the
velocities outside the fence.

``baseline_velocity_per_hour`` is what a usual video of the category gathers, 0 or more: the median
of the velocities between p25 and p75 ("dynamic"), or the category's default while fewer than 30
velocities are known ("default").
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core import kernels
from aurastream.core.frames import (
    Schema,
    build_frame,
    counters,
    empty_frame,
    group_keys,
    require_columns,
    text,
    timestamps,
)
from aurastream.core.robust import FENCE_K

__all__ = ["STATS_SCHEMA", "CategoryStatsParams", "category_stats"]

METRICS: Final = {
    "velocity": "lifetime_velocity_per_hour",
    "views": "views",
    "engagement": "engagement_rate",
}
"""Column of each metric; velocity comes first, it gives the baseline and the outlier count."""

_MOMENTS: Final = ("mean", "std", "p25", "p50", "p75", "p90")

STATS_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "sample_count": "int32",
    "outlier_count": "int32",
    **{
        f"{metric}_{moment}": "float64"
        for metric in ("views", "velocity", "engagement")
        for moment in _MOMENTS
    },
    "baseline_velocity_per_hour": "float64",
    "baseline_source": "str",
}


@dataclass(frozen=True, slots=True)
class CategoryStatsParams:
    """When the baseline may be learned, and what stands in for it.

    The fence of 1.5 interquartile ranges and the default of 1,000 views per hour are the
    AuraStream paper's; 30 samples is where a median of the middle half stops jumping.
    """

    fence_k: float = FENCE_K
    min_baseline_sample: int = 30
    default_baseline: float = 1000.0


DEFAULT: Final = CategoryStatsParams()


def category_stats(
    velocity: pd.DataFrame,
    *,
    default_baselines: Mapping[str, float],
    params: CategoryStatsParams = DEFAULT,
) -> pd.DataFrame:
    """Describe every category in every window.

    Parameters
    ----------
    velocity : pandas.DataFrame
        Shaped like ``intelligence.video_velocity``; one row per window, category and video.
    default_baselines : Mapping
        Baseline in views per hour of each category, used until enough is known.
    params : CategoryStatsParams
        Fence and sample size.

    Returns
    -------
    pandas.DataFrame
        Shaped like ``intelligence.category_stats``, ordered by window and category.

    Raises
    ------
    InvalidInputError
        When a column is missing, or a value is negative or infinite.

    Notes
    -----
    O(n log n) in the rows, all windows at once.

    References
    ----------
    AuraStream paper 5.2.3 and 5.1.2 (#68, #62, #63, #69), with every percentile defined and
    outliers left out of mean and deviation alone (C25, C26, C29).

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-01-01", tz="UTC"),
    ...     "category": "minecraft",
    ...     "lifetime_velocity_per_hour": [100.0, 200.0, 300.0, 400.0, 9000.0],
    ...     "views": [10, 20, 30, 40, None],
    ...     "engagement_rate": None,
    ... })
    >>> one = category_stats(rows, default_baselines={"minecraft": 4000.0}).iloc[0]
    >>> one.velocity_p50, one.velocity_mean, one.outlier_count.item(), one.views_p75
    (np.float64(300.0), np.float64(250.0), 1, np.float64(32.5))
    >>> one.baseline_velocity_per_hour, one.baseline_source
    (np.float64(4000.0), 'default')

    Ties are all there is to a flat category, values that are not known do not count, and a category
    without any is described by nulls; no rows give no rows:

    >>> flat = rows.assign(lifetime_velocity_per_hour=[5.0, 5.0, 5.0, 5.0, None], views=None)
    >>> one = category_stats(flat, default_baselines={}).iloc[0]
    >>> one.velocity_p25.item(), one.velocity_p90.item(), one.velocity_std.item()
    (5.0, 5.0, 0.0)
    >>> one.sample_count.item(), one.outlier_count.item(), one.views_p50.item()
    (5, 0, nan)
    >>> category_stats(pd.DataFrame(), default_baselines={}).empty
    True
    """
    velocity = require_columns(
        velocity, ("window_start", "category", *METRICS.values()), "video_velocity"
    )
    if velocity.empty:
        return empty_frame(STATS_SCHEMA)
    metrics = tuple(counters(velocity, column, "video_velocity") for column in METRICS.values())
    keyed = group_keys((velocity, "video_velocity"))
    keys, first, codes = np.unique(keyed.keys[0], return_index=True, return_inverse=True)
    stats = kernels.group_statistics(
        codes, keys.size, metrics, fence_k=params.fence_k, baseline_metric=0
    )
    group_names = text(keyed.names, keyed.categories[0][first])
    dynamic = stats.count[0] >= params.min_baseline_sample
    default = np.array(
        [default_baselines.get(name, params.default_baseline) for name in group_names],
        dtype=np.float64,
    )
    columns: dict[str, Any] = {
        "window_start": timestamps(keyed.windows[0][first]),
        "category": group_names,
        "sample_count": np.bincount(codes, minlength=keys.size),
        "outlier_count": stats.outlier_count[0],
        "baseline_velocity_per_hour": np.where(dynamic, stats.baseline, default),
        "baseline_source": pd.array(np.where(dynamic, "dynamic", "default"), dtype="str"),
    }
    for row, metric in enumerate(METRICS):
        moments: tuple[npt.NDArray[np.float64], ...] = (
            stats.mean[row],
            stats.std[row],
            *stats.percentiles[:, row],
        )
        columns |= {f"{metric}_{m}": v for m, v in zip(_MOMENTS, moments, strict=True)}
    return build_frame(STATS_SCHEMA, columns)
