"""The rule and the model on a made-up archive, and the rule's goal on a slice of the recorded."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from aurastream.cli import app
from aurastream.core.errors import InvalidInputError
from aurastream.evaluation.model import Training, ViralModel
from aurastream.evaluation.results import EvaluationRow
from aurastream.evaluation.rules import learn_points
from aurastream.evaluation.viral import evaluate_viral, viral_samples


def test_the_rule_finds_what_makes_the_made_up_videos_grow(crowd: Path) -> None:
    learned, judged = viral_samples(crowd)
    table = learn_points(learned.features, learned.truth["T2"])
    called = table.calls(judged.features)
    assert 0 < called.sum() < called.size / 3
    assert judged.outcome["T2"][called].mean() > 10 * judged.outcome["T2"][~called].mean()
    assert "comments" in str(table.lines[0])


def test_the_rule_is_the_same_every_time_and_refuses_one_sided_training(crowd: Path) -> None:
    learned, _ = viral_samples(crowd)
    truth = learned.truth["T2"]
    assert learn_points(learned.features, truth) == learn_points(learned.features, truth)
    with pytest.raises(InvalidInputError, match="no hits"):
        learn_points(learned.features, np.zeros_like(truth))


def test_no_outcome_of_the_judged_videos_reaches_the_rule(crowd: Path) -> None:
    learned, _ = viral_samples(crowd)
    seen = pd.read_parquet(crowd / "observations_test.parquet")
    late = seen["snapshot_date"] >= "2026-02-10"
    seen.loc[late, "views"] = np.random.default_rng(1).permutation(seen.loc[late, "views"])
    seen.to_parquet(crowd / "observations_test.parquet")
    again, _ = viral_samples(crowd)
    pd.testing.assert_frame_equal(learned.features, again.features, check_exact=True)
    pd.testing.assert_frame_equal(learned.outcome, again.outcome, check_exact=True)


def test_the_command_declares_one_row_per_kind_on_the_headline_label(crowd: Path) -> None:
    answer = CliRunner().invoke(app, ["evaluate", "viral", "--train", str(crowd), "--json"])
    assert answer.exit_code == 0, answer.output
    rows = json.loads(answer.stdout)
    primary = [(row["label"], row["method"].split(":")[0]) for row in rows if row["primary"]]
    assert sorted(primary) == [("T2", "day two"), ("T2", "model"), ("T2", "rule")]
    assert {row["label"] for row in rows} == {"T1", "T2", "T3"}
    assert {row["split"] for row in rows if row["primary"]} == {"test"}
    assert {tuple(row) for row in rows} == {EvaluationRow.__slots__}
    assert {row["nab_score"] for row in rows} == {None}
    figures = ("precision", "recall", "f1", "ci_low", "ci_high")
    assert all(0 <= row[name] <= 1 for row in rows for name in figures)
    day_two = {row["label"]: row["f1"] for row in rows if row["method"].startswith("day two")}
    model = {row["label"]: row["f1"] for row in rows if row["method"].startswith("model")}
    assert len([row for row in rows if row["method"].startswith("baseline")]) == 12
    assert day_two["T1"] + day_two["T2"] >= model["T1"] + model["T2"] - 0.3


def test_another_archive_is_judged_whole_and_may_have_other_countries(
    crowd: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    charts = pd.read_parquet(crowd / "charts_test.parquet")
    seen = pd.read_parquet(crowd / "observations_test.parquet")
    for frame in (charts, seen):
        frame["fetched_at"] += pd.Timedelta(days=60)
        frame["snapshot_date"] = frame["fetched_at"].dt.strftime("%Y-%m-%d")
        frame["video_id"] = "new-" + frame["video_id"]
    charts["published_at"] += pd.Timedelta(days=60)
    charts["country"] = charts["country"].replace("GB", "IN")
    charts.to_parquet(other / "charts_x.parquet")
    seen.to_parquet(other / "observations_x.parquet")
    learned, judged = viral_samples(crowd, other)
    assert len(learned.videos) == len(judged.videos) == 12 * 44
    assert judged.features["channel_videos"].head(12).sum() > 0
    table = learn_points(learned.features, learned.truth["T2"])
    assert table.calls(judged.features).any()


def test_a_video_that_is_judged_is_not_learned_from(crowd: Path, tmp_path: Path) -> None:
    later = tmp_path / "later"
    later.mkdir()
    charts = pd.read_parquet(crowd / "charts_test.parquet")
    charts[charts["snapshot_date"] >= "2026-01-21"].to_parquet(later / "charts_x.parquet")
    seen = pd.read_parquet(crowd / "observations_test.parquet")
    seen.to_parquet(later / "observations_x.parquet")
    learned, judged = viral_samples(crowd, later)
    assert len(learned.videos) > 0
    assert set(learned.videos).isdisjoint(judged.videos)
    with pytest.raises(InvalidInputError, match="Every video to learn from is also judged"):
        viral_samples(crowd, crowd)


def test_own_countries_narrow_the_cohort(crowd: Path) -> None:
    learned, judged = viral_samples(crowd, countries=["US"])
    assert len(learned.videos) + len(judged.videos) <= 9 * 44
    with pytest.raises(InvalidInputError, match="no charts of XX"):
        evaluate_viral(crowd, countries=["XX"])


def test_a_command_without_an_archive_says_what_to_do(tmp_path: Path) -> None:
    answer = CliRunner().invoke(app, ["evaluate", "viral", "--train", str(tmp_path)])
    assert isinstance(answer.exception, InvalidInputError)
    assert "Pass the folder" in str(answer.exception)


def test_the_model_gives_the_same_bits_and_needs_no_country_it_knew(crowd: Path) -> None:
    learned, judged = viral_samples(crowd)
    training = Training(
        learned.features,
        learned.texts,
        learned.outcome["T2"].to_numpy(),
        learned.truth["T2"],
        learned.channels,
    )
    first, second = (ViralModel.fit(training, seeds=1) for _ in range(2))
    fewer = judged.features.drop(columns="rank_GB")
    found = first.probability(fewer, judged.texts)
    assert found.tolist() == second.probability(fewer, judged.texts).tolist()
    assert ((found >= 0) & (found <= 1)).all()
    assert dataclasses.replace(training).part(learned.truth["T2"]).truth.all()


def test_the_points_table_beats_the_sources_rule_on_recorded_days(recorded: Path) -> None:
    learned, judged = viral_samples(recorded, countries=["US", "GB"])
    table = learn_points(learned.features, learned.truth["T2"], lines=6)
    called, truth = table.calls(judged.features), judged.truth["T2"]
    velocity = judged.features["velocity"]
    bars = learned.features.groupby("category")["velocity"].quantile(0.9)
    plain = (velocity > judged.features["category"].map(bars)).to_numpy()

    def f1(guess: np.ndarray) -> float:
        return float(2 * (guess & truth).sum() / (guess.sum() + truth.sum()))

    assert f1(called) > f1(plain) + 0.1
