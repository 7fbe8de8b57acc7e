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


def write_series(
    folder: Path, *, first: int = 0, bursts: tuple[int, ...] = (1500, 2200, 2600)
) -> Path:
    (folder / "live").mkdir(parents=True)
    windows = {}
    for i, at in enumerate(bursts, start=first):
        stamps = pd.date_range("2026-01-01", periods=3000, freq=STEP)
        pd.DataFrame({"timestamp": stamps, "value": audience(3000, at=at, seed=i)}).to_csv(
            folder / "live" / f"s{i}.csv", index=False
        )
        windows[f"live/s{i}.csv"] = [[str(stamps[at - 20]), str(stamps[at + 60])]]
    (folder / "windows.json").write_text(json.dumps(windows), encoding="utf-8")
    return folder


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    return write_series(tmp_path / "made up")


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


def test_other_series_are_judged_with_the_settings_of_the_training(
    made_up: Path, tmp_path: Path
) -> None:
    rows = evaluate_anomalies(made_up, write_series(tmp_path / "other", first=3))
    (primary,) = (row for row in rows if row.primary)
    (fitted,) = (row for row in rows if row.method == primary.method and row.split == "train")
    assert primary.split == "test"
    assert primary.detail == fitted.detail
    assert (primary.n, fitted.n) == (3, 3)


def test_few_series_have_no_interval_and_say_so(made_up: Path, tmp_path: Path) -> None:
    bursts = (1400, 1700, 2000, 2300, 2600)
    enough = evaluate_anomalies(made_up, write_series(tmp_path / "5", first=3, bursts=bursts))
    few = evaluate_anomalies(made_up, write_series(tmp_path / "4", first=3, bursts=bursts[:4]))

    for rows, is_known in ((enough, True), (few, False)):
        judged = [row for row in rows if row.split == "test"]
        assert len(judged) > 2
        assert {row.ci_low is not None for row in judged} == {is_known}
        assert {row.ci_high is not None for row in judged} == {is_known}
        told = ["no interval: 4 series are fewer than 5" in (row.detail or "") for row in judged]
        assert set(told) == {not is_known}


def test_a_series_that_is_judged_chooses_nothing(made_up: Path, tmp_path: Path) -> None:
    other = write_series(tmp_path / "other", first=3)
    windows = json.loads((other / "windows.json").read_text(encoding="utf-8"))
    # A part of a known series, under another name and at other times.
    known = pd.read_csv(made_up / "live" / "s1.csv")
    stamps = pd.date_range("2027-01-01", periods=2000, freq=STEP)
    part = known.iloc[1000:].assign(timestamp=stamps)
    part.to_csv(other / "live" / "s3.csv", index=False)
    windows["live/s3.csv"] = [[str(stamps[1180]), str(stamps[1260])]]
    (other / "windows.json").write_text(json.dumps(windows), encoding="utf-8")
    rows = evaluate_anomalies(made_up, other)
    assert {row.n for row in rows if row.split in {"train", "loso"}} == {2}
    with pytest.raises(InvalidInputError, match="Every series to learn from is also judged"):
        evaluate_anomalies(made_up, made_up)


def without_rows(path: Path, first: int, count: int) -> None:
    frame = pd.read_csv(path)
    frame.drop(index=range(first, first + count)).to_csv(path, index=False)


def test_a_missing_stretch_is_refused_with_its_place_and_size(made_up: Path) -> None:
    without_rows(made_up / "live" / "s1.csv", 1000, 400)
    says = (
        r"live/s1\.csv lacks 400 points in a row between 2026-01-04 11:15:00 and "
        r"2026-01-05 20:40:00, 400 in all\. Pass whole series"
    )
    with pytest.raises(InvalidInputError, match=says):
        load_nab(made_up)


def test_a_short_hole_is_told_in_every_row(made_up: Path) -> None:
    without_rows(made_up / "live" / "s1.csv", 1000, 6)
    without_rows(made_up / "live" / "s1.csv", 500, 2)
    rows = evaluate_anomalies(made_up)
    said = "live/s1.csv lacks 6 points in a row between 2026-01-04 11:15:00"
    assert all(said in str(row.detail) for row in rows)
    assert all("8 in all" in str(row.detail) for row in rows)


def test_a_series_that_runs_backwards_is_refused(made_up: Path) -> None:
    path = made_up / "live" / "s0.csv"
    pd.read_csv(path).iloc[::-1].to_csv(path, index=False)
    with pytest.raises(InvalidInputError, match="does not go forward in time"):
        load_nab(made_up)


@pytest.mark.skipif(not (NAB / "windows.json").is_file(), reason=f"no labelled series at {NAB}")
@pytest.mark.parametrize("kind", ["realTweets", "realTraffic", "realAdExchange"])
def test_every_recorded_series_is_taken_as_it_is(kind: str, tmp_path: Path) -> None:
    windows = json.loads((NAB / "windows.json").read_text(encoding="utf-8"))
    own = {name: found for name, found in windows.items() if name.startswith(kind)}
    (tmp_path / "windows.json").write_text(json.dumps(own), encoding="utf-8")
    (tmp_path / kind).symlink_to(NAB / kind)
    series = load_nab(tmp_path)
    assert len(series) == {"realTweets": 5, "realTraffic": 7, "realAdExchange": 6}[kind]
    assert all(bool(one.remark) == (kind != "realTweets") for one in series)


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
        (
            "windows.json",
            '{"live/s0.csv": [["2026-01-06", "2026-01-05"]]}',
            "no point in its window from 2026-01-06",
        ),
        (
            "windows.json",
            '{"live/s0.csv": [["1999-01-01", "1999-01-02"]]}',
            "no point in its window",
        ),
        ("windows.json", '{"live/s0.csv": [[null, "2026-01-05"]]}', "written otherwise"),
        (
            "windows.json",
            '{"live/s0.csv": [["2026-01-04T00:00Z", "2026-01-05T00:00Z"]]}',
            "written otherwise",
        ),
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


@pytest.mark.parametrize("value", [np.inf, -np.inf, -1.0])
def test_a_value_that_no_count_can_be_is_named_with_its_row(made_up: Path, value: float) -> None:
    path = made_up / "live" / "s0.csv"
    frame = pd.read_csv(path).astype({"value": "float64"})
    frame.loc[100, "value"] = value
    frame.to_csv(path, index=False)
    with pytest.raises(InvalidInputError, match=r"no count can be: -?(inf|1) in row 101"):
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
