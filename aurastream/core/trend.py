"""Trend classes: how a video's velocity stands among the velocities of its category.

From hot to cold VIRAL (at or above p90), RISING (p75), STABLE (p25), FALLING; UNKNOWN where the
category has fewer samples than it takes to say, or the velocity is null. Every threshold belongs
to the hotter class, but a velocity that is p25 and p75 at once is STABLE: the middle half of the
category shares it, so it does not stand out.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aurastream.core import kernels_numpy
from aurastream.core.arrays import floats, for_each

__all__ = ["CLASS_NAMES", "TrendClass", "TrendParams", "trend_classes"]


class TrendClass(StrEnum):
    """Trend class of a video in its category."""

    UNKNOWN = "UNKNOWN"
    FALLING = "FALLING"
    STABLE = "STABLE"
    RISING = "RISING"
    VIRAL = "VIRAL"


CLASS_NAMES: Final = tuple(
    name
    for _, name in sorted(
        (code, TrendClass[name].value)
        for name, code in (
            ("UNKNOWN", kernels_numpy.UNKNOWN),
            ("FALLING", kernels_numpy.FALLING),
            ("STABLE", kernels_numpy.STABLE),
            ("RISING", kernels_numpy.RISING),
            ("VIRAL", kernels_numpy.VIRAL),
        )
    )
)
"""Class names by kernel code."""


@dataclass(frozen=True, slots=True)
class TrendParams:
    """When a class may be named: with 20 samples a top decile has two members."""

    min_sample: int = 20


DEFAULT: Final = TrendParams()


def trend_classes(
    velocity: npt.ArrayLike,
    p25: npt.ArrayLike,
    p75: npt.ArrayLike,
    p90: npt.ArrayLike,
    sample_count: npt.ArrayLike,
    *,
    params: TrendParams = DEFAULT,
) -> npt.NDArray[Any]:
    """Classify velocities against the percentiles of their category.

    Parameters
    ----------
    velocity : array_like
        Velocities; NaN is UNKNOWN.
    p25, p75, p90 : array_like
        Percentiles of the category; scalars or one per velocity.
    sample_count : array_like
        Velocities the percentiles rest on.
    params : TrendParams
        Smallest sample.

    Returns
    -------
    numpy.ndarray
        Classes as text.

    Raises
    ------
    InvalidInputError
        When an argument is no array of finite numbers, or there is more than one percentile or
        sample for a velocity.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.1.3 (#64), with the sample and the ties of C26.

    Examples
    --------
    >>> trend_classes([9, 10, 30, 40, float("nan")], 10, 30, 40, 50).tolist()
    ['FALLING', 'STABLE', 'RISING', 'VIRAL', 'UNKNOWN']
    >>> trend_classes([40.0], 10, 30, 40, 19).tolist()
    ['UNKNOWN']
    >>> trend_classes([9.0, 10.0, 11.0], 10, 10, 10, 50).tolist()
    ['FALLING', 'STABLE', 'VIRAL']

    >>> trend_classes([7.0, 7.0], 7, 7, 7, 50).tolist(), trend_classes([], 1, 2, 3, 50).tolist()
    (['STABLE', 'STABLE'], [])
    """
    value = np.atleast_1d(floats(velocity, "velocity"))
    low, high, top, sample = for_each(value, p25=p25, p75=p75, p90=p90, sample_count=sample_count)
    known = sample >= params.min_sample
    names = np.array(CLASS_NAMES, dtype=object)
    classes = kernels_numpy.trend_codes(value.ravel(), low, high, top, known)
    found: npt.NDArray[Any] = names[classes].reshape(value.shape)
    return found
