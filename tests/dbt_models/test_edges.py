"""Edges of the calendar, late and repeated data, and a rollup that was killed half-way."""

import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from pydantic import SecretStr

from aurastream.core.quota import cost_table
from aurastream.operations.archive import archive_month, open_archive
from aurastream.settings import REPO_ROOT, Settings
from tests.dbt_models.warehouse import DAYS, HOURS, Warehouse, at

_KILLED = """
import sys
from datetime import datetime
from pathlib import Path
from aurastream_assets.aggregation.runner import DbtRunner
url, work, start, end, *names = sys.argv[1:]
DbtRunner(url, Path(work)).build(
    names, start=datetime.fromisoformat(start), end=datetime.fromisoformat(end)
)
"""


def _seen(warehouse: Warehouse, window: str, views: int = 100) -> None:
    for n in range(6):
        warehouse.video(
            window, f"v{n}", views=views + n, duration_s=90, lifetime_velocity_per_hour=5.0 + n
        )


def _streams(warehouse: Warehouse, moment: datetime, *streams: tuple[str, str, int]) -> None:
    """One crawl of one game: the id, the language and the viewers of each of its streams."""
    for stream, language, viewers in streams:
        warehouse.insert(
            "collection.twitch_streams",
            {
                "observed_at": moment,
                "crawl_at": moment,
                "game_id": "1",
                "stream_id": stream,
                "language": language,
                "viewer_count": viewers,
            },
        )


def _sums(warehouse: Warehouse) -> dict[str, str]:
    return {table: warehouse.checksum(f"aggregation.{table}") for table in (HOURS, *DAYS)}


def _roll(warehouse: Warehouse, first: str, last: str) -> None:
    """Roll up whole days, both included."""
    start, end = at(first), at(last) + timedelta(days=1)
    warehouse.runner.build([HOURS], start=start, end=end)
    warehouse.runner.build(list(DAYS), start=start, end=end)


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        ("2028-02-28", "2028-03-01", 3),  # a leap day
        ("2026-12-31", "2027-01-01", 2),  # a year's edge
        ("2026-04-30", "2026-05-01", 2),  # a month's edge
        ("2026-03-08", "2026-03-09", 2),  # clocks go forward in New York
        ("2026-11-01", "2026-11-02", 2),  # and back
    ],
)
def test_a_day_has_24_hours_wherever_it_lies_in_the_calendar(
    warehouse: Warehouse, first: str, last: str, days: int
) -> None:
    warehouse.categories("music", audience_timezone="America/New_York")
    _seen(warehouse, f"{first} 23:30")
    _seen(warehouse, f"{last} 00:00", 200)
    _roll(warehouse, first, last)
    hours = warehouse.hours()
    assert len(hours) == 24 * days
    assert {row["as_of"] - row["hour_start"] for row in hours} == {timedelta(hours=1)}
    found = warehouse.days()
    assert [row["date"] for row in found] == [
        at(first).date() + timedelta(days=n) for n in range(days)
    ]
    assert [row["total_videos_seen"] for row in found] == [6, *[0] * (days - 2), 6]
    if days == 2:
        assert found[1]["views_trend"] == pytest.approx(100 * 100 / 102.5)
    lengths = warehouse.rows(
        "select date, sum(video_count) as videos, max(coverage_pct) as coverage "
        "from aggregation.intel_duration_performance group by 1 order by 1"
    )
    assert [row["videos"] for row in lengths] == [row["total_videos_seen"] for row in found]


def test_a_day_without_data_has_rows_that_say_so(warehouse: Warehouse) -> None:
    warehouse.categories("gta", kind="game", twitch_game_id="1")
    _roll(warehouse, "2026-11-20", "2026-11-20")
    for table in (HOURS, *DAYS):
        rows = warehouse.rows(f"select * from aggregation.{table}")
        if table == "intel_channel_days":
            assert rows == []  # no channel was seen, and there is none to name
        else:
            assert rows, table
            assert {row["coverage_pct"] for row in rows} == {0}, table
            assert {row["newest_observed_at"] for row in rows} == {None}, table


