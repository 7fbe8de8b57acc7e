"""Counters between observations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator

from aurastream.replay.archive import load_archive
from aurastream.replay.series import MISSING, build_series, pchip_slopes

HOUR = 3600
NAN = float("nan")


def _one(published: int, seen: list[tuple[int, float, float, float]]) -> object:
    columns = np.array(seen, dtype=float).T
    return build_series(
        np.array([published]),
        np.zeros(len(seen), dtype=np.int64),
        columns[0].astype(np.int64),
        columns[1:],
    )


def _curve(series, moments, counter: int = 0) -> list[int]:
    return [int(series.at(np.array([0]), moment)[0, counter]) for moment in moments]


@given(st.lists(st.tuples(st.integers(60, 10**6), st.integers(0, 10**9)), min_size=3, max_size=30))
def test_slopes_are_those_of_scipy(points: list[tuple[int, int]]) -> None:
    times = np.cumsum([step for step, _ in points]).astype(float)
    values = np.array([value for _, value in points], dtype=float)
    ours = pchip_slopes(times, values, np.array([0, times.size]))
    theirs = PchipInterpolator(times, values).derivative()(times)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def test_a_series_passes_through_every_observation_and_starts_at_zero() -> None:
    seen = [(10 * HOUR, 1000.0, 50.0, 5.0), (34 * HOUR, 1700.0, 60.0, 6.0)]
    series = _one(0, seen)
    assert _curve(series, [0, 10 * HOUR, 34 * HOUR]) == [0, 1000, 1700]
    assert _curve(series, [10 * HOUR, 34 * HOUR], 1) == [50, 60]
    assert _curve(series, [-5, -HOUR]) == [0, 0]


def test_growth_decays_after_the_last_observation_and_never_turns() -> None:
    series = _one(0, [(10 * HOUR, 1000.0, 1.0, 1.0), (20 * HOUR, 2000.0, 1.0, 1.0)])
    days = _curve(series, [(20 + 24 * n) * HOUR for n in range(30)])
    steps = np.diff(days)
    assert (steps >= 0).all()
    assert steps[0] > steps[3] > steps[10]
    assert steps[-1] <= 1


def test_a_real_fall_keeps_falling_and_does_not_overshoot() -> None:
    series = _one(
        0, [(10 * HOUR, 9000.0, 9.0, 9.0), (34 * HOUR, 8000.0, 9.0, 9.0), (58 * HOUR, 9500.0, 9, 9)]
    )
    fall = _curve(series, range(10 * HOUR, 34 * HOUR + 1, HOUR))
    assert fall == sorted(fall, reverse=True)
    assert (fall[0], fall[-1]) == (9000, 8000)
    rise = _curve(series, range(34 * HOUR, 58 * HOUR + 1, HOUR))
    assert rise == sorted(rise)


def test_a_fall_at_the_end_stays_where_it_ended() -> None:
    series = _one(0, [(10 * HOUR, 9000.0, 9.0, 9.0), (34 * HOUR, 8000.0, 9.0, 9.0)])
    assert _curve(series, [34 * HOUR, 60 * HOUR, 900 * HOUR]) == [8000, 8000, 8000]


def test_a_counter_is_missing_from_the_observation_that_lacks_it_to_the_next() -> None:
    series = _one(
        0,
        [
            (10 * HOUR, 100.0, 10.0, NAN),
            (20 * HOUR, 200.0, NAN, NAN),
            (30 * HOUR, 300.0, 30.0, 3.0),
        ],
    )
    assert _curve(series, [HOUR, 12 * HOUR, 25 * HOUR, 30 * HOUR], 2) == [MISSING] * 3 + [3]
    likes = _curve(series, [5 * HOUR, 10 * HOUR, 21 * HOUR, 30 * HOUR, 40 * HOUR], 1)
    assert likes[2] == MISSING
    assert likes[1] == 10
    assert likes[3] == 30
    assert MISSING not in likes[:2] + likes[3:]


def test_a_counter_never_seen_is_always_missing() -> None:
    series = _one(0, [(10 * HOUR, 100.0, NAN, NAN), (20 * HOUR, 200.0, NAN, NAN)])
    assert _curve(series, [HOUR, 15 * HOUR, 99 * HOUR], 1) == [MISSING] * 3


def test_the_archive_is_reproduced_at_every_observation() -> None:
    series = load_archive().series
    count = series.starts.size - 1
    for knot in (-1, -2):
        chosen = np.flatnonzero(np.diff(series.starts) > 3 - knot)
        for video in chosen[:: max(1, chosen.size // 400)].tolist():
            place = series.starts[video + 1] + knot
            now = series.at(np.array([video]), float(series.times[place]))[0]
            stored = series.curves[place, 0]
            shown = np.where(series.hidden[place], MISSING, stored)
            assert now.tolist() == shown.astype(int).tolist()
    assert count > 17_000


@pytest.mark.parametrize("seed", range(3))
def test_counters_of_the_archive_never_fall_where_the_observations_do_not(seed: int) -> None:
    series = load_archive().series
    rising = np.ones(series.starts.size - 1, dtype=bool)
    steps = np.diff(series.curves[:, 0, 0])
    owner = np.repeat(np.arange(rising.size), np.diff(series.starts))
    rising[owner[:-1][(steps < 0) & (owner[1:] == owner[:-1])]] = False
    videos = np.random.default_rng(seed).choice(np.flatnonzero(rising), 500, replace=False)
    start = int(series.times[series.starts[videos]].min())
    before = np.zeros(videos.size, dtype=np.int64)
    for moment in range(start, start + 100 * 86_400, 7 * HOUR + 13):
        now = series.at(videos, moment)[:, 0]
        assert (now >= before).all()
        before = now
    assert 0 < (~rising).sum() < 0.02 * rising.size, "real falls are rare, and are kept"
