"""The order of collection, and that it never plans more than there is."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.planner import PlanParams, plan_games
from aurastream.core.quota import estimate_units

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def _games(**intervals: int) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"category": name, "priority": 1, "interval_minutes": minutes, "max_videos": 50}
            for name, minutes in intervals.items()
        ]
    )


def _state(**hours_ago: float | tuple[float, int]) -> pd.DataFrame:
    rows = []
    for name, value in hours_ago.items():
        hours, unchanged = value if isinstance(value, tuple) else (value, 0)
        rows.append((name, NOW - dt.timedelta(hours=hours), unchanged))
    return pd.DataFrame(rows, columns=["category", "last_crawl_at", "unchanged_count"])


def _plan(games: pd.DataFrame, state: pd.DataFrame, units: int = 1000, **more: Any) -> Any:
    return plan_games(games, state, as_of=NOW, available_units=units, **more)


def test_a_game_is_due_at_the_tick_nearest_to_the_end_of_its_interval() -> None:
    games = _games(a=120, b=120, c=120)
    assert _plan(games, _state(a=2, b=1.5, c=1.49)).selected == ("a", "b")


def test_a_short_interval_is_cut_by_half_at_most() -> None:
    assert _plan(_games(a=20, b=20), _state(a=0.16, b=0.17)).selected == ("b",)


def test_games_are_collected_as_often_as_their_intervals_say() -> None:
    # Eighty games for three days make as many crawls as eight games in thirty.
    kinds = {"two": (120, 0), "three": (180, 0), "four": (240, 0), "slowed": (120, 4)}
    names = [f"{kind}-{n}" for kind in kinds for n in range(20)]
    games = _games(**{name: kinds[name.partition("-")[0]][0] for name in names})
    unchanged = [kinds[name.partition("-")[0]][1] for name in names]
    random = np.random.default_rng(1)
    crawls: dict[str, list[dt.datetime]] = {name: [] for name in names}
    for hour in range(3 * 24):
        # A tick is served late, and the first answer comes after the plan.
        as_of = NOW + dt.timedelta(hours=hour, seconds=random.uniform(0, 120))
        last = [crawls[name][-1] if crawls[name] else pd.NaT for name in names]
        state = pd.DataFrame(
            {"category": names, "last_crawl_at": last, "unchanged_count": unchanged}
        )
        for name in plan_games(games, state, as_of=as_of, available_units=1000).selected:
            crawls[name].append(as_of + dt.timedelta(seconds=random.uniform(0, 120)))
    for name, at in crawls.items():
        hours = (at[-1] - at[0]) / (len(at) - 1) / dt.timedelta(hours=1)
        expected = {"two": 2, "three": 3, "four": 4, "slowed": 3}[name.partition("-")[0]]
        assert hours == pytest.approx(expected, rel=0.002), name


def test_a_game_that_was_never_fetched_counts_as_a_day_overdue() -> None:
    plan = _plan(_games(a=120, b=120), _state(a=20))
    assert plan.selected == ("b", "a")
    assert plan.games.set_index("category").loc["b", "overdue_h"] == 24.0


def test_a_game_whose_last_crawl_is_yet_to_come_is_due_at_once() -> None:
    plan = _plan(_games(gta=240, apex=240), _state(gta=-25, apex=-0.1))
    assert plan.selected == ("gta",)  # a clock was wrong by a day; six minutes are no matter


def test_the_score_is_priority_minus_half_an_hour_overdue() -> None:
    games = _games(a=120).assign(priority=2)
    plan = _plan(games, _state(a=5))
    assert plan.games.loc[0, "score"] == 2 - 0.5 * 3


@pytest.mark.parametrize(
    ("unchanged", "factor"), [(0, 1.0), (3, 1.0), (4, 1.5), (6, 1.5), (7, 3.0), (50, 3.0)]
)
def test_an_unchanged_game_slows_down(unchanged: int, factor: float) -> None:
    plan = _plan(_games(a=120), _state(a=(1, unchanged)))
    assert plan.games.loc[0, "effective_interval_minutes"] == 120 * factor


def test_overdue_is_counted_from_the_slowed_interval_not_the_base_one() -> None:
    plan = _plan(_games(a=120), _state(a=(4, 7)))
    assert plan.selected == ()
    assert plan.skipped == {"a": "not due for 120 min"}


def test_a_scarce_quota_goes_to_the_best_value_per_unit() -> None:
    games = _games(small=120, large=120).assign(max_videos=[10, 50])
    plan = _plan(games, _state(small=3, large=3), units=2)
    assert plan.selected == ("large",)
    assert plan.skipped == {"small": "quota: needs 2 units, 0 left"}


def test_a_cheaper_game_takes_the_room_that_a_dear_one_leaves() -> None:
    games = _games(dear=120, cheap=120).assign(max_videos=[500, 10], priority=[1, 3])
    plan = _plan(games, _state(dear=3, cheap=3), units=5)
    assert plan.selected == ("cheap",)
    assert plan.skipped["dear"] == "quota: needs 11 units, 5 left"


def test_no_units_means_no_games_and_a_reason_for_each() -> None:
    plan = _plan(_games(a=120, b=120), _state(), units=0)
    assert plan.selected == ()
    assert plan.estimated_units == 0
    assert set(plan.skipped) == {"a", "b"}


def test_a_forecast_exhaustion_widens_every_interval() -> None:
    plan = _plan(_games(a=120), _state(a=3), stretch=2.0)
    assert plan.skipped == {"a": "not due for 60 min"}


def test_the_widening_is_bounded_even_when_nothing_is_left() -> None:
    plan = _plan(_games(a=120), _state(a=1), stretch=float("inf"))
    assert plan.stretch == PlanParams().max_stretch
    assert plan.games.loc[0, "effective_interval_minutes"] == 480


def test_a_reconcile_takes_every_game_due_or_not() -> None:
    assert _plan(_games(a=120, b=120), _state(a=0, b=0), reconcile=True).selected == ("a", "b")


def test_equal_games_go_by_name() -> None:
    assert _plan(_games(b=120, c=120, a=120), _state()).selected == ("a", "b", "c")


def test_no_games_make_an_empty_plan() -> None:
    plan = _plan(_games(a=120).iloc[:0], _state())
    assert plan.selected == ()
    assert plan.skipped == {}


@pytest.mark.parametrize(
    ("games", "state", "units", "stretch"),
    [
        (_games(a=120).drop(columns="priority"), _state(), 1, 1.0),
        (pd.concat([_games(a=120), _games(a=120)]), _state(), 1, 1.0),
        (_games(a=0), _state(), 1, 1.0),
        (_games(a=120), _state(), -1, 1.0),
        (_games(a=120), _state(), 1, 0.5),
        (_games(a=120), _state(), 1, float("nan")),
    ],
)
def test_impossible_input_is_refused(
    games: pd.DataFrame, state: pd.DataFrame, units: int, stretch: float
) -> None:
    with pytest.raises(InvalidInputError):
        _plan(games, state, units=units, stretch=stretch)


entries = st.lists(
    st.fixed_dictionaries(
        {
            "category": st.sampled_from([f"game{i}" for i in range(12)]),
            "priority": st.integers(1, 4),
            "interval_minutes": st.integers(10, 600),
            "max_videos": st.integers(1, 300),
        }
    ),
    min_size=1,
    unique_by=lambda e: e["category"],
)
states = st.dictionaries(
    st.sampled_from([f"game{i}" for i in range(12)]),
    st.tuples(st.none() | st.integers(0, 100_000), st.integers(0, 10)),
)


def _state_frame(state: dict[str, tuple[int | None, int]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (name, None if ago is None else NOW - dt.timedelta(seconds=ago), unchanged)
            for name, (ago, unchanged) in state.items()
        ],
        columns=["category", "last_crawl_at", "unchanged_count"],
    )


@settings(max_examples=60)
@given(entries, states, st.integers(0, 60), st.randoms(use_true_random=False), st.booleans())
def test_the_plan_keeps_within_the_units_and_ignores_the_order_of_its_input(
    games: list[dict[str, Any]],
    state: dict[str, tuple[int | None, int]],
    units: int,
    random: Any,
    reconcile: bool,  # noqa: FBT001 # drawn by hypothesis
) -> None:
    plan = _plan(pd.DataFrame(games), _state_frame(state), units, reconcile=reconcile)
    cost = {g["category"]: estimate_units(g["max_videos"]) for g in games}
    assert plan.estimated_units == sum(cost[g] for g in plan.selected) <= units
    assert set(plan.selected) | set(plan.skipped) == set(cost)
    assert not set(plan.selected) & set(plan.skipped)
    assert all(plan.skipped.values())
    shuffled = list(games)
    random.shuffle(shuffled)
    again = _plan(
        pd.DataFrame(shuffled), _state_frame(state).iloc[::-1], units, reconcile=reconcile
    )
    pd.testing.assert_frame_equal(plan.games, again.games)


@settings(max_examples=60)
@given(entries, states)
def test_more_units_never_lose_a_game_that_fewer_paid_for_in_full(
    games: list[dict[str, Any]], state: dict[str, tuple[int | None, int]]
) -> None:
    frame, known = pd.DataFrame(games), _state_frame(state)
    full = _plan(frame, known, 10_000)
    assert not any(reason.startswith("quota") for reason in full.skipped.values())
    assert _plan(frame, known, full.estimated_units).selected == full.selected
