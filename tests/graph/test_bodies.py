"""What asset bodies are made of, called as plain functions."""

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


@pytest.mark.parametrize("days", range(14))
def test_partitions_begin_on_a_monday_and_stay_under_two_thousand(days: int) -> None:
    now = datetime(2026, 2, 20, 23, 59, tzinfo=UTC) + timedelta(days=days)

    start = first_day(now)

    assert start.weekday() == 0
    assert start.hour == 0
    assert timedelta(days=30) <= now - start <= timedelta(days=37)
    assert (now - start) / WINDOW < 2_000