def test_a_late_hour_changes_its_day_and_nothing_else(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    for day in ("2026-11-18", "2026-11-19", "2026-11-20"):
        _seen(warehouse, f"{day} 10:00")
    # Some come out at 10:00; others at 15:00, which the 19th would have seen at the age of a day.
    for n in range(12):
        hour, window = ((10, "19 10:00"), (15, "20 00:30"))[n % 2]
        aged = {"published_at": at(f"2026-11-18 {hour}:00"), "lifetime_velocity_per_hour": 1.0 + n}
        warehouse.video(f"2026-11-{window}", f"aged{n}", **aged)
        warehouse.video("2026-11-18 20:00", f"aged{n}", **aged)
    _roll(warehouse, "2026-11-18", "2026-11-21")
    outside = (
        "select md5(string_agg(t::text, '|' order by t::text)) as sum "
        "from aggregation.intel_duration_performance as t where date <> '2026-11-19'"
    )
    before = warehouse.rows(outside)
    _seen(warehouse, "2026-11-19 15:30", 900)
    for n in range(1, 12, 2):
        late = {"published_at": at("2026-11-18 15:00"), "lifetime_velocity_per_hour": 100.0 + n}
        warehouse.video("2026-11-19 15:30", f"aged{n}", **late)
    _roll(warehouse, "2026-11-19", "2026-11-19")
    assert warehouse.rows(outside) == before
    [row] = warehouse.rows(
        "select avg_views, received_samples from aggregation.intel_duration_performance "
        "where date = '2026-11-19' and bucket_label = '1-3 min'"
    )
    assert row == {"avg_views": 902.5, "received_samples": 2}

    counted = (
        "select date::text, sum(video_count) as n from aggregation.intel_posting_hours group by 1"
    )
    assert {row["date"][-2:]: row["n"] for row in warehouse.rows(counted)} == {
        "18": 0,
        "19": 12,
        "20": 0,
        "21": 0,
    }, "what came late is no longer counted on the day after"
    best = "select best_times from aggregation.intel_premiere_performance where date = '2026-11-21'"
    assert [hour["hour_utc"] for hour in warehouse.rows(best)[0]["best_times"]] == [15]

    sums = _sums(warehouse)
    _roll(warehouse, "2026-11-18", "2026-11-21")
    assert _sums(warehouse) == sums, "order of computing does not show"


def test_an_hour_that_is_delivered_again_changes_nothing(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    warehouse.categories("gta", kind="game", twitch_game_id="1")
    languages = ("de", "en", "es", "fr", "it", "pt")

    def deliver() -> None:
        _seen(warehouse, "2026-11-20 10:00")
        for n in range(30):
            language = languages[n // 5]
            views = {"category": "gta", "audio_language": language, "views": 31 + 17 * n}
            warehouse.video("2026-11-20 10:00", f"g{n}", **views)

    deliver()
    moment = at("2026-11-20 10:04")
    for n in range(13):
        stream = {"stream_id": f"s{n}", "language": languages[n % 6], "viewer_count": 7 + 3 * n}
        warehouse.insert(
            "collection.twitch_streams",
            {"observed_at": moment, "crawl_at": moment, "game_id": "1", **stream},
        )
    # The first rollup of all makes the table, every other one reads what is there.
    with psycopg.connect(warehouse.url) as owner:
        owner.execute("drop table if exists aggregation.intel_regional_performance cascade")
    _roll(warehouse, "2026-11-20", "2026-11-20")
    before = _sums(warehouse)
    warehouse.replace_window("2026-11-20 10:00")
    deliver()
    _roll(warehouse, "2026-11-20", "2026-11-20")
    assert _sums(warehouse) == before
    assert warehouse.rows("select 1 from maintenance.score_history") == []


def test_what_was_made_of_streams_that_had_to_go_stays_when_their_day_changes(
    warehouse: Warehouse,
) -> None:
    warehouse.categories("gta", kind="game", twitch_game_id="1")
    streams = [("10:04", "a", "en", 300), ("10:19", "a", "en", 500), ("23:04", "b", "de", 200)]
    for clock, *stream in streams:
        moment = at(f"2026-11-20 {clock}")
        _streams(warehouse, moment, tuple(stream))
        warehouse.insert(
            "intelligence.competition",
            {
                "window_start": moment,
                "observed_at": moment,
                "category": "gta",
                "live_count": 1,
                "viewer_total": stream[2],
                "hhi": 1.0,
            },
        )
    models = ("intel_stream_hours", "intel_regional_performance", "intel_competition_days")
    day = {"start": at("2026-11-20"), "end": at("2026-11-21")}
    seen = (
        "select language_code, youtube_video_count as videos, twitch_avg_viewers, "
        "twitch_total_viewers, twitch_crawl_count, competition_score, market_share_percent "
        "from aggregation.intel_regional_performance order by 1"
    )
    hours = (
        "select to_jsonb(h) as row from aggregation.intel_stream_hours as h union all "
        "select to_jsonb(d) from aggregation.intel_competition_days as d order by 1"
    )

    warehouse.runner.build([HOURS, *models], **day)
    hours_before, before = warehouse.rows(hours), warehouse.rows(seen)
    assert [(r["language_code"], r["market_share_percent"]) for r in before] == [
        ("de", 20.0),
        ("en", 80.0),
    ]
    # Only the newest stream is left when the day is rolled up again for a late video.
    gone = "delete from collection.twitch_streams where viewer_count > 200 returning stream_id"
    assert len(warehouse.rows(gone)) == 2
    # And a window that is scored again finds its streams no more.
    stale = "update intelligence.competition set observed_at = null, live_count = 0 returning 1"
    assert len(warehouse.rows(stale)) == 3
    warehouse.video("2026-11-20 12:00", category="gta", audio_language="fr", views=7)
    warehouse.runner.build([HOURS, *models], **day)

    assert warehouse.rows(hours) == hours_before
    after = warehouse.rows(seen)
    assert [row for row in after if row["language_code"] != "fr"] == before
    [french] = [row for row in after if row["language_code"] == "fr"]
    assert (french["videos"], french["market_share_percent"]) == (1, 0)
    assert french["twitch_crawl_count"] == 3


def test_an_hour_whose_streams_go_before_its_day_is_over_is_in_the_day(
    warehouse: Warehouse,
) -> None:
    warehouse.categories("gta", kind="game", twitch_game_id="1")
    warehouse.categories("quiet", kind="game", twitch_game_id="2")

    # Days that are not over whenever this runs: nobody can have read them.
    day, midnight, later = (
        datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=n)
        for n in (2, 3, 4)
    )

    def clock(text: str) -> datetime:
        return at(f"{day:%F} {text}")

    def roll(start: str, end: str | None = None) -> None:
        warehouse.runner.build(
            ["intel_stream_hours"], start=clock(start), end=clock(end) if end else midnight
        )

    def said() -> dict[tuple[str, str], tuple[Any, ...]]:
        rows = warehouse.rows("select * from aggregation.intel_stream_hours")
        return {
            (row["category_key"], row["language"]): (
                *({n: v for n, v in enumerate(row[c]) if v} for c in by_hour),
                row["received_samples"],
                row["newest_observed_at"],
                row["as_of"],
            )
            for row in rows
        }

    by_hour = ("crawl_count_by_hour", "live_count_by_hour", "viewer_total_by_hour")
    _streams(warehouse, clock("00:04"), ("a", "en", 300))
    _streams(warehouse, clock("00:49"), ("a", "en", 100), ("b", "de", 50))
    roll("00:00", "01:00")
    first = ({0: 2}, {0: 1}, {0: 200}, 2, clock("00:49"), later)
    assert said()["gta", "en"] == first, "not to be shown before the day is over"
    assert said()["quiet", "und"] == ({}, {}, {}, 0, None, later)
    _streams(warehouse, clock("05:04"), ("a", "en", 70))
    roll("05:00", "06:00")
    roll("00:00", "01:00")

    # The terms end the first streams before the day is rolled up; one comes that was not rolled up.
    warehouse.rows("delete from collection.twitch_streams where viewer_count = 300 returning 1")
    _streams(warehouse, clock("05:34"), ("a", "en", 90), ("c", "fr", 20))
    roll("00:00")

    whole = {
        ("gta", "en"): (
            {0: 2, 5: 2},
            {0: 1, 5: 1},
            {0: 200, 5: 80},
            4,
            clock("05:34"),
            midnight,
        ),
        ("gta", "de"): (
            {0: 2, 5: 2},
            {0: 0.5},
            {0: 25},
            4,
            clock("05:34"),
            midnight,
        ),
        ("gta", "fr"): (
            {0: 2, 5: 2},
            {5: 0.5},
            {5: 10},
            4,
            clock("05:34"),
            midnight,
        ),
        ("quiet", "und"): ({}, {}, {}, 0, None, midnight),
    }
    assert said() == whole
    assert warehouse.rows("select 1 from maintenance.score_history") == [], "nobody could read it"
    # Nor do its hours, or the day, change when all is gone and one of them is asked for again.
    warehouse.rows("delete from collection.twitch_streams returning 1")
    roll("05:00", "07:00")
    roll("00:00")
    assert said() == whole


def test_the_quota_day_is_as_long_as_the_pacific_day(warehouse: Warehouse) -> None:
    warehouse.publish("quota_status")
    for n, (day, noon) in enumerate(
        (("2026-03-08", "2026-03-08 20:00"), ("2026-11-01", "2026-11-01 20:00"))
    ):
        warehouse.insert(
            "operations.quota_ledger",
            {
                "reservation_id": f"00000000-0000-0000-0000-00000000000{n}",
                "platform": "youtube",
                "bucket": "youtube.default",
                "endpoint": "videos.list",
                "purpose": "collection/youtube_games",
                "quota_date": at(day).date(),
                "units_reserved": 100,
                "reserved_at": at(noon) - timedelta(minutes=1),
            },
        )

    def status(moment: str) -> Any:
        [row] = warehouse.rows(f"select * from marts.quota_status_as_of('{moment}+00')")
        return row

    # At 20:00 UTC the shorter of the two days has 11 hours left and the longer one 12, at the pace
    # of 100 units in the least time a pace is taken from, an hour.
    spring, autumn = status("2026-03-08 20:00"), status("2026-11-01 20:00")
    assert (spring["resets_at"], autumn["resets_at"]) == (
        at("2026-03-09 07:00"),
        at("2026-11-02 08:00"),
    )
    assert spring["forecast_units"] == pytest.approx(100 + 11 * 100)
    assert autumn["forecast_units"] == pytest.approx(100 + 12 * 100)


def test_searches_are_forecast_by_the_last_day_and_never_above_what_we_keep_them_to(
    warehouse: Warehouse,
) -> None:
    project = yaml.safe_load((REPO_ROOT / "dbt_project" / "dbt_project.yml").read_text())
    noon = at("2026-11-20 20:00")
    prices = cost_table("granular_2026", noon)
    assert project["vars"]["searches_per_day"] == prices.own_limit("youtube.search")
    limits = (REPO_ROOT / "dbt_project" / "macros" / "quota_limits.sql").read_text()
    assert {name: int(units) for name, units in re.findall(r"\('([a-z._]+)', (\d+)\)", limits)} == {
        bucket.name: bucket.daily_limit
        for bucket in prices.buckets.values()
        if bucket.daily_limit is not None
    }
    warehouse.publish("quota_status")

    def reserve(number: int, units: int) -> None:
        warehouse.insert(
            "operations.quota_ledger",
            {
                "reservation_id": f"00000000-0000-0000-0000-00000000000{number}",
                "platform": "youtube",
                "bucket": "youtube.search",
                "endpoint": "search.list",
                "purpose": "collection/youtube_games",
                "quota_date": at("2026-11-20").date(),
                "units_reserved": units,
                "reserved_at": noon - timedelta(minutes=5),
            },
        )

    def forecast() -> Any:
        [row] = warehouse.rows("select * from marts.quota_status_as_of('2026-11-20 20:00+00')")
        return row["forecast_units"]

    reserve(1, 8)
    assert forecast() == 8
    reserve(2, 70)
    assert forecast() == 78
    reserve(3, 7)
    assert forecast() == 85, "what is used is used"


def test_a_killed_rollup_leaves_the_old_rows_and_the_next_one_gives_the_clean_result(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    warehouse.categories("music")
    for hour in range(24):
        _seen(warehouse, f"2026-11-20 {hour:02d}:00")
    _roll(warehouse, "2026-11-20", "2026-11-20")
    old = _sums(warehouse)
    for hour in range(24):
        _seen(warehouse, f"2026-11-20 {hour:02d}:30", 500)

    with psycopg.connect(warehouse.url, autocommit=True) as reader:
        # Whoever reads holds the rollup in the middle of its transaction, before the delete.
        blocker = psycopg.connect(warehouse.url)
        blocker.execute("lock table aggregation.intel_daily_metrics in share mode")
        process = subprocess.Popen(
            [
                *(sys.executable, "-W", "ignore", "-c", _KILLED, warehouse.url, str(tmp_path)),
                *("2026-11-20T00:00:00+00:00", "2026-11-21T00:00:00+00:00", *DAYS),
            ],
            cwd=Path(__file__).resolve().parents[2],
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 120
            waiting = 0
            while waiting == 0 and process.poll() is None and time.monotonic() < deadline:
                row = reader.execute(
                    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
                    "and application_name = 'aurastream-dbt'"
                ).fetchone()
                waiting = int(row[0]) if row else 0
            assert waiting, "dbt was caught in the middle"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            blocker.close()
        gone = reader.execute(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where application_name = 'aurastream-dbt'"
        ).fetchone()
        assert gone is not None
    assert warehouse.checksum("aggregation.intel_daily_metrics") == old["intel_daily_metrics"]

    _roll(warehouse, "2026-11-20", "2026-11-20")
    again = _sums(warehouse)
    with psycopg.connect(warehouse.url, autocommit=True) as connection:
        for table in (HOURS, *DAYS):
            connection.execute(f"drop table aggregation.{table} cascade")
    _roll(warehouse, "2026-11-20", "2026-11-20")
    assert _sums(warehouse) == again
    assert again != old


def test_cleaning_up_follows_the_rules_of_retention_and_leaves_its_proof(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    warehouse.categories("music")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    old, young = today - timedelta(days=40), today - timedelta(days=2)
    for start in (old, young):
        warehouse.runner.build([HOURS], start=start, end=start + timedelta(days=1))
    # Of a month's last day an hour alone was rolled up: its row is the month's, its as_of is not.
    warehouse.categories("gta", kind="game", twitch_game_id="1")
    last = old.replace(day=1) - timedelta(hours=1)
    warehouse.runner.build(["intel_stream_hours"], start=last, end=last + timedelta(hours=1))
    warehouse.publish("series_coverage")
    clean = "select * from aggregation.cleanup_intel_data()"
    with psycopg.connect(warehouse.url, autocommit=True) as connection:
        connection.execute("truncate maintenance.retention_rules, maintenance.purges")
        assert connection.execute(clean).fetchall() == [], "without a rule nothing goes"
        connection.execute(
            "insert into maintenance.retention_rules select 'aggregation.' || name, "
            "'youtube', 'derived', 'amended', 'live', 720, 'operator', 'delete_rows', true, "
            "said || ' are kept for 30 days', now() "
            "from (values ('intel_hourly_metrics', 'hours'), ('intel_stream_hours', 'days')) "
            "as rules (name, said)"
        )
        # Only the operator's limit lets them go, so the archive must have them first.
        with pytest.raises(
            psycopg.errors.ObjectNotInPrerequisiteState,
            match=f"24 rows of {old:%Y-%m} are over age",
        ) as refused:
            connection.execute(clean)
        assert "aurastream archive --month" in str(refused.value.diag.message_hint)
        assert len(warehouse.hours()) == 48
        settings = Settings(
            postgres_url=SecretStr(warehouse.url), data_dir=tmp_path, retention_days=30
        )
        for day in (old, last):
            archive_month(settings, open_archive(settings), day.date().replace(day=1))
        cleaned = connection.execute(clean).fetchall()
        assert [(row[0], row[2], row[3]) for row in cleaned] == [
            ("aggregation.intel_hourly_metrics", 24, 24),
            ("aggregation.intel_stream_hours", 1, 0),
        ]
        assert connection.execute(
            "select target, items, before_count, after_count, reason from maintenance.purges "
            "order by target"
        ).fetchall() == [
            ("aggregation.intel_hourly_metrics", 24, 48, 24, "hours are kept for 30 days"),
            ("aggregation.intel_stream_hours", 1, 1, 0, "days are kept for 30 days"),
        ]
        connection.execute("truncate maintenance.retention_rules, maintenance.purges")
    assert {row["hour_start"].date() for row in warehouse.hours()} == {young.date()}
