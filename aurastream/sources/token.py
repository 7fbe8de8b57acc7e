"""The Twitch app token: fetched once per group of processes, kept in Redis, never logged.

A token is replaced early, by whoever takes the lock first; the others go on with the old one
meanwhile. Without Redis, or while it is gone, each process keeps a token of its own.
"""

import contextlib
import hashlib
import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import httpx
import msgspec
import redis
from redis.exceptions import LockError

from aurastream.sources.errors import MalformedError, RetryableError
from aurastream.sources.transport import Transport, clean_credential
from aurastream.sources.wire.faults import twitch_fault

__all__ = ["AppToken"]

_log = logging.getLogger(__name__)
_KEY: Final = "aurastream:twitch:token"
_EARLY_S: Final = 3_600.0
_EARLY_SHARE: Final = 0.1
_LOCK_S: Final = 60.0
_LOCK_WAIT_S: Final = 30.0


class _TokenAnswer(msgspec.Struct, frozen=True):
    access_token: Annotated[str, msgspec.Meta(min_length=1)]
    expires_in: Annotated[float, msgspec.Meta(ge=0)]


class _Stored(msgspec.Struct, frozen=True):
    token: str
    refresh_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class _Token:
    """A token; its text stays out of every repr."""

    text: str = field(repr=False)
    refresh_at: float
    expires_at: float


_answers = msgspec.json.Decoder(_TokenAnswer)
_stored = msgspec.json.Decoder(_Stored)


class AppToken:
    """Client credentials of Twitch as headers; fits `aurastream.sources.transport.Auth`.

    Parameters
    ----------
    auth_url : str
        The identity server, for example ``https://id.twitch.tv``.
    client_id, client_secret : str
        Of the application registered with Twitch.
    http : httpx.Client
        Connection pool; shared, and closed by its owner.
    redis_url : str or None
        Where the token is shared.
    options
        The ports of `aurastream.sources.transport.Transport`: clock, breaker, retry and so on.

    Raises
    ------
    KeyInvalidError
        When id or secret cannot be one.
    """

    def __init__(
        self,
        auth_url: str,
        client_id: str,
        client_secret: str,
        *,
        http: httpx.Client,
        redis_url: str | None = None,
        **options: Any,  # noqa: ANN401 # handed on to the transport
    ) -> None:
        self._client_id = clean_credential(client_id, "TWITCH_CLIENT_ID")
        self._client_secret = clean_credential(client_secret, "TWITCH_CLIENT_SECRET")
        self._transport = Transport(
            "twitch", auth_url, fault=twitch_fault, auth=None, http=http, **options
        )
        self._clock = self._transport.clock
        self._redis = (
            redis.Redis.from_url(redis_url, socket_timeout=2.0, socket_connect_timeout=1.0)
            if redis_url
            else None
        )
        # Another server or another application has another token.
        owner = hashlib.sha256(f"{auth_url}|{self._client_id}".encode()).hexdigest()[:16]
        self._key = f"{_KEY}:{owner}"
        self._lock = threading.Lock()
        self._token: _Token | None = None

    def headers(self) -> Mapping[str, str]:
        """Return ``Client-Id`` and ``Authorization``, fetching a token where none is good.

        Raises
        ------
        SourceError
            When there is no token and none can be fetched.
        """
        return self._headers(self._current())

    def renew(self, sent: Mapping[str, str]) -> bool:
        """Replace the token that ``sent`` carried; True when there is another one now.

        Raises
        ------
        SourceError
            When no other token can be fetched.
        """
        with self._lock:
            if self._token is not None and self._headers(self._token) != sent:
                return True  # another thread was quicker
            self._token = None
            with self._exclusively(wait=True):
                shared = self._read()
                if shared is not None and self._headers(shared) != sent:
                    self._token = shared
                else:
                    self._token = self._fetch()
            return self._headers(self._token) != sent

    def close(self) -> None:
        """Let go of the connections to Redis."""
        if self._redis is not None:
            self._redis.close()

    def _headers(self, token: _Token) -> Mapping[str, str]:
        return {"Client-Id": self._client_id, "Authorization": f"Bearer {token.text}"}

    def _current(self) -> _Token:
        token, now = self._token, self._now()
        if token is not None and now < token.refresh_at:
            return token
        with self._lock:
            token = self._freshest()
            if token is not None and now < token.refresh_at:
                self._token = token
                return token
            is_usable = token is not None and now < token.expires_at
            with self._exclusively(wait=not is_usable) as is_ours:
                if token is not None and is_usable and not is_ours:
                    return token
                shared = self._read()
                if shared is not None and now < shared.refresh_at:
                    self._token = shared
                    return shared
                try:
                    self._token = self._fetch()
                except RetryableError:
                    if token is None or not is_usable:
                        raise
                    _log.warning("the Twitch token could not be replaced yet; the old one serves")
                    return token
            return self._token

    def _freshest(self) -> _Token | None:
        tokens = [token for token in (self._token, self._read()) if token is not None]
        return max(tokens, key=lambda token: token.expires_at, default=None)

    def _fetch(self) -> _Token:
        answer = self._transport.call(
            "oauth2/token",
            "oauth2/token",
            (),
            _decode_token,
            form={
                "client_id": self._client_id,
                "client_secret": self._client_secret,
                "grant_type": "client_credentials",
            },
        )
        life_s, now = answer.value.expires_in, self._now()
        early_s = min(_EARLY_S, life_s * _EARLY_SHARE)
        token = _Token(answer.value.access_token, now + life_s - early_s, now + life_s)
        self._write(token)
        return token

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _read(self) -> _Token | None:
        if self._redis is None:
            return None
        try:
            body = self._redis.get(self._key)
            found = _stored.decode(body) if isinstance(body, bytes) else None
        except (redis.RedisError, msgspec.MsgspecError):
            return None
        return _Token(found.token, found.refresh_at, found.expires_at) if found else None

    def _write(self, token: _Token) -> None:
        if self._redis is None:
            return
        body = msgspec.json.encode(_Stored(token.text, token.refresh_at, token.expires_at))
        with contextlib.suppress(redis.RedisError):
            self._redis.set(self._key, body, ex=max(1, int(token.expires_at - self._now())))

    @contextlib.contextmanager
    def _exclusively(self, *, wait: bool) -> Iterator[bool]:
        """Hold the lock of all processes; tell whether it is held.

        When it cannot be had in time, or Redis is gone, the caller goes on without: two tokens
        are better than none.
        """
        if self._redis is None:
            yield True
            return
        lock = self._redis.lock(f"{self._key}:lock", timeout=_LOCK_S, thread_local=False)
        try:
            is_held = lock.acquire(blocking=wait, blocking_timeout=_LOCK_WAIT_S if wait else None)
        except redis.RedisError:
            yield True
            return
        try:
            yield is_held
        finally:
            if is_held:
                with contextlib.suppress(redis.RedisError, LockError):
                    lock.release()


def _decode_token(body: bytes) -> _TokenAnswer:
    try:
        return _answers.decode(body)
    except ValueError:
        # The body may hold a token, so it is not quoted.
        raise MalformedError(
            "The answer to the token request holds no token.",
            fix="Check AURASTREAM_TWITCH_AUTH_URL.",
        ) from None
