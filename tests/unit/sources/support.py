"""A scripted HTTP server on loopback, time that passes only in sleep, and answers to send."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aurastream.sources.errors import QuotaExhaustedError
from aurastream.sources.ports import FetchRecord

START = datetime(2026, 11, 21, 12, tzinfo=UTC)
TOKEN_PATH = "/oauth2/token"


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self._passed_s = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self._passed_s)

    def monotonic(self) -> float:
        return self._passed_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._passed_s += seconds


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: str

    def one(self, name: str) -> str | None:
        return self.query.get(name, [None])[0]


@dataclass
class Reply:
    """An answer; a body of None cuts the connection, ``truncate`` promises more than it sends."""

    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    truncate: bool = False


Script = Callable[[Request], Reply]


class Upstream:
    """Answers by script, in order; the last answer of a path repeats."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.clock: FakeClock | None = None
        self._scripts: dict[str, list[Reply] | Script] = {}
        self._lock = threading.Lock()

    def script(self, path: str, *replies: Reply | Script) -> None:
        """Answer ``path`` with these replies in turn, or with what one function returns."""
        first = replies[0]
        self._scripts[path] = list(replies) if isinstance(first, Reply) else first

    def asked(self, path: str) -> list[Request]:
        return [request for request in self.requests if request.path == path]

    def reply_to(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            script = self._scripts.get(request.path)
            if callable(script):
                return script(request)
            if not script:
                return Reply({"error": "Not Found", "status": 404, "message": "?"}, 404)
            return script.pop(0) if len(script) > 1 else script[0]


def handler_of(upstream: Upstream) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            url = urlsplit(self.path)
            length = int(self.headers.get("content-length") or 0)
            request = Request(
                self.command,
                url.path,
                parse_qs(url.query, keep_blank_values=True),
                {name.lower(): value for name, value in self.headers.items()},
                self.rfile.read(length).decode(),
            )
            reply = upstream.reply_to(request)
            if reply.body is None:
                self.close_connection = True
                return
            is_bytes = isinstance(reply.body, bytes)
            body = reply.body if is_bytes else json.dumps(reply.body).encode()
            headers = dict(reply.headers)
            if "Date" not in headers:
                moment = upstream.clock.now() if upstream.clock else START
                headers["Date"] = format_datetime(moment, usegmt=True)
            self.send_response_only(reply.status)
            for name, value in headers.items():
                if value:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) + 10 * reply.truncate))
            self.end_headers()
            self.wfile.write(body)
            if reply.truncate:
                self.close_connection = True

        do_GET = do_POST = _answer  # noqa: N815 # the names http.server looks for

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    return Handler


@dataclass
class Gate:
    """A ledger that counts, and refuses when told so."""

    left: int = 1_000
    spent: list[str] = field(default_factory=list)
    refunded: int = 0
    reported: list[str] = field(default_factory=list)

    def spend(self, endpoint: str) -> int:
        if not self.left:
            raise QuotaExhaustedError("The ledger is empty.")
        self.left -= 1
        self.spent.append(endpoint)
        return 1

    def refund(self, units: int) -> None:
        self.left += units
        self.refunded += units

    def exhausted(self, endpoint: str) -> None:
        self.reported.append(endpoint)


def video(video_id: str, **changes: Any) -> dict[str, Any]:
    """Return a video as the API writes one; keyword arguments replace whole parts."""
    item: dict[str, Any] = {
        "kind": "youtube#video",
        "id": video_id,
        "snippet": {
            "publishedAt": "2026-11-20T10:00:00Z",
            "channelId": f"UC{video_id}",
            "title": f"Title of {video_id}",
            "description": "text",
            "thumbnails": {"default": {"url": "https://i.example/d.jpg"}},
            "channelTitle": "Channel",
            "categoryId": "20",
            "liveBroadcastContent": "none",
        },
        "contentDetails": {"duration": "PT4M13S", "definition": "hd", "caption": "false"},
        "statistics": {"viewCount": "100", "likeCount": "7", "commentCount": "3"},
        "status": {"madeForKids": False},
    }
    item.update(changes)
    return {name: part for name, part in item.items() if part is not None}


def video_page(items: list[dict[str, Any]], cursor: str | None = None, total: int | None = None):
    page = {
        "kind": "youtube#videoListResponse",
        "items": items,
        "pageInfo": {"totalResults": len(items) if total is None else total, "resultsPerPage": 50},
    }
    return {**page, "nextPageToken": cursor} if cursor else page


def stream(number: int, **changes: Any) -> dict[str, Any]:
    """Return a stream as Helix writes one."""
    return {
        "id": f"s{number}",
        "user_id": f"u{number}",
        "user_login": f"login{number}",
        "user_name": f"Login{number}",
        "game_id": "33214",
        "game_name": "Fortnite",
        "type": "live",
        "title": f"Stream {number}",
        "viewer_count": 1_000 - number,
        "started_at": "2026-11-21T08:00:00Z",
        "language": "en",
        "tag_ids": [],
        "tags": ["English"],
        "is_mature": False,
        **changes,
    }


def clip(number: int, created_at: str, **changes: Any) -> dict[str, Any]:
    """Return a clip as Helix writes one."""
    return {
        "id": f"c{number}",
        "broadcaster_id": f"b{number}",
        "broadcaster_name": "Name",
        "creator_id": "1",
        "video_id": "",
        "game_id": "33214",
        "language": "en",
        "title": f"Clip {number}",
        "view_count": number,
        "created_at": created_at,
        "thumbnail_url": "https://clips.example/t.jpg",
        "duration": 28.5,
        "vod_offset": None,
        **changes,
    }


def helix(data: list[Any], cursor: str | None = None) -> dict[str, Any]:
    return {"data": data, "pagination": {"cursor": cursor} if cursor else {}}


def outcomes(fetches: tuple[FetchRecord, ...]) -> list[str]:
    return [fetch.outcome for fetch in fetches]
