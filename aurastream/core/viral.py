"""How viral each video is against its own category in its own window.

``viral_score`` (velocity), ``views_score`` and ``engagement_score`` are percentile scores: 0–100,
higher is more. ``velocity_z`` is unbounded, above 0 is faster than the category's mean.
``confidence_pct`` is 0–100, higher is surer: freshness confidence × min(1, samples / 30), because
a percentile among few videos says little. ``decayed_score`` is viral_score × confidence_pct / 100:
0–100, never above the viral score, comparable between categories of different size and age.

``sample_count`` is the number of velocities the percentiles rest on; a video without a velocity is
UNKNOWN and has no viral score.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from aurastream.core import kernels
from aurastream.core.category_stats import METRICS
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    Schema,
    build_frame,
    counters,
    empty_frame,
    group_keys,
    lookup,
    percentages,
    plain_texts,
    refusal,
    require_columns,
    rivals,
    text,
    timestamps,
)
from aurastream.core.trend import CLASS_NAMES, TrendParams

__all__ = ["VIRAL_SCHEMA", "ViralParams", "viral_scores"]

VIRAL_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "video_id": "str",
    "trend_class": "str",
    "viral_score": "float64",
    "velocity_z": "float64",
    "views_score": "float64",
    "engagement_score": "float64",
    "decayed_score": "float64",
    "confidence_pct": "float64",
    "sample_count": "int32",
}

_PERCENTILES: Final = ("p25", "p50", "p75", "p90")
_NAMES: Final = pd.array(list(CLASS_NAMES), dtype="str")


@dataclass(frozen=True, slots=True)
class ViralParams:
    """Sample sizes, and the smallest scale of the approach to 100 above p90.

    One view and one view per hour are the AuraStream paper's; a rate is below 1 by nature, so
    that its smallest scale is one per cent.
    """

    trend: TrendParams = TrendParams()  # noqa: RUF009 # frozen
    full_sample: int = 30
    velocity_scale_floor: float = 1.0
    views_scale_floor: float = 1.0
    engagement_scale_floor: float = 0.01


_ROUNDING: Final = 1e-9
DEFAULT: Final = ViralParams()


def viral_scores(
    velocity: pd.DataFrame, stats: pd.DataFrame, *, params: ViralParams = DEFAULT
) -> pd.DataFrame:
    """Score and classify every video of every window.

    Parameters
    ----------
    velocity : pandas.DataFrame
        Shaped like ``intelligence.video_velocity``.
    stats : pandas.DataFrame
        Shaped like ``intelligence.category_stats``, of the same windows. A video whose window and
        category are missing here is UNKNOWN, without scores and with confidence 0.
    params : ViralParams
        Sample sizes and scales.

    Returns
    -------
    pandas.DataFrame
        Shaped like ``intelligence.viral_scores``, in the order of ``velocity``.

    Raises
    ------
    InvalidInputError
        When a column is missing, a value is negative or infinite, a confidence above 100,
        percentiles are not ascending, or a category has two rows of statistics in one window.

    Notes
    -----
    O(n log g) for g categories in all windows.

    References
    ----------
    AuraStream paper 5.1.3, 5.2.1, 5.2.2 and 5.5.5 (#64, #66, #67, #78), settled in C26 and C28.

    Examples
    --------
    Thirty videos; the fastest tenth is VIRAL, and half the freshness is half the decayed score:

    >>> import pandas as pd
    >>> from aurastream.core.category_stats import category_stats
    >>> rows = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-01-10T10:00Z"), "category": "gaming",
    ...     "video_id": [f"v{i:02}" for i in range(30)],
    ...     "lifetime_velocity_per_hour": [float(i) for i in range(30)],
    ...     "views": 1000, "engagement_rate": None, "confidence_pct": 50.0,
    ... })
    >>> stats = category_stats(rows, default_baselines={})
    >>> found = viral_scores(rows, stats)
    >>> (found["trend_class"] == "VIRAL").sum().item(), found["viral_score"].max().round(2).item()
    (3, 91.05)
    >>> bool((found["decayed_score"] == found["viral_score"] / 2).all())
    True

    Ties (all have as many views) score 50, what is not known has no score and no class:

    >>> found["views_score"].unique().tolist(), found["engagement_score"].unique().tolist()
    ([50.0], [nan])
    >>> unknown = viral_scores(rows.assign(lifetime_velocity_per_hour=None), stats).iloc[0]
    >>> unknown.trend_class, unknown.viral_score.item(), unknown.decayed_score.item()
    ('UNKNOWN', nan, nan)
    >>> viral_scores(rows.iloc[:0], stats).empty
    True
    """
    velocity = require_columns(
        velocity,
        ("window_start", "category", "video_id", *METRICS.values(), "confidence_pct"),
        "video_velocity",
    )
    wanted = [f"{metric}_{p}" for metric in METRICS for p in _PERCENTILES]
    stats = require_columns(
        stats,
        ("window_start", "category", "velocity_mean", "velocity_std", *wanted),
        "category_stats",
    )
    if velocity.empty:
        return empty_frame(VIRAL_SCHEMA)
    metrics = tuple(counters(velocity, column, "video_velocity") for column in METRICS.values())
    keyed = group_keys((velocity, "video_velocity"), (stats, "category_stats"))
    rows_key, stats_key = keyed.keys
    order = np.argsort(stats_key, kind="stable")
    if (np.diff(stats_key[order]) == 0).any():
        raise InvalidInputError(
            "The category_stats frame describes a category twice in one window.",
            fix="Pass one row per window_start and category.",
            rivals=rivals(stats_key, stats.index),
        )
    # The last group has no statistics: it takes the rows that find no category.
    n_groups = order.size + 1
    codes = lookup(stats_key[order], rows_key)
    codes[codes < 0] = order.size

    def of_groups(
        column: str, missing: float = np.nan
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.append(counters(stats, column, "category_stats")[order], missing)

    anchors = np.zeros((n_groups, len(METRICS), len(_PERCENTILES) + 1))
    for row, metric in enumerate(METRICS):
        for column, name in enumerate(_PERCENTILES, start=1):
            anchors[:, row, column] = of_groups(f"{metric}_{name}")
    # Interpolation may miss an order statistic by a rounding.
    is_below = np.diff(anchors, axis=2) < -_ROUNDING * anchors[..., 1:]
    falling = np.asarray(is_below.any(axis=(1, 2)))
    if falling.any():
        raise refusal(
            stats.index[order],
            falling[:-1],
            lambda _: "Percentiles of the category_stats frame are not ascending.",
            fix="Take them from category_stats: p25 <= p50 <= p75 <= p90.",
        )
    samples = np.bincount(codes[~np.isnan(metrics[0])], minlength=n_groups)
    samples[-1] = 0
    scored = kernels.score_rows(
        codes,
        metrics,
        anchors=anchors,
        floors=np.array(
            [
                params.velocity_scale_floor,
                params.views_scale_floor,
                params.engagement_scale_floor,
            ]
        ),
        mean=of_groups("velocity_mean"),
        std=of_groups("velocity_std"),
        known=samples >= params.trend.min_sample,
        sureness=np.minimum(1.0, samples / params.full_sample),
        freshness=percentages(velocity, "confidence_pct", "video_velocity"),
    )
    return build_frame(
        VIRAL_SCHEMA,
        {
            "window_start": timestamps(keyed.windows[0]),
            "category": text(keyed.names, keyed.categories[0]),
            "video_id": plain_texts(velocity, "video_id", "video_velocity").array,
            "trend_class": _NAMES.take(scored.trend),
            "viral_score": scored.scores[0],
            "velocity_z": scored.z,
            "views_score": scored.scores[1],
            "engagement_score": scored.scores[2],
            "decayed_score": scored.decayed,
            "confidence_pct": scored.confidence,
            "sample_count": samples[codes],
        },
    )
