"""Quotas, shares and plans against a second reckoning in plain Python."""

import datetime as dt
import math
from collections import Counter
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aurastream.core.allowance import allowance
from aurastream.core.planner import plan_games
from aurastream.core.quota import (
    QuotaStatus,
    cost_table,
    forecast,
    quota_date,
    quota_statuses,
    rate_statuses,
)

NOW = dt.datetime(2026, 11, 21, 20, tzinfo=dt.UTC)
START = dt.datetime(2026, 11, 21, 8, tzinfo=dt.UTC)
RESET = START + dt.timedelta(days=1)
TABLE = cost_table("granular_2026", NOW)
BUCKETS = ("youtube.default", "youtube.search", "twitch.helix", "elsewhere")
CALLS = st.lists(
    st.tuples(
        st.sampled_from(BUCKETS), st.integers(-600, 30 * 3600), st.sampled_from([1, 7, 400, 6000])
    ),
    max_size=20,
)


def _usage(calls: list[tuple[str, int, int]]) -> pd.DataFrame:
    at = pd.DatetimeIndex([NOW - dt.timedelta(seconds=ago) for _, ago, _ in calls], tz="UTC")
    return pd.DataFrame({"bucket": [c[0] for c in calls], "at": at, "units": [c[2] for c in calls]})


def _today(calls: list[tuple[str, int, int]], bucket: str) -> list[tuple[dt.datetime, int]]:
    timed = [(NOW - dt.timedelta(seconds=ago), n) for name, ago, n in calls if name == bucket]
    return [(at, units) for at, units in timed if START <= at <= NOW]


@given(st.datetimes(dt.datetime(2008, 1, 1), dt.datetime(2037, 12, 31)))  # noqa: DTZ001 # UTC below
def test_the_quota_date_is_that_of_the_law_of_2005(at: dt.datetime) -> None:
    # Daylight saving from 2:00 on the second Sunday of March to 2:00 on the first of November.
    march, november = (dt.datetime(at.year, month, 1) for month in (3, 11))  # noqa: DTZ001 # UTC
    begins = march + dt.timedelta(days=(6 - march.weekday()) % 7 + 7, hours=10)
    ends = november + dt.timedelta(days=(6 - november.weekday()) % 7, hours=9)
    west = 7 if begins <= at < ends else 8

    assert quota_date(at.replace(tzinfo=dt.UTC)) == (at - dt.timedelta(hours=west)).date()


@settings(max_examples=40)
@given(CALLS)
def test_use_and_rest_of_every_bucket_are_those_of_adding_up(
    calls: list[tuple[str, int, int]],
) -> None:
    found = quota_statuses(TABLE, _usage(calls), NOW)

    limits = {"youtube.batch_stats": 10_000, "youtube.default": 10_000, "youtube.search": 100}
    assert [status.bucket for status in found] == list(limits)
    for status, (bucket, limit) in zip(found, limits.items(), strict=True):
        used = sum(units for _, units in _today(calls, bucket))
        allowed = 80 if bucket == "youtube.search" else limit
        assert (status.used, status.limit) == (used, limit)
        assert status.remaining == max(0, allowed - used)
        assert status.used_pct == pytest.approx(100 * used / limit)
        assert status.is_exhausted == (used >= allowed)
        assert status.resets_at == RESET


@settings(max_examples=40)
@given(CALLS)
@example([("twitch.helix", 30, 7), ("twitch.helix", 90, 7)])
def test_the_busiest_minute_is_the_one_that_counting_finds(
    calls: list[tuple[str, int, int]],
) -> None:
    own = _today(calls, "twitch.helix")
    minutes: Counter[dt.datetime] = Counter()
    for at, units in own:
        minutes[at.replace(second=0)] += units

    [found] = rate_statuses(TABLE, _usage(calls), NOW)

    assert (found.platform, found.bucket, found.minute_limit) == ("twitch", "twitch.helix", 800)
    assert found.quota_date == dt.date(2026, 11, 21)
    assert found.used == sum(units for _, units in own)
    assert found.busiest_minute == max(minutes.values(), default=0) <= found.used


@given(CALLS)
def test_a_forecast_is_the_use_of_six_hours_drawn_out_to_the_reset(
    calls: list[tuple[str, int, int]],
) -> None:
    usage = _usage(calls)
    used = sum(units for name in BUCKETS for _, units in _today(calls, name))
    recent = [(ago, units) for _, ago, units in calls if 0 <= ago < 6 * 3600]
    since = max([1.0, *(ago / 3600 for ago, _ in recent)])
    rate = sum(units for _, units in recent) / since

    found = forecast(pd.Series(usage["units"].to_numpy(), index=usage["at"]), NOW, limit=10_000)

    assert (found.used, found.resets_at) == (used, RESET)
    assert found.rate_per_hour == pytest.approx(rate)
    assert found.projected == pytest.approx(used + 12 * rate)
    if used < 10_000 < used + 12 * rate:
        hours = (10_000 - used) / rate
        assert found.exhausts_at == pytest.approx(
            NOW + dt.timedelta(hours=hours), abs=dt.timedelta(seconds=1)
        )


