"""YouTube: charts, batches of ids, search."""

from datetime import UTC, datetime
from typing import Any

import pytest

from aurastream.sources.errors import ConfigError, GoneError, SourceError, TransientError
from aurastream.sources.youtube import YouTubeClient
from tests.unit.sources.support import (
    FakeClock,
    Gate,
    Reply,
    Request,
    Upstream,
    outcomes,
    video,
    video_page,
)

VIDEOS = "/youtube/v3/videos"
SEARCH = "/youtube/v3/search"


def _ids(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_a_chart_comes_in_the_platforms_order(youtube: YouTubeClient, upstream: Upstream) -> None:
    upstream.script(
        VIDEOS,
        Reply(video_page([video(i) for i in _ids("a", 50)], "P2", total=80)),
        Reply(video_page([video(i) for i in _ids("b", 30)], total=80)),
    )
    crawl = youtube.videos_chart("US", max_pages=4)
    assert crawl.columns["rank"] == list(range(1, 81))
    assert crawl.is_complete
    assert crawl.expected == 80
    assert [request.one("pageToken") for request in upstream.requests] == [None, "P2"]
    frame = crawl.to_frame()
    assert len({frame["fetch_id"].iloc[0], frame["fetch_id"].iloc[-1]}) == 2
    assert frame["rank"].dtype == "int64"


def test_only_the_pages_asked_for_are_fetched(youtube: YouTubeClient, upstream: Upstream) -> None:
    upstream.script(VIDEOS, Reply(video_page([video(i) for i in _ids("a", 50)], "P2", total=200)))
    crawl = youtube.videos_chart("US")
    assert (len(crawl), crawl.expected, crawl.is_complete) == (50, 50, True)
    assert len(upstream.requests) == 1


def test_a_rejected_video_keeps_its_place_in_the_chart(
    youtube: YouTubeClient, upstream: Upstream
) -> None:
    upstream.script(
        VIDEOS,
        Reply(video_page([video("a"), video("bad", snippet=None), video("c")], "P2")),
        Reply(video_page([video("d")])),
    )
    crawl = youtube.videos_chart("US", max_pages=2)
    assert dict(zip(crawl.columns["video_id"], crawl.columns["rank"], strict=True)) == {
        "a": 1,
        "c": 3,
        "d": 4,
    }
    assert [item.item_id for item in crawl.rejected] == ["bad"]
    assert crawl.rejected[0].fetch_id == crawl.fetches[0].fetch_id


def test_duplicates_across_pages_are_kept_once(youtube: YouTubeClient, upstream: Upstream) -> None:
    upstream.script(
        VIDEOS,
        Reply(video_page([video("a"), video("b")], "P2")),
        Reply(video_page([video("b"), video("c")])),
    )
    crawl = youtube.videos_chart("US", max_pages=4)
    assert crawl.columns["video_id"] == ["a", "b", "c"]
    assert crawl.columns["rank"] == [1, 2, 4]
    assert crawl.duplicate_count == 1
    assert crawl.is_complete


def test_an_empty_chart_is_a_complete_crawl(youtube: YouTubeClient, upstream: Upstream) -> None:
    upstream.script(VIDEOS, Reply(video_page([])))
    crawl = youtube.videos_chart("US", 1)
    assert (len(crawl), crawl.is_complete, crawl.expected) == (0, True, 0)
    assert crawl.to_frame()["views"].dtype == "Int64"


def test_a_chart_that_does_not_exist_is_gone(youtube: YouTubeClient, upstream: Upstream) -> None:
    body = {"error": {"code": 404, "errors": [{"reason": "notFound"}], "message": "not available"}}
    upstream.script(VIDEOS, Reply(body, 404))
    with pytest.raises(GoneError):
        youtube.videos_chart("US", 19)


def test_a_later_page_that_fails_leaves_the_pages_before_it(
    youtube: YouTubeClient, upstream: Upstream
) -> None:
    body = {"error": {"code": 400, "errors": [{"reason": "invalidPageToken"}], "message": "bad"}}
    upstream.script(
        VIDEOS, Reply(video_page([video(i) for i in _ids("a", 50)], "P2")), Reply(body, 400)
    )
    crawl = youtube.videos_chart("US", max_pages=4)
    assert len(crawl) == 50
    assert not crawl.is_complete
    assert "page 2" in crawl.reason
    assert outcomes(crawl.fetches) == ["ok", "cursor"]
    assert crawl.error is not None


def test_a_malformed_later_page_goes_to_the_rejects_whole(
    youtube: YouTubeClient, upstream: Upstream
) -> None:
    upstream.script(VIDEOS, Reply(video_page([video("a")], "P2")), Reply(b'{"kind": "youtube'))
    crawl = youtube.videos_chart("US", max_pages=2)
    assert not crawl.is_complete
    assert [item.raw for item in crawl.rejected] == ['{"kind": "youtube']
    assert crawl.rejected[0].fetch_id == crawl.fetches[1].fetch_id


def test_a_page_token_that_comes_again_ends_the_crawl(
    youtube: YouTubeClient, upstream: Upstream
) -> None:
    pages = iter(range(100))
    upstream.script(VIDEOS, lambda _: Reply(video_page([video(f"v{next(pages)}")], "P2")))
    crawl = youtube.videos_chart("US", max_pages=50)
    assert len(crawl) == 2
    assert not crawl.is_complete


def test_ids_are_asked_for_in_batches_and_missing_ones_are_named(
    youtube: YouTubeClient, upstream: Upstream, gate: Gate
) -> None:
    ids = _ids("v", 120)

    def answer(request: Request) -> Reply:
        asked = str(request.one("id")).split(",")
        return Reply(video_page([video(i) for i in asked if i not in ("v7", "v119")]))

    upstream.script(VIDEOS, answer)
    crawl = youtube.videos_by_ids([*ids, "v1", ""])
    assert len(crawl) == 118
    assert crawl.missing_ids == ("v7", "v119")
    assert crawl.unfetched_ids == ()
    assert crawl.expected == 120
    assert crawl.is_complete
    assert gate.spent == ["videos.list"] * 3
    assert all(len(str(r.one("id")).split(",")) <= 50 for r in upstream.requests)


def test_ids_differ_by_case(youtube: YouTubeClient, upstream: Upstream) -> None:
    upstream.script(VIDEOS, Reply(video_page([video("abc")])))
    assert youtube.videos_by_ids(["abc", "aBc"]).missing_ids == ("aBc",)


def test_a_rejected_video_is_not_missing(youtube: YouTubeClient, upstream: Upstream) -> None:
    upstream.script(VIDEOS, Reply(video_page([video("a"), video("bad", snippet=None)])))
    crawl = youtube.videos_by_ids(["a", "bad", "gone"])
    assert crawl.missing_ids == ("gone",)
    upstream.script(VIDEOS, Reply(video_page([video("a"), "junk"])))
    crawl = youtube.videos_by_ids(["a", "b"])
    assert (crawl.missing_ids, crawl.unfetched_ids) == ((), ("b",))


def test_a_failing_batch_does_not_cost_the_others(
    youtube: YouTubeClient, upstream: Upstream, clock: FakeClock
) -> None:
    def answer(request: Request) -> Reply:
        asked = str(request.one("id")).split(",")
        if "v60" in asked:
            return Reply({"error": {"code": 404, "message": "x"}}, 500)
        return Reply(video_page([video(i) for i in asked]))

    upstream.script(VIDEOS, answer)
    crawl = youtube.videos_by_ids(_ids("v", 100))
    assert len(crawl) == 50
    assert crawl.unfetched_ids == tuple(_ids("v", 100)[50:])
    assert crawl.missing_ids == ()
    assert not crawl.is_complete
    assert "50 ids" in crawl.reason


def test_a_spent_quota_leaves_the_rest_unasked(
    youtube: YouTubeClient, upstream: Upstream, gate: Gate
) -> None:
    gate.left = 1
    upstream.script(VIDEOS, lambda r: Reply(video_page([video(i) for i in r.one("id").split(",")])))
    crawl = youtube.videos_by_ids(_ids("v", 150))
    assert len(crawl) == 50
    assert crawl.unfetched_ids == tuple(_ids("v", 150)[50:])
    assert len(upstream.requests) == 1
    assert outcomes(crawl.fetches) == ["ok", "quota"]


def test_when_nothing_is_answered_the_error_carries_every_call(
    youtube: YouTubeClient, upstream: Upstream
) -> None:
    upstream.script(VIDEOS, Reply({}, 403))
    with pytest.raises(SourceError, match="it is not repeated") as caught:
        youtube.videos_by_ids(_ids("v", 100))
    assert len(caught.value.fetches) == 1
    gone = {"error": {"code": 404, "errors": [{"reason": "videoNotFound"}], "message": "not found"}}
    upstream.script(VIDEOS, Reply(gone, 404))
    assert youtube.videos_by_ids(["a", "b"]).missing_ids == ("a", "b")


def test_a_404_in_nobodys_words_deletes_nothing(youtube: YouTubeClient, upstream: Upstream) -> None:
    upstream.script(VIDEOS, Reply(b"<html>404 Not Found</html>", 404))
    with pytest.raises(ConfigError, match="AURASTREAM_YOUTUBE_BASE_URL"):
        youtube.videos_by_ids(["a", "b"])


def test_no_ids_no_call(youtube: YouTubeClient, upstream: Upstream) -> None:
    crawl = youtube.videos_by_ids([])
    assert (len(crawl), crawl.fetches, crawl.observed_at) == (0, (), None)
    assert crawl.is_complete
    assert len(crawl.to_frame()) == 0


def test_an_id_with_a_comma_is_refused(youtube: YouTubeClient) -> None:
    with pytest.raises(ConfigError):
        youtube.videos_by_ids(["a,b"])


def _result(video_id: str) -> dict[str, Any]:
    return {
        "id": {"kind": "youtube#video", "videoId": video_id},
        "snippet": {"channelId": "UC", "title": "Live &amp; loud", "liveBroadcastContent": "live"},
    }


def test_live_broadcasts_are_searched_by_viewers(
    youtube: YouTubeClient, upstream: Upstream, gate: Gate
) -> None:
    upstream.script(
        SEARCH,
        Reply(
            {
                "kind": "youtube#searchListResponse",
                "items": [_result("a")],
                "pageInfo": {"totalResults": 1_000_000},
            }
        ),
    )
    crawl = youtube.search_live("minecraft", region="US", category_id=20)
    (request,) = upstream.requests
    assert {name: values[0] for name, values in request.query.items()} == {
        "part": "snippet",
        "type": "video",
        "order": "viewCount",
        "q": "minecraft",
        "regionCode": "US",
        "videoCategoryId": "20",
        "eventType": "live",
        "maxResults": "50",
    }
    assert crawl.columns["title"] == ["Live & loud"]
    assert crawl.expected is None
    assert crawl.fetches[0].bucket == "youtube.search"
    assert gate.spent == ["search.list"]


def test_search_bounds_are_written_in_utc(youtube: YouTubeClient, upstream: Upstream) -> None:
    upstream.script(SEARCH, Reply({"kind": "youtube#searchListResponse", "items": []}))
    youtube.search("x", published_after=datetime(2026, 11, 21, 1, 30, tzinfo=UTC))
    assert upstream.requests[0].one("publishedAfter") == "2026-11-21T01:30:00Z"
    with pytest.raises(ConfigError, match="time zone"):
        youtube.search("x", published_before=datetime(2026, 11, 21))  # noqa: DTZ001 # the fault


def test_channels_and_categories(youtube: YouTubeClient, upstream: Upstream) -> None:
    upstream.script(
        "/youtube/v3/channels",
        Reply({"kind": "youtube#channelListResponse", "pageInfo": {"totalResults": 0}}),
    )
    crawl = youtube.channels_by_ids(["UC1"])
    assert (crawl.missing_ids, crawl.is_complete) == (("UC1",), True)
    category = {"id": "20", "snippet": {"title": "Gaming", "assignable": True}}
    upstream.script(
        "/youtube/v3/videoCategories",
        Reply({"kind": "youtube#videoCategoryListResponse", "items": [category]}),
    )
    frame = youtube.video_categories("US").to_frame()
    assert frame[["category_id", "title"]].to_numpy().tolist() == [[20, "Gaming"]]


def test_an_upstream_that_is_down_fails_clearly(youtube: YouTubeClient, upstream: Upstream) -> None:
    upstream.script(VIDEOS, Reply(None))
    with pytest.raises(TransientError, match="check the network") as caught:
        youtube.videos_chart("US")
    assert caught.value.fetches[0].status is None
