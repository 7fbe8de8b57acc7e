"""Bodies by request, kept in Redis, so that an unchanged answer need not be sent again.

A crawl's process ends with the crawl, so what it remembers has to lie elsewhere. An answer of 304
costs the same quota as any other: it saves the transfer and nothing else, and counters change so
often that it is rare. So the memory is small: bodies are packed, live for hours, and the oldest
make room. While Redis is away, or holds something else there, every answer is simply sent in full.
"""

import hashlib
import time
import zlib
from collections.abc import Callable
from typing import Any, Final, TypeVar

import redis

__all__ = ["SharedEtags"]

_T = TypeVar("_T")
_NAMESPACE: Final = "aurastream:etag"
_INDEX: Final = f"{_NAMESPACE}:index"
_SIZES: Final = f"{_NAMESPACE}:sizes"
_PAUSE_S: Final = 5.0
_LARGEST_SHARE: Final = 4
# The index has the entries by the time they were written; those that expired are struck off first.
_PUT: Final = """
local index, sizes, entry = KEYS[1], KEYS[2], KEYS[3]
local value, seconds, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1e6
for _, old in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', now - seconds)) do
    redis.call('ZREM', index, old)
    redis.call('HDEL', sizes, old)
end
redis.call('SET', entry, value, 'EX', seconds)
redis.call('ZADD', index, now, entry)
redis.call('HSET', sizes, entry, #value)
local total = 0
for _, size in ipairs(redis.call('HVALS', sizes)) do total = total + tonumber(size) end
while total > most do
    local oldest = redis.call('ZPOPMIN', index)[1]
    if not oldest then break end
    total = total - tonumber(redis.call('HGET', sizes, oldest) or 0)
    redis.call('HDEL', sizes, oldest)
    redis.call('DEL', oldest)
end
redis.call('EXPIRE', index, seconds)
redis.call('EXPIRE', sizes, seconds)
return total
"""


class SharedEtags:
    """Etag and body of requests to one server, shared by all processes. Thread-safe.

    Parameters
    ----------
    redis_url : str
        Where they are kept.
    server : str
        Base URL of the server: the same question to another one has another answer.
    max_bytes : int
        Packed bytes kept for all servers together; one body may take a quarter.
    ttl_s : int
        Seconds a body is kept, 1 or more. Far below what the platforms' terms allow.
    """

    def __init__(
        self, redis_url: str, server: str, *, max_bytes: int = 4 * 2**20, ttl_s: int = 6 * 3_600
    ) -> None:
        self._client = redis.Redis.from_url(
            redis_url, socket_timeout=1.0, socket_connect_timeout=1.0
        )
        self._server = server
        self._max_bytes = max_bytes
        self._ttl_s = ttl_s
        self._next_try_s = 0.0

    def get(self, key: object) -> tuple[str, bytes] | None:
        """Return etag and body of a request, or None."""
        value: Any = self._ask(lambda: self._client.get(self._name(key)))
        if value is None:
            return None
        etag, _, packed = value.partition(b"\0")
        try:
            return etag.decode("ascii"), zlib.decompress(packed)
        except (UnicodeDecodeError, zlib.error):  # not of ours
            return None

    def put(self, key: object, etag: str, body: bytes) -> None:
        """Keep the body of a request."""
        if not etag.isascii() or "\0" in etag:
            return
        value = etag.encode() + b"\0" + zlib.compress(body, 6)
        if len(value) > self._max_bytes // _LARGEST_SHARE:
            return
        names = (_INDEX, _SIZES, self._name(key))
        self._ask(lambda: self._client.eval(_PUT, 3, *names, value, self._ttl_s, self._max_bytes))

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _name(self, key: object) -> str:
        digest = hashlib.sha256(repr((self._server, key)).encode()).hexdigest()
        return f"{_NAMESPACE}:{digest[:32]}"

    def _ask(self, question: Callable[[], _T]) -> _T | None:
        if time.monotonic() < self._next_try_s:
            return None
        try:
            return question()
        except redis.RedisError:
            # A Redis that is away costs one attempt every few seconds, not one per request.
            self._next_try_s = time.monotonic() + _PAUSE_S
            return None
