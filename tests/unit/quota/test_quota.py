"""Quota days, prices and the forecast."""

import datetime as dt
from random import Random
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.quota import (
    PROFILES,
    cost_table,
    estimate_units,
    forecast,
    next_reset,
    quota_date,
    quota_day,
    quota_statuses,
)

NOW = dt.datetime(2026, 11, 21, 20, tzinfo=dt.UTC)
instants = st.datetimes(
    dt.datetime(2024, 1, 1),  # noqa: DTZ001 # hypothesis attaches the zone
    dt.datetime(2030, 1, 1),  # noqa: DTZ001 # hypothesis attaches the zone
    timezones=st.just(dt.UTC),
)


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        (dt.date(2026, 3, 8), 23),  # clocks go forward
        (dt.date(2026, 11, 1), 25),  # clocks go back
        (dt.date(2026, 11, 21), 24),
    ],
)
def test_a_quota_day_is_as_long_as_the_day_in_los_angeles(day: dt.date, hours: int) -> None:
    start, end = quota_day(day)
    assert (end - start) == dt.timedelta(hours=hours)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-03-08T07:59:59Z", dt.date(2026, 3, 7)),
        ("2026-03-08T08:00:00Z", dt.date(2026, 3, 8)),
        ("2026-03-09T06:59:59Z", dt.date(2026, 3, 8)),
        ("2026-03-09T07:00:00Z", dt.date(2026, 3, 9)),
        ("2026-11-01T06:59:59Z", dt.date(2026, 10, 31)),
        ("2026-11-01T07:00:00Z", dt.date(2026, 11, 1)),
        ("2026-11-02T07:59:59Z", dt.date(2026, 11, 1)),
        ("2026-11-02T08:00:00Z", dt.date(2026, 11, 2)),
    ],
)
def test_the_quota_date_turns_at_pacific_midnight_on_days_when_clocks_change(
    instant: str, day: dt.date
) -> None:
    assert quota_date(dt.datetime.fromisoformat(instant)) == day


@given(instants)
def test_every_instant_lies_in_its_quota_day_and_before_the_next_reset(at: dt.datetime) -> None:
    start, end = quota_day(quota_date(at))
    assert start <= at < end == next_reset(at)
    assert quota_date(end) == quota_date(at) + dt.timedelta(days=1)


@given(instants, st.sampled_from(["Asia/Tokyo", "America/New_York", "Pacific/Auckland"]))
def test_the_quota_date_does_not_depend_on_the_zone_of_the_instant(
    at: dt.datetime, zone: str
) -> None:
    assert quota_date(at.astimezone(ZoneInfo(zone))) == quota_date(at)


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no time zone"):
        quota_date(dt.datetime(2026, 1, 1))  # noqa: DTZ001 # the fault under test


def test_search_has_a_bucket_of_its_own_since_june_2026() -> None:
    before = cost_table("granular_2026", dt.datetime(2026, 6, 1, 6, 59, tzinfo=dt.UTC))
    after = cost_table("granular_2026", dt.datetime(2026, 6, 1, 7, 0, tzinfo=dt.UTC))
    assert (before.cost("search.list").bucket, before.cost("search.list").units) == (
        "youtube.default",
        100,
    )
    assert (after.cost("search.list").bucket, after.cost("search.list").units) == (
        "youtube.search",
        1,
    )
    assert after.bucket("search.list").daily_limit == 100
    assert after.bucket("videos.batchGetStats").daily_limit == 10_000
    assert after.bucket("videos.list").daily_limit == 10_000


def test_the_legacy_profile_never_changes_its_prices() -> None:
    assert cost_table("legacy_units", NOW).cost("search.list").units == 100
    assert cost_table("legacy_units", NOW).bucket("search.list").daily_limit == 10_000


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_searches_stay_below_the_platforms_own_limit(profile: str) -> None:
    for table in PROFILES[profile]:
        cost = table.cost("search.list")
        limit = table.bucket("search.list").daily_limit
        assert cost.calls_per_day is not None
        assert limit is not None
        assert cost.calls_per_day <= 80
        assert cost.calls_per_day * cost.units < limit


def test_an_endpoint_without_a_price_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInputError, match=r"videos\.list"):
        cost_table("granular_2026", NOW).cost("captions.download")


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidInputError, match="granular_2026, legacy_units"):
        cost_table("free", NOW)


def test_twitch_calls_have_a_price_but_no_daily_limit() -> None:
    assert cost_table("granular_2026", NOW).bucket("streams").daily_limit is None


@given(st.integers(0, 100_000))
def test_an_estimate_covers_every_batch_and_one_list_call(videos: int) -> None:
    assert (estimate_units(videos) - 1) * 50 >= videos > (estimate_units(videos) - 2) * 50


def test_fifty_videos_cost_two_units_not_three() -> None:
    assert estimate_units(50) == 2


def test_a_negative_number_of_videos_is_refused() -> None:
    with pytest.raises(InvalidInputError):
        estimate_units(-1)


def _hourly(units: int, hours: int, until: dt.datetime = NOW) -> "pd.Series[int]":
    index = pd.date_range(end=until, periods=hours, freq="h")
    return pd.Series([units] * hours, index=index)


