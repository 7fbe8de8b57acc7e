"""Days: distinct videos, weighted means, modes, and trends that know what they do not know."""

from datetime import date, timedelta
from math import log

import pytest

from tests.dbt_models.warehouse import Warehouse, at


def test_a_video_seen_in_24_hours_counts_once(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    for hour in range(24):
        warehouse.video(f"2026-11-20 {hour:02d}:00", "always", views=1000 + hour)
    warehouse.video("2026-11-20 03:00", "once", views=10)
    warehouse.roll_days("2026-11-20 00:00", "2026-11-21 00:00")

    [row] = warehouse.days()
    assert row["date"] == date(2026, 11, 20)
    assert row["total_videos_seen"] == 2
    assert row["as_of"] == at("2026-11-21 00:00")
    assert (row["expected_samples"], row["received_samples"]) == (48, 24)
    assert row["coverage_pct"] == 50
    assert row["received_hours"] == 24
    assert row["lag_s"] == 35 * 60  # 23:25 to midnight


def test_means_are_weighted_by_the_videos_behind_them(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    warehouse.video("2026-11-20 01:00", "a", views=100, engagement_rate=0.1)
    warehouse.video("2026-11-20 02:00", "b", views=300, engagement_rate=0.3)
    warehouse.video("2026-11-20 02:00", "c", views=500, engagement_rate=0.5)
    warehouse.roll_days("2026-11-20 00:00", "2026-11-21 00:00")

    [row] = warehouse.days()
    assert row["avg_views"] == 300  # (100 + 300 + 500) / 3, not (100 + 400) / 2
    assert row["avg_engagement"] == pytest.approx(0.3, abs=1e-12)


def test_viral_counts_are_averaged_over_the_hours_that_have_data(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    warehouse.video("2026-11-20 01:00", "a", trend_class="VIRAL")
    warehouse.video("2026-11-20 02:00", "a", trend_class="VIRAL")
    warehouse.video("2026-11-20 02:00", "b", trend_class="VIRAL")
    warehouse.video("2026-11-20 02:00", "c", trend_class="VIRAL")
    warehouse.roll_days("2026-11-20 00:00", "2026-11-21 00:00")

    [row] = warehouse.days()
    assert row["peak_viral_count"] == 3
    assert row["avg_viral_count"] == 2  # not 4 / 24
    assert row["momentum_index"] == 20


def test_best_worst_and_peak_hour(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    warehouse.video("2026-11-20 03:00", "a", views=500)  # best on average
    warehouse.video("2026-11-20 07:00", "a", views=300)
    warehouse.video("2026-11-20 07:00", "b", views=300)  # most in total
    warehouse.video("2026-11-20 09:00", "a", views=100)
    warehouse.video("2026-11-20 21:00", "a", views=100)  # a tie goes to the earlier
    warehouse.roll_days("2026-11-20 00:00", "2026-11-21 00:00")

    [row] = warehouse.days()
    assert (row["best_hour_utc"], row["worst_hour_utc"], row["peak_views_hour_utc"]) == (3, 9, 7)


def test_formats_and_languages_count_each_video_once_in_its_last_state(
    warehouse: Warehouse,
) -> None:
    warehouse.categories("music")
    for hour, views in ((1, 100), (5, 400)):
        warehouse.video(f"2026-11-20 0{hour}:00", "s", views=views, duration_s=20)
        warehouse.video(
            f"2026-11-20 0{hour}:00", "l", views=200, duration_s=900, audio_language="de"
        )
    warehouse.video("2026-11-20 05:00", "k", duration_s=900, audio_language="de")
    warehouse.video("2026-11-20 05:00", "u", audio_language="und")
    warehouse.roll_days("2026-11-20 00:00", "2026-11-21 00:00")

    [row] = warehouse.days()
    assert (row["shorts_count"], row["longform_count"]) == (1, 2)
    assert row["shorts_performance_ratio"] == 2  # 400 / 200
    assert row["language_distribution"] == {"de": 2, "en": 1, "und": 1}
    assert row["dominant_language"] == "de"
    entropy = -(2 / 3 * log(2 / 3) + 1 / 3 * log(1 / 3))
    assert row["language_diversity_score"] == pytest.approx(entropy / log(2), abs=1e-12)


@pytest.mark.parametrize(
    ("languages", "diversity"),
    [(["en", "en-US"], 0), (["en", "de", "ja"], 1), (["und"], None)],
)
def test_diversity_runs_from_one_language_to_an_even_mix(
    warehouse: Warehouse, languages: list[str], diversity: float | None
) -> None:
    warehouse.categories("music")
    for language in languages:
        warehouse.video("2026-11-20 01:00", language, audio_language=language)
    warehouse.roll_days("2026-11-20 00:00", "2026-11-21 00:00")

    [row] = warehouse.days()
    assert row["language_diversity_score"] == (
        None if diversity is None else pytest.approx(diversity)
    )


def test_the_optimal_duration_is_the_mode_of_the_hours(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    for hour, seconds in ((1, 600), (2, 100), (3, 100)):
        for number in range(5):
            warehouse.video(
                f"2026-11-20 0{hour}:00", f"{hour}{number}", views=10, duration_s=seconds
            )
    warehouse.roll_days("2026-11-20 00:00", "2026-11-21 00:00")

    assert [r["optimal_duration_bucket"] for r in warehouse.hours()][1:4] == [
        "8-15 min",
        "1-3 min",
        "1-3 min",
    ]
    [row] = warehouse.days()
    assert row["optimal_duration_range"] == "1-3 min"  # the first hour's is another


def test_trends_compare_with_the_day_before(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    warehouse.video("2026-11-19 05:00", "a", views=200, engagement_rate=0.4, trend_class="VIRAL")
    warehouse.video("2026-11-20 05:00", "a", views=300, engagement_rate=0.1, trend_class="VIRAL")
    warehouse.video("2026-11-20 05:00", "b", views=300, engagement_rate=0.1, trend_class="VIRAL")
    warehouse.roll_days("2026-11-19 00:00", "2026-11-21 00:00")

    first, second = warehouse.days()
    assert (first["views_trend"], first["viral_trend"], first["engagement_trend"]) == (
        None,
        None,
        None,
    )
    assert second["views_trend"] == pytest.approx(50)
    assert second["viral_trend"] == pytest.approx(100)
    assert second["engagement_trend"] == pytest.approx(-75)
    assert second["momentum_index"] == pytest.approx(2 * 10 + 50)


def test_a_gap_of_a_day_leaves_the_trend_unknown(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    warehouse.video("2026-11-18 05:00", views=200)
    warehouse.video("2026-11-20 05:00", views=300)
    warehouse.roll_days("2026-11-18 00:00", "2026-11-21 00:00")

    _, missing, after = warehouse.days()
    assert (missing["coverage_pct"], missing["avg_views"], missing["views_trend"]) == (
        0,
        None,
        None,
    )
    assert after["views_trend"] is None


def test_no_viral_video_yesterday_leaves_its_trend_unknown(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    warehouse.video("2026-11-19 05:00", views=100)
    warehouse.video("2026-11-20 05:00", views=100, trend_class="VIRAL")
    warehouse.roll_days("2026-11-19 00:00", "2026-11-21 00:00")

    row = warehouse.days()[1]
    assert row["views_trend"] == 0
    assert row["viral_trend"] is None


def test_rebuilding_a_day_mends_the_trend_of_the_day_after(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    warehouse.video("2026-11-19 05:00", "a", views=100)
    warehouse.video("2026-11-20 05:00", "a", views=200)
    warehouse.roll_days("2026-11-19 00:00", "2026-11-21 00:00")
    assert warehouse.days()[1]["views_trend"] == pytest.approx(100)

    warehouse.video("2026-11-19 06:00", "late", views=300)
    warehouse.roll_days("2026-11-19 00:00", "2026-11-20 00:00")
    assert warehouse.days()[1]["views_trend"] == pytest.approx(0)  # 200 against (100 + 300) / 2

    in_pieces = warehouse.checksum("aggregation.intel_daily_metrics")
    warehouse.roll_days("2026-11-19 00:00", "2026-11-21 00:00")
    assert warehouse.checksum("aggregation.intel_daily_metrics") == in_pieces


def test_a_day_that_was_never_rolled_up_is_not_invented_by_its_neighbour(
    warehouse: Warehouse,
) -> None:
    warehouse.categories("music")
    warehouse.video("2026-11-20 05:00", views=100)
    warehouse.roll_days("2026-11-19 00:00", "2026-11-20 00:00")
    assert [row["date"] for row in warehouse.days()] == [date(2026, 11, 19)]


def test_a_day_without_hours_says_so(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    warehouse.roll_hours("2026-11-01 00:00", "2026-11-01 01:00")
    warehouse.runner.build(
        ["intel_daily_metrics"], start=at("2026-11-20 00:00"), end=at("2026-11-21 00:00")
    )
    [row] = warehouse.days()
    assert (row["total_videos_seen"], row["coverage_pct"], row["lag_s"]) == (0, 0, None)
    assert (row["peak_viral_count"], row["avg_viral_count"]) == (None, None)
    assert row["dominant_language"] == "und"


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        ("2026-10-31", "2026-11-02", 2),  # a month's edge, and a day of 25 hours in New York
        ("2028-02-28", "2028-03-01", 2),  # a leap day
        ("2026-12-31", "2027-01-02", 2),  # a year's edge
    ],
)
def test_calendar_edges(warehouse: Warehouse, start: str, end: str, days: int) -> None:
    warehouse.categories("music")
    first, last = date.fromisoformat(start), date.fromisoformat(end) - timedelta(days=1)
    warehouse.video(f"{first} 23:30", "a", views=100)
    warehouse.video(f"{last} 00:00", "a", views=150)
    warehouse.roll_days(f"{start} 00:00", f"{end} 00:00")

    rows = warehouse.days()
    assert len(rows) == days
    assert [row["total_videos_seen"] for row in rows] == [1, 1]
    assert [row["best_hour_utc"] for row in rows] == [23, 0]
    assert rows[1]["views_trend"] == pytest.approx(50)


def test_fourteen_days_are_one_call_and_each_day_the_same_as_alone(warehouse: Warehouse) -> None:
    warehouse.categories("music", "gaming")
    for day in range(1, 15):
        for hour in (0, 12, 23):
            warehouse.video(
                f"2026-11-{day:02d} {hour:02d}:30",
                f"v{day % 4}",
                views=day * 100 + hour,
                category=("music", "gaming")[day % 2],
                engagement_rate=day / 100,
                duration_s=day * 50,
            )
    results = warehouse.roll_days("2026-11-01 00:00", "2026-11-15 00:00")
    assert [(result.name, result.rows) for result in results] == [("intel_daily_metrics", 28)]
    assert len(warehouse.hours()) == 14 * 24
    at_once = warehouse.checksum("aggregation.intel_daily_metrics")

    for day in (14, 3, 7):
        warehouse.roll_days(f"2026-11-{day:02d} 00:00", f"2026-11-{day + 1:02d} 00:00")
    assert warehouse.checksum("aggregation.intel_daily_metrics") == at_once
