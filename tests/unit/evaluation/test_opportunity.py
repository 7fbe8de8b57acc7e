"""Openness of cells on made-up charts whose newcomers are known, and the goals on recorded ones."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from aurastream.cli import app
from aurastream.core.errors import InvalidInputError
from aurastream.evaluation.cells import consecutive, weekly_cells
from aurastream.evaluation.opportunity import (
    RunningMean,
    evaluate_opportunity,
    judge_opportunity,
    opportunity_pairs,
)
from aurastream.evaluation.results import EvaluationRow

MONDAY = 20458  # 2026-01-05
Row = Callable[..., dict[str, object]]


def chart(rows: list[dict[str, object]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    fetched = pd.to_datetime(frame["day"], unit="D", utc=True)
    return frame.assign(
        country=frame.get("country", "US"),
        category_id="20",
        chart_rank=1,
        views=1000,
        fetched_at=fetched,
        published_at=fetched - pd.Timedelta(hours=10),
    )


def filled(days: range) -> list[dict[str, object]]:
    """Give ten old videos a day, all of channels that are there every day."""
    return [
        {"day": day, "video_id": f"old-{day}-{i}", "channel_id": f"old-{i}"}
        for day in days
        for i in range(10)
    ]


@pytest.mark.parametrize(("days_before", "share"), [(21, 0.0), (22, 1 / 71)])
def test_a_newcomer_has_not_charted_there_for_21_days(days_before: int, share: float) -> None:
    day = MONDAY + 3
    rows = filled(range(MONDAY - 35, MONDAY + 7))
    rows += [
        {"day": day - days_before, "video_id": "earlier", "channel_id": "c"},
        {"day": day, "video_id": "now", "channel_id": "c"},
    ]
    cells = weekly_cells(chart(rows)).set_index("week")
    assert cells["newcomer_share"].iloc[-1] == pytest.approx(share)


def test_charting_in_another_country_makes_nobody_known() -> None:
    rows = filled(range(MONDAY - 35, MONDAY + 7))
    rows += [
        {"day": MONDAY - 2, "video_id": "there", "channel_id": "c", "country": "GB"},
        {"day": MONDAY + 2, "video_id": "here", "channel_id": "c"},
    ]
    frame = chart(rows)
    frame["country"] = frame["country"].fillna("US")
    cells = weekly_cells(frame)
    assert cells[cells["country"] == "US"]["newcomer_share"].iloc[-1] == pytest.approx(1 / 71)


def test_a_second_video_within_the_week_is_no_newcomers() -> None:
    rows = filled(range(MONDAY - 35, MONDAY + 7))
    rows += [
        {"day": MONDAY + 1, "video_id": "first", "channel_id": "c"},
        {"day": MONDAY + 4, "video_id": "second", "channel_id": "c"},
    ]
    assert weekly_cells(chart(rows))["newcomer_share"].iloc[-1] == pytest.approx(1 / 72)


def test_weeks_without_their_look_back_or_with_few_videos_are_left_out() -> None:
    cells = weekly_cells(chart(filled(range(MONDAY - 21, MONDAY + 10))))
    assert len(cells) == 1
    assert weekly_cells(chart(filled(range(MONDAY - 21, MONDAY + 4)))).empty
    thin = [
        row for row in filled(range(MONDAY - 21, MONDAY + 7)) if str(row["video_id"])[-1] == "0"
    ]
    assert weekly_cells(chart(thin)).empty


def test_pairs_are_of_consecutive_weeks_alone() -> None:
    cells = weekly_cells(chart(filled(range(MONDAY - 21, MONDAY + 28))))
    assert len(cells) == 4
    gap = cells[cells["week"] != cells["week"].min() + 1]
    assert len(consecutive(cells)) == 3
    assert len(consecutive(gap)) == 1


@pytest.fixture
def open_and_closed(chart_row: Row, observation: Row) -> Callable[..., tuple[list, list]]:
    """Return a maker of 18 weeks in which each country has its own openness, week after week."""

    def make(*, seed: int = 0, days: int = 126, countries: int = 8) -> tuple[list, list]:
        rng = np.random.default_rng(seed)
        rows = []
        for c in range(countries):
            for day in range(days):
                for i in range(6):
                    is_new = rng.random() < 0.1 + 0.8 * c / countries
                    channel = f"new-{c}-{day}-{i}" if is_new else f"old-{c}-{i}"
                    rows.append(
                        chart_row(
                            f"v-{c}-{day}-{i}", day, country=f"C{c}", channel_id=channel,
                            chart_rank=i + 1, views=int(rng.lognormal(8, 1)) + 1,
                        )
                    )  # fmt: skip
        return rows, [observation("v-0-0-0", 0, 1)]

    return make


@pytest.fixture
def steady(open_and_closed: Callable[..., tuple[list, list]], archive_at: Callable) -> Path:
    return archive_at(*open_and_closed())


def test_the_running_mean_beats_last_week_where_cells_stay_as_they_are(steady: Path) -> None:
    rows = evaluate_opportunity(steady)
    (declared,) = (row for row in rows if row.primary)
    assert (declared.label, declared.split) == ("newcomer share", "test")
    assert declared.correlation is not None
    assert declared.correlation > 0.9
    assert declared.gain_low is not None
    assert declared.gain_low > 0
    assert declared.error_reduction is not None
    assert declared.error_reduction > 0.2
    # Nothing but noise moves within these cells, and nothing is found there.
    (within,) = (
        row for row in rows
        if row.label == "newcomer share, within cells"
        and (row.method, row.split) == (declared.method, "test")
    )  # fmt: skip
    assert within.ci_low is not None
    assert within.ci_high is not None
    assert within.ci_low < 0.1 < within.ci_high + 0.3


def test_shuffled_outcomes_leave_nothing(steady: Path) -> None:
    learned, judged = opportunity_pairs(steady)
    rng = np.random.default_rng(3)
    learned = learned.assign(next_share=rng.permutation(learned["next_share"]))
    judged = judged.assign(next_share=rng.permutation(judged["next_share"]))
    (declared,) = (row for row in judge_opportunity(learned, judged) if row.primary)
    assert declared.correlation is not None
    assert abs(declared.correlation) < 0.35


def test_the_future_changes_no_prediction(
    open_and_closed: Callable[..., tuple[list, list]], archive_at: Callable
) -> None:
    rows, seen = open_and_closed()
    learned, judged = opportunity_pairs(archive_at(rows, seen))
    model = RunningMean.fit(learned)
    cut = judged["week"].min() + 2
    for row in rows:
        if str(row["snapshot_date"]) >= "2026-04-20":
            row["channel_id"] = "somebody else"
            row["views"] = 1
    _, changed = opportunity_pairs(archive_at(rows, seen))
    before = model.predict(judged[judged["week"] <= cut])
    assert before.tolist() == model.predict(changed[changed["week"] <= cut]).tolist()
    assert before.size > 0


def test_another_archive_is_judged_with_the_earlier_one_as_its_past(
    open_and_closed: Callable[..., tuple[list, list]], archive_at: Callable, tmp_path: Path
) -> None:
    rows, seen = open_and_closed()
    early, late = tmp_path / "early", tmp_path / "late"
    for folder, part in (
        (early, [row for row in rows if str(row["snapshot_date"]) < "2026-03-09"]),
        (late, [row for row in rows if str(row["snapshot_date"]) >= "2026-03-09"]),
    ):
        folder.mkdir()
        pd.DataFrame(part).to_parquet(folder / "charts_x.parquet")
        pd.DataFrame(seen).to_parquet(folder / "observations_x.parquet")
    learned, judged = opportunity_pairs(early, late)
    assert learned["week"].max() < judged["week"].max()
    # Its first weeks have a look-back only because the earlier archive is there.
    assert judged["week"].nunique() >= 7


def _archive(folder: Path, rows: list[dict[str, object]], seen: list[dict[str, object]]) -> Path:
    folder.mkdir()
    pd.DataFrame(rows).to_parquet(folder / "charts_x.parquet")
    pd.DataFrame(seen).to_parquet(folder / "observations_x.parquet")
    return folder


def test_a_week_of_a_cell_that_is_judged_is_not_learned_from(
    open_and_closed: Callable[..., tuple[list, list]], tmp_path: Path
) -> None:
    rows, seen = open_and_closed()
    whole = _archive(tmp_path / "whole", rows, seen)
    from_february = _archive(
        tmp_path / "late", [r for r in rows if str(r["snapshot_date"]) >= "2026-02-16"], seen
    )
    learned, judged = opportunity_pairs(whole, from_february)
    outcomes = set(zip(judged["country"], judged["week"] + 1, strict=True))
    assert outcomes.isdisjoint(zip(learned["country"], learned["week"], strict=True))
    assert outcomes.isdisjoint(zip(learned["country"], learned["week"] + 1, strict=True))
    assert learned["week"].max() < judged["week"].min() + 1


def test_weeks_of_other_countries_stay_with_the_training(
    open_and_closed: Callable[..., tuple[list, list]], tmp_path: Path
) -> None:
    rows, seen = open_and_closed()
    whole = _archive(tmp_path / "whole", rows, seen)
    own = _archive(tmp_path / "own", [r for r in rows if r["country"] in {"C0", "C1", "C2"}], seen)
    learned, judged = opportunity_pairs(whole, own)
    assert set(judged["country"]) == {"C0", "C1", "C2"}
    assert set(learned["country"]) == {"C3", "C4", "C5", "C6", "C7"}


def test_the_command_refuses_an_archive_that_leaves_nothing_to_learn_from(steady: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-W", "ignore", "-m", "aurastream.cli", "evaluate", "opportunity",
            "--train", str(steady), "--test", str(steady), "--json",
        ],
        capture_output=True, text=True, check=False, cwd=Path(__file__).resolve().parents[3],
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "Every pair of weeks to learn from is also judged" in done.stderr
    assert "omit --test" in done.stderr


def test_every_row_of_the_command_has_the_same_keys(steady: Path) -> None:
    answer = CliRunner().invoke(app, ["evaluate", "opportunity", "--train", str(steady), "--json"])
    rows = json.loads(answer.stdout)
    assert {tuple(row) for row in rows} == {EvaluationRow.__slots__}
    assert {(row["precision"], row["recall"], row["f1"]) for row in rows} == {(None, None, None)}
    assert [row["label"] for row in rows if row["primary"]] == ["newcomer share"]


def test_a_short_archive_is_refused(
    open_and_closed: Callable[..., tuple[list, list]], archive_at: Callable
) -> None:
    with pytest.raises(InvalidInputError, match="too few"):
        evaluate_opportunity(archive_at(*open_and_closed(days=40, countries=2)))


def test_the_goals_are_reached_on_recorded_weeks(recorded: Path) -> None:
    rows = evaluate_opportunity(recorded)
    (declared,) = (row for row in rows if row.primary)
    (last_week,) = (
        row for row in rows
        if row.split == "test" and row.label == "newcomer share" and "persistence" in row.method
    )  # fmt: skip
    assert declared.n == last_week.n == 214
    assert declared.correlation is not None
    assert declared.correlation >= 0.88
    assert declared.gain_low is not None
    assert declared.gain_low > 0
    assert declared.error_reduction is not None
    assert declared.error_reduction >= 0.3
    assert last_week.correlation == pytest.approx(0.833, abs=0.005)