@given(
    st.integers(0, 10_000),
    st.integers(0, 10_000),
    st.integers(0, 30_000),
    st.tuples(st.integers(0, 200), st.integers(5, 120)),
    st.integers(-60, 1500),
)
def test_what_is_shared_out_is_what_is_left_after_crawl_upon_crawl(
    used: int, remaining: int, more: int, fixed: tuple[int, int], minutes_left: int
) -> None:
    units, minutes = fixed
    status = QuotaStatus(
        platform="youtube",
        bucket="youtube.default",
        quota_date=dt.date(2026, 11, 21),
        limit=10_000,
        used=used,
        remaining=remaining,
        used_pct=used / 100,
        projected=float(used + more),
        resets_at=RESET,
        exhausts_at=None,
        is_exhausted=remaining == 0,
    )
    at = RESET - dt.timedelta(minutes=minutes_left)
    left, crawl = remaining, at
    while crawl < RESET:
        left, crawl = left - units, crawl + dt.timedelta(minutes=minutes)

    found = allowance(status, at, fixed_units=units, fixed_every=dt.timedelta(minutes=minutes))

    assert found.units == max(0, left) <= remaining
    assert 1.0 <= found.stretch <= 1_000.0
    # So much wider, what is wanted lasts; by less it would not.
    if found.stretch < 1_000.0:
        assert more / found.stretch <= remaining * (1 + 1e-9)
    if found.stretch > 1.0:
        assert more / found.stretch == pytest.approx(remaining) or remaining * 1_000 < more


GAMES = st.lists(
    st.fixed_dictionaries(
        {
            "category": st.sampled_from([f"game{n}" for n in range(8)]),
            "priority": st.integers(1, 4),
            "interval_minutes": st.sampled_from([20, 60, 120, 240]),
            "max_videos": st.sampled_from([1, 50, 51, 100, 300]),
        }
    ),
    min_size=1,
    unique_by=lambda game: game["category"],
)
STATES = st.dictionaries(
    st.sampled_from([f"game{n}" for n in range(8)]),
    st.tuples(st.none() | st.integers(-7_200, 40_000), st.integers(0, 9)),
)


def _by_hand(
    games: list[dict[str, Any]], states: dict[str, Any], units: int, stretch: float
) -> tuple[list[str], dict[str, float]]:
    """Return the selected games, and how overdue each game is, game by game."""
    due, overdue = [], {}
    for game in games:
        name, priority, videos = game["category"], game["priority"], game["max_videos"]
        ago, unchanged = states.get(name, (None, 0))
        slow = (1.5 if unchanged > 3 else 1.0) * (2.0 if unchanged > 6 else 1.0)
        interval = game["interval_minutes"] / 60 * slow * min(stretch, 4.0)
        is_known = ago is not None and ago >= -1_800
        late = ago / 3600 - interval if is_known else 24.0
        overdue[name] = late
        if late >= -min(0.5, interval / 2):
            cost = 1 + math.ceil(videos / 50)
            value = videos / priority / slow * (1 + max(late, 0) / interval) / cost
            due.append((name, priority, cost, priority - 0.5 * late, value))
    is_scarce = sum(game[2] for game in due) > units
    due.sort(key=lambda g: (-g[4], g[1], g[0]) if is_scarce else (g[3], g[1], g[0]))
    selected = []
    for name, _, cost, _, _ in due:
        if cost <= units:
            selected.append(name)
            units -= cost
    return selected, overdue


@settings(max_examples=40)
@given(GAMES, STATES, st.integers(0, 25), st.sampled_from([1.0, 1.5, 9.0]))
def test_a_plan_is_the_one_that_is_made_by_hand(
    games: list[dict[str, Any]], states: dict[str, Any], units: int, stretch: float
) -> None:
    state = pd.DataFrame(
        {
            "category": list(states),
            "last_crawl_at": pd.to_datetime(
                [
                    None if ago is None else NOW - dt.timedelta(seconds=ago)
                    for ago, _ in states.values()
                ],
                utc=True,
            ),
            "unchanged_count": [n for _, n in states.values()],
        }
    )

    plan = plan_games(pd.DataFrame(games), state, as_of=NOW, available_units=units, stretch=stretch)

    selected, overdue = _by_hand(games, states, units, stretch)
    assert list(plan.selected) == selected
    found = dict(zip(plan.games["category"], plan.games["overdue_h"], strict=True))
    assert found == pytest.approx(overdue)
