"""The worked queries of docs/analysts.md, on days that the collectors brought from the replay."""

import inspect
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from psycopg.rows import dict_row

from aurastream.operations.first_runs import history_start
from aurastream.operations.history_lanes import load_history
from aurastream.replay.server import background
from aurastream.settings import Settings
from aurastream.store.frames import FrameStore
from aurastream.store.urls import reader_url
from aurastream_assets.aggregation.project import load_manifest
from aurastream_assets.aggregation.runner import DbtRunner

_PAGE = (Path(__file__).resolve().parents[2] / "docs/analysts.md").read_text(encoding="utf-8")
_SECTIONS = {
    title: re.findall(r"^```sql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for title, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", _PAGE, re.MULTILINE | re.DOTALL)
}
# Of the first day only the hours after the present one are there, and the streaming times of an
# hour rest on three days: with a fourth, which hours have them does not depend on the hour of now.
_DAYS = 4
_MODELS = [n for n in load_manifest()["nodes"].values() if n["resource_type"] == "model"]
_HOURS = [n["name"] for n in _MODELS if n["config"]["meta"].get("partition_by") == "hour_start"]
_ROLLUPS = [n["name"] for n in _MODELS if n["config"]["meta"].get("partition_by") == "date"]
_VIEWS = [n["name"] for n in _MODELS if n["config"]["materialized"] == "view"]

Ask = Callable[[str], list[list[dict[str, Any]]]]


@pytest.fixture
def ask(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    installation: dict[str, object],
    store: FrameStore,
    run: Callable[..., dg.ExecuteInProcessResult],
) -> Ask:
    """Collect, score, analyse and roll four days up; return what answers a section's queries."""
    assert installation
    now = datetime.now(UTC).replace(microsecond=0)
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", store.url)
    with background() as replay_url:
        load_history(
            Settings.from_env(),
            replay_url,
            now,
            days=_DAYS,
            on_plan=lambda _count: None,
            on_step=lambda _step: None,
        )
    first = history_start(now, _DAYS)
    last = now.replace(minute=0, second=0) - timedelta(minutes=30)
    assert run("rescore", first=first, last=last).success
    four_hours = now.replace(hour=now.hour - now.hour % 4, minute=0, second=0) - timedelta(hours=4)
    run("analyses", first=four_hours, raise_on_error=False)
    midnight = now.replace(hour=0, minute=0, second=0)
    start = (first + timedelta(days=1)).replace(hour=0, minute=0, second=0)
    runner = DbtRunner(store.url, tmp_path / "dbt")
    hour = now.replace(minute=0, second=0)
    runner.build(_HOURS, start=start - timedelta(days=1), end=hour)
    runner.build(_ROLLUPS, start=start - timedelta(days=1), end=midnight)
    runner.build(_VIEWS)

    def answers(section: str) -> list[list[dict[str, Any]]]:
        with psycopg.connect(reader_url(store.url), row_factory=dict_row) as connection:
            return [connection.execute(query).fetchall() for query in _SECTIONS[section]]

    return answers


def test_no_worked_query_is_left_out() -> None:
    source = inspect.getsource(test_the_answers_make_sense_on_days_of_the_replay)
    asked = re.findall(r'ask\("(.*?)"\)', source)
    assert set(asked) == {section for section, queries in _SECTIONS.items() if queries}
    assert sum(map(len, _SECTIONS.values())) == _PAGE.count("```sql")


def test_the_answers_make_sense_on_days_of_the_replay(ask: Ask) -> None:
    [taking_off] = ask("What takes off now, and how sure are we?")
    assert len(taking_off) > 5
    compared = [row for row in taking_off if row["matched_count"] >= 6]
    assert compared, "charts and games have videos of both days"
    for row in taking_off:
        if row["matched_count"] < 6 or row["matched_pct"] < 25:
            assert (row["is_taking_off"], row["certainty"]) == (None, "LOW")
        if row["matched_count"] >= 6:
            assert row["low_pct"] <= row["change_pct"] <= row["high_pct"]
            assert row["is_taking_off"] is not True or row["low_pct"] >= 0
    # Nor does everything fall because its videos grow older: a median video does as its age has it,
    # to a factor of two either way, which is what an evening and a weekend make of a few games.
    middle = sorted(row["change_pct"] for row in compared)[len(compared) // 2]
    assert -50 < middle < 100

    best, heat = ask("When to post?")
    assert [row["low"] for row in best] == sorted((row["low"] for row in best), reverse=True)
    assert [row["day_of_week"] for row in heat] == list(range(7))
    for row in heat:
        assert len(row["index_by_hour"]) == len(row["videos_by_hour"]) == 24
        for index, videos in zip(row["index_by_hour"], row["videos_by_hour"], strict=True):
            assert (index is None) == (videos == 0)

    [streaming] = ask("When to stream?")
    assert len(streaming) == 10
    assert {row["basis"] for row in streaming} <= {"HOUR_OF_DAY", "HOUR_OF_WEEK"}
    assert all(row["low"] <= row["estimate"] <= row["high"] for row in streaming)
    assert [row["low"] for row in streaming] == sorted(
        (row["low"] for row in streaming), reverse=True
    )
    assert streaming[0]["estimate"] > 1

    leading, unusual = ask("Which streams lead now, and which are on the rise?")
    assert [row["composite_rank"] for row in leading] == list(range(1, len(leading) + 1))
    assert "USUAL" in {row["direction"] for row in unusual}

    [cost] = ask("What does an insight cost?")
    by_dataset = {row["dataset"]: row for row in cost}
    assert {"collection/youtube_trending", "collection/youtube_games"} <= set(by_dataset)
    charts = [row for row in cost if row["dataset"] == "collection/youtube_trending"]
    assert all(row["units_per_1000_rows"] > 0 for row in charts)
    assert any(row["units_per_insight"] for row in charts)

    coverage, workers = ask("How whole is each series?")
    assert all(0 <= row["coverage_pct"] <= 100 for row in coverage)
    assert len(workers) == 14

    lengths, shorts = ask("Which duration and format works?")
    assert len(lengths) > 2
    assert shorts
    assert {row["relation"] for row in ask("Do clips lead videos?")[0]} <= {
        "UNKNOWN",
        "NONE",
        "LEADS",
        "FOLLOWS",
        "TOGETHER",
    }
    [titles] = ask("Which titles work, and by how much?")
    assert all(row["ci_low"] <= row["lift"] <= row["ci_high"] for row in titles if row["ci_low"])
    [channels] = ask("Who is new and rising?")
    assert {row["is_new"] for row in channels} <= {None, True}
    [over_time] = ask("Saturation and concentration over time")
    assert [row["date"] for row in over_time] == sorted(row["date"] for row in over_time)
    [languages] = ask("Which languages?")
    assert languages
    then, went_on = ask("What did we know then?")
    assert then
    assert all(row["change_then"] >= 10 for row in went_on)
    for answer in ask("For users of the earlier functions"):
        assert answer
