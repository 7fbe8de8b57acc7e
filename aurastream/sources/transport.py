"""One call to a platform: quota gate, pace, circuit breaker, retries, typed error, record.

The breaker refuses a call while its circuit is open, and is told how the call ended, after all its
tries: a host that answers the second try is well, and one call's tries alone cannot open a circuit.
Whatever is sent passes the same doors in this order: the gate takes the units (a repeated call
costs again), the limiter waits. What was never sent is refunded. Credentials travel in headers
only: an address is logged by half the world.
"""

import logging
import ssl
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, Generic, Protocol, TypeVar

import httpx
import tenacity

from aurastream.core.errors import InvalidInputError
from aurastream.core.quota import cost_table
from aurastream.sources.bounds import BodyTooLargeError, bounded, read_body, within
from aurastream.sources.breaker import CircuitBreakers
from aurastream.sources.errors import (
    CircuitOpenError,
    ConfigError,
    KeyInvalidError,
    MalformedError,
    QuotaExhaustedError,
    RateLimitedError,
    RetryableError,
    SourceError,
    TransientError,
)
from aurastream.sources.ports import (
    Breaker,
    Clock,
    FetchRecord,
    NoLimiter,
    OpenGate,
    Platform,
    QuotaGate,
    RateLimiter,
    SystemClock,
)
from aurastream.sources.wire.faults import answered_at
from aurastream.sources.wire.pages import printable

__all__ = [
    "Answer",
    "Auth",
    "EtagCache",
    "Etags",
    "Fault",
    "RetryPolicy",
    "Transport",
    "clean_credential",
    "http_client",
]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_AGREEMENT: Final = timedelta(seconds=3)
_DISAGREEMENT_S: Final = 60.0
_FIVE_MINUTES_MS: Final = 5 * 60 * 1_000
_NOT_MODIFIED: Final = 304
_OK: Final = 200
_UNAUTHORIZED: Final = 401
_RATE_REMAINING: Final = "ratelimit-remaining"
# Once the timeout each for the connection, for the first byte and for the body: in the 20 s of the
# default a page of 0.1 MB needs 5 kB/s, the largest there can be 100.
_TIMEOUTS_PER_TRY: Final = 3
# Fifty videos with descriptions of 5,000 characters of four bytes, which the API sends twice, are
# 2 MB; a real page has 0.1. Unpacking adds 66 MB at most before the size is looked at.
_MAX_BODY: Final = 8 * 2**20
_QUOTED: Final = 4_000  # bytes of a body too large that are kept for the quarantine

Params = Sequence[tuple[str, str]]
Fault = Callable[..., SourceError]


class Auth(Protocol):
    """Credentials of a platform."""

    def headers(self) -> Mapping[str, str]:
        """Return the headers that carry the credentials."""

    def renew(self, sent: Mapping[str, str]) -> bool:
        """Replace credentials that were not accepted; return whether there are others now."""


class Etags(Protocol):
    """Bodies by request."""

    def get(self, key: object) -> tuple[str, bytes] | None:
        """Return etag and body of a request, or None."""

    def put(self, key: object, etag: str, body: bytes) -> None:
        """Keep the body of a request."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long a call is repeated.

    Parameters
    ----------
    max_attempts : int
        Tries of a call that fails in passing, 1 or more.
    max_doubtful_attempts : int
        Tries where repeating seldom helps: a malformed answer, a failure that belongs to the data.
    max_capped_attempts : int
        Tries against a 429 that is no rate limit.
    base_s : float
        Longest first pause in seconds; it doubles with every try.
    cap_s : float
        Longest pause of our own choosing in seconds. The platform's Retry-After may be longer.
    total_s : float
        Seconds that all tries and pauses together may take; no try alone takes longer.
    """

    max_attempts: int = 5
    max_doubtful_attempts: int = 2
    max_capped_attempts: int = 3
    base_s: float = 0.5
    cap_s: float = 30.0
    total_s: float = 120.0

    def attempts_for(self, error: BaseException | None) -> int:
        """Return how often a call may be tried that failed with ``error``; 1 is never again."""
        match error:
            case CircuitOpenError():
                return 1
            case MalformedError() | TransientError(is_data_dependent=True):
                return self.max_doubtful_attempts
            case RateLimitedError(is_resource_cap=True):
                return self.max_capped_attempts
            case TransientError() | RateLimitedError():
                return self.max_attempts
            case _:
                return 1


