"""Hours: every expectation is added up by hand."""

import psycopg
import pytest

from tests.dbt_models.warehouse import Warehouse, at


def test_an_hour_without_data_has_a_row_per_category_that_says_so(warehouse: Warehouse) -> None:
    warehouse.categories("music", "roblox")
    warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 12:00")

    for category in ("music", "roblox"):
        hours = warehouse.hours(category)
        assert [row["hour_start"] for row in hours] == [
            at("2026-11-20 10:00"),
            at("2026-11-20 11:00"),
        ]
        for row in hours:
            assert row["video_count"] == 0
            assert row["avg_views"] is None
            assert row["max_velocity"] is None
            assert row["language_distribution"] == {}
            assert row["dominant_language"] == "und"
            assert (row["expected_samples"], row["received_samples"]) == (2, 0)
            assert row["coverage_pct"] == 0
            assert row["newest_observed_at"] is None
            assert row["lag_s"] is None


def test_the_hour_is_half_open(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    for window in ("2026-11-20 09:30", "2026-11-20 10:00", "2026-11-20 10:30", "2026-11-20 11:00"):
        warehouse.video(window, video_id=window[11:])
    warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 11:00")

    [row] = warehouse.hours()
    assert row["hour_start"] == at("2026-11-20 10:00")
    assert row["as_of"] == row["created_at"] == at("2026-11-20 11:00")
    assert row["video_count"] == 2
    assert row["coverage_pct"] == 100
    assert row["newest_observed_at"] == at("2026-11-20 10:55")
    assert row["lag_s"] == 300


def test_every_column_is_what_a_person_would_compute(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    published = at("2026-11-19 00:00")
    videos = [
        # id, views, engagement, seconds, lifetime velocity, language, class
        ("short", 100, 0.1, 30, 10.0, "en", "VIRAL"),
        ("new-short", 300, 0.2, 180, 20.0, "en-GB", "RISING"),
        ("long", 800, None, 600, 30.0, "de", "STABLE"),
        ("hidden", None, None, None, None, None, "UNKNOWN"),
    ]
    for video_id, views, engagement, seconds, velocity, language, trend_class in videos:
        warehouse.video(
            "2026-11-20 10:00",
            video_id,
            views=views,
            engagement_rate=engagement,
            duration_s=seconds,
            lifetime_velocity_per_hour=velocity,
            velocity_now_per_hour=velocity,
            audio_language=language or "und",
            trend_class=trend_class,
            published_at=published,
            confidence_pct=80.0,
        )
    warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 11:00")

    [row] = warehouse.hours()
    assert row["id"] > 0
    assert row["video_count"] == 4
    assert row["avg_views"] == 400  # (100 + 300 + 800) / 3, the hidden one left out
    assert row["views_known_count"] == 3
    assert row["total_views"] == 1200
    assert row["avg_engagement"] == pytest.approx(0.15, abs=1e-12)
    assert row["engagement_known_count"] == 2
    assert (row["viral_count"], row["rising_count"]) == (1, 1)
    assert row["avg_velocity"] == 20
    assert row["max_velocity"] == 30
    assert row["avg_velocity_now"] == 20
    assert (row["shorts_count"], row["longform_count"]) == (2, 1)  # live is neither
    assert (row["shorts_avg_views"], row["longform_avg_views"]) == (200, 800)
    assert row["avg_duration_seconds"] == 270
    assert row["optimal_duration_bucket"] is None  # no bucket has five videos
    assert row["language_distribution"] == {"en": 2, "de": 1, "und": 1}
    assert row["dominant_language"] == "en"
    assert row["shorts_rule_version"] == "duration-2024-10-15"
    assert (row["expected_samples"], row["received_samples"]) == (2, 1)
    assert row["coverage_pct"] == 50
    assert row["confidence_pct"] == 80


@pytest.mark.parametrize(
    ("seconds", "published", "is_short"),
    [
        (60, "2024-10-14 00:00", True),
        (61, "2024-10-14 00:00", False),
        (61, "2024-10-15 00:00", True),
        (180, "2024-10-15 00:00", True),
        (181, "2024-10-15 00:00", False),
    ],
)
def test_the_limit_of_a_short_is_that_of_its_publication(
    warehouse: Warehouse, *, seconds: int, published: str, is_short: bool
) -> None:
    warehouse.categories("music")
    warehouse.video("2026-11-20 10:00", duration_s=seconds, published_at=at(published))
    warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 11:00")

    [row] = warehouse.hours()
    assert (row["shorts_count"], row["longform_count"]) == ((1, 0) if is_short else (0, 1))


def test_a_video_in_two_categories_counts_in_each(warehouse: Warehouse) -> None:
    warehouse.categories("music", "gaming")
    for category in ("music", "gaming"):
        warehouse.video("2026-11-20 10:00", "both", category=category, views=10)
    warehouse.video("2026-11-20 10:00", "other", category="gaming", views=30)
    warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 11:00")

    assert [row["total_views"] for row in warehouse.hours("music")] == [10]
    assert [row["total_views"] for row in warehouse.hours("gaming")] == [40]


def test_state_carried_over_an_outage_has_no_coverage_and_a_growing_lag(
    warehouse: Warehouse,
) -> None:
    warehouse.categories("music")
    seen = at("2026-11-20 09:55")
    for window in ("2026-11-20 10:00", "2026-11-20 10:30", "2026-11-20 11:00"):
        warehouse.video(window, observed_at=seen)
    warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 12:00")

    first, second = warehouse.hours()
    assert (first["video_count"], second["video_count"]) == (1, 1)
    assert (first["coverage_pct"], second["coverage_pct"]) == (0, 0)
    assert (first["lag_s"], second["lag_s"]) == (3900, 7500)


def test_a_game_collected_every_two_hours_is_covered_in_between(warehouse: Warehouse) -> None:
    warehouse.categories("roblox", kind="game", interval_minutes=120)
    for window in ("2026-11-20 10:00", "2026-11-20 10:30"):
        warehouse.video(window, category="roblox", observed_at=at("2026-11-20 09:05"))
    warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 11:00")

    [row] = warehouse.hours("roblox")
    assert row["coverage_pct"] == 100
    assert row["lag_s"] == 6900


def test_running_again_gives_identical_rows(warehouse: Warehouse) -> None:
    warehouse.categories("music", "gaming")
    for number in range(40):
        warehouse.video(
            "2026-11-20 10:00",
            f"v{number}",
            views=number * 7,
            engagement_rate=number / 997,
            lifetime_velocity_per_hour=number / 7,
            audio_language=("en", "de", "ja")[number % 3],
            duration_s=number * 60,
        )
    warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 11:00")
    before = warehouse.checksum("aggregation.intel_hourly_metrics")
    warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 11:00")
    assert warehouse.checksum("aggregation.intel_hourly_metrics") == before
    # The same hour as a part of a longer range is the same row, too.
    warehouse.roll_hours("2026-11-20 08:00", "2026-11-20 13:00")
    with psycopg.connect(warehouse.url, autocommit=True) as connection:
        connection.execute(
            "delete from aggregation.intel_hourly_metrics where hour_start <> %s",
            [at("2026-11-20 10:00")],
        )
    assert warehouse.checksum("aggregation.intel_hourly_metrics") == before


def test_late_data_replaces_every_column_of_its_hour_and_no_other(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    for window in ("2026-11-20 09:00", "2026-11-20 10:00"):
        warehouse.video(window, "early", views=100, duration_s=30, audio_language="en")
    warehouse.roll_hours("2026-11-20 09:00", "2026-11-20 11:00")
    untouched, before = warehouse.hours()

    warehouse.video("2026-11-20 10:30", "late", views=300, duration_s=900, audio_language="de")
    warehouse.video("2026-11-20 10:30", "early", views=500, duration_s=30, audio_language="de")
    warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 11:00")

    same, after = warehouse.hours()
    assert same == untouched
    assert (before["total_views"], after["total_views"]) == (100, 800)
    assert after["shorts_avg_views"] == 500
    assert after["longform_avg_views"] == 300
    assert after["language_distribution"] == {"de": 2}
    assert after["coverage_pct"] == 100


def test_a_category_that_vanished_from_the_hour_vanishes_from_the_rollup(
    warehouse: Warehouse,
) -> None:
    warehouse.categories("music")
    warehouse.categories("retired", is_enabled=False)
    warehouse.video("2026-11-20 10:00", category="retired")
    warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 11:00")
    assert len(warehouse.hours("retired")) == 1

    warehouse.replace_window("2026-11-20 10:00")
    warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 11:00")
    assert warehouse.hours("retired") == []
    assert len(warehouse.hours("music")) == 1


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kolkata"])
@pytest.mark.parametrize(
    ("start", "end", "hours"),
    [
        ("2026-11-01 00:00", "2026-11-02 00:00", 24),  # clocks go back in New York
        ("2026-03-08 00:00", "2026-03-09 00:00", 24),  # and forward
        ("2026-12-31 22:00", "2027-01-01 02:00", 4),
        ("2028-02-28 12:00", "2028-03-01 12:00", 48),
    ],
)
def test_hours_are_utc_whatever_the_database_thinks_of_time_zones(
    warehouse: Warehouse, zone: str, start: str, end: str, hours: int
) -> None:
    warehouse.categories("music")
    _set_zone(warehouse, zone)
    try:
        warehouse.video(start, views=5)
        warehouse.roll_hours(start, end)
    finally:
        _set_zone(warehouse, "UTC")

    rows = warehouse.hours()
    assert len(rows) == hours
    assert [row["hour_start"] for row in rows if row["video_count"]] == [at(start)]
    assert {(row["as_of"] - row["hour_start"]).total_seconds() for row in rows} == {3600}


def _set_zone(warehouse: Warehouse, zone: str) -> None:
    with psycopg.connect(warehouse.url, autocommit=True) as connection:
        connection.execute(f"alter database dbt_models set timezone to '{zone}'")
