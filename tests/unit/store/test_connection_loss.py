"""What counts as a lost connection: decided by class and state, in whatever words it is told."""

import adbc_driver_manager as adbc
import psycopg
import pytest

from aurastream.store.connections import is_connection_loss
from aurastream.store.errors import StoreBusyError, StoreError, StoreUnavailableError
from aurastream.store.retries import explained

AWAY = [
    "failed to resolve host 'record.invalid': [Errno -2] Name or service not known",
    "consuming input failed: SSL SYSCALL error: EOF detected",
    "SSL error: unexpected eof while reading",
    "could not receive data from server: Software caused an abort",
    "sending query and params failed: no answer",
    "Verbindung zum Server wurde unerwartet beendet",
    "",
]


def by_adbc(
    kind: type[adbc.Error], status: adbc.AdbcStatusCode, text: str, state: str | None = None
) -> adbc.Error:
    return kind(text, status_code=status, sqlstate=state)


@pytest.mark.parametrize("text", AWAY)
def test_whatever_no_server_said_is_a_lost_connection(text: str) -> None:
    for error in (
        psycopg.OperationalError(text),
        psycopg.errors.ConnectionTimeout(text),
        by_adbc(adbc.OperationalError, adbc.AdbcStatusCode.IO, f"IO: [libpq] {text}"),
    ):
        assert is_connection_loss(error)
        assert isinstance(explained(error), StoreUnavailableError)


@pytest.mark.parametrize("state", ["08000", "08006", "57P01", "57P02", "57P03", "57P05", "53300"])
def test_a_server_that_goes_comes_or_is_full_is_a_lost_connection(state: str) -> None:
    assert is_connection_loss(psycopg.errors.lookup(state)("gone"))
    assert is_connection_loss(
        by_adbc(adbc.OperationalError, adbc.AdbcStatusCode.IO, "IO: gone", state)
    )


@pytest.mark.parametrize(
    "state", ["28P01", "28000", "3D000", "42P01", "42501", "23505", "22003", "53100", "57014"]
)
def test_what_a_server_answered_is_none_even_when_it_speaks_of_connections(state: str) -> None:
    for error in (
        psycopg.errors.lookup(state)("connection: terminating, server closed"),
        by_adbc(adbc.OperationalError, adbc.AdbcStatusCode.IO, "IO: connect", state),
    ):
        assert not is_connection_loss(error)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.ProgrammingError('invalid connection option "hots"'),
        psycopg.InterfaceError("the cursor is closed, connect again"),
        psycopg.DataError("cannot dump: connection"),
        by_adbc(
            adbc.ProgrammingError,
            adbc.AdbcStatusCode.INVALID_STATE,
            "INVALID_STATE: Cannot commit a connection that autocommits",
        ),
        by_adbc(adbc.DataError, adbc.AdbcStatusCode.INVALID_DATA, "INVALID_DATA: connect"),
        OSError("connection refused"),
        ValueError("connect"),
    ],
)
def test_a_fault_of_the_program_is_no_lost_connection(error: Exception) -> None:
    assert not is_connection_loss(error)


def test_what_we_call_unavailable_or_busy_ourselves_is_away_and_no_more_than_that() -> None:
    assert is_connection_loss(StoreUnavailableError("Postgres does not answer."))
    assert is_connection_loss(StoreBusyError("Postgres refuses for now."))
    assert not is_connection_loss(StoreError("refused"))
