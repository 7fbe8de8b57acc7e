from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from aurastream.operations.late_data import (
    Scoring,
    StaleRange,
    late_windows,
    stale_rollups,
    tries_of_due,
)
from aurastream.store.deliveries import Delivery

MIDNIGHT = datetime(2026, 11, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG_AFTER = MIDNIGHT + timedelta(days=2)


def _at(hour: float) -> datetime:
    return MIDNIGHT + timedelta(hours=hour)


def _stale(
    parts: dict[datetime, int],
    rollups: dict[datetime, int],
    settled_before: datetime = LONG_AFTER,
) -> list[StaleRange]:
    return stale_rollups(
        parts, rollups, origin=MIDNIGHT, period=HOUR, settled_before=settled_before
    )


def test_a_rollup_newer_than_its_parts_is_left_alone() -> None:
    assert _stale({_at(3): 1, _at(3.5): 2}, {_at(3): 3}) == []


def test_one_late_part_makes_its_rollup_stale() -> None:
    assert _stale({_at(3): 1, _at(3.5): 9}, {_at(3): 3}) == [StaleRange(_at(3), _at(3), 9)]


def test_a_missing_rollup_is_stale() -> None:
    assert _stale({_at(3): 1}, {}) == [StaleRange(_at(3), _at(3), 1)]


def test_a_rollup_without_parts_is_nobodys_business() -> None:
    assert _stale({}, {_at(3): 3}) == []


def test_neighbours_are_joined_and_gaps_split() -> None:
    parts = {_at(1): 11, _at(2): 12, _at(4): 14}

    assert _stale(parts, {}) == [StaleRange(_at(1), _at(2), 12), StaleRange(_at(4), _at(4), 14)]


def test_a_fresh_rollup_between_stale_ones_splits_the_range() -> None:
    ranges = _stale({_at(1): 11, _at(2): 12, _at(3): 13}, {_at(2): 99})

    assert [(r.first, r.last) for r in ranges] == [(_at(1), _at(1)), (_at(3), _at(3))]


def test_a_period_that_has_not_settled_waits_for_its_schedule() -> None:
    parts = {_at(1): 11, _at(2): 12}

    assert _stale(parts, {}, settled_before=_at(2)) == [StaleRange(_at(1), _at(1), 11)]


@given(
    parts=st.dictionaries(st.integers(0, 47), st.integers(1, 500)),
    rollups=st.dictionaries(st.integers(0, 23), st.integers(1, 500)),
)
def test_rolling_up_what_was_stale_leaves_nothing_stale(
    parts: dict[int, int], rollups: dict[int, int]
) -> None:
    windows = {_at(n / 2): storage_id for n, storage_id in parts.items()}
    hours = {_at(n): storage_id for n, storage_id in rollups.items()}

    for late in _stale(windows, hours):
        hour = late.first
        while hour <= late.last:
            hours[hour] = 1_000
            hour += HOUR

    assert _stale(windows, hours) == []


def _delivery(name: str, first: float, came: float) -> Delivery:
    return Delivery(name, _at(came), _at(first), _at(first))


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 40)), max_size=8),
    st.integers(0, 140),
    st.randoms(use_true_random=False),
)
def test_every_window_that_lacked_a_row_is_scored_again_in_one_range(
    made: list[tuple[int, int]], now: int, random: Random
) -> None:
    deliveries = [
        _delivery(str(n), quarter / 4, (quarter + after) / 4)
        for n, (quarter, after) in enumerate(made)
    ]
    found = late_windows(deliveries, origin=MIDNIGHT, now=_at(now / 4))
    random.shuffle(deliveries)

    assert late_windows(deliveries, origin=MIDNIGHT, now=_at(now / 4)) == found
    for one, other in pairwise(found):
        assert one.last + HOUR / 2 < other.first
    for late in found:
        assert late.last < _at(now / 4)
    over = [d for d in deliveries if d.delivered_at + HOUR / 2 <= _at(now / 4)]
    for item in over:
        assert any(r.first <= item.first_at and item.delivery_id in r.deliveries for r in found)


def test_what_came_before_the_first_window_that_can_be_scored_is_left() -> None:
    late = _delivery("a", -50, -40)

    assert late_windows([late], origin=MIDNIGHT, now=LONG_AFTER) == []


def _asked(succeeds: int | None, lasts: timedelta) -> list[float]:
    """Return when, in minutes after it came, a delivery's runs are asked for in two days."""
    late = _delivery("a", 1, 3)
    runs: list[Scoring] = []
    asked = []
    for minute in range(30, 2 * 24 * 60):
        now = late.delivered_at + timedelta(minutes=minute)
        if runs and now < runs[-1].ended_at:  # the sensor waits for a run in progress
            continue
        if late in tries_of_due([late], runs, origin=MIDNIGHT, now=now):
            asked.append(minute)
            done = len(asked) == succeeds
            runs.append(Scoring(_at(1), _at(3), now, now + lasts, succeeded=done))
    return asked


def test_a_run_that_never_succeeds_is_asked_for_four_times_each_after_a_longer_pause() -> None:
    assert _asked(None, timedelta()) == [30, 40, 100, 460]


def test_a_pause_begins_when_the_run_is_over() -> None:
    assert _asked(None, timedelta(minutes=20)) == [30, 60, 140, 520]


def test_nothing_is_asked_for_after_the_run_that_succeeded() -> None:
    assert _asked(1, timedelta(minutes=5)) == [30]
    assert _asked(3, timedelta()) == [30, 40, 100]
