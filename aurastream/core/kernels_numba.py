"""The compiled twins of `aurastream.core.kernels_numpy`: same arguments, same bits, for many rows.

Importing this module costs 0.8 s and its first call compiles for some seconds (cached on disk
afterwards), so that nothing imports it at the top: `aurastream.core.kernels` decides.

The statistics sort once per metric, with numpy's vectorised sort, and read everything else off
the sorted values. Two threads share the work; which one does what cannot show in the result.
"""

# Mypy sees no type behind compiled functions.
# ruff: noqa: PLR0917 # compiled functions take positional arguments alone
# mypy: disable-error-code="no-any-return"

import itertools
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt

from aurastream.core.kernels_numpy import (
    ANCHOR_SCORES,
    EXP_TAYLOR,
    EXPONENT_LIMIT,
    FALLING,
    FEWEST_FENCED,
    N_CLASSES,
    NEARER_UPPER,
    POWERS,
    QUANTILES,
    STABLE,
    STEP_HIGH,
    STEP_LOW,
    STEPS_PER_UNIT,
    UNKNOWN,
    Floats,
    GroupStatistics,
    Integers,
    ScoredRows,
)

__all__ = ["class_counts", "group_statistics", "score_rows"]

THREADS = 2
# Shares of a metric's work: enough of them that no thread waits long for the other.
_SHARES = 12
_INT32_END = 2**31

_PLAIN: Final = ("C", "W", "A")
# Rows scored together: their thresholds stay in the first cache.
_BLOCK = 512
_ANCHORS = np.array(ANCHOR_SCORES)
_POWERS = np.array(POWERS)
_QUANTILES = np.array(QUANTILES)


def _jit(function: Callable[..., Any]) -> Callable[..., Any]:
    # No fastmath: it would let the compiler reorder and fuse, and the bits would differ.
    compiled: Callable[..., Any] = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


@_jit
def _count(codes: Integers, begin: int, end: int, counts: Integers) -> None:
    for i in range(begin, end):
        counts[codes[i]] += 1


@_jit
def _place(
    codes: Integers,
    begin: int,
    end: int,
    positions: Integers,
    places: npt.NDArray[np.signedinteger],
) -> None:
    """Say where in its group's row each value goes."""
    for i in range(begin, end):
        g = codes[i]
        at = positions[g]
        positions[g] = at + 1
        places[i] = at


@_jit
def _scatter(
    places: npt.NDArray[np.signedinteger], values: Floats, begin: int, end: int, out: Floats
) -> None:
    """Move each value to its place; a missing one becomes infinite, to sort last."""
    for i in range(begin, end):
        v = values[i]
        out[places[i]] = np.inf if np.isnan(v) else v + 0.0


