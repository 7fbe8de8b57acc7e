"""The compiled twins of `aurastream.core.kernels_numpy`: same arguments, same bits, for many rows.

Importing this module costs 0.8 s and its first call compiles for some seconds (cached on disk
afterwards), so that nothing imports it at the top: `aurastream.core.kernels` decides.

The statistics sort once per metric, with numpy's vectorised sort, and read everything else off
the sorted values. Two threads share the work; which one does what cannot show in the result.
"""

# Compiled functions take positional arguments alone, and mypy sees no type behind them.
# ruff: noqa: PLR0917
# mypy: disable-error-code="no-any-return"

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from aurastream.core.kernels_numpy import (
    ANCHOR_SCORES,
    EXP_TAYLOR,
    EXPONENT_LIMIT,
    FALLING,
    FEWEST_FENCED,
    HALVES,
    LN2_HIGH,
    LN2_LOW,
    LOG2_E,
    NEARER_UPPER,
    QUANTILES,
    RISING,
    STABLE,
    UNKNOWN,
    VIRAL,
    Floats,
    GroupStatistics,
    Integers,
    ScoredRows,
)

__all__ = ["group_statistics", "score_rows"]

THREADS = 2
# Below this size an insertion sort beats the call into numpy.
_SMALL_SORT = 24

_ANCHORS = np.array(ANCHOR_SCORES)
_HALVES = np.array(HALVES)
_QUANTILES = np.array(QUANTILES)


def _jit(function: Callable[..., Any]) -> Callable[..., Any]:
    # No fastmath: it would let the compiler reorder and fuse, and the bits would differ.
    compiled: Callable[..., Any] = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


@_jit
def _count(codes: Integers, values: Floats, n_groups: int) -> Integers:
    counts = np.zeros(n_groups, dtype=np.int64)
    for i in range(codes.size):
        counts[codes[i]] += values[i] == values[i]  # false for NaN alone
    return counts


@_jit
def _scatter(codes: Integers, values: Floats, positions: Integers, out: Floats) -> None:
    for i in range(codes.size):
        v = values[i]
        if v == v:  # noqa: PLR0124 # false for NaN alone
            g = codes[i]
            out[positions[g]] = v + 0.0
            positions[g] += 1


@_jit
def _sort_small(
    values: Floats, starts: Integers, counts: Integers, begin: int, end: int, limit: int
) -> None:
    for g in range(begin, end):
        if counts[g] > limit:
            continue
        first = starts[g]
        for i in range(first + 1, first + counts[g]):
            v = values[i]
            j = i - 1
            while j >= first and values[j] > v:
                values[j + 1] = values[j]
                j -= 1
            values[j + 1] = v


@_jit
def _lower_bound(values: Floats, low: int, high: int, bound: float) -> int:
    """First index whose value is not below the bound."""
    while low < high:
        middle = (low + high) // 2
        if values[middle] < bound:
            low = middle + 1
        else:
            high = middle
    return low


@_jit
def _upper_bound(values: Floats, low: int, high: int, bound: float) -> int:
    """First index whose value is above the bound."""
    while low < high:
        middle = (low + high) // 2
        if values[middle] <= bound:
            low = middle + 1
        else:
            high = middle
    return low


@_jit
def _lane_sum(values: Floats, low: int, high: int) -> float:
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    i = low
    while i + 8 <= high:
        s0 += values[i]
        s1 += values[i + 1]
        s2 += values[i + 2]
        s3 += values[i + 3]
        s4 += values[i + 4]
        s5 += values[i + 5]
        s6 += values[i + 6]
        s7 += values[i + 7]
        i += 8
    if i < high:
        s0 += values[i]
    if i + 1 < high:
        s1 += values[i + 1]
    if i + 2 < high:
        s2 += values[i + 2]
    if i + 3 < high:
        s3 += values[i + 3]
    if i + 4 < high:
        s4 += values[i + 4]
    if i + 5 < high:
        s5 += values[i + 5]
    if i + 6 < high:
        s6 += values[i + 6]
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


@_jit
def _square(value: float, mean: float) -> float:
    deviation = value - mean
    return deviation * deviation


@_jit
def _lane_squares(values: Floats, low: int, high: int, mean: float) -> float:
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = 0.0
    i = low
    while i + 8 <= high:
        s0 += _square(values[i], mean)
        s1 += _square(values[i + 1], mean)
        s2 += _square(values[i + 2], mean)
        s3 += _square(values[i + 3], mean)
        s4 += _square(values[i + 4], mean)
        s5 += _square(values[i + 5], mean)
        s6 += _square(values[i + 6], mean)
        s7 += _square(values[i + 7], mean)
        i += 8
    if i < high:
        s0 += _square(values[i], mean)
    if i + 1 < high:
        s1 += _square(values[i + 1], mean)
    if i + 2 < high:
        s2 += _square(values[i + 2], mean)
    if i + 3 < high:
        s3 += _square(values[i + 3], mean)
    if i + 4 < high:
        s4 += _square(values[i + 4], mean)
    if i + 5 < high:
        s5 += _square(values[i + 5], mean)
    if i + 6 < high:
        s6 += _square(values[i + 6], mean)
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))


