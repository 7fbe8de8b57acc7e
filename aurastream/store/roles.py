"""The role of analysts: what it may read, what it cannot take, and limits for honest mistakes.

Postgres lets every role change most settings of its own session, so a limit set on a role is a
default and not a fence (`docs/roles.md` says which is which). What is a fence is a right that the
role does not have: here, those rights that Postgres gives to everybody. What is left over, somebody
who lifts a limit of their own session, `aurastream.store.overdue` ends.
"""

import logging
from collections.abc import Mapping, Sequence

import psycopg
from psycopg import sql

from aurastream.store.urls import READER_ROLE, reader_password

__all__ = ["ensure_reader"]

_Values = Sequence[object] | Mapping[str, object] | None

_log = logging.getLogger(__name__)
_CONNECTIONS = 20
_SCHEMAS = ("marts", "aggregation", "intelligence", "collection", "reporting", "operations")
_LIMITS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "30s",
    # A transaction that is left open keeps retention from dropping what it has read.
    "idle_in_transaction_session_timeout": "60s",
    "transaction_timeout": "5min",
    "work_mem": "32MB",
    "max_parallel_workers_per_gather": "0",
    "temp_file_limit": "1GB",
    "search_path": ", ".join(_SCHEMAS),
}
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


def ensure_reader(connection: psycopg.Connection, url: str, secret: str | None) -> None:
    """Create the role, or bring it up to date; in the transaction of the connection.

    Roles belong to the whole server, so it may be there already. What the operator changed stays;
    what an older version did not set is added.

    Parameters
    ----------
    connection : psycopg.Connection
        As the owner of the database.
    url : str
        Its URL, from whose password the role's is derived.
    secret : str or None
        Another password.
    """
    known = connection.execute(
        "SELECT rolconfig FROM pg_roles WHERE rolname = %s", (READER_ROLE,)
    ).fetchone()
    settled = {str(item).partition("=")[0] for item in (known[0] if known and known[0] else ())}
    role = sql.Identifier(READER_ROLE)
    if known is None:
        # Another database of this server may be migrated right now: roles know no IF NOT EXISTS.
        connection.execute(
            sql.SQL(
                "DO $$ BEGIN CREATE ROLE {} NOLOGIN; "
                "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            ).format(role)
        )
    password = secret or (reader_password(url) if known is None else None)
    if password is not None:
        connection.execute(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password))
        )
    if known is None:
        connection.execute(
            sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(role, sql.Literal(_CONNECTIONS))
        )
    for name, value in _LIMITS.items():
        if name not in settled and _may_set(connection, name):
            connection.execute(
                sql.SQL("ALTER ROLE {} SET {} = {}").format(
                    role,
                    sql.Identifier(name),
                    # A list of schemas is no string: quoted, it would name one schema.
                    sql.SQL(value) if name == "search_path" else sql.Literal(value),
                )
            )
    _see_sessions(connection, role)
    _withhold_temporary(connection)
    _withhold_functions(connection)


def _may_set(connection: psycopg.Connection, name: str) -> bool:
    """Whether this server knows a setting, and lets us decide on it for another role."""
    return _is_true(
        connection,
        "SELECT EXISTS (SELECT FROM pg_settings WHERE name = %(name)s AND (context = 'user' "
        "OR has_parameter_privilege(current_user, %(name)s, 'SET')))",
        {"name": name},
    )


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
