"""The clients against the replay server: every quirk and every fault it can be told to have."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from aurastream.core.thumbnails_decode import RejectionReason
from aurastream.replay.faults import KINDS
from aurastream.replay.quirks import QUIRKS
from aurastream.replay.server import background
from aurastream.sources.breaker import CircuitBreakers
from aurastream.sources.errors import (
    KeyInvalidError,
    MalformedError,
    PermissionDeniedError,
    QuotaExhaustedError,
    RateLimitedError,
    SourceError,
    TransientError,
)
from aurastream.sources.ports import Crawl
from aurastream.sources.thumbnails import ThumbnailClient, UnfetchedThumbnailError
from aurastream.sources.transport import RetryPolicy
from aurastream.sources.twitch import TwitchClient
from aurastream.sources.youtube import YouTubeClient
from tests.unit.sources.support import TOKEN_PATH, FakeClock, Reply, Upstream

NOW = datetime(2026, 11, 21, 12, 25, tzinfo=UTC)
GAME = "33214"
HEADERS = {"X-Replay-Now": "2026-11-21T12:25:00Z"}
# What a crawl asks for of each kind; there is more of all but the channels.
MANY = 250
WHOLE = {
    "streams": (MANY, True),
    "clips": (1000, True),
    "channels": (20, True),
    "top_games": (20, True),
}
# What differs while a quirk is on: rows, and whether the crawl calls itself complete.
HARMED = {
    "invalid_cursor_400_mid_crawl": {"streams": (100, False), "clips": (100, False)},
    "short_pages_dead_cursor": {"streams": (50, False)},
    # The clips are asked for in parts, each of which has no second page.
    "pagination_without_cursor_key": {"streams": (100, False)},
    "clips_same_items_after_1000": {"clips": (1000, False)},
}
# Nothing is answered at all.
FATAL: dict[str, type[SourceError]] = {
    "429_not_rate_limit": RateLimitedError,
    "401_bodies": KeyInvalidError,
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with background() as address:
        yield address


@pytest.fixture
def fault(url: str) -> Iterator[Any]:
    """Set a fault; all are taken away at the end."""

    def set_fault(**content: Any) -> None:
        httpx.post(f"{url}/_replay/faults", json=content).raise_for_status()

    yield set_fault
    httpx.delete(f"{url}/_replay/faults").raise_for_status()


@pytest.fixture
def twitch(url: str, clock: FakeClock) -> Iterator[TwitchClient]:
    with TwitchClient(
        url, url, "replay-client", "replay-secret", clock=clock, extra_headers=lambda: HEADERS
    ) as client:
        yield client


@pytest.fixture
def youtube(url: str, clock: FakeClock) -> Iterator[YouTubeClient]:
    with YouTubeClient(url, "replay-key", clock=clock, extra_headers=lambda: HEADERS) as client:
        yield client


def _crawls(twitch: TwitchClient) -> dict[str, Crawl]:
    streams = twitch.streams(GAME, top_n=MANY)
    return {
        "streams": streams,
        "clips": twitch.clips(GAME, NOW - timedelta(hours=30), NOW),
        "channels": twitch.channels(streams.columns["user_id"][:20]),
        "top_games": twitch.top_games(20),
    }


def _sizes(crawls: dict[str, Crawl]) -> dict[str, tuple[int, bool]]:
    return {name: (len(crawl), crawl.is_complete) for name, crawl in crawls.items()}


def test_without_a_quirk_every_crawl_is_whole(twitch: TwitchClient) -> None:
    crawls = _crawls(twitch)
    assert _sizes(crawls) == WHOLE
    assert all(crawl.rejected == () for crawl in crawls.values())


@pytest.mark.parametrize("quirk", sorted(QUIRKS.keys() - FATAL.keys()))
def test_every_quirk_ends_with_a_finished_crawl_or_one_that_says_why_not(
    twitch: TwitchClient, fault: Any, quirk: str
) -> None:
    _crawls(twitch)
    fault(quirk=quirk, times=40 if quirk.startswith("429") else None)
    crawls = _crawls(twitch)
    assert _sizes(crawls) == WHOLE | HARMED.get(quirk, {})
    for crawl in crawls.values():
        assert sum(fetch.attempts for fetch in crawl.fetches) < 100
        assert crawl.is_complete == (not crawl.reason)
        assert crawl.rejected == ()


@pytest.mark.parametrize("quirk", sorted(FATAL))
def test_a_quirk_that_lets_nothing_through_is_an_error_with_its_calls(
    twitch: TwitchClient, fault: Any, quirk: str
) -> None:
    _crawls(twitch)
    fault(quirk=quirk, times=40 if quirk.startswith("429") else None)
    with pytest.raises(FATAL[quirk]) as raised:
        _crawls(twitch)
    assert len(raised.value.fetches) == 1


def test_clips_are_the_same_whatever_their_quirks(twitch: TwitchClient, fault: Any) -> None:
    whole = twitch.clips(GAME, NOW - timedelta(hours=30), NOW)
    for quirk in (
        "clips_before_started_at",
        "clips_not_sorted_with_started_at",
        "clips_missing_in_wide_range",
    ):
        fault(quirk=quirk)
    found = twitch.clips(GAME, NOW - timedelta(hours=30), NOW)
    assert found.columns["clip_id"] == whole.columns["clip_id"]


@pytest.fixture
def points(url: str) -> Iterator[Callable[[int], object]]:
    """Set how many calls a minute Helix speaks of; 800 again at the end."""

    def per_minute(number: int) -> object:
        content = {"points_per_minute": number}
        return httpx.put(f"{url}/_replay/limits", json=content).raise_for_status()

    yield per_minute
    per_minute(800)


def _played(clock: FakeClock) -> Callable[[], dict[str, str]]:
    """Return the headers that let the server's minutes pass with those of the clock."""
    return lambda: {"X-Replay-Now": clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")}


def test_a_bucket_that_grants_less_than_it_says_is_waited_for(
    url: str, clock: FakeClock, fault: Any, points: Callable[[int], object]
) -> None:
    points(8)  # of which six are granted, and a crawl takes three
    fault(quirk="429_at_600_per_minute")
    client = TwitchClient(
        url, url, "replay-client", "replay-secret", clock=clock, extra_headers=_played(clock)
    )
    with client:
        crawls = [client.streams(GAME, top_n=MANY) for _ in range(5)]
    assert [(len(crawl), crawl.is_complete) for crawl in crawls] == [(MANY, True)] * 5
    attempts = [fetch.attempts for crawl in crawls for fetch in crawl.fetches]
    assert sorted(attempts) == [1] * 13 + [2] * 2  # the seventh call and the thirteenth
    assert len(clock.slept) == 2
    assert all(pause <= 61 for pause in clock.slept)


def test_an_unknown_token_is_replaced_after_the_first_page(
    url: str, upstream: Upstream, clock: FakeClock, fault: Any
) -> None:
    fault(quirk="token_valid_but_rate_30")
    asked = {"client_id": "replay-client", "client_secret": "replay-secret"}
    grant = httpx.post(f"{url}{TOKEN_PATH}", data={**asked, "grant_type": "client_credentials"})
    unknown = Reply({"access_token": "unknown", "expires_in": 5_000_000})
    upstream.script(TOKEN_PATH, unknown, Reply(grant.json()))
    client = TwitchClient(
        url, upstream.url, *asked.values(), clock=clock, extra_headers=_played(clock)
    )
    with client:
        client.streams(GAME, top_n=1)
        assert client.rate_remaining == 29
        crawl = client.streams(GAME, top_n=MANY)
        assert (len(crawl), crawl.is_complete) == (MANY, True)
        assert client.rate_remaining is not None
        assert client.rate_remaining > 700
    assert len(upstream.asked(TOKEN_PATH)) == 2


def test_where_no_token_is_ever_known_thirty_calls_a_minute_are_made_and_no_more(
    url: str, upstream: Upstream, clock: FakeClock, fault: Any
) -> None:
    fault(quirk="token_valid_but_rate_30")
    upstream.script(TOKEN_PATH, Reply({"access_token": "unknown", "expires_in": 5_000_000}))
    client = TwitchClient(
        url, upstream.url, "another-client", "secret", clock=clock, extra_headers=_played(clock)
    )
    with client:
        crawls = [client.streams(GAME, top_n=MANY) for _ in range(11)]
    assert {(len(crawl), crawl.is_complete) for crawl in crawls} == {(MANY, True)}
    attempts = [fetch.attempts for crawl in crawls for fetch in crawl.fetches]
    assert sorted(attempts) == [1] * 32 + [2]
    assert len(clock.slept) == 1
    assert len(upstream.asked(TOKEN_PATH)) == 2  # the doubt is not repeated with every answer


def test_every_kind_of_fault_is_survived_or_named(
    youtube: YouTubeClient, fault: Any, url: str
) -> None:
    expected = {
        "outage": TransientError,
        "server_error": TransientError,
        "rate_limited": RateLimitedError,
        "quota_exceeded": QuotaExhaustedError,
        "invalid_key": KeyInvalidError,
        "forbidden": PermissionDeniedError,
        "malformed_json": MalformedError,
        "html_body": MalformedError,
        "truncated_body": TransientError,
    }
    named: dict[str, type[SourceError] | None] = {}
    for kind in KINDS:
        if kind in ("quirk", "latency", "trickle", "token_revoked", "token_rejected"):
            continue
        fault(kind=kind, platform="youtube")
        try:
            youtube.videos_chart("US", 20)
            named[kind] = None
        except SourceError as error:
            named[kind] = type(error)
            assert error.fetches[0].outcome == error.outcome  # noqa: PT017 # some do not raise
        httpx.delete(f"{url}/_replay/faults").raise_for_status()
        breaker = youtube._transport.breaker
        assert isinstance(breaker, CircuitBreakers)
        breaker.close(youtube._transport.host)
    assert {kind: error for kind, error in named.items() if error} == expected


# -- answers without an end ------------------------------------------------------------------------

# Bytes come far more often than a wait for one may last, and all of them would take minutes.
TRICKLE: dict[str, Any] = {"kind": "trickle", "options": {"bytes": 8, "delay_ms": 50}}


@pytest.fixture
def hurried(url: str, clock: FakeClock) -> Iterator[YouTubeClient]:
    """A client that waits a second for a byte, and so three times that for an answer."""
    with YouTubeClient(
        url,
        "replay-key",
        clock=clock,
        timeout_s=1.0,
        retry=RetryPolicy(max_attempts=2),
        extra_headers=lambda: HEADERS,
    ) as client:
        yield client


def test_an_answer_that_trickles_is_given_up_in_time_and_asked_for_again(
    hurried: YouTubeClient, fault: Any
) -> None:
    fault(**TRICKLE, times=1)
    crawl = hurried.videos_chart("US", 20)
    assert crawl.is_complete
    assert [fetch.attempts for fetch in crawl.fetches] == [2]


def test_where_every_answer_trickles_the_call_fails_in_passing(
    hurried: YouTubeClient, fault: Any
) -> None:
    fault(**TRICKLE)
    with pytest.raises(TransientError, match=r"more than 3 s .*_REQUEST_TIMEOUT_S") as raised:
        hurried.videos_chart("US", 20)
    (fetch,) = raised.value.fetches
    assert (fetch.outcome, fetch.attempts) == ("transient", 2)


def test_a_page_that_trickles_costs_what_comes_after_it_alone(
    url: str, clock: FakeClock, fault: Any
) -> None:
    fault(**TRICKLE, platform="twitch", endpoint="streams", skip=1)
    # No try takes longer than all of them may together.
    retry = RetryPolicy(max_attempts=1, total_s=3.0)
    with TwitchClient(
        url,
        url,
        "replay-client",
        "replay-secret",
        clock=clock,
        retry=retry,
        extra_headers=lambda: HEADERS,
    ) as client:
        crawl = client.streams(GAME, top_n=MANY)
    assert len(crawl) == 100
    assert crawl.reason.startswith("page 2 failed: ")
    assert "took more than 3 s" in crawl.reason
    assert isinstance(crawl.error, TransientError)


def test_a_thumbnail_that_trickles_is_given_up_in_time(
    url: str, clock: FakeClock, fault: Any
) -> None:
    fault(kind="trickle", platform="images", options={"bytes": 1, "delay_ms": 20})
    host = httpx.URL(url).netloc.decode()
    retry = RetryPolicy(max_attempts=1)
    with (
        ThumbnailClient([host], clock=clock, retry=retry, timeout_s=0.5) as client,
        pytest.raises(UnfetchedThumbnailError, match=r"more than 0\.5 s") as raised,
    ):
        client.fetch(f"{url}/ytc/somebody/88.jpg")
    assert raised.value.reason is RejectionReason.UNREACHABLE


def test_a_body_too_large_is_refused_and_its_beginning_kept(
    youtube: YouTubeClient, fault: Any
) -> None:
    # Packed, it is small: what counts is what it unpacks to.
    fault(
        kind="malformed_item",
        options={"path": "snippet.description", "value": "x" * 9_000_000},
    )
    with pytest.raises(MalformedError, match=r"8,388,608 are accepted.*base URL") as raised:
        youtube.videos_chart("US", 20)
    (fetch,) = raised.value.fetches
    assert (fetch.outcome, fetch.status, fetch.attempts) == ("malformed", 200, 2)
    assert raised.value.raw.startswith('{"kind":"youtube#videoListResponse"')
    assert len(raised.value.raw) == 4_000


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("snippet.title", 7),
        ("statistics.viewCount", "many"),
        ("snippet", None),
        ("id", None),
        ("contentDetails.duration", "PT"),
    ],
)
def test_one_malformed_item_costs_only_itself(
    youtube: YouTubeClient, fault: Any, path: str, value: object
) -> None:
    whole = youtube.videos_chart("US", 20)
    fault(
        kind="malformed_item",
        platform="youtube",
        options={"index": 3, "path": path, "value": value},
    )
    crawl = youtube.videos_chart("US", 20)
    assert len(crawl) == len(whole) - 1
    assert len(crawl.rejected) == 1
    assert crawl.columns["rank"] == [rank for rank in whole.columns["rank"] if rank != 4]


