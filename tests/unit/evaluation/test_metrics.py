import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.evaluation.metrics import (
    average_precision,
    best_threshold,
    brier_skill,
    calibration_error,
    precision_recall_f1,
    score_by_channel,
)

SKLEARN = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
CASES = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.1, 0.2, 0.5, 0.9])), min_size=4, max_size=60
).filter(lambda rows: any(truth for truth, _ in rows) and not all(truth for truth, _ in rows))


@given(CASES)
def test_figures_agree_with_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    truth = np.array([t for t, _ in rows])
    score = np.array([s for _, s in rows])
    assert average_precision(truth, score) == pytest.approx(
        SKLEARN.average_precision_score(truth, score)
    )
    expected = SKLEARN.precision_recall_fscore_support(
        truth, score >= 0.5, average="binary", zero_division=0
    )[:3]
    assert precision_recall_f1(truth, score >= 0.5) == pytest.approx(expected)
    share = truth.mean()
    assert brier_skill(truth, score) == pytest.approx(
        1 - SKLEARN.brier_score_loss(truth, score) / (share * (1 - share))
    )


@given(CASES)
def test_no_threshold_beats_the_best_one(rows: list[tuple[bool, float]]) -> None:
    truth = np.array([t for t, _ in rows])
    score = np.array([s for _, s in rows])
    best = precision_recall_f1(truth, score >= best_threshold(truth, score))[2]
    assert all(precision_recall_f1(truth, score >= bar)[2] <= best for bar in (0.1, 0.2, 0.5, 0.9))


def test_the_interval_holds_the_figure_and_widens_when_channels_are_few() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(400) < 0.3
    guess = truth ^ (rng.random(400) < 0.2)
    many = score_by_channel(truth, guess, np.arange(400).astype(object))
    few = score_by_channel(truth, guess, (np.arange(400) // 100).astype(object))
    assert many.ci_low < many.f1 < many.ci_high
    assert few.f1 == many.f1
    assert many == score_by_channel(truth, guess, np.arange(400).astype(object))


def test_an_answer_of_the_base_rate_is_calibrated_and_without_skill() -> None:
    truth = np.tile([True, False, False, False], 50)
    flat = np.full(200, 0.25)
    assert brier_skill(truth, flat) == 0.0
    assert calibration_error(truth, flat) < 0.05
    assert calibration_error(truth, np.full(200, 0.75)) == pytest.approx(0.5)
