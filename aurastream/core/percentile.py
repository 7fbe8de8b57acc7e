"""Percentile score: where a value stands among its peers, 0–100, higher is more.

Anchored at 0 → 0, p25 → 25, p50 → 50, p75 → 75, p90 → 90 with straight lines between, and
approaching 100 above p90 as 90 + 10·(1 − e^(−x)) with x = (value − p90) / max(p90, floor).

Ties are settled by the middle of the tied ranks: where several anchors coincide, a value equal to
them scores the mean of the first and the last tied anchor's score, and in a flat distribution
(p25 = p90) the common value scores 50. A null value or a null percentile scores null. The score
never falls when the value grows, and every implementation gives the same bits, because the order
of operations is fixed (see `aurastream.core.kernels_numpy`).
"""

import numpy as np
import numpy.typing as npt

from aurastream.core import kernels_numpy
from aurastream.core.arrays import floats, for_each
from aurastream.core.errors import InvalidInputError

__all__ = ["percentile_score"]

Floats = npt.NDArray[np.float64]


def percentile_score(
    values: npt.ArrayLike,
    p25: npt.ArrayLike,
    p50: npt.ArrayLike,
    p75: npt.ArrayLike,
    p90: npt.ArrayLike,
    *,
    scale_floor: npt.ArrayLike = 1.0,
) -> Floats:
    """Score values against the percentiles of their group.

    Parameters
    ----------
    values : array_like
        Values to score, in the unit of the percentiles; those below 0 score 0, those without end
        100.
    p25, p50, p75, p90 : array_like
        Percentiles, ascending and not negative; scalars or one per value.
    scale_floor : array_like
        Smallest scale of the approach to 100, so that a p90 near 0 does not send every value
        above it to 100: one view, or one view per hour.

    Returns
    -------
    numpy.ndarray
        Scores, 0–100.

    Raises
    ------
    InvalidInputError
        When percentiles are negative, infinite or not ascending, an argument is no array of
        numbers, or there is more than one percentile for a value.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.2.2 (#67); ties, flat distributions and nulls as settled in C28.

    Examples
    --------
    >>> percentile_score([0, 5, 10, 15, 20, 30, 40, 80], 10, 20, 30, 40).round(2).tolist()
    [0.0, 12.5, 25.0, 37.5, 50.0, 75.0, 90.0, 96.32]

    Ties share the middle of their ranks, a flat distribution scores 50:

    >>> percentile_score([10, 11], 10, 10, 30, 40).tolist()
    [37.5, 51.25]
    >>> percentile_score([9.9, 10, 10.1], 10, 10, 10, 10).round(2).tolist()
    [24.75, 50.0, 90.1]

    A null is no score, and no values give no scores:

    >>> percentile_score([float("nan"), 5], [10, float("nan")], 20, 30, 40).tolist()
    [nan, nan]
    >>> percentile_score([], 10, 20, 30, 40).tolist()
    []
    """
    value = floats(values, "values", most=np.inf)
    *parts, floors = for_each(value, p25=p25, p50=p50, p75=p75, p90=p90, scale_floor=scale_floor)
    anchors = np.stack([np.zeros(value.size), *parts])
    if (np.diff(anchors, axis=0) < 0).any():
        raise InvalidInputError(
            "Percentiles must be finite and ascending: 0 <= p25 <= p50 <= p75 <= p90.",
            fix="Take them from the category statistics of a metric that cannot be negative.",
        )
    if not (floors > 0).all():
        raise InvalidInputError("scale_floor must be above 0.", fix="Use the metric's unit.")
    with np.errstate(over="ignore"):
        scores = kernels_numpy.percentile_scores(value.ravel(), anchors, floors)
    return scores.reshape(value.shape)
