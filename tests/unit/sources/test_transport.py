"""One call: gate, pace, breaker, retries, etag, record."""

import contextlib
import gzip
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from aurastream.sources.breaker import CircuitBreakers
from aurastream.sources.errors import (
    CircuitOpenError,
    ConfigError,
    KeyInvalidError,
    MalformedError,
    PermissionDeniedError,
    QuotaExhaustedError,
    RateLimitedError,
    TransientError,
)
from aurastream.sources.transport import EtagCache, RetryPolicy
from aurastream.sources.youtube import YouTubeClient
from tests.unit.sources.support import (
    START,
    FakeClock,
    Gate,
    Reply,
    Request,
    Upstream,
    video,
    video_page,
)

VIDEOS = "/youtube/v3/videos"
GOOD = Reply(video_page([video("a")]))
DOWN = Reply({"error": {"code": 503, "message": "Backend Error"}}, 503)


def test_a_call_is_recorded_as_it_was(youtube: YouTubeClient, upstream: Upstream) -> None:
    upstream.script(VIDEOS, Reply(video_page([video("a"), video("b", snippet=None)])))
    crawl = youtube.videos_chart("US", 20)
    (fetch,) = crawl.fetches
    assert fetch.as_row() == {
        "observed_at": START,
        "fetch_id": crawl.columns["fetch_id"][0],
        "platform": "youtube",
        "endpoint": "videos.list",
        "params": {
            "part": "snippet,contentDetails,statistics,liveStreamingDetails,status,topicDetails",
            "chart": "mostPopular",
            "regionCode": "US",
            "videoCategoryId": "20",
            "maxResults": "50",
        },
        "status": 200,
        "outcome": "ok",
        "items": 1,
        "rejected": 1,
        "attempts": 1,
        "duration_ms": 0.0,
        "units": 1,
        "bucket": "youtube.default",
        "run_id": "r",
    }
    assert crawl.rejected[0].fetch_id == fetch.fetch_id


def test_the_record_has_the_columns_of_the_fetch_log(
    youtube: YouTubeClient, upstream: Upstream
) -> None:
    from aurastream.store.tables import table_for  # noqa: PLC0415 # the tables are another layer

    upstream.script(VIDEOS, GOOD)
    row = youtube.videos_chart("US").fetches[0].as_row()
    assert list(row) == [column.name for column in table_for(["operations", "fetch_log"]).columns]


def test_the_answers_date_is_the_time_of_observation(
    youtube: YouTubeClient, upstream: Upstream
) -> None:
    upstream.script(VIDEOS, Reply(GOOD.body, headers={"Date": "Tue, 15 Nov 2022 17:30:38 GMT"}))
    crawl = youtube.videos_chart("US")
    assert str(crawl.to_frame()["observed_at"].iloc[0]) == "2022-11-15 17:30:38+00:00"
    assert crawl.observed_at == crawl.crawl_at == crawl.fetches[0].observed_at


@pytest.mark.parametrize("skew_s", [0.0, 0.4, -0.4, 3600.5, -3600.5])
def test_crawls_within_one_second_of_the_platform_keep_their_order(
    youtube: YouTubeClient, upstream: Upstream, clock: FakeClock, skew_s: float
) -> None:
    said = START + timedelta(seconds=10)
    upstream.script(
        VIDEOS, *[Reply(GOOD.body, headers={"Date": format_datetime(said, usegmt=True)})] * 5
    )
    clock.advance(10 + skew_s)
    found = []
    for _ in range(5):  # our clock may pass a full second, the platform's does not
        found.append(youtube.videos_chart("US").crawl_at)
        clock.advance(0.2)
    moments = [at for at in found if at is not None]
    assert len(moments) == 5
    assert moments == sorted(moments)
    assert {at.replace(microsecond=0) for at in moments} == {said}
    if abs(skew_s) != 0.4:  # a difference below a second leaves some of them equal
        assert len(set(moments)) == 5


