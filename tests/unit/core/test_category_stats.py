from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.category_stats import CategoryStatsParams, category_stats
from aurastream.core.errors import InvalidInputError

Build = Callable[..., pd.DataFrame]
DEFAULTS = {"gaming": 777.0}


def test_percentiles_keep_outliers_and_moments_leave_them_out(velocity_rows: Build) -> None:
    values = [*np.arange(1.0, 40.0), 10_000.0]
    found = category_stats(velocity_rows(values), default_baselines=DEFAULTS).iloc[0]
    expected = np.percentile(values, [25, 50, 75, 90])
    names = ("velocity_p25", "velocity_p50", "velocity_p75", "velocity_p90")
    assert [found[name] for name in names] == pytest.approx(expected.tolist())
    assert found["outlier_count"] == 1
    assert found["velocity_mean"] == pytest.approx(20.0)
    assert found["velocity_std"] == pytest.approx(np.arange(1.0, 40.0).std())
    assert found["sample_count"] == 40


@pytest.mark.parametrize(("n", "source"), [(29, "default"), (30, "dynamic")])
def test_the_baseline_is_learned_from_30_velocities_on(
    velocity_rows: Build, n: int, source: str
) -> None:
    values = np.arange(n, dtype=np.float64) ** 2
    rows = velocity_rows([*values, None, None])
    found = category_stats(rows, default_baselines=DEFAULTS).iloc[0]
    p25, p75 = np.percentile(values, [25, 75])
    learned = np.median(values[(values >= p25) & (values <= p75)])
    assert found["baseline_source"] == source
    assert found["baseline_velocity_per_hour"] == (learned if source == "dynamic" else 777.0)
    assert found["sample_count"] == n + 2


def test_a_category_without_a_default_of_its_own_takes_the_general_one(
    velocity_rows: Build,
) -> None:
    found = category_stats(velocity_rows([1.0]), default_baselines={}).iloc[0]
    assert found["baseline_velocity_per_hour"] == 1000.0
    params = CategoryStatsParams(default_baseline=5.0)
    other = category_stats(velocity_rows([1.0]), default_baselines={}, params=params).iloc[0]
    assert other["baseline_velocity_per_hour"] == 5.0


def test_one_video_is_its_own_statistics(velocity_rows: Build) -> None:
    found = category_stats(velocity_rows([42.0]), default_baselines=DEFAULTS).iloc[0]
    assert found["velocity_p25"] == found["velocity_p90"] == found["velocity_mean"] == 42.0
    assert found["velocity_std"] == 0.0
    assert found["outlier_count"] == 0


def test_equal_values_have_no_spread_and_no_outliers(velocity_rows: Build) -> None:
    found = category_stats(velocity_rows([7.0] * 50), default_baselines=DEFAULTS).iloc[0]
    assert (found["velocity_p25"], found["velocity_p90"], found["velocity_std"]) == (7.0, 7.0, 0.0)
    assert found["baseline_velocity_per_hour"] == 7.0
    assert found["outlier_count"] == 0


def test_nulls_do_not_count_and_nothing_known_is_null(velocity_rows: Build) -> None:
    rows = velocity_rows([None, None], views=[10, None], engagement=[None, None])
    found = category_stats(rows, default_baselines=DEFAULTS).iloc[0]
    assert np.isnan(found["velocity_mean"])
    assert np.isnan(found["engagement_p50"])
    assert found["views_p50"] == 10.0
    assert found["sample_count"] == 2


def test_each_category_of_each_window_is_described_by_itself(velocity_rows: Build) -> None:
    parts = [
        velocity_rows([float(10 * k + i) for i in range(5)], category=category, window=window)
        for k, (window, category) in enumerate(
            [
                ("2026-01-10T11:00", "b"),
                ("2026-01-10T10:00", "b"),
                ("2026-01-10T11:00", "a"),
            ]
        )
    ]
    found = category_stats(pd.concat(parts).sample(frac=1, random_state=2), default_baselines={})
    assert found["category"].tolist() == ["b", "a", "b"]
    assert found["velocity_p50"].tolist() == [12.0, 22.0, 2.0]
    assert found["window_start"].is_monotonic_increasing


@given(
    st.lists(st.none() | st.floats(0, 1e9), min_size=1, max_size=60),
    st.integers(0, 2**32 - 1),
)
def test_rows_in_any_order_give_the_same_bits(
    velocity_rows: Build, velocities: list[float | None], seed: int
) -> None:
    rows = velocity_rows(velocities)
    shuffled = rows.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(
        category_stats(shuffled, default_baselines=DEFAULTS),
        category_stats(rows, default_baselines=DEFAULTS),
        check_exact=True,
    )


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=60))
def test_percentiles_ascend_and_the_baseline_lies_among_them(
    velocity_rows: Build, velocities: list[float]
) -> None:
    params = CategoryStatsParams(min_baseline_sample=1)
    rows = velocity_rows(velocities)
    found = category_stats(rows, default_baselines=DEFAULTS, params=params).iloc[0]
    p25, p50, p75, p90 = (found[f"velocity_{p}"] for p in ("p25", "p50", "p75", "p90"))
    assert min(velocities) <= p25 <= p50 <= p75 <= p90 <= max(velocities)
    assert min(velocities) <= found["baseline_velocity_per_hour"] <= max(velocities)
    assert 0 <= found["outlier_count"] <= len(velocities) / 2
    assert found["velocity_std"] >= 0


@pytest.mark.parametrize("column", ["lifetime_velocity_per_hour", "views", "engagement_rate"])
def test_impossible_values_and_missing_columns_are_refused(
    velocity_rows: Build, column: str
) -> None:
    rows = velocity_rows([1.0, 2.0])
    with pytest.raises(InvalidInputError, match=rf"'{column}'.*holds -1"):
        category_stats(rows.assign(**{column: -1.0}), default_baselines={})
    with pytest.raises(InvalidInputError, match=rf"'{column}'.*holds inf"):
        category_stats(rows.assign(**{column: np.inf}), default_baselines={})
    with pytest.raises(InvalidInputError, match=f"no column '{column}'"):
        category_stats(rows.drop(columns=column), default_baselines={})
    with pytest.raises(InvalidInputError, match=r"'category'.*missing"):
        category_stats(rows.assign(category=None), default_baselines={})
