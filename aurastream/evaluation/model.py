"""The learned prediction: gradient-boosted trees on the first day's features and the words.

The words of title, channel and tags reach the trees as two numbers, a ridge regression's guess of
the hit and of the logarithm of the outcome. For the training videos those guesses come from folds
that did not see the video. Seeds are fixed and one thread works, so that the same training gives
the same bits.

How it was chosen: learning rate, leaves, rounds, the share of features per split, the channel's
history and the words, each by average precision over two forward splits inside the training part
of the recorded archive. The threshold of a trained model comes from its own training alone: the
F1-best cut of predictions for channels that the predicting trees had not seen
(`cross_predictions`).
"""

import zlib
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from aurastream.evaluation.features import CATEGORICAL

__all__ = ["MODEL_VERSION", "Training", "ViralModel", "cross_predictions"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

MODEL_VERSION: Final = "1"
"""Grows with every change of features, words or trees."""

SEEDS: Final = 3
FOLDS: Final = 4
_WORD_FOLDS: Final = 5
_FEWEST_DOCUMENTS: Final = 3
_MOST_WORDS: Final = 40_000
_RIDGE: Final = 3.0


@dataclass(frozen=True, slots=True)
class Training:
    """What a model learns from: features, texts, outcomes, hits and channels of the same videos."""

    features: pd.DataFrame
    texts: pd.Series
    outcome: Floats
    truth: Bools
    channels: npt.NDArray[np.object_]

    def part(self, rows: Bools) -> "Training":
        """Return the videos that a mask picks."""
        return Training(
            self.features[rows],
            self.texts[rows],
            self.outcome[rows],
            self.truth[rows],
            self.channels[rows],
        )


class ViralModel:
    """Probability of a hit, from features of one day and words.

    Parameters
    ----------
    seeds : int
        How many forests of the same data are averaged, each with its own fixed seed.
    """

    def __init__(self, *, seeds: int = SEEDS) -> None:
        self._seeds = seeds
        self._names: list[str] = []
        self._words: _Words | None = None
        self._forests: list[Any] = []

    def fit(self, training: Training) -> Self:
        """Learn from training videos; nothing else is read."""
        # A feature that nobody has teaches nothing, and cannot be binned.
        known = training.features.notna().any()
        self._names = [str(name) for name in training.features.columns if known[name]]
        categorical = [name in CATEGORICAL for name in self._names] + [False, False]
        with threadpool_limits(limits=1):
            self._words = _Words.fit(training)
            matrix = self._matrix(training.features, self._words.of_training)
            self._forests = [
                HistGradientBoostingClassifier(
                    learning_rate=0.05,
                    max_iter=200,
                    max_leaf_nodes=15,
                    min_samples_leaf=40,
                    l2_regularization=5.0,
                    max_features=0.3,
                    categorical_features=categorical,
                    early_stopping=False,
                    random_state=seed,
                ).fit(matrix, training.truth)
                for seed in range(self._seeds)
            ]
        return self

    def probability(self, features: pd.DataFrame, texts: pd.Series) -> Floats:
        """Return the probability of a hit for each video, 0–1.

        A feature that the training did not have is left out, one that is missing here is null.
        """
        if self._words is None:
            raise RuntimeError("fit comes before probability")
        with threadpool_limits(limits=1):
            matrix = self._matrix(features, self._words.guess(texts))
            found: Floats = np.mean(
                [forest.predict_proba(matrix)[:, 1] for forest in self._forests], axis=0
            )
        return found

    def _matrix(self, features: pd.DataFrame, words: Floats) -> Floats:
        columns = features.reindex(columns=self._names).to_numpy(dtype="float64")
        return np.hstack([columns, words])


def cross_predictions(training: Training) -> Floats:
    """Return the probability of each training video by trees that never saw its channel."""
    fold = _folds(training.channels, FOLDS)
    found = np.zeros(training.truth.size)
    for k in range(FOLDS):
        held = fold == k
        if held.any():
            model = ViralModel(seeds=1).fit(training.part(~held))
            found[held] = model.probability(training.features[held], training.texts[held])
    return found


class _Words:
    """Two guesses from words: is it a hit, and the logarithm of its outcome."""

    def __init__(self, vectors: Any, fits: list[Any], of_training: Floats) -> None:  # noqa: ANN401 # sklearn has no types
        self._vectors, self._fits, self.of_training = vectors, fits, of_training

    @classmethod
    def fit(cls, training: Training) -> Self:
        vectors = TfidfVectorizer(
            token_pattern=r"(?u)\b\w+\b",  # noqa: S106 # a pattern, not a password
            ngram_range=(1, 2),
            min_df=_FEWEST_DOCUMENTS,
            max_features=_MOST_WORDS,
            sublinear_tf=True,
        )
        matrix = vectors.fit_transform(training.texts)
        targets = np.column_stack(
            [training.truth.astype("float64"), np.log1p(np.maximum(training.outcome, 0.0))]
        )
        held_out = np.zeros(targets.shape)
        fold = np.random.default_rng(0).permutation(len(targets)) % _WORD_FOLDS
        for k in range(_WORD_FOLDS):
            inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            for j in range(targets.shape[1]):
                fit = _ridge().fit(matrix[inside], targets[inside, j])
                held_out[outside, j] = fit.predict(matrix[outside])
        fits = [_ridge().fit(matrix, targets[:, j]) for j in range(targets.shape[1])]
        return cls(vectors, fits, held_out)

    def guess(self, texts: pd.Series) -> Floats:
        matrix = self._vectors.transform(texts)
        return np.column_stack([fit.predict(matrix) for fit in self._fits])


def _ridge() -> Any:  # noqa: ANN401 # sklearn has no types
    return Ridge(alpha=_RIDGE, solver="sparse_cg", tol=1e-3)


def _folds(channels: npt.NDArray[np.object_], folds: int) -> npt.NDArray[np.int64]:
    """Return a fold per video, the same for all of a channel, on every machine."""
    return np.array([zlib.crc32(str(name).encode()) % folds for name in channels], dtype="int64")
