"""The switchboard: every fault, its scope, and how often it strikes."""

import asyncio
import datetime as dt
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from aurastream.replay.app import create_app
from aurastream.replay.fault_options import OPTIONS, problem_of
from aurastream.replay.faults import KINDS
from tests.replay import specs
from tests.replay.conftest import NOW, Get, new_token

SetFault = Callable[..., dict[str, Any]]
PAGE = {"part": "snippet,statistics", "chart": "mostPopular", "maxResults": 10}


def test_a_fault_strikes_so_many_requests_after_letting_some_pass(
    client: httpx.Client, youtube: Get, fault: SetFault
) -> None:
    set_to = fault(kind="server_error", platform="youtube", skip=1, times=2)
    assert [youtube("videos", **PAGE).status_code for _ in range(4)] == [200, 503, 503, 200]
    shown = client.get(f"/_replay/faults/{set_to['id']}").json()
    assert (shown["fired"], shown["times"], shown["skip"]) == (2, 0, 0)


def test_a_fault_lasts_between_two_virtual_moments(youtube: Get, fault: SetFault) -> None:
    fault(kind="server_error", start="2026-11-20T18:00:00Z", end="2026-11-20T19:00:00Z")
    statuses = [
        youtube("videos", NOW + dt.timedelta(minutes=minutes), **PAGE).status_code
        for minutes in (-1, 0, 59, 60)
    ]
    assert statuses == [200, 503, 503, 200]


def test_a_fault_keeps_to_its_platform_endpoint_parameters_and_key(
    youtube: Get, helix: Get, fault: SetFault
) -> None:
    fault(kind="server_error", platform="twitch", endpoint="stre*", where={"game_id": "33214"})
    assert helix("streams", game_id="33214").status_code == 503
    assert helix("streams", game_id="21779").status_code == 200
    assert helix("clips", game_id="33214").status_code == 200
    assert youtube("videos", **PAGE).status_code == 200
    fault(kind="quota_exceeded", key="spent")
    assert youtube("videos", key="spent", **PAGE).status_code == 403
    assert youtube("videos", key="fresh", **PAGE).status_code == 200


def test_the_switchboard_lists_replaces_changes_and_clears(
    client: httpx.Client, fault: SetFault
) -> None:
    first = fault(kind="latency", options={"delay_ms": 1})
    listed = client.get("/_replay/faults").json()["faults"]
    assert listed == [first]
    changed = client.put(f"/_replay/faults/{first['id']}", json={"kind": "outage", "times": 1})
    assert changed.json()["kind"] == "outage"
    both = [{"kind": "html_body", "times": 1}, {"quirk": "401_bodies", "times": 1}]
    replaced = client.put("/_replay/faults", json=both).json()["faults"]
    assert [each["kind"] for each in replaced] == ["html_body", "quirk"]
    assert [each["platform"] for each in replaced] == ["any", "twitch"]
    left = client.delete(f"/_replay/faults/{replaced[0]['id']}").json()["faults"]
    assert [each["kind"] for each in left] == ["quirk"]
    again = client.put("/_replay/faults", json=left).json()["faults"]
    assert [each["options"] for each in again] == [{"id": "401_bodies"}]
    assert client.delete("/_replay/faults").json() == {"faults": []}
    assert client.get("/_replay/faults/77").status_code == 404


def test_a_fault_that_is_over_is_put_back_as_it_was_listed(
    client: httpx.Client, youtube: Get, fault: SetFault
) -> None:
    fault(kind="server_error", times=1)
    assert youtube("videos", **PAGE).status_code == 503
    (over,) = client.get("/_replay/faults").json()["faults"]
    for _ in range(2):
        (again,) = client.put("/_replay/faults", json=[over]).json()["faults"]
        assert again | {"id": 0} == over | {"id": 0}
        over = again
    assert youtube("videos", **PAGE).status_code == 200


