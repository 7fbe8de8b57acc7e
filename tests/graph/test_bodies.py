"""What asset bodies are made of, called as plain functions."""

import base64
from datetime import UTC, datetime, timedelta

import dagster as dg
import pandas as pd
import pytest

from aurastream.core.frames import empty_frame
from aurastream.core.velocity import VELOCITY_SCHEMA
from aurastream_assets.intelligence import plots
from aurastream_assets.intelligence.windows import window_ends
from aurastream_assets.partitions import WINDOW, first_day, half_hours

KEY = half_hours.get_last_partition_key()


def test_a_window_ends_half_an_hour_after_it_starts() -> None:
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_asset_context(partition_key=KEY, instance=instance) as context,
    ):

        @dg.asset(partitions_def=half_hours)
        def ends(context: dg.AssetExecutionContext) -> pd.DatetimeIndex:
            return window_ends(context)

        (end,) = ends(context)

    assert (end - WINDOW).strftime(half_hours.fmt) == KEY
    assert str(end.tz) == "UTC"


def test_a_title_cannot_break_out_of_its_table_cell() -> None:
    rows = pd.DataFrame(
        {
            "video_id": ["v"],
            "viral_score": [99.0],
            "trend_class": ["VIRAL"],
            "category": ["music"],
            "lifetime_velocity_per_hour": [1_500.0],
        }
    )

    text = plots.top_viral(rows, {"v": "a | b](http://evil) \n# <img src=x>"}).value

    last = text.splitlines()[-1]
    assert last == (
        r"| 99.0 | [a \| b\](http://evil) \# \<img src=x\>]"
        "(https://www.youtube.com/watch?v=v) | music | 1.5k |"
    )


def test_an_empty_window_says_so_instead_of_drawing() -> None:
    assert "Nothing to draw" in plots.velocity_distribution(empty_frame(VELOCITY_SCHEMA)).value


def drawn(text: str) -> str:
    """Return the picture in a piece of Markdown."""
    return base64.b64decode(text.split("base64,")[1].split(")", maxsplit=1)[0]).decode()


def test_usual_velocities_are_drawn_where_they_are_above_zero_and_told_of_all() -> None:
    stats = pd.DataFrame(
        {
            "category": ["still", "fast", "none"],
            "sample_count": [3, 40, 0],
            "velocity_p25": [0.0, 10.0, None],
            "velocity_p50": [1.0, 100.0, None],
            "velocity_p75": [2.0, 1000.0, None],
            "velocity_p90": [3.0, 9000.0, None],
            "baseline_velocity_per_hour": [1000.0, 120.0, 1000.0],
            "baseline_source": ["default", "dynamic", "default"],
        }
    )

    text = plots.usual_velocities(stats).value

    assert "fast (40)" in drawn(text)
    assert "still" not in drawn(text)
    assert text.splitlines()[-3:] == [
        "| fast | 40 | 120 | dynamic |",
        "| still | 3 | 1k | default |",
        "| none | 0 | 1k | default |",
    ]
    assert "Nothing to draw" in plots.usual_velocities(stats[stats["category"] != "fast"]).value


def test_competition_is_drawn_easiest_first_and_only_where_it_was_seen() -> None:
    seen = pd.Timestamp("2026-11-20T12:00Z")
    games = pd.DataFrame(
        {
            "category": ["hard", "easy", "unseen"],
            "observed_at": [seen, seen, pd.NaT],
            "live_count": [90, 9, 0],
            "saturation_score": [10.0, 80.0, 50.0],
            "concentration_score": [20.0, 90.0, 50.0],
            "ease_score": [15.0, 85.0, 50.0],
        }
    )

    picture = drawn(plots.competition_by_game(games).value)

    assert 0 < picture.index("easy (9 live)") < picture.index("hard (90 live)")
    assert "unseen" not in picture
    assert "Nothing to draw" in plots.competition_by_game(games[games["live_count"] == 0]).value


def test_the_best_idea_of_each_category_cannot_break_out_of_its_table_cell() -> None:
    ideas = pd.DataFrame(
        {
            "category": ["music", "music", "gaming"],
            "rank": [1, 2, 1],
            "concept": ["a | b", "second", "c"],
            "idea_score": [40.0, 30.0, 60.0],
            "confidence_pct": [50.0, 50.0, 70.0],
            "difficulty_band": ["HARD", "EASY", "MODERATE"],
        }
    )

    text = plots.best_ideas(ideas).value

    assert text.splitlines()[-2:] == [
        "| gaming | c | 60 | 70 % | MODERATE |",
        r"| music | a \| b | 40 | 50 % | HARD |",
    ]
    assert "music: a | b" in drawn(text)
    assert "Nothing to draw" in plots.best_ideas(ideas.iloc[:0]).value


@pytest.mark.parametrize("days", range(14))
def test_partitions_begin_on_a_monday_and_stay_under_two_thousand(days: int) -> None:
    now = datetime(2026, 2, 20, 23, 59, tzinfo=UTC) + timedelta(days=days)

    start = first_day(now)

    assert start.weekday() == 0
    assert start.hour == 0
    assert timedelta(days=30) <= now - start <= timedelta(days=37)
    assert (now - start) / WINDOW < 2_000
