"""Pages into columns: every trap of the real answers."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from aurastream.sources.errors import MalformedError
from aurastream.sources.wire.frames import to_frame
from aurastream.sources.wire.twitch import CLIPS, STREAMS, TWITCH_VIDEOS
from aurastream.sources.wire.values import iso_duration_s, parse_instant, twitch_duration_s
from aurastream.sources.wire.youtube import CHANNELS, SEARCH, VIDEOS
from tests.unit.sources.support import clip, helix, stream, video, video_page


def _decode(*items: dict[str, Any]) -> Any:
    return VIDEOS.decode(json.dumps(video_page(list(items))).encode())


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("PT4M13S", 253),
        ("PT1H", 3_600),
        ("P1DT2H3M4S", 93_784),
        ("P1W", 604_800),
        ("P2W1DT1S", 1_296_001),
        ("PT21M7.5S", 1_267),
        ("P0D", None),
        ("PT0S", None),
    ],
)
def test_durations_are_whole_seconds(text: str, seconds: int | None) -> None:
    assert iso_duration_s([text]) == [seconds]


@pytest.mark.parametrize("text", ["", "P", "PT", "4M", "PT4M13", "P1Y", "PT-4M", "P99999999W"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration|longer"):
        iso_duration_s([text])


def test_twitch_durations_are_whole_seconds() -> None:
    assert [twitch_duration_s(text) for text in ("6h46m38s", "3m", "", None)] == [
        24_398,
        180,
        None,
        None,
    ]
    with pytest.raises(ValueError, match="3h25m6s"):
        twitch_duration_s("PT4M")
    with pytest.raises(ValueError, match="longer than any video"):
        twitch_duration_s("9999999999h")


def test_an_instant_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        parse_instant("2026-11-21T12:00:00")


def test_counters_are_strings_and_missing_ones_are_null_never_zero() -> None:
    page = _decode(
        video("a"),
        video("b", statistics={"viewCount": str(2**53 - 1)}),
        video("c", statistics=None),
        video("d", statistics={"viewCount": "0", "likeCount": None}),
    )
    assert page.columns["views"] == [100, 2**53 - 1, None, 0]
    assert page.columns["likes"] == [7, None, None, None]
    assert page.columns["comments"] == [3, None, None, None]
    frame = to_frame("videos", page.columns)
    assert frame["likes"].dtype == "Int64"
    assert frame["views"].iloc[1] == 2**53 - 1


@pytest.mark.parametrize(
    "count",
    ["-1", "1.5", "", " 12", "1_000", "٣", "many", str(2**53), str(2**63), -1, 1.5, True, {}],
)
def test_a_counter_that_is_none_rejects_its_video_alone(count: object) -> None:
    page = _decode(video("a"), video("bad", statistics={"viewCount": count}), video("c"))
    assert page.columns["video_id"] == ["a", "c"]
    assert [item.item_id for item in page.rejected] == ["bad"]
    assert "viewCount" in page.rejected[0].reason
    assert json.loads(page.rejected[0].raw)["id"] == "bad"


_TOO_LARGE = [2**53, 2**63 - 1, 2**63, 2**64]


@pytest.mark.parametrize("count", _TOO_LARGE)
@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("statistics", "viewCount"),
        ("statistics", "likeCount"),
        ("statistics", "commentCount"),
        ("liveStreamingDetails", "concurrentViewers"),
    ],
)
def test_a_counter_of_a_video_that_no_float_holds_exactly_rejects_it_alone(
    part: str, name: str, count: int
) -> None:
    page = _decode(video("a"), video("bad", **{part: {name: str(count)}}), video("c"))
    assert page.columns["video_id"] == ["a", "c"]
    (rejected,) = page.rejected
    assert (rejected.item_id, name in rejected.reason) == ("bad", True)


@pytest.mark.parametrize("count", _TOO_LARGE)
@pytest.mark.parametrize("name", ["viewCount", "subscriberCount", "videoCount"])
def test_a_counter_of_a_channel_that_no_float_holds_exactly_rejects_it_alone(
    name: str, count: int
) -> None:
    items = [{"id": "a"}, {"id": "bad", "statistics": {name: str(count)}}]
    body = {"kind": "youtube#channelListResponse", "items": items}
    page = CHANNELS.decode(json.dumps(body).encode(), is_live=False)
    assert page.columns["channel_id"] == ["a"]
    assert [item.item_id for item in page.rejected] == ["bad"]


def _archived(number: int, **changes: Any) -> dict[str, Any]:
    made = {"id": f"v{number}", "user_id": "1", "created_at": "2026-11-20T08:00:00Z"}
    return {**made, "view_count": 5, **changes}


def _clip(number: int, **changes: Any) -> dict[str, Any]:
    return clip(number, "2026-11-20T08:00:00Z", **changes)


@pytest.mark.parametrize("count", _TOO_LARGE)
@pytest.mark.parametrize(
    ("decoder", "made", "name"),
    [
        (STREAMS, stream, "viewer_count"),
        (CLIPS, _clip, "view_count"),
        (CLIPS, _clip, "vod_offset"),
        (CLIPS, _clip, "duration"),
        (TWITCH_VIDEOS, _archived, "view_count"),
        (TWITCH_VIDEOS, _archived, "muted_segments"),
    ],
)
def test_a_counter_of_twitch_that_no_float_holds_exactly_rejects_its_item_alone(
    decoder: Any, made: Any, name: str, count: int
) -> None:
    value: Any = [{"duration": count, "offset": 0}] if name == "muted_segments" else count
    page = decoder.decode(json.dumps(helix([made(1), made(2, **{name: value}), made(3)])).encode())
    assert len(page) == 2
    (rejected,) = page.rejected
    assert rejected.item_id == made(2)["id"]
    assert name in rejected.reason


def test_a_counter_that_comes_as_a_number_is_that_number() -> None:
    assert _decode(video("a", statistics={"viewCount": 12})).columns["views"] == [12]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"snippet": None}, "snippet"),
        ({"snippet": {"channelId": "UC"}}, "title"),
        ({"snippet": "text"}, "object"),
        ({"contentDetails": {"duration": "soon"}}, "duration"),
        ({"snippet": {**video("x")["snippet"], "publishedAt": "yesterday"}}, "RFC3339"),
        ({"snippet": {**video("x")["snippet"], "categoryId": "game"}}, "categoryId"),
        ({"id": ""}, "length"),
        ({"id": None}, "id"),
    ],
)
def test_a_malformed_video_goes_to_the_rejects_with_the_reason(
    change: dict[str, Any], words: str
) -> None:
    page = _decode(video("a"), video("bad", **change), video("c"))
    assert page.columns["video_id"] == ["a", "c"]
    assert len(page.rejected) == 1
    assert words in page.rejected[0].reason
    assert list(page.positions) == [0, 2]


def test_an_item_that_is_no_object_is_rejected() -> None:
    page = VIDEOS.decode(json.dumps(video_page([video("a"), "junk", None])).encode())
    assert page.columns["video_id"] == ["a"]
    assert [item.item_id for item in page.rejected] == [None, None]


def test_broken_characters_cost_only_their_own_item() -> None:
    body = json.dumps(video_page([video("a"), video("b"), video("c"), video("d")])).encode()
    body = body.replace(b"Title of a", b"half \\ud83d pair").replace(b"Title of b", b"byte \xff")
    with pytest.raises(MalformedError):
        VIDEOS.decode(body)  # two kinds of damage at once: the items cannot be told apart
    page = VIDEOS.decode(body.replace(b"\xff", b"?"))
    assert page.columns["video_id"] == ["b", "c", "d"]
    assert page.rejected[0].item_id == "a"
    page = VIDEOS.decode(body.replace(b"\\ud83d", b"?"))
    assert page.columns["video_id"] == ["a", "c", "d"]
    assert "utf-8" in page.rejected[0].reason


def test_a_number_that_json_does_not_know_costs_only_its_own_item() -> None:
    body = json.dumps(video_page([video("a"), video("b", statistics={"viewCount": float("nan")})]))
    page = VIDEOS.decode(body.encode())
    assert page.columns["video_id"] == ["a"]
    assert [item.item_id for item in page.rejected] == ["b"]


def test_a_text_that_postgres_cannot_store_is_rejected() -> None:
    bad = video("bad")
    bad["snippet"]["tags"] = ["fine", "nul\0"]
    page = _decode(video("a"), bad)
    assert page.columns["video_id"] == ["a"]
    assert "U+0000" in page.rejected[0].reason
    assert "\0" not in page.rejected[0].raw


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"<html>Error</html>",
        b'{"kind": "youtube#searchListResponse", "items": []}',
        b'{"kind": "youtube#videoListResponse", "items": {}}',
        b'{"kind": "youtube#videoListResponse", "items": [',
        b"\x00\xff",
        b'{"kind":"youtube#videoListResponse","items":' + b"[" * 100_000,
    ],
)
def test_what_is_no_list_of_videos_is_malformed_and_kept_whole(body: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        VIDEOS.decode(body)
    assert "\0" not in caught.value.raw
    assert bool(caught.value.raw) == bool(body)


@pytest.mark.parametrize(
    ("info", "total"),
    [
        ({"totalResults": 7, "resultsPerPage": 5}, 7),
        ({"totalResults": "many"}, None),
        ({"totalResults": True}, None),
        ({"totalResults": -1}, None),
        ({"totalResults": 10**30}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_an_odd_estimate_of_the_total_costs_no_item(info: object, total: int | None) -> None:
    page = VIDEOS.decode(json.dumps({**video_page([video("a")]), "pageInfo": info}).encode())
    assert (page.columns["video_id"], page.total) == (["a"], total)


def test_a_list_without_items_is_empty() -> None:
    page = CHANNELS.decode(b'{"kind":"youtube#channelListResponse","pageInfo":{"totalResults":0}}')
    assert len(page) == 0
    assert page.total == 0


def test_titles_keep_every_character() -> None:
    title = "\U0001f525 \U0001d573ot &amp; <new> \u202eevil\u202c \ufeff"
    page = _decode(video("a", snippet={**video("a")["snippet"], "title": title}))
    assert page.columns["title"] == [title]
    assert to_frame("videos", page.columns)["title"].tolist() == [title]


def test_search_titles_are_unescaped_and_only_videos_have_a_live_state() -> None:
    def result(kind: str, field: str) -> dict[str, Any]:
        return {
            "kind": "youtube#searchResult",
            "id": {"kind": f"youtube#{kind}", field: f"{kind}-1"},
            "snippet": {
                "channelId": "UC1",
                "title": "Tom &amp; Jerry&#39;s &quot;best&quot;",
                "channelTitle": "A &lt;b&gt;",
                "liveBroadcastContent": "upcoming",
                "publishTime": "2020-01-01T00:00:00Z",
            },
        }

    body = {
        "kind": "youtube#searchListResponse",
        "items": [
            result("video", "videoId"),
            result("channel", "channelId"),
            result("playlist", "playlistId"),
            {"id": {"kind": "youtube#video"}, "snippet": {"title": "", "channelId": ""}},
        ],
    }
    page = SEARCH.decode(json.dumps(body).encode())
    assert page.columns["title"] == ['Tom & Jerry\'s "best"'] * 3
    assert page.columns["channel_title"] == ["A <b>"] * 3
    assert page.columns["live_state"] == ["upcoming", None, None]
    assert page.columns["result_id"] == ["video-1", "channel-1", "playlist-1"]
    assert page.columns["video_id"] == ["video-1", None, None]
    assert "neither" in page.rejected[0].reason


def test_publication_times_come_with_and_without_a_fraction_and_may_lie_ahead() -> None:
    def at(text: str) -> dict[str, Any]:
        return video("a", snippet={**video("a")["snippet"], "publishedAt": text})

    page = _decode(
        at("2018-01-22T14:05:12.000Z"), at("2018-01-22T14:05:12Z"), at("2031-01-01T00:00:00+01:00")
    )
    assert page.columns["published_at"][0] == page.columns["published_at"][1]
    frame = to_frame("videos", page.columns)
    assert str(frame["published_at"].dtype) == "datetime64[us, UTC]"
    assert frame["published_at"].iloc[2] == datetime(2030, 12, 31, 23, tzinfo=UTC)


# The offset carries the last two over the edge of the calendar.
_WILD = [
    "0001-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "2100-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00",
]


@pytest.mark.parametrize("moment", _WILD)
def test_a_moment_that_no_platform_knows_rejects_its_item_alone(moment: str) -> None:
    def snippet(item: str) -> dict[str, Any]:
        return {"title": item, "channelId": "UC", "publishedAt": moment}

    def of_youtube(kind: str, *items: dict[str, Any]) -> bytes:
        return json.dumps({"kind": f"youtube#{kind}ListResponse", "items": items}).encode()

    found = {"id": {"kind": "youtube#video", "videoId": "v"}, "snippet": snippet("v")}
    fine = {**found, "snippet": {**snippet("v"), "publishedAt": "2026-11-21T00:00:00Z"}}
    channel = {"id": "UC1", "snippet": {"title": "one"}}
    dated = {"id": "UC2", "snippet": {"title": "two", "publishedAt": moment}}
    past = {"id": "v1", "user_id": "u1", "created_at": "2026-11-21T00:00:00Z"}
    pages = {
        "publishedAt": _decode(video("bad", snippet=snippet("bad")), video("a")),
        "scheduledStartTime": _decode(
            video("bad", liveStreamingDetails={"scheduledStartTime": moment}), video("a")
        ),
        "actualStartTime": _decode(
            video("bad", liveStreamingDetails={"actualStartTime": moment}), video("a")
        ),
        "search": SEARCH.decode(of_youtube("search", found, fine)),
        "channel": CHANNELS.decode(of_youtube("channel", channel, dated)),
        "started_at": STREAMS.decode(
            json.dumps(helix([stream(1, started_at=moment), stream(2)])).encode()
        ),
        "created_at": CLIPS.decode(
            json.dumps(helix([clip(1, moment), clip(2, "2026-11-21T00:00:00Z")])).encode()
        ),
        "published_at": TWITCH_VIDEOS.decode(
            json.dumps(helix([past, {**past, "id": "v2", "published_at": moment}])).encode()
        ),
    }
    assert {name: len(page) for name, page in pages.items()} == dict.fromkeys(pages, 1)
    for page in pages.values():
        (rejected,) = page.rejected
        assert "outside 2005 to 2099" in rejected.reason
        assert moment in rejected.raw


def test_a_broadcast_that_has_not_ended_has_no_length() -> None:
    def broadcast(state: str, details: dict[str, Any]) -> dict[str, Any]:
        return video(
            state,
            snippet={**video("a")["snippet"], "liveBroadcastContent": state},
            contentDetails={"duration": "PT11H54M"},
            liveStreamingDetails=details,
        )

    page = _decode(
        broadcast("live", {"concurrentViewers": "1888", "actualStartTime": "2026-11-21T00:06:08Z"}),
        broadcast("upcoming", {"scheduledStartTime": "2026-12-01T08:00:00.000Z"}),
        broadcast("none", {"actualEndTime": "2026-11-20T00:00:00Z"}),
    )
    assert page.columns["duration_s"] == [None, None, 42_840]
    assert page.columns["concurrent_viewers"] == [1888, None, None]
    assert page.columns["scheduled_start_at"][1] == datetime(2026, 12, 1, 8, tzinfo=UTC)


def test_the_largest_thumbnail_is_taken() -> None:
    sizes = {"default": {"url": "d"}, "high": {"url": "h"}, "medium": {"url": "m"}}
    page = _decode(
        video("a", snippet={**video("a")["snippet"], "thumbnails": sizes}),
        video("b", snippet={**video("b")["snippet"], "thumbnails": {}}),
    )
    assert page.columns["thumbnail_url"] == ["h", None]


def test_hidden_subscriber_counts_are_null() -> None:
    channel = {
        "id": "UC1",
        "snippet": {"title": "A"},
        "statistics": {"subscriberCount": "0", "hiddenSubscriberCount": True, "videoCount": "3"},
    }
    body = {"kind": "youtube#channelListResponse", "items": [channel]}
    page = CHANNELS.decode(json.dumps(body).encode())
    assert page.columns["subscribers"] == [None]
    assert page.columns["videos"] == [3]


def test_streams_just_started_have_nulls_and_empty_texts() -> None:
    fresh = stream(2, tag_ids=None, tags=None, viewer_count=0, game_id="", type="", started_at="")
    page = STREAMS.decode(json.dumps(helix([stream(1), fresh])).encode())
    assert page.columns["game_id"] == ["33214", ""]
    assert page.columns["tags"] == [["English"], []]
    assert page.columns["viewer_count"] == [999, 0]
    assert page.columns["started_at"] == [datetime(2026, 11, 21, 8, tzinfo=UTC), None]


def test_keys_that_helix_added_later_may_be_absent() -> None:
    old = {"id": "s1", "user_id": "u1", "viewer_count": 3}
    page = STREAMS.decode(json.dumps({"data": [old]}).encode())
    assert page.columns["language"] == [""]
    assert page.next_cursor is None


@pytest.mark.parametrize(
    "change", [{"viewer_count": -1}, {"viewer_count": "12"}, {"user_id": None}, {"id": ""}]
)
def test_a_malformed_stream_goes_to_the_rejects(change: dict[str, Any]) -> None:
    page = STREAMS.decode(json.dumps(helix([stream(1, **change), stream(2)])).encode())
    assert page.columns["stream_id"] == ["s2"]
    assert len(page.rejected) == 1


def test_a_clip_without_a_time_is_rejected() -> None:
    page = CLIPS.decode(json.dumps(helix([clip(1, ""), clip(2, "2026-11-21T00:00:00Z")])).encode())
    assert page.columns["clip_id"] == ["c2"]
    assert page.rejected[0].reason == "created_at is empty"


def test_muted_segments_are_summed_and_may_be_null() -> None:
    def past(number: int, muted: object) -> dict[str, Any]:
        return {
            "id": f"v{number}",
            "user_id": "u1",
            "created_at": "2026-11-21T00:00:00Z",
            "duration": "1h",
            "muted_segments": muted,
        }

    body = helix([past(1, None), past(2, [{"duration": 30, "offset": 1}, {"duration": 12}])])
    page = TWITCH_VIDEOS.decode(json.dumps(body).encode())
    assert page.columns["muted_s"] == [0, 42]
    assert page.columns["duration_s"] == [3_600, 3_600]


@pytest.mark.parametrize("decoder", [VIDEOS, SEARCH, CHANNELS, STREAMS, CLIPS, TWITCH_VIDEOS])
def test_an_empty_page_makes_an_empty_frame_with_the_right_types(decoder: Any) -> None:
    frame = to_frame(decoder.kind, decoder.empty())
    assert len(frame) == 0
    for name in frame.columns:
        if name.endswith("_at"):
            assert str(frame[name].dtype) == "datetime64[us, UTC]"
