"""The stored model against the library that grew it, and against outcomes that mean nothing."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.evaluation.metrics import average_precision
from aurastream.evaluation.model import Training, ViralModel, cross_predictions
from aurastream.evaluation.rules import learn_points
from aurastream.evaluation.trees import Trees
from aurastream.evaluation.viral import judge_viral, viral_samples
from aurastream.evaluation.word_guesses import WordGuesses

ensemble = pytest.importorskip("sklearn.ensemble", reason="scikit-learn is not installed")
text = pytest.importorskip("sklearn.feature_extraction.text")


def matrix_of(rows: int, *, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(rows, 4))
    found[:, 0] = rng.integers(0, 12, rows)
    found[rng.random((rows, 4)) < 0.1] = np.nan
    return found


@pytest.fixture(scope="module")
def forests() -> list:
    matrix = matrix_of(1500, seed=1)
    truth = (np.nan_to_num(matrix[:, 0]) % 3 == 0) ^ (np.nan_to_num(matrix[:, 1]) > 0.5)
    return [
        ensemble.HistGradientBoostingClassifier(
            max_iter=40, categorical_features=[True, False, False, False], random_state=seed,
            max_features=0.5,
        ).fit(matrix, truth)
        for seed in range(2)
    ]  # fmt: skip


@pytest.mark.parametrize("rows", [1, 700, 6000])
def test_the_arrays_predict_what_the_library_predicts(forests: list, rows: int) -> None:
    matrix = matrix_of(rows, seed=2)
    expected = np.mean([forest.predict_proba(matrix)[:, 1] for forest in forests], axis=0)
    np.testing.assert_allclose(Trees.of_forests(forests).probability(matrix), expected, rtol=1e-12)


def test_many_rows_and_few_get_the_same_bits(forests: list) -> None:
    trees, matrix = Trees.of_forests(forests), matrix_of(6000, seed=3)
    few = np.concatenate([trees.probability(matrix[i : i + 1000]) for i in range(0, 6000, 1000)])
    assert trees.probability(matrix).tolist() == few.tolist()
    assert trees.probability(matrix[:0]).size == 0


words = st.lists(
    st.lists(st.sampled_from(["red", "Blue", "green", "été", "one two", "x", "!"]), max_size=8).map(
        " ".join
    ),
    min_size=12,
    max_size=30,
)


@given(words, words)
@settings(max_examples=25, deadline=None)
def test_words_guess_what_a_ridge_over_tfidf_guesses(learned: list[str], asked: list[str]) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    target = np.arange(len(learned), dtype="float64")[:, None]
    guesses, held_out = WordGuesses.fit(pd.Series(learned), target)
    assert held_out.shape == target.shape
    if not guesses.words:
        assert (guesses.guess(asked) == target.mean()).all()
        return
    vectors = text.TfidfVectorizer(
        token_pattern=r"\b\w+\b", ngram_range=(1, 2), min_df=3, sublinear_tf=True
    )
    matrix = vectors.fit_transform(learned)
    ridge = linear.Ridge(alpha=3.0, solver="sparse_cg", tol=1e-3).fit(matrix, target[:, 0])
    expected = ridge.predict(vectors.transform(asked))
    np.testing.assert_allclose(guesses.guess(asked)[:, 0], expected, rtol=1e-9, atol=1e-9)


@pytest.fixture
def training(crowd: Path) -> Training:
    learned, _ = viral_samples(crowd)
    return Training(
        learned.features,
        learned.texts,
        learned.outcome["T2"].to_numpy(),
        learned.truth["T2"],
        learned.channels,
    )


def test_a_stored_model_is_the_model(training: Training) -> None:
    model = ViralModel.fit(training, seeds=1)
    stored = model.to_bytes()
    read = ViralModel.from_bytes(stored)
    expected = model.probability(training.features, training.texts)
    assert read.probability(training.features, training.texts).tolist() == expected.tolist()
    assert read.to_bytes() == stored
    assert ViralModel.fit(training, seeds=1).to_bytes() == stored


def test_a_category_that_nobody_learned_is_missing_and_no_other_one(training: Training) -> None:
    model = ViralModel.fit(training, seeds=1)
    unknown = training.features.assign(category=99.0)
    missing = training.features.assign(category=np.nan)
    found = model.probability(unknown, training.texts)
    assert found.tolist() == model.probability(missing, training.texts).tolist()


@pytest.mark.parametrize("stored", [b"", b"PK\x03\x04 no", b"cos\nsystem\n(S'true'\ntR."])
def test_bytes_that_are_no_model_are_refused_and_never_run(stored: bytes) -> None:
    with pytest.raises(InvalidInputError, match="Train it again"):
        ViralModel.from_bytes(stored)


def test_a_training_without_hits_or_without_misses_is_refused(training: Training) -> None:
    for one_sided in (training.truth, ~training.truth, np.zeros(training.truth.size, dtype=bool)):
        with pytest.raises(InvalidInputError, match="no hit or no miss"):
            ViralModel.fit(training.part(one_sided), seeds=1)


def test_shuffled_outcomes_leave_chance(training: Training) -> None:
    order = np.random.default_rng(4).permutation(training.truth.size)
    shuffled = Training(
        training.features,
        training.texts,
        training.outcome[order],
        training.truth[order],
        training.channels,
    )
    share = training.truth.mean()
    honest = average_precision(training.truth, cross_predictions(training))
    chance = average_precision(shuffled.truth, cross_predictions(shuffled))
    assert honest > 0.5
    assert chance < 2.5 * share
    table = learn_points(shuffled.features, shuffled.truth)
    assert table == learn_points(shuffled.features, shuffled.truth)


def test_every_method_falls_to_chance_when_the_judged_outcomes_are_shuffled(crowd: Path) -> None:
    learned, judged = viral_samples(crowd)
    order = np.random.default_rng(6).permutation(len(judged.videos))
    rng_truth = {label: truth[order] for label, truth in judged.truth.items()}
    blind = type(judged)(
        features=judged.features, next_day=judged.next_day, texts=judged.texts,
        outcome=judged.outcome, truth=rng_truth, channels=judged.channels, videos=judged.videos,
    )  # fmt: skip
    f1 = {
        row.method.split(":")[0]: row.f1
        for row in judge_viral(learned, blind, labels=("T2",))
        if row.primary
    }
    seen = {
        row.method.split(":")[0]: row.f1
        for row in judge_viral(learned, judged, labels=("T2",))
        if row.primary
    }
    assert all(value is not None and value < 0.3 for value in f1.values())
    assert all(value is not None and value > 0.4 for value in seen.values())


def test_a_judged_video_is_never_learned_from(
    crowd: Path, archive_at: Callable, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("charts", "observations"):
        frame = pd.read_parquet(crowd / f"{name}_test.parquet")
        frame[frame["snapshot_date"] < "2026-02-01"].to_parquet(other / f"{name}_x.parquet")
    learned, judged = viral_samples(crowd, other)
    assert len(judged.videos) > 100
    assert not set(learned.videos) & set(judged.videos)


def test_another_process_trains_the_same_bytes(tmp_path: Path) -> None:
    program = """
import hashlib, numpy as np, pandas as pd
from aurastream.evaluation.model import Training, ViralModel
rng = np.random.default_rng(0)
features = pd.DataFrame(rng.normal(size=(300, 5)), columns=list("abcde"))
features["category"] = rng.integers(0, 4, 300).astype(float)
texts = pd.Series([f"word{i % 7} and word{i % 5}" for i in range(300)])
truth = rng.random(300) < 0.3
channels = np.array([f"c{i % 40}" for i in range(300)], dtype=object)
training = Training(features, texts, rng.random(300), truth, channels)
print(hashlib.sha256(ViralModel.fit(training, seeds=1).to_bytes()).hexdigest())
"""
    root = Path(__file__).resolve().parents[3]
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            check=True, capture_output=True, text=True, cwd=root,
            env={"PYTHONPATH": str(root), "PYTHONHASHSEED": seed, "PATH": ""},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(answers) == 1
