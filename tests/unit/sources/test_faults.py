"""Error answers into the error tree."""

import json
from typing import Any

import pytest

from aurastream.sources import errors
from aurastream.sources.wire.faults import answered_at, twitch_fault, youtube_fault


def _google(status: int, why: str, message: str = "No.", **details: Any) -> Any:
    body: dict[str, Any] = {"code": status, "message": message}
    if why:
        body["errors"] = [{"reason": why, "message": message}]
    if details:
        body["details"] = [details]
    return youtube_fault(status, {}, json.dumps({"error": body}).encode())


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (403, "quotaExceeded", errors.QuotaExhaustedError),
        (403, "dailyLimitExceeded", errors.QuotaExhaustedError),
        (403, "rateLimitExceeded", errors.RateLimitedError),
        (403, "userRateLimitExceeded", errors.RateLimitedError),
        (403, "servingLimitExceeded", errors.RateLimitedError),
        (403, "concurrentLimitExceeded", errors.RateLimitedError),
        (403, "limitExceeded", errors.RateLimitedError),
        (429, "rateLimitExceeded", errors.RateLimitedError),
        (429, "", errors.RateLimitedError),
        (403, "SERVICE_UNAVAILABLE", errors.PermissionDeniedError),
        (403, "accessNotConfigured", errors.PermissionDeniedError),
        (403, "forbidden", errors.PermissionDeniedError),
        (403, "", errors.PermissionDeniedError),
        (400, "keyInvalid", errors.KeyInvalidError),
        (400, "keyExpired", errors.KeyInvalidError),
        (401, "authError", errors.KeyInvalidError),
        (401, "", errors.KeyInvalidError),
        (400, "invalidRegionCode", errors.ConfigError),
        (400, "missingRequiredParameter", errors.ConfigError),
        (400, "required", errors.ConfigError),
        (400, "invalidPageToken", errors.InvalidCursorError),
        (404, "videoNotFound", errors.GoneError),
        (410, "", errors.GoneError),
        (500, "backendError", errors.TransientError),
        (503, "backendError", errors.TransientError),
        (408, "", errors.TransientError),
        (301, "", errors.ConfigError),
    ],
)
def test_the_reason_decides_and_the_status_only_without_one(
    status: int, reason: str, expected: type[errors.SourceError]
) -> None:
    found = _google(status, reason)
    assert type(found) is expected
    assert found.status == status
    assert found.fix
    assert found.is_retryable == isinstance(found, errors.RetryableError)


def test_the_new_shape_of_an_invalid_key_is_found_in_the_details() -> None:
    assert type(_google(400, "badRequest", reason="API_KEY_INVALID")) is errors.KeyInvalidError


def test_a_rate_limit_per_day_is_a_spent_quota() -> None:
    found = _google(
        429,
        "rateLimitExceeded",
        reason="RATE_LIMIT_EXCEEDED",
        metadata={"quota_limit": "defaultSearchListPerDayPerProject"},
    )
    assert type(found) is errors.QuotaExhaustedError


def test_markup_in_messages_is_removed() -> None:
    found = _google(403, "quotaExceeded", 'Over your <a href="/quota">quota</a> &amp; done.')
    assert found.message == "YouTube says: Over your quota & done."


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>502</html>", b"null", b"[]", b'{"error": "x"}', b'{"error":' + b"[" * 100_000],
)
def test_any_body_at_all_gives_an_error(body: bytes) -> None:
    assert type(youtube_fault(502, {}, body)) is errors.TransientError
    assert type(twitch_fault(502, {}, body)) is errors.TransientError


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("body", [b"", b"<html>404</html>", b"[]", b"{}"])
def test_what_is_not_here_in_nobodys_words_is_somebody_elses_answer(
    status: int, body: bytes
) -> None:
    for fault, name in ((youtube_fault, "YOUTUBE"), (twitch_fault, "TWITCH")):
        found = fault(status, {}, body)
        assert type(found) is errors.ConfigError
        assert f"AURASTREAM_{name}_BASE_URL" in found.fix


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_in_nobodys_words_asks_first_what_stands_between(status: int) -> None:
    for fault, name in ((youtube_fault, "YOUTUBE"), (twitch_fault, "TWITCH")):
        page = fault(status, {}, b"<html>Sign in to the gateway</html>")
        without_words = fault(status, {}, b"")
        assert type(page) is type(without_words)
        assert f"AURASTREAM_{name}_BASE_URL" in page.fix
        assert page.fix.endswith(without_words.fix)
        assert "BASE_URL" not in without_words.fix


