"""What a crawl hands back goes into the record as it is, once."""

import datetime as dt
from contextlib import closing
from typing import Any

import pandas as pd
import pytest

from aurastream.core.planner import plan_games
from aurastream.sources.catalog import classifier_from_categories, load_catalog
from aurastream.sources.collectors import (
    CrawlResult,
    collect_clips,
    collect_games,
    collect_streams,
    collect_trending,
)
from aurastream.sources.collectors.result import REPLACED_TABLES
from aurastream.sources.errors import QuotaExhaustedError
from aurastream.sources.twitch import TwitchClient
from aurastream.sources.youtube import YouTubeClient
from aurastream.store.frames import Append, FrameStore, Upsert
from aurastream.store.ledger import PostgresLedger

NOW = dt.datetime(2026, 11, 21, 12, 25, tzinfo=dt.UTC)
CATALOG = load_catalog()
CATEGORIES = CATALOG.categories_frame()


@pytest.fixture
def platform(platform: Any) -> Any:
    for number in range(4):
        platform.videos[f"v{number}"] = platform.video(
            f"v{number}", f"Minecraft {number} 🎮", tags=["minecraft", "a, b"]
        )
    platform.videos["broken"] = platform.video("broken")
    platform.videos["broken"]["statistics"]["viewCount"] = "many"
    platform.charts["US", "20"] = ["v0", "broken", "v1"]
    platform.charts["DE", "20"] = ["v1", "v0"]
    platform.found = {"Minecraft": ["v3"]}
    platform.streams = {"27471": [platform.stream("s1", "27471", 300)]}
    platform.clips = [platform.clip("c1", "27471", NOW - dt.timedelta(minutes=9))]
    return platform


def _store(store: FrameStore, result: CrawlResult) -> None:
    store.commit(
        [
            Upsert(name, frame) if name in REPLACED_TABLES else Append(name, frame)
            for name, frame in result.frames.items()
        ]
    )


def _count(store: FrameStore, *names: str) -> dict[str, int]:
    return {n: int(store.query(f"SELECT count(*) AS n FROM {n}").loc[0, "n"]) for n in names}


def _results(youtube: YouTubeClient, twitch: TwitchClient) -> list[CrawlResult]:
    plan = plan_games(
        CATEGORIES[CATEGORIES["category"] == "minecraft"],
        pd.DataFrame({"category": [], "last_crawl_at": [], "unchanged_count": []}),
        as_of=NOW,
        available_units=10,
    )
    candidates = pd.DataFrame(
        {
            "video_id": ["v0", "v2", "both"],
            "title": ["Minecraft 0", "Minecraft 2", "Minecraft vs Roblox"],
            "tags": [["minecraft"], [], None],
            "channel_id": "UC",
            "category_id": 20,
        }
    )
    return [
        collect_trending(youtube, charts=CATEGORIES, regions=["US", "DE"], run_id="run"),
        collect_games(
            youtube,
            plan=plan,
            candidates=candidates,
            classifier=CATALOG.classifier,
            reconcile=True,
        ),
        collect_streams(twitch, games=CATEGORIES),
        collect_clips(twitch, games=CATEGORIES, since=NOW - dt.timedelta(hours=1), until=NOW),
    ]


def test_every_result_is_stored_and_storing_it_again_changes_nothing(
    platform: Any, youtube: YouTubeClient, twitch: TwitchClient, store: FrameStore
) -> None:
    results = _results(youtube, twitch)
    for result in results:
        _store(store, result)
    names = sorted({name for result in results for name in result.frames})
    before = _count(store, *names)
    for result in results:
        _store(store, result)
    assert _count(store, *names) == before
    assert before == {
        "collection.clip_radar": 1,
        "collection.twitch_streams": 1,
        "collection.twitch_top_games": 1,
        "collection.youtube_channels": 3,
        "collection.youtube_games": 3,
        "collection.youtube_trending": 4,
        "collection.youtube_videos": 4,
        "operations.collection_state": 4 + 1 + 8 + 8,
        "operations.crawls": 8 + 1 + 9 + 8,
        "operations.fetch_log": sum(len(r.frames["operations.fetch_log"]) for r in results),
        "operations.quarantine": 2,
        "operations.source_starts": 0,
    }


def test_what_was_stored_reads_back_as_it_was(
    platform: Any, youtube: YouTubeClient, store: FrameStore
) -> None:
    result = collect_trending(youtube, charts=CATEGORIES, regions=["US"], run_id="run")
    _store(store, result)
    rows = store.read("collection.youtube_trending", order_by=["chart", "rank"])
    assert rows["video_id"].tolist() == ["v0", "v1"]
    assert rows["metadata_hash"].tolist() == result.rows["metadata_hash"].tolist()
    videos = store.read("collection.youtube_videos", order_by=["video_id"])
    assert videos["title"].tolist() == ["Minecraft 0 🎮", "Minecraft 1 🎮"]
    assert [list(tags) for tags in videos["tags"]] == [["minecraft", "a, b"]] * 2
    quarantined = store.read("operations.quarantine")
    assert quarantined["item_id"].tolist() == ["broken"]
    assert '"viewCount": "many"' in quarantined.loc[0, "raw"]


def test_the_stored_catalogue_gives_the_classifier_back(store: FrameStore) -> None:
    store.commit([Upsert("operations.categories", CATEGORIES)])
    stored = store.read("operations.categories")
    assert classifier_from_categories(stored).version == CATALOG.classifier.version


def test_the_stored_state_feeds_the_next_plan(
    platform: Any, youtube: YouTubeClient, twitch: TwitchClient, store: FrameStore
) -> None:
    _store(store, _results(youtube, twitch)[1])
    state = store.read("operations.collection_state", where={"dataset": "collection/youtube_games"})
    games = CATEGORIES[CATEGORIES["category"] == "minecraft"]
    later = NOW + dt.timedelta(minutes=60)
    plan = plan_games(games, state, as_of=later, available_units=10)
    assert plan.skipped == {"minecraft": "not due for 60 min"}


class _Clock:
    def now(self) -> dt.datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Waiting takes no time."""


def test_a_crawl_spends_what_its_log_says_and_stops_at_the_ledgers_limit(
    platform: Any, database_url: str
) -> None:
    with closing(PostgresLedger(database_url, refusal=QuotaExhaustedError)) as ledger:
        with ledger.open(purpose="test", clock=_Clock(), planned={"videos.list": 9_998}) as spent:
            for _ in range(9_998):
                spent.spend("videos.list")
        with (
            ledger.open(purpose="collection/youtube_trending", clock=_Clock()) as gate,
            YouTubeClient(platform.url, "key", clock=_Clock(), gate=gate) as youtube,
        ):
            result = collect_trending(
                youtube, charts=CATEGORIES, regions=["US", "DE"], max_parallel=1, started_at=NOW
            )
        used = {status.bucket: status.used for status in ledger.usage(NOW)}
    assert used["youtube.default"] == 10_000
    assert result.metadata["quota_used"] == 2 == len(platform.asked("/youtube/v3/videos"))
    assert result.frames["operations.crawls"]["reason"].tolist() == ["", "", *["quota"] * 6]
    assert result.error is None
