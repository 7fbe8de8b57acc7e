"""How a table of the record is declared: types, meaning and policy class of each column.

Policy classes (``column.info["policy"]``) say what the platforms' terms allow:
``raw_meta`` titles, names, descriptions; ``raw_stat`` counters; ``derived`` our scores;
``own`` our decisions and settings; ``ops`` operational records.
"""

from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

__all__ = [
    "CATEGORY",
    "FETCH",
    "FOUR_HOURS",
    "WINDOW",
    "Narrow",
    "PolicyClass",
    "Timestamp",
    "column",
    "metadata",
    "partitioned",
]

PolicyClass = Literal["raw_meta", "raw_stat", "derived", "own", "ops"]

metadata = sa.MetaData()

Timestamp = sa.TIMESTAMP(timezone=True)


@dataclass(frozen=True, slots=True)
class Narrow:
    """Which columns of a table are kept once and named by number.

    `aurastream.store.tables.narrow` says how.

    Parameters
    ----------
    subject : tuple of str
        What seldom changes of the thing a row is about; all of the key but the time among it.
    answer : tuple of str
        What all rows of one answer have in common.
    counters : tuple of str
        Columns of 64 bits of which a row keeps 32, and the subject the others.
    """

    subject: tuple[str, ...]
    answer: tuple[str, ...]
    counters: tuple[str, ...]


def column(
    name: str,
    type_: Any,  # noqa: ANN401 # SQLAlchemy takes a type class or a type instance
    policy: PolicyClass,
    comment: str,
    *,
    null: bool = False,
    key: bool = False,
) -> sa.Column[Any]:
    """Declare a column: its type, what the terms allow, and what it means."""
    return sa.Column(
        name,
        type_,
        nullable=null,
        primary_key=key,
        autoincrement=False,
        comment=comment,
        info={"policy": policy},
    )


def partitioned(
    name: str,
    schema: str,
    by: str,
    *items: Any,  # noqa: ANN401 # columns and constraints
    comment: str,
    identity: tuple[str, ...] = (),
    label: str = "",
    narrow: Narrow | None = None,
    recurs: bool = False,
) -> sa.Table:
    """Declare a table with native range partitions by one time column.

    ``identity`` names what a row of one window is about where the key holds its rank instead, and
    ``label`` the column that says it to a person. With ``narrow``, the name is a view of what is
    stored in fewer bytes. ``recurs`` says that the same rows are written again and again.
    """
    return sa.Table(
        name,
        metadata,
        *items,
        schema=schema,
        comment=comment,
        postgresql_partition_by=f"RANGE ({by})",
        info={
            "partition_by": by,
            **({"identity": identity} if identity else {}),
            **({"label": label} if label else {}),
            **({"narrow": narrow} if narrow else {}),
            **({"recurs": True} if recurs else {}),
        },
    )


FETCH = "the API call that brought this row (operations.fetch_log)"
WINDOW = "start of the half-hour window; as_of is its end"
FOUR_HOURS = "start of the four-hour window; as_of is its end"
CATEGORY = "chart category or tracked game"
