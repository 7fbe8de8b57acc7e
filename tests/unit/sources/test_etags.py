"""The shared memory of answers: who remembers, for how long, and what when Redis is away."""

import os
from collections.abc import Callable, Iterator

import httpx
import pytest
import redis

from aurastream.sources.etags import SharedEtags
from aurastream.sources.youtube import YouTubeClient
from tests.unit.sources.support import FakeClock, Reply, Request, Upstream, video, video_page

VIDEOS = "/youtube/v3/videos"
SERVER = "https://a.example"


@pytest.fixture
def etags(redis_url: str) -> Iterator[SharedEtags]:
    opened = SharedEtags(redis_url, SERVER, max_bytes=1_000)
    yield opened
    opened.close()


def test_an_answer_is_not_sent_again_to_the_process_of_the_next_run(
    redis_url: str, upstream: Upstream, http: httpx.Client, clock: FakeClock
) -> None:
    def answer(request: Request) -> Reply:
        if request.headers.get("if-none-match") == '"v1"':
            return Reply(b"", 304, {"ETag": '"v1"'})
        return Reply(video_page([video("a")]), headers={"ETag": '"v1"'})

    upstream.script(VIDEOS, answer)
    found = []
    for _ in range(2):
        etags = SharedEtags(redis_url, upstream.url)
        client = YouTubeClient(upstream.url, "k", http=http, clock=clock, etags=etags)
        found.append(client.videos_chart("US"))
        etags.close()
    assert [crawl.fetches[0].outcome for crawl in found] == ["ok", "not_modified"]
    assert [crawl.columns["video_id"] for crawl in found] == [["a"], ["a"]]
    assert [crawl.fetches[0].units for crawl in found] == [0, 0]


def test_another_server_has_other_answers(redis_url: str, etags: SharedEtags) -> None:
    etags.put(("videos.list", ()), '"v1"', b"{}")
    other = SharedEtags(redis_url, "https://b.example")
    assert etags.get(("videos.list", ())) == ('"v1"', b"{}")
    assert other.get(("videos.list", ())) is None
    other.close()


def test_the_oldest_bodies_make_room_and_a_huge_one_is_not_kept(
    redis_url: str, etags: SharedEtags
) -> None:
    bodies = {n: os.urandom(200) for n in range(10)}
    for n, body in bodies.items():
        etags.put(n, f'"{n}"', body)
    etags.put("huge", '"h"', os.urandom(300))
    kept = [n for n in bodies if etags.get(n) is not None]
    assert kept
    assert kept == list(range(10 - len(kept), 10))
    assert etags.get("huge") is None
    with redis.Redis.from_url(redis_url) as client:
        entries = list(client.scan_iter("aurastream:etag:*"))
        assert sum(client.strlen(e) for e in entries if client.type(e) == b"string") <= 1_000
        assert all(0 < client.ttl(entry) <= 6 * 3_600 for entry in entries)


def test_a_body_that_comes_again_counts_once(redis_url: str, etags: SharedEtags) -> None:
    for n in range(20):
        etags.put("same", f'"{n}"', os.urandom(200))
    assert etags.get("same") is not None
    with redis.Redis.from_url(redis_url) as client:
        assert client.hlen("aurastream:etag:sizes") == 1


def test_something_else_under_the_key_is_no_body(redis_url: str, etags: SharedEtags) -> None:
    etags.put("one", '"v1"', b"{}")
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter("aurastream:etag:*"):
            if client.type(key) == b"string":
                client.set(key, b"no body of ours")
    assert etags.get("one") is None


def test_without_redis_every_answer_is_sent_in_full(
    upstream: Upstream, http: httpx.Client, clock: FakeClock, free_port: Callable[[], int]
) -> None:
    upstream.script(VIDEOS, Reply(video_page([video("a")]), headers={"ETag": '"v1"'}))
    etags = SharedEtags(f"redis://127.0.0.1:{free_port()}/0", upstream.url)
    client = YouTubeClient(upstream.url, "k", http=http, clock=clock, etags=etags)
    assert [client.videos_chart("US").fetches[0].outcome for _ in range(2)] == ["ok", "ok"]
    etags.close()
