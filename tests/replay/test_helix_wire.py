"""Answers of the Helix endpoints against the OpenAPI document and recorded answers."""

import datetime as dt
from typing import Any

import httpx
import pytest

from aurastream.replay.catalog import TRACKED
from tests.replay import specs
from tests.replay.conftest import NOW, Get, new_token

CASSETTES = ("twitch_payloads", "ruby-twitch-api")


def _good(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _ids(helix: Get, name: str, count: int, at: dt.datetime | None = None) -> list[str]:
    page = _good(helix("streams", at, game_id="33214", first=count))
    return [stream[name] for stream in page["data"]]


@pytest.mark.parametrize(
    ("path", "schema", "query"),
    [
        ("games/top", "GetTopGamesResponse", {"first": 100}),
        ("games", "GetGamesResponse", {"id": list(TRACKED.values()), "name": "Rust"}),
        ("streams", "GetStreamsResponse", {"first": 100}),
        ("streams", "GetStreamsResponse", {"first": 100, "game_id": "21779"}),
        ("streams", "GetStreamsResponse", {"first": 100, "language": "ja"}),
        ("clips", "GetClipsResponse", {"game_id": "33214", "first": 100}),
        ("videos", "GetVideosResponse", {"game_id": "33214", "first": 100}),
        ("videos", "GetVideosResponse", {"game_id": "33214", "first": 100, "sort": "views"}),
    ],
)
def test_every_list_validates_against_the_openapi_document(
    helix: Get, path: str, schema: str, query: dict[str, Any]
) -> None:
    validator = specs.helix(schema)
    for hours in (0, 7, 13):
        answer = _good(helix(path, NOW + dt.timedelta(hours=hours), **query))
        validator.validate(answer)
        assert answer["data"]


def test_users_channels_and_videos_of_live_streamers_validate(helix: Get) -> None:
    ids = _ids(helix, "user_id", 100)
    users = _good(helix("users", id=ids))
    specs.helix("GetUsersResponse").validate(users)
    assert {user["id"] for user in users["data"]} == set(ids)
    channels = _good(helix("channels", broadcaster_id=ids))
    specs.helix("GetChannelInformationResponse").validate(channels)
    assert {channel["game_id"] for channel in channels["data"]} == {"33214"}
    videos = _good(helix("videos", user_id=ids[0], first=100))
    specs.helix("GetVideosResponse").validate(videos)
    assert {video["user_id"] for video in videos["data"]} == {ids[0]}
    again = _good(helix("videos", id=[video["id"] for video in videos["data"]]))
    assert again["data"] == videos["data"]


@pytest.mark.parametrize(
    ("file", "path", "query", "later"),
    [
        ("get_games__1_6_1_1", "games", {"id": "33214"}, {"data.igdb_id"}),
        ("get_top_games__1_7_1_1", "games/top", {"first": 5}, {"data.igdb_id"}),
        ("get_streams__1_3_1_1_1", "streams", {}, {"data.tags", "data.is_mature"}),
        ("get_videos__1_8_1_1", "videos", {"game_id": "33214"}, set()),
        ("get_users__1_4_1_1_1_1", "users", {"id": "480000000"}, set()),
        (
            "get_channels__1_9_2_2_1_1",
            "channels",
            {"broadcaster_id": "480000000"},
            {"data.tags", "data.content_classification_labels", "data.is_branded_content"},
        ),
    ],
)
def test_answers_have_the_keys_of_recorded_ones(
    helix: Get, file: str, path: str, query: dict[str, Any], later: set[str]
) -> None:
    real = specs.recorded(*CASSETTES, f"{file}.json")[-1]["response"]
    ours = helix(path, **query)
    inner = {"data.muted_segments.duration", "data.muted_segments.offset"}
    assert specs.keys(ours.json()) - later - inner == specs.keys(real["body"]) - inner
    expected = {name for name in real["headers"] if name.startswith("ratelimit")}
    assert {name for name in ours.headers if name.startswith("ratelimit")} == expected
    assert ours.headers["ratelimit-limit"] == real["headers"]["ratelimit-limit"]


def test_clips_have_the_keys_of_recorded_ones(helix: Get) -> None:
    real = specs.recorded("twitch_payloads", "clips_2024_vod_offset_null.json")
    del real["source"]
    ours = _good(helix("clips", game_id="33214", first=100))
    del ours["pagination"]["cursor"]
    assert specs.keys(ours) == specs.keys(real)
    assert {type(clip["vod_offset"]) for clip in ours["data"]} == {int, type(None)}


def test_tokens_and_their_validation_have_the_recorded_shapes(
    client: httpx.Client, token: str
) -> None:
    tape = specs.recorded(*CASSETTES, "get_channels__1_9_2_1_1_1.json")
    refused, issued = tape[0]["response"], tape[1]["response"]
    form = {"client_id": "c", "client_secret": "s", "grant_type": "client_credentials"}
    ours = client.post("/oauth2/token", json=form)
    assert ours.json().keys() == issued["body"].keys()
    assert ours.json()["token_type"] == "bearer"
    bad = client.get("/oauth2/validate", headers={"Authorization": "OAuth nonsense"})
    assert (bad.status_code, bad.json()) == (refused["status"], refused["body"])
    tape = specs.recorded(*CASSETTES, "get_users__1_4_1_1_1_1.json")
    good = client.get("/oauth2/validate", headers={"Authorization": f"OAuth {token}"})
    assert good.json().keys() == tape[0]["response"]["body"].keys()
    assert good.json()["client_id"] == "replay-client"


def test_validation_names_the_client_that_the_token_was_issued_to(client: httpx.Client) -> None:
    form = {"client_id": "mine", "client_secret": "s", "grant_type": "client_credentials"}
    token = client.post("/oauth2/token", data=form).json()["access_token"]
    held = {"Authorization": f"OAuth {token}", "Client-Id": "replay-client"}
    assert client.get("/oauth2/validate", headers=held).json()["client_id"] == "mine"


@pytest.mark.parametrize(
    ("form", "status", "message"),
    [
        ({}, 400, "missing client id"),
        ({"client_id": "c"}, 400, "missing client secret"),
        ({"client_id": "c", "client_secret": "s"}, 400, "missing grant type"),
        ({"client_id": "c", "client_secret": "s", "grant_type": "x"}, 400, "invalid grant type"),
        (
            {
                "client_id": "replay-client",
                "client_secret": "wrong",
                "grant_type": "client_credentials",
            },
            403,
            "invalid client secret",
        ),
    ],
)
def test_token_requests_are_checked(
    client: httpx.Client, form: dict[str, str], status: int, message: str
) -> None:
    answer = client.post("/oauth2/token", data=form)
    assert answer.status_code == status
    assert answer.json() == {"status": status, "message": message}


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "OAuth token is missing"),
        ({"Authorization": "Bearer x"}, "Client ID is missing"),
        ({"Authorization": "Bearer x", "Client-Id": "replay-client"}, "Invalid OAuth token"),
    ],
)
def test_helix_refuses_without_token_or_client(
    client: httpx.Client, headers: dict[str, str], message: str
) -> None:
    answer = client.get("/helix/streams", headers=headers)
    expected = {"error": "Unauthorized", "status": 401, "message": message}
    assert (answer.status_code, answer.json()) == (401, expected)
    assert not any(name.startswith("ratelimit") for name in answer.headers)


