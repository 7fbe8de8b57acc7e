"""Files of thumbnails: fetched in full or not at all, within a size, a time and a list of hosts.

A thumbnail is one of thousands and may be anything, so that nothing here ends a crawl: whatever
goes wrong with one is a `ThumbnailRejectedError` with its reason, and the others go on. The
address came from a platform's answer, but it is not trusted for that: only hosts that were named
are asked, and no redirect is followed.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

import httpx
import tenacity

from aurastream.core.thumbnails_decode import RejectionReason, ThumbnailRejectedError
from aurastream.sources.bounds import BodyTooLargeError, read_body, within
from aurastream.sources.breaker import CircuitBreakers
from aurastream.sources.errors import CircuitOpenError, SourceError, TransientError
from aurastream.sources.ports import (
    Breaker,
    Clock,
    FetchRecord,
    NoLimiter,
    RateLimiter,
    SystemClock,
)
from aurastream.sources.transport import RetryPolicy, http_client

__all__ = ["PLATFORM_HOSTS", "ThumbnailClient", "ThumbnailFile", "UnfetchedThumbnailError"]

PLATFORM_HOSTS: Final = ("ytimg.com", "ggpht.com", "googleusercontent.com", "jtvnw.net")
"""Where YouTube and Twitch keep their pictures; with the hosts below them."""

_OK: Final = 200
_NOT_MODIFIED: Final = 304
_GONE: Final = frozenset({404, 410})
_SERVER_ERROR: Final = 500
_TOO_MANY: Final = 429
_CHUNK: Final = 1 << 16
_ACCEPT: Final = "image/jpeg,image/png,image/webp,image/gif"
_RETRY: Final = RetryPolicy(max_attempts=3, total_s=60.0)


@dataclass(frozen=True, slots=True, eq=False)
class ThumbnailFile:
    """What an address gave.

    Parameters
    ----------
    data : bytes or None
        The file; None when it is the one whose etag was sent.
    etag : str or None
        The server's name of the file.
    record : FetchRecord
        The call.
    """

    data: bytes | None
    etag: str | None
    record: FetchRecord


class UnfetchedThumbnailError(ThumbnailRejectedError):
    """A thumbnail could not be fetched, or may not be.

    Parameters
    ----------
    reason, message
        See `ThumbnailRejectedError`.
    record : FetchRecord or None
        The call; None when nothing was asked.
    is_postponed : bool
        The host is left alone for a while and this file was not asked for, so that nothing is known
        of it: it is to be asked for another time.
    """

    def __init__(
        self,
        reason: RejectionReason,
        message: str,
        record: FetchRecord | None = None,
        *,
        is_postponed: bool = False,
    ) -> None:
        super().__init__(reason, message)
        self.record = record
        self.is_postponed = is_postponed


class ThumbnailClient:
    """Fetches thumbnails. Thread-safe.

    Parameters
    ----------
    hosts : sequence of str
        Hosts that may be asked (``host`` or ``host:port``), with those below them.
    moved_to : str or None
        The replay server as it is reached now, ``host:port``. Its addresses are stored with the
        port that it had then, which may have been taken since; they are asked there.
    http : httpx.Client, optional
        Connection pool made by `aurastream.sources.transport.http_client`; its own by default.
    limiter, breaker, clock
        The ports; by default no pace, a breaker of this process, the machine's clock.
    retry : RetryPolicy
        How often and how long a fetch is repeated.
    timeout_s : float
        Seconds that one try may take in all, from the first byte sent to the last one received.
    max_connections : int
        Of its own connection pool: fetches that may be under way at a time.
    max_bytes : int
        Bytes of a file; reading stops at the first one more.
    extra_headers : callable or None
        Asked before every try, for example for the moment that the replay shall play.
    run_id : str or None
        Dagster run.
    """

    def __init__(
        self,
        hosts: Sequence[str] = PLATFORM_HOSTS,
        *,
        moved_to: str | None = None,
        http: httpx.Client | None = None,
        limiter: RateLimiter | None = None,
        breaker: Breaker | None = None,
        clock: Clock | None = None,
        retry: RetryPolicy = _RETRY,
        timeout_s: float = 30.0,
        max_connections: int = 10,
        max_bytes: int = 5_000_000,
        extra_headers: Callable[[], Mapping[str, str]] | None = None,
        run_id: str | None = None,
    ) -> None:
        self._hosts = tuple(hosts)
        self._moved_to = httpx.URL(f"http://{moved_to}") if moved_to else None
        self._http = http or http_client(timeout_s=timeout_s, max_connections=max_connections)
        self._owns_http = http is None
        self._limiter = limiter or NoLimiter()
        self.clock = clock or SystemClock()
        self._breaker = breaker or CircuitBreakers(clock=self.clock)
        self._retry = retry
        self._timeout_s = timeout_s
        self.max_bytes = max_bytes
        self._extra_headers = extra_headers or dict
        self._run_id = run_id

    def __enter__(self) -> Self:
        """Return the client; it is closed on leaving."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close the connection pool, unless it is shared."""
        if self._owns_http:
            self._http.close()

    def fetch(self, url: str, etag: str | None = None) -> ThumbnailFile:
        """Fetch a file.

        Parameters
        ----------
        url : str
            Its address.
        etag : str, optional
            The server's name of the file that is known already.

        Raises
        ------
        UnfetchedThumbnailError
            When there is no file, or none that may be taken; with its reason and its call.
        """
        url = self._where_it_is_now(url)
        host = self._host(url)
        tries = _Tries(url, etag, started_at=self.clock.now())
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(TransientError),
            wait=tenacity.wait_random_exponential(
                multiplier=self._retry.base_s, max=self._retry.cap_s
            ),
            stop=tenacity.stop_after_attempt(self._retry.max_attempts),
            sleep=self.clock.sleep,
            reraise=True,
        )
        try:
            # Around all tries: the three of one file are one failure of the host.
            with self._breaker.guard(host):
                data, found = retrying(self._once, host, tries)
        except ThumbnailRejectedError as error:
            record = tries.record("rejected", self._run_id)
            raise UnfetchedThumbnailError(error.reason, error.message, record) from None
        except SourceError as error:
            raise UnfetchedThumbnailError(
                RejectionReason.UNREACHABLE,
                error.message,
                tries.record(error.outcome, self._run_id),
                is_postponed=isinstance(error, CircuitOpenError),
            ) from None
        outcome = "not_modified" if data is None else "ok"
        return ThumbnailFile(data, found or etag, tries.record(outcome, self._run_id))

    def _where_it_is_now(self, url: str) -> str:
        if self._moved_to is None:
            return url
        try:
            stored = httpx.URL(url)
        except (httpx.InvalidURL, TypeError):
            return url
        is_its = stored.host == self._moved_to.host
        return str(stored.copy_with(port=self._moved_to.port)) if is_its else url

    def _host(self, url: str) -> str:
        try:
            address = httpx.URL(url)
            host = address.netloc.decode("ascii")
        except (httpx.InvalidURL, TypeError, UnicodeDecodeError):
            address, host = httpx.URL(), ""
        is_known = any(host == name or host.endswith(f".{name}") for name in self._hosts)
        if address.scheme not in {"http", "https"} or address.userinfo or not is_known:
            raise UnfetchedThumbnailError(
                RejectionReason.FOREIGN_HOST,
                f"Thumbnails are not fetched from {host or url[:80]!r}.",
            )
        return host

    def _once(self, host: str, tries: "_Tries") -> tuple[bytes | None, str | None]:
        self._limiter.acquire(host)
        headers = {
            **self._extra_headers(),
            "Accept": _ACCEPT,
            # A packed answer could unpack into anything; pictures are packed already.
            "Accept-Encoding": "identity",
        }
        if tries.etag is not None:
            headers["If-None-Match"] = tries.etag
        tries.began()
        started_s = self.clock.monotonic()
        try:
            with (
                within(self._timeout_s, host),
                self._http.stream("GET", tries.url, headers=headers) as response,
            ):
                tries.status = response.status_code
                return self._read(response, host), response.headers.get("etag")
        except httpx.HTTPError as error:
            raise TransientError(
                f"{host} did not send the thumbnail ({type(error).__name__})."
            ) from None
        finally:
            tries.ended(self.clock.now(), self.clock.monotonic() - started_s)

    def _read(self, response: httpx.Response, host: str) -> bytes | None:
        status = response.status_code
        if status == _NOT_MODIFIED:
            return None
        if status in _GONE:
            raise ThumbnailRejectedError(
                RejectionReason.MISSING, f"There is no thumbnail: {host} answered {status}."
            )
        if status >= _SERVER_ERROR or status == _TOO_MANY:
            raise TransientError(f"{host} answered {status}.", status=status)
        if status != _OK:
            raise ThumbnailRejectedError(
                RejectionReason.UNREACHABLE, f"{host} answered {status} and no thumbnail."
            )
        try:
            return read_body(response, response.iter_raw(_CHUNK), self.max_bytes)
        except BodyTooLargeError as error:
            raise ThumbnailRejectedError(
                RejectionReason.TOO_MANY_BYTES,
                f"The thumbnail has {error.size:,} bytes or more; {self.max_bytes:,} are accepted.",
            ) from None


class _Tries:
    """The tries of one fetch, for its record."""

    def __init__(self, url: str, etag: str | None, *, started_at: datetime) -> None:
        self.url = url
        self.etag = etag
        self.status: int | None = None
        self._attempts = 0
        self._at = started_at
        self._duration_s = 0.0
        self._fetch_id = str(uuid.uuid4())

    def began(self) -> None:
        self._attempts += 1
        self.status = None

    def ended(self, at: datetime, duration_s: float) -> None:
        self._at, self._duration_s = at, duration_s

    def record(self, outcome: str, run_id: str | None) -> FetchRecord:
        return FetchRecord(
            observed_at=self._at,
            fetch_id=self._fetch_id,
            platform="youtube",
            endpoint="thumbnails",
            params={"url": self.url},
            status=self.status,
            outcome=outcome,
            items=int(outcome in {"ok", "not_modified"}),
            rejected=int(outcome not in {"ok", "not_modified"}),
            attempts=self._attempts,
            duration_ms=self._duration_s * 1_000,
            units=0,
            bucket="",
            run_id=run_id,
        )
