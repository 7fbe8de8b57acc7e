"""A replay server on loopback whose clock stands still, and clients of it."""

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from aurastream.replay.server import background

REPO_ROOT = Path(__file__).resolve().parents[2]
DATA = REPO_ROOT.parent / "shared" / "data"
NOW = dt.datetime(2026, 11, 20, 18, 0, tzinfo=dt.UTC)

COMMAND = [sys.executable, "-m", "aurastream.replay"]

Get = Callable[..., httpx.Response]


@contextmanager
def running(
    *options: str, environment: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a server as a process of its own; give the process and its URL."""
    with subprocess.Popen(
        [*COMMAND, *options],
        cwd=REPO_ROOT,
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.fixture(scope="session")
def replay_url() -> Iterator[str]:
    """URL of a server whose now is `NOW` unless a request says otherwise."""
    with background(clock=NOW.timestamp) as url:
        yield url


@pytest.fixture
def client(replay_url: str) -> Iterator[httpx.Client]:
    """A client; faults and limits are as at the start before and after each test."""
    with httpx.Client(base_url=replay_url) as client:
        _reset(client)
        yield client
        _reset(client)


def _reset(client: httpx.Client) -> None:
    client.delete("/_replay/faults")
    limits = {"default": 10_000, "search": 100, "batchGetStats": 10_000, "points_per_minute": 800}
    client.put("/_replay/limits", json=limits)


@pytest.fixture
def youtube(client: httpx.Client, request: pytest.FixtureRequest) -> Get:
    """Return a function that asks YouTube, with a key of this test's own."""

    def get(
        path: str,
        at: dt.datetime | None = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> httpx.Response:
        query = {"key": request.node.nodeid, **query}
        moved = {"X-Replay-Now": at.isoformat()} if at else {}
        return client.get(f"/youtube/v3/{path}", params=query, headers=moved | (headers or {}))

    return get


@pytest.fixture
def token(client: httpx.Client) -> str:
    """Return a fresh app token."""
    return new_token(client)


def new_token(client: httpx.Client) -> str:
    """Ask for an app token as a client would."""
    form = {
        "client_id": "replay-client",
        "client_secret": "replay-secret",
        "grant_type": "client_credentials",
    }
    answer = client.post("/oauth2/token", data=form)
    return str(answer.raise_for_status().json()["access_token"])


@pytest.fixture
def helix(client: httpx.Client, token: str) -> Get:
    """Return a function that asks Helix with a token."""

    def get(
        path: str,
        at: dt.datetime | None = None,
        headers: dict[str, str] | None = None,
        **query: Any,
    ) -> httpx.Response:
        sent = {"Authorization": f"Bearer {token}", "Client-Id": "replay-client"}
        moved = {"X-Replay-Now": at.isoformat()} if at else {}
        return client.get(f"/helix/{path}", params=query, headers=sent | moved | (headers or {}))

    return get


@pytest.fixture
def fault(client: httpx.Client) -> Callable[..., dict[str, Any]]:
    """Return a function that sets a fault."""

    def put(**content: Any) -> dict[str, Any]:
        answer = client.post("/_replay/faults", json=content)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    return put
