"""Array kernels in plain numpy: the small path, the fallback and the oracle of the compiled ones.

Every kernel here has a twin in `aurastream.core.kernels_numba` that returns the same bits. That
holds because both follow one order of operations, which is part of the definition of a score:

- percentiles are linear, interpolated as ``numpy.percentile`` does it;
- sums run over the sorted values in eight lanes (value i into lane i mod 8), and the lanes are
  added as ((0+1)+(2+3))+((4+5)+(6+7)), so that a permuted input gives the same sum;
- the exponential is the polynomial below, because ``numpy.exp`` and the C library's ``exp``
  differ in the last bit from one processor to the next.

Groups are numbered 0 … n_groups-1; a NaN is a missing value and never counts.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "ANCHOR_SCORES",
    "FALLING",
    "LANES",
    "N_CLASSES",
    "QUANTILES",
    "RISING",
    "STABLE",
    "UNKNOWN",
    "VIRAL",
    "Floats",
    "GroupStatistics",
    "Integers",
    "ScoredRows",
    "class_counts",
    "group_statistics",
    "negative_exponential",
    "percentile_scores",
    "score_rows",
    "sorted_segments",
    "trend_codes",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LANES: Final = 8
QUANTILES: Final = (0.25, 0.50, 0.75, 0.90)
# The score at 0 and at the four percentiles.
ANCHOR_SCORES: Final = (0.0, 25.0, 50.0, 75.0, 90.0)
UNKNOWN, FALLING, STABLE, RISING, VIRAL = range(5)
N_CLASSES: Final = 5
# From here on the upper neighbour is the base of the interpolation, as in numpy.
NEARER_UPPER: Final = 0.5
# Fewer values have no meaningful quartiles, hence no outliers.
FEWEST_FENCED: Final = 4

# ln 2 / 8 in two parts: the high one has so few bits that k * STEP_HIGH is exact for all k here.
STEP_HIGH: Final = 6.93147180369123816490e-01 / 8
STEP_LOW: Final = 1.90821492927058770002e-10 / 8
STEPS_PER_UNIT: Final = 1.44269504088896338700 * 8
# 1 - exp(-x) is 1 in double precision from here on.
EXPONENT_LIMIT: Final = 40.0
# 1/n! from n = 8 down to 0: the polynomial is exact to double precision for |t| <= ln(2)/16.
EXP_TAYLOR: Final = (
    1 / 40320,
    1 / 5040,
    1 / 720,
    1 / 120,
    1 / 24,
    1 / 6,
    1 / 2,
    1.0,
    1.0,
)
_EIGHTHS: Final = (
    1.0,
    0.9170040432046712,
    0.8408964152537145,
    0.7711054127039704,
    0.7071067811865476,
    0.6484197773255048,
    0.5946035575013605,
    0.5452538663326288,
)
# Powers 2^(-k/8) for the k that EXPONENT_LIMIT allows; scaling by a power of two is exact.
POWERS: Final = tuple(_EIGHTHS[k % 8] * 0.5 ** (k // 8) for k in range(480))

_ANCHORS = np.array(ANCHOR_SCORES)
_POWERS = np.array(POWERS)
_ALL = len(ANCHOR_SCORES)
_WIDTHS = np.diff(_ANCHORS)
_RADIX_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class GroupStatistics:
    """Statistics of several metrics in every group; each array is (metrics, groups).

    ``count`` counts the values that are not missing, ``outlier_count`` those outside the fence.
    ``mean`` and ``std`` (population) leave the outliers out, the percentiles keep them.
    ``baseline`` (groups,) is the median of the p25–p75 slice of the metric that was asked for.
    An empty group has NaN everywhere.
    """

    count: Integers
    outlier_count: Integers
    mean: Floats
    std: Floats
    percentiles: Floats  # (quantiles, metrics, groups)
    baseline: Floats


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """What `score_rows` knows of each row; ``scores`` is (metrics, rows), 0–100 each."""

    scores: Floats
    trend: npt.NDArray[np.int8]
    z: Floats
    decayed: Floats
    confidence: Floats


def sorted_segments(
    segments: Integers, values: Floats, n_segments: int
) -> tuple[Integers, Floats, Integers, Integers]:
    """Sort values within their segments; NaN is dropped.

    Parameters
    ----------
    segments : numpy.ndarray
        Segment of each value, 0 … n_segments-1.
    values : numpy.ndarray
        The values.
    n_segments : int
        Number of segments; empty ones are allowed.

    Returns
    -------
    segments, values : numpy.ndarray
        Ordered by segment, then value.
    counts, starts : numpy.ndarray
        Number of values of each segment and the index of its first.

    Notes
    -----
    O(n log n).

    References
    ----------
    Ours: what is summed in this order is the same bits for any order of the rows (C29).

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([3.0, np.nan, 1.0, 2.0])
    >>> of, ordered, counts, starts = sorted_segments(np.array([0, 0, 0, 2]), values, 3)
    >>> of.tolist(), ordered.tolist(), counts.tolist(), starts.tolist()
    ([0, 0, 2], [1.0, 3.0, 2.0], [2, 0, 1], [0, 2, 2])

    >>> sorted_segments(np.zeros(0, dtype=np.int64), np.zeros(0), 1)[2].tolist()
    [0]
    """
    known = ~np.isnan(values)
    if not known.all():
        values = values[known]
        segments = segments[known]
    # Equal values are interchangeable, so the first sort need not be stable (and is vectorised);
    # the second one is a radix sort wherever the segment numbers fit into 16 bits.
    order = np.argsort(values)
    by_value = segments[order]
    small = by_value.astype(np.uint16) if n_segments <= _RADIX_LIMIT else by_value
    regroup = np.argsort(small, kind="stable")
    counts = np.bincount(segments, minlength=n_segments)
    starts = np.cumsum(counts) - counts
    return by_value[regroup], values[order[regroup]], counts, starts


def segment_percentiles(
    values: Floats, counts: Integers, starts: Integers, quantiles: tuple[float, ...]
) -> Floats:
    """Linear percentiles of sorted segments, as ``numpy.percentile`` interpolates them."""
    if values.size == 0:
        return np.full((len(quantiles), counts.size), np.nan)
    last = np.maximum(counts - 1, 0)
    first = np.minimum(starts, values.size - 1)
    position = np.array(quantiles)[:, None] * last
    low = position.astype(np.int64)
    fraction = position - low
    below = values[first + low]
    above = values[first + np.minimum(low + 1, last)]
    step = above - below
    result: Floats = np.where(
        fraction >= NEARER_UPPER, above - step * (1.0 - fraction), below + step * fraction
    )
    result[:, counts == 0] = np.nan
    return result


def group_statistics(
    codes: Integers,
    n_groups: int,
    metrics: tuple[Floats, ...],
    *,
    fence_k: float,
    baseline_metric: int,
) -> GroupStatistics:
    """Compute the statistics of every metric in every group.

    Parameters
    ----------
    codes : numpy.ndarray
        Group of each row, 0 … n_groups-1.
    n_groups : int
        Number of groups; groups without rows are allowed.
    metrics : tuple of numpy.ndarray
        Values of each metric; NaN is missing, infinities are not allowed.
    fence_k : float
        Width of the outlier fence in interquartile ranges.
    baseline_metric : int
        Metric whose p25–p75 slice gives the baseline.

    Returns
    -------
    GroupStatistics
        Arrays by metric and group; NaN for a group without a value.

    Notes
    -----
    O(n log n) for all groups together.

    References
    ----------
    AuraStream paper 5.1.2, 5.2.3 and 5.2.4 (#63, #68, #69), settled in C26 and C29.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([1.0, 2.0, 3.0, 4.0, 100.0, np.nan])
    >>> group = np.array([0, 0, 0, 0, 0, 1])
    >>> found = group_statistics(group, 2, (values,), fence_k=1.5, baseline_metric=0)
    >>> found.mean.tolist(), found.outlier_count.tolist(), found.baseline.tolist()
    ([[2.5, nan]], [[1, 0]], [3.0, nan])

    >>> none = group_statistics(group[:0], 1, (values[:0],), fence_k=1.5, baseline_metric=0)
    >>> none.mean.tolist(), none.count.tolist()
    ([[nan]], [[0]])
    """
    n_metrics = len(metrics)
    n_segments = n_metrics * n_groups
    shift = np.arange(n_metrics, dtype=np.int64)[:, None] * n_groups
    # Adding 0.0 turns -0.0 into 0.0, so that the order of equal values cannot show.
    raw = np.concatenate(metrics) + 0.0
    segments, values, counts, starts = sorted_segments(
        (codes[None, :] + shift).ravel(), raw, n_segments
    )
    quantiles = segment_percentiles(values, counts, starts, QUANTILES)
    p25, p75 = quantiles[0], quantiles[2]

    reach = fence_k * (p75 - p25)
    few = counts < FEWEST_FENCED
    lower = np.where(few, -np.inf, p25 - reach)
    upper = np.where(few, np.inf, p75 + reach)
    too_low = values < lower[segments]
    kept = ~too_low & (values <= upper[segments])
    kept_counts = np.bincount(segments[kept], minlength=n_segments)
    kept_starts = starts + np.bincount(segments[too_low], minlength=n_segments)

    lanes = segments * LANES + ((np.arange(values.size) - kept_starts[segments]) & (LANES - 1))
    n = np.where(kept_counts == 0, np.nan, kept_counts.astype(np.float64))
    mean = _lane_sums(lanes, np.where(kept, values, 0.0), n_segments) / n
    deviation = values - mean[segments]
    squares = np.where(kept, deviation * deviation, 0.0)
    std = np.sqrt(_lane_sums(lanes, squares, n_segments) / n)

    shape = (n_metrics, n_groups)
    return GroupStatistics(
        count=counts.reshape(shape),
        outlier_count=(counts - kept_counts).reshape(shape),
        mean=mean.reshape(shape),
        std=std.reshape(shape),
        percentiles=quantiles.reshape(len(QUANTILES), *shape),
        baseline=_slice_medians(
            segments,
            values,
            counts,
            starts,
            p25=p25,
            p75=p75,
            first=baseline_metric * n_groups,
            n_groups=n_groups,
        ),
    )


def _lane_sums(lanes: Integers, weights: Floats, n_segments: int) -> Floats:
    """Sum each segment in eight lanes, then add the lanes pair by pair."""
    # bincount adds in the order of its input: the order of operations is ours, not the library's.
    s = np.bincount(lanes, weights, minlength=n_segments * LANES).reshape(n_segments, LANES)
    total: Floats = ((s[:, 0] + s[:, 1]) + (s[:, 2] + s[:, 3])) + (
        (s[:, 4] + s[:, 5]) + (s[:, 6] + s[:, 7])
    )
    return total


def _slice_medians(
    segments: Integers,
    values: Floats,
    counts: Integers,
    starts: Integers,
    *,
    p25: Floats,
    p75: Floats,
    first: int,
    n_groups: int,
) -> Floats:
    """Median of the values between p25 and p75, both included, of one metric's segments."""
    chosen = slice(first, first + n_groups)
    size = counts[chosen]
    if size.sum() == 0:
        return np.full(n_groups, np.nan)
    begin = int(starts[first])
    part = slice(begin, begin + int(size.sum()))
    group = segments[part] - first
    sample = values[part]
    low = np.bincount(group[sample < p25[chosen][group]], minlength=n_groups)
    high = size - np.bincount(group[sample > p75[chosen][group]], minlength=n_groups)
    # One value, or a slice between two values, can be empty: the whole group stands in for it.
    empty = high <= low
    low = np.where(empty, 0, low)
    high = np.where(empty, size, high)
    offset = starts[chosen] - begin
    top = sample.size - 1
    upper = sample[np.clip(offset + (low + high) // 2, 0, top)]
    lower = sample[np.clip(offset + (low + high - 1) // 2, 0, top)]
    medians: Floats = lower + (upper - lower) * 0.5
    medians[size == 0] = np.nan
    return medians


def negative_exponential(x: Floats) -> Floats:
    """Return exp(-x) for x >= 0, the same bits on every processor.

    Parameters
    ----------
    x : numpy.ndarray
        0 or more.

    Returns
    -------
    numpy.ndarray
        0–1.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.2.2 (#67); the same bits everywhere are ours. Tang, P. T. P. (1989).
    Table-driven implementation of the exponential function in IEEE floating-point arithmetic. ACM
    TOMS 15(2).

    Examples
    --------
    >>> import numpy as np
    >>> negative_exponential(np.array([0.0, 1.0, np.inf])).round(6).tolist()
    [1.0, 0.367879, 0.0]

    >>> negative_exponential(np.zeros(0)).tolist()
    []
    """
    x = np.minimum(x, EXPONENT_LIMIT)
    k = np.floor(x * STEPS_PER_UNIT + 0.5)
    t = -((x - k * STEP_HIGH) - k * STEP_LOW)
    p = np.full_like(t, EXP_TAYLOR[0])
    for coefficient in EXP_TAYLOR[1:]:
        p = p * t + coefficient
    result: Floats = p * _POWERS[k.astype(np.int64)]
    return result


def percentile_scores(values: Floats, anchors: Floats, floors: Floats) -> Floats:
    """Score each value against the anchors of its own row.

    Parameters
    ----------
    values : numpy.ndarray
        (rows,), NaN scores NaN.
    anchors : numpy.ndarray
        (5, rows): 0, p25, p50, p75 and p90, ascending and not negative.
    floors : numpy.ndarray
        (rows,): smallest scale of the approach to 100 above p90.

    Returns
    -------
    numpy.ndarray
        (rows,), 0–100.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.2.2 (#67); ties and flat distributions as settled in C28.

    Examples
    --------
    >>> import numpy as np
    >>> anchors = np.repeat([[0.0], [10.0], [20.0], [30.0], [40.0]], 4, axis=1)
    >>> percentile_scores(np.array([5.0, 20.0, 40.0, np.nan]), anchors, np.ones(4)).tolist()
    [12.5, 50.0, 90.0, nan]

    A flat distribution scores 50, no rows nothing:

    >>> flat = np.array([[0.0], [7.0], [7.0], [7.0], [7.0]])
    >>> percentile_scores(np.array([7.0]), flat, np.ones(1)).tolist()
    [50.0]
    >>> percentile_scores(np.zeros(0), np.zeros((5, 0)), np.zeros(0)).tolist()
    []
    """
    less = np.zeros(values.size, dtype=np.int64)
    upto = np.zeros(values.size, dtype=np.int64)
    for anchor in anchors:
        less += anchor < values
        upto += anchor <= values
    tied = upto > less
    at = np.clip(less - 1, 0, 3)
    row = np.arange(values.size)
    low = anchors[at, row]
    gap = anchors[at + 1, row] - low
    # Where the value equals an anchor or lies outside, the quotient is not used.
    inside = ~tied & (less > 0) & (less < _ALL)
    share = (values - low) / np.where(inside, gap, 1.0)
    result: Floats = _ANCHORS[at] + share * _WIDTHS[at]
    # Tied anchors share the mean of their scores; a flat distribution is all middle.
    ties = np.flatnonzero(tied)
    result[ties] = (_ANCHORS[less[ties]] + _ANCHORS[upto[ties] - 1]) * 0.5
    result[(anchors[1] == values) & (anchors[4] == values)] = 50.0
    result[upto == 0] = 0.0
    above = np.flatnonzero(less == _ALL)
    if above.size:
        p90 = anchors[4, above]
        excess = (values[above] - p90) / np.maximum(p90, floors[above])
        result[above] = 90.0 + 10.0 * (1.0 - negative_exponential(excess))
    result[np.isnan(values) | np.isnan(anchors[1])] = np.nan
    return result


def trend_codes(
    velocity: Floats, p25: Floats, p75: Floats, p90: Floats, known: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int8]:
    """Class of each row: VIRAL from p90, RISING from p75, STABLE from p25, else FALLING.

    Parameters
    ----------
    velocity : numpy.ndarray
        (rows,); NaN is UNKNOWN.
    p25, p75, p90 : numpy.ndarray
        (rows,): percentiles of each row's group.
    known : numpy.ndarray
        (rows,): enough samples to name a class.

    Returns
    -------
    numpy.ndarray
        Class numbers; a velocity that the middle half of a group shares is STABLE.

    Notes
    -----
    O(n).

    References
    ----------
    AuraStream paper 5.1.3 (#64), with the sample and the ties of C26.

    Examples
    --------
    >>> import numpy as np
    >>> speed, enough = np.array([9.0, 10.0, 30.0, 40.0, np.nan]), np.ones(5, dtype=bool)
    >>> found = trend_codes(speed, np.full(5, 10.0), np.full(5, 30.0), np.full(5, 40.0), enough)
    >>> found.tolist() == [FALLING, STABLE, RISING, VIRAL, UNKNOWN]
    True

    A flat group is STABLE throughout, an empty one has nothing:

    >>> seven = np.full(2, 7.0)
    >>> (trend_codes(seven, seven, seven, seven, np.ones(2, dtype=bool)) == STABLE).tolist()
    [True, True]
    >>> trend_codes(seven[:0], seven[:0], seven[:0], seven[:0], np.ones(0, dtype=bool)).tolist()
    []
    """
    codes = np.full(velocity.size, FALLING, dtype=np.int8)
    codes[velocity >= p25] = STABLE
    codes[velocity >= p75] = RISING
    codes[velocity >= p90] = VIRAL
    # What the middle half of a category shares does not stand out, though it reaches p75.
    codes[(velocity == p25) & (velocity == p75)] = STABLE
    codes[~known | np.isnan(velocity) | np.isnan(p25)] = UNKNOWN
    return codes


def class_counts(codes: Integers, trend: npt.NDArray[np.int8], n_groups: int) -> Integers:
    """Count the rows of every class in every group: (groups, classes), by class number.

    Parameters
    ----------
    codes : numpy.ndarray
        Group of each row, 0 … n_groups-1.
    trend : numpy.ndarray
        Class of each row.
    n_groups : int
        Number of groups.

    Returns
    -------
    numpy.ndarray
        (groups, classes).

    Notes
    -----
    O(n + groups).

    References
    ----------
    AuraStream paper 5.1.3 and 5.1.4 (#64, #65).

    Examples
    --------
    >>> import numpy as np
    >>> class_counts(np.array([0, 0, 1]), np.array([4, 4, 0], dtype=np.int8), 2).tolist()
    [[0, 0, 0, 0, 2], [1, 0, 0, 0, 0]]

    >>> class_counts(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int8), 1).tolist()
    [[0, 0, 0, 0, 0]]
    """
    cells = np.bincount(codes * N_CLASSES + trend, minlength=n_groups * N_CLASSES)
    return cells.reshape(n_groups, N_CLASSES)


def score_rows(
    codes: Integers,
    metrics: tuple[Floats, ...],
    *,
    anchors: Floats,
    floors: Floats,
    mean: Floats,
    std: Floats,
    known: npt.NDArray[np.bool_],
    sureness: Floats,
    freshness: Floats,
) -> ScoredRows:
    """Score, classify and decay every row against its group.

    Parameters
    ----------
    codes : numpy.ndarray
        Group of each row.
    metrics : tuple of numpy.ndarray
        Values; the first metric (velocity) decides class, z and the decayed score.
    anchors : numpy.ndarray
        (groups, metrics, 5): 0, p25, p50, p75, p90.
    floors : numpy.ndarray
        (metrics,): smallest scale above p90.
    mean, std : numpy.ndarray
        (groups,) of the first metric.
    known : numpy.ndarray
        (groups,): enough samples to name a class.
    sureness : numpy.ndarray
        (groups,): confidence factor of the sample size, 0–1.
    freshness : numpy.ndarray
        (rows,): freshness confidence, 0–100.

    Returns
    -------
    ScoredRows
        One value per row of each score.

    Notes
    -----
    O(n · metrics).

    References
    ----------
    AuraStream paper 5.1.3, 5.2.1, 5.2.2 and 5.5.5 (#64, #66, #67, #78), settled in C26 and C28.

    Examples
    --------
    Too few samples name no class, but score:

    >>> import numpy as np
    >>> found = score_rows(
    ...     np.zeros(2, dtype=np.int64), (np.array([20.0, np.nan]),),
    ...     anchors=np.array([[[0.0, 10.0, 20.0, 30.0, 40.0]]]), floors=np.array([1.0]),
    ...     mean=np.array([20.0]), std=np.array([0.0]), known=np.array([False]),
    ...     sureness=np.array([0.5]), freshness=np.array([100.0, 100.0]),
    ... )
    >>> found.scores[0].tolist(), found.z.tolist(), (found.trend == UNKNOWN).tolist()
    ([50.0, nan], [0.0, nan], [True, True])

    >>> none = score_rows(
    ...     np.zeros(0, dtype=np.int64), (np.zeros(0),),
    ...     anchors=np.array([[[0.0, 10.0, 20.0, 30.0, 40.0]]]), floors=np.array([1.0]),
    ...     mean=np.array([20.0]), std=np.array([0.0]), known=np.array([False]),
    ...     sureness=np.array([0.5]), freshness=np.zeros(0),
    ... )
    >>> none.decayed.tolist()
    []
    """
    n_metrics, n = len(metrics), codes.size
    # (5, metrics, rows): one take along contiguous groups is faster than one per anchor.
    own = np.ascontiguousarray(anchors.transpose(2, 1, 0))[:, :, codes]
    scores = percentile_scores(
        np.concatenate(metrics), own.reshape(_ALL, n_metrics * n), np.repeat(floors, n)
    ).reshape(n_metrics, n)
    velocity = metrics[0]
    trend = trend_codes(velocity, own[1, 0], own[3, 0], own[4, 0], known[codes])
    spread = std[codes]
    flat = ~(spread > 0.0)
    z = (velocity - mean[codes]) / np.where(flat, 1.0, spread)
    z[flat & ~np.isnan(velocity)] = 0.0
    confidence = freshness * sureness[codes]
    return ScoredRows(
        scores=scores,
        trend=trend,
        z=z,
        decayed=scores[0] * (confidence / 100.0),  # the factor is 1 at most: never above
        confidence=confidence,
    )
