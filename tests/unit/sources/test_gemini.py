"""Gemini looks only where it may, and nothing it says is believed unchecked."""

import base64
import json
from typing import Any

import httpx
import pytest

from aurastream.core.thumbnails import describe_thumbnail
from aurastream.core.thumbnails_decode import ThumbnailRejectedError
from aurastream.sources.breaker import CircuitBreakers
from aurastream.sources.errors import (
    CircuitOpenError,
    ConfigError,
    GoneError,
    KeyInvalidError,
    MalformedError,
    PermissionDeniedError,
    QuotaExhaustedError,
    RateLimitedError,
    TransientError,
)
from aurastream.sources.gemini import GeminiVision, gemini_vision
from tests.unit.sources.support import FakeClock, Reply, Upstream
from tests.unit.thumbnails.pictures import faces_on, file_of, waves

MODEL = "gemini-test"
PATH = f"/v1beta/models/{MODEL}:generateContent"
KEY = "AIza-secret"
PICTURE = file_of(faces_on(waves(1, (640, 360)), [(200, 90, 200)]), "JPEG")
SEEN: dict[str, Any] = {
    "face_count": 2,
    "text": "100 DAYS\nHARDCORE",
    "text_area_share": 0.25,
    "composition": "split",
    "subjects": ["castle", "sword"],
}


def said(text: Any, reason: str = "STOP") -> dict[str, Any]:
    """Return an answer as generateContent writes one."""
    words = text if isinstance(text, str) else json.dumps(text)
    return {
        "candidates": [
            {
                "content": {"parts": [{"text": words}], "role": "model"},
                "finishReason": reason,
                "index": 0,
                "safetyRatings": [],
            }
        ],
        "usageMetadata": {"promptTokenCount": 300, "totalTokenCount": 340},
        "modelVersion": MODEL,
        "responseId": "x",
    }


def refusal(code: int, status: str, *details: dict[str, Any], message: str = "No.") -> Reply:
    return Reply(
        {"error": {"code": code, "message": message, "status": status, "details": list(details)}},
        code,
    )


@pytest.fixture
def gemini(upstream: Upstream, http: httpx.Client, clock: FakeClock) -> GeminiVision:
    found = gemini_vision(
        api_key=KEY,
        policy_mode="amended",
        model=MODEL,
        base_url=upstream.url,
        http=http,
        clock=clock,
    )
    assert found is not None
    return found


@pytest.mark.parametrize("mode", ["strict", None, "", "AMENDED"])
@pytest.mark.parametrize("key", [KEY, None, ""])
def test_without_a_key_and_a_policy_that_allows_it_there_is_no_gemini(
    mode: str | None, key: str | None
) -> None:
    assert gemini_vision(api_key=key, policy_mode=mode, model=MODEL) is None


def test_without_a_key_no_policy_gives_one() -> None:
    assert gemini_vision(api_key=None, policy_mode="amended", model=MODEL) is None


def test_what_it_sees_stands_beside_what_this_machine_measures(
    gemini: GeminiVision, upstream: Upstream
) -> None:
    upstream.script(PATH, Reply(said(SEEN)))

    found = gemini.look_at(PICTURE)

    local = describe_thumbnail(PICTURE)
    assert (found.face_count, found.text, found.composition) == (2, SEEN["text"], "split")
    assert found.subjects == ("castle", "sword")
    assert (found.text_line_count, found.text_area_share) == (2, 0.25)
    assert found.vision_provider == f"gemini:{MODEL}"
    assert (found.palette, found.perceptual_hash, found.clutter) == (
        local.palette,
        local.perceptual_hash,
        local.clutter,
    )
    assert found.face_field == local.face_field is not None


def test_the_call_carries_picture_schema_and_key_where_they_belong(
    gemini: GeminiVision, upstream: Upstream
) -> None:
    upstream.script(PATH, Reply(said(SEEN)))
    gemini.look_at(PICTURE)

    (asked,) = upstream.requests
    body = json.loads(asked.body)
    inline = body["contents"][0]["parts"][1]["inlineData"]
    assert asked.method == "POST"
    assert base64.b64decode(inline["data"]) == PICTURE
    assert inline["mimeType"] == "image/jpeg"
    assert body["generationConfig"]["responseMimeType"] == "application/json"
    assert body["generationConfig"]["temperature"] == 0
    assert set(body["generationConfig"]["responseSchema"]["required"]) == set(SEEN)
    assert asked.headers["x-goog-api-key"] == KEY
    assert asked.query == {}
    assert KEY not in asked.body


def test_where_it_sees_nobody_there_is_no_place_of_a_face(
    gemini: GeminiVision, upstream: Upstream
) -> None:
    upstream.script(PATH, Reply(said(SEEN | {"face_count": 0, "text": "", "text_area_share": 0})))

    found = gemini.look_at(PICTURE)

    assert (found.face_count, found.face_area_share, found.face_field) == (0, 0.0, None)
    assert (found.text, found.text_line_count, found.text_field) == ("", 0, None)


