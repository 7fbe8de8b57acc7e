"""Detectors on made-up nights, and the declared one against its goal on labelled series."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aurastream.core.errors import InvalidInputError
from aurastream.evaluation.anomalies import evaluate_anomalies, load_nab
from aurastream.evaluation.detectors import STRATEGIES, Baseline, alerts, scores

NAB = Path(__file__).resolve().parents[4] / "shared" / "data" / "nab"
STEP = timedelta(minutes=5)
MEMORY = {"recent": timedelta(minutes=30), "usual": timedelta(days=5)}


def audience(points: int, *, at: int | None = None, seed: int = 0) -> np.ndarray:
    day = np.sin(np.arange(points) * 2 * np.pi / 288)
    values = 100 + 40 * day + np.random.default_rng(seed).normal(0, 5, points)
    if at is not None:
        values[at : at + 24] *= 8
    return values.round()


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_every_strategy_sees_a_burst_and_scores_it_above_any_usual_evening(strategy: str) -> None:
    score = scores(audience(3000, at=2500), strategy, interval=STEP, **MEMORY)
    assert np.nanmax(score[:2500]) < np.nanmax(score[2500:2524])


@pytest.mark.parametrize("strategy", list(STRATEGIES))
def test_no_score_knows_the_future(strategy: str) -> None:
    whole = audience(3000, at=2500)
    cut = scores(whole[:2000], strategy, interval=STEP, **MEMORY)
    np.testing.assert_array_equal(cut, scores(whole, strategy, interval=STEP, **MEMORY)[:2000])


def test_memories_are_time_and_not_points() -> None:
    values = audience(3000, at=2500)
    every_ten = scores(values[::2], "two-speed EWMA", interval=2 * STEP, **MEMORY)
    every_five = scores(values, "two-speed EWMA", interval=STEP, **MEMORY)
    assert np.isnan(every_ten).sum() * 2 == pytest.approx(np.isnan(every_five).sum(), abs=2)
    assert np.nanmax(every_ten) == pytest.approx(np.nanmax(every_five), rel=0.2)


def test_a_young_stream_is_compared_with_its_channel_or_with_nothing() -> None:
    values = np.array([100.0] * 20 + [900.0] * 6)
    assert np.isnan(scores(values, "two-speed EWMA", interval=STEP, **MEMORY)).all()
    known = scores(
        values, "two-speed EWMA", interval=STEP, baseline=Baseline(100.0, 30.0), **MEMORY
    )
    assert known[19] == 0.0
    assert known[-1] > 10


def test_a_quiet_stream_is_no_event_when_three_more_come() -> None:
    values = np.array([2.0] * 1500 + [4.0] * 12)
    assert np.nanmax(scores(values, "two-speed EWMA", interval=STEP, **MEMORY)) < 2.5


def test_an_alert_is_followed_by_a_rest() -> None:
    score = np.full(1000, 9.0)
    assert np.flatnonzero(alerts(score, bar=3.0, rest=288)).tolist() == [0, 288, 576, 864]


def test_an_unknown_strategy_and_an_impossible_step_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="no strategy"):
        scores([1.0], "guess", interval=STEP, **MEMORY)
    with pytest.raises(InvalidInputError, match="above 0"):
        scores([1.0], "z-score", interval=timedelta(0), **MEMORY)


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    (tmp_path / "live").mkdir()
    windows = {}
    for i, at in enumerate((1500, 2200, 2600)):
        stamps = pd.date_range("2026-01-01", periods=3000, freq=STEP)
        pd.DataFrame({"timestamp": stamps, "value": audience(3000, at=at, seed=i)}).to_csv(
            tmp_path / "live" / f"s{i}.csv", index=False
        )
        windows[f"live/s{i}.csv"] = [[str(stamps[at - 20]), str(stamps[at + 60])]]
    (tmp_path / "windows.json").write_text(json.dumps(windows), encoding="utf-8")
    return tmp_path


def test_leaving_one_out_declares_one_detector_and_finds_made_up_bursts(made_up: Path) -> None:
    rows = evaluate_anomalies(made_up)
    (primary,) = (row for row in rows if row.primary)
    assert (primary.method, primary.split) == ("detector: two-speed EWMA", "loso")
    assert primary.n == 3
    assert primary.nab_score is not None
    assert primary.nab_score > 75
    assert {row.method for row in rows if row.split == "loso"} == {
        f"detector: {name}" for name in STRATEGIES
    }


def test_other_series_are_judged_with_the_settings_of_the_training(made_up: Path) -> None:
    rows = evaluate_anomalies(made_up, made_up)
    (primary,) = (row for row in rows if row.primary)
    (fitted,) = (row for row in rows if row.method == primary.method and row.split == "train")
    assert primary.split == "test"
    assert (primary.nab_score, primary.detail) == (fitted.nab_score, fitted.detail)


def test_a_folder_that_is_not_nabs_is_refused(tmp_path: Path, made_up: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"No windows\.json"):
        load_nab(tmp_path / "nowhere")
    with pytest.raises(InvalidInputError, match="no countries"):
        evaluate_anomalies(made_up, countries=["US"])
    (made_up / "windows.json").write_text("{", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="is no JSON"):
        load_nab(made_up)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("windows.json", "[1, 2]", "something else than windows"),
        ("windows.json", '{"live/s0.csv": [["noon"]]}', "something else than windows"),
        ("live/s0.csv", "", "no readable series"),
        ("live/s0.csv", "timestamp,value\n2026-01-01,many\n", "no readable series"),
        ("live/s0.csv", "time,value\n1,2\n", "lacks timestamp or value"),
        ("live/s0.csv", "timestamp,value\n2026-01-01,1\n", "fewer than 10 points"),
    ],
)
def test_a_series_or_windows_of_another_kind_are_named(
    made_up: Path, name: str, text: str, says: str
) -> None:
    (made_up / name).write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInputError, match=says):
        load_nab(made_up)


def test_the_declared_detector_reaches_its_goal_on_series_it_was_not_chosen_on() -> None:
    if not (NAB / "windows.json").is_file():
        pytest.skip(f"no labelled series at {NAB}")
    (primary,) = (row for row in evaluate_anomalies(NAB) if row.primary)
    assert primary.n == 16
    assert primary.nab_score is not None
    assert primary.f1 is not None
    assert primary.nab_score >= 75
    assert primary.f1 >= 0.45