def test_a_platform_whose_clock_is_not_ours_is_told_once(
    youtube: YouTubeClient, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    assert youtube.clock_off_s is None
    for off_s in (0, 30, 864_000, 864_001, -3_600):
        said = format_datetime(START + timedelta(seconds=off_s), usegmt=True)
        upstream.script(VIDEOS, Reply(GOOD.body, headers={"Date": said}))
        youtube.videos_chart("US")
        assert youtube.clock_off_s == off_s
    (warning,) = [r.getMessage() for r in caplog.records if "clock" in r.getMessage()]
    assert "864000 s ahead of ours" in warning
    assert "NTP" in warning


@pytest.mark.parametrize("date", ["", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_without_a_date_to_believe_the_local_clock_counts(
    youtube: YouTubeClient, upstream: Upstream, date: str
) -> None:
    upstream.script(VIDEOS, Reply(GOOD.body, headers={"Date": date}))
    assert youtube.videos_chart("US").observed_at == START


def test_the_key_travels_in_a_header_and_is_logged_nowhere(
    youtube: YouTubeClient, upstream: Upstream, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    upstream.script(VIDEOS, DOWN, GOOD)
    crawl = youtube.videos_chart("US")
    assert upstream.requests[0].headers["x-goog-api-key"] == "yt-secret"
    assert "key" not in upstream.requests[0].query
    assert "yt-secret" not in caplog.text
    assert "yt-secret" not in repr(crawl)


@pytest.mark.parametrize("key", ["", "  ", "a b", "a\nb", "schlüssel"])
def test_what_cannot_be_a_key_is_refused_before_the_first_call(key: str) -> None:
    with pytest.raises(KeyInvalidError) as caught:
        YouTubeClient("http://127.0.0.1:1", key)
    assert not key.strip() or key not in str(caught.value)


def test_blanks_around_a_key_are_forgiven(
    upstream: Upstream, http: httpx.Client, clock: FakeClock
) -> None:
    upstream.script(VIDEOS, GOOD)
    YouTubeClient(upstream.url, " k \n", http=http, clock=clock).videos_chart("US")
    assert upstream.requests[0].headers["x-goog-api-key"] == "k"


def test_a_passing_failure_is_repeated_with_growing_pauses(
    youtube: YouTubeClient, upstream: Upstream, clock: FakeClock, gate: Gate
) -> None:
    upstream.script(VIDEOS, DOWN, DOWN, DOWN, GOOD)
    crawl = youtube.videos_chart("US")
    (fetch,) = crawl.fetches
    assert (fetch.attempts, fetch.units, fetch.outcome) == (4, 4, "ok")
    assert len(clock.slept) == 3
    assert all(0 <= pause <= 0.5 * 2**n for n, pause in enumerate(clock.slept))
    assert gate.spent == ["videos.list"] * 4


def test_it_is_not_repeated_for_ever(
    youtube: YouTubeClient, upstream: Upstream, clock: FakeClock
) -> None:
    upstream.script(VIDEOS, DOWN)
    with pytest.raises(TransientError) as caught:
        youtube.videos_chart("US")
    assert len(upstream.requests) == 5
    (fetch,) = caught.value.fetches
    assert (fetch.attempts, fetch.status, fetch.outcome) == (5, 503, "transient")


def test_the_platforms_own_wait_is_kept(
    youtube: YouTubeClient, upstream: Upstream, clock: FakeClock
) -> None:
    upstream.script(VIDEOS, Reply({}, 429, {"Retry-After": "41"}), GOOD)
    youtube.videos_chart("US")
    assert 41 <= clock.slept[0] <= 41.5


def test_a_wait_beyond_the_patience_is_no_wait(
    youtube: YouTubeClient, upstream: Upstream, clock: FakeClock
) -> None:
    upstream.script(VIDEOS, Reply({}, 429, {"Retry-After": "86400"}))
    with pytest.raises(RateLimitedError) as caught:
        youtube.videos_chart("US")
    assert clock.slept == []
    assert caught.value.retry_after_s == 86_400


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply({"error": {"code": 400, "message": "x"}}, 400), ConfigError),
        (
            Reply({"error": {"code": 403, "errors": [{"reason": "SERVICE_UNAVAILABLE"}]}}, 403),
            PermissionDeniedError,
        ),
        (
            Reply({"error": {"code": 400, "errors": [{"reason": "keyInvalid"}]}}, 400),
            KeyInvalidError,
        ),
        (Reply({}, 401), KeyInvalidError),
        (Reply({}, 302, {"Location": "https://elsewhere.example"}), ConfigError),
    ],
)
def test_permanent_failures_are_not_repeated(
    youtube: YouTubeClient,
    upstream: Upstream,
    clock: FakeClock,
    reply: Reply,
    expected: type[Exception],
) -> None:
    upstream.script(VIDEOS, reply)
    with pytest.raises(expected):
        youtube.videos_chart("US")
    assert len(upstream.requests) == 1
    assert clock.slept == []


def test_a_spent_quota_is_told_to_the_gate(
    youtube: YouTubeClient, upstream: Upstream, gate: Gate
) -> None:
    body = {"error": {"code": 403, "errors": [{"reason": "quotaExceeded"}], "message": "over"}}
    upstream.script(VIDEOS, Reply(body, 403))
    with pytest.raises(QuotaExhaustedError) as caught:
        youtube.videos_chart("US")
    assert gate.reported == ["videos.list"]
    assert caught.value.fetches[0].units == 1


def test_a_closed_gate_lets_nothing_through(
    youtube: YouTubeClient, upstream: Upstream, gate: Gate
) -> None:
    gate.left = 0
    with pytest.raises(QuotaExhaustedError) as caught:
        youtube.videos_chart("US")
    assert upstream.requests == []
    assert gate.reported == []
    (fetch,) = caught.value.fetches
    assert (fetch.attempts, fetch.units, fetch.status) == (0, 0, None)


def test_what_was_never_sent_is_refunded(
    http: httpx.Client, clock: FakeClock, gate: Gate, free_port: Callable[[], int]
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    youtube = YouTubeClient(url, "k", http=http, clock=clock, gate=gate)
    with pytest.raises(TransientError, match="did not answer"):
        youtube.videos_chart("US")
    assert gate.left == 1_000
    assert gate.refunded == 5


def test_a_connection_that_breaks_off_may_have_cost_a_unit(
    youtube: YouTubeClient, upstream: Upstream, gate: Gate
) -> None:
    upstream.script(VIDEOS, Reply(None), Reply(GOOD.body, truncate=True), GOOD)
    crawl = youtube.videos_chart("US")
    assert crawl.fetches[0].units == crawl.fetches[0].attempts == len(upstream.requests)
    assert gate.refunded == 0


def test_a_malformed_answer_is_asked_for_once_more_and_then_kept(
    youtube: YouTubeClient, upstream: Upstream
) -> None:
    upstream.script(VIDEOS, Reply(b"<html>sorry</html>"))
    with pytest.raises(MalformedError) as caught:
        youtube.videos_chart("US")
    assert len(upstream.requests) == 2
    assert caught.value.raw == "<html>sorry</html>"
    assert caught.value.fetches[0].outcome == "malformed"
    upstream.script(VIDEOS, Reply(b'{"kind"'), GOOD)
    assert len(youtube.videos_chart("US")) == 1


def test_an_unchanged_answer_is_taken_from_the_cache(
    youtube: YouTubeClient, upstream: Upstream, clock: FakeClock, gate: Gate
) -> None:
    def answer(request: Request) -> Reply:
        if request.headers.get("if-none-match") == '"v1"':
            return Reply(b"", 304, {"ETag": '"v1"'})
        return Reply(GOOD.body, headers={"ETag": '"v1"'})

    upstream.script(VIDEOS, answer)
    first = youtube.videos_chart("US")
    clock.advance(1_800)
    second = youtube.videos_chart("US")
    other = youtube.videos_chart("DE")
    assert second.columns["video_id"] == first.columns["video_id"]
    assert second.columns["observed_at"] != first.columns["observed_at"]
    assert second.columns["fetch_id"] != first.columns["fetch_id"]
    assert (second.fetches[0].outcome, second.fetches[0].status) == ("not_modified", 304)
    assert second.fetches[0].units == 1
    assert other.fetches[0].outcome == "ok"


def test_the_cache_stays_within_its_bytes() -> None:
    cache = EtagCache(max_bytes=100)
    for number in range(10):
        cache.put(number, f'"{number}"', bytes(25))
    assert [number for number in range(10) if cache.get(number)] == [6, 7, 8, 9]
    cache.put(9, '"big"', bytes(26))
    assert cache.get(9) is None
    cache.put(6, '"again"', bytes(20))
    assert cache.get(6) == ('"again"', bytes(20))


def test_a_304_that_was_not_asked_for_is_no_answer(
    youtube: YouTubeClient, upstream: Upstream
) -> None:
    upstream.script(VIDEOS, Reply(b"", 304))
    with pytest.raises(ConfigError):
        youtube.videos_chart("US")


def test_packed_answers_are_unpacked_and_broken_ones_repeated(
    youtube: YouTubeClient, upstream: Upstream
) -> None:
    packed = gzip.compress(json.dumps(GOOD.body).encode())
    headers = {"Content-Encoding": "gzip"}
    upstream.script(VIDEOS, Reply(b"no gzip", headers=headers), Reply(packed, headers=headers))
    assert len(youtube.videos_chart("US")) == 1
    assert "gzip" in upstream.requests[0].headers["accept-encoding"]


@pytest.fixture
def slow_head() -> Iterator[str]:
    """A server whose head never ends: a byte of it every twentieth of a second."""
    stopped = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
            with contextlib.suppress(OSError):
                while not stopped.wait(0.05):
                    self.wfile.write(b"x")

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    stopped.set()
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_head_that_trickles_is_given_up_in_time(slow_head: str, clock: FakeClock) -> None:
    retry = RetryPolicy(max_attempts=1)
    with (
        YouTubeClient(slow_head, "k", clock=clock, timeout_s=0.4, retry=retry) as client,
        pytest.raises(TransientError, match=r"more than 1\.2 s") as raised,
    ):
        client.videos_chart("US")
    assert raised.value.fetches[0].status is None


def test_a_host_that_says_nothing_is_asked_again_and_given_up_in_time(clock: FakeClock) -> None:
    # The kernel takes the connections, and nobody ever reads from them.
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        YouTubeClient(
            f"http://127.0.0.1:{silent.getsockname()[1]}",
            "k",
            clock=clock,
            timeout_s=0.2,
            retry=RetryPolicy(max_attempts=2),
        ) as client,
        pytest.raises(TransientError, match="ReadTimeout") as raised,
    ):
        client.videos_chart("US")
    (fetch,) = raised.value.fetches
    assert (fetch.outcome, fetch.status, fetch.attempts) == ("transient", None, 2)
    assert len(clock.slept) == 1


def test_extra_headers_are_asked_for_before_every_try(
    upstream: Upstream, http: httpx.Client, clock: FakeClock
) -> None:
    upstream.script(VIDEOS, DOWN, GOOD)
    moments = iter(["2026-11-01T00:00:00Z", "2026-11-01T00:30:00Z"])
    client = YouTubeClient(
        upstream.url,
        "k",
        http=http,
        clock=clock,
        extra_headers=lambda: {"X-Replay-Now": next(moments)},
    )
    client.videos_chart("US")
    assert [request.headers["x-replay-now"] for request in upstream.requests] == [
        "2026-11-01T00:00:00Z",
        "2026-11-01T00:30:00Z",
    ]


def test_the_tries_of_one_call_are_one_failure_to_the_breaker(
    upstream: Upstream, http: httpx.Client, clock: FakeClock
) -> None:
    breaker = CircuitBreakers(clock=clock)
    client = YouTubeClient(upstream.url, "k", http=http, clock=clock, breaker=breaker)
    upstream.script(VIDEOS, *[DOWN] * 6, GOOD)
    with pytest.raises(TransientError):
        client.videos_chart("US")
    assert len(upstream.requests) == 5
    assert breaker.state(client._transport.host) == "closed"
    assert len(client.videos_chart("US")) == 1


def test_an_open_circuit_costs_nothing(
    upstream: Upstream, http: httpx.Client, clock: FakeClock, gate: Gate
) -> None:
    breaker = CircuitBreakers(clock=clock)
    client = YouTubeClient(
        upstream.url,
        "k",
        http=http,
        clock=clock,
        gate=gate,
        breaker=breaker,
        retry=RetryPolicy(max_attempts=5),
    )
    upstream.script(VIDEOS, DOWN)
    for _ in range(5):
        with pytest.raises(TransientError):
            client.videos_chart("US")
    left = gate.left
    with pytest.raises(CircuitOpenError) as caught:
        client.videos_chart("US")
    assert len(upstream.requests) == 25
    assert gate.left == left
    assert caught.value.fetches[0].attempts == 0
    clock.advance(61)
    upstream.script(VIDEOS, GOOD)
    assert len(client.videos_chart("US")) == 1


def test_a_call_that_the_ledger_refused_is_no_sign_that_the_host_is_well(
    upstream: Upstream, http: httpx.Client, clock: FakeClock, gate: Gate
) -> None:
    breaker = CircuitBreakers(clock=clock)
    client = YouTubeClient(upstream.url, "k", http=http, clock=clock, gate=gate, breaker=breaker)
    breaker.open(client._transport.host)
    clock.advance(61)
    gate.left = 0
    for _ in range(3):
        with pytest.raises(QuotaExhaustedError):
            client.videos_chart("US")
    assert upstream.requests == []
    assert breaker.state(client._transport.host) != "closed"


@pytest.mark.parametrize("url", ["", "youtube.example", "http://", "ftp://a.example"])
def test_an_address_that_is_none_is_a_matter_of_settings(url: str) -> None:
    with pytest.raises(ConfigError, match="base URL"):
        YouTubeClient(url, "k")


def test_a_proxy_of_the_environment_is_not_asked_for_servers_on_loopback(
    upstream: Upstream, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    upstream.script(VIDEOS, GOOD)
    with YouTubeClient(upstream.url, "k", clock=clock) as client:
        assert len(client.videos_chart("US")) == 1


def test_a_proxy_that_cannot_be_used_is_said_with_its_mend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    with pytest.raises(ConfigError, match=r"SOCKS.*Unset ALL_PROXY"):
        YouTubeClient("https://youtube.example", "k")


def test_threads_share_a_client(youtube: YouTubeClient, upstream: Upstream) -> None:
    barrier = threading.Barrier(4, timeout=60)

    def answer(request: Request) -> Reply:
        barrier.wait()  # passes only when four calls are under way at once
        return Reply(video_page([video(str(request.one("regionCode")))]))

    upstream._lock = threading.Semaphore(4)  # type: ignore[assignment] # lets all four in
    upstream.script(VIDEOS, answer)
    found: list[str] = []
    threads = [
        threading.Thread(
            target=lambda region=region: found.extend(
                youtube.videos_chart(region).columns["video_id"]
            )
        )
        for region in ("US", "DE", "JP", "BR")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["BR", "DE", "JP", "US"]
