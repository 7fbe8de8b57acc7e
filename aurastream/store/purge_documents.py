"""Taking hot documents away before they expire by themselves."""

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import redis

from aurastream.store.document_schemas import KINDS, kind_of
from aurastream.store.errors import StoreUnavailableError

__all__ = ["documents", "drop_documents", "present_documents", "redis_client"]

_HEAD: Final = 512


class _Envelope(msgspec.Struct):
    observed_at: dt.datetime | None = None


@contextlib.contextmanager
def redis_client(url: str) -> "Iterator[redis.Redis]":
    """Yield a client; a server that is away is named.

    Raises
    ------
    StoreUnavailableError
        When it does not answer.
    """
    try:
        with redis.Redis.from_url(url, socket_timeout=10) as client:
            yield client
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise StoreUnavailableError(
            f"Redis does not answer: {error}.",
            fix="Start it with script/server, or check AURASTREAM_REDIS_URL.",
        ) from error


def documents(url: str, kind: str, *, before: dt.datetime | None) -> dict[str, int]:
    """Return the documents of a kind observed before a moment (all without one), with their bytes.

    A document that cannot be read is among them: nobody can say how old it is.
    """
    wanted = KINDS[kind]
    found: dict[str, int] = {}
    with redis_client(url) as client:
        for raw in client.scan_iter(match=f"{wanted.prefix}*{wanted.suffix}", count=1000):
            key = raw.decode()
            if kind_of(key) is not wanted:
                continue
            body = client.get(raw)
            if not isinstance(body, bytes):
                continue
            if before is None or _is_before(body, before):
                found[key] = len(body)
    return found


def drop_documents(url: str, keys: Sequence[str]) -> int:
    """Delete documents; returns how many were there."""
    if not keys:
        return 0
    with redis_client(url) as client:
        return int(client.delete(*keys))


def present_documents(url: str, keys: Sequence[str]) -> set[str]:
    """Return the keys that are there."""
    with redis_client(url) as client:
        return {key for key in keys if client.exists(key)}


def _is_before(body: bytes, moment: dt.datetime) -> bool:
    try:
        observed = msgspec.json.decode(body, type=_Envelope).observed_at
    except msgspec.DecodeError:
        return True
    return observed is None or observed < moment
