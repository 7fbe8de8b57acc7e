"""Marts of analysts' questions, on rows as the collectors and the ledger write them."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import dagster as dg
import psycopg
import pytest

from aurastream.store.ledger import PostgresLedger
from aurastream_assets.collection.clip_radar import clip_radar
from aurastream_assets.collection.twitch_streams import twitch_streams
from aurastream_assets.collection.youtube_games import youtube_games
from aurastream_assets.collection.youtube_trending import youtube_trending
from tests.dbt_models.warehouse import COLLECTION_HOURS, DAYS, Warehouse, at

_COLLECTORS: dict[str, dg.AssetsDefinition] = {
    "videos.list": youtube_trending,
    "search.list": youtube_games,
    "streams": twitch_streams,
    "clips": clip_radar,
}


class _Then:
    """A clock that stands."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment


def _datasets() -> dict[str, str]:
    """Return what each collector calls its crawls and its calls: its own asset key."""
    found = {}
    for endpoint, asset in _COLLECTORS.items():
        [key] = [key for key in asset.keys if key.path[-1] == asset.op.name.split("__")[-1]]
        found[endpoint] = "/".join(key.path)
    return found


@pytest.fixture
def spent(warehouse: Warehouse) -> Warehouse:
    """A day on which each collector spent two units, stored 500 rows, and found something."""
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    warehouse.categories("music")
    warehouse.categories("roblox", kind="game", twitch_game_id="1")
    with PostgresLedger(warehouse.url) as ledger:
        for endpoint, dataset in _datasets().items():
            noon = day + timedelta(hours=12)
            with ledger.open(purpose=dataset, planned={endpoint: 2}, clock=_Then(noon)) as gate:
                gate.spend(endpoint)
                gate.spend(endpoint)
            warehouse.insert(
                "operations.crawls",
                {
                    "crawl_at": noon,
                    "observed_at": noon,
                    "dataset": dataset,
                    "category": "music" if endpoint == "videos.list" else "roblox",
                    "got": 500,
                },
            )
    for category, video_id in (("music", "m"), ("roblox", "r"), ("roblox", "s")):
        warehouse.video(
            f"{day:%Y-%m-%d} 12:00", video_id, category=category, trend_class="VIRAL", views=5
        )
    warehouse.insert(
        "intelligence.competition",
        {
            "window_start": day,
            "category": "roblox",
            "observed_at": day + timedelta(minutes=20),
            "live_count": 3,
            "viewer_total": 9,
        },
    )
    end = day + timedelta(days=1)
    warehouse.runner.build(["intel_hourly_metrics"], start=day, end=end)
    warehouse.runner.build(list(DAYS), start=day, end=end)
    warehouse.publish("quota_cost_per_insight", "clip_lead")
    return warehouse


def test_calls_meet_the_rows_and_the_insights_they_were_made_for(spent: Warehouse) -> None:
    rows = {row["dataset"]: row for row in spent.rows("select * from marts.quota_cost_per_insight")}
    assert set(rows) == set(_datasets().values())
    for row in rows.values():
        assert row["row_count"] == 500
        assert row["units_per_1000_rows"] == row["units"] * 2
    found = {name: row["insight_count"] for name, row in rows.items()}
    assert found == {
        "collection/youtube_trending": 1,
        "collection/youtube_games": 2,
        "collection/twitch_streams": 1,
        "collection/clip_radar": None,
    }
    charts = rows["collection/youtube_trending"]
    assert (charts["units"], charts["units_per_insight"]) == (2, 2)

    # Hours that are rolled up say the same, and need nothing else any more.
    asked = (
        "select date, dataset, units, call_count, row_count, insight_count, received_samples, "
        "newest_observed_at from marts.quota_cost_per_insight order by date, dataset"
    )
    counted = spent.rows(asked)
    day = datetime.combine(counted[0]["date"], time(), UTC)
    spent.runner.build([COLLECTION_HOURS], start=day, end=day + timedelta(days=1))
    assert spent.rows(asked) == counted
    with psycopg.connect(spent.url) as connection:
        connection.execute("truncate operations.crawls, operations.quota_ledger")
    assert spent.rows(asked) == counted


def _analysis(warehouse: Warehouse, window: str, category: str, **values: Any) -> None:
    warehouse.insert(
        "intelligence.clip_video_lead_lag",
        {"window_start": at(window), "category": category, **values},
    )


