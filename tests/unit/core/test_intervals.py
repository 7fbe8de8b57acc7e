import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.intervals import two_sided_z, wilson_interval


@given(st.integers(0, 200), st.integers(1, 200), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_interval_of_a_share_is_scipys(hits: int, more: int, confidence: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    trials = hits + more - 1 or 1
    expected = stats.binomtest(min(hits, trials), trials).proportion_ci(confidence, "wilson")
    low, high = wilson_interval(min(hits, trials), trials, confidence=confidence)
    assert (low.item(), high.item()) == pytest.approx((expected.low, expected.high), abs=1e-12)


@given(st.floats(0.01, 0.98))
def test_more_confidence_reaches_further(confidence: float) -> None:
    assert 0 < two_sided_z(confidence) < two_sided_z(confidence + 0.01)


@given(st.floats(0.01, 0.99))
def test_the_z_of_a_confidence_leaves_the_rest_outside_by_halves(confidence: float) -> None:
    outside = math.erfc(two_sided_z(confidence) / math.sqrt(2))
    assert outside == pytest.approx(1 - confidence, rel=1e-9)


def test_impossible_counts_and_confidences_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="Hits"):
        wilson_interval(2, 1)
    with pytest.raises(InvalidInputError, match="confidence"):
        two_sided_z(95)
