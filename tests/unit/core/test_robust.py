import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.robust import iqr_fence, linear_percentiles, remove_outliers, z_score

samples = st.lists(st.floats(0, 1e9, allow_nan=False), min_size=1, max_size=60)
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)


@given(samples)
def test_percentiles_are_numpys_bit_for_bit(values: list[float]) -> None:
    expected = np.percentile(values, [100 * q for q in QUANTILES], method="linear")
    assert linear_percentiles(values, QUANTILES).tolist() == pytest.approx(
        expected.tolist(), rel=1e-15
    )


@given(samples.filter(lambda v: len(v) >= 4), st.sampled_from([1.5, 3.0]))
def test_the_fence_is_built_on_scipys_interquartile_range(values: list[float], k: float) -> None:
    lower, upper = iqr_fence(values, k)
    p25, p75 = np.percentile(values, [25, 75])
    reach = k * scipy.stats.iqr(values)
    assert (lower, upper) == pytest.approx((p25 - reach, p75 + reach), rel=1e-12, abs=1e-6)


@given(samples)
def test_outliers_leave_in_order_and_never_the_middle(values: list[float]) -> None:
    kept = remove_outliers(values).tolist()
    rest = iter(values)
    assert all(value in rest for value in kept)  # a subsequence
    assert len(kept) * 2 >= len(values)


@given(samples.filter(lambda v: len(v) < 4))
def test_fewer_than_four_values_pass_through(values: list[float]) -> None:
    assert remove_outliers(values).tolist() == values


@given(samples, st.randoms())
def test_the_order_of_a_sample_does_not_matter(
    values: list[float], random: "np.random.Generator"
) -> None:
    shuffled = list(values)
    random.shuffle(shuffled)
    assert (
        linear_percentiles(shuffled, QUANTILES).tolist()
        == linear_percentiles(values, QUANTILES).tolist()
    )


def test_z_is_scipys_and_zero_without_spread() -> None:
    values = np.array([1.0, 4.0, 4.0, 9.0])
    assert z_score(values, values.mean(), values.std()) == pytest.approx(scipy.stats.zscore(values))
    assert z_score([3.0, np.nan], 1.0, [0.0, 0.0]).tolist()[0] == 0.0
    assert np.isnan(z_score(np.nan, 1.0, 0.0))


def test_a_quantile_outside_0_to_1_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"0\.9"):
        linear_percentiles([1.0], (90,))
