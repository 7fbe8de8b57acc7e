"""Robust statistics of one sample: linear percentiles, the IQR fence, the z-score.

One definition of a percentile holds everywhere: linear interpolation between order statistics, as
``numpy.percentile`` does by default. Outliers are judged by the interquartile fence and leave the
mean and the standard deviation only; percentiles keep them, because the viral tail is the point.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from aurastream.core import kernels_numpy
from aurastream.core.arrays import floats, together
from aurastream.core.errors import InvalidInputError

__all__ = ["FENCE_K", "iqr_fence", "linear_percentiles", "remove_outliers", "z_score"]

Floats = npt.NDArray[np.float64]

FENCE_K = 1.5
_FEWEST = 4


def linear_percentiles(values: npt.ArrayLike, quantiles: Sequence[float]) -> Floats:
    """Return linear percentiles of a sample; quantiles are 0–1, NaN values do not count.

    Parameters
    ----------
    values : array_like
        The sample.
    quantiles : sequence of float
        0–1.

    Returns
    -------
    numpy.ndarray
        One per quantile.

    Raises
    ------
    InvalidInputError
        When a value is no number, or infinite, or a quantile lies outside 0–1.

    Notes
    -----
    O(n log n).

    References
    ----------
    One definition for all percentiles (C29): type 7 of Hyndman, R. J. and Fan, Y. (1996). Sample
    quantiles in statistical packages. The American Statistician 50(4).

    Examples
    --------
    >>> linear_percentiles([4.0, 1.0, 3.0, 2.0], [0.25, 0.5, 0.9]).tolist()
    [1.75, 2.5, 3.7]
    >>> linear_percentiles([7.0, float("nan")], [0.9]).tolist()
    [7.0]
    >>> linear_percentiles([], [0.5]).tolist()
    [nan]
    """
    if any(not 0.0 <= q <= 1.0 for q in quantiles):
        raise InvalidInputError("A quantile lies outside 0–1.", fix="Write p90 as 0.9.")
    sample = floats(values, "values").ravel()
    _, ordered, counts, starts = kernels_numpy.sorted_segments(
        np.zeros(sample.size, dtype=np.int64), sample, 1
    )
    return kernels_numpy.segment_percentiles(ordered, counts, starts, tuple(quantiles))[:, 0]


def iqr_fence(values: npt.ArrayLike, k: float = FENCE_K) -> tuple[float, float]:
    """Return the fence p25 − k·IQR … p75 + k·IQR; unbounded for fewer than four values.

    Parameters
    ----------
    values : array_like
        The sample; NaN does not count.
    k : float
        1.5 is the usual fence, 3.0 keeps all but extremes.

    Returns
    -------
    low, high : float
        Ends of the fence.

    Raises
    ------
    InvalidInputError
        When a value is no number, or infinite.

    Notes
    -----
    O(n log n).

    References
    ----------
    AuraStream paper 5.2.4 (#69). Tukey, J. W. (1977). Exploratory data analysis. Addison-Wesley.

    Examples
    --------
    >>> iqr_fence([1.0, 2.0, 3.0, 4.0, 100.0])
    (-1.0, 7.0)
    >>> iqr_fence([1.0, 2.0, 100.0])
    (-inf, inf)

    >>> iqr_fence([])
    (-inf, inf)

    >>> iqr_fence([1.0, 2.0, 3.0, 4.0, float("nan")])
    (-0.5, 5.5)
    """
    sample = floats(values, "values").ravel()
    if np.count_nonzero(~np.isnan(sample)) < _FEWEST:
        return -np.inf, np.inf
    p25, p75 = linear_percentiles(sample, (0.25, 0.75)).tolist()
    reach = k * (p75 - p25)
    return p25 - reach, p75 + reach


def remove_outliers(values: npt.ArrayLike, k: float = FENCE_K) -> Floats:
    """Return the values inside the fence, in their order; fewer than four pass through.

    Parameters
    ----------
    values : array_like
        The sample.
    k : float
        Width of the fence in interquartile ranges.

    Returns
    -------
    numpy.ndarray
        Those inside.

    Raises
    ------
    InvalidInputError
        When a value is no number, or infinite.

    Notes
    -----
    O(n log n).

    References
    ----------
    AuraStream paper 5.2.4 (#69), for mean and deviation alone (C29).

    Examples
    --------
    >>> remove_outliers([100.0, 1.0, 2.0, 3.0, 4.0]).tolist()
    [1.0, 2.0, 3.0, 4.0]
    >>> remove_outliers([5.0, 5.0, 5.0, 5.0]).tolist()
    [5.0, 5.0, 5.0, 5.0]
    >>> remove_outliers([1.0, 2.0, 100.0]).tolist()
    [1.0, 2.0, 100.0]

    >>> remove_outliers([]).tolist()
    []
    """
    sample = floats(values, "values").ravel()
    lower, upper = iqr_fence(sample, k)
    return sample[(sample >= lower) & (sample <= upper)]


def z_score(values: npt.ArrayLike, mean: npt.ArrayLike, std: npt.ArrayLike) -> Floats:
    """Return (value − mean) / std; 0 where std is 0 or less, NaN where the value is NaN.

    Unbounded; above 0 means above the mean.

    Parameters
    ----------
    values : array_like
        The values.
    mean, std : array_like
        Of the group; scalars or one per value.

    Returns
    -------
    numpy.ndarray
        Standard deviations from the mean; infinite where they are beyond every float.

    Raises
    ------
    InvalidInputError
        When an argument is no array of finite numbers, or they do not fit together.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.2.1 (#66).

    Examples
    --------
    >>> z_score([1.0, 3.0, float("nan")], 2.0, 0.5).tolist()
    [-2.0, 2.0, nan]
    >>> z_score([1.0, 3.0], 2.0, 0.0).tolist()
    [0.0, 0.0]

    >>> z_score([], 2.0, 0.5).tolist()
    []
    """
    value, middle, spread = together(values=values, mean=mean, std=std)
    flat = spread <= 0.0
    with np.errstate(over="ignore"):
        result: Floats = (value - middle) / np.where(flat, 1.0, spread)
    return np.where(flat & ~np.isnan(value), 0.0, result)
