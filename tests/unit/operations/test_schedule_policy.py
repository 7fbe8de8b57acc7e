from datetime import UTC, datetime, timedelta, timezone

import pytest

from aurastream.operations.schedule_policy import (
    UnfinishedRun,
    day_before,
    decide_tick,
    hour_before,
    window_of,
)

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
TIMEOUT = timedelta(minutes=10)


def _run(minutes_ago: float, run_id: str = "a") -> UnfinishedRun:
    return UnfinishedRun(run_id, NOON - timedelta(minutes=minutes_ago))


def test_a_tick_launches_when_nothing_is_in_progress() -> None:
    assert decide_tick([], now=NOON, timeout=TIMEOUT).launch


@pytest.mark.parametrize("minutes_ago", [0, 4, 10, 19.9])
def test_a_tick_waits_for_a_run_that_may_still_end(minutes_ago: float) -> None:
    assert not decide_tick([_run(minutes_ago)], now=NOON, timeout=TIMEOUT).launch


def test_the_reason_names_the_oldest_live_run_and_its_age() -> None:
    decision = decide_tick([_run(3, "young"), _run(7, "old")], now=NOON, timeout=TIMEOUT)

    assert decision.reason == "run old is still in progress after 7 min"


def test_a_run_created_by_a_clock_ahead_of_ours_is_still_in_progress() -> None:
    decision = decide_tick([_run(-2)], now=NOON, timeout=TIMEOUT)

    assert not decision.launch
    assert decision.reason.endswith("after 0 min")


def test_a_run_stuck_for_two_timeouts_no_longer_silences_the_schedule() -> None:
    decision = decide_tick([_run(20, "b"), _run(90, "a")], now=NOON, timeout=TIMEOUT)

    assert decision.launch
    assert decision.reason == "stuck for two timeouts, not waited for: a, b"


def test_a_stuck_run_does_not_hide_a_live_one() -> None:
    assert not decide_tick([_run(90), _run(1)], now=NOON, timeout=TIMEOUT).launch


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2026, 11, 21, 13, 0, tzinfo=UTC), datetime(2026, 11, 21, 13, 0, tzinfo=UTC)),
        (datetime(2026, 11, 21, 13, 25, tzinfo=UTC), datetime(2026, 11, 21, 13, 0, tzinfo=UTC)),
        (datetime(2026, 11, 21, 13, 30, tzinfo=UTC), datetime(2026, 11, 21, 13, 30, tzinfo=UTC)),
        (
            datetime(2026, 11, 21, 23, 59, 59, 999999, tzinfo=UTC),
            datetime(2026, 11, 21, 23, 30, tzinfo=UTC),
        ),
    ],
)
def test_a_window_is_the_half_hour_a_moment_lies_in(moment: datetime, expected: datetime) -> None:
    assert window_of(moment) == expected


def test_windows_are_utc_whatever_zone_the_moment_is_told_in() -> None:
    kathmandu = timezone(timedelta(hours=5, minutes=45))

    assert window_of(datetime(2026, 11, 21, 5, 50, tzinfo=kathmandu)) == datetime(
        2026, 11, 21, 0, 0, tzinfo=UTC
    )


def test_the_hour_before_midnight_belongs_to_the_day_before() -> None:
    assert hour_before(datetime(2026, 11, 21, 0, 5, tzinfo=UTC)) == datetime(
        2026, 11, 20, 23, 0, tzinfo=UTC
    )


def test_the_day_before_crosses_months() -> None:
    assert day_before(datetime(2026, 12, 1, 0, 15, tzinfo=UTC)) == datetime(
        2026, 11, 30, tzinfo=UTC
    )
