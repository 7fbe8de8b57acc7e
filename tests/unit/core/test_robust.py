import statistics
from fractions import Fraction

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
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


# A spread below a billionth is none of anything counted, and its quotients are not numbers.
moments = st.none() | st.floats(-1e9, 1e9).map(lambda number: round(number, 9))


@given(st.lists(st.tuples(moments, moments, moments), max_size=8))
def test_z_is_the_exact_quotient_of_fractions(rows: list[tuple[float | None, ...]]) -> None:
    expected = []
    for value, mean, std in rows:
        if value is None or std is None or (mean is None and std > 0):
            expected.append(np.nan)
        elif std <= 0:
            expected.append(0.0)
        else:
            exact = (Fraction(value) - Fraction(mean or 0)) / Fraction(std)
            expected.append(float(exact))
    columns = [[row[at] for row in rows] for at in range(3)]

    found = z_score(*columns)

    assert found.tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12, nan_ok=True)
    doubled = z_score(*([None if v is None else 2 * v for v in column] for column in columns))
    np.testing.assert_array_equal(doubled, found)


@given(samples, st.sampled_from([0.0, 1.5, 3.0]))
def test_what_stays_is_what_the_fence_of_the_statistics_module_holds(
    values: list[float], k: float
) -> None:
    kept = values
    if len(values) >= 4:
        p25, _, p75 = statistics.quantiles(values, n=4, method="inclusive")
        reach = k * (p75 - p25)
        edges = (p25 - reach, p75 + reach)
        assume(all(abs(v - edge) > 1e-6 or v in (p25, p75) for v in values for edge in edges))
        kept = [value for value in values if edges[0] <= value <= edges[1]]

    assert remove_outliers(values, k).tolist() == kept


def test_a_quantile_outside_0_to_1_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"0\.9"):
        linear_percentiles([1.0], (90,))
