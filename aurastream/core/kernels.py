"""The one place that chooses between the numpy and the compiled kernels.

Both give the same bits, so that the choice is a matter of time alone. numpy wins below about
50,000 rows even against compiled code that is ready; and bringing the compiler in costs 0.8 s
from its cache and some seconds without, which only a million rows repay. A process that has
compiled kernels already uses them earlier. Where numba is not installed numpy does it all.
"""

import importlib
import sys
from types import ModuleType

import numpy as np
import numpy.typing as npt

from aurastream.core import kernels_numpy
from aurastream.core.kernels_numpy import Floats, GroupStatistics, Integers, ScoredRows

__all__ = ["COLD_ROWS", "WARM_ROWS", "class_counts", "group_statistics", "score_rows"]

WARM_ROWS = 50_000
COLD_ROWS = 1_000_000
_COMPILED = "aurastream.core.kernels_numba"


def _kernels(rows: int) -> ModuleType:
    if rows < (WARM_ROWS if _COMPILED in sys.modules else COLD_ROWS):
        return kernels_numpy
    try:
        return importlib.import_module(_COMPILED)
    except ImportError:
        return kernels_numpy


def group_statistics(
    codes: Integers,
    n_groups: int,
    metrics: tuple[Floats, ...],
    *,
    fence_k: float = 1.5,
    baseline_metric: int = 0,
) -> GroupStatistics:
    """Compute robust moments and percentiles of every metric in every group.

    Parameters
    ----------
    codes : numpy.ndarray of int64
        Group of each row, 0 … n_groups-1.
    n_groups : int
        Number of groups; a group without rows gets NaN.
    metrics : tuple of numpy.ndarray of float64
        Finite values or NaN for missing.
    fence_k : float
        Width of the outlier fence in interquartile ranges.
    baseline_metric : int
        Metric whose p25–p75 slice gives the baseline.

    Returns
    -------
    GroupStatistics
        Arrays by metric and group.

    Notes
    -----
    O(n log n) for all groups together.

    References
    ----------
    AuraStream paper 5.1.2, 5.2.3 and 5.2.4 (#63, #68, #69), settled in C26 and C29.

    Examples
    --------
    >>> import numpy as np
    >>> velocity = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
    >>> s = group_statistics(np.zeros(5, dtype=np.int64), 1, (velocity,))
    >>> s.mean[0, 0].item(), s.percentiles[1, 0, 0].item(), s.outlier_count[0, 0].item()
    (2.5, 3.0, 1)

    A group of none is described by NaN:

    >>> empty = group_statistics(np.zeros(0, dtype=np.int64), 1, (np.zeros(0),))
    >>> empty.mean[0, 0].item(), empty.count[0, 0].item()
    (nan, 0)
    """
    result: GroupStatistics = _kernels(codes.size).group_statistics(
        codes, n_groups, metrics, fence_k=fence_k, baseline_metric=baseline_metric
    )
    return result


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

    See `aurastream.core.kernels_numpy.score_rows` for the arguments.

    Parameters
    ----------
    codes, metrics, anchors, floors, mean, std, known, sureness, freshness : numpy.ndarray
        See `aurastream.core.kernels_numpy.score_rows`.

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
    One group, twice as fast as its p90, at it, and not known:

    >>> import numpy as np
    >>> found = score_rows(
    ...     np.zeros(3, dtype=np.int64), (np.array([80.0, 40.0, np.nan]),),
    ...     anchors=np.array([[[0.0, 10.0, 20.0, 30.0, 40.0]]]), floors=np.array([1.0]),
    ...     mean=np.array([20.0]), std=np.array([10.0]), known=np.array([True]),
    ...     sureness=np.array([1.0]), freshness=np.array([100.0, 50.0, 100.0]),
    ... )
    >>> found.scores[0].round(2).tolist(), found.z.tolist(), found.decayed.round(2).tolist()
    ([96.32, 90.0, nan], [6.0, 2.0, nan], [96.32, 45.0, nan])

    >>> none = score_rows(
    ...     np.zeros(0, dtype=np.int64), (np.zeros(0),),
    ...     anchors=np.array([[[0.0, 10.0, 20.0, 30.0, 40.0]]]), floors=np.array([1.0]),
    ...     mean=np.array([20.0]), std=np.array([10.0]), known=np.array([True]),
    ...     sureness=np.array([1.0]), freshness=np.zeros(0),
    ... )
    >>> none.z.tolist()
    []
    """
    result: ScoredRows = _kernels(codes.size).score_rows(
        codes,
        metrics,
        anchors=anchors,
        floors=floors,
        mean=mean,
        std=std,
        known=known,
        sureness=sureness,
        freshness=freshness,
    )
    return result


def class_counts(codes: Integers, trend: npt.NDArray[np.int8], n_groups: int) -> Integers:
    """Count the rows of every trend class in every group: (groups, classes), by class number.

    Parameters
    ----------
    codes : numpy.ndarray of int64
        Group of each row, 0 … n_groups-1.
    trend : numpy.ndarray of int8
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
    >>> trend = np.array([4, 4, 0], dtype=np.int8)
    >>> class_counts(np.array([0, 0, 1]), trend, 2).tolist()
    [[0, 0, 0, 0, 2], [1, 0, 0, 0, 0]]

    >>> class_counts(np.zeros(0, dtype=np.int64), trend[:0], 1).tolist()
    [[0, 0, 0, 0, 0]]
    """
    result: Integers = _kernels(codes.size).class_counts(codes, trend, n_groups)
    return result
