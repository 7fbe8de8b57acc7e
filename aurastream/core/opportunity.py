"""Where a new video or stream has the best chance: 0–100, higher is better.

opportunity = .4 · trend + .3 · velocity + .3 · ease, × .85 in the audience's peak hours, each part
0–100 and higher is better:

- ``trend_part``  min(100, (VIRAL + .5 · RISING) · 20): five viral videos fill it;
- ``velocity_part``  min(100, ratio · 50), where the ratio is the category's mean velocity without
  outliers over its baseline (not below 1 view per hour): twice the usual fills it. The mean is
  compared, because the baseline is itself the median of the middle half: a median over it would
  be 1 always;
- ``ease_part``  the ease of competing on Twitch; 50 where there is no Twitch data.

The score is null while fewer than 20 velocities are known. ``confidence_pct`` (0–100, higher is
surer) is the mean confidence of the category's videos, which holds freshness and sample size, ×
(.7 + .3 · competition confidence / 100): the share of the score that rests on Twitch counts as much
as Twitch is known.

The score tells how favourable this window looks by these signals. It is no forecast of the views a
particular video will get.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core import kernels
from aurastream.core.arrays import together
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    Schema,
    build_frame,
    codes_of,
    counters,
    each_once,
    empty_frame,
    group_keys,
    lookup,
    numbers,
    percentages,
    require_columns,
    rivals,
    text,
    timestamps,
    whole_numbers,
)
from aurastream.core.kernels_numpy import RISING, UNKNOWN, VIRAL, sorted_segments
from aurastream.core.trend import CLASS_NAMES

__all__ = [
    "OPPORTUNITY_SCHEMA",
    "OpportunityParams",
    "OpportunityParts",
    "opportunity",
    "opportunity_scores",
]

Floats = npt.NDArray[np.float64]

OPPORTUNITY_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "viral_count": "int32",
    "rising_count": "int32",
    "sample_count": "int32",
    "velocity_ratio": "float64",
    "trend_part": "float64",
    "velocity_part": "float64",
    "ease_part": "float64",
    "peak_factor": "float64",
    "opportunity_score": "float64",
    "confidence_pct": "float64",
}


@dataclass(frozen=True, slots=True)
class OpportunityParams:
    """Weights and scales, all of the AuraStream paper but the minimum sample, which is ours."""

    trend_weight: float = 0.4
    velocity_weight: float = 0.3
    ease_weight: float = 0.3
    points_per_viral: float = 20.0
    rising_share: float = 0.5
    points_per_ratio: float = 50.0
    smallest_baseline: float = 1.0
    neutral_ease: float = 50.0
    peak_factor: float = 0.85
    min_sample: int = 20

    def __post_init__(self) -> None:
        weights = (self.trend_weight, self.velocity_weight, self.ease_weight)
        if min(weights) < 0 or abs(sum(weights) - 1.0) > 1e-9:  # noqa: PLR2004 # rounding
            raise InvalidInputError(
                "The opportunity weights must be 0 or more and sum to 1.", fix="Correct them."
            )


DEFAULT: Final = OpportunityParams()
_MOST: Final = 100.0


@dataclass(frozen=True, slots=True)
class OpportunityParts:
    """The parts of the score and the score itself, 0–100 each but for the factor."""

    trend: Floats
    velocity: Floats
    ease: Floats
    factor: Floats
    score: Floats


def opportunity_scores(
    viral_count: npt.ArrayLike,
    rising_count: npt.ArrayLike,
    *,
    velocity_ratio: npt.ArrayLike,
    ease: npt.ArrayLike,
    is_peak: npt.ArrayLike,
    sample_count: npt.ArrayLike,
    params: OpportunityParams = DEFAULT,
) -> OpportunityParts:
    """Combine counts, velocity ratio and ease into the score; see the module.

    A null ratio or a null ease counts as neutral (50); a sample below the minimum gives no score.

    Parameters
    ----------
    viral_count, rising_count : array_like
        Videos of these classes, 0 or more.
    velocity_ratio : array_like
        Mean velocity over the baseline, 0 or more; NaN is neutral.
    ease : array_like
        Ease of competing, 0–100; NaN is neutral.
    is_peak : array_like
        Whether the window lies in the audience's peak hours; null is false.
    sample_count : array_like
        Velocities that are known.
    params : OpportunityParams
        Weights and scales.

    Returns
    -------
    OpportunityParts
        The parts, 0–100 each, and the score, 0–100; higher is better.

    Raises
    ------
    InvalidInputError
        When a count or a ratio is negative or infinite, a count unknown, an ease outside 0–100,
        an argument no array of numbers, or when they do not fit together.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.1.4 and 5.3.3 (#65, #72), clamped (C27).

    Examples
    --------
    >>> quiet = {"velocity_ratio": 1.2, "ease": 70.0, "is_peak": False, "sample_count": 60}
    >>> opportunity_scores([3], [4], **quiet).score.tolist()
    [79.0]
    >>> opportunity_scores([3], [4], **(quiet | {"is_peak": True})).score.round(2).tolist()
    [67.15]
    >>> opportunity_scores([3], [4], **(quiet | {"sample_count": 19})).score.tolist()
    [nan]

    What is not known is neutral, and five viral videos are as much as fifty: the part is full.

    >>> unknown = {"velocity_ratio": float("nan"), "ease": float("nan")}
    >>> [float(opportunity_scores(n, 0, **(quiet | unknown)).score) for n in (0, 5, 50)]
    [30.0, 70.0, 70.0]
    >>> nothing = {"velocity_ratio": [], "ease": [], "is_peak": [], "sample_count": []}
    >>> opportunity_scores([], [], **nothing).score.tolist()
    []
    >>> try:
    ...     opportunity_scores([3], [4], **(quiet | {"ease": 101.0}))
    ... except InvalidInputError as error:
    ...     print(error.message)
    An ease of 101 was passed.
    """
    viral, rising, ratio, known_ease, peak, sample = together(
        viral_count=viral_count,
        rising_count=rising_count,
        velocity_ratio=velocity_ratio,
        ease=ease,
        is_peak=is_peak,
        sample_count=sample_count,
    )
    _refuse("A count", viral, np.isfinite(viral) & (viral >= 0))
    _refuse("A count", rising, np.isfinite(rising) & (rising >= 0))
    _refuse("A ratio", ratio, np.isnan(ratio) | (np.isfinite(ratio) & (ratio >= 0)))
    in_range = (known_ease >= 0) & (known_ease <= _MOST)
    _refuse("An ease", known_ease, np.isnan(known_ease) | in_range)
    trend = np.minimum(100.0, (viral + params.rising_share * rising) * params.points_per_viral)
    speed = np.where(np.isnan(ratio), 50.0, np.minimum(100.0, ratio * params.points_per_ratio))
    easy = np.where(np.isnan(known_ease), params.neutral_ease, known_ease)
    factor = np.where(np.nan_to_num(peak) != 0, params.peak_factor, 1.0)
    raw = (
        params.trend_weight * trend + params.velocity_weight * speed + params.ease_weight * easy
    ) * factor
    score = np.where(sample >= params.min_sample, np.clip(raw, 0.0, 100.0), np.nan)
    return OpportunityParts(trend, speed, easy, factor, score)


def _refuse(what: str, values: Floats, possible: npt.NDArray[np.bool_]) -> None:
    if not possible.all():
        raise InvalidInputError(
            f"{what} of {values[~possible][0]:g} was passed.",
            fix="Counts and ratios are finite and 0 or more, an ease is 0–100; "
            "NaN is for an unknown ratio or ease.",
        )


def opportunity(
    viral: pd.DataFrame,
    stats: pd.DataFrame,
    competition: pd.DataFrame,
    *,
    params: OpportunityParams = DEFAULT,
) -> pd.DataFrame:
    """Score every category of every window.

    Parameters
    ----------
    viral, stats, competition : pandas.DataFrame
        Shaped like the tables of ``intelligence``, of the same windows. ``stats`` decides which
        categories get a row; one without competition (a chart has none) is neutral in ease and
        never in peak hours.
    params : OpportunityParams
        Weights and scales.

    Returns
    -------
    pandas.DataFrame
        Shaped like ``intelligence.opportunity``, ordered by window and category.

    Raises
    ------
    InvalidInputError
        When a column is missing, a value is impossible, or a category has two rows in one window.

    Notes
    -----
    O(n log n) in the videos.

    References
    ----------
    AuraStream paper 5.1.4 (#65), 5.3 (#72, #73), clamped and apart from momentum (C27), with the
    ease of C30.

    Examples
    --------
    Thirty videos of one category, of which three are VIRAL and five RISING by definition:

    >>> import pandas as pd
    >>> from aurastream.core.category_stats import category_stats
    >>> from aurastream.core.viral import viral_scores
    >>> rows = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-01-10T10:00Z"), "category": "gaming",
    ...     "video_id": [f"v{i:02}" for i in range(30)],
    ...     "lifetime_velocity_per_hour": [100.0 + i for i in range(30)],
    ...     "views": 1000, "engagement_rate": 0.05, "confidence_pct": 100.0,
    ... })
    >>> stats = category_stats(rows, default_baselines={})
    >>> chart = opportunity(viral_scores(rows, stats), stats, pd.DataFrame()).iloc[0]
    >>> chart["viral_count"].item(), chart["rising_count"].item(), chart["trend_part"].item()
    (3, 5, 100.0)

    Without Twitch the ease is neutral and takes its share of the confidence:

    >>> chart["ease_part"].item(), round(chart["confidence_pct"].item(), 6)
    (50.0, 70.0)

    Equal velocities have no VIRAL video among them, unknown ones no score; no statistics, no rows:

    >>> def score(part):
    ...     found = category_stats(part, default_baselines={})
    ...     return opportunity(viral_scores(part, found), found, pd.DataFrame())
    >>> float(score(rows.assign(lifetime_velocity_per_hour=7.0))["opportunity_score"].iloc[0])
    30.0
    >>> float(score(rows.assign(lifetime_velocity_per_hour=None))["opportunity_score"].iloc[0])
    nan
    >>> score(rows.iloc[:0]).empty
    True
    """
    viral = require_columns(
        viral,
        ("window_start", "category", "trend_class", "confidence_pct", "sample_count"),
        "viral_scores",
    )
    stats = require_columns(
        stats,
        (
            "window_start",
            "category",
            "sample_count",
            "velocity_mean",
            "baseline_velocity_per_hour",
        ),
        "category_stats",
    )
    competition = require_columns(
        competition,
        ("window_start", "category", "ease_score", "is_peak", "confidence_pct"),
        "competition",
    )
    if stats.empty:
        return empty_frame(OPPORTUNITY_SCHEMA)
    keyed = group_keys(
        (stats, "category_stats"), (viral, "viral_scores"), (competition, "competition")
    )
    order = np.argsort(keyed.keys[0], kind="stable")
    keys = keyed.keys[0][order]
    if (np.diff(keys) == 0).any():
        raise InvalidInputError(
            "The category_stats frame describes a category twice in one window.",
            fix="Pass one row per window_start and category.",
            rivals=rivals(keyed.keys[0], stats.index),
        )
    n = keys.size
    group = lookup(keys, keyed.keys[1])
    inside = group >= 0

    (trend_text,), trend_names = codes_of(viral["trend_class"])
    # Anything but a class we know is what UNKNOWN says; so is a null, at position -1.
    classes = [CLASS_NAMES.index(n) if n in CLASS_NAMES else UNKNOWN for n in trend_names]
    trend = np.array([*classes, UNKNOWN], dtype=np.int8)[trend_text]
    counts = kernels.class_counts(group[inside], trend[inside], n)

    known = np.zeros(n)
    # An unknown sample is no known one.
    np.fmax.at(known, group[inside], counters(viral, "sample_count", "viral_scores")[inside])
    # Summed in sorted order, so that the order of the videos cannot show.
    segments, sure, sure_count, _ = sorted_segments(
        group[inside], percentages(viral, "confidence_pct", "viral_scores")[inside], n
    )
    video_confidence = np.bincount(segments, sure, minlength=n) / np.maximum(sure_count, 1)

    each_once(keyed.keys[2], competition.index, "competition")
    rival_order = np.argsort(keyed.keys[2], kind="stable")
    rival = lookup(keyed.keys[2][rival_order], keys)
    has_rival = rival >= 0

    def of_rival(values: npt.NDArray[np.float64], missing: float) -> Floats:
        padded = np.append(values[rival_order], missing)
        return np.where(has_rival, padded[rival], missing)

    mean = counters(stats, "velocity_mean", "category_stats")[order]
    baseline = counters(stats, "baseline_velocity_per_hour", "category_stats")[order]
    ratio = mean / np.maximum(baseline, params.smallest_baseline)
    viral_count, rising_count = counts[:, VIRAL], counts[:, RISING]
    parts = opportunity_scores(
        viral_count,
        rising_count,
        velocity_ratio=ratio,
        ease=of_rival(percentages(competition, "ease_score", "competition"), np.nan),
        is_peak=of_rival(numbers(competition, "is_peak"), 0.0) > 0,
        sample_count=known,
        params=params,
    )
    rest = 1.0 - params.ease_weight
    rival_confidence = of_rival(percentages(competition, "confidence_pct", "competition"), 0.0)
    return build_frame(
        OPPORTUNITY_SCHEMA,
        {
            "window_start": timestamps(keyed.windows[0][order]),
            "category": text(keyed.names, keyed.categories[0][order]),
            "viral_count": viral_count,
            "rising_count": rising_count,
            "sample_count": whole_numbers(stats, "sample_count", "category_stats")[order],
            "velocity_ratio": ratio,
            "trend_part": parts.trend,
            "velocity_part": parts.velocity,
            "ease_part": parts.ease,
            "peak_factor": parts.factor,
            "opportunity_score": parts.score,
            "confidence_pct": video_confidence
            * (rest + params.ease_weight * rival_confidence / 100.0),
        },
    )
