"""Stored answers: what they are, however they were stored."""

import codecs
import json
from typing import Any

import pytest

from aurastream.sources.decode import decode_stored
from aurastream.sources.errors import ConfigError
from tests.unit.sources.support import clip, helix, stream, video, video_page


def _stored(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("platform", ["youtube", "twitch"])
def test_a_file_that_says_null_is_told_from_one_that_is_no_json(platform: Any) -> None:
    said, garbled = decode_stored(platform, b" null\n"), decode_stored(platform, b"nul")
    assert (said.kind, garbled.kind) == ("unreadable", "unreadable")
    assert "says null" in said.message
    assert "not JSON" in garbled.message


def test_rejected_items_are_named_with_their_reason() -> None:
    decoded = decode_stored(
        "youtube", _stored(video_page([video("a"), video("bad", statistics={"viewCount": "x"})]))
    )
    assert (decoded.kind, decoded.items) == ("videos", 1)
    assert [(item.item_id, "viewCount" in item.reason) for item in decoded.rejected] == [
        ("bad", True)
    ]
    assert decoded.error_class is None


def test_a_stored_answer_may_lack_parts_that_nobody_asked_for() -> None:
    item = {"kind": "youtube#video", "id": "a", "statistics": {"viewCount": "1"}}
    assert decode_stored("youtube", _stored(video_page([item]))).items == 1
    assert decode_stored("youtube", _stored(item)).kind == "videos"


@pytest.mark.parametrize("status", [403, "403"])
@pytest.mark.parametrize("body", [{"error": {"code": 403, "message": "x"}}, "<html>403</html>"])
def test_the_status_of_a_wrapper_counts(body: object, status: object) -> None:
    wrapped = {"source": "a bug report", "date": "2024-01-01", "status": status, "body": body}
    assert decode_stored("youtube", _stored(wrapped)).error_class == "PermissionDeniedError"


def test_the_headers_of_a_wrapper_count() -> None:
    wrapped = {"status": 429, "headers": {"Retry-After": "9"}, "body": {"message": "slow down"}}
    assert decode_stored("twitch", _stored(wrapped)).error_class == "RateLimitedError"


def test_a_good_answer_in_a_wrapper_is_unwrapped() -> None:
    wrapped = {"source": "x", "status": 200, "body": helix([stream(1)])}
    assert decode_stored("twitch", _stored(wrapped)).kind == "streams"


def test_a_status_from_outside_counts_where_the_body_is_silent() -> None:
    assert decode_stored("youtube", b"<html>", status=503).kind == "unreadable"
    assert decode_stored("twitch", b"{}", status=503).error_class == "TransientError"


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        (stream(1), "streams"),
        (clip(1, "2026-11-21T00:00:00Z"), "clips"),
        ({"id": "1", "name": "Fortnite", "box_art_url": "u"}, "games"),
        ({"broadcaster_id": "1", "broadcaster_language": "en"}, "twitch_channels"),
        ({"id": "1", "login": "a", "broadcaster_type": ""}, "users"),
        (
            {"id": "1", "user_id": "2", "created_at": "2026-01-01T00:00:00Z", "viewable": "public"},
            "twitch_videos",
        ),
    ],
)
def test_helix_lists_are_known_by_their_items(item: dict[str, Any], kind: str) -> None:
    decoded = decode_stored("twitch", _stored(helix([item])))
    assert (decoded.kind, decoded.items, decoded.rejected) == (kind, 1, ())


def test_one_broken_item_does_not_hide_what_the_list_is() -> None:
    decoded = decode_stored("twitch", _stored(helix([{"id": "x"}, stream(2), stream(3)])))
    assert (decoded.kind, decoded.items, len(decoded.rejected)) == ("streams", 2, 1)


def test_lists_of_other_kinds_are_said_to_be_so() -> None:
    decoded = decode_stored("twitch", _stored(helix([{"emote": 1}])))
    assert (decoded.kind, len(decoded.rejected)) == ("unsupported", 1)
    decoded = decode_stored("youtube", _stored({"kind": "youtube#comment", "items": [{"id": "c"}]}))
    assert (decoded.kind, decoded.rejected[0].item_id) == ("unsupported", "c")


def test_an_empty_helix_list_is_empty() -> None:
    assert decode_stored("twitch", _stored(helix([]))).kind == "empty"


def test_tokens_are_recognised_and_not_repeated() -> None:
    body = {"access_token": "sesame", "expires_in": 1, "token_type": "bearer"}
    decoded = decode_stored("twitch", _stored(body))
    assert decoded.kind == "token"
    assert "sesame" not in repr(decoded)


def test_a_recording_is_its_last_exchange() -> None:
    def exchange(uri: str, status: int, body: object) -> dict[str, Any]:
        return {
            "request": {"method": "GET", "uri": uri},
            "response": {"status": status, "body": body},
        }

    refused = exchange("https://id.twitch.tv/oauth2/validate", 401, {"status": 401, "message": "x"})
    top = exchange(
        "https://api.twitch.tv/helix/games/top?first=2",
        200,
        helix([{"id": "1", "name": "A", "box_art_url": ""}, {"id": "", "name": "B"}]),
    )
    decoded = decode_stored("twitch", _stored([refused, top]))
    assert (decoded.kind, decoded.items, len(decoded.rejected)) == ("top_games", 1, 1)
    assert [entry.kind for entry in decoded.exchanges] == ["error", "top_games"]
    decoded = decode_stored("twitch", _stored([top, refused]))
    assert decoded.error_class == "KeyInvalidError"


@pytest.mark.parametrize("status", [None, "Forbidden", [403], float("inf")])
def test_a_status_that_is_none_and_an_address_that_is_none_are_no_obstacle(status: object) -> None:
    answer = {"status": status, "body": helix([stream(1)])}
    assert decode_stored("twitch", _stored(answer)).items == 1
    recorded = [{"request": {"uri": "http://[nowhere?a#b"}, "response": answer}]
    assert decode_stored("twitch", _stored(recorded)).items == 1


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[1, 2]", b'"text"', b"{", b"null", b"[]"])
@pytest.mark.parametrize("platform", ["youtube", "twitch"])
def test_what_cannot_be_read_is_kept_whole(platform: Any, body: bytes) -> None:
    decoded = decode_stored(platform, body)
    assert (decoded.kind, decoded.error_class) == ("unreadable", "MalformedError")
    assert len(decoded.rejected) == 1
    assert decoded.message


def test_a_byte_order_mark_is_no_obstacle() -> None:
    body = codecs.BOM_UTF8 + _stored(video_page([video("a")]))
    assert decode_stored("youtube", body).items == 1


def test_broken_bytes_in_one_title_cost_one_item() -> None:
    body = _stored(video_page([video("a"), video("b")])).replace(b"Title of a", b"\xff")
    decoded = decode_stored("youtube", body)
    assert (decoded.kind, decoded.items, len(decoded.rejected)) == ("videos", 1, 1)


def test_another_platform_is_refused() -> None:
    with pytest.raises(ConfigError, match="youtube or twitch"):
        decode_stored("vimeo", b"{}")  # type: ignore[arg-type] # the fault