def test_what_is_no_picture_is_not_sent(gemini: GeminiVision, upstream: Upstream) -> None:
    with pytest.raises(ThumbnailRejectedError):
        gemini.look_at(b"<html>")

    assert upstream.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        "I see two people.",
        "```json\n{}\n```",
        {},
        SEEN | {"face_count": -1},
        SEEN | {"face_count": "2"},
        SEEN | {"text_area_share": 1.5},
        SEEN | {"composition": "a masterpiece"},
        SEEN | {"subjects": ["a", "b", "c", "d", "e", "f"]},
        SEEN | {"subjects": "castle"},
        SEEN | {"text": None},
        SEEN | {"text": "x" * 2_001},
        SEEN | {"text": "a\u0000b"},
        SEEN | {"owner": "somebody"},
        {k: v for k, v in SEEN.items() if k != "text"},
    ],
    ids=range(14),
)
def test_an_answer_that_does_not_fit_the_schema_is_asked_once_more_and_then_refused(
    gemini: GeminiVision, upstream: Upstream, answer: Any
) -> None:
    upstream.script(PATH, Reply(said(answer)))

    with pytest.raises(MalformedError, match="cannot be used"):
        gemini.look_at(PICTURE)
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", {"candidates": "none"}])
def test_an_answer_of_something_else_is_malformed(
    gemini: GeminiVision, upstream: Upstream, body: Any
) -> None:
    upstream.script(PATH, Reply(body))

    with pytest.raises(MalformedError):
        gemini.look_at(PICTURE)


def test_a_bad_answer_may_be_followed_by_a_good_one(
    gemini: GeminiVision, upstream: Upstream
) -> None:
    upstream.script(PATH, Reply(said(SEEN, "MAX_TOKENS")), Reply(said(SEEN)))

    assert gemini.look_at(PICTURE).face_count == 2


@pytest.mark.parametrize(
    "body",
    [
        {"promptFeedback": {"blockReason": "SAFETY"}},
        {"candidates": []},
        said("", "SAFETY"),
        said("", "RECITATION"),
    ],
)
def test_a_picture_it_will_not_look_at_is_refused_for_itself_alone(
    gemini: GeminiVision, upstream: Upstream, body: Any
) -> None:
    upstream.script(PATH, Reply(body))

    with pytest.raises(PermissionDeniedError) as caught:
        gemini.look_at(PICTURE)
    assert caught.value.status is None
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("reply", "kind", "tries"),
    [
        (
            refusal(400, "INVALID_ARGUMENT", {"reason": "API_KEY_INVALID"}),
            KeyInvalidError,
            1,
        ),
        (refusal(400, "INVALID_ARGUMENT"), ConfigError, 1),
        (refusal(401, "UNAUTHENTICATED"), KeyInvalidError, 1),
        (refusal(403, "PERMISSION_DENIED"), PermissionDeniedError, 1),
        (refusal(404, "NOT_FOUND"), GoneError, 1),
        (refusal(429, "RESOURCE_EXHAUSTED", {"retryDelay": "7s"}), RateLimitedError, 3),
        (refusal(429, "RESOURCE_EXHAUSTED", {"retryDelay": "40000s"}), QuotaExhaustedError, 1),
        (refusal(503, "UNAVAILABLE"), TransientError, 3),
        (Reply(b"<html>502</html>", 502), TransientError, 3),
        (Reply(None), TransientError, 3),
    ],
    ids=["key", "argument", "401", "403", "404", "429", "day", "503", "proxy", "hung up"],
)
def test_each_refusal_is_its_own_error_and_tried_as_often_as_may_help(
    gemini: GeminiVision, upstream: Upstream, reply: Reply, kind: type[Exception], tries: int
) -> None:
    upstream.script(PATH, reply)

    with pytest.raises(kind) as caught:
        gemini.look_at(PICTURE)
    assert type(caught.value) is kind
    assert len(upstream.requests) == tries
    assert KEY not in str(caught.value)


def test_the_tries_of_one_picture_are_one_failure_of_the_host(
    upstream: Upstream, http: httpx.Client, clock: FakeClock
) -> None:
    breaker = CircuitBreakers(clock=clock)
    gemini = GeminiVision(
        KEY, model=MODEL, base_url=upstream.url, http=http, clock=clock, breaker=breaker
    )
    host = httpx.URL(upstream.url).netloc.decode()
    upstream.script(PATH, refusal(503, "UNAVAILABLE"))

    for asked, state in ((12, "closed"), (15, "open")):
        while len(upstream.requests) < asked:
            with pytest.raises(TransientError):
                gemini.look_at(PICTURE)
        assert (len(upstream.requests), breaker.state(host)) == (asked, state)
    with pytest.raises(CircuitOpenError):
        gemini.look_at(PICTURE)
    assert len(upstream.requests) == 15


def test_it_waits_as_long_as_it_is_told(
    gemini: GeminiVision, upstream: Upstream, clock: FakeClock
) -> None:
    wait = refusal(429, "RESOURCE_EXHAUSTED", {"@type": "x"}, {"retryDelay": "7.5s"})
    upstream.script(PATH, wait, Reply(said(SEEN)))

    assert gemini.look_at(PICTURE).face_count == 2
    assert clock.slept == [7.5]


def test_a_key_that_cannot_be_one_is_refused_before_it_is_sent() -> None:
    with pytest.raises(KeyInvalidError, match="AURASTREAM_GEMINI_API_KEY"):
        gemini_vision(api_key="two words", policy_mode="amended", model=MODEL)
