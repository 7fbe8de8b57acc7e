"""ADBC connections to Postgres: a small pool, and what counts as a lost connection."""

import contextlib
import os
import threading
from collections.abc import Iterator

import adbc_driver_manager
import adbc_driver_postgresql
import psycopg
from adbc_driver_postgresql import dbapi
from psycopg.conninfo import make_conninfo

from aurastream.store.dead_peers import patient
from aurastream.store.errors import StoreUnavailableError

__all__ = ["ConnectionPool", "connect", "is_connection_loss"]

# Connection exceptions, shutdown, crash, still starting, idle for too long, too many connections.
_LOST_CLASS = "08"
_LOST_STATES = frozenset({"57P01", "57P02", "57P03", "57P05", "53300"})
_UNWRITABLE = "Error occurred writing COPY data:"
_MOST_IDLE = 4
_SMALL_DATABASE = "postgres"  # every server has it, and we keep nothing there


def is_connection_loss(error: BaseException) -> bool:
    """Whether an error says that the server is away, so that the same call may succeed later."""
    if isinstance(error, StoreUnavailableError):
        return True
    if not isinstance(error, adbc_driver_manager.Error | psycopg.OperationalError):
        return False
    state = error.sqlstate
    if state:
        return state in _LOST_STATES or state.startswith(_LOST_CLASS)
    # Without a state no server spoke: libpq could not reach it or lost it, in words that differ by
    # system, language and TLS library. Nor does libpq tell the state of what refused a connection;
    # what a password that was changed holds up is not refused for good either. The other classes
    # of error are faults of the program.
    if not isinstance(error, adbc_driver_manager.OperationalError | psycopg.OperationalError):
        return False
    # Except for a value that the driver cannot write down, of which libpq has nothing to say.
    return not str(error).rstrip().endswith(_UNWRITABLE)


def connect(url: str, *, autocommit: bool = False) -> dbapi.Connection:
    """Connect to a database whatever the number of its partitions.

    The driver begins with reading every column of every table of the database that it is told of,
    in case a result has one of its row types: a fifth of a second for two weeks of partitions, four
    seconds for 400 days. No row type is ever a column of ours and all other types are the same on a
    whole server, so it is told of a small database first; where it may not look at that, of ours.
    """
    try:
        database = adbc_driver_postgresql.connect(make_conninfo(url, dbname=_SMALL_DATABASE))
    except adbc_driver_manager.Error as error:
        if "timeout expired" in str(error):
            raise  # nobody is there, and waiting once more would only double the time
        database = adbc_driver_postgresql.connect(url)
    try:
        database.set_options(uri=url)
        connection = adbc_driver_manager.AdbcConnection(database)
    except BaseException:
        database.close()
        raise
    return dbapi.Connection(database, connection, autocommit=autocommit)


class ConnectionPool:
    """Hands out connections to one thread at a time; a connection that failed is not kept.

    Parameters
    ----------
    url : str
        ``postgresql://`` URL.
    application : str
        Name the server shows for these connections.
    """

    def __init__(self, url: str, *, application: str) -> None:
        self._url = patient(url)
        self._application = application
        self._lock = threading.Lock()
        self._idle: list[dbapi.Connection] = []
        self._pid = os.getpid()

    @contextlib.contextmanager
    def connection(self, *, in_transaction: bool = True) -> Iterator[dbapi.Connection]:
        """Yield a connection in a transaction; commit at the end, roll back on an error.

        A single question needs no transaction, and saves two round trips without it.
        """
        connection = self._take()
        try:
            if in_transaction:
                _say(connection, "BEGIN")
            yield connection
            if in_transaction:
                _say(connection, "COMMIT")
        except BaseException:
            # Whatever state it is in, closing it ends its transaction on the server.
            _close(connection)
            raise
        self._give_back(connection)

    def close(self) -> None:
        """Close the idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            _close(connection)

    def _take(self) -> dbapi.Connection:
        with self._lock:
            if self._pid != os.getpid():
                # After a fork the sockets belong to the parent; even closing would disturb it.
                self._idle, self._pid = [], os.getpid()
            if self._idle:
                return self._idle.pop()
        # We begin and commit ourselves: left to it, the driver begins once more after every COPY,
        # and the server warns of each in its log.
        connection = connect(self._url, autocommit=True)
        try:
            _say(connection, "SET TIME ZONE 'UTC'")
            _say(connection, f"SET application_name = '{self._application}'")
        except BaseException:
            _close(connection)
            raise
        return connection

    def _give_back(self, connection: dbapi.Connection) -> None:
        with self._lock:
            if len(self._idle) < _MOST_IDLE and self._pid == os.getpid():
                self._idle.append(connection)
                return
        _close(connection)


def _say(connection: dbapi.Connection, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def _close(connection: dbapi.Connection) -> None:
    with contextlib.suppress(adbc_driver_manager.Error):
        connection.close()
