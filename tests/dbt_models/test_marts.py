"""Marts: one query answers the question, with how sure the answer is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from aurastream.core.quota import quota_date
from aurastream.store.ledger import PostgresLedger
from aurastream.store.urls import READER_ROLE, reader_url
from aurastream_assets.aggregation.project import load_manifest
from tests.dbt_models.warehouse import DAYS, Warehouse, at

_MARTS = sorted(
    node["name"]
    for node in load_manifest()["nodes"].values()
    if node["resource_type"] == "model" and node["schema"] == "marts"
)

_Paces = Mapping[str, tuple[float | None, float | None]]


@pytest.fixture
def marts(warehouse: Warehouse) -> Warehouse:
    """Views over empty sources, made before anything was rolled up."""
    warehouse.publish(*_MARTS)
    return warehouse


def _opportunity(marts: Warehouse, window: str, category: str, **values: Any) -> None:
    marts.insert(
        "intelligence.opportunity", {"window_start": at(window), "category": category, **values}
    )


def test_before_the_first_score_every_category_is_there_and_unknown(marts: Warehouse) -> None:
    marts.categories("roblox", kind="game")
    [row] = marts.rows("select * from marts.taking_off_now")
    assert row["title"] == "Roblox"
    assert row["is_taking_off"] is None
    assert row["certainty"] == "LOW"
    assert (row["opportunity_score"], row["not_computed_reason"]) == (None, None)
    # What is spoken of is the moment of the question, also of one before all of the record.
    assert timedelta() <= datetime.now(UTC) - row["as_of"] < timedelta(minutes=1)
    [then] = marts.rows("select as_of from marts.taking_off_now_as_of('2020-02-02 02:02+00')")
    assert then["as_of"] == at("2020-02-02 02:02")
    for mart in _MARTS:
        marts.rows(f"select * from marts.{mart}")


def _two_days(
    marts: Warehouse,
    category: str,
    videos: _Paces,
    *,
    age_h: float = 1000.0,
    spans: tuple[float, float] = (6.0, 6.0),
    **scores: Any,
) -> None:
    """Score a window and that of the day before; each video has its pace of then and of now."""
    for n, (window, score) in enumerate((("2026-11-19 10:00", 40.0), ("2026-11-20 10:00", 55.0))):
        _opportunity(marts, window, category, opportunity_score=score, **scores)
        seen = at(window) + timedelta(minutes=25)
        for video_id, paces in videos.items():
            pace = paces[n]
            if pace is None:
                continue
            for hours_ago, moment, gained in (
                (6, seen - timedelta(hours=spans[n]), 0.0),
                (0, seen, pace * spans[n]),
            ):
                start = at(window) - timedelta(hours=hours_ago)
                marts.video(
                    f"{start:%Y-%m-%d %H:%M}",
                    video_id,
                    category=category,
                    observed_at=moment,
                    views=100_000 + round(gained),
                    velocity_now_per_hour=pace,
                    age_h=age_h + 24 * n - hours_ago,
                )


def _takes_off(marts: Warehouse) -> dict[str, dict[str, Any]]:
    return {row["category_key"]: row for row in marts.rows("select * from marts.taking_off_now")}


def test_taking_off_is_measured_against_the_same_window_of_the_day_before(
    marts: Warehouse,
) -> None:
    marts.categories("roblox", "minecraft", kind="game", interval_minutes=120)
    for category, factor in (("roblox", 1.5), ("minecraft", 1.05)):
        videos = {f"{category}{n}": (100.0 * n, 100.0 * n * factor) for n in range(1, 9)}
        _two_days(marts, category, videos, viral_count=3)
    # A window that is not scored to the end yet is not the newest.
    marts.video("2026-11-20 10:30", "roblox1", category="roblox", velocity_now_per_hour=1e6)
    marts.insert(
        "collection.youtube_videos",
        *(
            {
                "video_id": "roblox8",
                "metadata_hash": title,
                "title": title,
                "first_observed_at": at(moment),
            }
            for title, moment in (("Old", "2026-11-01"), ("New", "2026-11-02"))
        ),
    )

    rows = _takes_off(marts)
    roblox, minecraft = rows["roblox"], rows["minecraft"]
    assert roblox["velocity_now_per_hour"] == 675
    assert roblox["matched_velocity_change_pct"] == pytest.approx(50)
    # A day is a fortieth of their life, by which they slow down anyway.
    assert roblox["velocity_change_24h_pct"] == pytest.approx(1.5 * 1.024 * 100 - 100, abs=1)
    assert (roblox["is_taking_off"], minecraft["is_taking_off"]) == (True, False)
    assert (roblox["matched_count"], roblox["matched_pct"]) == (8, 100)
    assert roblox["opportunity_change_24h"] == 15
    assert (roblox["fastest_video_id"], roblox["fastest_video_title"]) == ("roblox8", "New")
    assert roblox["fastest_video_velocity_per_hour"] == 1200
    assert roblox["as_of"] == at("2026-11-20 10:30")
    assert roblox["lag_s"] == 300


def test_new_videos_that_a_search_finds_are_no_take_off(marts: Warehouse) -> None:
    """Thirty fast newcomers raise the mean many-fold; the twenty that were there slow down."""
    marts.categories("warzone", kind="game", interval_minutes=120)
    stayed = {f"old{n}": (14.0 + n / 10, 8.0 + n / 10) for n in range(20)}
    found = {f"new{n}": (None, 900.0) for n in range(30)}
    _two_days(marts, "warzone", {**stayed, **found}, confidence_pct=100.0, sample_count=50)
    _crawls(marts, "collection/youtube_games", "warzone", 12)
    row = _takes_off(marts)["warzone"]
    assert row["velocity_now_per_hour"] > 500
    assert row["matched_velocity_change_pct"] == pytest.approx(-40, abs=5)
    assert row["velocity_change_24h_pct"] < -30
    assert row["velocity_change_high_pct"] < -25
    assert row["is_taking_off"] is False
    assert (row["matched_count"], row["matched_pct"]) == (20, 40)
    assert row["certainty"] == "MEDIUM"


def test_a_video_that_only_grows_older_neither_falls_nor_takes_off(marts: Warehouse) -> None:
    """Their pace halves as their age doubles, as it does in the archive of real charts."""
    marts.categories("roblox", kind="game")
    aging = {f"v{n}": (1000.0 * n, 500.0 * n) for n in range(1, 11)}
    _two_days(marts, "roblox", aging, age_h=27.0)  # 24 hours at the middle of its span
    row = _takes_off(marts)["roblox"]
    assert row["matched_velocity_change_pct"] == pytest.approx(-50)
    assert row["velocity_change_24h_pct"] == pytest.approx(0, abs=0.1)
    assert row["is_taking_off"] is False


@pytest.mark.parametrize(
    ("started_at", "change"),
    [
        ("2026-11-19 10:29", 15),  # then it answered for both
        ("2026-11-19 10:32", None),
        ("2026-11-20 10:29", None),
        ("2026-11-20 10:32", 15),
    ],
)
def test_a_score_is_not_compared_with_that_of_another_source(
    marts: Warehouse, started_at: str, change: float | None
) -> None:
    marts.categories("roblox", kind="game")
    _two_days(marts, "roblox", {"a broadcast that goes on": (100.0, 100.0)})
    moments = {
        "started_at": at(started_at),
        "previous_crawl_at": at(started_at) - timedelta(minutes=30),
    }
    marts.insert("operations.source_starts", moments)
    assert _takes_off(marts)["roblox"]["opportunity_change_24h"] == change


def test_one_lucky_video_does_not_speak_for_its_game(marts: Warehouse) -> None:
    marts.categories("roblox", kind="game")
    calm = {f"v{n}": (100.0, 100.0) for n in range(9)}
    _two_days(marts, "roblox", {**calm, "lucky": (100.0, 1e6)})
    row = _takes_off(marts)["roblox"]
    assert row["matched_velocity_change_pct"] > 90_000
    assert row["velocity_change_24h_pct"] == pytest.approx(2.4, abs=0.5)
    assert row["is_taking_off"] is False


def test_a_rise_within_the_interval_is_no_take_off(marts: Warehouse) -> None:
    marts.categories("roblox", kind="game")
    apart = {f"v{n}": (100.0, 40.0 if n < 3 else 160.0) for n in range(7)}
    _two_days(marts, "roblox", apart)
    row = _takes_off(marts)["roblox"]
    assert row["velocity_change_24h_pct"] > 50
    assert row["velocity_change_low_pct"] < 0
    assert row["is_taking_off"] is False


@pytest.mark.parametrize(
    ("videos", "spans", "matched"),
    [
        ({}, (6.0, 6.0), 0),
        ({f"v{n}": (None, 5.0) for n in range(40)}, (6.0, 6.0), 0),
        ({f"v{n}": (5.0, None) for n in range(40)}, (6.0, 6.0), 0),
        ({f"v{n}": (1.0, 9.0) for n in range(5)}, (6.0, 6.0), 5),
        # What is still there of a chart is what did well.
        (
            {f"stayed{n}": (1.0, 9.0) for n in range(8)}
            | {f"new{n}": (None, 5.0) for n in range(30)},
            (6.0, 6.0),
            8,
        ),
        # Half a day is not three hours of the evening.
        ({f"v{n}": (1.0, 9.0) for n in range(40)}, (11.0, 4.0), 0),
        ({f"v{n}": (1.0, 9.0) for n in range(40)}, (14.0, 14.0), 0),
    ],
)
def test_without_videos_to_compare_nothing_is_said(
    marts: Warehouse,
    videos: _Paces,
    spans: tuple[float, float],
    matched: int,
) -> None:
    marts.categories("roblox", kind="game", interval_minutes=120)
    _two_days(marts, "roblox", videos, spans=spans)
    _crawls(marts, "collection/youtube_games", "roblox", 12)
    row = _takes_off(marts)["roblox"]
    assert (row["is_taking_off"], row["certainty"]) == (None, "LOW")
    assert (row["velocity_change_24h_pct"] is None) == (matched == 0)
    assert row["matched_count"] == matched


@dataclass(frozen=True)
class _Basis:
    """What a comparison rests on; by itself enough for HIGH."""

    confidence: float = 90.0
    samples: int = 40
    crawls: int = 12
    matched: int = 30
    newcomers: int = 0


@pytest.mark.parametrize(
    ("basis", "certainty"),
    [
        (_Basis(), "HIGH"),
        (_Basis(crawls=7), "MEDIUM"),
        (_Basis(samples=25), "MEDIUM"),
        (_Basis(confidence=60.0), "MEDIUM"),
        (_Basis(matched=29), "MEDIUM"),
        (_Basis(newcomers=31), "MEDIUM"),
        (_Basis(crawls=3), "LOW"),
        (_Basis(confidence=40.0), "LOW"),
        (_Basis(samples=19), "LOW"),
        (_Basis(matched=9), "LOW"),
        (_Basis(matched=10, newcomers=31), "LOW"),
    ],
)
def test_certainty_is_the_weakest_of_what_the_comparison_rests_on(
    marts: Warehouse, basis: _Basis, certainty: str
) -> None:
    marts.categories("roblox", kind="game", interval_minutes=120)
    stayed = {f"v{n}": (10.0, 10.0) for n in range(basis.matched)}
    found = {f"new{n}": (None, 10.0) for n in range(basis.newcomers)}
    _two_days(
        marts,
        "roblox",
        {**stayed, **found},
        confidence_pct=basis.confidence,
        sample_count=basis.samples,
    )
    _crawls(marts, "collection/youtube_games", "roblox", basis.crawls)
    [row] = marts.rows("select * from marts.taking_off_now")
    assert (row["expected_samples"], row["received_samples"]) == (12, basis.crawls)
    assert row["certainty"] == certainty


def _crawls(marts: Warehouse, dataset: str, category: str, count: int, **values: Any) -> None:
    now = datetime.now(UTC)
    marts.insert(
        "operations.crawls",
        *(
            {
                "crawl_at": now - timedelta(hours=1, minutes=n),
                "observed_at": now - timedelta(hours=1, minutes=n),
                "dataset": dataset,
                "category": category,
                **values,
            }
            for n in range(count)
        ),
    )


def test_the_most_viral_videos_are_ranked_within_their_category(marts: Warehouse) -> None:
    marts.categories("music", "gaming")
    _opportunity(marts, "2026-11-20 10:00", "music")
    for category in ("music", "gaming"):
        rows = [
            {
                "window_start": at("2026-11-20 10:00"),
                "category": category,
                "video_id": f"v{number:02d}",
                "trend_class": "VIRAL",
                "decayed_score": float(number),
            }
            for number in range(60)
        ]
        marts.insert("intelligence.viral_scores", *rows)
        marts.insert(
            "intelligence.video_velocity",
            *(
                {
                    "window_start": row["window_start"],
                    "category": category,
                    "video_id": row["video_id"],
                    "observed_at": at("2026-11-20 10:20"),
                }
                for row in rows
            ),
        )
    found = marts.rows(
        "select * from marts.top_viral_videos where category_key = 'gaming' order by position"
    )
    assert [row["position"] for row in found] == list(range(1, 51))
    assert [row["video_id"] for row in found[:2]] == ["v59", "v58"]
    assert {row["lag_s"] for row in found} == {600}


def test_a_rising_channel_comes_with_what_it_says_of_itself(marts: Warehouse) -> None:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    day = midnight - timedelta(days=1)
    marts.categories("roblox", kind="game")
    for channel in ("asked", "charting"):
        marts.video(
            f"{day:%Y-%m-%d} 11:00",
            f"video of {channel}",
            category="roblox",
            channel_id=channel,
            trend_class="VIRAL",
            lifetime_velocity_per_hour=50.0,
        )
    told = {"channel_id": "asked", "country": "DE", "published_at": midnight - timedelta(days=90.5)}
    marts.insert(
        "collection.youtube_channels",
        {**told, "observed_at": day, "title": "Old name", "views": 1, "videos": 1},
        {**told, "observed_at": day + timedelta(hours=6), "title": "New name",
         "views": 9000, "videos": 30, "subscribers": 400},
        {**told, "observed_at": day + timedelta(days=30), "title": "Of a clock that jumped"},
    )  # fmt: skip
    marts.roll_hours(f"{day:%Y-%m-%d} 00:00", f"{midnight:%Y-%m-%d} 00:00")
    marts.runner.build(list(DAYS), start=day, end=midnight)

    found = {row["channel_id"]: row for row in marts.rows("select * from marts.rising_channels")}

    asked, charting = found["asked"], found["charting"]
    assert (asked["channel_title"], asked["channel_country"]) == ("New name", "DE")
    assert (asked["channel_age_days"], asked["subscriber_count"]) == (90, 400)
    assert asked["views_per_video"] == 300.0
    assert asked["counted_at"] == day + timedelta(hours=6)
    assert (charting["channel_title"], charting["channel_age_days"]) == (None, None)
    assert (charting["views_per_video"], charting["counted_at"]) == (None, None)


def test_collection_coverage_counts_polls_against_the_cadence(marts: Warehouse) -> None:
    marts.categories("music")
    marts.categories("roblox", kind="game", interval_minutes=240)
    for region in ("US", "DE"):
        _crawls(marts, "collection/youtube_trending", "music", 24, region=region)
    _crawls(marts, "collection/youtube_games", "roblox", 1, got=0, is_complete=False)
    rows = {
        (row["dataset"], row["category_key"]): row
        for row in marts.rows("select * from marts.collection_coverage")
    }
    charts = rows["collection/youtube_trending", "music"]
    assert (charts["region_count"], charts["expected_samples"]) == (2, 96)
    assert (charts["received_samples"], charts["coverage_pct"]) == (48, 50)
    games = rows["collection/youtube_games", "roblox"]
    assert (games["expected_samples"], games["received_samples"]) == (6, 0)
    assert games["lag_s"] is None
    assert rows["collection/clip_radar", "roblox"]["expected_samples"] == 288


def test_quota_status_sums_the_pacific_day(marts: Warehouse) -> None:
    today = datetime.now(ZoneInfo("America/Los_Angeles")).date()
    common = {
        "platform": "youtube",
        "bucket": "default",
        "endpoint": "videos.list",
        "reserved_at": datetime.now(UTC),
    }
    marts.insert(
        "operations.quota_ledger",
        {
            **common,
            "reservation_id": "00000000-0000-0000-0000-000000000001",
            "purpose": "collection/youtube_trending",
            "quota_date": today,
            "units_reserved": 10,
            "units_settled": 7,
            "settled_at": datetime.now(UTC),
        },
        {
            **common,
            "reservation_id": "00000000-0000-0000-0000-000000000002",
            "purpose": "collection/youtube_games",
            "quota_date": today,
            "units_reserved": 5,
        },
        {
            **common,
            "reservation_id": "00000000-0000-0000-0000-000000000003",
            "purpose": "collection/youtube_games",
            "quota_date": today - timedelta(days=1),
            "reserved_at": datetime.now(UTC) - timedelta(days=1),
            "units_reserved": 1000,
        },
    )
    [row] = marts.rows("select * from marts.quota_status")
    assert (row["used_units"], row["open_units"]) == (12, 5)
    assert row["units_by_purpose"] == {
        "collection/youtube_trending": 7,
        "collection/youtube_games": 5,
    }
    assert row["forecast_units"] >= 12
    assert row["coverage_pct"] == 50
    assert row["is_exhausted"] is False
    reset = row["resets_at"].astimezone(ZoneInfo("America/Los_Angeles"))
    assert (reset.hour, reset.date()) == (0, today + timedelta(days=1))


@pytest.mark.parametrize("hours_ago", [[0.5], [0.2, 2.0, 5.5], [0.1, 7.0, 9.0], [8.0]])
def test_the_forecast_is_that_of_the_command_line(marts: Warehouse, hours_ago: list[float]) -> None:
    now = datetime.now(UTC)
    marts.insert(
        "operations.quota_ledger",
        *(
            {
                "platform": "youtube",
                "bucket": "youtube.default",
                "endpoint": "videos.list",
                "reservation_id": f"00000000-0000-0000-0000-{number:012d}",
                "purpose": "collection/youtube_trending",
                "quota_date": quota_date(now - timedelta(hours=hours)),
                "reserved_at": now - timedelta(hours=hours),
                "units_reserved": 100 * number + 7,
            }
            for number, hours in enumerate([*hours_ago, 0.0], start=1)
        ),
    )
    [row] = marts.rows("select * from marts.quota_status")
    with PostgresLedger(marts.url) as ledger:
        [status] = [s for s in ledger.usage(row["as_of"]) if s.bucket == "youtube.default"]
    assert (row["used_units"], row["quota_date"]) == (status.used, status.quota_date)
    assert row["forecast_units"] == pytest.approx(status.projected, rel=1e-9)


def test_trending_categories_average_the_newest_seven_days(marts: Warehouse) -> None:
    marts.categories("music")
    for day in range(11, 21):
        marts.video(f"2026-11-{day} 05:00", trend_class="VIRAL", views=100)
    marts.roll_days("2026-11-11 00:00", "2026-11-21 00:00")
    [row] = marts.rows("select * from marts.trending_categories")
    assert row["days_with_data"] == 7
    assert (row["avg_viral_count"], row["views_trend"], row["momentum_index"]) == (1, 0, 10)
    assert row["as_of"] == at("2026-11-21 00:00")
    # The function of the sources, under the names that its callers know.
    [kept] = marts.rows(
        "select opportunity_score, momentum_index, days_with_data "
        "from aggregation.get_trending_categories(7, '2026-11-21 00:00+00')"
    )
    assert kept == {"opportunity_score": 10, "momentum_index": 10, "days_with_data": 7}
    assert row["expected_samples"] == 7 * 48
    # No number of days, and no moment, is too large for a date.
    for days in (2**31 - 1, -(2**31)):
        for moment in ("now()", "'-infinity'", "'infinity'", "'4713-01-01 BC'"):
            marts.rows(f"select * from aggregation.get_trending_categories({days}, {moment})")
            marts.rows(f"select * from aggregation.get_optimal_duration('music', {days}, {moment})")
    [ever] = marts.rows(
        "select days_with_data "
        "from aggregation.get_trending_categories(2147483647, '2026-11-21 00:00+00')"
    )
    assert ever["days_with_data"] == 10


def test_rolling_up_again_leaves_the_marts_in_place(marts: Warehouse) -> None:
    marts.categories("music")
    marts.roll_days("2026-11-20 00:00", "2026-11-21 00:00")
    marts.roll_days("2026-11-20 00:00", "2026-11-21 00:00")
    assert len(marts.rows("select * from marts.trending_categories")) == 1


def test_the_read_only_role_may_read_marts_and_rollups(marts: Warehouse) -> None:
    with psycopg.connect(reader_url(marts.url)) as connection:
        assert connection.execute("select current_user").fetchone() == (READER_ROLE,)
        for mart in _MARTS:
            connection.execute(f"select * from marts.{mart}")
            connection.execute(f"select * from marts.{mart}_as_of(now())")
        connection.execute("select * from aggregation.intel_hourly_metrics")
        for table in DAYS:
            connection.execute(f"select * from aggregation.{table}")


def test_every_table_and_column_carries_its_description(marts: Warehouse) -> None:
    undescribed = marts.rows(
        """
        select c.oid::regclass::text as relation, a.attname
        from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where n.nspname in ('marts', 'aggregation') and c.relkind in ('r', 'v')
            and (col_description(c.oid, a.attnum) is null or obj_description(c.oid) is null)
        """
    )
    assert undescribed == []