def test_a_success_that_is_no_answer_is_not_called_a_redirection() -> None:
    found = youtube_fault(204, {}, b"")
    assert type(found) is errors.MalformedError
    assert "204" in found.message


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, {"status": 401, "message": "invalid access token"}, errors.KeyInvalidError),
        (
            401,
            {"error": "Unauthorized", "status": 401, "message": "OAuth token is missing"},
            errors.KeyInvalidError,
        ),
        (400, {"status": 400, "message": "invalid client"}, errors.KeyInvalidError),
        (403, {"status": 403, "message": "invalid client secret"}, errors.KeyInvalidError),
        (
            400,
            {"error": "Bad Request", "status": 400, "message": "invalid cursor"},
            errors.InvalidCursorError,
        ),
        (
            400,
            {"error": "Bad Request", "status": 400, "message": "Missing game_id"},
            errors.ConfigError,
        ),
        (403, {"error": "Forbidden", "status": 403, "message": "no"}, errors.PermissionDeniedError),
        (404, {"error": "Not Found", "status": 404, "message": "no"}, errors.GoneError),
        (
            500,
            {"error": "Server", "status": 500, "message": "x"},
            errors.TransientError,
        ),
        (
            429,
            {"error": "Too Many", "status": 429, "message": "x"},
            errors.RateLimitedError,
        ),
    ],
)
def test_both_shapes_of_twitch_errors_are_understood(
    status: int, body: dict[str, Any], expected: type[errors.SourceError]
) -> None:
    assert type(twitch_fault(status, {}, json.dumps(body).encode())) is expected


@pytest.mark.parametrize(
    ("body", "is_batch", "expected"),
    [
        (b'{"error":"Internal Server Error","status":500,"message":""}', True, True),
        (b'{"error":"Internal Server Error","status":500,"message":""}', False, False),
        (b"", True, False),
    ],
)
def test_an_empty_500_to_a_batch_of_ids_belongs_to_the_data(
    body: bytes, *, is_batch: bool, expected: bool
) -> None:
    found = twitch_fault(500, {}, body, is_batch=is_batch)
    assert isinstance(found, errors.TransientError)
    assert found.is_data_dependent == expected


def test_the_wait_is_reckoned_by_the_platforms_own_clock() -> None:
    headers = {"Date": "Sat, 21 Nov 2026 12:00:00 GMT", "Ratelimit-Reset": "1795262437"}
    found = twitch_fault(429, headers, b"{}")
    assert isinstance(found, errors.RateLimitedError)
    assert found.retry_after_s == 37.0
    assert not found.is_resource_cap


def test_a_429_with_calls_left_is_a_resource_cap() -> None:
    found = twitch_fault(429, {"Ratelimit-Remaining": "795"}, b"{}")
    assert isinstance(found, errors.RateLimitedError)
    assert found.is_resource_cap


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    headers = {"date": "Sat, 21 Nov 2026 12:00:00 GMT", "retry-after": header}
    found = youtube_fault(503, headers, b"")
    assert isinstance(found, errors.TransientError)
    assert found.retry_after_s == seconds


def test_an_unreadable_date_is_none() -> None:
    assert answered_at({}) is None
    assert answered_at({"Date": "yesterday"}) is None


@pytest.mark.parametrize(
    "date",
    [
        "Fri, 31 Dec 9999 23:59:59 -0500",
        "Mon, 01 Jan 0101 00:00:00 +2300",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Sat, 21 Nov 2026 12:00:00 +9999999999",
    ],
)
def test_a_date_that_nobody_can_believe_is_none(date: str) -> None:
    assert answered_at({"Date": date}) is None
    assert twitch_fault(429, {"Date": date, "Ratelimit-Reset": "5"}, b"{}").status == 429
    assert youtube_fault(503, {"Retry-After": date}, b"").status == 503


def test_every_error_tells_permanent_from_retryable_by_its_type() -> None:
    for name in errors.__all__:
        kind = getattr(errors, name)
        if kind is errors.SourceError:
            continue
        is_permanent = issubclass(kind, errors.PermanentError)
        assert is_permanent != issubclass(kind, errors.RetryableError)
        assert kind.is_retryable == (not is_permanent)


def test_each_platform_is_mended_in_its_own_words() -> None:
    youtube = youtube_fault(403, {}, b"{}").fix
    twitch = twitch_fault(403, {}, b"{}").fix
    assert "project" in youtube
    assert "Google" in youtube
    assert "application" in twitch
    assert "project" not in twitch
    assert "API is enabled" not in twitch