@dataclass(frozen=True, slots=True)
class Answer(Generic[_T]):
    """A decoded answer with all that the fetch log wants to know.

    Parameters
    ----------
    value : object
        What the decoder made of the body.
    headers : mapping of str to str
        Headers of the answer, lower case.
    record : callable
        Makes the `FetchRecord` from the numbers of accepted and rejected items.
    """

    value: _T
    headers: Mapping[str, str]
    record: Callable[[int, int], FetchRecord]


class EtagCache:
    """Bodies by request, so that an unchanged answer need not be sent again.

    Parameters
    ----------
    max_bytes : int
        Bytes of bodies kept; the least recently used go first. One body may take a quarter.
    """

    def __init__(self, max_bytes: int = 16 * 2**20) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[object, tuple[str, bytes]] = OrderedDict()

    def get(self, key: object) -> tuple[str, bytes] | None:
        """Return etag and body of a request, or None."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key]

    def put(self, key: object, etag: str, body: bytes) -> None:
        """Keep the body of a request."""
        with self._lock:
            old = self._entries.pop(key, None)
            self._size -= len(old[1]) if old else 0
            if len(body) > self._max_bytes // 4:
                return
            self._entries[key] = etag, body
            self._size += len(body)
            while self._size > self._max_bytes:
                _, (_, dropped) = self._entries.popitem(last=False)
                self._size -= len(dropped)


@cache
def _authorities() -> ssl.SSLContext:
    """Return whom we believe that they are who they say: read once, for all clients."""
    return httpx.create_ssl_context()


def http_client(*, timeout_s: float = 20.0, max_connections: int = 10) -> httpx.Client:
    """Return a pooled HTTP client (HTTP/1.1, gzip) for all threads.

    Over HTTP/2 all calls would share a connection, and the one whose time is up would end those of
    all others; a crawl makes a few at a time, each on a connection that is kept.

    Parameters
    ----------
    timeout_s : float
        Seconds to wait for a connection, for a free place in the pool and between two bytes. What
        an exchange may take in all is bounded by `aurastream.sources.bounds.within`.
    max_connections : int
        Connections in the pool.

    Raises
    ------
    ConfigError
        When the environment names a proxy that cannot be used.
    """
    try:
        client = httpx.Client(
            verify=_authorities(),
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0)),
            limits=httpx.Limits(
                max_connections=max_connections, max_keepalive_connections=max_connections
            ),
            headers={"Accept": "application/json", "User-Agent": "AuraStream (gzip)"},
            # A proxy of the environment is for the world outside, never for servers of our own.
            mounts=dict.fromkeys(("all://127.0.0.1", "all://localhost", "all://[::1]")),
            follow_redirects=False,
        )
    except ImportError:
        raise ConfigError(
            "A proxy that the environment names speaks SOCKS, which this program does not.",
            fix="Unset ALL_PROXY, or set HTTPS_PROXY to a proxy that speaks HTTP.",
        ) from None
    return bounded(client)


class Transport:
    """Makes calls to one host. Thread-safe.

    Parameters
    ----------
    platform : {"youtube", "twitch"}
        The platform.
    base_url : str
        Scheme, host and path under which the endpoints lie.
    fault : callable
        Makes an error of status, headers and body.
    auth : Auth or None
        Credentials.
    http : httpx.Client
        Connection pool made by `http_client`; shared, and closed by its owner. A try may take three
        times its timeout in all, from waiting for a connection to the last byte of the body.
    etags : Etags or None
        Memory of bodies by request; by default one of this transport alone.
    gate, limiter, breaker, clock
        The ports; by default no quota, no pace, a breaker of this process, the machine's clock.
    retry : RetryPolicy
        How often and how long a call is repeated.
    extra_headers : callable or None
        Asked before every try, for example for the moment that the replay shall play.
    quota_profile : str
        Prices by which a call's bucket is named, see `aurastream.core.quota`.
    run_id : str or None
        Dagster run, or the name of the loader.
    """

    def __init__(
        self,
        platform: Platform,
        base_url: str,
        *,
        fault: Fault,
        auth: Auth | None,
        http: httpx.Client,
        gate: QuotaGate | None = None,
        limiter: RateLimiter | None = None,
        breaker: Breaker | None = None,
        clock: Clock | None = None,
        retry: RetryPolicy | None = None,
        extra_headers: Callable[[], Mapping[str, str]] | None = None,
        etags: Etags | None = None,
        quota_profile: str = "granular_2026",
        run_id: str | None = None,
    ) -> None:
        self.platform = platform
        self.clock = clock or SystemClock()
        self.base_url = base_url.rstrip("/")
        self.host = _host(base_url)
        self.fault = fault
        self.auth = auth
        self.http = http
        self.gate = gate or OpenGate()
        self.limiter = limiter or NoLimiter()
        self.breaker = breaker or CircuitBreakers(clock=self.clock)
        self.retry = retry or RetryPolicy()
        longest_read_s = http.timeout.read
        self.deadline_s = (
            self.retry.total_s
            if longest_read_s is None
            else min(_TIMEOUTS_PER_TRY * longest_read_s, self.retry.total_s)
        )
        self.extra_headers = extra_headers or dict
        self.quota_profile = quota_profile
        self.run_id = run_id
        self.etags = etags or EtagCache()
        self.rate_remaining: int | None = None
        self.clock_off_s: float | None = None

    def call(
        self,
        endpoint: str,
        path: str,
        params: Params,
        decode: Callable[[bytes], _T],
        *,
        form: Mapping[str, str] | None = None,
        fault: Fault | None = None,
    ) -> Answer[_T]:
        """Make a call and decode its answer.

        Parameters
        ----------
        endpoint : str
            Name for quota and log, for example ``videos.list``.
        path : str
            Path below the base URL, without a leading slash.
        params : sequence of (str, str)
            The query; a key may come more than once. No credentials.
        decode : callable
            Body to value; raises `MalformedError`.
        form : mapping of str to str, optional
            Sent as a form by POST instead; may hold credentials, so it is never recorded.
        fault : callable, optional
            Makes this call's errors in place of the transport's own.

        Raises
        ------
        SourceError
            With the record of the call in its ``fetches``.
        """
        attempt = _Attempts(
            self,
            endpoint,
            path=path,
            params=params,
            decode=decode,
            form=form,
            fault=fault or self.fault,
        )
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(RetryableError),
            wait=_pause(self.retry),
            stop=self._stop(self.clock.monotonic()),
            before_sleep=_say(endpoint),
            sleep=self.clock.sleep,
            reraise=True,
        )
        try:
            if self.auth is not None:
                # Fetching a token has its own retries; they need not be multiplied by ours.
                self.auth.headers()
            with self.breaker.guard(self.host):
                return retrying(attempt)
        except _OthersFaultError as raised:
            raised.error.fetches = (attempt.record(0, 0, outcome=raised.error.outcome),)
            raise raised.error from None
        except SourceError as error:
            error.fetches = (attempt.record(0, 0, outcome=error.outcome),)
            raise

    def _stop(self, started_s: float) -> Callable[[tenacity.RetryCallState], bool]:
        def stop(state: tenacity.RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            elapsed = self.clock.monotonic() - started_s
            return (
                state.attempt_number >= self.retry.attempts_for(error)
                or elapsed + state.upcoming_sleep > self.retry.total_s
            )

        return stop


class _OthersFaultError(Exception):
    """Carries an error of another host past the retries and the breaker of this one."""

    def __init__(self, error: SourceError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def _others_fault() -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        raise _OthersFaultError(error) from None


@dataclass(frozen=True, slots=True)
class _Reply:
    """An answer, its body read and unpacked."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Attempts(Generic[_T]):
    """The tries of one call."""

    def __init__(
        self,
        transport: Transport,
        endpoint: str,
        *,
        path: str,
        params: Params,
        decode: Callable[[bytes], _T],
        form: Mapping[str, str] | None,
        fault: Fault,
    ) -> None:
        self._t = transport
        self._endpoint = endpoint
        self._url = f"{transport.base_url}/{path}"
        self._params = tuple(params)
        self._decode = decode
        self._form = form
        self._fault = fault
        self._fetch_id = str(uuid.uuid4())
        self._attempts = 0
        self._units = 0
        self._status: int | None = None
        self._observed_at = transport.clock.now()
        self._duration_ms = 0.0

    def __call__(self) -> Answer[_T]:
        """Try once; where credentials are refused and there are others, once more with these."""
        reply, cached, sent = self._send_through_the_doors()
        if reply.status == _UNAUTHORIZED and self._renewed(sent):
            reply, cached, _ = self._send_through_the_doors()
        if reply.status == _OK or (reply.status == _NOT_MODIFIED and cached is not None):
            return self._understand(reply, cached)
        error = self._fault(reply.status, reply.headers, reply.body, now=self._observed_at)
        if isinstance(error, QuotaExhaustedError):
            self._t.gate.exhausted(self._endpoint)
        raise error

    def _send_through_the_doors(self) -> tuple[_Reply, bytes | None, Mapping[str, str]]:
        """Send once; return the answer, the body known before, and the credentials."""
        t = self._t
        units = t.gate.spend(self._endpoint)
        self._units += units
        try:
            t.limiter.acquire(t.host)
            auth = self._credentials()
            return (*self._send(auth), auth)
        except (SourceError, _OthersFaultError) as error:
            if _never_sent(error):
                self._units -= units
                t.gate.refund(units)
            raise

    def _credentials(self) -> Mapping[str, str]:
        if self._t.auth is None:
            return {}
        with _others_fault():
            return self._t.auth.headers()

    def _renewed(self, sent: Mapping[str, str]) -> bool:
        if self._t.auth is None:
            return False
        with _others_fault():
            return self._t.auth.renew(sent)

    def _send(self, auth: Mapping[str, str]) -> tuple[_Reply, bytes | None]:
        t = self._t
        headers = {**t.extra_headers(), **auth}
        entry = t.etags.get((self._endpoint, self._params))
        if entry is not None and self._form is None:
            headers["If-None-Match"] = entry[0]
        self._attempts += 1
        self._status = None
        started_s = t.clock.monotonic()
        try:
            reply = self._ask(headers)
        except SourceError:
            self._observed_at = t.clock.now()
            raise
        finally:
            self._duration_ms = (t.clock.monotonic() - started_s) * 1_000
        left = reply.headers.get(_RATE_REMAINING, "")
        if left.isdecimal():
            t.rate_remaining = int(left)
        now = t.clock.now()
        said = answered_at(reply.headers)
        self._observed_at = _told_apart(said, now) if said else now
        if said is not None:
            self._compare_clocks(said, now)
        return reply, entry[1] if entry is not None else None

    def _ask(self, headers: Mapping[str, str]) -> _Reply:
        """Send once and read the answer, within the time and the size that there are."""
        t = self._t
        try:
            with (
                within(t.deadline_s, t.host),
                t.http.stream(
                    "GET" if self._form is None else "POST",
                    self._url,
                    params=list(self._params),
                    data=self._form,
                    headers=headers,
                ) as response,
            ):
                self._status = response.status_code
                body = read_body(response, response.iter_bytes(), _MAX_BODY)
        except httpx.HTTPError as error:
            raise _no_answer(t.host, error) from None
        except BodyTooLargeError as error:
            raise MalformedError(
                f"{t.host} answered with {error.size:,} bytes or more; {_MAX_BODY:,} are accepted.",
                fix="Check the base URL, and what stands between, such as a proxy.",
                status=self._status,
                raw=printable(error.start[:_QUOTED]),
            ) from None
        return _Reply(response.status_code, response.headers, body)

    def _compare_clocks(self, said: datetime, now: datetime) -> None:
        """Note how far the platform's clock is off ours, by which everything else here goes."""
        off_s, before = (said - now).total_seconds(), self._t.clock_off_s
        self._t.clock_off_s = off_s
        if abs(off_s) > _DISAGREEMENT_S and (before is None or abs(before) <= _DISAGREEMENT_S):
            _log.warning(
                "The clock of %s is %.0f s %s ours, and what it says is dated by it. Synchronise "
                "this machine with NTP; if ours is right, something in between answers for it.",
                self._t.host,
                abs(off_s),
                "ahead of" if off_s > 0 else "behind",
            )

    def _understand(self, reply: _Reply, cached: bytes | None) -> Answer[_T]:
        unchanged = reply.status == _NOT_MODIFIED and cached is not None
        body = cached if unchanged and cached is not None else reply.body
        try:
            value = self._decode(body)
        except MalformedError as error:
            error.status = reply.status
            raise
        etag = reply.headers.get("etag")
        if etag and not unchanged and self._form is None:
            self._t.etags.put((self._endpoint, self._params), etag, body)
        outcome = "not_modified" if unchanged else "ok"
        return Answer(
            value,
            reply.headers,
            lambda items, rejected: self.record(items, rejected, outcome=outcome),
        )

    def record(self, items: int, rejected: int, *, outcome: str) -> FetchRecord:
        """Return the record of the call as it stands."""
        t = self._t
        return FetchRecord(
            observed_at=self._observed_at,
            fetch_id=self._fetch_id,
            platform=t.platform,
            endpoint=self._endpoint,
            params=_as_mapping(self._params),
            status=self._status,
            outcome=outcome,
            items=items,
            rejected=rejected,
            attempts=self._attempts,
            duration_ms=self._duration_ms,
            units=self._units,
            bucket=_bucket(self._endpoint, t.quota_profile, self._observed_at),
            run_id=t.run_id,
        )


