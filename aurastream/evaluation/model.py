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

import io
import zipfile
import zlib
from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from aurastream.core.errors import InvalidInputError
from aurastream.evaluation.features import CATEGORICAL
from aurastream.evaluation.trees import Trees
from aurastream.evaluation.word_guesses import WordGuesses

__all__ = ["Training", "ViralModel", "cross_predictions"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

SEEDS: Final = 4
FOLDS: Final = 4
_MOST_CATEGORIES: Final = 64


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


@dataclass(frozen=True, slots=True)
class ViralModel:
    """Probability of a hit, from features of one day and words.

    Nothing but names and arrays: a stored model is read back without running any code of its own,
    and scores the same bits.

    Parameters
    ----------
    names : tuple of str
        Features in the order of the trees' matrix, categories first.
    categories : tuple of tuple of float
        The values of each category's feature that the training knew; others are missing.
    words : WordGuesses
        Words that became two features.
    trees : Trees
        The forests.
    """

    names: tuple[str, ...]
    categories: tuple[tuple[float, ...], ...]
    words: WordGuesses
    trees: Trees

    @classmethod
    def fit(cls, training: Training, *, seeds: int = SEEDS) -> Self:
        """Learn from training videos; nothing else is read.

        Parameters
        ----------
        training : Training
            At least one hit and one miss.
        seeds : int
            How many forests of the same data are averaged, each with its own fixed seed.
        """
        if len({*training.truth.tolist()}) < 2:  # noqa: PLR2004 # hits and misses
            raise InvalidInputError(
                "The videos to learn from, without those of the judged channels, hold no hit or "
                "no miss.",
                fix="Pass an archive of more channels.",
            )
        # A feature that nobody has teaches nothing, and cannot be binned.
        known = training.features.notna().any()
        present = [str(name) for name in training.features.columns if known[name]]
        categorical = [name for name in present if name in CATEGORICAL]
        names = (*categorical, *(name for name in present if name not in CATEGORICAL))
        categories = tuple(_categories(training.features[name]) for name in categorical)
        targets = np.column_stack(
            [training.truth.astype("float64"), np.log1p(np.maximum(training.outcome, 0.0))]
        )
        with threadpool_limits(limits=1):
            words, of_training = WordGuesses.fit(training.texts, targets)
            matrix = _matrix(training.features, names, categories, of_training)
            forests = [
                HistGradientBoostingClassifier(
                    learning_rate=0.05,
                    max_iter=150,
                    max_leaf_nodes=31,
                    min_samples_leaf=40,
                    l2_regularization=5.0,
                    max_features=0.3,
                    categorical_features=[i < len(categories) for i in range(matrix.shape[1])],
                    early_stopping=False,
                    random_state=seed,
                ).fit(matrix, training.truth)
                for seed in range(seeds)
            ]
        return cls(names, categories, words, Trees.of_forests(forests))

    def probability(self, features: pd.DataFrame, texts: pd.Series) -> Floats:
        """Return the probability of a hit for each video, 0–1.

        A feature that the training did not have is left out, one that is missing here is null.
        """
        words = self.words.guess(texts)
        return self.trees.probability(_matrix(features, self.names, self.categories, words))

    def to_bytes(self) -> bytes:
        """Return the model as bytes; equal models give equal bytes."""
        arrays = {
            "names": _packed(self.names),
            "category_sizes": np.array([len(values) for values in self.categories], dtype="int32"),
            "category_values": np.array([v for values in self.categories for v in values]),
            "words": _packed(self.words.words),
            **{f"words_{f}": getattr(self.words, f) for f in ("rarity", "weights", "offsets")},
            **{f"trees_{f.name}": getattr(self.trees, f.name) for f in fields(Trees)},
        }
        out = io.BytesIO()
        np.savez_compressed(out, **arrays)
        return out.getvalue()

    @classmethod
    def from_bytes(cls, stored: bytes) -> Self:
        """Read a stored model.

        Raises
        ------
        InvalidInputError
            When the bytes are no stored model.
        """
        try:
            with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
                edges = np.cumsum(arrays["category_sizes"])[:-1]
                values = np.split(arrays["category_values"], edges) if edges.size + 1 else []
                sizes = arrays["category_sizes"].size
                return cls(
                    _unpacked(arrays["names"]),
                    tuple(tuple(part.tolist()) for part in values[:sizes]),
                    WordGuesses(
                        _unpacked(arrays["words"]),
                        *(arrays[f"words_{f}"] for f in ("rarity", "weights", "offsets")),
                    ),
                    Trees(**{f.name: arrays[f"trees_{f.name}"] for f in fields(Trees)}),
                )
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise InvalidInputError(
                f"These bytes are no stored model: {error}", fix="Train it again."
            ) from error


def cross_predictions(training: Training) -> Floats:
    """Return the probability of each training video by trees that never saw its channel."""
    fold = _folds(training.channels, FOLDS)
    found = np.zeros(training.truth.size)
    for k in range(FOLDS):
        held = fold == k
        if held.any():
            model = ViralModel.fit(training.part(~held), seeds=1)
            found[held] = model.probability(training.features[held], training.texts[held])
    return found


def _matrix(
    features: pd.DataFrame,
    names: tuple[str, ...],
    categories: tuple[tuple[float, ...], ...],
    words: Floats,
) -> Floats:
    columns = features.reindex(columns=list(names)).to_numpy(dtype="float64", copy=True)
    for at, values in enumerate(categories):
        known = np.array(values)
        place = np.searchsorted(known, columns[:, at]).clip(max=known.size - 1)
        columns[:, at] = np.where(known[place] == columns[:, at], place, np.nan)
    return np.hstack([columns, words])


def _categories(values: pd.Series) -> tuple[float, ...]:
    """Return the values of a category, the commonest when there are very many."""
    counts = values.dropna().value_counts().sort_index()
    common = counts.sort_values(ascending=False, kind="stable").head(_MOST_CATEGORIES)
    return tuple(float(value) for value in sorted(common.index))


def _packed(texts: tuple[str, ...]) -> npt.NDArray[np.uint8]:
    return np.frombuffer("\n".join(texts).encode(), dtype=np.uint8)


def _unpacked(stored: npt.NDArray[np.uint8]) -> tuple[str, ...]:
    text = stored.tobytes().decode()
    return tuple(text.split("\n")) if text else ()


def _folds(channels: npt.NDArray[np.object_], folds: int) -> npt.NDArray[np.int64]:
    """Return a fold per video, the same for all of a channel, on every machine."""
    return np.array([zlib.crc32(str(name).encode()) % folds for name in channels], dtype="int64")
