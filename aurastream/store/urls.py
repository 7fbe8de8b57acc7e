"""The spellings of a Postgres URL that the drivers want, and the reader's own URL."""

import hashlib
import hmac

import sqlalchemy as sa

from aurastream.store.errors import StoreError

__all__ = ["READER_ROLE", "dagster_url", "reader_password", "reader_url", "sqlalchemy_url"]

READER_ROLE = "aurastream_reader"


def sqlalchemy_url(url: str) -> sa.URL:
    """Return the URL for SQLAlchemy over psycopg 3.

    Raises
    ------
    StoreError
        When it is not a ``postgresql://`` URL.
    """
    return _parsed(url).set(drivername="postgresql+psycopg")


def dagster_url(url: str) -> str:
    """Return the URL for Dagster's storage: psycopg2, tables in the schema ``dagster``.

    Spelled out, because a bare ``postgresql://`` means psycopg 3 since SQLAlchemy 2.1, which
    Dagster's Postgres storage does not support.
    """
    changed = _parsed(url).set(drivername="postgresql+psycopg2")
    # Dagster writes moments with a zone into columns without one, and takes them for UTC.
    options = {"options": "-csearch_path=dagster -ctimezone=UTC"}
    return changed.update_query_dict(options).render_as_string(hide_password=False)


def reader_password(url: str) -> str | None:
    """Derive the read-only role's password from the owner's; None when the URL carries none.

    Derived rather than stored: whoever has the owner's password may have the reader's, and the
    reverse cannot be computed.
    """
    secret = _parsed(url).password
    if not secret:
        return None
    return hmac.new(str(secret).encode(), READER_ROLE.encode(), hashlib.sha256).hexdigest()


def reader_url(url: str) -> str:
    """Return the URL of the read-only role on the same database."""
    return (
        _parsed(url)
        .set(username=READER_ROLE, password=reader_password(url))
        .render_as_string(hide_password=False)
    )


def _parsed(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise StoreError(
            "The Postgres URL cannot be read.",
            fix="Write it as postgresql://user:password@host:port/database.",
        ) from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"}:
        raise StoreError(
            f"{parsed.drivername} is not Postgres.",
            fix="Write the URL as postgresql://user:password@host:port/database.",
        )
    return parsed.set(drivername="postgresql")
