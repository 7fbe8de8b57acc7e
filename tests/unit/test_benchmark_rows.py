"""What a benchmark says: a goal that was met or missed, or a figure without a promise."""

import json
import sys
from typing import Any

import pytest

from benchmarks import __main__ as bench
from benchmarks import mart_queries, thumbnail_words

PROMISED = {
    "name": "reading",
    "n": 1000,
    "ours_s": 0.5,
    "baseline": "pandas",
    "baseline_s": 2.0,
    "ratio": 4.0,
    "goal": 3.0,
    "met": True,
}
MISSED = PROMISED | {"goal": 5.0, "met": False}
SHOWN = PROMISED | {"goal": None, "met": None}


def _main(monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]], *options: str) -> int:
    monkeypatch.setattr(bench, "results", lambda _names: iter(rows))
    monkeypatch.setattr(bench.os, "environ", {})
    monkeypatch.setattr(sys, "argv", ["script/bench", *options])
    return bench.main()


def test_only_a_missed_goal_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _main(monkeypatch, [PROMISED, SHOWN]) == 0
    assert _main(monkeypatch, [PROMISED, MISSED, SHOWN]) == 1


def test_a_row_without_a_goal_is_neither_met_nor_missed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _main(monkeypatch, [PROMISED, MISSED, SHOWN])
    ends = [line.partition("ratio")[2].split() for line in capsys.readouterr().out.splitlines()]
    assert ends == [
        ["4.0", "goal", "3", "met"],
        ["4.0", "goal", "5", "MISSED"],
        ["4.0", "goal", "–", "only", "shown"],
    ]
    _main(monkeypatch, [SHOWN], "--json")
    assert json.loads(capsys.readouterr().out) == SHOWN


@pytest.mark.parametrize(
    "row",
    [
        mart_queries._shown("what a connection asks for the first time", 1, 9.0),
        mart_queries._beside("taking_off_now", 1, 9.0, 1.0),
    ],
)
def test_what_is_shown_beside_the_marts_promises_nothing(row: dict[str, Any]) -> None:
    assert row.keys() == PROMISED.keys()
    assert (row["goal"], row["met"]) == (None, None)


@pytest.mark.parametrize(("ours", "met"), [(0.25, True), (0.26, False)])
def test_the_goal_of_reading_a_thumbnail_is_a_number(ours: float, met: bool) -> None:  # noqa: FBT001 # a parameter
    row = thumbnail_words._result("reading", 1, (ours, 1.0), "default", 0.25)
    assert row.keys() == PROMISED.keys()
    assert (row["goal"], row["met"]) == (0.25, met)
