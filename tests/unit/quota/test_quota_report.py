"""What the command prints about quotas: for people, in every state of a bucket."""

import datetime as dt

import pandas as pd

from aurastream.core.quota import cost_table, quota_statuses, rate_statuses
from aurastream.operations.quota_report import quota_lines

NOW = dt.datetime(2026, 11, 21, 20, tzinfo=dt.UTC)
TABLE = cost_table("granular_2026", NOW)


def _usage(**units: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "bucket": [name.replace("_", ".", 1) for name in units],
            "at": pd.to_datetime([NOW - dt.timedelta(minutes=30)] * len(units), utc=True),
            "units": list(units.values()),
        }
    )


def _rows(usage: pd.DataFrame, refused: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    statuses = quota_statuses(TABLE, usage, NOW, refused=refused)
    report = quota_lines(statuses, rate_statuses(TABLE, usage, NOW), NOW)
    assert all(len(row) == len(report.columns) for row in report.rows)
    assert "2026-11-21 (Pacific)" in report.note
    return {row[0]: row[1:] for row in report.rows}


def test_both_platforms_are_there_and_no_value_is_a_programs() -> None:
    rows = _rows(_usage(youtube_default=1411, youtube_search=1, twitch_helix=47))

    assert set(rows) == {"youtube.default", "youtube.batch_stats", "youtube.search", "twitch.helix"}
    assert rows["youtube.default"][:3] == (
        "1,411 units (14 %)",
        "8,589 units",
        "10,000 units a day",
    )
    assert rows["youtube.search"][:3] == (
        "1 unit (1 %)",
        "79 units",
        "100 units a day, 80 by our own rule",
    )
    assert rows["youtube.default"][-1] == "08:00 UTC, in 12 h 00 min"
    assert rows["twitch.helix"] == (
        *("47 points", "753 points a minute", "800 points a minute", "–", "no", "every minute"),
    )
    for row in rows.values():
        assert not {"False", "True", "None", "nan"} & set(row)
        assert "+00:00" not in " ".join(row)


def test_a_bucket_that_runs_dry_says_when_and_a_refused_one_that_it_is_spent() -> None:
    rows = _rows(_usage(youtube_default=4000), refused=("youtube.search",))

    assert rows["youtube.default"][-2] == "21:30 UTC, in 1 h 30 min"
    assert rows["youtube.search"][1] == "exhausted"
    assert rows["youtube.search"][-2] == "already"


def test_yesterdays_points_are_not_todays() -> None:
    usage = _usage(twitch_helix=5).assign(
        at=pd.to_datetime([NOW - dt.timedelta(hours=13)], utc=True)
    )
    assert rate_statuses(TABLE, usage, NOW)[0].used == 0
