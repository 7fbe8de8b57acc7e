"""Twitch: every documented misbehaviour ends with a crawl that is finished or says why not."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from aurastream.sources.errors import (
    CircuitOpenError,
    ConfigError,
    RateLimitedError,
    TransientError,
)
from aurastream.sources.paging import Gathering
from aurastream.sources.ports import Crawl
from aurastream.sources.twitch import TwitchClient
from tests.unit.sources.support import (
    START,
    TOKEN_PATH,
    FakeClock,
    Reply,
    Request,
    Upstream,
    clip,
    helix,
    outcomes,
    stream,
)

STREAMS = "/helix/streams"
CLIPS = "/helix/clips"
CHANNELS = "/helix/channels"
GAME = "33214"
DEAD = base64.b64encode(b'{"b":{"Cursor":"x"},"a":{"Cursor":""}}').decode()
EMPTY_500 = Reply({"error": "Internal Server Error", "status": 500, "message": ""}, 500)


def _streams(start: int, stop: int) -> list[dict[str, Any]]:
    return [stream(number) for number in range(start, stop)]


def _at(minutes: float) -> str:
    return (START - timedelta(hours=1) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_streams_are_ranked_by_viewers(twitch: TwitchClient, upstream: Upstream) -> None:
    upstream.script(STREAMS, Reply(helix(list(reversed(_streams(0, 30))))))
    crawl = twitch.streams(GAME)
    assert crawl.columns["rank"] == list(range(1, 31))
    assert crawl.columns["stream_id"][0] == "s0"
    assert crawl.is_complete
    (request,) = upstream.asked(STREAMS)
    assert (request.one("game_id"), request.one("first")) == (GAME, "100")
    assert request.headers["client-id"] == "the-client"


def test_only_the_top_is_fetched_and_kept(twitch: TwitchClient, upstream: Upstream) -> None:
    upstream.script(
        STREAMS, Reply(helix(_streams(0, 100), "A")), Reply(helix(_streams(100, 200), "B"))
    )
    crawl = twitch.streams(GAME, top_n=150)
    assert len(crawl) == 150
    assert crawl.is_complete
    assert len(upstream.asked(STREAMS)) == 2
    assert len(twitch.streams(GAME, top_n=20)) == 20
    assert upstream.asked(STREAMS)[-1].one("first") == "20"


def test_a_stream_without_a_game_stays_uncategorised(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    upstream.script(STREAMS, Reply(helix([stream(1, game_id="", game_name="", viewer_count=0)])))
    frame = twitch.streams("").to_frame()
    assert frame["game_id"].tolist() == [""]


def test_a_last_cursor_that_leads_back_ends_a_complete_crawl(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    upstream.script(
        STREAMS,
        Reply(helix(_streams(0, 100), "A")),
        Reply(helix(_streams(100, 137), "B")),
        Reply(helix(_streams(0, 100), "A")),
    )
    crawl = twitch.streams(GAME, top_n=500)
    assert len(crawl) == 137
    assert crawl.is_complete
    assert len(upstream.asked(STREAMS)) == 3


def test_a_single_stream_with_a_cursor_ends(twitch: TwitchClient, upstream: Upstream) -> None:
    upstream.script(STREAMS, Reply(helix([stream(1)], "IA")))
    crawl = twitch.streams(GAME)
    assert (len(crawl), crawl.is_complete) == (1, True)
    assert len(upstream.asked(STREAMS)) == 2


def test_cursors_are_passed_back_as_they_came(twitch: TwitchClient, upstream: Upstream) -> None:
    cursor = base64.b64encode(b"eyJiIjp7fX0= eyJhIjp7fX0=").decode() + "+/&x"
    upstream.script(
        STREAMS, Reply(helix(_streams(0, 100), cursor)), Reply(helix(_streams(100, 150)))
    )
    twitch.streams(GAME, top_n=200)
    assert upstream.asked(STREAMS)[1].one("after") == cursor


def test_a_cursor_that_dies_leaves_the_pages_before_it(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    body = {"error": "Bad Request", "status": 400, "message": "invalid cursor"}
    upstream.script(STREAMS, Reply(helix(_streams(0, 100), "A")), Reply(body, 400))
    crawl = twitch.streams(GAME, top_n=300)
    assert len(crawl) == 100
    assert not crawl.is_complete
    assert "invalid cursor" in crawl.reason
    assert outcomes(crawl.fetches) == ["ok", "cursor"]


def test_a_short_page_with_a_dead_cursor_is_not_the_whole(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    upstream.script(
        STREAMS,
        Reply(helix(_streams(0, 100), "A" * 80)),
        Reply(helix(_streams(100, 150), DEAD)),
        Reply(helix([])),
    )
    crawl = twitch.streams(GAME, top_n=300)
    assert len(crawl) == 150
    assert not crawl.is_complete
    assert "dead" in crawl.reason


def test_a_cursor_of_half_the_length_counts_as_dead(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    upstream.script(
        STREAMS,
        Reply(helix(_streams(0, 100), "A" * 80)),
        Reply(helix(_streams(100, 150), "B" * 40)),
        Reply(helix([])),
    )
    assert not twitch.streams(GAME, top_n=300).is_complete


def test_an_empty_last_page_is_no_error(twitch: TwitchClient, upstream: Upstream) -> None:
    upstream.script(
        STREAMS,
        Reply(helix(_streams(0, 100), "A" * 80)),
        Reply(helix(_streams(100, 200), "B" * 80)),
        Reply(helix([])),
    )
    crawl = twitch.streams(GAME, top_n=300)
    assert (len(crawl), crawl.is_complete) == (200, True)


@pytest.mark.parametrize("pagination", [{}, {"pagination": {}}, {"pagination": None}])
def test_pages_without_a_cursor_are_last(
    twitch: TwitchClient, upstream: Upstream, pagination: dict[str, Any]
) -> None:
    upstream.script(STREAMS, Reply({"data": _streams(0, 3), **pagination}))
    assert twitch.streams(GAME).is_complete


def test_a_full_page_without_a_cursor_may_not_be_the_last_unless_enough_came(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    pages = Reply(helix(_streams(0, 100), "A" * 80)), Reply(helix(_streams(100, 200)))
    upstream.script(STREAMS, *pages)
    crawl = twitch.streams(GAME, top_n=250)
    assert (len(crawl), crawl.is_complete) == (200, False)
    assert crawl.reason == "a full page came without a cursor: there may be more"

    upstream.script(STREAMS, *pages)
    assert twitch.streams(GAME, top_n=200).is_complete


def test_the_next_stream_is_of_the_top_for_one_that_is_not_understood(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    unclear = stream(0, viewer_count=None)
    pages = [unclear, *_streams(1, 100)], _streams(100, 200)
    upstream.script(STREAMS, *(Reply(helix(page, "A" * 80)) for page in pages))
    crawl = twitch.streams(GAME, top_n=100)
    assert (len(crawl), len(crawl.rejected), crawl.is_complete) == (100, 1, True)
    assert crawl.columns["stream_id"][-1] == "s100"


def test_a_range_with_as_many_clips_as_were_wanted_is_capped_whatever_becomes_of_them(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    def crawl(*odd: dict[str, Any]) -> Crawl:
        made = [*odd, *(clip(number, created_at=_at(-number)) for number in range(len(odd), 200))]
        pages = [made[:100], made[100:], [clip(200, created_at=_at(-200))]]
        cursors = ["A" * 80, "B" * 80, None]
        upstream.script(CLIPS, *(Reply(helix(*page)) for page in zip(pages, cursors, strict=True)))
        return twitch.clips(GAME, START - timedelta(hours=9), START, max_items=200)

    whole = crawl()
    assert (len(whole), whole.is_capped) == (200, True)
    outside = crawl(clip(0, created_at=_at(-9_000)))
    assert (len(outside), outside.is_capped) == (199, True)
    unclear = crawl(clip(0, created_at=_at(-1), view_count="many"))
    assert (len(unclear), len(unclear.rejected), unclear.is_capped) == (200, 1, True)


@pytest.mark.parametrize(
    ("shown", "page", "wanted", "expected"),
    [(920, 100, 5_000, 2_000 - 67), (5_000, 40, 1_000, 1_000)],
    ids=["no more are shown", "in short pages"],
)
def test_a_range_that_hides_clips_is_halved_whatever_of_it_is_understood(
    twitch: TwitchClient, upstream: Upstream, *, shown: int, page: int, wanted: int, expected: int
) -> None:
    made = [
        clip(n, created_at=_at(-n / 5), **({} if n % 30 else {"view_count": "many"}))
        for n in range(2_000)
    ]

    def answer(request: Request) -> Reply:
        start, end = request.one("started_at"), request.one("ended_at")
        inside = [c for c in made if start <= c["created_at"] < end][:shown]
        at = int((request.one("after") or "x0")[1:].lstrip("0") or 0)
        more = f"x{at + page:080}" if at + page < len(inside) else None
        return Reply(helix(inside[at : at + page], more))

    upstream.script(CLIPS, answer)
    crawl = twitch.clips(GAME, START - timedelta(hours=9), START, max_items=wanted)
    assert (len(crawl), crawl.is_complete) == (expected, True)


def test_clips_behind_a_full_page_without_a_cursor_are_found_in_halves(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    made = [clip(number, created_at=_at(-number * 20)) for number in range(130)]

    def answer(request: Request) -> Reply:
        start, end = request.one("started_at"), request.one("ended_at")
        return Reply(helix([c for c in made if start <= c["created_at"] < end][:100]))

    upstream.script(CLIPS, answer)
    end = START - timedelta(hours=1) + timedelta(minutes=1)
    crawl = twitch.clips(GAME, end - timedelta(hours=44), end)
    assert (len(crawl), crawl.is_complete) == (130, True)

    made = [clip(number, created_at=_at(-number / 3)) for number in range(130)]
    crawl = twitch.clips(GAME, end - timedelta(hours=1), end)
    assert (len(crawl), crawl.is_complete) == (100, False)
    assert crawl.reason == "a full page came without a cursor: there may be more"


def test_endless_news_end_at_the_cap(twitch: TwitchClient, upstream: Upstream) -> None:
    numbers = iter(range(10_000))

    def answer(_: Request) -> Reply:
        number = next(numbers)
        return Reply(helix([stream(number)], f"cursor-{number}"))

    upstream.script(STREAMS, answer)
    crawl = twitch.streams(GAME, top_n=100)
    assert len(crawl) == len(upstream.asked(STREAMS)) == 5
    assert "cap" in crawl.reason


def test_one_malformed_stream_costs_only_itself(twitch: TwitchClient, upstream: Upstream) -> None:
    upstream.script(STREAMS, Reply(helix([stream(1), stream(2, viewer_count=None), stream(3)])))
    crawl = twitch.streams(GAME)
    assert crawl.columns["stream_id"] == ["s1", "s3"]
    assert [item.item_id for item in crawl.rejected] == ["s2"]


def test_a_429_waits_until_the_bucket_is_full_again(
    twitch: TwitchClient, upstream: Upstream, clock: FakeClock
) -> None:
    reset = str(int(START.timestamp()) + 23)
    headers = {"Ratelimit-Limit": "800", "Ratelimit-Remaining": "0", "Ratelimit-Reset": reset}
    upstream.script(
        STREAMS, Reply({"status": 429, "message": "x"}, 429, headers), Reply(helix([stream(1)]))
    )
    assert len(twitch.streams(GAME)) == 1
    assert 23 <= clock.slept[0] <= 23.5


def test_a_429_that_is_no_rate_limit_is_bounded(twitch: TwitchClient, upstream: Upstream) -> None:
    headers = {"Ratelimit-Remaining": "795", "Ratelimit-Reset": str(int(START.timestamp()) + 1)}
    upstream.script(STREAMS, Reply({"status": 429, "message": "cap"}, 429, headers))
    with pytest.raises(RateLimitedError):
        twitch.streams(GAME)
    assert len(upstream.asked(STREAMS)) == 3


def test_clips_are_filtered_sorted_and_kept_once(twitch: TwitchClient, upstream: Upstream) -> None:
    upstream.script(
        CLIPS,
        Reply(helix([clip(3, _at(5)), clip(9, _at(-2)), clip(5, _at(59))], "A" * 40)),
        Reply(helix([clip(5, _at(59)), clip(7, _at(60)), clip(4, _at(0))])),
    )
    crawl = twitch.clips(GAME, START - timedelta(hours=1), START)
    assert crawl.columns["clip_id"] == ["c5", "c4", "c3"]
    assert crawl.duplicate_count == 1
    assert crawl.is_complete
    request = upstream.asked(CLIPS)[0]
    assert request.one("started_at") == "2026-11-21T11:00:00Z"
    assert request.one("ended_at") == "2026-11-21T12:00:00Z"
    frame = crawl.to_frame()
    assert frame["duration_s"].dtype == "float64"
    assert str(frame["created_at"].dtype) == "datetime64[us, UTC]"


def test_clips_of_many_days_are_asked_for_day_by_day(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    upstream.script(CLIPS, Reply(helix([])))
    twitch.clips(GAME, START - timedelta(days=2, hours=6), START)
    bounds = [(r.one("started_at"), r.one("ended_at")) for r in upstream.asked(CLIPS)]
    assert bounds == [
        ("2026-11-19T06:00:00Z", "2026-11-20T06:00:00Z"),
        ("2026-11-20T06:00:00Z", "2026-11-21T06:00:00Z"),
        ("2026-11-21T06:00:00Z", "2026-11-21T12:00:00Z"),
    ]


class _Repeating:
    """After ``cap`` clips of a window the same ones come again in another order, or none."""

    def __init__(self, per_minute: int, cap: int, *, ends: bool = False) -> None:
        self._ends = ends
        self._per_minute = per_minute
        self._cap = cap

    def __call__(self, request: Request) -> Reply:
        start, end = (
            datetime.fromisoformat(str(request.one(name))) for name in ("started_at", "ended_at")
        )
        inside = [
            clip(
                int(start.timestamp() // 60) * self._per_minute + number,
                (start + timedelta(minutes=number // self._per_minute)).isoformat(),
            )
            for number in range(int((end - start).total_seconds() // 60) * self._per_minute)
        ]
        offset = int(request.one("after") or 0)
        if len(inside) <= self._cap:
            page = inside[offset : offset + 100]
            more = offset + 100 < len(inside)
        else:
            window = inside[: self._cap]
            page = [window[(offset + 7 * n) % len(window)] for n in range(100)]
            if offset < self._cap:
                page = window[offset : offset + 100]
            more = not self._ends or offset + 100 < self._cap
        return Reply(helix(page, str(offset + 100) if more else None))


def test_a_range_that_repeats_itself_is_halved_until_it_is_whole(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    upstream.script(CLIPS, _Repeating(per_minute=4, cap=1_000))
    crawl = twitch.clips(GAME, START - timedelta(hours=8), START, max_items=5_000)
    assert len(crawl) == 8 * 60 * 4
    assert crawl.is_complete


def test_a_short_list_that_repeats_itself_is_not_asked_for_again(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    shuffled = iter([[3, 1, 2], [2, 1, 3], [1, 3, 2]])
    upstream.script(
        CLIPS, lambda _: Reply(helix([clip(n, _at(n)) for n in next(shuffled)], str(id(shuffled))))
    )
    crawl = twitch.clips(GAME, START - timedelta(hours=8), START)
    assert (len(crawl), crawl.is_complete) == (3, False)
    assert len(upstream.asked(CLIPS)) == 2


def test_a_range_that_ends_at_a_thousand_is_halved(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    upstream.script(CLIPS, _Repeating(per_minute=4, cap=1_000, ends=True))
    crawl = twitch.clips(GAME, START - timedelta(hours=8), START, max_items=5_000)
    assert (len(crawl), crawl.is_complete) == (8 * 60 * 4, True)
    upstream.script(CLIPS, _Repeating(per_minute=40, cap=1_000, ends=True))
    crawl = twitch.clips(GAME, START - timedelta(hours=1), START, max_items=5_000)
    assert (len(crawl), crawl.is_complete) == (1_000, False)
    assert "no more than 1000" in crawl.reason


def test_a_range_that_cannot_be_halved_any_further_is_incomplete(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    upstream.script(CLIPS, _Repeating(per_minute=20, cap=1_000))
    crawl = twitch.clips(GAME, START - timedelta(hours=1), START, max_items=5_000)
    assert len(crawl) == 1_000
    assert not crawl.is_complete
    assert "seen before" in crawl.reason


@pytest.mark.parametrize(
    "failed",
    [
        Reply({"error": "Bad Request", "status": 400, "message": "invalid cursor"}, 400),
        Reply({}, 503),
    ],
)
def test_a_page_that_fails_after_nearly_a_thousand_clips_is_no_end_of_their_list(
    twitch: TwitchClient, upstream: Upstream, failed: Reply
) -> None:
    pages = [
        Reply(helix([clip(n, _at(-30)) for n in range(start, start + 100)], f"after-{start}"))
        for start in range(0, 900, 100)
    ]
    upstream.script(CLIPS, *pages, failed)
    crawl = twitch.clips(GAME, START - timedelta(days=1), START)
    assert (len(crawl), crawl.is_complete) == (900, False)
    assert crawl.reason.startswith("page 10 failed: Twitch says")
    assert crawl.error is not None


def test_what_ended_with_an_error_is_never_called_complete() -> None:
    gathering = Gathering("clips", "clip_id", {"clip_id": []})
    gathering.stop("page 2 failed", TransientError("It failed."))
    gathering.reasons.clear()
    crawl = gathering.crawl()
    assert (crawl.is_complete, crawl.reason) == (False, "It failed.")


def test_a_later_day_that_fails_leaves_the_days_before_it(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    upstream.script(
        CLIPS,
        Reply(helix([clip(1, (START - timedelta(days=2)).isoformat())])),
        Reply({"error": "x", "status": 400, "message": "no"}, 400),
    )
    crawl = twitch.clips(GAME, START - timedelta(days=3), START)
    assert len(crawl) == 1
    assert not crawl.is_complete
    assert len(upstream.asked(CLIPS)) == 2


def test_an_empty_range_is_refused(twitch: TwitchClient) -> None:
    with pytest.raises(ConfigError):
        twitch.clips(GAME, START, START)


def _channels(broken: set[str]) -> Any:
    def answer(request: Request) -> Reply:
        ids = request.query["broadcaster_id"]
        if broken & set(ids):
            return EMPTY_500
        return Reply({"data": [{"broadcaster_id": i, "broadcaster_name": i} for i in ids]})

    return answer


def test_a_batch_that_fails_without_a_word_is_split_down_to_the_culprit(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    upstream.script(CHANNELS, _channels({"37"}))
    crawl = twitch.channels([str(number) for number in range(100)])
    assert len(crawl) == 99
    assert crawl.unfetched_ids == ("37",)
    assert crawl.missing_ids == ()
    assert not crawl.is_complete


def test_a_batch_that_fails_once_is_asked_again(twitch: TwitchClient, upstream: Upstream) -> None:
    upstream.script(CHANNELS, EMPTY_500, Reply({"data": [{"broadcaster_id": "1"}]}))
    crawl = twitch.channels(["1"])
    assert (len(crawl), crawl.is_complete) == (1, True)


def test_channels_that_always_fail_end_in_an_error(
    twitch: TwitchClient, upstream: Upstream
) -> None:
    upstream.script(CHANNELS, EMPTY_500)
    with pytest.raises(TransientError):
        twitch.channels(["1", "2", "3"])
    assert len(upstream.asked(CHANNELS)) < 20


def test_a_host_that_fails_without_a_word_fails_as_any_other_and_is_left_alone(
    upstream: Upstream, http: httpx.Client, clock: FakeClock
) -> None:
    upstream.script(TOKEN_PATH, Reply({"access_token": "one", "expires_in": 5_000_000}))
    upstream.script(STREAMS, EMPTY_500)
    client = TwitchClient(upstream.url, upstream.url, "id", "secret", http=http, clock=clock)
    for _ in range(5):
        with pytest.raises(TransientError) as raised:
            client.streams(GAME)
        assert raised.value.fetches[0].attempts == 5
    with pytest.raises(CircuitOpenError):
        client.streams(GAME)


def test_games_are_found_by_id_and_name(twitch: TwitchClient, upstream: Upstream) -> None:
    def answer(request: Request) -> Reply:
        if "id" in request.query:
            return Reply({"data": [{"id": "33214", "name": "Fortnite"}]})
        return Reply({"data": [{"id": "27471", "name": "Minecraft"}]})

    upstream.script("/helix/games", answer)
    crawl = twitch.games(ids=["33214", "0"], names=["minecraft", "Nonesuch"])
    assert crawl.columns["game_id"] == ["33214", "27471"]
    assert crawl.missing_ids == ("0", "Nonesuch")
    assert crawl.expected == 4
    assert upstream.asked("/helix/games")[1].query == {"name": ["minecraft", "Nonesuch"]}


def test_top_games_are_ranked(twitch: TwitchClient, upstream: Upstream) -> None:
    games = [{"id": str(number), "name": f"Game {number}"} for number in range(130)]
    upstream.script(
        "/helix/games/top", Reply(helix(games[:100], "A")), Reply(helix(games[100:], "B"))
    )
    crawl = twitch.top_games(120)
    assert crawl.columns["rank"] == list(range(1, 121))
    assert list(crawl.to_frame().columns) == [
        "observed_at",
        "fetch_id",
        "rank",
        "game_id",
        "game_name",
    ]


def test_users_and_videos(twitch: TwitchClient, upstream: Upstream) -> None:
    user = {"id": "1", "login": "day9tv", "display_name": "Day9tv", "type": ""}
    upstream.script("/helix/users", Reply({"data": [user]}))
    assert twitch.users(logins=["Day9TV"]).missing_ids == ()
    assert upstream.asked("/helix/users")[0].query == {"login": ["day9tv"]}
    past = {"id": "v1", "user_id": "1", "created_at": "2026-11-20T00:00:00Z", "duration": "1h2m3s"}
    upstream.script("/helix/videos", Reply(helix([past])))
    assert twitch.videos(user_id="1").columns["duration_s"] == [3_723]
    assert twitch.videos(ids=["v1", "v2"]).missing_ids == ("v2",)
    with pytest.raises(ConfigError, match="exactly one"):
        twitch.videos(user_id="1", game_id="2")


def test_times_are_utc(twitch: TwitchClient, upstream: Upstream) -> None:
    upstream.script(STREAMS, Reply(helix([stream(1, started_at="2026-11-21T09:00:00+01:00")])))
    assert twitch.streams(GAME).columns["started_at"] == [datetime(2026, 11, 21, 8, tzinfo=UTC)]
