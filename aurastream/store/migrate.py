"""Bring a database's schema up to date.

Safe to call from any number of processes at once and any number of times: an advisory lock lets
one of them work and the others find the work done.
"""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict

from aurastream.store.dead_peers import patient
from aurastream.store.errors import MigrationError, StoreUnavailableError
from aurastream.store.reader import Reader
from aurastream.store.roles import ensure_reader
from aurastream.store.urls import sqlalchemy_url

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["current_revision", "head_revision", "migrate"]

# "aura" and "migr" as two 32-bit numbers: nobody else in the database takes this lock.
_LOCK = (0x61757261, 0x6D696772)


def migrate(url: str, *, reader: Reader | None = None) -> str:
    """Create or update schemas, tables and the role ``aurastream_reader``.

    Parameters
    ----------
    url : str
        ``postgresql://`` URL of the database, as its owner.
    reader : Reader, optional
        Limits and password of the read-only role. By default those that hold when nothing is set,
        with the password that `aurastream.store.urls.reader_url` derives from the URL's own.

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

    engine = sa.create_engine(
        sqlalchemy_url(url),
        poolclass=sa.NullPool,
        connect_args=conninfo_to_dict(patient(url)),
    )
    try:
        with engine.connect() as connection, connection.begin():
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:a, :b)"), _lock())
            driver = connection.connection.driver_connection
            ensure_reader(cast("psycopg.Connection", driver), reader or Reader.of(url))
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
            f"Postgres does not answer: {str(error.orig).strip().splitlines()[0]}.",
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
            f"Postgres does not answer: {str(error).strip().splitlines()[0]}.",
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