@_jit
def _pad(
    groups: Integers, starts: Integers, counts: Integers, widths: Integers, out: Floats
) -> None:
    """Fill the end of each row, which no value reaches."""
    for g in groups:
        for i in range(starts[g] + counts[g], starts[g] + widths[g]):
            out[i] = np.inf


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
    groups: Integers,
    starts: Integers,
    sizes: Integers,
    fence_k: float,
    counts: Integers,
    outliers: Integers,
    mean: Floats,
    std: Floats,
    percentiles: Floats,
    baseline: Floats,
) -> None:
    for g in groups:
        first = starts[g]
        # Missing values were sorted behind the others, as infinite.
        stop = _lower_bound(values, first, first + sizes[g], np.inf)
        n = stop - first
        counts[g] = n
        if n == 0:
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


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where each group's values lie: groups of like size side by side, as rows of one width.

    One call then sorts all rows of a width; a call per group would cost more than the sorting,
    and the threads would fight over the interpreter. Widths are rounded up by an eighth at most.
    """

    starts: Integers
    widths: Integers
    order: Integers  # groups by width
    chunks: list[list[tuple[int, int]]]  # runs of one width in that order, in shares of work
    total: int


def _layout(sizes: Integers) -> _Layout:
    step = np.left_shift(1, np.maximum(np.frexp(sizes)[1] - 4, 0))
    widths = -(-sizes // step) * step
    order = np.argsort(widths, kind="stable")
    ordered = widths[order]
    ends = np.cumsum(ordered)
    starts = np.empty_like(widths)
    starts[order] = ends - ordered
    cuts = np.flatnonzero(np.diff(ordered)) + 1
    edges = [0, *cuts.tolist(), sizes.size]
    total = int(ends[-1]) if ends.size else 0
    chunks: list[list[tuple[int, int]]] = [[] for _ in range(_SHARES)]
    for begin, end in itertools.pairwise(edges):
        if end > begin and ordered[begin]:
            chunks[int(ends[begin] - 1) * _SHARES // total].append((begin, end))
    return _Layout(starts, widths, order, [chunk for chunk in chunks if chunk], total)


def _run(tasks: Iterable[Callable[[], None]], pool: ThreadPoolExecutor) -> None:
    """Let each thread take the next task when it is free: cheaper than a future for each."""
    queue = iter(list(tasks))

    def work() -> None:
        for task in queue:
            task()

    for future in [pool.submit(work) for _ in range(THREADS)]:
        future.result()


def _plain(codes: Integers, metrics: tuple[Floats, ...]) -> tuple[Integers, tuple[Floats, ...]]:
    """Give all arrays one layout: pandas hands out read-only ones, each kind is a compilation."""
    return (
        np.require(codes, np.int64, _PLAIN),
        tuple(np.require(values, np.float64, _PLAIN) for values in metrics),
    )


def group_statistics(
    codes: Integers,
    n_groups: int,
    metrics: tuple[Floats, ...],
    *,
    fence_k: float,
    baseline_metric: int,
) -> GroupStatistics:
    """Compute the statistics of every metric in every group; see the numpy twin."""
    n_metrics, n = len(metrics), codes.size
    codes, metrics = _plain(codes, metrics)
    shape = (n_metrics, n_groups)
    counts = np.zeros(shape, dtype=np.int64)
    outliers = np.zeros(shape, dtype=np.int64)
    mean = np.full(shape, np.nan)
    std = np.full(shape, np.nan)
    baselines = np.full(shape, np.nan)
    percentiles = np.full((len(QUANTILES), *shape), np.nan)

    cuts = np.linspace(0, n, THREADS + 1).astype(np.int64).tolist()
    parts = list(itertools.pairwise(cuts))
    own_sizes = np.zeros((THREADS, n_groups), dtype=np.int64)
    with ThreadPoolExecutor(THREADS) as pool:
        _run(
            (partial(_count, codes, *part, own_sizes[t]) for t, part in enumerate(parts)),
            pool,
        )
        sizes = own_sizes.sum(axis=0)
        layout = _layout(sizes)
        # Within a row the order is free: each thread writes behind the ones before it.
        positions = layout.starts + np.cumsum(own_sizes, axis=0) - own_sizes
        places = np.empty(n, dtype=np.int32 if layout.total < _INT32_END else np.int64)
        _run(
            (partial(_place, codes, *part, positions[t], places) for t, part in enumerate(parts)),
            pool,
        )
        # One metric after the other in one scratch, which the caches still hold when it is sorted.
        scratch = np.empty(layout.total)

        def measure(m: int, chunk: list[tuple[int, int]]) -> None:
            groups = layout.order[chunk[0][0] : chunk[-1][1]]
            _pad(groups, layout.starts, sizes, layout.widths, scratch)
            for begin, end in chunk:
                group = layout.order[begin]
                first, width = int(layout.starts[group]), int(layout.widths[group])
                rows = scratch[first : first + (end - begin) * width]
                rows.reshape(end - begin, width).sort(axis=1)
            _moments(
                scratch,
                groups,
                layout.starts,
                sizes,
                fence_k,
                counts[m],
                outliers[m],
                mean[m],
                std[m],
                percentiles[:, m],
                baselines[m],
            )

        for m, values in enumerate(metrics):
            _run((partial(_scatter, places, values, *part, scratch) for part in parts), pool)
            _run((partial(measure, m, chunk) for chunk in layout.chunks[::-1]), pool)
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
    """Return exp(-x) for 0 <= x <= EXPONENT_LIMIT."""
    k = np.floor(x * STEPS_PER_UNIT + 0.5)
    t = -((x - k * STEP_HIGH) - k * STEP_LOW)
    p = EXP_TAYLOR[0]
    p = p * t + EXP_TAYLOR[1]
    p = p * t + EXP_TAYLOR[2]
    p = p * t + EXP_TAYLOR[3]
    p = p * t + EXP_TAYLOR[4]
    p = p * t + EXP_TAYLOR[5]
    p = p * t + EXP_TAYLOR[6]
    p = p * t + EXP_TAYLOR[7]
    p = p * t + EXP_TAYLOR[8]
    return p * _POWERS[np.int32(k)]


@_jit
def _gather_anchors(codes: Integers, anchors: Floats, own: Floats) -> bool:
    """Lay the four percentiles of each row's group side by side; say whether any are tied."""
    tied = 0.0
    for i in range(codes.size):
        g = codes[i]
        tied += anchors[g, 0]
        own[0, i] = anchors[g, 1]
        own[1, i] = anchors[g, 2]
        own[2, i] = anchors[g, 3]
        own[3, i] = anchors[g, 4]
    return tied > 0.0


