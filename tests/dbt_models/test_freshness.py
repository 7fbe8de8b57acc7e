"""Freshness of the sources, as dbt itself judges it."""

from datetime import UTC, datetime, timedelta

from aurastream_assets.aggregation.project import load_manifest
from tests.dbt_models.warehouse import Warehouse

_BY_HAND_OR_BY_ACCIDENT = {
    *("categories", "quota_exhaustion", "retention_rules"),
    *("score_history", "source_starts", "youtube_channels"),
}


def test_every_source_with_a_cadence_has_limits() -> None:
    sources = load_manifest()["sources"].values()
    without = {
        found["name"]
        for found in sources
        if not ((found["freshness"] or {}).get("error_after") or {}).get("count")
    }
    assert without == _BY_HAND_OR_BY_ACCIDENT


def test_a_source_that_stands_still_is_told_from_one_that_moves(warehouse: Warehouse) -> None:
    now = datetime.now(UTC)
    for hours_ago, dataset in ((0.1, "collection/twitch_streams"), (5, "collection/clip_radar")):
        at = now - timedelta(hours=hours_ago)
        warehouse.insert(
            "operations.crawls",
            {"crawl_at": at, "observed_at": at, "dataset": dataset, "category": "roblox"},
        )
    warehouse.insert(
        "operations.quota_ledger",
        {
            "reservation_id": "00000000-0000-0000-0000-000000000001",
            "platform": "youtube",
            "bucket": "youtube.default",
            "endpoint": "videos.list",
            "purpose": "collection/youtube_trending",
            "quota_date": now.date(),
            "units_reserved": 1,
            "reserved_at": now - timedelta(hours=5),
        },
    )
    warehouse.insert(
        "collection.youtube_videos",
        {"video_id": "a", "title": "A", "first_observed_at": now - timedelta(hours=30)},
    )
    found = {result.name: result.status for result in warehouse.runner.freshness()}
    assert found["crawls"] == "pass"
    assert found["youtube_videos"] == "warn"
    assert found["quota_ledger"] == "error"
    assert found.keys().isdisjoint(_BY_HAND_OR_BY_ACCIDENT)
