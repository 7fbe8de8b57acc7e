"""Requests that nobody sends on purpose: each is answered or refused as the real APIs do."""

import base64
import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.replay.conftest import NOW, Get

ENDLESS = "9" * 5_000
ODD = {
    "more digits than Python reads": ENDLESS,
    "thousands of zeros": "0" * 5_000 + "5",
    "digits of another script": "٣",
    "no bytes of a text": "\x00",
    "below zero": "-1",
    "brackets": "[{(",
    "a cursor far away": base64.b64encode(b'{"a":{"Offset":18446744073709551615}}').decode(),
    "a cursor of another kind": base64.b64encode(b'{"a":[],"b":7}').decode(),
    "a cursor of nothing but brackets": base64.b64encode(b"[" * 3_000).decode(),
    "a moment before all years": "0001-01-01T00:00:00+05:00",
    "a moment after all years": "9999-12-31T23:59:59-05:00",
    "a far moment": "8960-01-01T00:00:00Z",
}
YOUTUBE = {
    "videos": "part chart id maxResults pageToken regionCode videoCategoryId fields",
    "videos:batchGetStats": "part id fields",
    "search": "part q type eventType order maxResults pageToken regionCode videoCategoryId "
    "channelId publishedAfter publishedBefore",
    "channels": "part id maxResults fields",
    "videoCategories": "part id regionCode",
}
HELIX = {
    "streams": "first after before game_id user_id user_login language type",
    "games": "id name igdb_id",
    "games/top": "first after before",
    "clips": "id game_id broadcaster_id first after before started_at ended_at",
    "videos": "id user_id game_id first after before type sort period language",
    "channels": "broadcaster_id",
    "users": "id login",
}
FARAWAY = [dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (1970, 2019, 2262, 8960)]


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_an_odd_value_is_answered_or_refused_in_googles_shape(youtube: Get, value: str) -> None:
    for path, names in YOUTUBE.items():
        for name in names.split():
            way = {"id": "UCnobody"} if path == "channels" else {"chart": "mostPopular"}
            needed = {"part": "snippet", "type": "video"} | (way if name != "id" else {})
            answer = youtube(path, **needed | {name: value})
            assert answer.status_code in {200, 400, 404}, (path, name)
            kind = answer.json().get("kind") or answer.json()["error"]["errors"][0]["reason"]
            assert kind, (path, name)


@pytest.mark.parametrize("value", ODD.values(), ids=ODD)
def test_an_odd_value_is_answered_or_refused_in_helix_shape(helix: Get, value: str) -> None:
    for path, names in HELIX.items():
        for name in names.split():
            way = {} if name.endswith("id") or name == "login" else {"game_id": "33214"}
            needed = way if path in {"clips", "videos"} else {}
            answer = helix(path, **needed | {name: value})
            assert answer.status_code in {200, 400, 404}, (path, name)
            shape = set(answer.json()) - {"pagination"}
            assert shape in ({"data"}, {"error", "status", "message"}), (path, name)


@pytest.mark.parametrize("at", FARAWAY, ids=lambda at: str(at.year))
def test_every_year_is_played(youtube: Get, helix: Get, at: dt.datetime) -> None:
    chart = youtube("videos", at, part="snippet,statistics", chart="mostPopular", maxResults=50)
    assert len(chart.json()["items"]) >= 48
    live = youtube("search", at, part="snippet", type="video", eventType="live")
    assert live.status_code == 200
    for path in ("streams", "games/top", "clips", "videos"):
        # A token of today has expired by then.
        answer = helix(path, at, **({"game_id": "33214"} if path != "games/top" else {}))
        assert answer.status_code == (200 if at < NOW else 401), path


def test_a_picture_of_any_size_there_is_none_of_is_not_found(client: httpx.Client) -> None:
    for size in (ENDLESS, "0", "1281", "x"):
        assert client.get(f"/ytc/UCnobody/{size}.jpg").status_code == 404


def test_a_selection_of_a_thousand_levels_is_refused(youtube: Get) -> None:
    query = {"part": "id", "chart": "mostPopular"}
    for fields in ("items(" * 300, "a(" * 999, "items(id" + ")" * 999):
        answer = youtube("videos", **query, fields=fields)
        assert answer.status_code == 400
        assert answer.json()["error"]["errors"][0]["location"] == "fields"


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "outage", "start": "0001-01-01T00:00:00+05:00"},
        {"kind": "outage", "end": "9999-12-31T23:59:59-05:00"},
        {"kind": "malformed_item", "options": {"value": json.loads("[" * 300 + "]" * 300)}},
        {"kind": "malformed_item", "options": {"path": "a." * 400 + "a"}},
        {"kind": "outage", "endpoint": json.loads("[" * 900 + "]" * 900)},
    ],
    ids=["before all years", "after all years", "a deep value", "a deep path", "a deep endpoint"],
)
def test_a_fault_that_could_not_be_told_is_refused(
    client: httpx.Client, content: dict[str, Any]
) -> None:
    assert client.post("/_replay/faults", json=content).status_code == 400
    assert client.get("/_replay/faults").json() == {"faults": []}


@pytest.mark.parametrize("first", ["malformed_json", "html_body", "malformed_item"])
@pytest.mark.parametrize(
    "second", ["falling_views", "hidden_counts", "future_publish", "malformed_item", "empty_answer"]
)
def test_two_faults_of_a_body_strike_together(
    client: httpx.Client, youtube: Get, fault: Callable[..., Any], first: str, second: str
) -> None:
    for path in ("statistics", "snippet"):
        options = {"path": path} if first == "malformed_item" else {}
        fault(kind=first, options=options)
        fault(kind=second)
        answer = youtube("videos", part="snippet,statistics", chart="mostPopular")
        assert answer.status_code == 200
        client.delete("/_replay/faults")


@pytest.mark.parametrize("kind", ["falling_views", "malformed_item", "malformed_json"])
def test_a_fault_of_items_leaves_an_empty_body_alone(
    client: httpx.Client, fault: Callable[..., Any], kind: str
) -> None:
    # A client of its own: a token is the same for whoever asks for it at the same moment.
    form = {"client_id": kind, "client_secret": "s", "grant_type": "client_credentials"}
    token = client.post("/oauth2/token", data=form).json()["access_token"]
    fault(kind=kind)
    assert client.post("/oauth2/revoke", data={"token": token}).status_code == 200
