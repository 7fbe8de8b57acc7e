"""Each documented misbehaviour of Helix, switched on by its id."""

import base64
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from aurastream.replay.quirks import QUIRKS
from tests.replay import specs
from tests.replay.conftest import NOW, Get

SetFault = Callable[..., dict[str, Any]]


def _data(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


def _cursor(answer: httpx.Response) -> str:
    return str(answer.json()["pagination"].get("cursor", ""))


def test_every_quirk_on_record_has_a_switch() -> None:
    recorded = specs.recorded("twitch_payloads", "quirks.json")["quirks"]
    assert {quirk["id"] for quirk in recorded} == QUIRKS.keys()


def _last_page(helix: Get, **query: Any) -> tuple[httpx.Response, httpx.Response]:
    """Return the first page and the last one that has data."""
    first = page = helix("streams", first=100, **query)
    for _ in range(20):
        if len(_data(page)) < 100:
            return first, page
        page = helix("streams", first=100, after=_cursor(page), **query)
    raise AssertionError("no end of pages")


def test_the_last_cursor_loops_to_the_first_page(helix: Get, fault: SetFault) -> None:
    fault(quirk="last_page_cursor_loops")
    first, last = _last_page(helix, game_id="33214")
    assert _cursor(last)
    again = helix("streams", game_id="33214", first=100, after=_cursor(last))
    assert again.content == first.content
    user = _data(first)[0]["user_id"]
    assert helix("streams", user_id=user).json()["pagination"] == {"cursor": "IA"}


def test_a_double_encoded_cursor_works_when_passed_back_verbatim(
    helix: Get, fault: SetFault
) -> None:
    plain = helix("streams", game_id="33214", first=50)
    fault(quirk="double_encoded_cursor")
    double = helix("streams", game_id="33214", first=50)
    assert b" " in base64.b64decode(_cursor(double))
    pages = [
        helix("streams", game_id="33214", first=50, after=_cursor(each)) for each in (plain, double)
    ]
    assert _data(pages[0]) == _data(pages[1])


def test_a_cursor_is_invalid_in_mid_crawl(helix: Get, fault: SetFault) -> None:
    fault(quirk="invalid_cursor_400_mid_crawl", endpoint="streams")
    first = helix("streams", game_id="33214", first=100)
    second = helix("streams", game_id="33214", first=100, after=_cursor(first))
    assert second.status_code == 400
    assert second.json() == {"error": "Bad Request", "status": 400, "message": "invalid cursor"}


def test_short_pages_end_in_a_dead_cursor(helix: Get, fault: SetFault) -> None:
    fault(quirk="short_pages_dead_cursor")
    page = helix("streams", game_id=["33214", "21779"], first=100)
    assert len(_data(page)) == 50
    assert json.loads(base64.b64decode(_cursor(page)))["a"]["Cursor"] == ""
    after = helix("streams", game_id=["33214", "21779"], first=100, after=_cursor(page))
    assert after.json() == {"data": [], "pagination": {}}


def test_the_last_page_is_empty(helix: Get, fault: SetFault) -> None:
    fault(quirk="cursor_then_empty_last_page")
    _, last = _last_page(helix, game_id="33214")
    after = helix("streams", game_id="33214", first=100, after=_cursor(last))
    assert after.json() == {"data": [], "pagination": {}}
    top = helix("games/top", first=100)
    assert helix("games/top", after=_cursor(top)).json() == {"data": [], "pagination": {}}


def test_pages_carry_no_cursor(helix: Get, fault: SetFault) -> None:
    fault(quirk="pagination_without_cursor_key")
    for path, query in (("streams", {}), ("clips", {"game_id": "33214"}), ("games/top", {})):
        assert helix(path, **query).json()["pagination"] == {}


def test_clips_come_again_in_another_order_for_ever(helix: Get, fault: SetFault) -> None:
    fault(quirk="clips_same_items_after_1000")
    cursor, pages = "", []
    for _ in range(14):
        more = {"after": cursor} if cursor else {}
        page = helix("clips", game_id="33214", first=100, **more)
        pages.append([clip["id"] for clip in _data(page)])
        cursor = _cursor(page)
        assert cursor
    known = {each for page in pages[:10] for each in page}
    assert len(known) == 1000
    assert {each for page in pages[10:] for each in page} <= known
    assert pages[10] != pages[0]
    assert pages[11] != pages[10]


def test_a_place_further_than_any_page_is_no_cursor(helix: Get, fault: SetFault) -> None:
    fault(quirk="clips_same_items_after_1000")
    far = base64.b64encode(b'{"b":null,"a":{"Offset":18446744073709551615}}').decode()
    answer = helix("clips", game_id="33214", after=far)
    assert (answer.status_code, answer.json()["message"]) == (400, "invalid cursor")


def _window(hours: float) -> dict[str, str]:
    start = NOW - dt.timedelta(hours=hours)
    return {"started_at": start.isoformat(), "ended_at": NOW.isoformat()}


def test_one_clip_is_older_than_started_at(helix: Get, fault: SetFault) -> None:
    fault(quirk="clips_before_started_at")
    clips = _data(helix("clips", game_id="33214", first=100, **_window(3)))
    start = NOW - dt.timedelta(hours=3)
    early = [clip for clip in clips if dt.datetime.fromisoformat(clip["created_at"]) < start]
    assert len(early) == 1


def test_a_wide_window_leaves_clips_out(helix: Get, fault: SetFault) -> None:
    def ids(hours: float, first: int = 100) -> set[str]:
        page = helix("clips", game_id="33214", first=first, **_window(hours))
        return {clip["id"] for clip in _data(page)}

    narrow, wide = ids(2), ids(48)
    fault(quirk="clips_missing_in_wide_range")
    assert ids(2) == narrow
    assert len(wide - ids(48)) > 5


def test_clips_with_started_at_are_not_sorted_by_views(helix: Get, fault: SetFault) -> None:
    fault(quirk="clips_not_sorted_with_started_at")
    clips = _data(helix("clips", game_id="33214", first=100, **_window(3)))
    views = [clip["view_count"] for clip in clips]
    assert views != sorted(views, reverse=True)
    created = [clip["created_at"] for clip in clips]
    assert created == sorted(created)


def test_a_batch_of_channels_fails_and_its_halves_do_not(helix: Get, fault: SetFault) -> None:
    ids = [stream["user_id"] for stream in _data(helix("streams", first=10))]
    fault(quirk="channels_500_empty_message")
    failed = helix("channels", broadcaster_id=ids)
    assert failed.status_code == 500
    assert failed.json() == {"error": "Internal Server Error", "status": 500, "message": ""}
    assert len(_data(helix("channels", broadcaster_id=ids[:5]))) == 5


def test_the_bucket_is_smaller_than_its_headers_say(
    client: httpx.Client, helix: Get, fault: SetFault
) -> None:
    client.put("/_replay/limits", json={"points_per_minute": 8})
    fault(quirk="429_at_600_per_minute")
    at = NOW + dt.timedelta(hours=2)
    answers = [helix("games/top", at, first=1) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 6 + [429]
    assert answers[-1].headers["ratelimit-limit"] == "8"
    assert answers[-1].headers["ratelimit-remaining"] == "2"


def test_a_429_can_mean_something_else(helix: Get, fault: SetFault) -> None:
    fault(quirk="429_not_rate_limit", times=1)
    answer = helix("streams")
    assert answer.status_code == 429
    assert int(answer.headers["ratelimit-remaining"]) > 0
    assert helix("streams").status_code == 200


def test_streams_have_null_and_empty_fields(helix: Get, fault: SetFault) -> None:
    fault(quirk="stream_null_or_empty_fields")
    one, two, three = _data(helix("streams", game_id="33214", first=3))
    assert (one["tag_ids"], one["viewer_count"]) == (None, 0)
    assert (two["game_id"], two["game_name"]) == ("", "")
    assert three["type"] == ""


def test_a_wrong_token_is_accepted_at_a_low_limit(helix: Get, fault: SetFault) -> None:
    fault(quirk="token_valid_but_rate_30")
    answer = helix("streams", headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 200
    assert answer.headers["ratelimit-limit"] == "30"
    assert helix("streams").headers["ratelimit-limit"] == "800"


def test_refusals_have_two_shapes(client: httpx.Client, helix: Get, fault: SetFault) -> None:
    bodies = specs.recorded("twitch_payloads", "quirks.json")["quirks"][-1]["bodies"]
    fault(quirk="401_bodies")
    assert client.get("/oauth2/validate").json() == bodies[0]
    assert helix("streams").json() == bodies[1]


@pytest.mark.parametrize("quirk", sorted(QUIRKS))
def test_a_quirk_leaves_the_next_request_alone(helix: Get, fault: SetFault, quirk: str) -> None:
    before = helix("streams", game_id="33214", first=20).content
    fault(quirk=quirk, times=1)
    helix("streams", game_id="33214", first=20)
    assert helix("streams", game_id="33214", first=20).content == before
