"""Setting back what was altered at the role of analysts.

A role may always write down other settings for itself, for one database or for all, and another
password. Nothing forbids it, so it is looked for and undone. Sessions that began in between run
under what was written down then: they end.
"""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from aurastream.store.reader import Reader
from aurastream.store.urls import READER_ROLE

if TYPE_CHECKING:
    import datetime as dt

__all__ = ["Altered", "ReaderHold", "altered_settings", "hold_password", "hold_settings", "lets_in"]

_log = logging.getLogger(__name__)
_WRITTEN_DOWN = """
    SELECT coalesce(d.datname, ''), split_part(item, '=', 1), split_part(item, '=', 2)
    FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
    LEFT JOIN pg_database d ON d.oid = s.setdatabase, unnest(s.setconfig) AS item
    WHERE r.rolname = %s ORDER BY 1, 2
"""
# Which of these names this server knows, and lets us decide on for another role. The view leaves
# out what says whose rights hold, which everybody may write down.
_DECIDABLE = """
    SELECT asked FROM unnest(%s::text[]) AS asked
    WHERE lower(asked) IN ('role', 'session_authorization') OR EXISTS (
        SELECT FROM pg_settings s WHERE lower(s.name) = lower(asked)
        AND (s.context = 'user' OR has_parameter_privilege(current_user, s.name, 'SET')))
"""
_END = """
    SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE usename = %s AND (%s::timestamptz IS NULL OR backend_start >= %s)
"""


@dataclass(frozen=True, slots=True)
class Altered:
    """What a look undid.

    Parameters
    ----------
    altered : tuple of str
        Settings, ``database: setting`` where it was for one database only, or ``password``.
    ended : int
        Sessions that were ended, because they began meanwhile.
    """

    altered: tuple[str, ...] = ()
    ended: int = 0


class ReaderHold:
    """Looks again and again, and remembers when all was in order last."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._in_order_at: dt.datetime | None = None
        self._fits: object = None

    def look(self, connection: psycopg.Connection) -> Altered:
        """Undo what was altered since the last look, and end what began meanwhile.

        Parameters
        ----------
        connection : psycopg.Connection
            As the owner, in autocommit.

        Raises
        ------
        psycopg.errors.InsufficientPrivilege
            When something was altered and we may not undo it.
        """
        row = connection.execute("SELECT clock_timestamp()").fetchone()
        looked_at = row[0] if row else None
        altered = hold_settings(connection, self._reader)
        if self._password_altered(connection):
            altered = (*altered, "password")
        ended = 0
        if altered:
            since = self._in_order_at
            found = connection.execute(_END, (READER_ROLE, since, since)).fetchone()
            ended = int(found[0]) if found else 0
        self._in_order_at = looked_at
        return Altered(altered, ended)

    def _password_altered(self, connection: psycopg.Connection) -> bool:
        """Whether the password was another one; tried only where it may have changed."""
        kept = _verifier(connection)
        if kept is not None and kept == self._fits:
            return False
        was_altered = hold_password(connection, self._reader)
        self._fits = _verifier(connection)
        return was_altered


def altered_settings(connection: psycopg.Connection, reader: Reader) -> tuple[str, ...]:
    """Return what is written down at the role and is not as it is meant to be, by name."""
    rows = connection.execute(_WRITTEN_DOWN, (READER_ROLE,)).fetchall()
    # What a superuser alone may set was set by one, and stays.
    ours = _decidable(connection, {str(name) for _, name, _ in rows} | set(reader.limits))
    found = {str(name): str(value) for database, name, value in rows if not database}
    wrong = {
        n for n in ours & (set(found) | set(reader.limits)) if found.get(n) != reader.limits.get(n)
    }
    wrong |= {f"{database}: {name}" for database, name, _ in rows if database and name in ours}
    return tuple(sorted(wrong))


def hold_settings(connection: psycopg.Connection, reader: Reader) -> tuple[str, ...]:
    """Write the limits down at the role where they are not, and nothing else; return what was not.

    Raises
    ------
    psycopg.errors.InsufficientPrivilege
        When we may not alter the role.
    """
    altered = altered_settings(connection, reader)
    if not altered:
        return ()
    role = sql.Identifier(READER_ROLE)
    written = connection.execute(_WRITTEN_DOWN, (READER_ROLE,)).fetchall()
    with connection.transaction():
        connection.execute(sql.SQL("ALTER ROLE {} RESET ALL").format(role))
        for database in sorted({str(row[0]) for row in written if row[0]}):
            connection.execute(
                sql.SQL("ALTER ROLE {} IN DATABASE {} RESET ALL").format(
                    role, sql.Identifier(database)
                )
            )
        for name in sorted(_decidable(connection, set(reader.limits))):
            value = reader.limits[name]
            connection.execute(
                sql.SQL("ALTER ROLE {} SET {} = {}").format(
                    role,
                    sql.Identifier(name),
                    # A list of schemas is no string: quoted, it would name one schema.
                    sql.SQL(value) if name == "search_path" else sql.Literal(value),
                )
            )
    return altered


def hold_password(connection: psycopg.Connection, reader: Reader) -> bool:
    """Set the password again where it does not let the role in; whether that was why.

    Raises
    ------
    psycopg.errors.InsufficientPrivilege
        When we may not alter the role.
    """
    if reader.password is None or lets_in(reader):
        return False
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
            sql.Identifier(READER_ROLE), sql.Literal(reader.password)
        )
    )
    # Within a transaction nobody sees it yet; else a server that is full or refuses for another
    # reason is no reason to say that the password was altered.
    in_transaction = connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE
    return in_transaction or lets_in(reader)


def lets_in(reader: Reader) -> bool:
    """Whether the role gets in with its password."""
    if reader.url is None:
        return True
    try:
        psycopg.connect(
            reader.url, connect_timeout=3, application_name="aurastream-analysts"
        ).close()
    except psycopg.OperationalError as error:
        _log.debug("%s does not get in: %s", READER_ROLE, error)
        return False
    return True


def _decidable(connection: psycopg.Connection, names: set[str]) -> set[str]:
    rows = connection.execute(_DECIDABLE, (sorted(names),)).fetchall()
    return {str(name) for (name,) in rows}


def _verifier(connection: psycopg.Connection) -> str | None:
    """Return what the server keeps of the password, which superusers alone may see."""
    row = connection.execute("SELECT has_table_privilege('pg_authid', 'SELECT')").fetchone()
    if not (row and row[0]):
        return None
    kept = connection.execute(
        "SELECT rolpassword FROM pg_authid WHERE rolname = %s", (READER_ROLE,)
    ).fetchone()
    return str(kept[0]) if kept else None