def test_a_token_belongs_to_its_client(helix: Get) -> None:
    answer = helix("streams", headers={"Client-Id": "somebody-else"})
    assert answer.json()["message"] == "Client ID and OAuth token do not match"


def test_a_token_expires_and_can_be_revoked(client: httpx.Client, helix: Get, token: str) -> None:
    assert helix("streams", NOW + dt.timedelta(days=57)).status_code == 200
    assert helix("streams", NOW + dt.timedelta(days=59)).status_code == 401
    assert helix("streams", NOW - dt.timedelta(days=30)).status_code == 200
    # A token of another second, for the revocation must not touch tokens of other tests.
    other = client.post(
        "/oauth2/token",
        data={"client_id": "c", "client_secret": "s", "grant_type": "client_credentials"},
        headers={"X-Replay-Now": "2026-11-20T17:00:00Z"},
    ).json()["access_token"]
    assert client.post("/oauth2/revoke", data={"token": other}).status_code == 200
    headers = {"Authorization": f"Bearer {other}", "Client-Id": "c"}
    assert client.get("/helix/streams", headers=headers).status_code == 401
    assert new_token(client) == token


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("streams", {"first": 101}, 400),
        ("streams", {"first": 0}, 400),
        ("streams", {"after": "nonsense"}, 400),
        ("streams", {"type": "vodcast"}, 400),
        ("streams", {"game_id": [str(n) for n in range(101)]}, 400),
        ("games", {}, 400),
        ("clips", {}, 400),
        ("clips", {"game_id": "33214", "broadcaster_id": "1"}, 400),
        ("clips", {"game_id": "33214", "started_at": "yesterday"}, 400),
        ("channels", {}, 400),
        ("channels", {"broadcaster_id": "x"}, 400),
        ("users", {}, 400),
        ("videos", {}, 400),
        ("videos", {"game_id": "33214", "sort": "x"}, 400),
        ("videos", {"id": "1"}, 404),
    ],
)
def test_bad_requests_are_refused_in_helix_shape_without_rate_headers(
    helix: Get, path: str, query: dict[str, Any], status: int
) -> None:
    answer = helix(path, **query)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "status", "message"}
    assert not any(name.startswith("ratelimit") for name in answer.headers)


