import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.kernels_numpy import negative_exponential
from aurastream.core.percentile import percentile_score

positive = st.floats(0, 1e12, allow_nan=False)
percentiles = st.lists(positive, min_size=4, max_size=4).map(sorted)
# Few distinct values, so that ties and flat distributions are common.
tied = st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0]), min_size=4, max_size=4).map(sorted)


def by_the_formula(value: float, p: list[float]) -> float:
    """The formula as the paper writes it, for percentiles that are apart."""
    p25, p50, p75, p90 = p
    if value <= p25:
        return value / p25 * 25
    if value <= p50:
        return 25 + (value - p25) / (p50 - p25) * 25
    if value <= p75:
        return 50 + (value - p50) / (p75 - p50) * 25
    if value <= p90:
        return 75 + (value - p75) / (p90 - p75) * 15
    return 90 + 10 * (1 - math.exp(-(value - p90) / max(p90, 1)))


@given(positive, st.lists(st.integers(1, 10**9), min_size=4, max_size=4, unique=True))
def test_apart_percentiles_score_by_the_formula(value: float, found: list[int]) -> None:
    p = [float(x) for x in sorted(found)]
    assert percentile_score(value, *p) == pytest.approx(by_the_formula(value, p), abs=1e-9)


@given(st.lists(positive, max_size=20), percentiles | tied)
def test_a_score_lies_between_0_and_100(values: list[float], p: list[float]) -> None:
    scores = percentile_score(values, *p)
    assert ((scores >= 0) & (scores <= 100)).all()


@given(st.lists(positive | st.sampled_from([0.0, 1.0, 2.0, 3.0]), max_size=30), percentiles | tied)
def test_a_larger_value_never_scores_less(values: list[float], p: list[float]) -> None:
    scores = percentile_score(sorted([*values, *p]), *p)
    # One rounding of a number near 100 is allowed.
    assert (np.diff(scores) >= -1.5e-14).all()


@given(st.lists(positive, min_size=1, max_size=20), percentiles | tied, st.randoms())
def test_the_order_of_the_values_does_not_matter(
    values: list[float], p: list[float], random: "np.random.Generator"
) -> None:
    order = list(range(len(values)))
    random.shuffle(order)
    scores = percentile_score(values, *p)
    assert percentile_score([values[i] for i in order], *p).tolist() == scores[order].tolist()


@pytest.mark.parametrize(
    ("p", "value", "score"),
    [
        ([10, 10, 30, 40], 10, 37.5),
        ([10, 20, 20, 40], 20, 62.5),
        ([10, 20, 30, 30], 30, 82.5),
        ([10, 10, 10, 40], 10, 50.0),
        ([10, 20, 20, 20], 20, 70.0),
        ([0, 5, 10, 20], 0, 12.5),
        ([0, 0, 10, 20], 0, 25.0),
        ([7, 7, 7, 7], 7, 50.0),
        ([0, 0, 0, 0], 0, 50.0),
        ([0, 0, 0, 9], 0, 37.5),
        ([7, 7, 7, 7], 0, 0.0),
        ([7, 7, 7, 7], -1, 0.0),
    ],
)
def test_a_tie_shares_the_middle_of_its_ranks(p: list[float], value: float, score: float) -> None:
    assert percentile_score(value, *p) == score


def test_one_bit_beside_a_tie_does_not_reach_another_piece() -> None:
    p = [10.0, 20.0, 30.0, 40.0]
    at = percentile_score(p, *p)
    beside = percentile_score(np.nextafter(p, np.inf), *p)
    assert np.abs(at - beside).max() < 1e-12


def test_null_in_null_out() -> None:
    assert np.isnan(percentile_score(np.nan, 1, 2, 3, 4))
    assert np.isnan(percentile_score(5.0, *[np.nan] * 4))


def test_infinity_scores_100_and_the_scale_floor_slows_the_approach() -> None:
    assert percentile_score(np.inf, 1, 2, 3, 4) == 100.0
    rates = (0.01, 0.02, 0.03, 0.04)
    assert percentile_score(0.08, *rates) == pytest.approx(90.3921, abs=1e-4)
    assert percentile_score(0.08, *rates, scale_floor=0.01) == pytest.approx(96.3212, abs=1e-4)


@pytest.mark.parametrize("p", [(-1, 2, 3, 4), (2, 1, 3, 4), (1, 2, 3, np.inf)])
def test_percentiles_that_cannot_be_are_refused(p: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInputError, match=r"ascending|'p90' holds inf"):
        percentile_score(1.0, *p)
    with pytest.raises(InvalidInputError, match="scale_floor"):
        percentile_score(1.0, 1, 2, 3, 4, scale_floor=0.0)


@given(st.floats(0, 800))
def test_the_exponential_is_right_to_the_last_bits(x: float) -> None:
    assert negative_exponential(np.array([x]))[0] == pytest.approx(
        math.exp(-x), rel=1e-15, abs=1e-17
    )
