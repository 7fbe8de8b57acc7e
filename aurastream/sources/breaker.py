"""The fuse between us and a host that keeps failing: pybreaker, with its state in Redis.

Five failures in a row open the circuit for 60 seconds; then three successes close it again, and
one failure opens it for another 60 seconds. A failure is a call that failed with all its tries: the
five tries of one call are one failure, so that a hiccup costs a pause and not a crawl. All
processes share the state. While Redis is gone each process goes on with what it knows itself.

Only a `TransientError` counts as a failure: an answer such as 400, 404 or 429 shows that the host
is alive. What does not tell counts as neither: a failure that may belong to the data
(``is_data_dependent``), and what ended without the host, as a call that our own ledger or pace
refused, the fault of another host or a fault of ours.
"""

import contextlib
import math
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast

import pybreaker
import redis

from aurastream.core.errors import AuraStreamError
from aurastream.sources.errors import (
    CircuitOpenError,
    ConfigError,
    LedgerUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    TransientError,
)
from aurastream.sources.ports import Clock, SystemClock

__all__ = ["CircuitBreakers"]

_NAMESPACE: Final = "aurastream:breaker"
_REDIS_PAUSE_S: Final = 5.0
_T = TypeVar("_T")


class _RedisGoneError(Exception):
    """Redis did not answer; not a RedisError, which pybreaker's storage would swallow."""