def test_what_one_platform_has_is_not_used_up_by_another(
    youtube: Get, helix: Get, fault: SetFault
) -> None:
    assert fault(kind="quota_exceeded", times=1)["platform"] == "youtube"
    assert helix("streams").status_code == 200
    assert youtube("videos", **PAGE).status_code == 403


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({}, "choose one of"),
        ({"kind": "fire"}, "'fire' is no kind"),
        ({"kind": "latency", "options": {"seconds": 1}}, "delay_ms"),
        ({"kind": "latency", "platform": "radio"}, "no platform"),
        ({"kind": "latency", "times": -1}, "times"),
        ({"kind": "latency", "start": "soon"}, "start"),
        ({"kind": "latency", "often": 3}, "Unknown often"),
        ({"quirk": "hiccup"}, "'hiccup' is no quirk"),
        ({"kind": "latency", "where": "US"}, "where is a JSON object"),
        *(
            ({"kind": kind, "options": {name: value}}, f"Option {name} of {kind} is")
            for kind, name, value in [
                ("latency", "delay_ms", "abc"),
                ("latency", "delay_ms", None),
                ("latency", "delay_ms", True),
                ("server_error", "status", "banana"),
                ("server_error", "status", 200),
                ("rate_limited", "retry_after_s", 1.5),
                ("invalid_key", "old_style", "no"),
                ("forbidden", "reason", 3),
                ("truncated_body", "share", 1.5),
                ("trickle", "bytes", 0),
                ("trickle", "delay_ms", -1),
                ("malformed_item", "index", "first"),
                ("malformed_item", "path", ""),
                ("falling_views", "factor", "half"),
                ("future_publish", "hours", 1e9),
                ("missing_items", "every", 0),
                ("clock_skew", "seconds", []),
            ]
        ),
        ({"kind": "latency", "times": 0}, "times 0 strikes nothing"),
        (
            {"kind": "latency", "start": "2026-11-20T19:00:00Z", "end": "2026-11-20T19:00:00Z"},
            "end 2026-11-20T19:00:00Z is not after start 2026-11-20T19:00:00Z",
        ),
        (
            {"kind": "latency", "platform": "twitch", "endpoint": "videos.list"},
            "No endpoint of platform twitch matches 'videos.list'; there are streams, games,",
        ),
        ({"kind": "latency", "endpoint": "vidoes*"}, "of platform any matches 'vidoes*'"),
        ({"quirk": "401_bodies", "platform": "youtube"}, "quirk is of twitch alone"),
        ({"quirk": "401_bodies", "endpoint": "videos.list"}, "No endpoint of platform twitch"),
        ({"kind": "quota_exceeded", "platform": "twitch"}, "quota_exceeded is of youtube alone"),
        ({"kind": "token_revoked", "platform": "images"}, "token_revoked is of twitch alone"),
        ([], "JSON object"),
    ],
)
def test_a_fault_that_means_nothing_is_refused_with_a_reason(
    client: httpx.Client, content: Any, says: str
) -> None:
    answer = client.post("/_replay/faults", json=content)
    assert answer.status_code == 400
    assert says in answer.json()["error"]
    assert client.get("/_replay/faults").json() == {"faults": []}


def test_every_option_has_a_default_that_may_be_set_and_an_example(
    client: httpx.Client, youtube: Get, fault: SetFault
) -> None:
    for kind, (_, options) in KINDS.items():
        for name, default in options.items():
            assert kind == "quirk" or not problem_of(kind, name, default)
            assert not problem_of(kind, name, OPTIONS[name].example)
    said = client.post("/_replay/faults", json={"kind": "latency", "options": {"delay_ms": "x"}})
    assert "for example delay_ms=1000" in said.json()["error"]
    fault(kind="malformed_item", options={"path": "id.of.nothing"})
    assert youtube("videos", **PAGE).status_code == 200


def test_a_fault_that_is_not_there_is_said_whatever_it_is_called(client: httpx.Client) -> None:
    for name in ("7", "x", "9" * 5_000):
        answer = client.get(f"/_replay/faults/{name}")
        assert answer.status_code == 404
        assert "There is no fault" in answer.json()["error"]


def test_what_is_no_json_and_what_is_no_page_are_refused(client: httpx.Client) -> None:
    assert client.post("/_replay/faults", content=b"{").status_code == 400
    assert client.patch("/_replay/faults", json={}).status_code == 405
    assert client.get("/_replay/nothing").status_code == 404
    assert client.put("/_replay/faults", json={}).status_code == 400


def test_every_kind_is_listed_with_its_options(client: httpx.Client) -> None:
    kinds = client.get("/_replay/kinds").json()
    assert kinds["kinds"].keys() == KINDS.keys()
    assert len(kinds["quirks"]) == 16


