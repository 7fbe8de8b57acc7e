"""The pace at which hosts are asked: the `limits` library, its counters shared through Redis."""

import logging
import threading
import time
from collections.abc import Mapping
from typing import Final

import limits
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from aurastream.sources.errors import RateLimitedError
from aurastream.sources.ports import Clock, SystemClock

__all__ = ["TWITCH_LIMIT", "SharedRateLimiter"]

TWITCH_LIMIT: Final = "800/minute"

_log = logging.getLogger(__name__)
_PREFIX: Final = "aurastream:limits"
_SHORTEST_WAIT_S: Final = 0.05
_REDIS_PAUSE_S: Final = 5.0


class SharedRateLimiter:
    """At most so many calls per host in any moving window.

    Parameters
    ----------
    rates : mapping of str to str
        Host to rate, for example ``{"api.twitch.tv": "800/minute"}``; other hosts are not limited.
    redis_url : str or None
        Where the counters are shared; None, or a Redis that is gone, keeps them in this process.
    clock : Clock, optional
        Source of time.
    patience_s : float
        Longest wait in seconds.

    Examples
    --------
    >>> SharedRateLimiter({"api.example": "2/second"}).acquire("api.example")
    """

    def __init__(
        self,
        rates: Mapping[str, str],
        redis_url: str | None = None,
        *,
        clock: Clock | None = None,
        patience_s: float = 120.0,
    ) -> None:
        self._items = {host: limits.parse(rate) for host, rate in rates.items()}
        self._clock = clock or SystemClock()
        self._patience_s = patience_s
        self._own = MovingWindowRateLimiter(MemoryStorage())
        self._shared = (
            MovingWindowRateLimiter(
                RedisStorage(
                    redis_url,
                    key_prefix=_PREFIX,
                    wrap_exceptions=True,
                    socket_timeout=1.0,
                    socket_connect_timeout=1.0,
                )
            )
            if redis_url
            else None
        )
        self._next_try_s = 0.0
        self._lock = threading.Lock()

    def acquire(self, host: str) -> None:
        """Wait until one more call to ``host`` is allowed, and count it.

        Raises
        ------
        RateLimitedError
            When the wait would be longer than ``patience_s``.
        """
        item = self._items.get(host)
        if item is None:
            return
        deadline = self._clock.monotonic() + self._patience_s
        while (wait := self._try(item, host)) is not None:
            if self._clock.monotonic() + wait > deadline:
                raise RateLimitedError(
                    f"Our own limit of {item} for {host} is used up for another {wait:.0f} s.",
                    fix="Collect less often, or lower max_parallel_requests.",
                    retry_after_s=wait,
                )
            self._clock.sleep(wait)

    def _try(self, item: limits.RateLimitItem, host: str) -> float | None:
        """Count a call and return None, or return the seconds to wait."""
        if self._shared is not None and self._clock.monotonic() >= self._next_try_s:
            try:
                return _hit(self._shared, item, host)
            except StorageError:
                with self._lock:
                    self._next_try_s = self._clock.monotonic() + _REDIS_PAUSE_S
                _log.warning("Redis is gone; the pace of %s is kept in this process", host)
        return _hit(self._own, item, host)


def _hit(limiter: MovingWindowRateLimiter, item: limits.RateLimitItem, host: str) -> float | None:
    if limiter.hit(item, host):
        return None
    resets_at = limiter.get_window_stats(item, host).reset_time
    return max(_SHORTEST_WAIT_S, resets_at - time.time())
