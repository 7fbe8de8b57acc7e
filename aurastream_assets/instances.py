"""Whose instance asks: only the one that lives in the record launches what works on the record.

The head's fence keeps daemons apart that share a database. One beside it (``dagster dev`` in a
checkout whose product runs, which has an instance of its own and finds the product's record) would
crawl a second time, unfenced, and nothing of Dagster would know that both are the same.
"""

from typing import Final

import dagster as dg
import psycopg
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict

from aurastream.settings import Settings
from aurastream.store.dead_peers import patient

__all__ = ["why_not"]

# What no two servers have in common, whatever name or proxy leads to them.
_WHICH: Final = """
SELECT extract(epoch FROM pg_postmaster_start_time()), oid::bigint
FROM pg_database WHERE datname = current_database()
"""
_ELSEWHERE: Final = (
    "This instance of Dagster is not the one in AuraStream's Postgres, whose head launches runs; "
    "see `aurastream status`. What is launched here by hand works all the same."
)


def why_not(instance: dg.DagsterInstance) -> str | None:
    """Return why an instance may not launch runs on its own, None where it may.

    Parameters
    ----------
    instance : DagsterInstance
        The instance whose schedule or sensor is asked.

    Returns
    -------
    str or None
        One sentence that says what to do. None where no record is known, either.
    """
    record = Settings.from_env().postgres_url
    if record is None:
        return None
    own, url = getattr(instance.run_storage, "postgres_url", None), record.get_secret_value()
    if own is None:
        return _ELSEWHERE
    bare = sa.make_url(own).set(drivername="postgresql").difference_update_query(["options"])
    plain = bare.render_as_string(hide_password=False)
    return None if _place(plain) == _place(url) or _is_same(plain, url) else _ELSEWHERE


def _place(url: str) -> list[str | int | None]:
    """Return where a URL leads to; a host may be the directory of a socket, or nothing at all."""
    said = {"port": "5432", **conninfo_to_dict(url)}
    return [said.get(name) for name in ("host", "hostaddr", "port", "dbname")]


def _is_same(own: str, url: str) -> bool:
    """Ask both servers which they are: one may be spelled in two ways."""
    found = set()
    for each in (own, url):
        with psycopg.connect(patient(each)) as connection:
            found.add(connection.execute(_WHICH).fetchone())
    return len(found) == 1