def test_nothing_used_is_forecast_as_nothing_used() -> None:
    seen = forecast(pd.Series([], dtype="int64"), NOW, limit=100)
    assert (seen.used, seen.projected, seen.exhausts_at, seen.remaining) == (0, 0.0, None, 100)
    assert seen.stretch == 1.0


def test_a_steady_use_runs_dry_at_the_time_arithmetic_says() -> None:
    usage = pd.Series(
        [100] * 60, index=pd.date_range(end=NOW, periods=60, freq="6min", inclusive="both")
    )
    seen = forecast(usage, NOW, limit=10_000)
    assert seen.rate_per_hour == pytest.approx(6000 / 5.9)
    assert seen.exhausts_at == NOW + dt.timedelta(hours=4000 / seen.rate_per_hour)
    assert seen.stretch == pytest.approx(seen.rate_per_hour * 12 / 4000)


def test_use_before_the_reset_tells_the_rate_but_is_not_counted() -> None:
    just_after = dt.datetime(2026, 11, 21, 8, 30, tzinfo=dt.UTC)
    seen = forecast(_hourly(600, 6, just_after), just_after, limit=10_000)
    assert seen.used == 600
    assert seen.exhausts_at is not None
    assert seen.exhausts_at < seen.resets_at


def test_a_burst_at_the_start_is_not_taken_for_a_habit() -> None:
    seen = forecast(pd.Series([300], index=pd.DatetimeIndex([NOW])), NOW, limit=10_000)
    assert seen.rate_per_hour == 300


def test_a_used_up_bucket_is_exhausted_now_and_asks_for_endless_stretch() -> None:
    seen = forecast(_hourly(5000, 3), NOW, limit=10_000)
    assert seen.remaining == 0
    assert seen.exhausts_at == NOW
    assert seen.stretch == float("inf")


def test_later_entries_do_not_count() -> None:
    usage = pd.Series([50, 70], index=pd.DatetimeIndex([NOW, NOW + dt.timedelta(minutes=1)]))
    assert forecast(usage, NOW, limit=1000).used == 50


def test_usage_without_a_zone_is_refused() -> None:
    usage = pd.Series([1], index=pd.DatetimeIndex(["2026-11-21"]))
    with pytest.raises(InvalidInputError, match="time zone"):
        forecast(usage, NOW, limit=10)


calls = st.lists(st.tuples(st.integers(0, 40 * 3600), st.integers(0, 500)), min_size=1, max_size=40)


@given(calls, st.randoms(use_true_random=False))
def test_the_forecast_does_not_depend_on_the_order_of_calls(
    calls: list[tuple[int, int]], random: Random
) -> None:
    def series(items: list[tuple[int, int]]) -> pd.Series:
        at = pd.DatetimeIndex([NOW - dt.timedelta(seconds=s) for s, _ in items])
        return pd.Series([u for _, u in items], index=at)

    shuffled = list(calls)
    random.shuffle(shuffled)
    first = forecast(series(calls), NOW, limit=10_000)
    assert first == forecast(series(shuffled), NOW, limit=10_000)
    assert first.projected >= first.used >= 0
    assert (first.exhausts_at is not None) == (
        first.used >= first.limit or first.projected > first.limit
    )
    if first.exhausts_at is not None:
        assert NOW <= first.exhausts_at <= first.resets_at


def test_the_status_has_a_line_for_every_daily_bucket_and_obeys_a_refusal() -> None:
    usage = pd.DataFrame(
        {
            "bucket": ["youtube.default", "youtube.search", "twitch.helix"],
            "at": [NOW, NOW, NOW],
            "units": [2500, 3, 40],
        }
    )
    lines = quota_statuses(cost_table("granular_2026", NOW), usage, NOW, refused=["youtube.search"])
    assert [(s.bucket, s.used, s.remaining, s.is_exhausted) for s in lines] == [
        ("youtube.batch_stats", 0, 10_000, False),
        ("youtube.default", 2500, 7500, False),
        ("youtube.search", 3, 0, True),
    ]
    assert lines[1].used_pct == 25.0
    assert lines[2].exhausts_at == NOW
    assert {s.platform for s in lines} == {"youtube"}


@pytest.mark.parametrize("hours", [0.01, 3, 20])
def test_searches_of_the_daily_pass_are_not_taken_for_a_rate(hours: float) -> None:
    start, _ = quota_day(quota_date(NOW))
    now = start + dt.timedelta(hours=hours)
    for done in (now, now - dt.timedelta(minutes=30), now - dt.timedelta(hours=23)):
        usage = pd.DataFrame(
            {"bucket": "youtube.search", "at": pd.DatetimeIndex([done] * 8), "units": 1}
        )
        found = {s.bucket: s for s in quota_statuses(cost_table("granular_2026", now), usage, now)}
        search = found["youtube.search"]
        assert (search.projected, search.exhausts_at, search.is_exhausted) == (8.0, None, False)


def test_a_forecast_stays_below_our_own_limit_and_says_when_that_is_reached() -> None:
    usage = pd.Series(1, index=pd.DatetimeIndex([NOW] * 80))
    seen = forecast(usage, NOW, limit=100, own_limit=80)
    assert (seen.projected, seen.exhausts_at) == (80.0, NOW)
