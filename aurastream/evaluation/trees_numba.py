"""The compiled twin of `aurastream.evaluation.trees`: same arguments, same bits, for many rows.

Importing it and its first call cost seconds (cached on disk afterwards), so that nothing imports it
at the top.
"""

# Compiled functions take positional arguments alone, and mypy sees no type behind them.
# ruff: noqa: PLR0917
# mypy: disable-error-code="no-any-return"

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["margins"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

_BLOCK = 1024


@numba.njit(cache=True, nogil=True)
def margins(
    matrix: Floats,
    feature: Ints,
    bound: Floats,
    is_category: npt.NDArray[np.bool_],
    categories: npt.NDArray[np.uint64],
    missing_left: npt.NDArray[np.bool_],
    left: Ints,
    right: Ints,
    value: Floats,
    roots: Ints,
    forests: Ints,
    baselines: Floats,
) -> Floats:
    """Return each forest's sum of leaves for each row."""
    out = np.empty((matrix.shape[0], baselines.size))
    for row in range(matrix.shape[0]):
        out[row] = baselines
    # Block after block, tree after tree: rows and nodes stay in the caches.
    for start in range(0, matrix.shape[0], _BLOCK):
        for tree in range(roots.size):
            for row in range(start, min(start + _BLOCK, matrix.shape[0])):
                node = roots[tree]
                while left[node] >= 0:
                    known = matrix[row, feature[node]]
                    if np.isnan(known):
                        is_left = missing_left[node]
                    elif is_category[node]:
                        shifted = categories[node] >> np.uint64(known)
                        is_left = shifted & np.uint64(1) == np.uint64(1)
                    else:
                        is_left = known <= bound[node]
                    node = left[node] if is_left else right[node]
                out[row, forests[tree]] += value[node]
    return out