def _never_sent(error: SourceError | _OthersFaultError) -> bool:
    return (
        isinstance(error, _OthersFaultError)
        or (isinstance(error, TransientError) and not error.was_sent)
        or (isinstance(error, RateLimitedError) and error.status is None)
    )


def _no_answer(host: str, error: httpx.HTTPError) -> SourceError:
    """Return what a failure of the connection means; its text may quote headers, so it is not."""
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        return ConfigError(
            f"The request to {host} cannot be sent ({type(error).__name__}).",
            fix="Check the base URL and the keys for stray characters.",
        )
    if isinstance(error, httpx.DecodingError):
        return TransientError(
            f"{host} sent a body that cannot be unpacked.",
            fix="It is repeated with growing pauses.",
        )
    sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return TransientError(
        f"{host} did not answer ({type(error).__name__}).",
        fix="It is repeated with growing pauses; check the network and the base URL.",
        was_sent=sent,
    )


def _pause(policy: RetryPolicy) -> Callable[[tenacity.RetryCallState], float]:
    """Return exponential pauses with full jitter, or as long as the platform says."""
    backoff = tenacity.wait_random_exponential(multiplier=policy.base_s, max=policy.cap_s)
    jitter = tenacity.wait_random(0, policy.base_s)

    def pause(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, RetryableError) and error.retry_after_s is not None:
            # All processes are told the same second; not all should come back in it.
            return error.retry_after_s + jitter(state)
        return backoff(state)

    return pause


