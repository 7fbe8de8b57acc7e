"""How much an observation is still worth: levels, interpolated confidence, decay.

Confidence is 0–100, higher is surer; a decayed score keeps the range and direction of the score
it came from and is never above it. The level is discrete, the confidence is interpolated, and the
two are not tied: an observation 12 hours old has just become OLD and is worth 50, at 24 hours it
is EXPIRED and worth 30, and it ends at 10 after 48 hours.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.arrays import floats, together
from aurastream.core.errors import InvalidInputError

__all__ = [
    "FreshnessLevel",
    "FreshnessParams",
    "confidence",
    "decayed",
    "freshness_levels",
    "should_refresh",
]

Floats = npt.NDArray[np.float64]


class FreshnessLevel(StrEnum):
    """How old an observation is, in steps."""

    FRESH = "FRESH"
    RECENT = "RECENT"
    STALE = "STALE"
    OLD = "OLD"
    EXPIRED = "EXPIRED"


_LEVELS: Final = np.array([level.value for level in FreshnessLevel], dtype=object)


@dataclass(frozen=True, slots=True)
class FreshnessParams:
    """Ages in hours at which a level ends, and the confidence at those ages.

    The defaults are the decay configuration of the AuraStream paper: FRESH under 1 hour, RECENT
    under 4, STALE under 12, OLD under 24, then EXPIRED; confidence 100, 80, 50, 30, and 10 from
    48 hours on.
    """

    level_ends_h: tuple[float, float, float, float] = (1.0, 4.0, 12.0, 24.0)
    expired_end_h: float = 48.0
    confidences_pct: tuple[float, float, float, float, float] = (100.0, 80.0, 50.0, 30.0, 10.0)

    def __post_init__(self) -> None:
        ages = (0.0, *self.level_ends_h, self.expired_end_h)
        if list(ages) != sorted(set(ages)):
            raise InvalidInputError(
                "Freshness thresholds must grow from above 0 hours.",
                fix="Order level_ends_h, and put expired_end_h last.",
            )
        falling = sorted(self.confidences_pct, reverse=True)
        if list(self.confidences_pct) != falling or not 0 <= falling[-1] <= falling[0] <= 100:  # noqa: PLR2004 # per cent
            raise InvalidInputError(
                "Freshness confidences must fall within 0–100.", fix="Order confidences_pct."
            )


DEFAULT: Final = FreshnessParams()


def freshness_levels(
    age_h: npt.ArrayLike, *, params: FreshnessParams = DEFAULT
) -> npt.NDArray[Any]:
    """Return the level of each age in hours, as text.

    An age below 0 (clocks differ) is FRESH, an unknown age (NaN) is EXPIRED.

    Parameters
    ----------
    age_h : array_like
        Ages in hours.
    params : FreshnessParams
        Thresholds.

    Returns
    -------
    numpy.ndarray
        Levels as text, of the shape of the ages.

    Raises
    ------
    InvalidInputError
        When an age is no number, or infinite.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.5 (#77); the level is a step and is not tied to the confidence (C35).

    Examples
    --------
    >>> freshness_levels([-0.1, 0.0, 1.0, 4.0, 12.0, 24.0, float("nan")]).tolist()
    ['FRESH', 'FRESH', 'RECENT', 'STALE', 'OLD', 'EXPIRED', 'EXPIRED']
    >>> freshness_levels([]).tolist()
    []
    """
    age = floats(age_h, "age_h")
    # searchsorted places a NaN behind every threshold: EXPIRED.
    levels: npt.NDArray[Any] = _LEVELS[np.searchsorted(params.level_ends_h, age, side="right")]
    return levels


def should_refresh(levels: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Say for each level whether the data should be fetched again: from STALE on.

    Parameters
    ----------
    levels : array_like
        Levels as text; null is unknown.

    Returns
    -------
    numpy.ndarray
        Booleans of the same shape; true where the level is not known.

    Raises
    ------
    InvalidInputError
        When a value is no level.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.5 (#77).

    Examples
    --------
    >>> should_refresh(["FRESH", "RECENT", "STALE", "EXPIRED"]).tolist()
    [False, False, True, True]

    >>> should_refresh([]).tolist()
    []
    """
    try:
        level = np.asarray(levels, dtype=object)
        found = pd.Index(level.ravel())
        is_level = found.isin(_LEVELS.tolist()) | found.isna()
    except (TypeError, ValueError, ArithmeticError):
        is_level = np.zeros(1, dtype=np.bool_)
    if not is_level.all():
        raise InvalidInputError(
            "'levels' holds what is no level of freshness.",
            fix=f"Pass {', '.join(_LEVELS)}; null is for unknown ones.",
        )
    due: npt.NDArray[np.bool_] = ~found.isin(["FRESH", "RECENT"]).reshape(level.shape)
    return due


def confidence(age_h: npt.ArrayLike, *, params: FreshnessParams = DEFAULT) -> Floats:
    """Return the confidence in per cent, interpolated between the thresholds.

    Range 0–100; falls with age. An age below 0 counts as 0; an unknown age is worth 0.

    Parameters
    ----------
    age_h : array_like
        Ages in hours.
    params : FreshnessParams
        Thresholds, and the confidence at each.

    Returns
    -------
    numpy.ndarray
        Per cent, of the shape of the ages.

    Raises
    ------
    InvalidInputError
        When an age is no number, or infinite.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.5.4 (#78), interpolated to 48 hours (C35).

    Examples
    --------
    >>> confidence([-1.0, 0.0, 1.0, 2.5, 4.0, 12.0, 24.0, 36.0, 48.0, 1e9]).tolist()
    [100.0, 100.0, 100.0, 90.0, 80.0, 50.0, 30.0, 20.0, 10.0, 10.0]
    >>> confidence([float("nan")]).tolist()
    [0.0]

    >>> confidence([]).tolist()
    []
    """
    age = floats(age_h, "age_h")
    first = params.confidences_pct[0]
    result = np.interp(
        age, (*params.level_ends_h, params.expired_end_h), (first, *params.confidences_pct[1:])
    )
    return np.where(np.isnan(age), 0.0, result)


def decayed(
    score: npt.ArrayLike, confidence_pct: npt.ArrayLike, *, min_score: float = 0.0
) -> Floats:
    """Return score × confidence / 100, not below ``min_score``; a NaN score stays NaN.

    A score below ``min_score`` stays what it is: nothing decays upwards.

    Parameters
    ----------
    score : array_like
        Scores, 0 or more.
    confidence_pct : array_like
        Confidence, 0–100; NaN leaves the score unknown.
    min_score : float
        What no score falls below that was not below it.

    Returns
    -------
    numpy.ndarray
        Scores of the same range and direction.

    Raises
    ------
    InvalidInputError
        When an argument is no array of finite numbers, or they do not fit together.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.5.5 (#78, C35).

    Examples
    --------
    >>> decayed([85.0, 85.0, float("nan")], [50.0, 100.0, 50.0]).tolist()
    [42.5, 85.0, nan]
    >>> decayed([85.0, 5.0], [10.0, 100.0], min_score=20.0).tolist()
    [20.0, 5.0]

    >>> decayed([85.0], [float("nan")]).tolist(), decayed([], []).tolist()
    ([nan], [])
    """
    raw, sure = together(score=score, confidence_pct=confidence_pct)
    result: Floats = np.minimum(raw, np.maximum(raw * (sure / 100.0), min_score))
    return result
