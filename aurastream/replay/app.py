"""The replay server as an ASGI application.

A request goes through: route, virtual now, faults that strike before, admission (key or token,
quota or points), handler, faults that strike after, ETag, compression. Plain ASGI without a
framework, because a history of two weeks is many thousand answers.
"""

import asyncio
import gzip
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from aurastream.replay import youtube_errors
from aurastream.replay.admin import Admin
from aurastream.replay.faults import Fault, Switchboard
from aurastream.replay.helix_api import HelixApi, helix_error, rate_headers
from aurastream.replay.images import YOUTUBE_SIZES, paint, parse_size
from aurastream.replay.limits import PointsBuckets, QuotaBuckets
from aurastream.replay.moments import http_date, parse_rfc3339
from aurastream.replay.mutations import MUTATIONS, mutate
from aurastream.replay.partial import narrowed
from aurastream.replay.tokens import TokenOffice, refusal
from aurastream.replay.twitch_world import load_twitch_world
from aurastream.replay.wire import Answer, ApiError, Query, Request, whole
from aurastream.replay.youtube_api import YouTubeApi
from aurastream.replay.youtube_live import load_youtube_live
from aurastream.replay.youtube_world import load_youtube_world

__all__ = ["ReplayApp", "create_app"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

TRANSPORT: Final = "aurastream.transport"  # scope key under which the server puts the connection
_WORTH_PACKING: Final = 1_400
_LAST_MOMENT: Final = 7_000 * 365 * 86_400  # what is shifted by days must stay a date
_BREAKS: Final = {"malformed_item": 1, "malformed_json": 2, "html_body": 3}
_HTML: Final = b"<!DOCTYPE html><html><head><title>502</title></head><body>Proxy</body></html>"


@dataclass(slots=True)
class _Route:
    platform: str
    endpoint: str
    handler: Callable[[Request], Answer]

    @property
    def owner(self) -> str:
        """The platform whose faults strike here; tokens are Twitch's."""
        return "twitch" if self.platform == "auth" else self.platform


class ReplayApp:
    """Both APIs, their pictures, and the switchboard.

    Parameters
    ----------
    clock : callable
        Returns the virtual now of requests that do not bring one, in seconds since 1970.
    public_url : str
        Base of the links to thumbnails; by default what the client wrote as host.
    """

    def __init__(self, clock: Callable[[], float], public_url: str = "") -> None:
        self._clock = clock
        self._public_url = public_url.rstrip("/")
        self.quotas = QuotaBuckets()
        self.points = PointsBuckets()
        self.tokens = TokenOffice()
        self.counts: Counter[str] = Counter()
        self._world = load_youtube_world()
        self._live = load_youtube_live()
        self._youtube = YouTubeApi(self._world, self._live, self.quotas)
        self._helix = HelixApi(load_twitch_world(), self.tokens, self.points)
        self._routes = {
            path: _Route(platform, endpoint, handler)
            for platform, routes in (
                ("youtube", self._youtube.routes),
                ("twitch", self._helix.routes),
                ("auth", self.tokens.routes),
            )
            for path, (endpoint, handler) in routes.items()
        }
        self._pictures = _Route("images", "thumbnails", self._picture)
        every = (*self._routes.values(), self._pictures)
        self.switchboard = Switchboard([(route.owner, route.endpoint) for route in every])
        self._admin = Admin(self.switchboard, self.quotas, self.points, self.tokens, self.counts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        request = await self._request(scope, receive)
        route = self._routes.get(request.path)
        path = request.path
        try:
            request.now = self._now(request)
            if path.startswith("/_replay"):
                await _respond(request, self._admin.answer(request), send)
                return
            if route is None:
                route = self._pictures if _is_picture(path) else None
            if route is None:
                raise _not_found(path)
            self.counts[f"{route.platform} {route.endpoint}"] += 1
            if self.switchboard.faults:
                await self._serve_faulty(route, request, scope, receive, send)
                return
            answer = self._serve(route, request)
        except ApiError as error:
            answer = error.answer
        await _respond(request, answer, send)

    def _serve(self, route: _Route, request: Request) -> Answer:
        """Admit and answer a request; refusals are answers too."""
        headers: dict[str, str] = {}
        try:
            if request.method not in {"GET", "HEAD"} and route.platform != "auth":
                raise _not_allowed(route, request.method)
            if route.platform == "youtube":
                self._youtube.admit(request, route.endpoint)
            elif route.platform == "twitch":
                headers = self._helix.admit(request)
            answer = route.handler(request)
            if route.platform == "youtube" and request.query.has("fields"):
                answer = narrowed(answer, request.query.one("fields"))
        except ApiError as error:
            # 400 and 401 of Helix carry no rate-limit headers.
            return error.answer
        answer.headers |= headers
        return answer

    async def _serve_faulty(
        self, route: _Route, request: Request, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve a request while faults are set; the slow way, which only tests take."""
        key = (
            request.query.one("key")
            or request.headers.get("x-goog-api-key", "")
            or request.headers.get("client-id", "")
        )
        struck = [
            fault
            for fault in self.switchboard.matching(route.owner, route.endpoint, request, key)
            if self._applies(fault, request) and fault.strike()
        ]
        request.quirks = frozenset(fault.options["id"] for fault in struck if fault.kind == "quirk")
        by_kind = {fault.kind: fault for fault in struck}
        if "latency" in by_kind:
            await asyncio.sleep(float(by_kind["latency"].options["delay_ms"]) / 1000)
        if "outage" in by_kind:
            await _hang_up(scope, receive)
            return
        answer = self._faulty_answer(struck, route, request)
        if "clock_skew" in by_kind:
            request.now += float(by_kind["clock_skew"].options["seconds"])
        if "truncated_body" in by_kind:
            share = float(by_kind["truncated_body"].options["share"])
            await _respond_partly(answer, request, share, send)
            await _hang_up(scope, receive)
            return
        if "trickle" in by_kind:
            options = by_kind["trickle"].options
            await _trickle(
                request,
                answer,
                receive,
                send,
                size=int(options["bytes"]),
                pause_s=float(options["delay_ms"]) / 1000,
            )
            return
        await _respond(request, answer, send)

    def _faulty_answer(self, struck: list[Fault], route: _Route, request: Request) -> Answer:
        """Return the first refusal among the faults, or the answer with the others worked in."""
        for fault in struck:
            refused = self._refusal(fault, route, request)
            if refused is not None:
                return refused
        answer = self._serve(route, request)
        if answer.status == 200:  # noqa: PLR2004 # only good answers can be spoiled
            # What breaks the form comes last; the others could not work on what it leaves.
            for fault in sorted(struck, key=lambda fault: _BREAKS.get(fault.kind, 0)):
                _spoil(answer, fault, request.now)
        return answer

    def _applies(self, fault: Fault, request: Request) -> bool:
        """Return whether a fault strikes this request; one about old tokens spares new ones."""
        if fault.kind != "token_revoked":
            return True
        _, _, text = request.headers.get("authorization", "").partition(" ")
        token = self.tokens.read(text, request.now) if text else None
        return token is not None and token.generation < fault.generation

    def _refusal(self, fault: Fault, route: _Route, request: Request) -> Answer | None:
        """Return the answer of a fault that keeps the request from its handler, if it does."""
        youtube = route.platform == "youtube"
        kind, options = fault.kind, fault.options
        error: ApiError | None = None
        if kind == "server_error":
            status = int(options["status"])
            error = youtube_errors.backend_error(status) if youtube else helix_error(status, "")
        elif kind == "rate_limited":
            error = youtube_errors.rate_limited() if youtube else self._too_many(request)
        elif kind == "quota_exceeded" and youtube:
            error = youtube_errors.quota_exceeded()
        elif kind == "invalid_key":
            error = self._wrong_key(route, old_style=bool(options["old_style"]))
        elif kind == "forbidden":
            reason = str(options["reason"])
            error = (
                youtube_errors.forbidden(reason, reason) if youtube else helix_error(403, reason)
            )
        elif kind in {"token_revoked", "token_rejected"} and not youtube:
            error = self._bad_token(route)
        elif kind == "quirk":
            error = self._quirk_refusal(str(options["id"]), route, request, fault.fired)
        if error is None:
            return None
        if options.get("retry_after_s") is not None:
            error.answer.headers["retry-after"] = str(int(options["retry_after_s"]))
        return error.answer

    def _too_many(self, request: Request) -> ApiError:
        error = helix_error(429, "Too Many Requests")
        reset = (int(request.now) // 60 + 1) * 60
        error.answer.headers |= rate_headers(self.points.limit, 0, reset)
        return error

    @staticmethod
    def _wrong_key(route: _Route, *, old_style: bool) -> ApiError:
        if route.platform == "youtube":
            return youtube_errors.invalid_key(old_style=old_style)
        if route.platform == "auth":
            return refusal("invalid client", 400)
        return helix_error(401, "Client ID and OAuth token do not match")

    @staticmethod
    def _bad_token(route: _Route) -> ApiError | None:
        if route.endpoint == "oauth2/validate":
            return refusal("invalid access token")
        return None if route.platform == "auth" else helix_error(401, "Invalid OAuth token")

    def _quirk_refusal(
        self, quirk: str, route: _Route, request: Request, count: int
    ) -> ApiError | None:
        if quirk == "401_bodies" and route.endpoint != "oauth2/token":
            if route.endpoint == "oauth2/validate":
                return refusal("invalid access token")
            return helix_error(401, "OAuth token is missing")
        if quirk == "429_not_rate_limit" and route.platform == "twitch" and count:
            error = helix_error(429, "resource limit exceeded")
            reset = (int(request.now) // 60 + 1) * 60
            error.answer.headers |= rate_headers(self.points.limit, self.points.limit - 1, reset)
            return error
        return None

    def _now(self, request: Request) -> float:
        text = request.headers.get("x-replay-now", "")
        if not text:
            return self._clock()
        try:
            moment = parse_rfc3339(text)
            if not 0 <= moment < _LAST_MOMENT:
                raise ValueError(text)  # noqa: TRY301 # refused like what is no date at all
        except ValueError as error:
            message = f"X-Replay-Now is a moment such as 2026-11-21T06:00:00Z, not {text!r}."
            raise ApiError(Answer.json({"error": message}, 400)) from error
        return moment

    def _picture(self, request: Request) -> Answer:
        """Answer with a thumbnail; an unknown video gets the small grey one and a 404."""
        path, status = request.path, 200
        size = parse_size(path)
        name = path
        if path.startswith("/vi/"):
            video_id, _, file = path.removeprefix("/vi/").partition("/")
            kind = file.removesuffix(".jpg").removesuffix("_live")
            size = YOUTUBE_SIZES.get(kind) if file.endswith(".jpg") else None
            view = self._world.view(request.now)
            known = video_id in view.videos or self._live.by_id(video_id, request.now)
            name = video_id
            if not known or size is None:
                status, size, name = 404, YOUTUBE_SIZES["default"], "unknown"
        elif path.startswith("/ytc/"):
            name, _, pixels = path.removesuffix(".jpg").rpartition("/")
            side = whole(pixels) or 0
            size = (side, side) if 0 < side <= YOUTUBE_SIZES["maxresdefault"][0] else None
        if size is None:
            raise _not_found(path)
        return Answer(
            status,
            paint(name.rpartition("-")[0] if "x" in name.rpartition("-")[2] else name, *size),
            {"cache-control": "public, max-age=7200"},
            "image/jpeg",
        )

    async def _request(self, scope: Scope, receive: Receive) -> Request:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        body = b""
        if scope["method"] not in {"GET", "HEAD"}:
            body = await _read_body(receive)
        host = headers.get("host", "127.0.0.1")
        return Request(
            method=scope["method"],
            path=scope["path"],
            query=Query(scope["query_string"].decode("latin-1")),
            headers=headers,
            now=0.0,
            base=self._public_url or f"http://{host}",
            body=body,
        )


def create_app(*, clock: Callable[[], float] = time.time, public_url: str = "") -> ReplayApp:
    """Return the replay server as an ASGI application.

    Parameters
    ----------
    clock : callable, optional
        Virtual now of requests without ``X-Replay-Now``, in seconds since 1970.
    public_url : str, optional
        Base of the links to thumbnails; by default what the client wrote as host.
    """
    return ReplayApp(clock, public_url)


def _is_picture(path: str) -> bool:
    kind = path[1:].partition("/")[0]
    return kind in {
        "vi", "ytc", "previews-ttv", "ttv-boxart", "twitch-clips", "jtv_user_pictures", "cf_vods",
    }  # fmt: skip


def _not_allowed(route: _Route, method: str) -> ApiError:
    if route.platform == "youtube":
        return youtube_errors.not_writable()
    return helix_error(405, f"{method} is not served here")


def _not_found(path: str) -> ApiError:
    if path.startswith("/youtube/"):
        return youtube_errors.no_method()
    content = {"error": "Not Found", "status": 404, "message": f"{path} is not served here"}
    return ApiError(Answer.json(content, 404))


def _spoil(answer: Answer, fault: Fault, now: float) -> None:
    is_json = answer.body and answer.media_type.startswith("application/json")
    if fault.kind in MUTATIONS and is_json:
        answer.body = mutate(answer.body, fault, now)
        answer.etag = ""
    elif fault.kind == "malformed_json":
        answer.body = answer.body[:-1] + b',,"'
        answer.etag = ""
    elif fault.kind == "html_body":
        answer.body, answer.media_type, answer.etag = _HTML, "text/html", ""


def _head(request: Request, answer: Answer, length: int) -> MutableMapping[str, Any]:
    headers = [
        (b"date", http_date(request.now).encode()),
        (b"content-type", answer.media_type.encode()),
        (b"content-length", b"%d" % length),
    ]
    if answer.etag:
        headers.append((b"etag", b'"%b"' % answer.etag.encode()))
    headers += [(name.encode(), value.encode()) for name, value in answer.headers.items()]
    return {"type": "http.response.start", "status": answer.status, "headers": headers}


def _body(request: Request, answer: Answer) -> bytes:
    """Return the body as it goes out: none where it is known or not wanted, packed if worth it."""
    if answer.etag and answer.etag in _tags(request.headers.get("if-none-match", "")):
        answer.status = 304
        return b""
    if len(answer.body) > _WORTH_PACKING and _wants_gzip(request):
        answer.headers["content-encoding"] = "gzip"
        answer.headers.setdefault("vary", "Accept-Encoding")
        return gzip.compress(answer.body, compresslevel=1, mtime=0)
    return answer.body


async def _respond(request: Request, answer: Answer, send: Send) -> None:
    body = _body(request, answer)
    await send(_head(request, answer, len(body)))
    await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else body})


async def _trickle(
    request: Request, answer: Answer, receive: Receive, send: Send, *, size: int, pause_s: float
) -> None:
    """Send the head, then the body ``size`` bytes at a time, until the client goes away."""
    body = _body(request, answer)
    await send(_head(request, answer, len(body)))
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        for start in range(0, 0 if request.method == "HEAD" else len(body), size):
            part = body[start : start + size]
            await send({"type": "http.response.body", "body": part, "more_body": True})
            if (await asyncio.wait({gone}, timeout=pause_s))[0]:
                return
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


async def _respond_partly(answer: Answer, request: Request, share: float, send: Send) -> None:
    """Promise the whole body and send a part of it."""
    await send(_head(request, answer, len(answer.body)))
    part = answer.body[: int(len(answer.body) * min(max(share, 0.0), 0.99))]
    await send({"type": "http.response.body", "body": part, "more_body": True})


async def _hang_up(scope: Scope, receive: Receive) -> None:
    """Close the connection; wait until the server has noticed, so that it does not complain."""
    transport = scope.get(TRANSPORT)
    if transport is not None:
        transport.close()
    await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read_body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def _tags(header: str) -> set[str]:
    return {part.strip().removeprefix("W/").strip('"') for part in header.split(",")}


def _wants_gzip(request: Request) -> bool:
    """Return whether to compress; Google wants to read "gzip" in the user agent as well."""
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return False
    if request.path.startswith("/youtube/"):
        return "gzip" in request.headers.get("user-agent", "")
    return not request.path.startswith("/vi/")