def _say(endpoint: str) -> Callable[[tenacity.RetryCallState], None]:
    def say(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        _log.warning("%s again in %.1f s: %s", endpoint, state.upcoming_sleep, error)

    return say


def _told_apart(said: datetime, now: datetime) -> datetime:
    """Return the platform's second with a place in it.

    Rows and crawls are told apart by their moment, and the header has whole seconds, so two crawls
    within one second would share theirs. Where both clocks agree, ours reads the fraction. Where
    they do not, it could fall from 999 ms to 0 within the platform's second and turn the order
    round; then the microseconds count the milliseconds of our clock in its five minutes.
    """
    if abs(now - said) < _AGREEMENT:
        return min(max(now, said), said.replace(microsecond=999_999))
    return said.replace(microsecond=int(now.timestamp() * 1_000) % _FIVE_MINUTES_MS)


def _as_mapping(params: Params) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for key, value in params:
        if key not in found:
            found[key] = value
        elif isinstance(found[key], list):
            found[key].append(value)
        else:
            found[key] = [found[key], value]
    return found


def _bucket(endpoint: str, profile: str, at: datetime) -> str:
    try:
        return cost_table(profile, at).cost(endpoint).bucket
    except InvalidInputError:  # a call without a price, such as fetching a token
        return ""


def _host(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    host = url.netloc.decode("ascii")
    if url.scheme not in ("http", "https") or not url.host.strip("["):
        raise ConfigError(
            f"{base_url!r} is no web address.", fix="Correct the base URL in the settings."
        )
    return host


def clean_credential(value: str, name: str) -> str:
    """Return a key without surrounding blanks; one with other odd characters cannot be a key."""
    cleaned = value.strip()
    if not cleaned or not cleaned.isascii() or not cleaned.isprintable() or " " in cleaned:
        raise KeyInvalidError(
            f"{name} is empty or holds characters that no key has.",
            fix=f"Set {name} again, without quotes and line breaks.",
        )
    return cleaned