def test_latency_delays_and_then_answers(youtube: Get, fault: SetFault) -> None:
    fault(kind="latency", options={"delay_ms": 60})
    start = time.monotonic()
    assert youtube("videos", **PAGE).status_code == 200
    assert time.monotonic() - start >= 0.06


def test_an_outage_closes_the_connection(
    client: httpx.Client, youtube: Get, fault: SetFault
) -> None:
    fault(kind="outage", times=1)
    with pytest.raises(httpx.RemoteProtocolError):
        youtube("videos", **PAGE)
    assert youtube("videos", **PAGE).status_code == 200


def test_a_cut_body_ends_before_its_length(youtube: Get, fault: SetFault) -> None:
    fault(kind="truncated_body", times=1, options={"share": 0.3})
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        youtube("videos", **PAGE)
    assert youtube("videos", **PAGE).status_code == 200


def test_a_body_that_trickles_comes_whole_a_little_at_a_time(
    client: httpx.Client, youtube: Get, fault: SetFault
) -> None:
    good = youtube("videos", **PAGE)
    whole = int(good.headers["content-length"])
    fault(kind="trickle", times=1, options={"bytes": whole // 3, "delay_ms": 200})
    query = {"key": "k", **PAGE}
    with client.stream("GET", "/youtube/v3/videos", params=query) as answer:
        assert answer.headers["content-length"] == good.headers["content-length"]
        parts = list(answer.iter_raw())
    assert b"".join(parts) == good.content
    assert max(map(len, parts)) <= 2 * (whole // 3)


def test_a_trickle_ends_when_the_client_goes_away() -> None:
    sent: list[dict[str, Any]] = []
    fault = {"kind": "trickle", "options": {"bytes": 2, "delay_ms": 3_600_000}}
    app = create_app(clock=NOW.timestamp)
    app.switchboard.add(fault)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/vi/b24oG7qCwp4/default.jpg"}
    asked = app({**scope, "query_string": b"", "headers": []}, receive, send)
    asyncio.run(asyncio.wait_for(asked, timeout=30))
    assert [len(message.get("body", b"")) for message in sent] == [0, 2]
    assert sent[-1]["more_body"]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_server_errors_come_in_each_platforms_shape(
    youtube: Get, helix: Get, fault: SetFault, status: int
) -> None:
    fault(kind="server_error", options={"status": status, "retry_after_s": 7})
    google = youtube("videos", **PAGE)
    twitch = helix("streams")
    assert (google.status_code, twitch.status_code) == (status, status)
    assert google.json()["error"]["errors"][0]["reason"] == "backendError"
    assert twitch.json()["status"] == status
    assert google.headers["retry-after"] == "7"


def test_too_many_requests_come_in_each_platforms_shape(
    youtube: Get, helix: Get, fault: SetFault
) -> None:
    fault(kind="rate_limited")
    google = youtube("videos", **PAGE)
    twitch = helix("streams")
    assert google.json()["error"]["errors"][0]["reason"] == "rateLimitExceeded"
    assert (google.status_code, twitch.status_code) == (429, 429)
    assert twitch.headers["ratelimit-remaining"] == "0"
    assert int(twitch.headers["ratelimit-reset"]) > NOW.timestamp()


def test_quota_and_key_errors_equal_the_recorded_ones(
    client: httpx.Client, youtube: Get, fault: SetFault
) -> None:
    recordings = {
        "quotaExceeded_403.json": {"kind": "quota_exceeded"},
        "API_KEY_INVALID_400_new_style.json": {"kind": "invalid_key"},
        "keyInvalid_400_old_style.json": {"kind": "invalid_key", "options": {"old_style": True}},
        "backendError_503.json": {"kind": "server_error"},
    }
    for file, content in recordings.items():
        real = specs.recorded("youtube_payloads", "errors", file)
        fault(**content, times=1)
        answer = youtube("videos", **PAGE)
        assert (answer.status_code, answer.json()) == (real["status"], real["body"])


def test_a_refusal_for_good_says_its_reason(youtube: Get, fault: SetFault) -> None:
    fault(kind="forbidden", options={"reason": "SERVICE_UNAVAILABLE"})
    answer = youtube("videos", **PAGE)
    assert answer.status_code == 403
    assert answer.json()["error"]["errors"][0]["reason"] == "SERVICE_UNAVAILABLE"


def test_a_revoked_token_is_refused_and_a_new_one_is_not(
    client: httpx.Client, helix: Get, token: str, fault: SetFault
) -> None:
    fault(kind="token_revoked")
    assert helix("streams").json()["message"] == "Invalid OAuth token"
    check = {"Authorization": f"OAuth {token}"}
    assert client.get("/oauth2/validate", headers=check).json() == {
        "status": 401,
        "message": "invalid access token",
    }
    fresh = {"Authorization": f"Bearer {new_token(client)}"}
    assert helix("streams", headers=fresh).status_code == 200


def test_every_token_can_be_refused(client: httpx.Client, helix: Get, fault: SetFault) -> None:
    fault(kind="token_rejected")
    fresh = {"Authorization": f"Bearer {new_token(client)}"}
    assert helix("streams", headers=fresh).status_code == 401


def test_a_wrong_client_is_refused_everywhere(
    client: httpx.Client, helix: Get, fault: SetFault
) -> None:
    fault(kind="invalid_key", platform="twitch")
    assert helix("streams").status_code == 401
    form = {"client_id": "c", "client_secret": "s", "grant_type": "client_credentials"}
    assert client.post("/oauth2/token", data=form).json()["message"] == "invalid client"


@pytest.mark.parametrize("kind", ["malformed_json", "html_body"])
def test_a_body_that_is_no_json_comes_with_a_200(youtube: Get, fault: SetFault, kind: str) -> None:
    fault(kind=kind)
    answer = youtube("videos", **PAGE)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Expecting|delimiter|Extra"):
        answer.json()


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"path": "statistics.viewCount", "value": "many"}, "many"),
        ({"path": "statistics.viewCount", "value": None}, None),
        ({"path": "statistics.viewCount", "value": "NaN"}, "NaN"),
        ({"path": "statistics.viewCount", "drop": True}, "gone"),
    ],
)
def test_one_item_can_be_malformed_in_one_field(
    youtube: Get, fault: SetFault, options: dict[str, Any], field: Any
) -> None:
    good = youtube("videos", **PAGE).json()["items"]
    fault(kind="malformed_item", options=options | {"index": 2})
    bad = youtube("videos", **PAGE).json()["items"]
    assert bad[2]["statistics"].get("viewCount", "gone") == field
    assert bad[:2] + bad[3:] == good[:2] + good[3:]


