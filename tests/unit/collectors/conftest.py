"""A scripted platform on loopback: both APIs' wire formats, told by the test what to answer."""

import contextlib
import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from aurastream.sources.transport import RetryPolicy
from aurastream.sources.twitch import TwitchClient
from aurastream.sources.youtube import YouTubeClient

NOW = dt.datetime(2026, 11, 21, 12, 25, tzinfo=dt.UTC)
Query = dict[str, str]
Reply = tuple[int, Any]


def video(video_id: str, title: str = "A title", **changes: Any) -> dict[str, Any]:
    """Return an item of videos.list."""
    views = changes.pop("views", 1000)
    snippet = {
        "publishedAt": "2026-11-21T06:25:00Z",
        "channelId": changes.pop("channel", "UC" + video_id),
        "title": title,
        "description": "",
        "thumbnails": {"default": {"url": "http://127.0.0.1/t.jpg"}},
        "channelTitle": "Channel",
        "categoryId": "20",
        "liveBroadcastContent": "none",
        "tags": changes.pop("tags", []),
    }
    return {
        "kind": "youtube#video",
        "etag": "e",
        "id": video_id,
        "snippet": snippet,
        "contentDetails": {
            "duration": "PT2M",
            "definition": "hd",
            "caption": "false",
            "licensedContent": True,
        },
        "statistics": {} if views is None else {"viewCount": str(views), "likeCount": "10"},
        **changes,
    }


def stream(stream_id: str, game_id: str, viewers: int) -> dict[str, Any]:
    """Return an item of streams."""
    return {
        "id": stream_id,
        "user_id": "u" + stream_id,
        "user_login": "l" + stream_id,
        "user_name": "N" + stream_id,
        "game_id": game_id,
        "game_name": "G",
        "type": "live",
        "title": "Live!",
        "viewer_count": viewers,
        "started_at": "2026-11-21T10:00:00Z",
        "language": "en",
        "thumbnail_url": "",
        "tag_ids": [],
        "tags": ["English"],
        "is_mature": False,
    }


def clip(clip_id: str, game_id: str, created_at: dt.datetime, views: int = 5) -> dict[str, Any]:
    """Return an item of clips."""
    return {
        "id": clip_id,
        "url": "",
        "embed_url": "",
        "broadcaster_id": "b",
        "broadcaster_name": "B",
        "creator_id": "c",
        "creator_name": "C",
        "video_id": "",
        "game_id": game_id,
        "language": "en",
        "title": "Clip",
        "view_count": views,
        "created_at": created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "thumbnail_url": "",
        "duration": 29.5,
        "vod_offset": None,
    }


def google_error(status: int, reason: str) -> Reply:
    """Return an error answer of a Google API."""
    entry = {"message": reason, "domain": "x", "reason": reason}
    return status, {"error": {"code": status, "message": reason, "errors": [entry]}}


