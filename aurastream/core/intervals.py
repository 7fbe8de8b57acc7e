"""Confidence intervals: how far a share of few can be off."""

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from aurastream.core.arrays import together
from aurastream.core.errors import InvalidInputError

__all__ = ["two_sided_z", "wilson_interval"]

Floats = npt.NDArray[np.float64]


def two_sided_z(confidence: float) -> float:
    """Return how many standard errors either way hold a normal value with this confidence.

    Parameters
    ----------
    confidence : float
        Above 0, below 1.

    Returns
    -------
    float
        Standard errors, above 0.

    Raises
    ------
    InvalidInputError
        When the confidence does not lie between 0 and 1.

    Notes
    -----
    O(1).

    References
    ----------
    The quantile of the normal distribution; intervals are ours. Wichura, M. J. (1988). Algorithm AS
    241: the percentage points of the normal distribution. Applied Statistics 37(3).

    Examples
    --------
    >>> round(two_sided_z(0.95), 4)
    1.96
    """
    if not 0 < confidence < 1:
        raise InvalidInputError("confidence must lie between 0 and 1.", fix="Write 95 % as 0.95.")
    return NormalDist().inv_cdf(0.5 + confidence / 2.0)


def wilson_interval(
    hits: npt.ArrayLike, trials: npt.ArrayLike, *, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Return the Wilson score interval of a share; 0–1, NaN without trials.

    Parameters
    ----------
    hits, trials : array_like
        Counts, 0 or more; hits are at most the trials.
    confidence : float
        Above 0, below 1.

    Returns
    -------
    low, high : numpy.ndarray
        Ends of the interval, 0–1.

    Raises
    ------
    InvalidInputError
        When hits are negative or more than the trials, trials are a part of one, or either is no
        number, or infinite.

    Notes
    -----
    O(n).

    References
    ----------
    .. [1] E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
       JASA 22, 1927.

    Examples
    --------
    >>> low, high = wilson_interval([9, 0], [10, 0])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.596, nan], [0.982, nan])

    >>> wilson_interval([], [])[0].tolist()
    []
    """
    k, n = together(hits=hits, trials=trials)
    if (k < 0).any() or (k > n).any() or ((n > 0) & (n < 1)).any():
        raise InvalidInputError(
            "Hits must lie between 0 and the trials, and trials are 0 or 1 at least.",
            fix="Count again.",
        )
    z = two_sided_z(confidence)
    whole = np.where(n > 0, n, 1.0)
    share = np.where(n > 0, k, 0.0) / whole
    scale = 1.0 + z * z / whole
    middle = (share + z * z / (2.0 * whole)) / scale
    reach = z * np.sqrt(share * (1.0 - share) / whole + z * z / (4.0 * whole * whole)) / scale
    low = np.where(k == 0, 0.0, np.clip(middle - reach, 0.0, 1.0))
    high = np.where(k == n, 1.0, np.clip(middle + reach, 0.0, 1.0))
    return np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)
