"""Bring a database's schema up to date.

Safe to call from any number of processes at once and any number of times: an advisory lock lets
one of them work and the others find the work done.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa
from psycopg import sql

from aurastream.store.errors import MigrationError, StoreUnavailableError
from aurastream.store.urls import READER_ROLE, reader_password, sqlalchemy_url

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["current_revision", "head_revision", "migrate"]

# "aura" and "migr" as two 32-bit numbers: nobody else in the database takes this lock.
_LOCK = (0x61757261, 0x6D696772)
_READER_CONNECTIONS = 20
_READER_SCHEMAS = ("marts", "aggregation", "intelligence", "collection", "reporting", "operations")
_READER_LIMITS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "30s",
    # A transaction that is left open keeps retention from dropping what it has read.
    "idle_in_transaction_session_timeout": "60s",
    "work_mem": "32MB",
    "max_parallel_workers_per_gather": "0",
    "search_path": ", ".join(_READER_SCHEMAS),
}


def migrate(url: str, *, reader_secret: str | None = None) -> str:
    """Create or update schemas, tables and the role ``aurastream_reader``.

    Parameters
    ----------
    url : str
        ``postgresql://`` URL of the database, as its owner.
    reader_secret : str, optional
        Password of the read-only role. By default it is derived from the URL's own, so that
        `aurastream.store.urls.reader_url` knows it; an existing role then keeps the one it has.

    Returns
    -------
    str
        The revision the database is at now.

    Raises
    ------
    StoreUnavailableError
        When the server does not answer.
    MigrationError
        When the database is newer than this program, or the user may not change it.
    """
    from alembic import command  # noqa: PLC0415 # a third of a second that only this call pays
    from alembic.util.exc import CommandError  # noqa: PLC0415 # the same

    engine = sa.create_engine(sqlalchemy_url(url), poolclass=sa.NullPool)
    try:
        with engine.connect() as connection, connection.begin():
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:a, :b)"), _lock())
            _ensure_reader(connection, url, reader_secret)
            connection.execute(sa.text("CREATE SCHEMA IF NOT EXISTS operations"))
            config = _config()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        return head_revision()
    except CommandError as error:
        raise MigrationError(
            f"The database cannot be migrated: {error}.",
            fix="It was probably written by a newer version: update this checkout.",
        ) from error
    except sa.exc.OperationalError as error:
        raise StoreUnavailableError(
            f"Postgres does not answer: {str(error.orig).strip()}.",
            fix="Start it with script/server, or check AURASTREAM_POSTGRES_URL.",
        ) from error
    except sa.exc.ProgrammingError as error:
        raise MigrationError(
            f"The database refuses the migration: {str(error.orig).strip()}.",
            fix="Migrate as the owner of the database, with the right to create roles.",
        ) from error
    finally:
        engine.dispose()


def head_revision() -> str:
    """Return the newest revision this program knows."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 # see migrate

    return str(ScriptDirectory.from_config(_config()).get_current_head())


def current_revision(url: str) -> str | None:
    """Return the revision of a database, None when it was never migrated."""
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            row = connection.execute(
                "SELECT to_regclass('operations.alembic_version') IS NOT NULL"
            ).fetchone()
            if row is None or not row[0]:
                return None
            found = connection.execute(
                "SELECT version_num FROM operations.alembic_version"
            ).fetchone()
            return None if found is None else str(found[0])
    except psycopg.OperationalError as error:
        raise StoreUnavailableError(
            f"Postgres does not answer: {error}.",
            fix="Start it with script/server, or check AURASTREAM_POSTGRES_URL.",
        ) from error


def _lock() -> dict[str, int]:
    return dict(zip("ab", _LOCK, strict=True))


def _config() -> "Config":
    from alembic.config import Config  # noqa: PLC0415 # see migrate

    config = Config()
    location = Path(__file__).with_name("migrations")
    config.set_main_option("script_location", str(location).replace("%", "%%"))
    return config


def _ensure_reader(connection: sa.Connection, url: str, secret: str | None) -> None:
    """Create the read-only role; roles belong to the whole cluster, so it may be there already."""
    known = connection.execute(
        sa.text("SELECT rolconfig FROM pg_roles WHERE rolname = :role"), {"role": READER_ROLE}
    ).first()
    # What the operator changed stays; what an older version did not set is added.
    settled = {str(item).partition("=")[0] for item in (known[0] if known and known[0] else ())}
    password = secret or (reader_password(url) if known is None else None)
    role = sql.Identifier(READER_ROLE)
    statements = []
    if known is None:
        # Another database of this cluster may be migrated right now: roles know no IF NOT EXISTS.
        statements.append(
            sql.SQL(
                "DO $$ BEGIN CREATE ROLE {role} NOLOGIN; "
                "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
            ).format(role=role)
        )
    if password is not None:
        statements.append(
            sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password))
        )
    if known is None:
        statements.append(
            sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}").format(
                role, sql.Literal(_READER_CONNECTIONS)
            )
        )
    statements += [
        sql.SQL("ALTER ROLE {} SET {} = {}").format(
            role,
            sql.SQL(name),
            # A list of schemas is no string: quoted, it would name one schema.
            sql.SQL(value) if name == "search_path" else sql.Literal(value),
        )
        for name, value in _READER_LIMITS.items()
        if name not in settled
    ]
    driver = connection.connection.driver_connection
    for statement in statements:
        driver.execute(statement)  # type: ignore[union-attr] # psycopg's connection
