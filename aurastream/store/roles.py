"""The role of analysts: what it may read, what it cannot take, and limits for honest mistakes.

Postgres lets every role change most settings of its own session, what is written down at the role
itself, and its password; so a limit set on a role is a default and not a fence (`docs/roles.md`
says which is which). What is a fence is a right that the role does not have: here, those rights
that Postgres gives to everybody. What is left over, `aurastream.store.overdue` ends and
`aurastream.store.reader_hold` undoes.
"""

import logging
from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from aurastream.store.reader import Reader
from aurastream.store.reader_hold import hold_password, hold_settings
from aurastream.store.urls import READER_ROLE

__all__ = ["ensure_reader"]

_Values = Sequence[object] | Mapping[str, object] | None

_log = logging.getLogger(__name__)
_CONNECTIONS = 20
# What Postgres lets everybody call, and what one session could stop or fill the server with:
# advisory locks (writers, migrations, backfills, the quota ledger and leadership wait for them),
# large objects, and messages in the write-ahead log. Giving up one's own locks harms nobody, and
# pools of clients do it when a connection comes back.
_WITHHELD = """
    SELECT p.oid::regprocedure::text FROM pg_proc p
    WHERE p.pronamespace = 'pg_catalog'::regnamespace
      AND (p.proname ~ '^pg_(try_)?advisory_' AND p.proname <> 'pg_advisory_unlock_all'
           OR p.proname ~ '^lo_' OR p.proname IN ('loread', 'lowrite', 'pg_logical_emit_message'))
      AND has_function_privilege(%s, p.oid, 'EXECUTE')
"""


def ensure_reader(connection: psycopg.Connection, reader: Reader) -> None:
    """Create the role, or bring it up to date; in the transaction of the connection.

    Roles belong to the whole server, so it may be there already. What was written down at it since
    is set back, its password too, as far as we may.

    Parameters
    ----------
    connection : psycopg.Connection
        As the owner of the database.
    reader : Reader
        Its limits and password.
    """
    role = sql.Identifier(READER_ROLE)
    if not _is_true(connection, "SELECT true FROM pg_roles WHERE rolname = %s", (READER_ROLE,)):
        # Another database of this server may be migrated right now: roles know no IF NOT EXISTS.
        connection.execute(
            sql.SQL(
                "DO $$ BEGIN CREATE ROLE {} NOLOGIN; "
                "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            ).format(role)
        )
        if reader.password is not None:
            connection.execute(
                sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
                    role, sql.Literal(reader.password)
                )
            )
        connection.execute(
            sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(role, sql.Literal(_CONNECTIONS))
        )
        hold_settings(connection, reader)
    else:
        _hold(connection, reader)
    _see_sessions(connection, role)
    _withhold_temporary(connection)
    _withhold_functions(connection)


def _hold(connection: psycopg.Connection, reader: Reader) -> None:
    try:
        with connection.transaction():
            altered = hold_settings(connection, reader)
            if hold_password(connection, reader):
                altered = (*altered, "password")
    except psycopg.errors.InsufficientPrivilege as error:
        _log.warning(
            "%s is not as it is meant to be, and we may not mend it: %s", READER_ROLE, error
        )
    else:
        if altered:
            _log.warning("Set back what was altered at %s: %s", READER_ROLE, ", ".join(altered))


def _see_sessions(connection: psycopg.Connection, role: sql.Identifier) -> None:
    """Let an owner who is no superuser see and end the sessions of analysts."""
    if _is_true(connection, "SELECT pg_has_role(current_user, %s, 'USAGE')", (READER_ROLE,)):
        return
    try:
        with connection.transaction():
            connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    except psycopg.errors.InsufficientPrivilege:
        _log.warning(
            "We may not end sessions of %s that lift their limits. As a superuser: GRANT %s TO "
            "the role of AURASTREAM_POSTGRES_URL.",
            READER_ROLE,
            READER_ROLE,
        )


def _withhold_temporary(connection: psycopg.Connection) -> None:
    if _is_true(
        connection,
        "SELECT has_database_privilege(%s, current_database(), 'TEMPORARY')",
        (READER_ROLE,),
    ):
        database = sql.Identifier(connection.info.dbname)
        owners = sql.SQL("GRANT TEMPORARY ON DATABASE {} TO CURRENT_USER").format(database)
        connection.execute(owners)
        connection.execute(sql.SQL("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC").format(database))


def _withhold_functions(connection: psycopg.Connection) -> None:
    """Take from everybody, in this database, what only the owner needs."""
    found = [name for (name,) in connection.execute(_WITHHELD, (READER_ROLE,)).fetchall()]
    if not found:
        return
    if not _is_true(connection, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user", None):
        _log.warning(
            "%s may take advisory locks until a head ends its session; only a superuser can "
            "forbid it: see docs/roles.md.",
            READER_ROLE,
        )
        return
    owner = connection.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    ).fetchone()
    functions = sql.SQL(", ").join(sql.SQL(name) for name in found)
    connection.execute(
        sql.SQL("GRANT EXECUTE ON FUNCTION {} TO CURRENT_USER, {}").format(
            functions, sql.Identifier(str(owner[0]) if owner else "postgres")
        )
    )
    connection.execute(sql.SQL("REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC").format(functions))


def _is_true(connection: psycopg.Connection, question: str, values: _Values = None) -> bool:
    row = connection.execute(question, values).fetchone()
    return bool(row and row[0])
