"""Google's error bodies, word for word where a recorded one exists."""

from typing import Any

from aurastream.replay.wire import Answer, ApiError

__all__ = [
    "QUOTA_MESSAGE",
    "backend_error",
    "forbidden",
    "invalid_key",
    "invalid_value",
    "no_method",
    "not_writable",
    "parameter_error",
    "quota_exceeded",
    "rate_limited",
    "unregistered",
]

QUOTA_MESSAGE = (
    "The request cannot be completed because you have exceeded your "
    '<a href="/youtube/v3/getting-started#quota">quota</a>.'
)


def _error(
    code: int,
    message: str,
    *,
    reason: str,
    domain: str,
    location: str | None = None,
    **more: Any,  # noqa: ANN401 # any JSON
) -> ApiError:
    detail = {"message": message, "domain": domain, "reason": reason}
    if location is not None:
        detail |= {"location": location, "locationType": "parameter"}
    body = {"error": {"code": code, "message": message, "errors": [detail], **more}}
    answer = Answer.json(body, code)
    answer.media_type = "application/json; charset=UTF-8"
    return ApiError(answer)


def parameter_error(
    reason: str,
    message: str,
    location: str,
    *,
    domain: str = "youtube.parameter",
    status: int = 400,
) -> ApiError:
    """Return the error for a parameter that is missing, unknown or impossible."""
    return _error(status, message, reason=reason, domain=domain, location=location)


def invalid_value(location: str, value: str, low: int, high: int) -> ApiError:
    """Return the error for a number out of range."""
    message = f"Invalid value '{value}'. Values must be within the range: [{low}, {high}]"
    return parameter_error("invalidParameter", message, location, domain="global")


def quota_exceeded() -> ApiError:
    """Return the 403 of an empty quota bucket."""
    return _error(403, QUOTA_MESSAGE, reason="quotaExceeded", domain="youtube.quota")


def rate_limited() -> ApiError:
    """Return the 429 for too many requests in too short a time."""
    message = (
        "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' of service "
        "'youtube.googleapis.com' for consumer."
    )
    return _error(
        429, message, reason="rateLimitExceeded", domain="global", status="RESOURCE_EXHAUSTED"
    )


def invalid_key(*, old_style: bool = False) -> ApiError:
    """Return the 400 for a key that is not valid, in today's or in the older shape."""
    if old_style:
        return _error(400, "Bad Request", reason="keyInvalid", domain="usageLimits")
    return _error(
        400,
        "API key not valid. Please pass a valid API key.",
        reason="badRequest",
        domain="global",
        status="INVALID_ARGUMENT",
        details=[
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "youtube.googleapis.com"},
            }
        ],
    )


def unregistered() -> ApiError:
    """Return the 403 for a request without a key."""
    message = (
        "Method doesn't allow unregistered callers (callers without established identity). "
        "Please use API Key or other form of API consumer identity to call this API."
    )
    return _error(403, message, reason="forbidden", domain="global", status="PERMISSION_DENIED")


def forbidden(reason: str = "forbidden", message: str = "Forbidden") -> ApiError:
    """Return a 403 that no retry will mend."""
    return _error(403, message, reason=reason, domain="global")


def no_method() -> ApiError:
    """Return the 404 for a path that the API does not have."""
    message = "Method not found."
    return _error(404, message, reason="notFound", domain="global", status="NOT_FOUND")


def not_writable() -> ApiError:
    """Return the 401 for a method that changes something: a key alone may read only."""
    message = (
        "API keys are not supported by this API. Expected OAuth2 access token or other "
        "authentication credentials that assert a principal."
    )
    return _error(401, message, reason="required", domain="global", status="UNAUTHENTICATED")


def backend_error(status: int = 503) -> ApiError:
    """Return a failure on Google's side."""
    return _error(status, "Backend Error", reason="backendError", domain="global")
