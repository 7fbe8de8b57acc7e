"""A host that vanishes without a word is noticed by whoever is connected to it."""

import contextlib
import datetime as dt
import os
import socket
import sys
from collections.abc import Callable, Iterator

import pandas as pd
import psutil
import psycopg
import pytest
import sqlalchemy as sa

from aurastream.store import purge
from aurastream.store.connections import ConnectionPool
from aurastream.store.dead_peers import patient
from aurastream.store.frames import Append, FrameStore
from aurastream.store.ledger import PostgresLedger
from aurastream.store.migrate import migrate
from aurastream.store.urls import READER_ROLE

Rows = Callable[..., pd.DataFrame]
AT = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
DETECTION = {
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
}


def crawl(rows: Rows, name: str) -> Append:
    return Append("operations.crawls", rows("operations.crawls", [{"category": name}], at=AT))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The parameters of every connection that psycopg opens from now on."""
    parameters: list[dict[str, str]] = []
    really_connect = psycopg.connect

    def connect(*args: object, **kwargs: object) -> psycopg.Connection:
        connection = really_connect(*args, **kwargs)  # type: ignore[arg-type] # handed on
        parameters.append(connection.info.get_parameters())
        return connection

    monkeypatch.setattr(psycopg, "connect", connect)
    return parameters


def test_every_connection_that_writes_the_record_notices_a_vanished_host(
    store: FrameStore, database_url: str, rows: Rows, opened: list[dict[str, str]]
) -> None:
    uses: list[Callable[[], object]] = [
        lambda: store.commit([crawl(rows, "a")]),
        lambda: store.execute("DELETE FROM operations.crawls"),
        lambda: purge.connect(database_url).close(),
        lambda: purge.relations(database_url),
    ]
    for use in uses:
        opened.clear()
        use()
        assert opened
        for parameters in opened:
            assert DETECTION.items() <= parameters.items()
            assert parameters["connect_timeout"] == "10"


def test_a_migration_notices_a_vanished_host(
    database_url: str, opened: list[dict[str, str]]
) -> None:
    migrate(database_url)
    owners = [p for p in opened if p["user"] != READER_ROLE]
    assert owners
    for parameters in owners:
        assert DETECTION.items() <= parameters.items()


def test_the_ledger_notices_a_vanished_host(
    database_url: str, opened: list[dict[str, str]]
) -> None:
    with PostgresLedger(database_url) as ledger:
        ledger.remaining(AT)
    (parameters,) = opened
    assert DETECTION.items() <= parameters.items()
    assert parameters["application_name"] == "aurastream-ledger"


@pytest.mark.skipif(sys.platform != "linux", reason="asks the sockets as Linux names their options")
def test_the_sockets_of_the_columnar_driver_are_told_of_it(database_url: str) -> None:
    port = sa.make_url(database_url).port
    pool = ConnectionPool(database_url, application="test")
    before = sockets_to(port)
    with contextlib.closing(pool), pool.connection():
        (ours,) = sockets_to(port) - before
        with duplicate_of(ours) as end:
            assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert [
                end.getsockopt(socket.IPPROTO_TCP, option)
                for option in (
                    socket.TCP_KEEPIDLE,
                    socket.TCP_KEEPINTVL,
                    socket.TCP_KEEPCNT,
                    socket.TCP_USER_TIMEOUT,
                )
            ] == [10, 5, 4, 30_000]


def sockets_to(port: int | None) -> set[int]:
    """Return the descriptors of this process that lead to a port."""
    found = psutil.Process().net_connections("tcp")
    return {c.fd for c in found if c.raddr and c.raddr.port == port}


@contextlib.contextmanager
def duplicate_of(descriptor: int) -> Iterator[socket.socket]:
    with socket.socket(fileno=os.dup(descriptor)) as end:
        yield end


def test_what_a_url_says_of_vanished_hosts_itself_is_kept(database_url: str) -> None:
    url = f"{database_url}?keepalives_idle=60&tcp_user_timeout=90000&connect_timeout=4"
    with psycopg.connect(patient(url)) as connection:
        found = connection.info.get_parameters()
    assert (found["keepalives_idle"], found["tcp_user_timeout"]) == ("60", "90000")
    assert found["connect_timeout"] == "4"
    assert (found["keepalives_interval"], found["keepalives_count"]) == ("5", "4")
