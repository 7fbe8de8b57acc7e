"""The worked queries of docs/analysts.md: each runs as the role that analysts have."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from aurastream.store.urls import reader_url
from aurastream_assets.aggregation.project import load_manifest
from tests.dbt_models.warehouse import DAYS, Warehouse

_PAGE = (Path(__file__).resolve().parents[2] / "docs/analysts.md").read_text(encoding="utf-8")
_QUERIES = re.findall(r"^```sql\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)
_VIEWS = sorted(
    node["name"]
    for node in load_manifest()["nodes"].values()
    if node["resource_type"] == "model" and node["config"]["materialized"] == "view"
)
_OLDER = {"top_viral_videos", "trending_categories", "collection_coverage"}


@pytest.fixture
def record(warehouse: Warehouse) -> Warehouse:
    """Three days, up to yesterday, of a game whose evenings do better."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    warehouse.categories("roblox", kind="game", twitch_game_id="1", audience_timezone="UTC")
    warehouse.categories("gaming")
    for days_ago in (3, 2, 1):
        day = midnight - timedelta(days=days_ago)
        rows = []
        for n in range(24):
            released = day - timedelta(days=1) + timedelta(hours=n % 2 * 10)
            window = released + timedelta(days=1)
            rows.append(
                {
                    "window_start": window,
                    "category": "roblox",
                    "video_id": f"v{days_ago}-{n}",
                    "channel_id": f"c{n % 5}",
                    "observed_at": window + timedelta(minutes=25),
                    "published_at": released,
                    "views": 1000 + n,
                    "duration_s": 400,
                    "lifetime_velocity_per_hour": (1 + n % 2 * 50) * (10.0 + n),
                }
            )
        warehouse.insert("intelligence.video_velocity", *rows)
        warehouse.insert(
            "intelligence.viral_scores",
            *(
                {**{key: row[key] for key in ("window_start", "category", "video_id")},
                 "trend_class": "VIRAL" if n < 3 else "STABLE"}
                for n, row in enumerate(rows)
            ),
        )  # fmt: skip
        for hour in range(24):
            crawl = day + timedelta(hours=hour)
            warehouse.insert(
                "collection.twitch_streams",
                *(
                    {
                        "observed_at": crawl + timedelta(seconds=5),
                        "crawl_at": crawl,
                        "game_id": "1",
                        "stream_id": f"s{n}",
                        "viewer_count": 10 + hour * n,
                    }
                    for n in range(3)
                ),
            )
        warehouse.insert(
            "intelligence.viewer_anomalies",
            {
                "window_start": day + timedelta(hours=23),
                "category": "roblox",
                "stream_id": "s1",
                "crawl_at": day + timedelta(hours=23),
                "observed_at": day + timedelta(hours=23, seconds=5),
            },
        )
        warehouse.insert(
            "intelligence.opportunity",
            {"window_start": day + timedelta(hours=12), "category": "roblox"},
        )
        for analysis in ("title_intel", "clip_video_lead_lag"):
            warehouse.insert(
                f"intelligence.{analysis}", {"window_start": day, "category": "roblox"}
            )
        warehouse.insert(
            "intelligence.competition",
            {
                "window_start": day,
                "category": "roblox",
                "observed_at": day + timedelta(minutes=1),
                "live_count": 3,
                "viewer_total": 100,
                "hhi": 0.4,
            },
        )
        warehouse.insert(
            "operations.quota_ledger",
            {
                "reservation_id": f"00000000-0000-0000-0000-00000000000{days_ago}",
                "platform": "youtube",
                "bucket": "youtube.default",
                "endpoint": "videos.list",
                "purpose": "collection/youtube_games",
                "quota_date": day.date(),
                "units_reserved": 2,
                "reserved_at": day + timedelta(hours=12),
            },
        )
    # Who leads is asked of the last 24 hours, which from 23:00 on have nothing of yesterday.
    crawl = datetime.now(UTC) - timedelta(minutes=1)
    warehouse.insert(
        "collection.twitch_streams",
        *(
            {
                "observed_at": crawl,
                "crawl_at": crawl,
                "game_id": "1",
                "stream_id": f"s{n}",
                "viewer_count": 10 + n,
            }
            for n in range(3)
        ),
    )
    start = midnight - timedelta(days=3)
    warehouse.runner.build(["intel_hourly_metrics"], start=start, end=midnight)
    warehouse.runner.build(list(DAYS), start=start, end=midnight)
    warehouse.publish(*_VIEWS)
    return warehouse


def test_every_worked_query_answers(record: Warehouse) -> None:
    assert len(_QUERIES) >= 14
    answers = {}
    with psycopg.connect(reader_url(record.url), row_factory=dict_row) as connection:
        for query in _QUERIES:
            answers[query] = connection.execute(query).fetchall()
    # One asks which of yesterday's went on; nothing took off in this little record.
    silent = [query for query, rows in answers.items() if not rows]
    assert [query for query in silent if "where then_mart.is_taking_off" not in query] == []


def test_every_mart_of_a_question_is_worked_out(record: Warehouse) -> None:
    text = "\n".join(_QUERIES) + _PAGE
    assert [view for view in _VIEWS if view not in text and view not in _OLDER] == []

    [best] = record.rows(
        "select day_of_week >= 0 as found, hour from marts.posting_times "
        "where category_key = 'roblox' and language = 'all' and is_better "
        "order by index_low desc limit 1"
    )
    assert best == {"found": True, "hour": 10}
    rows = record.rows("select * from aggregation.get_optimal_duration('roblox')")
    assert [(row["bucket_label"], row["total_videos"]) for row in rows] == [("3-8 min", 24)]
    assert rows[0]["video_days"] == 72
