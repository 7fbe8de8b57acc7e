"""Whose instance asks: only the one that lives in the record launches what works on the record.

The head's fence keeps daemons apart that share a database. One beside it (``dagster dev`` in a
checkout whose product runs, which has an instance of its own and finds the product's record) would
crawl a second time, unfenced, and nothing of Dagster would know that both are the same.
"""

import dagster as dg
import sqlalchemy as sa

from aurastream.settings import Settings

__all__ = ["why_not"]


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
    own = getattr(instance.run_storage, "postgres_url", None)
    if own is not None and _place(own) == _place(record.get_secret_value()):
        return None
    return (
        "This instance of Dagster is not the one in AuraStream's Postgres, whose head launches "
        "runs; see `aurastream status`. What is launched here by hand works all the same."
    )


def _place(url: str) -> tuple[str | None, int, str | None]:
    parsed = sa.make_url(url)
    return parsed.host, parsed.port or 5432, parsed.database