def test_items_can_fall_hide_repeat_vanish_or_come_from_the_future(
    client: httpx.Client, youtube: Get, helix: Get, fault: SetFault
) -> None:
    good = youtube("videos", **PAGE).json()["items"]

    def with_fault(**content: Any) -> list[dict[str, Any]]:
        fault(**content, times=1)
        return list(youtube("videos", **PAGE).json()["items"])

    views = [int(item["statistics"]["viewCount"]) for item in good]
    fallen = with_fault(kind="falling_views", options={"factor": 0.25})
    assert [int(item["statistics"]["viewCount"]) for item in fallen] == [n // 4 for n in views]
    assert not any("likeCount" in item["statistics"] for item in with_fault(kind="hidden_counts"))
    assert with_fault(kind="duplicate_items") == [*good, good[0]]
    dropped = with_fault(kind="missing_items", options={"every": 5})
    assert dropped == good[:4] + good[5:9]
    assert with_fault(kind="empty_answer") == []
    early = with_fault(kind="future_publish", options={"hours": 48})
    assert {item["snippet"]["publishedAt"] for item in early} == {"2026-11-22T18:00:00Z"}
    everywhere = with_fault(
        kind="malformed_item", options={"index": "all", "path": "id", "value": 7}
    )
    assert {item["id"] for item in everywhere} == {7}
    fault(kind="empty_answer", platform="twitch")
    assert helix("streams").json()["data"] == []


def test_a_skewed_clock_moves_the_date_header_only(youtube: Get, fault: SetFault) -> None:
    good = youtube("videos", **PAGE)
    fault(kind="clock_skew", options={"seconds": -3600})
    skewed = youtube("videos", **PAGE)
    assert skewed.headers["date"] == "Fri, 20 Nov 2026 17:00:00 GMT"
    assert skewed.content == good.content


def test_pictures_can_fail_too(client: httpx.Client, fault: SetFault) -> None:
    fault(kind="server_error", platform="images")
    assert client.get("/vi/b24oG7qCwp4/default.jpg").status_code == 503