@_jit
def _gather_facts(codes: Integers, facts: Floats, own: Floats) -> None:
    """Lay mean, std, known and sureness of each row's group side by side."""
    for i in range(codes.size):
        g = codes[i]
        own[0, i] = facts[g, 0]
        own[1, i] = facts[g, 1]
        own[2, i] = facts[g, 2]
        own[3, i] = facts[g, 3]


@_jit
def _score_block(values: Floats, own: Floats, floor: float, scores: Floats) -> None:
    """Score a block whose anchors are apart.

    Every branch is a selection, so that the compiler can use wide registers, and one division
    serves both sides of p90.
    """
    for i in range(values.size):
        v = values[i]
        p25, p50, p75, p90 = own[0, i], own[1, i], own[2, i], own[3, i]
        low = p75 if v > p75 else (p50 if v > p50 else (p25 if v > p25 else 0.0))
        high = p90 if v > p75 else (p75 if v > p50 else (p50 if v > p25 else p25))
        step = 75.0 if v > p75 else (50.0 if v > p50 else (25.0 if v > p25 else 0.0))
        width = 15.0 if v > p75 else 25.0
        top = max(floor, p90)
        share = (v - p90 if v > p90 else v - low) / (top if v > p90 else high - low)
        score = step + share * width
        # Not max(): a NaN must become 0 here, or it would become an index below.
        score = score if score > 0.0 else 0.0  # noqa: FURB136 # see above
        excess = share if share > 0.0 else 0.0  # noqa: FURB136 # see above
        excess = min(EXPONENT_LIMIT, excess)
        above = 90.0 + 10.0 * (1.0 - _negative_exponential(excess))
        score = above if v > p90 else score
        scores[i] = np.nan if np.isnan(v) | np.isnan(p25) else score


@_jit
def _score_ties(values: Floats, own: Floats, scores: Floats) -> None:
    """Correct the scores of the values that equal several anchors."""
    for i in range(values.size):
        v = values[i]
        p25, p50, p75, p90 = own[0, i], own[1, i], own[2, i], own[3, i]
        ties = (v == 0.0) + (v == p25) + (v == p50) + (v == p75) + (v == p90)
        if p25 == v and p90 == v:
            scores[i] = 50.0
        elif ties > 1:
            less = (v > 0.0) + (v > p25) + (v > p50) + (v > p75)
            scores[i] = (_ANCHORS[less] + _ANCHORS[less + ties - 1]) * 0.5


