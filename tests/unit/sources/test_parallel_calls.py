"""As many calls are under way at once as the settings allow, each on a connection of its own."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from aurastream.sources.errors import SourceError
from aurastream.sources.thumbnails import ThumbnailClient, UnfetchedThumbnailError
from aurastream.sources.twitch import TwitchClient
from aurastream.sources.youtube import YouTubeClient
from resources.platforms import Platforms
from resources.store import Redis, Store
from tests.unit.sources.support import TOKEN_PATH, Reply, Upstream

MANY = 12  # more than a pool takes by itself
NO_REDIS = Redis(url="redis://127.0.0.1:1/0")


class Meeting:
    """Calls that are answered once as many as there may be are under way at the same time."""

    def __init__(self, upstream: Upstream) -> None:
        self._barrier = threading.Barrier(MANY, timeout=10)
        self._upstream = upstream
        upstream._lock = threading.Semaphore(MANY)  # type: ignore[assignment] # lets all in

    def at(self, path: str) -> None:
        self._upstream.script(path, lambda _: Reply({}, 404, {"X": str(self._barrier.wait())}))

    def of(self, call: Callable[[], object], path: str) -> int:
        """Make the calls, all of which are refused; return how many came to the server."""

        def refused() -> None:
            with pytest.raises((SourceError, UnfetchedThumbnailError)):
                call()

        with ThreadPoolExecutor(MANY) as pool:
            for each in [pool.submit(refused) for _ in range(MANY)]:
                each.result()
        assert not self._barrier.broken
        return len(self._upstream.asked(path))


@pytest.fixture
def meeting(upstream: Upstream) -> Meeting:
    upstream.script(TOKEN_PATH, Reply({"access_token": "one", "expires_in": 5_000_000}))
    return Meeting(upstream)


@contextmanager
def _youtube(platforms: Platforms, store: Store) -> Iterator[YouTubeClient]:
    with (
        platforms.session(store) as session,
        platforms.youtube(session, NO_REDIS, purpose="test", run_id="run") as client,
    ):
        yield client


@contextmanager
def _twitch(platforms: Platforms, store: Store) -> Iterator[TwitchClient]:
    with (
        platforms.session(store) as session,
        platforms.twitch(session, NO_REDIS, purpose="test", run_id="run") as client,
    ):
        yield client


def test_the_clients_of_a_crawl_have_as_many_connections_as_it_makes_calls_at_once(
    meeting: Meeting,
    upstream: Upstream,
    database_url: str,
    *,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AURASTREAM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AURASTREAM_MAX_PARALLEL_REQUESTS", str(MANY))
    platforms, store = Platforms(replay_url=upstream.url), Store(postgres_url=database_url)
    with closing(store.frames):
        with _youtube(platforms, store) as youtube:
            meeting.at("/youtube/v3/videos")
            assert meeting.of(lambda: youtube.videos_chart("US"), "/youtube/v3/videos") == MANY
        with _twitch(platforms, store) as twitch:
            meeting.at("/helix/streams")
            assert meeting.of(lambda: twitch.streams("1"), "/helix/streams") == MANY


def test_thumbnails_are_fetched_on_as_many_connections_as_are_asked_for(
    meeting: Meeting, upstream: Upstream
) -> None:
    host = httpx.URL(upstream.url).netloc.decode()
    meeting.at("/a.jpg")
    with ThumbnailClient([host], max_connections=MANY) as client:
        assert meeting.of(lambda: client.fetch(f"{upstream.url}/a.jpg"), "/a.jpg") == MANY
