"""Error answers into the error tree. No I/O.

The same HTTP status means different things: a 403 may be a spent quota, a rate limit, a key
without rights, or ``SERVICE_UNAVAILABLE``, which looks as if one could try again and is a refusal.
So the platform's reason decides, and the status only where no reason is known.
"""

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import msgspec

from aurastream.sources.errors import (
    ConfigError,
    GoneError,
    InvalidCursorError,
    KeyInvalidError,
    MalformedError,
    PermissionDeniedError,
    QuotaExhaustedError,
    RateLimitedError,
    SourceError,
    TransientError,
)
from aurastream.sources.wire.values import is_believable

__all__ = ["answered_at", "twitch_fault", "youtube_fault"]

_TAG: Final = re.compile(r"<[^>]*>")
_SPENT: Final = frozenset({"quotaExceeded", "dailyLimitExceeded", "dailyLimitExceeded402"})
_TOO_FAST: Final = frozenset(
    {
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "RATE_LIMIT_EXCEEDED",
        "uploadRateLimitExceeded",
        "servingLimitExceeded",
        "concurrentLimitExceeded",
        "limitExceeded",
    }
)
_BAD_KEY: Final = frozenset({"keyInvalid", "keyExpired", "API_KEY_INVALID", "authError"})
_BAD_PAGE: Final = frozenset({"invalidPageToken"})
_NOT_HERE: Final = frozenset({404, 410})

_FIX_QUOTA: Final = (
    "Stored snapshots are served until the quota resets at midnight Pacific; "
    "`aurastream quota` shows what used it up."
)
_FIX_RATE: Final = "The call is repeated later by itself; lower max_parallel_requests if it stays."
_FIX_YOUTUBE_KEY: Final = (
    "Set YOUTUBE_API_KEY to a valid key of a project with the YouTube Data API v3 enabled."
)
_FIX_TWITCH_KEY: Final = (
    "Check TWITCH_CLIENT_ID and TWITCH_CLIENT_SECRET; a new secret is made in the Twitch console."
)
_FIX_PARAMETER: Final = "Correct the catalogue or the settings that name it; it is not repeated."
_FIX_CURSOR: Final = "The pages before it are kept and the crawl is marked incomplete."
_FIX_FORBIDDEN: Final = {
    "YouTube": "Check in the Google console that the project exists, that the API is enabled for "
    "it and that the key's restrictions allow this machine; it is not repeated.",
    "Twitch": "Check in the Twitch console that the application exists and belongs to an account "
    "in good standing; what needs a user's consent an app token may not ask for. It is not "
    "repeated.",
}
_FIX_GONE: Final = "Nothing to do: it is treated as deleted."
_FIX_TRANSIENT: Final = "It is repeated with growing pauses; look at the platform's status page."


def youtube_fault(
    status: int, headers: Mapping[str, str], body: bytes, *, now: datetime | None = None
) -> SourceError:
    """Return the error that a YouTube (or any Google API) error answer stands for.

    Parameters
    ----------
    status : int
        HTTP status, any but 200.
    headers : mapping of str to str
        Headers of the answer, any case.
    body : bytes
        Body of the answer, anything.
    now : datetime, optional
        The time to which a Retry-After date is compared; default: the answer's Date header.

    Returns
    -------
    SourceError
        Not raised.
    """
    error = _object(_object(_json(body)).get("error"))
    reasons, limit = _google_reasons(error)
    message = _plain(error.get("message")) or f"HTTP {status}"
    said = f"YouTube says: {message}"
    if not said.endswith((".", "!", "?")):
        said += "."
    reason = reasons[0] if reasons else ""
    wait = _retry_after_s(headers, now)
    known = set(reasons)

    if known & _SPENT or "PerDay" in limit:
        return QuotaExhaustedError(said, fix=_FIX_QUOTA, status=status, reason=reason)
    if known & _BAD_KEY or status == 401:
        fix = _doubting(_FIX_YOUTUBE_KEY, b"" if error else body, name="YouTube")
        return KeyInvalidError(said, fix=fix, status=status, reason=reason)
    if known & _TOO_FAST or status == 429:
        return RateLimitedError(
            said, fix=_FIX_RATE, status=status, reason=reason, retry_after_s=wait
        )
    if known & _BAD_PAGE:
        return InvalidCursorError(said, fix=_FIX_CURSOR, status=status, reason=reason)
    if not error and status in _NOT_HERE:
        return _strangers(status, name="YouTube")
    stranger = b"" if error else body
    return _by_status(said, status, reason, wait, name="YouTube", stranger=stranger)