def test_strange_but_well_formed_answers_are_data(youtube: YouTubeClient, fault: Any) -> None:
    whole = youtube.videos_chart("US", 20)
    fault(kind="hidden_counts", platform="youtube")
    fault(kind="future_publish", platform="youtube")
    fault(kind="duplicate_items", platform="youtube")
    crawl = youtube.videos_chart("US", 20)
    assert crawl.columns["video_id"] == whole.columns["video_id"]
    assert crawl.duplicate_count == 1
    assert set(crawl.columns["likes"]) == {None}
    assert min(crawl.columns["published_at"]) > NOW
    assert crawl.rejected == ()


def test_deleted_ids_are_missing_and_nothing_else(youtube: YouTubeClient, fault: Any) -> None:
    ids = youtube.videos_chart("US", 20).columns["video_id"]
    fault(kind="missing_items", platform="youtube", options={"every": 5})
    crawl = youtube.videos_by_ids(ids)
    assert len(crawl) + len(crawl.missing_ids) == len(ids)
    assert crawl.missing_ids
    assert crawl.is_complete


def test_a_revoked_token_is_replaced(twitch: TwitchClient, fault: Any) -> None:
    twitch.top_games(5)
    fault(kind="token_revoked", platform="twitch")
    assert len(twitch.top_games(5)) == 5


def test_a_live_search_finds_what_is_live(youtube: YouTubeClient) -> None:
    found = youtube.search_live(region="US", category_id=20)
    crawl = youtube.videos_by_ids(found.columns["video_id"])
    assert set(crawl.columns["live_state"]) <= {"live"}
    assert all(seconds is None for seconds in crawl.columns["duration_s"])


def test_an_unchanged_answer_costs_no_body(youtube: YouTubeClient) -> None:
    first, second = (youtube.videos_chart("DE", 20) for _ in range(2))
    assert second.fetches[0].outcome == "not_modified"
    assert first.columns["video_id"] == second.columns["video_id"]
