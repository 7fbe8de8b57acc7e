from collections.abc import Callable

import pandas as pd
import pytest

from aurastream.evaluation.labels import hits, outcomes

Row = Callable[..., dict[str, object]]


@pytest.fixture
def outcome_of(
    chart_row: Row, observation: Row
) -> Callable[[list[tuple[int, int, int]]], dict[str, float]]:
    def judge(series: list[tuple[int, int, int]]) -> dict[str, float]:
        row = chart_row("v", 0)
        rows = pd.DataFrame([row]).assign(day=0)
        seen = pd.DataFrame(
            [
                observation("v", day, views, n_countries_110=n) | {"day": day}
                for day, views, n in series
            ]
        )
        return outcomes(rows, seen).iloc[0].to_dict()

    return judge


def test_a_video_never_seen_again_keeps_its_first_views_and_no_velocity(
    outcome_of: Callable[..., dict[str, float]],
) -> None:
    assert outcome_of([(0, 1000, 5)]) == {"T1": 1000.0, "T2": 0.0, "T3": 0.0}


def test_outcomes_come_from_the_days_after_and_no_others(
    outcome_of: Callable[..., dict[str, float]],
) -> None:
    series = [(0, 1000, 9), (1, 3400, 2), (3, 4000, 4), (9, 9_000_000, 50), (15, 10**9, 90)]
    assert outcome_of(series) == {"T1": 9_000_000.0, "T2": 100.0, "T3": 4.0}


def test_falling_views_are_no_velocity(outcome_of: Callable[..., dict[str, float]]) -> None:
    assert outcome_of([(0, 1000, 1), (1, 400, 1)])["T2"] == 0.0


def test_each_category_has_its_own_top_decile() -> None:
    outcome = pd.Series([*range(10), *range(1000, 1010)], dtype="float64")
    category = pd.Series(["10"] * 10 + ["20"] * 10)
    assert hits(outcome, category).nonzero()[0].tolist() == [9, 19]