@_jit
def _judge_block(
    velocity: Floats,
    freshness: Floats,
    scores: Floats,
    own: Floats,
    facts: Floats,
    trend: npt.NDArray[np.int8],
    z: Floats,
    decayed: Floats,
    confidence: Floats,
) -> None:
    for i in range(velocity.size):
        v = velocity[i]
        p25, p75, p90 = own[0, i], own[2, i], own[3, i]
        mean, std, known, sureness = facts[0, i], facts[1, i], facts[2, i], facts[3, i]
        # The classes are numbered in the order of the thresholds they pass.
        code = FALLING + (v >= p25) + (v >= p75) + (v >= p90)
        code = STABLE if (v == p25) & (v == p75) else code
        trend[i] = UNKNOWN if (known == 0.0) | np.isnan(v) | np.isnan(p25) else code
        spread = std if std > 0.0 else 1.0
        score = (v - mean) / spread
        z[i] = score if (std > 0.0) | np.isnan(v) else 0.0
        sure = freshness[i] * sureness
        confidence[i] = sure
        decayed[i] = scores[i] * (sure / 100.0)  # the factor is 1 at most: never above the score


@_jit
def _score_range(
    begin: int,
    end: int,
    codes: Integers,
    metrics: tuple[Floats, ...],
    anchors: Floats,
    floors: Floats,
    judged: Floats,
    freshness: Floats,
    scores: Floats,
    trend: npt.NDArray[np.int8],
    z: Floats,
    decayed: Floats,
    confidence: Floats,
) -> None:
    own = np.empty((4, _BLOCK))
    facts = np.empty((4, _BLOCK))
    for first in range(begin, end, _BLOCK):
        last = min(end, first + _BLOCK)
        here = codes[first:last]
        # The first metric comes last: the judgement needs its percentiles.
        for m in range(len(metrics) - 1, -1, -1):
            tied = _gather_anchors(here, anchors[m], own)
            _score_block(metrics[m][first:last], own, floors[m], scores[m, first:last])
            if tied:
                _score_ties(metrics[m][first:last], own, scores[m, first:last])
        _gather_facts(here, judged, facts)
        _judge_block(
            metrics[0][first:last],
            freshness[first:last],
            scores[0, first:last],
            own,
            facts,
            trend[first:last],
            z[first:last],
            decayed[first:last],
            confidence[first:last],
        )


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

    by_metric = anchors.transpose(1, 0, 2).copy()
    # The anchor at 0 needs no place: it says instead whether any anchors of the group are tied.
    by_metric[:, :, 0] = (np.diff(by_metric, axis=2) == 0).any(axis=2)
    judged = np.column_stack([mean, std, known, sureness]).astype(np.float64, copy=False)
    codes, metrics = _plain(codes, metrics)
    freshness = np.require(freshness, np.float64, _PLAIN)
    cuts = np.linspace(0, n, THREADS + 1).astype(np.int64).tolist()
    with ThreadPoolExecutor(THREADS) as pool:
        _run(
            (
                partial(
                    _score_range,
                    *part,
                    codes,
                    metrics,
                    by_metric,
                    floors,
                    judged,
                    freshness,
                    scores,
                    trend,
                    z,
                    decayed,
                    confidence,
                )
                for part in itertools.pairwise(cuts)
            ),
            pool,
        )
    return ScoredRows(scores=scores, trend=trend, z=z, decayed=decayed, confidence=confidence)


@_jit
def _count_classes(
    begin: int, end: int, codes: Integers, trend: npt.NDArray[np.int8], counts: Integers
) -> None:
    for i in range(begin, end):
        counts[codes[i], trend[i]] += 1


def class_counts(codes: Integers, trend: npt.NDArray[np.int8], n_groups: int) -> Integers:
    """Count the rows of every class in every group; see the numpy twin."""
    codes = np.require(codes, np.int64, _PLAIN)
    trend = np.require(trend, np.int8, _PLAIN)
    counts = np.zeros((THREADS, n_groups, N_CLASSES), dtype=np.int64)
    cuts = np.linspace(0, codes.size, THREADS + 1).astype(np.int64).tolist()
    with ThreadPoolExecutor(THREADS) as pool:
        _run(
            (
                partial(_count_classes, *part, codes, trend, counts[t])
                for t, part in enumerate(itertools.pairwise(cuts))
            ),
            pool,
        )
    total: Integers = counts.sum(axis=0)
    return total
