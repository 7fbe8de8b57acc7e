"""Twitch app tokens and the endpoints of id.twitch.tv.

A token carries its own facts, sealed with a digest, so it outlives a restart of this server as a
real token would; a generation number inside lets a fault revoke every token issued so far.
"""

import base64
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import orjson

from aurastream.replay.wire import Answer, ApiError, Query, Request

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TOKEN_LIFE_S", "Token", "TokenOffice", "refusal"]

TOKEN_LIFE_S: Final = 5_011_271  # about 58 days, as recorded answers have it
DEFAULT_CLIENT: Final = "replay-client"
DEFAULT_SECRET: Final = "replay-secret"  # noqa: S105 # a made-up client of a made-up platform
_SEAL: Final = b"aurastream replay"
_RAW: Final = 18
_END: Final = "z"


@dataclass(frozen=True, slots=True)
class Token:
    """What a valid token says."""

    client: bytes
    issued: int
    generation: int


def refusal(message: str, status: int = 401) -> ApiError:
    """Return an error in the shape of id.twitch.tv, which has no ``error`` key."""
    return ApiError(Answer.json({"status": status, "message": message}, status))


class TokenOffice:
    """Issues, reads and revokes tokens."""

    def __init__(self) -> None:
        self.generation = 0
        self._revoked: set[str] = set()
        # A token carries no more than a mark of its client; these are the names behind the marks.
        self._clients = {_client_mark(DEFAULT_CLIENT): DEFAULT_CLIENT}
        self.routes: dict[str, tuple[str, Callable[[Request], Answer]]] = {
            "/oauth2/token": ("oauth2/token", self.issue),
            "/oauth2/validate": ("oauth2/validate", self.validate),
            "/oauth2/revoke": ("oauth2/revoke", self.revoke),
        }

    def issue(self, request: Request) -> Answer:
        """Answer ``POST /oauth2/token`` for the client-credentials grant."""
        form = _form(request)
        client, secret = form.one("client_id"), form.one("client_secret")
        if not client:
            raise refusal("missing client id", 400)
        if not secret:
            raise refusal("missing client secret", 400)
        if form.one("grant_type") != "client_credentials":
            missing = "invalid" if form.has("grant_type") else "missing"
            raise refusal(f"{missing} grant type", 400)
        if client == DEFAULT_CLIENT and secret != DEFAULT_SECRET:
            raise refusal("invalid client secret", 403)
        return Answer.json(
            {
                "access_token": self._write(client, int(request.now)),
                "expires_in": TOKEN_LIFE_S,
                "token_type": "bearer",
            }
        )

    def validate(self, request: Request) -> Answer:
        """Answer ``GET /oauth2/validate``."""
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        token = self.read(text, request.now) if kind.lower() in {"oauth", "bearer"} else None
        if token is None:
            raise refusal("invalid access token" if text else "missing authorization token")
        left = min(TOKEN_LIFE_S, token.issued + TOKEN_LIFE_S - int(request.now))
        # After a restart a name is known again as soon as its client says it.
        client = self._clients.get(token.client) or request.headers.get("client-id", "")
        if not self.is_of(token, client):
            raise refusal("invalid access token")
        return Answer.json({"client_id": client, "scopes": None, "expires_in": left})

    def revoke(self, request: Request) -> Answer:
        """Answer ``POST /oauth2/revoke``."""
        form = _form(request)
        if self.read(form.one("token"), request.now) is None:
            raise refusal("Invalid token", 400)
        self._revoked.add(form.one("token"))
        return Answer()

    def revoke_all(self) -> int:
        """Make every token issued so far invalid; return the new generation."""
        self.generation += 1
        return self.generation

    def read(self, text: str, now: float) -> Token | None:
        """Return what a token says, or None if it is forged, revoked or expired.

        Parameters
        ----------
        text : str
            The token.
        now : float
            Virtual moment. A token "from the future" is good: a loader may ask about last week
            with a token of today.
        """
        if text in self._revoked or not text.endswith(_END):
            return None
        try:
            raw = base64.b32decode(text.removesuffix(_END).upper() + "===")
        except ValueError:
            return None
        if len(raw) != _RAW or raw[10:] != _seal(raw[:10]):
            return None
        token = Token(raw[:4], int.from_bytes(raw[4:9], "big"), raw[9])
        return token if now < token.issued + TOKEN_LIFE_S else None

    @staticmethod
    def is_of(token: Token, client: str) -> bool:
        """Return whether a token was issued to a client."""
        return token.client == _client_mark(client)

    def _write(self, client: str, issued: int) -> str:
        self._clients[_client_mark(client)] = client
        facts = _client_mark(client) + issued.to_bytes(5, "big") + bytes([self.generation % 256])
        text = base64.b32encode(facts + _seal(facts)).decode("ascii")
        return text.rstrip("=").lower() + _END


def _client_mark(client: str) -> bytes:
    return blake2b(client.encode(), digest_size=4).digest()


def _seal(facts: bytes) -> bytes:
    return blake2b(facts, digest_size=_RAW - 10, key=_SEAL).digest()


def _form(request: Request) -> Query:
    """Return the parameters, which clients send as a form, as JSON, or in the URL."""
    if request.body[:1] == b"{":
        try:
            content = orjson.loads(request.body)
        except ValueError:
            content = {}
        form = Query("")
        for name, value in content.items():
            form.add(name, str(value))
        return form
    return Query(request.body.decode("latin-1")) if request.body else request.query
