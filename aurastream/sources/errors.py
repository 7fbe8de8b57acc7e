"""What can go wrong between us and a platform, as one tree.

::

    SourceError
    ├── RetryableError            the same call may succeed later
    │   ├── TransientError        5xx, timeout, connection lost: retried with backoff
    │   ├── RateLimitedError      too many calls: retried once the platform says so
    │   ├── MalformedError        the answer is not what the API documents: asked once more
    │   ├── LedgerUnavailableError  our own record of the quota does not answer: nothing is asked
    │   └── CircuitOpenError      the host failed too often; not asked at all for a while
    └── PermanentError            the same call fails again until somebody changes something
        ├── QuotaExhaustedError   today's units are spent; served from snapshots until the reset
        ├── KeyInvalidError       the key, client id, secret or token is not accepted
        ├── ConfigError           a parameter is wrong or missing
        │   └── InvalidCursorError    a paging cursor died in the middle of a crawl
        ├── PermissionDeniedError the project or the key may not do this
        └── GoneError             what was asked for does not exist (any more)

Permanent and retryable failures are different types, so that a missing video never eats quota
through retries. Every message says what to do about it. No message holds a credential.
"""

from typing import TYPE_CHECKING, ClassVar

from aurastream.core.errors import AuraStreamError

if TYPE_CHECKING:
    from aurastream.sources.ports import FetchRecord

__all__ = [
    "CircuitOpenError",
    "ConfigError",
    "GoneError",
    "InvalidCursorError",
    "KeyInvalidError",
    "LedgerUnavailableError",
    "MalformedError",
    "PermanentError",
    "PermissionDeniedError",
    "QuotaExhaustedError",
    "RateLimitedError",
    "RetryableError",
    "SourceError",
    "TransientError",
]


class SourceError(AuraStreamError):
    """A platform did not give us what we asked for.

    Parameters
    ----------
    message : str
        What happened, in one sentence.
    fix : str, optional
        What to do about it, in one sentence.
    status : int or None, optional
        HTTP status of the answer; None when there was no answer.
    reason : str, optional
        The platform's own word for it, for example ``quotaExceeded``.

    Attributes
    ----------
    outcome : str
        Short name of the class, as it stands in ``operations.fetch_log``.
    is_retryable : bool
        Whether the same call may succeed later without anybody's help.
    fetches : tuple of FetchRecord
        The failed call and those that failed before it, set by the clients; they belong into the
        fetch log.
    """

    outcome: ClassVar[str] = "error"
    is_retryable: ClassVar[bool] = False

    def __init__(
        self, message: str, *, fix: str = "", status: int | None = None, reason: str = ""
    ) -> None:
        super().__init__(message, fix=fix)
        self.status = status
        self.reason = reason
        self.fetches: tuple[FetchRecord, ...] = ()


class RetryableError(SourceError):
    """The same call may succeed later.

    Parameters
    ----------
    message, fix, status, reason
        See `SourceError`.
    retry_after_s : float or None, optional
        Seconds to wait before asking again, where the platform (or the breaker) says so.
    """

    is_retryable: ClassVar[bool] = True

    def __init__(
        self,
        message: str,
        *,
        fix: str = "",
        status: int | None = None,
        reason: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, fix=fix, status=status, reason=reason)
        self.retry_after_s = retry_after_s


class LedgerUnavailableError(RetryableError):
    """The quota ledger does not answer, so that nothing may be asked; no fault of the platform."""

    outcome: ClassVar[str] = "ledger_away"


class TransientError(RetryableError):
    """The platform or the way to it failed.

    Parameters
    ----------
    message, fix, status, reason, retry_after_s
        See `RetryableError`.
    is_data_dependent : bool, optional
        The failure belongs to what was asked, not to the host: splitting the batch may help, and
        the circuit breaker does not count it.
    was_sent : bool, optional
        Whether the request may have reached the platform, and so may have cost quota.
    """

    outcome: ClassVar[str] = "transient"

    def __init__(
        self,
        message: str,
        *,
        fix: str = "",
        status: int | None = None,
        reason: str = "",
        retry_after_s: float | None = None,
        is_data_dependent: bool = False,
        was_sent: bool = True,
    ) -> None:
        super().__init__(
            message, fix=fix, status=status, reason=reason, retry_after_s=retry_after_s
        )
        self.is_data_dependent = is_data_dependent
        self.was_sent = was_sent


class RateLimitedError(RetryableError):
    """Too many calls in too short a time.

    Parameters
    ----------
    message, fix, status, reason, retry_after_s
        See `RetryableError`.
    is_resource_cap : bool, optional
        The platform answered 429 although its headers say that calls are left: not a matter of
        waiting, so the retries are few.
    """

    outcome: ClassVar[str] = "rate_limited"

    def __init__(
        self,
        message: str,
        *,
        fix: str = "",
        status: int | None = None,
        reason: str = "",
        retry_after_s: float | None = None,
        is_resource_cap: bool = False,
    ) -> None:
        super().__init__(
            message, fix=fix, status=status, reason=reason, retry_after_s=retry_after_s
        )
        self.is_resource_cap = is_resource_cap


class MalformedError(RetryableError):
    """The answer is not what the API documents.

    Parameters
    ----------
    message, fix, status, reason, retry_after_s
        See `RetryableError`.
    raw : str, optional
        The body as it came, for the quarantine.
    """

    outcome: ClassVar[str] = "malformed"

    def __init__(
        self,
        message: str,
        *,
        fix: str = "",
        status: int | None = None,
        reason: str = "",
        retry_after_s: float | None = None,
        raw: str = "",
    ) -> None:
        super().__init__(
            message, fix=fix, status=status, reason=reason, retry_after_s=retry_after_s
        )
        self.raw = raw


class CircuitOpenError(RetryableError):
    """The host failed too often and is left alone for a while; nothing was sent."""

    outcome: ClassVar[str] = "circuit_open"


class PermanentError(SourceError):
    """The same call fails again until somebody changes something."""


class QuotaExhaustedError(PermanentError):
    """The day's quota units are spent."""

    outcome: ClassVar[str] = "quota"


class KeyInvalidError(PermanentError):
    """The key, client id, client secret or token is not accepted."""

    outcome: ClassVar[str] = "key"


class ConfigError(PermanentError):
    """A parameter of the call is wrong or missing."""

    outcome: ClassVar[str] = "config"


class InvalidCursorError(ConfigError):
    """A paging cursor is not accepted any more; the pages before it are good."""

    outcome: ClassVar[str] = "cursor"


class PermissionDeniedError(PermanentError):
    """The project or the key may not do this."""

    outcome: ClassVar[str] = "permission"


class GoneError(PermanentError):
    """What was asked for does not exist, or does not exist any more."""

    outcome: ClassVar[str] = "gone"
