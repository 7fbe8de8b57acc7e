"""Four strategies: what each finds, held against numpy, scipy and pandas; and how they are set."""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from aurastream.core.anomaly_strategies import (
    DEFAULT_STRATEGIES,
    STRATEGIES,
    StrategySetting,
    anomaly_score,
    merge_strategies,
)
from aurastream.core.errors import InvalidInputError

Floats = npt.NDArray[np.float64]
COUNTS = st.lists(st.integers(0, 500_000), min_size=8, max_size=40)


def measured(name: str, now: float, past: list[int]) -> tuple[float, float]:
    found = STRATEGIES[name].measure(np.array([now], float), np.array(past, float)[:, None])
    return float(found.baseline[0]), float(found.z[0])


def floored(spread: float, baseline: float) -> float:
    return max(spread, 0.1 * baseline, 10.0)


def by_zscore(now: float, past: Floats) -> tuple[float, float]:
    mean = float(np.mean(past))
    return mean, (now - mean) / floored(float(stats.tstd(past, ddof=0)), mean)


def by_percent_change(now: float, past: Floats) -> tuple[float, float]:
    mean = float(np.mean(past))
    new, old = max(now, 10.0), max(mean, 10.0)
    percent = (new - old) / old * 100
    return mean, percent / 100 if new >= old else -(old - new) / new


def by_moving_average(now: float, past: Floats) -> tuple[float, float]:
    series = pd.Series(past)
    misses = (series - series.expanding().mean().shift(1)).abs().mean()
    mean = float(series.mean())
    return mean, (now - mean) / floored(float(misses) * math.sqrt(math.pi / 2), mean)


def by_quantile(now: float, past: Floats) -> tuple[float, float]:
    low, median, high = (float(q) for q in np.percentile(past, [5, 50, 95]))
    side = high - median if now >= median else median - low
    return median, (now - median) / floored(side / float(stats.norm.ppf(0.95)), median)


ORACLES: dict[str, Callable[[float, Floats], tuple[float, float]]] = {
    "zscore": by_zscore,
    "percent_change": by_percent_change,
    "moving_average": by_moving_average,
    "quantile": by_quantile,
}


def test_every_strategy_has_an_oracle_and_a_default() -> None:
    assert list(STRATEGIES) == list(ORACLES) == [one.name for one in DEFAULT_STRATEGIES]


@given(past=COUNTS, now=st.integers(0, 500_000))
def test_each_strategy_says_what_its_oracle_says(past: list[int], now: int) -> None:
    for name, oracle in ORACLES.items():
        expected = oracle(now, np.array(past, float))
        assert measured(name, now, past) == pytest.approx(expected, rel=1e-9, abs=1e-9), name


@given(past=COUNTS, fewer=st.integers(0, 500_000), more=st.integers(0, 500_000))
def test_more_viewers_are_never_a_smaller_deviation(past: list[int], fewer: int, more: int) -> None:
    low, high = sorted((fewer, more))
    for name in STRATEGIES:
        baseline, z = measured(name, low, past)
        assert z <= measured(name, high, past)[1]
        at = measured(name, baseline, past)[1]
        assert at == pytest.approx(0, abs=1e-9)


@given(past=COUNTS, now=st.integers(0, 500_000), rows=st.integers(0, 30), others=st.integers(0, 9))
def test_what_is_measured_along_with_a_number_does_not_show_in_its_last_bit(
    past: list[int], now: int, rows: int, others: int
) -> None:
    alone = np.array(past, float)[:, None]
    wide = np.full((len(past) + rows, others + 1), 7.0)
    wide[:, 0] = np.append(past, np.full(rows, np.nan))
    for strategy in STRATEGIES.values():
        one = strategy.measure(np.array([float(now)]), alone)
        among = strategy.measure(np.full(others + 1, float(now)), wide)
        assert (one.baseline[0], one.z[0]) == (among.baseline[0], among.z[0])


def test_a_flat_past_and_a_past_of_nobody_have_a_spread_of_ten_viewers_or_a_tenth() -> None:
    for name in ("zscore", "moving_average", "quantile"):
        assert measured(name, 30, [0] * 8) == (0, 3)
        assert measured(name, 1300, [1000] * 8) == (1000, 3)
        assert measured(name, 0, [0] * 8) == (0, 0)
    assert measured("percent_change", 9, [1] * 8) == (1, 0)
    assert measured("percent_change", 30, [0] * 8) == (0, 2)


