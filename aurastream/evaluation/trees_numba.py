"""The compiled twin of `aurastream.evaluation.trees`: same arguments, same bits, for many rows.

Importing it and its first call cost seconds (cached on disk afterwards), so that nothing imports it
at the top.
"""

# Mypy sees no type behind compiled functions.
# ruff: noqa: PLR0917 # compiled functions take positional arguments alone
# mypy: disable-error-code="no-any-return"

from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["margins"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

_BLOCK = 1024
_THREADS = 2
# All that a step down a tree asks for lies together, so that it costs one look at the memory.
_NODE = np.dtype(
    [
        ("bound", "f8"),
        ("value", "f8"),
        ("categories", "u8"),
        ("feature", "i4"),
        ("left", "i4"),
        ("right", "i4"),
        ("is_category", "?"),
        ("missing_left", "?"),
    ],
    align=True,
)


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
    nodes = np.empty(feature.size, dtype=_NODE)
    columns = {
        "bound": bound, "value": value, "categories": categories, "feature": feature,
        "left": left, "right": right, "is_category": is_category, "missing_left": missing_left,
    }  # fmt: skip
    for name, values in columns.items():
        nodes[name] = values
    out = np.tile(baselines, (matrix.shape[0], 1))
    parts = np.array_split(np.arange(matrix.shape[0]), _THREADS)
    with ThreadPoolExecutor(_THREADS) as pool:
        # Rows are independent: which thread adds one up cannot show in it.
        list(
            pool.map(
                lambda part: _add(matrix, nodes, roots, forests, part[0], part[-1] + 1, out), parts
            )
        )
    return out


@numba.njit(cache=True, nogil=True)
def _add(matrix, nodes, roots, forests, first, end, out):  # type: ignore[no-untyped-def] # numba infers  # noqa: ANN001, ANN202 # as said
    # Block after block, tree after tree: rows and nodes stay in the caches.
    for start in range(first, end, _BLOCK):
        for tree in range(roots.size):
            for row in range(start, min(start + _BLOCK, end)):
                node = nodes[roots[tree]]
                while node.left >= 0:
                    known = matrix[row, node.feature]
                    if np.isnan(known):
                        is_left = node.missing_left
                    elif node.is_category:
                        shifted = node.categories >> np.uint64(known)
                        is_left = shifted & np.uint64(1) == np.uint64(1)
                    else:
                        is_left = known <= node.bound
                    node = nodes[node.left] if is_left else nodes[node.right]
                out[row, forests[tree]] += node.value
