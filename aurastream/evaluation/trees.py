"""Trained trees as plain arrays: what is stored, read back and scored with.

scikit-learn grows the trees; from then on only these arrays count. They can be stored without
running code at reading, mean the same under any version of the library, and score as fast as
memory allows. Small batches are scored by numpy, large ones by a compiled twin with the same bits
(`aurastream.evaluation.trees_numba`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

__all__ = ["Trees"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

_COMPILED_FROM: Final = 5000
_CHUNK: Final = 512
_CATEGORIES: Final = 64


@dataclass(frozen=True, slots=True)
class Trees:
    """Nodes of several forests, one tree after the other.

    A node goes left when its feature is at most its bound, or, where it asks for a category
    (``is_category``), when the bit of that number is set in ``categories``; a missing feature goes
    left where ``missing_left`` is set. A leaf has ``left`` below 0 and answers ``value``. ``roots``
    are the first nodes of the trees, ``forests`` the forest of each tree, ``baselines`` what a
    forest adds to its trees' sum.
    """

    feature: Ints
    bound: Floats
    is_category: npt.NDArray[np.bool_]
    categories: npt.NDArray[np.uint64]
    missing_left: npt.NDArray[np.bool_]
    left: Ints
    right: Ints
    value: Floats
    roots: Ints
    forests: Ints
    baselines: Floats

    @classmethod
    def of_forests(cls, forests: Sequence[Any]) -> Self:
        """Take the trees of binary ``HistGradientBoostingClassifier``.

        Categories have to be numbered from 0 to 63, and their features to come first, as
        scikit-learn puts them itself.
        """
        parts, roots, owner, baselines, bits = [], [], [], [], []
        at = 0
        for number, forest in enumerate(forests):
            baselines.append(float(forest._baseline_prediction.ravel()[0]))  # noqa: SLF001 # scikit-learn has no public view of its trees; an oracle test compares predictions
            for (predictor,) in forest._predictors:  # noqa: SLF001 # no public view of it, the oracle test compares
                nodes = predictor.nodes
                roots.append(at)
                owner.append(number)
                parts.append((at, nodes))
                words = predictor.raw_left_cat_bitsets[:, :2].astype("uint64")
                sets = np.append(words[:, 0] | (words[:, 1] << np.uint64(32)), np.uint64(0))
                is_category = nodes["is_categorical"].astype(bool)
                bits.append(sets[np.where(is_category, nodes["bitset_idx"], len(sets) - 1)])
                at += len(nodes)
        nodes = np.concatenate([part for _, part in parts])
        offset = np.concatenate([np.full(len(part), start) for start, part in parts])
        is_leaf = nodes["is_leaf"].astype(bool)
        return cls(
            feature=np.where(is_leaf, 0, nodes["feature_idx"]).astype("int32"),
            bound=nodes["num_threshold"].astype("float64"),
            is_category=nodes["is_categorical"].astype(bool),
            categories=np.concatenate(bits),
            missing_left=nodes["missing_go_to_left"].astype(bool),
            left=np.where(is_leaf, -1, nodes["left"] + offset).astype("int32"),
            right=np.where(is_leaf, -1, nodes["right"] + offset).astype("int32"),
            value=np.where(is_leaf, nodes["value"], 0.0).astype("float64"),
            roots=np.array(roots, dtype="int32"),
            forests=np.array(owner, dtype="int32"),
            baselines=np.array(baselines, dtype="float64"),
        )

    def probability(self, matrix: Floats) -> Floats:
        """Return the forests' mean probability of each row, 0–1.

        O(rows × trees × depth).
        """
        if len(matrix) >= _COMPILED_FROM:
            from aurastream.evaluation.trees_numba import margins  # noqa: PLC0415 # compiling is for many rows

            found = margins(
                np.ascontiguousarray(matrix), self.feature, self.bound, self.is_category,
                self.categories, self.missing_left, self.left, self.right, self.value,
                self.roots, self.forests, self.baselines,
            )  # fmt: skip
        else:
            chunks = [
                self._margins(matrix[start : start + _CHUNK])
                for start in range(0, len(matrix), _CHUNK)
            ]
            found = np.concatenate(chunks) if chunks else np.zeros((0, self.baselines.size))
        out: Floats = (1 / (1 + np.exp(-found))).mean(axis=1)
        return out

    def _margins(self, matrix: Floats) -> Floats:
        rows = np.arange(len(matrix))[:, None]
        node = np.broadcast_to(self.roots, (len(matrix), self.roots.size))
        while True:
            inner = self.left[node] >= 0
            if not inner.any():
                break
            value = matrix[rows, self.feature[node]]
            missing = np.isnan(value)
            number = np.where(missing, 0, value).clip(0, _CATEGORIES - 1).astype(np.uint64)
            is_in = (self.categories[node] >> number) & np.uint64(1) == np.uint64(1)
            is_left = np.where(self.is_category[node], is_in, value <= self.bound[node])
            is_left = np.where(missing, self.missing_left[node], is_left)
            node = np.where(inner, np.where(is_left, self.left[node], self.right[node]), node)
        out = np.tile(self.baselines, (len(matrix), 1))
        # Tree by tree, as the compiled twin adds: another order would round differently.
        for tree, forest in enumerate(self.forests.tolist()):
            out[:, forest] += self.value[node[:, tree]]
        return out
