"""Connections to the Postgres that Dagster keeps its own rows in, kept by whoever opened them.

Dagster opens one per statement. A kept one may have lost its server meanwhile, which is found out
before it is used.
"""

import select
import time
from typing import Final

import sqlalchemy as sa
from dagster_postgres.utils import create_pg_engine
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from aurastream.store.dead_peers import dead_peer_detection

__all__ = ["kept_engine"]

_RESTS_SINCE: Final = "rests_since"
_RESTED_S: Final = 1.0
_CONNECT_TIMEOUT_S: Final = 10


def kept_engine(postgres_url: str, options: str = "") -> Engine:
    """Return an engine that keeps a connection open; each statement is a transaction.

    Parameters
    ----------
    postgres_url : str
        Of SQLAlchemy's kind, with the driver's name.
    options : str
        Added to what the URL says the server is to be started with for a session.
    """
    said = make_url(postgres_url).query
    detection = dead_peer_detection(idle_s=10, interval_s=5, count=4, user_timeout_s=30)
    timeouts = {"connect_timeout": _CONNECT_TIMEOUT_S, **detection}
    ours = {name: value for name, value in timeouts.items() if name not in said}
    engine = create_pg_engine(
        postgres_url,
        isolation_level="AUTOCOMMIT",
        pool_size=1,
        max_overflow=20,
        connect_args={**ours, "options": f"{said.get('options', '')} {options}".strip()},
    )

    def prove(connection: DBAPIConnection, record: ConnectionPoolEntry, _borrowed: object) -> None:
        """Refuse a connection whose server went away; the pool opens another in its place.

        A server that closes a connection says so, and that waits to be read. To ask it would be
        five hundred round trips a run, so only one that had the time to vanish silently is asked.
        """
        since = record.info.get(_RESTS_SINCE)
        if since is None:
            return  # opened just now
        try:
            if _has_spoken(connection):
                raise sa.exc.DisconnectionError("The server has closed the connection.")
            if time.monotonic() - since > _RESTED_S:
                engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise sa.exc.DisconnectionError("The server does not answer.") from error

    sa.event.listen(engine, "checkin", _rest)
    sa.event.listen(engine, "checkout", prove)
    return engine


def _rest(_connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
    record.info[_RESTS_SINCE] = time.monotonic()


def _has_spoken(connection: DBAPIConnection) -> bool:
    """Whether something came that nobody asked for: the end of the connection, as a rule."""
    inbox = select.poll()  # bears any number of open files
    inbox.register(connection.fileno(), select.POLLIN)
    return bool(inbox.poll(0))