class _LoudRedis:
    """A Redis client whose failures pass through pybreaker's storage, which hides RedisErrors."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        command = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 # whatever the command takes
            try:
                return command(*args, **kwargs)
            except redis.RedisError as error:
                raise _RedisGoneError(type(error).__name__) from error

        return call


class _Storage(pybreaker.CircuitBreakerStorage):
    """State in memory, and in Redis as long as that answers.

    Writes go to both, so that memory knows where things stood when Redis goes.
    """

    def __init__(self, host: str, client: redis.Redis | None, clock: Clock) -> None:
        super().__init__(host)
        self._clock = clock
        self._memory = pybreaker.CircuitMemoryStorage(pybreaker.STATE_CLOSED)
        self._client = client
        self._redis: pybreaker.CircuitRedisStorage | None = None
        self._next_try_s = 0.0

    def _connected(self) -> "pybreaker.CircuitRedisStorage | None":
        if self._client is None or self._clock.monotonic() < self._next_try_s:
            return None
        if self._redis is None:
            self._redis = pybreaker.CircuitRedisStorage(
                self._memory.state,
                cast("redis.Redis", _LoudRedis(self._client)),
                f"{_NAMESPACE}:{self.name}",
            )
        return self._redis

    def _both(self, act: Callable[[Any], _T]) -> _T:
        """Act on memory and on Redis; Redis decides while it is there."""
        result = act(self._memory)
        try:
            shared = self._connected()
            if shared is not None:
                return act(shared)
        except _RedisGoneError:
            # A dead Redis costs one connection attempt every few seconds, not one per question.
            self._next_try_s = self._clock.monotonic() + _REDIS_PAUSE_S
        return result

    @property
    def state(self) -> str:
        return str(self._both(lambda storage: storage.state))

    @state.setter
    def state(self, state: str) -> None:
        self._both(lambda storage: setattr(storage, "state", state))

    def increment_counter(self) -> None:
        self._both(lambda storage: storage.increment_counter())

    def reset_counter(self) -> None:
        # A healthy host is told so after every call; do not write what is there already.
        if self.counter:
            self._both(lambda storage: storage.reset_counter())

    def increment_success_counter(self) -> None:
        self._both(lambda storage: storage.increment_success_counter())

    def reset_success_counter(self) -> None:
        self._both(lambda storage: storage.reset_success_counter())

    @property
    def counter(self) -> int:
        return int(self._both(lambda storage: storage.counter))

    @property
    def success_counter(self) -> int:
        return int(self._both(lambda storage: storage.success_counter))

    @property
    def opened_at(self) -> datetime | None:
        opened = self.opened_by_our_clock
        # pybreaker compares with the machine's clock, so the time that has passed by ours is told.
        return None if opened is None else datetime.now(UTC) - (self._clock.now() - opened)

    @opened_at.setter
    def opened_at(self, moment: datetime) -> None:  # noqa: ARG002 # ours counts, not the machine's
        now = self._clock.now()
        self._both(lambda storage: setattr(storage, "opened_at", now))

    @property
    def opened_by_our_clock(self) -> datetime | None:
        found: datetime | None = self._both(lambda storage: storage.opened_at)
        return found


class CircuitBreakers:
    """One circuit breaker per upstream host.

    Parameters
    ----------
    redis_url : str or None
        Where the state is shared; None keeps it in this process.
    clock : Clock, optional
        Source of time.
    fail_max : int
        Failures in a row that open a circuit, 1 or more.
    reset_timeout_s : float
        Seconds an open circuit stays open.
    success_threshold : int
        Successes that close a half-open circuit, 1 or more.

    Examples
    --------
    >>> from aurastream.sources.errors import TransientError
    >>> breakers = CircuitBreakers(fail_max=1)
    >>> try:
    ...     with breakers.guard("api.example"):
    ...         raise TransientError("down")
    ... except TransientError:
    ...     breakers.state("api.example")
    'open'
    """

    def __init__(
        self,
        redis_url: str | None = None,
        *,
        clock: Clock | None = None,
        fail_max: int = 5,
        reset_timeout_s: float = 60.0,
        success_threshold: int = 3,
    ) -> None:
        self._clock = clock or SystemClock()
        self._client = (
            redis.Redis.from_url(redis_url, socket_timeout=1.0, socket_connect_timeout=1.0)
            if redis_url
            else None
        )
        self._fail_max = fail_max
        self._reset_timeout_s = reset_timeout_s
        self._success_threshold = success_threshold
        self._lock = threading.Lock()
        self._breakers: dict[str, tuple[pybreaker.CircuitBreaker, _Storage]] = {}

    def _breaker(self, host: str) -> "tuple[pybreaker.CircuitBreaker, _Storage]":
        with self._lock:
            if host not in self._breakers:
                storage = _Storage(host, self._client, self._clock)
                breaker = pybreaker.CircuitBreaker(
                    fail_max=self._fail_max,
                    reset_timeout=self._reset_timeout_s,
                    success_threshold=self._success_threshold,
                    state_storage=storage,
                    name=host,
                    throw_new_error_on_trip=False,
                )
                self._breakers[host] = breaker, storage
            return self._breakers[host]

    @contextlib.contextmanager
    def guard(self, host: str) -> Iterator[None]:
        """Make one call in this context; see `aurastream.sources.ports.Breaker`.

        Raises
        ------
        CircuitOpenError
            On entering, while the circuit is open.
        """
        breaker, storage = self._breaker(host)
        is_open = breaker.current_state == pybreaker.STATE_OPEN
        if is_open and (left_s := self._left_s(storage)) > 0:
            raise CircuitOpenError(
                f"{host} failed {self._fail_max} times in a row and is left alone for "
                f"{left_s:.0f} s.",
                fix="Stored snapshots are served meanwhile; look at the platform's status page.",
                retry_after_s=left_s,
            )
        # pybreaker is told the end alone: it knows no call that is neither failure nor success, and
        # its lock would make all threads wait for each other.
        try:
            yield
        except BaseException as error:
            if _tells_of_the_host(error):
                _count(breaker, error)
            raise
        _count(breaker)

    def state(self, host: str) -> str:
        """Return ``closed``, ``open`` or ``half-open``."""
        return str(self._breaker(host)[0].current_state)

    def open(self, host: str) -> None:
        """Open the circuit of a host by hand, for the usual time."""
        self._breaker(host)[0].open()

    def close(self, host: str | None = None) -> None:
        """Close the circuit of a host by hand; without a host, let go of the connections."""
        if host is not None:
            self._breaker(host)[0].close()
        elif self._client is not None:
            self._client.close()

    def _left_s(self, storage: _Storage) -> float:
        """Return for how long a circuit stays open, if it is."""
        opened = storage.opened_by_our_clock
        passed_s = (self._clock.now() - opened).total_seconds() if opened else math.inf
        return self._reset_timeout_s - passed_s


def _tells_of_the_host(error: BaseException) -> bool:
    match error:
        case (
            LedgerUnavailableError()
            | QuotaExhaustedError(status=None)
            | RateLimitedError(status=None)
            | ConfigError(status=None)
        ):
            return False  # nothing was sent, or not the host answered
        case TransientError(is_data_dependent=True):
            return False  # an outage answers calls by ids in the same words
        case _:
            return isinstance(error, AuraStreamError)


def _count(breaker: pybreaker.CircuitBreaker, error: BaseException | None = None) -> None:
    def end() -> None:
        if isinstance(error, TransientError):
            raise error

    # A circuit that was opened meanwhile counts no more.
    with contextlib.suppress(TransientError, pybreaker.CircuitBreakerError):
        breaker.call(end)