def test_a_fall_to_a_third_is_as_far_as_a_growth_to_three_times() -> None:
    assert measured("percent_change", 300, [100] * 4)[1] == pytest.approx(2)
    assert measured("percent_change", 100, [300] * 4)[1] == pytest.approx(-2)


def test_steady_growth_is_less_of_an_anomaly_to_the_moving_average_than_to_the_others() -> None:
    growing = [100 * n for n in range(1, 9)]
    assert measured("moving_average", 900, growing)[1] < measured("zscore", 900, growing)[1]


@given(z=st.floats(allow_nan=False), threshold=st.floats(1e-3, 1e6))
def test_the_score_is_the_logistic_function_of_what_lies_beyond_the_threshold(
    z: float, threshold: float
) -> None:
    [score] = anomaly_score([z], threshold)
    assert 0 <= score <= 100
    assert score == pytest.approx(100 * special.expit(abs(z) - threshold), rel=1e-9, abs=1e-290)
    assert (score >= 50) == (abs(z) >= threshold) or score == pytest.approx(50)
    assert score == anomaly_score([-z], threshold)[0]
    assert score <= anomaly_score([abs(z) * 1.5 + 1], threshold)[0]


def test_the_defaults_are_those_of_the_sources_where_they_have_any() -> None:
    found = {one.name: (one.threshold, one.lookback, one.enabled) for one in DEFAULT_STRATEGIES}
    assert found["zscore"] == (2.5, timedelta(minutes=60), True)
    assert found["percent_change"] == (200, timedelta(minutes=30), True)
    assert DEFAULT_STRATEGIES[1].threshold_z == 2


CHANGES = st.fixed_dictionaries(
    {"name": st.sampled_from(list(STRATEGIES))},
    optional={
        "enabled": st.booleans(),
        "threshold": st.floats(0.1, 500),
        "lookback_minutes": st.integers(1, 1440),
    },
)


@given(st.lists(CHANGES, unique_by=lambda change: change["name"]))
def test_a_change_changes_what_it_names_and_nothing_else(changes: list[dict[str, Any]]) -> None:
    merged = merge_strategies(DEFAULT_STRATEGIES, changes)
    assert merged == merge_strategies(DEFAULT_STRATEGIES, changes[::-1])
    assert merged == merge_strategies(merged, changes)
    by_name = {change["name"]: change for change in changes}
    for before, after in zip(DEFAULT_STRATEGIES, merged, strict=True):
        change = by_name.get(before.name, {})
        assert after.name == before.name
        assert after.enabled == change.get("enabled", before.enabled)
        assert after.threshold == change.get("threshold", before.threshold)
        minutes = change.get("lookback_minutes", before.lookback / timedelta(minutes=1))
        assert after.lookback == timedelta(minutes=minutes)


def test_a_strategy_that_was_taken_out_comes_back_with_its_defaults() -> None:
    only = (StrategySetting("quantile", 4.0, timedelta(hours=3)),)
    assert merge_strategies(only, [{"name": "zscore"}]) == (DEFAULT_STRATEGIES[0], *only)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([{"name": "arima"}], "There is no anomaly strategy 'arima'"),
        ([{"threshold": 3.0}], "names no strategy"),
        ([{"name": "zscore", "lookback": 5}], "has no 'lookback'"),
        ([{"name": "zscore"}, {"name": "zscore"}], "changed twice"),
        ([{"name": "zscore", "threshold": 0}], "threshold of zscore is 0"),
        ([{"name": "zscore", "threshold": math.nan}], "threshold of zscore is nan"),
        ([{"name": "zscore", "threshold": "3"}], "'threshold' of an anomaly strategy is '3'"),
        ([{"name": "zscore", "threshold": True}], "is True"),
        ([{"name": "zscore", "enabled": 1}], "'enabled' of an anomaly strategy is 1"),
        ([{"name": "zscore", "lookback_minutes": 1441}], "at most 1440 min"),
        ([{"name": "zscore", "lookback_minutes": math.inf}], "inf minutes"),
        ([{"name": None}], "'name' of an anomaly strategy is None"),
    ],
)
def test_a_change_that_cannot_be_is_refused(changes: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        merge_strategies(DEFAULT_STRATEGIES, changes)


def test_settings_that_hold_a_strategy_twice_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="set twice"):
        merge_strategies((*DEFAULT_STRATEGIES, DEFAULT_STRATEGIES[0]), [])
