"""The collectors against the replay server: real charts, real titles, the whole wire between."""

import datetime as dt
from collections.abc import Iterator

import httpx
import pandas as pd
import pytest

from aurastream.core.planner import plan_games
from aurastream.replay.server import background
from aurastream.sources.catalog import load_catalog
from aurastream.sources.collectors import (
    CrawlResult,
    Previous,
    collect_clips,
    collect_games,
    collect_streams,
    collect_trending,
)
from aurastream.sources.transport import RetryPolicy
from aurastream.sources.twitch import TwitchClient
from aurastream.sources.youtube import YouTubeClient

CATALOG = load_catalog()
CATEGORIES = CATALOG.categories_frame()
REGIONS = ("US", "DE", "JP")
NOON = dt.datetime(2026, 11, 21, 12, 25, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with background() as address:
        yield address


class _Moment:
    """The moment that the server is asked to play."""

    def __init__(self) -> None:
        self.at = NOON

    def headers(self) -> dict[str, str]:
        return {"X-Replay-Now": self.at.isoformat().replace("+00:00", "Z")}


@pytest.fixture
def moment() -> _Moment:
    return _Moment()


@pytest.fixture
def live_youtube(url: str, moment: _Moment) -> Iterator[YouTubeClient]:
    with YouTubeClient(url, "replay-key", extra_headers=moment.headers) as client:
        yield client


@pytest.fixture
def live_twitch(url: str, moment: _Moment) -> Iterator[TwitchClient]:
    with TwitchClient(
        url, url, "replay-client", "replay-secret", extra_headers=moment.headers
    ) as client:
        yield client


def _trending(youtube: YouTubeClient, previous: Previous | None = None) -> CrawlResult:
    return collect_trending(youtube, charts=CATEGORIES, regions=REGIONS, previous=previous)


def _newest(result: CrawlResult) -> pd.DataFrame:
    return result.rows.drop_duplicates("video_id")


def test_every_chart_comes_complete(live_youtube: YouTubeClient) -> None:
    result = _trending(live_youtube)
    assert result.is_complete
    assert result.crawl_at.replace(microsecond=0) == NOON
    assert (result.metadata["coverage"], result.metadata["rejected"]) == (1.0, 0)
    per_region = result.rows[result.rows["chart"] == "trending"]["region"].value_counts()
    assert per_region.to_dict() == dict.fromkeys(REGIONS, 50)


def test_a_chart_that_trickles_is_incomplete_and_its_siblings_are_not(
    url: str, moment: _Moment
) -> None:
    trickle = {
        "kind": "trickle",
        "where": {"regionCode": "DE"},
        "times": 1,
        "options": {"bytes": 8, "delay_ms": 50},
    }
    with httpx.Client(base_url=f"{url}/_replay") as switchboard:
        switchboard.post("/faults", json=trickle)
        with YouTubeClient(
            url,
            "replay-key",
            timeout_s=2.0,  # a third of what the trickle takes
            retry=RetryPolicy(max_attempts=1),
            extra_headers=moment.headers,
        ) as client:
            result = _trending(client)
        switchboard.delete("/faults").raise_for_status()
    assert not result.is_complete
    crawls = result.frames["operations.crawls"]
    given_up = crawls[~crawls["is_complete"]]
    assert given_up[["region", "reason"]].to_numpy().tolist() == [["DE", "transient"]]
    assert len(crawls) == len(REGIONS) * crawls["category"].nunique()


def test_the_same_moment_gives_the_same_version(live_youtube: YouTubeClient) -> None:
    assert _trending(live_youtube).data_version == _trending(live_youtube).data_version


def test_half_an_hour_later_counters_have_grown_and_none_has_fallen(
    live_youtube: YouTubeClient, moment: _Moment
) -> None:
    first = _trending(live_youtube)
    moment.at += dt.timedelta(minutes=30)
    previous = Previous(
        state=first.frames["operations.collection_state"],
        videos=_newest(first)[["video_id", "views", "metadata_hash"]],
    )
    second = _trending(live_youtube, previous)
    assert second.crawl_at.replace(microsecond=0) == moment.at
    assert second.stats_hash != first.stats_hash
    assert second.metadata["views_fell"] == 0
    assert int(second.metadata["new"]) < int(first.metadata["new"])


def test_charted_videos_find_their_games_and_a_search_finds_more(
    live_youtube: YouTubeClient,
) -> None:
    charts = _trending(live_youtube)
    candidates = charts.frames["collection.youtube_videos"]
    plan = plan_games(
        CATEGORIES[CATEGORIES["kind"] == "game"],
        pd.DataFrame({"category": [], "last_crawl_at": [], "unchanged_count": []}),
        as_of=NOON,
        available_units=100,
    )

    def collect(*, reconcile: bool) -> CrawlResult:
        return collect_games(
            live_youtube,
            plan=plan,
            candidates=candidates,
            classifier=CATALOG.classifier,
            reconcile=reconcile,
        )

    known = collect(reconcile=False)
    found = collect(reconcile=True)
    assert known.is_complete
    assert found.is_complete
    assert {"minecraft", "roblox"} <= set(known.rows["game"])
    assert set(known.rows["video_id"]) < set(found.rows["video_id"])
    assert len(found.frames["collection.youtube_channels"]) > 0


def test_streams_and_clips_of_every_game_come_complete(live_twitch: TwitchClient) -> None:
    games = set(CATEGORIES.loc[CATEGORIES["kind"] == "game", "twitch_game_id"])
    streams = collect_streams(live_twitch, games=CATEGORIES)
    clips = collect_clips(
        live_twitch, games=CATEGORIES, since=NOON - dt.timedelta(hours=3), until=NOON
    )
    for result in (streams, clips):
        assert result.is_complete
        assert result.metadata["rejected"] == 0
        assert set(result.rows["game_id"]) == games
    assert not clips.rows["clip_id"].duplicated().any()
    assert clips.rows["created_at"].between(NOON - dt.timedelta(hours=3), NOON).all()
