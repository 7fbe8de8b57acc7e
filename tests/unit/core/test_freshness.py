from bisect import bisect_right
from typing import Any

import numpy as np
import pytest
import scipy.interpolate
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


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100))
def test_decay_stays_between_zero_and_the_score(score: float, sure: float, floor: float) -> None:
    assert 0.0 <= decayed(score, sure) <= score
    assert min(score, floor) <= decayed(score, sure, min_score=floor) <= score


def test_clock_skew_is_fresh_and_an_unknown_age_is_worth_nothing() -> None:
    assert confidence(-0.01) == 100.0
    assert confidence(np.nan) == 0.0
    assert freshness_levels(np.nan) == "EXPIRED"
    assert should_refresh(freshness_levels([0.5, 5.0])).tolist() == [False, True]


@pytest.mark.parametrize("age", ["1", b"1", 1 + 0j, [[1.0], [1.0, 2.0]]])
def test_an_age_that_is_no_number_has_no_level(age: Any) -> None:
    with pytest.raises(InvalidInputError, match="age_h"):
        freshness_levels([age])


def test_thresholds_that_do_not_grow_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="must grow"):
        FreshnessParams(level_ends_h=(4.0, 1.0, 12.0, 24.0))
    with pytest.raises(InvalidInputError, match="0–100"):
        FreshnessParams(confidences_pct=(80.0, 100.0, 50.0, 30.0, 10.0))


unknown = st.just(float("nan"))
rising = st.lists(st.floats(0.01, 1000), min_size=5, max_size=5, unique=True).map(sorted)
falling = st.lists(st.floats(0, 100), min_size=5, max_size=5).map(lambda v: sorted(v, reverse=True))


@given(st.lists(ages | unknown), rising, falling)
def test_confidence_is_what_scipy_interpolates(
    given_ages: list[float], ends: list[float], sure: list[float]
) -> None:
    params = FreshnessParams(
        level_ends_h=tuple(ends[:4]), expired_end_h=ends[4], confidences_pct=tuple(sure)
    )
    line = scipy.interpolate.make_interp_spline([0.0, *ends], [sure[0], *sure], k=1)
    expected = [0.0 if np.isnan(a) else float(line(min(max(a, 0.0), ends[4]))) for a in given_ages]
    found = confidence(given_ages, params=params)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@given(st.lists(ages | unknown))
def test_levels_are_those_of_a_search_in_a_list(given_ages: list[float]) -> None:
    names = ["FRESH", "RECENT", "STALE", "OLD", "EXPIRED"]
    expected = [names[4 if np.isnan(a) else bisect_right([1, 4, 12, 24], a)] for a in given_ages]
    found = freshness_levels(given_ages)
    assert found.tolist() == expected
    assert should_refresh(found).tolist() == [names.index(name) >= 2 for name in expected]


@given(
    st.lists(st.tuples(st.floats(0, 100) | unknown, st.floats(0, 100) | unknown)), st.floats(0, 100)
)
def test_decay_is_a_product_with_a_floor(rows: list[tuple[Any, Any]], floor: float) -> None:
    found = decayed([s for s, _ in rows], [c for _, c in rows], min_score=floor)
    for (score, sure), value in zip(rows, found.tolist(), strict=True):
        if np.isnan(score) or np.isnan(sure):
            assert np.isnan(value)
        else:
            assert value == pytest.approx(min(score, max(floor, score * sure / 100.0)), rel=1e-12)
