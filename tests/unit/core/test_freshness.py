import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.freshness import (
    FreshnessParams,
    confidence,
    decayed,
    freshness_levels,
    should_refresh,
)

ages = st.floats(-10, 1e6, allow_nan=False)


@pytest.mark.parametrize(
    ("age", "level", "sure"),
    [
        (0.0, "FRESH", 100.0),
        (0.999, "FRESH", 100.0),
        (1.0, "RECENT", 100.0),
        (2.0, "RECENT", 100 - 20 / 3),
        (4.0, "STALE", 80.0),
        (8.0, "STALE", 65.0),
        (12.0, "OLD", 50.0),
        (18.0, "OLD", 40.0),
        (24.0, "EXPIRED", 30.0),
        (48.0, "EXPIRED", 10.0),
        (1000.0, "EXPIRED", 10.0),
    ],
)
def test_level_is_a_step_and_confidence_a_line(age: float, level: str, sure: float) -> None:
    assert freshness_levels(age) == level
    assert confidence(age) == pytest.approx(sure, abs=1e-12)


@given(ages, ages)
def test_confidence_never_grows_with_age(one: float, other: float) -> None:
    younger, older = confidence(sorted((one, other)))
    assert 10.0 <= older <= younger <= 100.0


@given(st.floats(0, 100), st.floats(0, 100))
def test_decay_stays_between_zero_and_the_score(score: float, sure: float) -> None:
    assert 0.0 <= decayed(score, sure) <= score


def test_clock_skew_is_fresh_and_an_unknown_age_is_worth_nothing() -> None:
    assert confidence(-0.01) == 100.0
    assert confidence(np.nan) == 0.0
    assert freshness_levels(np.nan) == "EXPIRED"
    assert should_refresh(freshness_levels([0.5, 5.0])).tolist() == [False, True]


def test_thresholds_that_do_not_grow_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="must grow"):
        FreshnessParams(level_ends_h=(4.0, 1.0, 12.0, 24.0))
    with pytest.raises(InvalidInputError, match="0–100"):
        FreshnessParams(confidences_pct=(80.0, 100.0, 50.0, 30.0, 10.0))
