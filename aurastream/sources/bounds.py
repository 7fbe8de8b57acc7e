"""How long an exchange over HTTP may take in all, and how much of an answer is read.

A read timeout bounds the silence between two bytes, not the whole: a server that sends a byte every
few seconds, of the head or of the body, never hits it. So every wait of a client made by
`bounded` is cut to what is left of the exchange's own time, see `within`.

That time is the machine's. A wait on a socket is by the machine's clock, whatever moment a caller's
clock shows; that of a loader of history stands still during a call.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import httpx

from aurastream.sources.errors import TransientError

__all__ = ["BodyTooLargeError", "bounded", "left", "read_body", "within"]

_ends_at: Final[ContextVar[float | None]] = ContextVar("ends_at", default=None)


class BodyTooLargeError(Exception):
    """A body has more bytes than are accepted.

    Parameters
    ----------
    size : int
        Its bytes as far as known: those it declares, or those that were read.
    start : bytes
        What was read of it.
    """

    def __init__(self, size: int, start: bytes) -> None:
        super().__init__(size)
        self.size = size
        self.start = start


def bounded(client: httpx.Client) -> httpx.Client:
    """Return the client; from now on its new connections heed `within`."""
    from aurastream.sources.bounded_network import (  # noqa: PLC0415 # as late as httpx imports it
        BoundedBackend,
    )

    # httpx takes no network backend, and a transport of ours only in place of the proxies that the
    # environment names; so ours is put in place afterwards.
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001 # see above
        if isinstance(transport, httpx.HTTPTransport):
            pool = transport._pool  # noqa: SLF001 # see above
            pool._network_backend = BoundedBackend(pool._network_backend)  # noqa: SLF001 # see above
    return client


@contextmanager
def within(seconds: float, host: str) -> Iterator[None]:
    """Bound all waits of an exchange together: connecting, sending, head and body.

    Parameters
    ----------
    seconds : float
        What they may take in all.
    host : str
        Who is asked, for the message.

    Raises
    ------
    TransientError
        When the time was up before the answer had come in full.
    """
    ends_at = time.monotonic() + seconds
    outer = _ends_at.set(ends_at)
    try:
        yield
    except (httpx.ReadTimeout, httpx.WriteTimeout):
        if time.monotonic() < ends_at:
            raise
        raise TransientError(
            f"{host} took more than {seconds:g} s for an answer.",
            fix="It is repeated with growing pauses; if it stays so, check the network and what "
            "stands between, such as a proxy, or raise AURASTREAM_REQUEST_TIMEOUT_S.",
        ) from None
    finally:
        _ends_at.reset(outer)


def read_body(response: httpx.Response, chunks: Iterable[bytes], max_bytes: int) -> bytes:
    """Return a body, read from its chunks up to the first byte too many.

    Parameters
    ----------
    response : httpx.Response
        The answer, its body unread.
    chunks : iterable of bytes
        Its body, packed or unpacked.
    max_bytes : int
        Bytes that are accepted.

    Raises
    ------
    BodyTooLargeError
        When there are more, or the head says that there will be.
    """
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise BodyTooLargeError(int(declared), b"")
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > max_bytes:
            raise BodyTooLargeError(len(body), bytes(body))
    return bytes(body)


def left(timeout: float | None, error: type[Exception]) -> float | None:
    """Return how long to wait at most; raise the error when the time is up."""
    ends_at = _ends_at.get()
    if ends_at is None:
        return timeout
    remaining = ends_at - time.monotonic()
    if remaining <= 0:
        raise error
    return remaining if timeout is None else min(timeout, remaining)