@_jit
def _percentile(values: Floats, first: int, count: int, quantile: float) -> float:
    last = count - 1
    position = quantile * last
    low = int(position)
    fraction = position - low
    below = values[first + low]
    above = values[first + min(low + 1, last)]
    step = above - below
    if fraction >= NEARER_UPPER:
        return above - step * (1.0 - fraction)
    return below + step * fraction


@_jit
def _moments(
    values: Floats,
    starts: Integers,
    counts: Integers,
    begin: int,
    end: int,
    fence_k: float,
    outliers: Integers,
    mean: Floats,
    std: Floats,
    percentiles: Floats,
    baseline: Floats,
) -> None:
    for g in range(begin, end):
        n = counts[g]
        first = starts[g]
        stop = first + n
        if n == 0:
            outliers[g] = 0
            mean[g] = std[g] = baseline[g] = np.nan
            percentiles[:, g] = np.nan
            continue
        for q in range(_QUANTILES.size):
            percentiles[q, g] = _percentile(values, first, n, _QUANTILES[q])
        p25 = percentiles[0, g]
        p75 = percentiles[2, g]
        low, high = first, stop
        if n >= FEWEST_FENCED:
            reach = fence_k * (p75 - p25)
            low = _lower_bound(values, first, stop, p25 - reach)
            high = _upper_bound(values, low, stop, p75 + reach)
        kept = high - low
        outliers[g] = n - kept
        centre = _lane_sum(values, low, high) / kept
        mean[g] = centre
        std[g] = np.sqrt(_lane_squares(values, low, high, centre) / kept)
        low = _lower_bound(values, first, stop, p25) - first
        high = _upper_bound(values, first, stop, p75) - first
        if high <= low:
            low, high = 0, n
        upper = values[first + (low + high) // 2]
        lower = values[first + (low + high - 1) // 2]
        baseline[g] = lower + (upper - lower) * 0.5


def _sort_segments(
    values: Floats, starts: Integers, counts: Integers, begin: int, end: int
) -> None:
    _sort_small(values, starts, counts, begin, end, _SMALL_SORT)
    large = np.flatnonzero(counts[begin:end] > _SMALL_SORT) + begin
    stops = (starts[large] + counts[large]).tolist()
    for first, stop in zip(starts[large].tolist(), stops, strict=True):
        values[first:stop].sort()


def _halves(counts: Integers) -> list[tuple[int, int]]:
    """Split the groups where half of the rows lie on either side."""
    if counts.size == 0:
        return []
    ends = np.cumsum(counts)
    middle = int(np.searchsorted(ends, ends[-1] // 2)) + 1
    return [(0, middle), (middle, counts.size)]


def _run(tasks: Iterable[Callable[[], None]]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        for future in [pool.submit(task) for task in tasks]:
            future.result()


def group_statistics(
    codes: Integers,
    n_groups: int,
    metrics: tuple[Floats, ...],
    *,
    fence_k: float,
    baseline_metric: int,
) -> GroupStatistics:
    """Compute the statistics of every metric in every group; see the numpy twin."""
    n_metrics = len(metrics)
    shape = (n_metrics, n_groups)
    counts = np.zeros(shape, dtype=np.int64)
    starts = np.zeros(shape, dtype=np.int64)
    outliers = np.zeros(shape, dtype=np.int64)
    mean = np.empty(shape)
    std = np.empty(shape)
    baselines = np.empty(shape)
    percentiles = np.empty((len(QUANTILES), *shape))
    buffers: list[Floats] = [np.empty(0)] * n_metrics

    def gather(m: int) -> None:
        counts[m] = _count(codes, metrics[m], n_groups)
        starts[m] = np.cumsum(counts[m]) - counts[m]
        buffers[m] = np.empty(int(counts[m].sum()))
        _scatter(codes, metrics[m], starts[m].copy(), buffers[m])

    def measure(m: int, begin: int, end: int) -> None:
        _sort_segments(buffers[m], starts[m], counts[m], begin, end)
        _moments(
            buffers[m],
            starts[m],
            counts[m],
            begin,
            end,
            fence_k,
            outliers[m],
            mean[m],
            std[m],
            percentiles[:, m],
            baselines[m],
        )

    def gathering(m: int) -> Callable[[], None]:
        return lambda: gather(m)

    def measuring(m: int, begin: int, end: int) -> Callable[[], None]:
        return lambda: measure(m, begin, end)

    _run(gathering(m) for m in range(n_metrics))
    _run(measuring(m, *half) for m in range(n_metrics) for half in _halves(counts[m]))
    return GroupStatistics(
        count=counts,
        outlier_count=outliers,
        mean=mean,
        std=std,
        percentiles=percentiles,
        baseline=baselines[baseline_metric],
    )


@_jit
def _negative_exponential(x: float) -> float:
    x = min(x, EXPONENT_LIMIT)
    k = np.floor(x * LOG2_E + 0.5)
    t = -((x - k * LN2_HIGH) - k * LN2_LOW)
    p = EXP_TAYLOR[0]
    p = p * t + EXP_TAYLOR[1]
    p = p * t + EXP_TAYLOR[2]
    p = p * t + EXP_TAYLOR[3]
    p = p * t + EXP_TAYLOR[4]
    p = p * t + EXP_TAYLOR[5]
    p = p * t + EXP_TAYLOR[6]
    p = p * t + EXP_TAYLOR[7]
    p = p * t + EXP_TAYLOR[8]
    p = p * t + EXP_TAYLOR[9]
    p = p * t + EXP_TAYLOR[10]
    p = p * t + EXP_TAYLOR[11]
    p = p * t + EXP_TAYLOR[12]
    p = p * t + EXP_TAYLOR[13]
    return p * _HALVES[int(k)]


@_jit
def _score(v: float, x: Floats, floor: float) -> float:
    p25, p50, p75, p90 = x[1], x[2], x[3], x[4]
    if np.isnan(v) or np.isnan(p25):
        return np.nan
    if v > p90:
        excess = (v - p90) / max(p90, floor)
        return 90.0 + 10.0 * (1.0 - _negative_exponential(excess))
    if p25 == v and p90 == v:
        return 50.0
    less = (v > 0.0) + (v > p25) + (v > p50) + (v > p75)
    upto = (v >= 0.0) + (v >= p25) + (v >= p50) + (v >= p75) + (v >= p90)
    if upto == 0:
        return 0.0
    if upto > less:
        return (_ANCHORS[less] + _ANCHORS[upto - 1]) * 0.5
    low = x[less - 1]
    share = (v - low) / (x[less] - low)
    return _ANCHORS[less - 1] + share * (_ANCHORS[less] - _ANCHORS[less - 1])


@_jit
def _score_range(
    begin: int,
    end: int,
    codes: Integers,
    values: Floats,
    metric: int,
    anchors: Floats,
    floor: float,
    scores: Floats,
) -> None:
    for i in range(begin, end):
        scores[i] = _score(values[i], anchors[codes[i], metric], floor)


@_jit
def _judge_range(
    begin: int,
    end: int,
    codes: Integers,
    velocity: Floats,
    anchors: Floats,
    mean: Floats,
    std: Floats,
    known: npt.NDArray[np.bool_],
    sureness: Floats,
    freshness: Floats,
    scores: Floats,
    trend: npt.NDArray[np.int8],
    z: Floats,
    decayed: Floats,
    confidence: Floats,
) -> None:
    for i in range(begin, end):
        g = codes[i]
        v = velocity[i]
        p25 = anchors[g, 0, 1]
        p75 = anchors[g, 0, 3]
        p90 = anchors[g, 0, 4]
        if not known[g] or np.isnan(v) or np.isnan(p25):
            trend[i] = UNKNOWN
        elif v == p25 and v == p90:
            trend[i] = STABLE
        elif v >= p90:
            trend[i] = VIRAL
        elif v >= p75:
            trend[i] = RISING
        elif v >= p25:
            trend[i] = STABLE
        else:
            trend[i] = FALLING
        if std[g] > 0.0:
            z[i] = (v - mean[g]) / std[g]
        elif np.isnan(v):
            z[i] = np.nan
        else:
            z[i] = 0.0
        sure = freshness[i] * sureness[g]
        confidence[i] = sure
        decayed[i] = scores[i] * sure / 100.0


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
    """Score, classify and decay every row against its group; see the numpy twin."""
    n = codes.size
    scores = np.empty((len(metrics), n))
    trend = np.empty(n, dtype=np.int8)
    z, decayed, confidence = np.empty(n), np.empty(n), np.empty(n)

    def work(begin: int, end: int) -> None:
        for m, values in enumerate(metrics):
            _score_range(begin, end, codes, values, m, anchors, floors[m], scores[m])
        _judge_range(
            begin,
            end,
            codes,
            metrics[0],
            anchors,
            mean,
            std,
            known,
            sureness,
            freshness,
            scores[0],
            trend,
            z,
            decayed,
            confidence,
        )

    half = n // 2
    _run([lambda: work(0, half), lambda: work(half, n)])
    return ScoredRows(scores=scores, trend=trend, z=z, decayed=decayed, confidence=confidence)