def test_a_lead_of_clips_stands_beside_those_of_its_week(spent: Warehouse) -> None:
    unknown = dict.fromkeys(("lag_h", "lag_low_h", "lag_high_h", "correlation", "band", "p_value"))
    spent.categories("minecraft", kind="game")
    for day in (12, 18, 19):
        _analysis(spent, f"2026-11-{day} 08:00", "roblox", relation="LEADS")
    _analysis(spent, "2026-11-17 08:00", "roblox", relation="NONE")
    _analysis(spent, "2026-11-16 08:00", "roblox", relation="UNKNOWN", **unknown)
    _analysis(spent, "2026-11-19 08:00", "minecraft", relation="UNKNOWN", common_hours=3, **unknown)

    asked = "select * from marts.clip_lead_as_of('2026-11-19 12:00+00') order by category_key"
    minecraft, roblox = spent.rows(asked)
    assert (roblox["relation"], roblox["lag_h"], roblox["lag_low_h"], roblox["lag_high_h"]) == (
        "LEADS", 3, 2, 4,
    )  # fmt: skip
    # That of the 12th lies seven days back, that of the 16th could not tell.
    assert (roblox["same_relation_count_7d"], roblox["known_count_7d"]) == (2, 3)
    assert (roblox["received_samples"], roblox["coverage_pct"]) == (168, 50)
    assert roblox["as_of"] == at("2026-11-19 12:00")
    assert (minecraft["relation"], minecraft["lag_h"]) == ("UNKNOWN", None)
    assert minecraft["same_relation_count_7d"] == 0
    [before] = spent.rows("select * from marts.clip_lead_as_of('2026-11-19 11:59+00')")
    assert before["as_of"] == at("2026-11-18 12:00")


def _evenings(warehouse: Warehouse, weeks: int) -> None:
    """Stream for some weeks up to yesterday, three streams an hour; at 20:00 they are watched."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight - timedelta(weeks=weeks)
    warehouse.categories("roblox", kind="game", twitch_game_id="1", audience_timezone="UTC")
    rows = []
    for n in range(weeks * 7 * 24):
        crawl = first + timedelta(hours=n)
        if crawl.hour == 4:  # nobody streams then
            continue
        watched = 10 if crawl.hour == 20 else 1
        rows += [
            {
                "observed_at": crawl + timedelta(seconds=5),
                "crawl_at": crawl,
                "game_id": "1",
                "stream_id": f"s{stream}",
                "viewer_count": watched * (100 + (crawl.day * 7 + crawl.hour) % 11),
            }
            for stream in range(3)
        ]
    warehouse.insert("collection.twitch_streams", *rows)
    warehouse.runner.build(["intel_stream_hours"], start=first, end=midnight)
    warehouse.runner.build(["streaming_times"])


def test_all_168_hours_are_there_and_empty_ones_say_so(warehouse: Warehouse) -> None:
    _evenings(warehouse, weeks=2)
    rows = warehouse.rows(
        "select * from marts.streaming_times where language = 'all' order by day_of_week, hour"
    )
    assert [(row["day_of_week"], row["hour"]) for row in rows] == [
        (day, hour) for day in range(7) for hour in range(24)
    ]
    empty = [row for row in rows if row["hour"] == 4]
    assert {(row["sample_count"], row["performance_index"], row["basis"]) for row in empty} == {
        (0, None, "NONE")
    }
    assert {row["avg_live_count"] for row in empty} == {None}


@pytest.mark.parametrize(("weeks", "basis"), [(2, "HOUR_OF_DAY"), (4, "HOUR_OF_WEEK")])
def test_until_an_hour_of_the_week_is_known_its_hour_of_the_day_speaks_for_it(
    warehouse: Warehouse, weeks: int, basis: str
) -> None:
    _evenings(warehouse, weeks)
    rows = warehouse.rows(
        "select * from marts.streaming_times where language = 'all' and basis <> 'NONE' "
        "order by estimate_low desc, performance_index desc"
    )
    assert {row["hour"] for row in rows[:7]} == {20}
    assert {row["basis"] for row in rows} == {basis}
    best = rows[0]
    assert best["estimate_low"] > 5
    assert best["estimate_low"] <= best["estimate"] <= best["estimate_high"]
    assert (best["sample_count"], best["day_sample_count"]) == (weeks, weeks * 7)
    # An oracle for the pooled hour: the geometric mean of its values over that of all.
    if basis == "HOUR_OF_DAY":
        [oracle] = warehouse.rows(
            "select exp(avg(ln(viewers)) filter (where hour = 20) - avg(ln(viewers))) as index "
            "from (select extract(hour from crawl_at at time zone 'UTC') as hour, "
            "avg(viewer_count) as viewers from collection.twitch_streams group by crawl_at) as t"
        )
        assert best["estimate"] == pytest.approx(float(oracle["index"]), rel=1e-3)
