"""Scoring 36,000 videos with the viral model, against the libraries that grew it.

The model is trained on made-up videos of the real one's shape: 78 features, titles with tags, four
forests of 150 trees. Both sides start from features and texts and end with the mean probability of
the forests. The libraries score with scikit-learn's own vectors, ridge regressions and forests; a
second line holds ours to two seconds, whatever the libraries need. Both work on one thread, and
times are processor time, so that what else runs on the machine does not count.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from aurastream.evaluation.model import SEEDS, Training, ViralModel
from aurastream.evaluation.trees import Trees
from aurastream.evaluation.word_guesses import WordGuesses

_VIDEOS = 36_000
_LEARNED = 20_000
_FEATURES = 78
_WORDS_PER_TEXT = 34
_ROUNDS = 3
_LIMIT_S = 2.0


class Case:
    """Videos, a model that learned from some of them, and the libraries' own twin of it."""

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(36)
        learned = min(n, _LEARNED)
        names = [f"feature_{i}" for i in range(_FEATURES - 2)]
        values = rng.lognormal(8, 2, (n, len(names)))
        values[rng.random(values.shape) < 0.05] = np.nan
        self.features = pd.DataFrame(values, columns=names).assign(
            category=rng.integers(1, 20, n).astype("float64"),
            language=rng.integers(0, 14, n).astype("float64"),
        )
        vocabulary = np.array([f"word{i}" for i in range(30_000)])
        picked = (rng.pareto(0.7, (n, _WORDS_PER_TEXT)) * 20).astype("int64") % vocabulary.size
        self.texts = pd.Series([" ".join(row) for row in vocabulary[picked]])
        signal = np.nan_to_num(np.log(values[:, 0] / values[:, 1]))
        outcome = np.exp(signal + rng.normal(0, 1, n))
        truth = outcome > np.quantile(outcome, 0.9)
        rows = np.arange(n) < learned
        training = Training(
            self.features, self.texts, outcome, truth, np.arange(n).astype(str).astype(object)
        ).part(rows)
        self.model = ViralModel.fit(training)
        self._learn_twin(training)

    def _learn_twin(self, training: Training) -> None:
        targets = np.column_stack([training.truth, np.log1p(training.outcome)]).astype("float64")
        words, guesses = WordGuesses.fit(training.texts, targets)
        self.vectors = TfidfVectorizer(
            token_pattern=r"\b\w+\b",  # noqa: S106 # a pattern, not a password
            ngram_range=(1, 2),
            vocabulary=list(words.words),
            sublinear_tf=True,
        )
        matrix = self.vectors.fit_transform(training.texts)
        self.ridges = [
            Ridge(alpha=3.0, solver="sparse_cg", tol=1e-3).fit(matrix, targets[:, j])
            for j in range(targets.shape[1])
        ]
        with threadpool_limits(limits=1):
            self.forests = [
                HistGradientBoostingClassifier(
                    learning_rate=0.05,
                    max_iter=150,
                    max_leaf_nodes=31,
                    min_samples_leaf=40,
                    l2_regularization=5.0,
                    max_features=0.3,
                    early_stopping=False,
                    random_state=seed,
                ).fit(np.hstack([training.features.to_numpy(), guesses]), training.truth)
                for seed in range(SEEDS)
            ]


def libraries(case: Case) -> Any:  # noqa: ANN401 # an array
    """Score as the libraries do, on one thread like ours."""
    with threadpool_limits(limits=1):
        matrix = case.vectors.transform(case.texts)
        words = np.column_stack([ridge.predict(matrix) for ridge in case.ridges])
        columns = np.hstack([case.features.to_numpy(), words])
        return np.mean([forest.predict_proba(columns)[:, 1] for forest in case.forests], axis=0)


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Check that both sides agree on the trees, then time them in turns."""
    case = Case(n or _VIDEOS)
    probe = np.hstack([case.features.to_numpy()[:500], np.zeros((500, 2))])
    expected = np.mean([forest.predict_proba(probe)[:, 1] for forest in case.forests], axis=0)
    found = Trees.of_forests(case.forests).probability(probe)
    assert np.allclose(found, expected, rtol=1e-12), "the two sides disagree"
    case.model.probability(case.features, case.texts)  # compiled and cached before it is timed
    times = [
        (
            _timed(lambda: case.model.probability(case.features, case.texts)),
            _timed(lambda: libraries(case)),
        )
        for _ in range(_ROUNDS)
    ]
    ours_s, theirs_s = (statistics.median(side) for side in zip(*times, strict=True))
    return [
        _result("model_scoring", len(case.features), ours_s, "scikit-learn", theirs_s),
        _result("model_scoring_limit", len(case.features), ours_s, "the limit", _LIMIT_S),
    ]


def _result(name: str, n: int, ours_s: float, baseline: str, baseline_s: float) -> dict[str, Any]:
    return {
        "name": name,
        "n": n,
        "ours_s": ours_s,
        "baseline": baseline,
        "baseline_s": baseline_s,
        "ratio": baseline_s / ours_s,
        "goal": 1.0,
        "met": ours_s <= baseline_s,
    }


def _timed(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start