@pytest.mark.parametrize("path", ["streams", "games/top", "clips"])
def test_a_method_that_is_not_served_is_refused_in_helix_shape(
    client: httpx.Client, path: str
) -> None:
    answer = client.post(f"/helix/{path}", json={})
    assert (answer.status_code, answer.json()) == (
        405,
        {"error": "Method Not Allowed", "status": 405, "message": "POST is not served here"},
    )


def test_pages_of_streams_join_to_the_whole_in_order_of_viewers(helix: Get) -> None:
    found, cursor, pages = [], "", 0
    while True:
        query = {"after": cursor} if cursor else {}
        page = _good(helix("streams", game_id="21779", first=100, **query))
        found += page["data"]
        pages += 1
        cursor = page["pagination"].get("cursor", "")
        if not cursor:
            break
    assert page["pagination"] == {}
    assert pages > 2, "a big game has more than one page, so that its top 100 is a real cut"
    assert len({stream["id"] for stream in found}) == len(found)
    viewers = [stream["viewer_count"] for stream in found]
    assert viewers == sorted(viewers, reverse=True)
    assert {stream["game_id"] for stream in found} == {"21779"}


def test_the_page_before_is_the_page_that_was(helix: Get) -> None:
    first = _good(helix("streams", game_id="21779", first=10))
    second = _good(helix("streams", game_id="21779", first=10, after=first["pagination"]["cursor"]))
    back = _good(helix("streams", game_id="21779", first=10, before=second["pagination"]["cursor"]))
    assert back["data"] == first["data"]


@pytest.mark.parametrize(("path", "total"), [("games/top", 67), ("clips", 1000)])
def test_other_lists_page_to_their_end(helix: Get, path: str, total: int) -> None:
    query = {"game_id": "33214"} if path == "clips" else {}
    found: list[str] = []
    cursor = ""
    while True:
        more = {"after": cursor} if cursor else {}
        page = _good(helix(path, first=50, **query, **more))
        found += [item["id"] for item in page["data"]]
        cursor = page["pagination"].get("cursor", "")
        if not cursor:
            break
    assert len(found) == len(set(found)) == total


def test_streams_can_be_asked_for_by_people_and_languages(helix: Get) -> None:
    ids = _ids(helix, "user_id", 5)
    logins = _ids(helix, "user_login", 5)
    by_id = _good(helix("streams", user_id=ids))["data"]
    assert by_id == _good(helix("streams", user_login=logins))["data"]
    assert [stream["user_id"] for stream in by_id] == ids
    korean = _good(helix("streams", language="ko", first=100))["data"]
    assert {stream["language"] for stream in korean} == {"ko"}
    assert _good(helix("streams", game_id="999999999"))["data"] == []


def test_clips_keep_to_their_window_and_their_ids(helix: Get) -> None:
    start, end = NOW - dt.timedelta(hours=5), NOW - dt.timedelta(hours=1)
    window = {"started_at": start.isoformat(), "ended_at": end.isoformat()}
    clips = _good(helix("clips", game_id="33214", first=100, **window))["data"]
    created = [dt.datetime.fromisoformat(clip["created_at"]) for clip in clips]
    assert clips
    assert all(start <= moment <= end for moment in created)
    views = [clip["view_count"] for clip in clips]
    assert views == sorted(views, reverse=True)
    again = _good(helix("clips", id=[clip["id"] for clip in clips]))["data"]
    assert again == clips
    mine = _good(helix("clips", broadcaster_id=clips[0]["broadcaster_id"], first=100, **window))
    assert clips[0] in mine["data"]


@pytest.mark.parametrize("way", ["game_id", "broadcaster_id"])
@pytest.mark.parametrize("days", [3, 30, 3_000])
def test_a_window_in_the_future_has_no_clips_yet(helix: Get, way: str, days: int) -> None:
    clip = _good(helix("clips", game_id="33214", first=1))["data"][0]
    started = (NOW + dt.timedelta(days=days)).isoformat()
    answer = _good(helix("clips", **{way: clip[way]}, started_at=started))
    assert answer == {"data": [], "pagination": {}}


def test_small_lists_have_no_pagination_key(helix: Get) -> None:
    for path, query in (
        ("games", {"id": "33214"}),
        ("users", {"id": "480000000"}),
        ("channels", {"broadcaster_id": "480000000"}),
    ):
        assert set(_good(helix(path, **query))) == {"data"}


def test_helix_packs_for_whoever_accepts_it(helix: Get) -> None:
    packed = helix("streams", first=100)
    plain = helix("streams", first=100, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
