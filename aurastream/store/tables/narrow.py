"""How a table that is declared `Narrow` is stored: facts, subjects, answers, and the view of them.

::

    collection.youtube_games            the view: the declared columns, for everybody who reads
    collection.youtube_games_facts      a row per snapshot, by day: youtube_games_p20260131
    collection.youtube_games_subjects   by number, what seldom changes of what a row is about
    collection.youtube_games_answers    by number, what the rows of one answer have in common

A counter is kept in 32 bits; its upper half is almost always 0, changes next to never, and so is
the subject's. Every value of 64 bits comes back as it was.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from aurastream.store.tables.declare import Narrow, metadata

__all__ = [
    "FORGOTTEN_NUMBERS",
    "NARROW",
    "Stored",
    "narrow_of",
    "stored_metadata",
    "stored_name",
    "stored_of",
    "view_of",
]

# Grows whenever a number goes: who remembers numbers looks them up again.
FORGOTTEN_NUMBERS = "collection.forgotten_numbers"
NARROW = tuple(t for t in metadata.sorted_tables if "narrow" in t.info)
_NUMBER = "named by the rows of facts"


@dataclass(frozen=True, slots=True)
class Stored:
    """The tables behind a narrow one.

    Parameters
    ----------
    facts, subjects, answers : Table
        Of a metadata of their own.
    """

    facts: sa.Table
    subjects: sa.Table
    answers: sa.Table

    @property
    def tables(self) -> tuple[sa.Table, sa.Table, sa.Table]:
        """Return all three."""
        return self.facts, self.subjects, self.answers


def narrow_of(table: sa.Table) -> Narrow | None:
    """Return how a table is narrow, None when it is stored as it is declared."""
    found = table.info.get("narrow")
    return found if isinstance(found, Narrow) else None


def stored_name(name: str) -> str:
    """Return the ``schema.table`` that has a table's partitions and its time column.

    Examples
    --------
    >>> stored_name("collection.youtube_games"), stored_name("collection.youtube_videos")
    ('collection.youtube_games_facts', 'collection.youtube_videos')
    """
    return f"{name}_facts" if any(t.fullname == name for t in NARROW) else name


@cache
def stored_of(table: sa.Table) -> Stored:
    """Return the tables behind a narrow one."""
    return _stored(table, sa.MetaData())


@cache
def stored_metadata() -> sa.MetaData:
    """Return what the database really has: the declared tables, the narrow ones in their parts."""
    found = sa.MetaData()
    for table in metadata.sorted_tables:
        if narrow_of(table) is None:
            table.to_metadata(found)
        else:
            _stored(table, found)
    return found


def view_of(table: sa.Table) -> str:
    """Return the query that gives a narrow table its declared columns, in their order."""
    narrow = _declared(table)
    shown = ",\n    ".join(_shown(column.name, narrow) for column in table.columns)
    # Outer joins: a question that needs neither dimension reads the facts alone.
    return (
        f"SELECT\n    {shown}\n"  # names of our own
        f"FROM {table.fullname}_facts AS f\n"
        f"LEFT JOIN {table.fullname}_subjects AS s ON s.number = f.subject\n"
        f"LEFT JOIN {table.fullname}_answers AS a ON a.number = f.answer"
    )


def _shown(name: str, narrow: Narrow) -> str:
    if name in narrow.counters:
        low, high = f"f.{name}::bigint & 4294967295", f"s.{name}_high::bigint << 32"
        return f"(({high}) | ({low})) AS {name}"
    if name in narrow.subject:
        return f"s.{name}"
    return f"a.{name}" if name in narrow.answer else f"f.{name}"


def _stored(table: sa.Table, into: sa.MetaData) -> Stored:
    narrow = _declared(table)
    by = str(table.info["partition_by"])
    counters = [
        _plain(table.columns[name], type_=sa.Integer(), comment=f"the lower 32 bits of {name}")
        for name in narrow.counters
    ]
    kept = {by, *narrow.subject, *narrow.answer, *narrow.counters}
    # Eight bytes, then fours, then twos: nothing is padded.
    rest = sorted((c for c in table.columns if c.name not in kept), key=lambda c: -_width(c))
    facts = sa.Table(
        f"{table.name}_facts",
        into,
        _plain(table.columns[by]),
        sa.Column("subject", sa.Integer(), nullable=False, comment=f"{table.name}_subjects.number"),
        sa.Column("answer", sa.Integer(), nullable=False, comment=f"{table.name}_answers.number"),
        *counters,
        *(_plain(column) for column in rest),
        sa.PrimaryKeyConstraint(by, "subject"),
        schema=table.schema,
        comment=f"Rows of {table.fullname}, by number.",
        postgresql_partition_by=f"RANGE ({by})",
    )
    subjects = _dimension(
        f"{table.name}_subjects",
        table,
        [_plain(table.columns[name]) for name in narrow.subject]
        + [
            sa.Column(
                f"{name}_high",
                sa.Integer(),
                nullable=False,
                comment=f"{name} / 2^32, rounded down",
            )
            for name in narrow.counters
        ],
        f"What seldom changes of what a row of {table.fullname} is about.",
        into,
    )
    answers = _dimension(
        f"{table.name}_answers",
        table,
        [_plain(table.columns[name]) for name in narrow.answer],
        f"What the rows of one answer in {table.fullname} have in common.",
        into,
    )
    return Stored(facts, subjects, answers)


def _dimension(
    name: str, table: sa.Table, columns: list[sa.Column[Any]], comment: str, into: sa.MetaData
) -> sa.Table:
    return sa.Table(
        name,
        into,
        sa.Column(
            "number",
            sa.Integer(),
            sa.Identity(always=True),
            primary_key=True,
            comment=_NUMBER,
        ),
        *columns,
        # Short, and not unique: who gives out numbers holds the lock of the table.
        sa.Index(f"{name}_{columns[0].name}", columns[0].name),
        schema=table.schema,
        comment=comment,
    )


def _plain(
    column: sa.Column[Any],
    *,
    type_: sa.Integer | None = None,
    comment: str | None = None,
) -> sa.Column[Any]:
    return sa.Column(
        column.name,
        column.type if type_ is None else type_,
        nullable=bool(column.nullable) and not column.primary_key,
        comment=comment or column.comment,
    )


def _width(column: sa.Column[Any]) -> int:
    widths = ((sa.SmallInteger, 2), (sa.BigInteger, 8), (sa.Integer, 4), (pg.REAL, 4))
    return next((n for kind, n in widths if isinstance(column.type, kind)), 8)


def _declared(table: sa.Table) -> Narrow:
    found = narrow_of(table)
    if found is None:
        raise ValueError(f"{table.fullname} is stored as it is declared.")
    by = table.info["partition_by"]
    if not {c.name for c in table.primary_key.columns} <= {by, *found.subject}:
        raise ValueError(f"{table.fullname} has a key that its subject does not name.")
    if any(table.columns[name].nullable for name in (*found.subject, *found.answer)):
        raise ValueError(f"{table.fullname}: nulls are equal to nothing and get no number.")
    return found