class Platform:
    """What the server answers, and what it was asked.

    ``videos`` answers ids and charts (``charts`` maps region and category to ids); ``intercept``
    may answer first; ``now`` is the clock of the platform.
    """

    def __init__(self) -> None:
        self.now = NOW
        self.videos: dict[str, dict[str, Any]] = {}
        self.charts: dict[tuple[str, str | None], list[str]] = {}
        self.found: dict[str, list[str]] = {}
        self.streams: dict[str, list[dict[str, Any]]] = {}
        self.clips: list[dict[str, Any]] = []
        self.calls: list[tuple[str, Query]] = []
        self.intercept: Callable[[str, Query], Reply | bytes | None] = lambda _path, _query: None
        self.lock = threading.Lock()
        self.url = ""

    # Test modules cannot import from here, so they find the makers of items on the fixture.
    video = staticmethod(video)
    stream = staticmethod(stream)
    clip = staticmethod(clip)
    google_error = staticmethod(google_error)

    def asked(self, path: str) -> list[Query]:
        """Return the queries of one path, in order."""
        return [query for asked, query in self.calls if asked == path]

    def answer(self, path: str, query: Query) -> Reply | bytes:
        """Answer one request."""
        with self.lock:
            self.calls.append((path, query))
        special = self.intercept(path, query)
        if special is not None:
            return special
        handler = getattr(self, "_" + path.strip("/").replace("/", "_").replace("-", "_").lower())
        return 200, handler(query)

    def _youtube_v3_videos(self, query: Query) -> dict[str, Any]:
        if "id" in query:
            ids = query["id"].split(",")
        else:
            ids = self.charts.get((query["regionCode"], query.get("videoCategoryId")), [])
        items = [self.videos[i] for i in ids if i in self.videos]
        return {
            "kind": "youtube#videoListResponse",
            "etag": "e",
            "items": items,
            "pageInfo": {"totalResults": len(items), "resultsPerPage": len(items)},
        }

    def _youtube_v3_search(self, query: Query) -> dict[str, Any]:
        items = [
            {
                "kind": "youtube#searchResult",
                "etag": "e",
                "id": {"kind": "youtube#video", "videoId": i},
                "snippet": {"title": "found", "channelId": "UC" + i},
            }
            for i in self.found.get(query["q"], [])
        ]
        return {"kind": "youtube#searchListResponse", "etag": "e", "items": items}

    def _youtube_v3_channels(self, query: Query) -> dict[str, Any]:
        items = [
            {
                "kind": "youtube#channel",
                "etag": "e",
                "id": i,
                "snippet": {"title": "Channel " + i, "publishedAt": "2020-01-01T00:00:00Z"},
                "statistics": {"viewCount": "5", "subscriberCount": "7", "videoCount": "9"},
            }
            for i in query["id"].split(",")
        ]
        return {"kind": "youtube#channelListResponse", "etag": "e", "items": items}

    def _oauth2_token(self, query: Query) -> dict[str, Any]:
        return {"access_token": "token", "expires_in": 5_000_000, "token_type": "bearer"}

    def _helix_streams(self, query: Query) -> dict[str, Any]:
        return {"data": self.streams.get(query["game_id"], []), "pagination": {}}

    def _helix_games_top(self, query: Query) -> dict[str, Any]:
        games = [{"id": i, "name": "G" + i, "box_art_url": "", "igdb_id": ""} for i in self.streams]
        return {"data": games, "pagination": {}}

    def _helix_clips(self, query: Query) -> dict[str, Any]:
        inside = [
            c
            for c in self.clips
            if c["game_id"] == query["game_id"]
            and query["started_at"] <= c["created_at"] < query["ended_at"]
        ]
        return {"data": inside[: int(query["first"])], "pagination": {}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    platform: Platform

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        reply = self.platform.answer(parts.path, query)
        status, body = (200, reply) if isinstance(reply, bytes) else reply
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response_only(status)
        self.send_header("Date", format_datetime(self.platform.now, usegmt=True))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(OSError):  # whoever asked may have given up
            self.wfile.write(data)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def log_message(self, *args: object) -> None:
        """Say nothing: the tests look at what was asked."""


class StillClock:
    """A clock that stands still and waits for nothing."""

    def now(self) -> dt.datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    def sleep(self, seconds: float) -> None:
        """Waiting takes no time."""


@pytest.fixture
def platform() -> Iterator[Platform]:
    script = Platform()
    handler = type("Handler", (_Handler,), {"platform": script})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        script.url = f"http://127.0.0.1:{server.server_port}"
        yield script
        server.shutdown()
        thread.join()


@pytest.fixture
def youtube(platform: Platform) -> Iterator[YouTubeClient]:
    with YouTubeClient(
        platform.url, "key", clock=StillClock(), retry=RetryPolicy(max_attempts=1)
    ) as client:
        yield client


@pytest.fixture
def twitch(platform: Platform) -> Iterator[TwitchClient]:
    with TwitchClient(
        platform.url,
        platform.url,
        "client",
        "secret",
        clock=StillClock(),
        retry=RetryPolicy(max_attempts=1),
    ) as client:
        yield client
