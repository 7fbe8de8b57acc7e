"""Fixtures of the API clients: a scripted server, time that passes only in sleep, the clients."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from aurastream.sources.transport import http_client
from aurastream.sources.twitch import TwitchClient
from aurastream.sources.youtube import YouTubeClient
from tests.unit.sources.support import TOKEN_PATH, FakeClock, Gate, Reply, Upstream, handler_of


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def upstream(clock: FakeClock) -> Iterator[Upstream]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    found = Upstream(f"http://127.0.0.1:{server.server_port}")
    found.clock = clock
    server.RequestHandlerClass = handler_of(found)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with http_client(timeout_s=60.0) as client:
        yield client


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def youtube(upstream: Upstream, http: httpx.Client, clock: FakeClock, gate: Gate) -> YouTubeClient:
    return YouTubeClient(upstream.url, "yt-secret", http=http, clock=clock, gate=gate, run_id="r")


@pytest.fixture
def twitch(upstream: Upstream, http: httpx.Client, clock: FakeClock) -> TwitchClient:
    upstream.script(
        TOKEN_PATH,
        Reply({"access_token": "token-1", "expires_in": 5_000_000, "token_type": "bearer"}),
        Reply({"access_token": "token-2", "expires_in": 5_000_000, "token_type": "bearer"}),
    )
    return TwitchClient(
        upstream.url, upstream.url, "the-client", "the-secret", http=http, clock=clock
    )
