"""Real servers for tests: embedded, throwaway, one database per test.

The servers start once per session (per worker under xdist) and listen on loopback; each test that
asks for a database gets a clone of a migrated template, each that asks for Redis an empty one.
"""

import contextlib
import os
import shutil
import signal
import socket
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis
from hypothesis import HealthCheck, settings
from psycopg import sql
from pytest_socket import socket_allow_hosts
from xdist.scheduler import LoadScopeScheduling

from aurastream.store.embedded import EmbeddedPostgres, EmbeddedRedis
from aurastream.store.frames import FrameStore
from aurastream.store.migrate import migrate

# Examples are drawn the same way every time, and a busy machine is no failure. Here, because a
# test takes the profile that is loaded when its module is imported.
settings.register_profile(
    "aurastream", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("aurastream")

_LOOPBACK = ["127.0.0.1", "::1", "localhost"]
_TEMPLATE = "aurastream_template"
_MEMORY = "/dev/shm"  # noqa: S108 # a directory of our own is made there
_ROOM_BYTES = 6 * 2**30

# What shares something beyond its own file, in the order in which it is begun.
_SHARING = (
    "tests/e2e/",  # one running product
    "tests/chaos/",  # a code server
    "tests/dbt_models/",  # dbt, and what it parsed
    "tests/graph/test_faults_jobs.py",  # a server that they kill, and what a clean run gives
    "tests/graph/test_definitions.py",  # the graph
    "tests/graph/test_isolation.py",  # a window that was scored and analysed
    "tests/graph/test_audiences.py",  # a window that was scored
    "tests/unit/evaluation/",  # a made-up archive, and forests
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Keep on one worker what shares something that is expensive to make.

    The group marks of xdist would do the same, but not with this version of pytest.
    """
    config.option.loadscopereorder = False  # the order is that of the collection
    return _Sharing(config, log)


class _Sharing(LoadScopeScheduling):  # type: ignore[misc] # xdist ships no types
    def _split_scope(self, nodeid: str) -> str:
        shared = next(filter(nodeid.startswith, _SHARING), None)
        alone = nodeid.startswith("tests/graph/")  # long ones that share nothing
        return shared or (nodeid if alone else nodeid.partition("::")[0])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest: first those that mostly wait, so that others compute meanwhile."""

    def place(item: pytest.Item) -> int:
        begun = (n for n, start in enumerate(_SHARING) if item.nodeid.startswith(start))
        return next(begun, len(_SHARING))

    items.sort(key=place)


def pytest_configure() -> None:
    """Let the programs that tests start hear the signals that they are sent.

    A shell starts what runs in its background, CI among it, with interrupts ignored, and so they
    stay in every child; Dagster then takes SIGTERM for the same. A handler ends with the next exec.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup() -> None:
    """No test reaches further than this machine, by rule and not by care."""
    socket_allow_hosts(_LOOPBACK, allow_unix_socket=True)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and keys of the person who runs the tests do not reach them."""
    forget_settings(monkeypatch)


def forget_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take whatever configures us out of the environment."""
    for name in list(os.environ):
        if name.startswith(("AURASTREAM_", "YOUTUBE_", "TWITCH_", "DAGSTER_")):
            monkeypatch.delenv(name)


def _in_memory() -> str | None:
    """Return a file system in memory that has room; None where there is none.

    A fresh database is 400 files: a disk's file system takes a third of a second for them, and
    there are seven hundred such databases.
    """
    has_room = os.access(_MEMORY, os.W_OK) and psutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    return _MEMORY if has_room and psutil.virtual_memory().available > _ROOM_BYTES else None


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """A short-lived directory that an unprivileged server account can reach, unlike tmp_path."""
    directory = Path(tempfile.mkdtemp(prefix="aurastream-test-", dir=_in_memory()))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server(server_directory: Path) -> Iterator[EmbeddedPostgres]:
    """A throwaway Postgres with the migrated template database."""
    server = EmbeddedPostgres(server_directory / "postgres", database=_TEMPLATE, durable=False)
    with server:
        migrate(server.url)
        yield server


@pytest.fixture(scope="session")
def mortal_postgres(server_directory: Path) -> Iterator[EmbeddedPostgres]:
    """A second server, with real durability, for tests that kill it; it is back on its port."""
    server = EmbeddedPostgres(server_directory / "mortal", database=_TEMPLATE)
    with server:
        migrate(server.url)
        yield server


@pytest.fixture(scope="session")
def redis_server(server_directory: Path) -> Iterator[EmbeddedRedis]:
    """A throwaway Redis."""
    with EmbeddedRedis(server_directory / "redis", durable=False) as server:
        yield server


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """URL of a fresh, migrated database of this test alone."""
    with fresh_database(postgres_server) as url:
        yield url


@contextlib.contextmanager
def fresh_database(server: EmbeddedPostgres, template: str = _TEMPLATE) -> Iterator[str]:
    """Clone a template; drop the clone at the end, whoever still holds a connection."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server.url_of("postgres"), autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    try:
        yield server.url_of(name)
    finally:
        with psycopg.connect(server.url_of("postgres"), autocommit=True) as admin:
            admin.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """URL of an empty Redis."""
    client = redis.Redis.from_url(redis_server.url)
    client.flushall()
    client.close()
    return redis_server.url


@pytest.fixture
def store(database_url: str) -> Iterator[FrameStore]:
    """A frame store on a fresh database."""
    frames = FrameStore(database_url)
    yield frames
    frames.close()


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return a function that names a port nobody listens on."""

    def choose() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    return choose
