import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.trend import CLASS_NAMES, TrendClass, TrendParams, trend_classes

ORDER = ["FALLING", "STABLE", "RISING", "VIRAL"]


@pytest.mark.parametrize(
    ("velocity", "name"),
    [
        (0.0, "FALLING"),
        (9.999, "FALLING"),
        (10.0, "STABLE"),
        (29.999, "STABLE"),
        (30.0, "RISING"),
        (39.999, "RISING"),
        (40.0, "VIRAL"),
        (1e9, "VIRAL"),
        (np.nan, "UNKNOWN"),
    ],
)
def test_a_threshold_belongs_to_the_hotter_class(velocity: float, name: str) -> None:
    assert trend_classes(velocity, 10, 30, 40, 20).tolist() == [name]


def test_too_few_samples_or_no_percentiles_name_no_class() -> None:
    assert trend_classes(50.0, 10, 30, 40, 19).tolist() == ["UNKNOWN"]
    assert trend_classes(50.0, np.nan, np.nan, np.nan, 99).tolist() == ["UNKNOWN"]
    assert trend_classes(50.0, 10, 30, 40, 5, params=TrendParams(min_sample=5)).tolist() == [
        "VIRAL"
    ]


def test_a_velocity_that_half_of_a_category_shares_does_not_stand_out() -> None:
    assert trend_classes([0.0, 1.0, 5.0], 0, 0, 5, 30).tolist() == ["STABLE", "RISING", "VIRAL"]


def test_nothing_stands_out_in_a_flat_category() -> None:
    assert trend_classes([6.0, 7.0, 8.0], 7, 7, 7, 99).tolist() == ["FALLING", "STABLE", "VIRAL"]


@given(
    st.lists(st.floats(0, 1e9), min_size=2, max_size=20),
    st.lists(st.floats(0, 1e9), min_size=3, max_size=3).map(sorted),
)
def test_a_faster_video_is_never_in_a_colder_class(
    velocities: list[float], thresholds: list[float]
) -> None:
    names = trend_classes(sorted(velocities), *thresholds, 99)
    ranks = [ORDER.index(name) for name in names]
    assert ranks == sorted(ranks)


@given(
    st.lists(st.none() | st.integers(0, 5), max_size=12),
    st.lists(st.integers(0, 5), min_size=3, max_size=3).map(sorted),
    st.integers(0, 40),
)
def test_the_class_is_how_many_thresholds_a_velocity_reaches(
    velocities: list[int | None], thresholds: list[int], sample: int
) -> None:
    expected = []
    for value in velocities:
        if value is None or sample < 20:
            expected.append("UNKNOWN")
        elif {value} == set(thresholds):
            expected.append("STABLE")
        else:
            expected.append(ORDER[sum(value >= limit for limit in thresholds)])

    assert trend_classes(velocities, *thresholds, sample).tolist() == expected


def test_the_names_of_the_codes_are_the_classes() -> None:
    assert set(CLASS_NAMES) == {member.value for member in TrendClass}
