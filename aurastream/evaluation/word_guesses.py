"""Two guesses from words: is a video a hit, and the logarithm of its outcome.

A ridge regression over tf-idf of the words and pairs of words. scikit-learn fits it; what is kept
is a list of words with their weights, which answers by itself.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

__all__ = ["WordGuesses"]

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

_FOLDS: Final = 5
_FEWEST_DOCUMENTS: Final = 3
_MOST_WORDS: Final = 40_000
_RIDGE: Final = 3.0
_MOST_NUMBERS: Final = 1 << 31
_WORD: Final = re.compile(r"\b\w+\b")


@dataclass(frozen=True, slots=True)
class WordGuesses:
    """Words and pairs with their rarity and weights; ``offsets`` are where guesses start."""

    words: tuple[str, ...]
    rarity: Floats
    weights: Floats
    offsets: Floats

    @classmethod
    def fit(cls, texts: pd.Series, targets: Floats) -> tuple[Self, Floats]:
        """Learn; return the guesses and, for the training texts, those of folds without them."""
        vectors = TfidfVectorizer(
            token_pattern=_WORD.pattern,
            ngram_range=(1, 2),
            min_df=_FEWEST_DOCUMENTS,
            max_features=_MOST_WORDS,
            sublinear_tf=True,
        )
        held_out = np.tile(targets.mean(axis=0), (len(targets), 1))
        try:
            matrix = vectors.fit_transform(texts)
        except ValueError:
            # No word comes three times: then words tell nothing.
            nothing = np.zeros((0, targets.shape[1]))
            return cls((), np.zeros(0), nothing, targets.mean(axis=0)), held_out
        fold = np.random.default_rng(0).permutation(len(targets)) % _FOLDS
        for k in range(_FOLDS):
            inside, outside = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            for j in range(targets.shape[1]):
                fit = _ridge().fit(matrix[inside], targets[inside, j])
                held_out[outside, j] = fit.predict(matrix[outside])
        fits = [_ridge().fit(matrix, targets[:, j]) for j in range(targets.shape[1])]
        names = vectors.get_feature_names_out().tolist()
        return cls(
            tuple(names),
            np.asarray(vectors.idf_, dtype=np.float64),
            np.column_stack([fit.coef_ for fit in fits]),
            np.array([float(fit.intercept_) for fit in fits]),
        ), held_out

    def guess(self, texts: Iterable[str]) -> Floats:
        """Return the guesses for each text, one column per target.

        A text without a known word gets the offsets. About 15 µs per text.
        """
        index = _Index.of(self.words)
        number_of = index.number_of.get
        numbers: list[int] = []
        sizes: list[int] = []
        for text in texts:
            found = _WORD.findall(text.lower())
            numbers += map(number_of, found, repeat(-1))
            sizes.append(len(found))
        count = len(sizes)
        owner, places = index.known(
            np.array(numbers, dtype=np.int64), np.repeat(np.arange(count), sizes)
        )
        size = max(len(self.words), 1)
        keys, times = np.unique(owner * size + places, return_counts=True)
        owner, places = keys // size, keys % size
        value = (1.0 + np.log(times)) * self.rarity[places]
        length = np.sqrt(np.bincount(owner, weights=value * value, minlength=count))
        value /= np.where(length > 0, length, 1.0)[owner]
        return self.offsets + np.column_stack(
            [
                np.bincount(owner, weights=value * self.weights[places, j], minlength=count)
                for j in range(self.offsets.size)
            ]
        )


@dataclass(frozen=True, slots=True)
class _Index:
    """Where words and pairs of words are: each word has a number, a pair is two numbers."""

    number_of: dict[str, int]
    place_of_number: Places
    pairs: Places
    place_of_pair: Places

    @classmethod
    def of(cls, words: tuple[str, ...]) -> Self:
        number_of: dict[str, int] = {}
        alone: dict[int, int] = {}
        pairs: dict[int, int] = {}
        for place, word in enumerate(words):
            one, *other = (number_of.setdefault(part, len(number_of)) for part in word.split(" "))
            if other:
                pairs[one * _MOST_NUMBERS + other[0]] = place
            else:
                alone[one] = place
        places = np.full(len(number_of) + 1, -1, dtype=np.int64)  # the last: no known word
        places[list(alone)] = list(alone.values())
        keys = np.array(sorted(pairs), dtype=np.int64)
        return cls(number_of, places, keys, np.array([pairs[k] for k in keys.tolist()], np.int64))

    def known(self, numbers: Places, owner: Places) -> tuple[Places, Places]:
        """Return the known words and pairs: the text of each and its place."""
        alone = self.place_of_number[numbers]
        together = (owner[1:] == owner[:-1]) & (numbers[1:] >= 0) & (numbers[:-1] >= 0)
        key = numbers[:-1] * _MOST_NUMBERS + numbers[1:]
        if not self.pairs.size:
            together = np.zeros(together.shape, dtype=bool)
            at = np.zeros(key.shape, dtype=np.int64)
        else:
            at = np.searchsorted(self.pairs, key).clip(max=self.pairs.size - 1)
            together &= self.pairs[at] == key
        return (
            np.concatenate([owner[alone >= 0], owner[1:][together]]),
            np.concatenate([alone[alone >= 0], self.place_of_pair[at[together]]]),
        )


def _ridge() -> Any:  # noqa: ANN401 # sklearn has no types
    return Ridge(alpha=_RIDGE, solver="sparse_cg", tol=1e-3)