def twitch_fault(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    now: datetime | None = None,
    is_batch: bool = False,
) -> SourceError:
    """Return the error that an answer of Helix or of id.twitch.tv stands for.

    Both shapes are understood: Helix answers {"error", "status", "message"}, the identity server
    leaves ``error`` out.

    Parameters
    ----------
    status, headers, body, now
        As in `youtube_fault`.
    is_batch : bool
        Whether a batch of ids was asked for, one of which may spoil the answer.
    """
    answer = _object(_json(body))
    message = _plain(answer.get("message"))
    reason = _plain(answer.get("error"))
    said = f"Twitch says: {message or reason or f'HTTP {status}'}."
    stranger = b"" if message or reason else body
    lowered = message.lower()
    wait = _retry_after_s(headers, now)

    if status == 401 or any(
        words in lowered for words in ("invalid client", "client secret", "missing client id")
    ):
        fix = _doubting(_FIX_TWITCH_KEY, stranger, name="Twitch")
        return KeyInvalidError(said, fix=fix, status=status, reason=reason)
    if status == 429:
        left = _number(_header(headers, "ratelimit-remaining"))
        return RateLimitedError(
            said,
            fix=_FIX_RATE,
            status=status,
            reason=reason,
            retry_after_s=wait if wait is not None else _reset_in_s(headers, now),
            is_resource_cap=left is not None and left > 0,
        )
    if status == 400 and "cursor" in lowered:
        return InvalidCursorError(said, fix=_FIX_CURSOR, status=status, reason=reason)
    if is_batch and status == 500 and answer and not message:
        # Known of /channels: one id of the batch spoils the answer, and goes on doing so.
        return TransientError(
            said, fix=_FIX_TRANSIENT, status=status, reason=reason, is_data_dependent=True
        )
    if not (message or reason) and status in _NOT_HERE:
        return _strangers(status, name="Twitch")
    return _by_status(said, status, reason, wait, name="Twitch", stranger=stranger)


def answered_at(headers: Mapping[str, str]) -> datetime | None:
    """Return the Date header in UTC; None where there is none that can be read and believed.

    Examples
    --------
    >>> answered_at({"Date": "Tue, 15 Nov 2022 17:30:38 GMT"})
    datetime.datetime(2022, 11, 15, 17, 30, 38, tzinfo=datetime.timezone.utc)
    """
    return _http_date(_header(headers, "date"))


def _by_status(
    said: str,
    status: int,
    reason: str,
    wait: float | None,
    *,
    name: str,
    stranger: bytes = b"",
) -> SourceError:
    """Return what the status says; ``stranger`` is a body that is not in the platform's words."""
    if status in _NOT_HERE:
        return GoneError(said, fix=_FIX_GONE, status=status, reason=reason)
    if status in (402, 403):
        fix = _doubting(_FIX_FORBIDDEN[name], stranger, name=name)
        return PermissionDeniedError(said, fix=fix, status=status, reason=reason)
    if status in (408, 425) or status >= 500:
        return TransientError(
            said, fix=_FIX_TRANSIENT, status=status, reason=reason, retry_after_s=wait
        )
    if status < 300:
        return MalformedError(
            f"{name} answered {status}, which is no answer to what was asked.",
            fix=_FIX_TRANSIENT,
            status=status,
        )
    if status < 400:
        return ConfigError(
            f"{name} answered with a redirection ({status}).",
            fix=f"Set AURASTREAM_{name.upper()}_BASE_URL to the API itself.",
            status=status,
        )
    return ConfigError(said, fix=_FIX_PARAMETER, status=status, reason=reason)


def _strangers(status: int, *, name: str) -> SourceError:
    """Return what a "not here" in nobody's words means: that nothing was deleted, at least."""
    return ConfigError(
        f"HTTP {status}, and not in the words of {name}: something else answers in its place.",
        fix=_between(name),
        status=status,
    )


def _doubting(fix: str, stranger: bytes, *, name: str) -> str:
    """Return an advice; after the question who refused, where it is in words of somebody else."""
    if not stranger.strip():
        return fix
    return f"These are not the words of {name}. {_between(name)} If none of these refused: {fix}"


def _between(name: str) -> str:
    return (
        f"Check AURASTREAM_{name.upper()}_BASE_URL, and what stands between: a proxy, a gateway, "
        "a name server."
    )


def _google_reasons(error: Mapping[str, Any]) -> tuple[list[str], str]:
    """Return every reason of a Google error, the most telling first, and the limit it names."""
    details = [_object(item) for item in _list(error.get("details"))]
    named = [item["reason"] for item in details if isinstance(item.get("reason"), str)]
    listed = [
        item["reason"]
        for item in map(_object, _list(error.get("errors")))
        if isinstance(item.get("reason"), str)
    ]
    limits = [str(_object(item.get("metadata")).get("quota_limit", "")) for item in details]
    return named + listed, " ".join(limits)


def _retry_after_s(headers: Mapping[str, str], now: datetime | None) -> float | None:
    text = _header(headers, "retry-after")
    if (seconds := _number(text)) is not None:
        return max(0.0, seconds)
    moment = _http_date(text)
    since = now or answered_at(headers)
    if moment is None or since is None:
        return None
    return max(0.0, (moment - since).total_seconds())


def _reset_in_s(headers: Mapping[str, str], now: datetime | None) -> float | None:
    """Return the seconds until Ratelimit-Reset, by the platform's own clock where it is given."""
    reset = _number(_header(headers, "ratelimit-reset"))
    since = answered_at(headers) or now
    if reset is None or since is None:
        return None
    return max(0.0, reset - since.timestamp())


def _header(headers: Mapping[str, str], name: str) -> str:
    return next((value for key, value in headers.items() if key.lower() == name), "")


def _number(text: str) -> float | None:
    return float(text) if text.isdecimal() and text.isascii() else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return moment.astimezone(UTC) if is_believable(moment) else None


def _json(body: bytes) -> object:
    try:
        found: object = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return None
    return found


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _plain(value: object) -> str:
    """Return a message without the markup that YouTube puts into it."""
    return html.unescape(_TAG.sub("", value)).strip().rstrip(".") if isinstance(value, str) else ""
