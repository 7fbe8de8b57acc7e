"""The Twitch app token: fetched once, shared, replaced early, never shown."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis

from aurastream.sources.breaker import CircuitBreakers
from aurastream.sources.errors import (
    KeyInvalidError,
    MalformedError,
    RetryableError,
    TransientError,
)
from aurastream.sources.token import AppToken
from aurastream.sources.transport import RetryPolicy
from aurastream.sources.twitch import TwitchClient
from tests.unit.sources.support import (
    TOKEN_PATH,
    FakeClock,
    Gate,
    Reply,
    Request,
    Upstream,
    helix,
    stream,
)

STREAMS = "/helix/streams"
LIFE_S = 5_000_000
UNAUTHORIZED = [
    {"status": 401, "message": "invalid access token"},
    {"error": "Unauthorized", "status": 401, "message": "OAuth token is missing"},
]


def _grant(name: str, life_s: float = LIFE_S) -> Reply:
    return Reply({"access_token": name, "expires_in": life_s, "token_type": "bearer"})


@pytest.fixture
def make(upstream: Upstream, http: httpx.Client, clock: FakeClock) -> Callable[..., AppToken]:
    upstream.script(TOKEN_PATH, _grant("one"), _grant("two"), _grant("three"))

    def make(redis_url: str | None = None) -> AppToken:
        return AppToken(
            upstream.url, "the-client", "the-secret", http=http, clock=clock, redis_url=redis_url
        )

    return make


def test_one_token_serves_all_calls(make: Callable[..., AppToken], upstream: Upstream) -> None:
    token = make()
    expected = {"Client-Id": "the-client", "Authorization": "Bearer one"}
    assert [token.headers(), token.headers()] == [expected] * 2
    (request,) = upstream.asked(TOKEN_PATH)
    assert request.method == "POST"
    assert request.query == {}
    assert "grant_type=client_credentials" in request.body


def test_it_is_replaced_before_it_expires(make: Callable[..., AppToken], clock: FakeClock) -> None:
    token = make()
    token.headers()
    clock.advance(LIFE_S - 3_601)
    assert token.headers()["Authorization"] == "Bearer one"
    clock.advance(2)
    assert token.headers()["Authorization"] == "Bearer two"


def test_an_old_token_serves_while_a_new_one_cannot_be_had(
    make: Callable[..., AppToken], upstream: Upstream, clock: FakeClock
) -> None:
    token = make()
    token.headers()
    upstream.script(TOKEN_PATH, Reply({}, 503))
    clock.advance(LIFE_S - 1_000)
    assert token.headers()["Authorization"] == "Bearer one"
    clock.advance(1_000)
    with pytest.raises(RetryableError):
        token.headers()


def test_processes_share_it_through_redis(
    make: Callable[..., AppToken], upstream: Upstream, redis_url: str
) -> None:
    tokens = [make(redis_url) for _ in range(4)]
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda t=token: found.append(t.headers()["Authorization"]))
        for token in tokens
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["Bearer one"] * 4
    assert len(upstream.asked(TOKEN_PATH)) == 1
    for token in tokens:
        token.close()


def test_it_lives_in_redis_no_longer_than_it_is_good(
    make: Callable[..., AppToken], redis_url: str
) -> None:
    token = make(redis_url)
    token.headers()
    with redis.Redis.from_url(redis_url) as client:
        (key,) = client.keys("aurastream:twitch:token:*")
        assert LIFE_S - 10 <= client.ttl(key) <= LIFE_S
    token.close()


def test_a_token_refused_by_one_process_is_replaced_for_all(
    make: Callable[..., AppToken], upstream: Upstream, redis_url: str
) -> None:
    one, two = make(redis_url), make(redis_url)
    sent = one.headers()
    assert two.headers() == sent
    assert one.renew(sent)
    assert two.renew(sent)
    assert one.headers() == two.headers() != sent
    assert len(upstream.asked(TOKEN_PATH)) == 2
    one.close()
    two.close()


def test_a_redis_that_is_gone_or_holds_junk_is_no_obstacle(
    make: Callable[..., AppToken], redis_url: str, free_port: Callable[[], int]
) -> None:
    gone = make(f"redis://127.0.0.1:{free_port()}/0")
    assert gone.headers()["Authorization"] == "Bearer one"
    first = make(redis_url)
    first.headers()
    with redis.Redis.from_url(redis_url) as client:
        (key,) = client.keys("aurastream:twitch:token:*")
        client.set(key, b"junk")
    second = make(redis_url)
    assert second.headers()["Authorization"] == "Bearer three"
    for token in (gone, first, second):
        token.close()


def test_a_token_is_shown_nowhere(
    make: Callable[..., AppToken], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = make()
    token.headers()
    assert "Bearer" not in caplog.text
    assert "the-secret" not in caplog.text
    assert "'one'" not in repr(token._token)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply({"status": 400, "message": "invalid client"}, 400), KeyInvalidError),
        (Reply({"status": 403, "message": "invalid client secret"}, 403), KeyInvalidError),
        (Reply({"token": "sesame"}), MalformedError),
    ],
)
def test_a_refused_application_says_what_to_mend(
    make: Callable[..., AppToken], upstream: Upstream, reply: Reply, expected: type[Exception]
) -> None:
    upstream.script(TOKEN_PATH, reply)
    with pytest.raises(expected, match="TWITCH") as caught:
        make().headers()
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("body", UNAUTHORIZED)
def test_a_401_in_either_shape_renews_the_token_once(
    twitch: TwitchClient, upstream: Upstream, body: dict[str, object]
) -> None:
    def answer(request: Request) -> Reply:
        is_new = request.headers["authorization"] == "Bearer token-2"
        return Reply(helix([stream(1)])) if is_new else Reply(body, 401)

    upstream.script(STREAMS, answer)
    crawl = twitch.streams("33214")
    assert len(crawl) == 1
    assert crawl.fetches[0].attempts == 2
    assert len(upstream.asked(TOKEN_PATH)) == 2


@pytest.mark.parametrize("body", UNAUTHORIZED)
def test_a_401_that_stays_is_a_matter_of_keys(
    twitch: TwitchClient, upstream: Upstream, body: dict[str, object]
) -> None:
    upstream.script(STREAMS, Reply(body, 401))
    with pytest.raises(KeyInvalidError, match="TWITCH_CLIENT_ID"):
        twitch.streams("33214")
    assert len(upstream.asked(STREAMS)) == 2


class _Pace:
    """Counts who was asked."""

    def __init__(self) -> None:
        self.hosts: list[str] = []

    def acquire(self, host: str) -> None:
        self.hosts.append(host)


def test_what_is_sent_with_a_new_token_is_paid_and_paced_too(
    upstream: Upstream, http: httpx.Client, clock: FakeClock, gate: Gate
) -> None:
    upstream.script(TOKEN_PATH, _grant("one"), _grant("two"))
    upstream.script(STREAMS, Reply(UNAUTHORIZED[0], 401), Reply(helix([stream(1)])))
    pace = _Pace()
    client = TwitchClient(
        upstream.url, upstream.url, "id", "secret", http=http, clock=clock, gate=gate, limiter=pace
    )
    (fetch,) = client.streams("33214").fetches
    assert (fetch.attempts, fetch.units) == (2, 2)
    assert gate.spent == ["streams"] * 2
    assert len(pace.hosts) == 2


@pytest.fixture
def refused(upstream: Upstream, http: httpx.Client, clock: FakeClock) -> Callable[..., Any]:
    """Make a client whose token is refused and cannot be renewed; its two hosts have two names."""
    upstream.script(TOKEN_PATH, _grant("one"), Reply({}, 503))
    upstream.script(STREAMS, Reply(UNAUTHORIZED[0], 401))
    auth_url = upstream.url.replace("127.0.0.1", "localhost")

    def make(**options: Any) -> TwitchClient:
        return TwitchClient(
            upstream.url, auth_url, "id", "secret", http=http, clock=clock, **options
        )

    return make


def test_a_token_that_cannot_be_renewed_ends_the_call_after_the_tries_of_its_own_host(
    refused: Callable[..., TwitchClient], upstream: Upstream
) -> None:
    with pytest.raises(TransientError) as raised:
        refused().streams("33214")
    assert len(upstream.asked(STREAMS)) == 1
    assert len(upstream.asked(TOKEN_PATH)) == 1 + 5
    (fetch,) = raised.value.fetches
    assert (fetch.endpoint, fetch.outcome, fetch.attempts) == ("streams", "transient", 1)


def test_a_token_that_cannot_be_renewed_is_charged_to_its_own_host(
    refused: Callable[..., TwitchClient], upstream: Upstream, clock: FakeClock
) -> None:
    breaker = CircuitBreakers(clock=clock, fail_max=1)
    with pytest.raises(TransientError):
        refused(breaker=breaker, retry=RetryPolicy(max_attempts=1)).streams("33214")
    host = httpx.URL(upstream.url).netloc.decode()
    assert breaker.state(host.replace("127.0.0.1", "localhost")) == "open"
    assert breaker.state(host) == "closed"


def test_a_limit_of_thirty_means_that_the_token_is_not_known(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    few = {"Ratelimit-Limit": "30", "Ratelimit-Remaining": "29"}
    upstream.script(STREAMS, Reply(helix([stream(1)]), headers=few))
    assert len(twitch.streams("33214")) == 1
    twitch.streams("33214")
    twitch.streams("33214")
    assert [request.headers["authorization"] for request in upstream.asked(STREAMS)] == [
        "Bearer token-1",
        "Bearer token-2",
        "Bearer token-2",
    ]
