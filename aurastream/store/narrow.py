"""Writing tables that are stored narrow: subjects and answers by number, counters as facts.

Whoever writes holds the table's lock until the end of the transaction. Under it, numbers that are
remembered from earlier writes are still there (taking one away needs the lock too, and is counted),
new ones are given out once, and no two rows of one key come together, although the facts' own key
knows only numbers.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from adbc_driver_postgresql import dbapi
from psycopg import sql

from aurastream.store.errors import StoreError
from aurastream.store.tables.narrow import FORGOTTEN_NUMBERS, stored_of

__all__ = [
    "Counts",
    "Facts",
    "Numbering",
    "Numbers",
    "append",
    "drop_unnamed",
    "lock",
    "narrowed",
    "replace_range",
    "rows_of_subjects",
    "upsert",
]

_MOST_KNOWN: Final = 500_000  # numbers that a process remembers, by dimension
_SEPARATOR: Final = b"\x1f"


class _Cursor(Protocol):
    def execute(self, operation: str, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Facts:
    """Rows of a narrow table as they are stored.

    Parameters
    ----------
    table : Table
        The declared one.
    rows : pyarrow.Table
        Columns of its facts, in the order of their key.
    """

    table: sa.Table
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class Counts:
    """What a write did, in rows."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0


@dataclass(slots=True)
class Numbers:
    """What a process remembers of who has which number; share it between the threads of a store."""

    _known: dict[str, dict[bytes, int]] = field(default_factory=dict)
    _as_of: tuple[int, ...] | None = None

    def open(self, cursor: dbapi.Cursor) -> "Numbering":
        """Return what one transaction may use; it holds the locks of its tables already."""
        cursor.execute(
            f"SELECT d.oid::bigint, f.last_value, f.is_called::int FROM {FORGOTTEN_NUMBERS} f, "  # noqa: S608 # ours
            "pg_database d WHERE d.datname = current_database()"
        )
        row = cursor.fetchone()
        as_of = tuple(int(value) for value in row or ())
        if as_of != self._as_of:
            # A new dict: a transaction that ends late adds to the one that it began with.
            self._known, self._as_of = {}, as_of
        return Numbering(self._known)


@dataclass(slots=True)
class Numbering:
    """The numbers of one transaction; `keep` when it has been committed, else they never were."""

    known: dict[str, dict[bytes, int]]
    new: dict[str, dict[bytes, int]] = field(default_factory=dict)

    def keep(self) -> None:
        """Remember the numbers that this transaction learned."""
        for name, found in self.new.items():
            known = self.known.setdefault(name, {})
            if len(known) + len(found) > _MOST_KNOWN:
                known = self.known[name] = {}
            known.update(found)

    def of(self, cursor: dbapi.Cursor, dimension: sa.Table, columns: pa.Table) -> pa.Array:
        """Return the number of each row's values, giving new ones to those that have none."""
        name = dimension.fullname
        known, new = self.known.get(name, {}), self.new.setdefault(name, {})
        keys = _keys(columns)
        numbers = list(map(known.get, keys))
        if None in numbers:
            lacking = {key: place for place, key in enumerate(keys) if numbers[place] is None}
            for key in lacking.keys() & new.keys():
                del lacking[key]
            if lacking:
                places = np.fromiter(lacking.values(), dtype=np.int64, count=len(lacking))
                found = _numbered(cursor, dimension, columns.take(pa.array(places)))
                new.update(zip(lacking, found, strict=True))
            numbers = [
                new[key] if number is None else number
                for key, number in zip(keys, numbers, strict=True)
            ]
        return pa.array(np.array(numbers, dtype=np.int32))


def lock(cursor: _Cursor, tables: Sequence[sa.Table]) -> None:
    """Wait until nobody else writes to some narrow tables; the lock ends with the transaction."""
    for name in sorted({table.fullname for table in tables}):
        cursor.execute(_lock(name))


def _lock(name: str) -> str:
    return f"SELECT 1 FROM (SELECT pg_advisory_xact_lock(hashtextextended('narrow {name}', 0))) x"  # noqa: S608 # ours


def narrowed(cursor: dbapi.Cursor, table: sa.Table, rows: pa.Table, numbering: Numbering) -> Facts:
    """Return declared rows as facts; their subjects and answers are in the record afterwards."""
    narrow, stored = table.info["narrow"], stored_of(table)
    parts = {name: rows.column(name).combine_chunks() for name in rows.column_names}
    subjects = {name: parts[name] for name in narrow.subject}
    for name in narrow.counters:
        parts[name], subjects[f"{name}_high"] = _halves(parts[name])
    parts["subject"] = numbering.of(cursor, stored.subjects, pa.table(subjects))
    parts["answer"] = numbering.of(
        cursor, stored.answers, pa.table({name: parts[name] for name in narrow.answer})
    )
    by = next(iter(stored.facts.columns)).name
    columns = [column.name for column in stored.facts.columns]
    facts = pa.table({name: parts[name] for name in columns})
    facts = facts.sort_by([(by, "ascending"), ("subject", "ascending")])
    return Facts(table, facts)


def append(cursor: dbapi.Cursor, facts: Facts, *, is_direct: bool) -> Counts:
    """Insert facts whose key is new; straight into the table where nothing is at their times."""
    total = facts.rows.num_rows
    if is_direct and not _has_rows(cursor, facts):
        _copy(cursor, facts)
        return Counts(inserted=total)
    stage = _stage(cursor, stored_of(facts.table).facts, facts.rows)
    there = _matched(cursor, facts, stage)
    _insert(cursor, facts, stage, unless=there.table)
    return Counts(inserted=total - there.known, unchanged=there.known)


def upsert(cursor: dbapi.Cursor, facts: Facts) -> Counts:
    """Insert facts, in the place of those of the same key."""
    total = facts.rows.num_rows
    stage = _stage(cursor, stored_of(facts.table).facts, facts.rows)
    there = _matched(cursor, facts, stage)
    cursor.execute(
        sql.SQL(
            "DELETE FROM {} f USING {} m "
            "WHERE m.changed AND f.tableoid = m.part AND f.ctid = m.place"
        )
        .format(_name(stored_of(facts.table).facts), there.table)
        .as_string()
    )
    unchanged = sql.SQL("(SELECT * FROM {} WHERE NOT changed)").format(there.table)
    _insert(cursor, facts, stage, unless=unchanged)
    return Counts(
        inserted=total - there.known,
        updated=there.changed,
        unchanged=there.known - there.changed,
    )


def replace_range(cursor: dbapi.Cursor, facts: Facts, start: object, end: object) -> Counts:
    """Put facts in the place of everything in [start, end)."""
    stored = stored_of(facts.table)
    by = next(iter(stored.facts.columns)).name
    cursor.execute(
        sql.SQL("DELETE FROM {0} WHERE {1} >= {2} AND {1} < {3}")
        .format(_name(stored.facts), sql.Identifier(by), sql.Literal(start), sql.Literal(end))
        .as_string()
    )
    deleted = max(int(cursor.rowcount), 0)
    if facts.rows.num_rows:
        _copy(cursor, facts)
    return Counts(inserted=facts.rows.num_rows, deleted=deleted)


# -- numbers that nothing names any more -----------------------------------------------------------


def drop_unnamed(connection: psycopg.Connection, table: sa.Table) -> int:
    """Delete subjects and answers that no row names; returns how many.

    Writers of the table wait for it. Call it in a transaction.
    """
    stored = stored_of(table)
    connection.execute(_lock(table.fullname))
    gone = 0
    for dimension, named in ((stored.subjects, "subject"), (stored.answers, "answer")):
        delete = sql.SQL(
            "DELETE FROM {} d WHERE NOT EXISTS (SELECT FROM {} f WHERE f.{} = d.number)"
        ).format(_name(dimension), _name(stored.facts), sql.Identifier(named))
        gone += connection.execute(delete).rowcount
    return gone


def rows_of_subjects(
    connection: psycopg.Connection, table: sa.Table, where: sql.Composable, *, remove: bool
) -> int:
    """Count, or delete with all that names them, the subjects that a condition is true of.

    Returns
    -------
    int
        Rows of the table; where there are none any more, the subjects that were left behind.
    """
    stored = stored_of(table)
    parts = {"facts": _name(stored.facts), "subjects": _name(stored.subjects), "where": where}
    if remove:
        rows = connection.execute(
            sql.SQL(
                "DELETE FROM {facts} f USING {subjects} s WHERE f.subject = s.number AND ({where})"
            ).format(**parts)
        ).rowcount
        left = connection.execute(
            sql.SQL("DELETE FROM {subjects} WHERE {where}").format(**parts)
        ).rowcount
        return rows or left
    row = connection.execute(
        sql.SQL(
            "SELECT count(*), (SELECT count(*) FROM {subjects} WHERE {where}) "
            "FROM {facts} f JOIN {subjects} s ON f.subject = s.number WHERE {where}"
        ).format(**parts)
    ).fetchone()
    return int(row[0] or row[1]) if row else 0


# -- one transaction -------------------------------------------------------------------------------


def _halves(values: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Split 64 bits into the lower 32, as they are signed, and the upper; nulls stay below."""
    nulls = np.asarray(pc.is_null(values))
    whole = np.asarray(pc.fill_null(values, 0), dtype=np.int64)
    low = pa.array(whole.astype(np.int32), mask=nulls)
    return low, pa.array((whole >> 32).astype(np.int32))


def _keys(columns: pa.Table) -> list[bytes]:
    """Return one text per row, the same for the same values only: lengths first, then values."""
    if not columns.num_rows:
        return []
    fixed: list[pa.Array | pa.Scalar] = []
    texts: list[pa.Array] = []
    for column in columns.columns:
        values = column.combine_chunks()
        kind = values.type
        if pa.types.is_string(kind) or pa.types.is_fixed_size_binary(kind):
            texts.append(values.cast(pa.binary()))
        else:
            if pa.types.is_timestamp(kind):
                values = values.cast(pa.int64())
            is_same = values.null_count == 0 and pc.min_max(values)["min"] == values[0]
            if is_same and pc.min_max(values)["max"] == values[0]:
                fixed.append(pa.scalar(str(values[0].as_py()).encode(), pa.binary()))
            else:
                fixed.append(values.cast(pa.string()).cast(pa.binary()))
    lengths = [pc.binary_length(t).cast(pa.string()).cast(pa.binary()) for t in texts]
    joined = pc.binary_join_element_wise(*fixed, *lengths, *texts, _SEPARATOR)
    found: list[bytes] = joined.to_pylist()
    return found


def _numbered(cursor: dbapi.Cursor, dimension: sa.Table, columns: pa.Table) -> list[int]:
    """Give distinct values their numbers; one way there, one way back."""
    names = columns.column_names
    places = pa.array(np.arange(columns.num_rows, dtype=np.int32))
    stage = _stage(cursor, dimension, columns.add_column(0, "number", places))
    same = sql.SQL(" AND ").join(sql.SQL("d.{0} = s.{0}").format(sql.Identifier(n)) for n in names)
    parts = {
        "dimension": _name(dimension),
        "stage": stage,
        "same": same,
        "names": sql.SQL(", ").join(map(sql.Identifier, names)),
        "values": sql.SQL(", ").join(sql.SQL("s.{}").format(sql.Identifier(n)) for n in names),
    }
    # A process that has just begun knows no number, but the record knows nearly all.
    numbers = _looked_up(cursor, columns.num_rows, parts)
    if not numbers.all():
        cursor.execute(
            sql.SQL(
                "INSERT INTO {dimension} ({names}) SELECT {values} FROM {stage} s "
                "WHERE NOT EXISTS (SELECT FROM {dimension} d WHERE {same}) "
                "ORDER BY {values}"
            )
            .format(**parts)
            .as_string()
        )
        numbers = _looked_up(cursor, columns.num_rows, parts)
    if not numbers.all():
        raise StoreError(
            f"{dimension.fullname} did not give a number to all of its rows.",
            fix="A value there must be equal to itself: look for NaN.",
        )
    return [int(number) for number in numbers]


def _looked_up(
    cursor: dbapi.Cursor, count: int, parts: Mapping[str, sql.Composable]
) -> npt.NDArray[np.int64]:
    """Return the numbers by place, 0 for who has none."""
    cursor.execute(
        sql.SQL("SELECT s.number AS place, d.number FROM {stage} s JOIN {dimension} d ON {same}")
        .format(**parts)
        .as_string()
    )
    found = cursor.fetch_arrow_table()
    numbers = np.zeros(count, dtype=np.int64)
    numbers[np.asarray(found.column("place"))] = np.asarray(found.column("number"))
    return numbers


def _stage(cursor: dbapi.Cursor, like: sa.Table, rows: pa.Table) -> sql.Identifier:
    name = f"stage_{uuid.uuid4().hex[:12]}"
    cursor.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP")
        .format(sql.Identifier(name), _name(like))
        .as_string()
    )
    cursor.adbc_ingest(name, rows, mode="append", temporary=True)
    return sql.Identifier("pg_temp", name)


def _copy(cursor: dbapi.Cursor, facts: Facts) -> None:
    into = stored_of(facts.table).facts
    cursor.adbc_ingest(into.name, facts.rows, mode="append", db_schema_name=into.schema)


def _span(facts: Facts) -> sql.Composed:
    by = facts.rows.column_names[0]
    bounds = pc.min_max(facts.rows.column(0)).as_py()
    return sql.SQL("f.{0} >= {1} AND f.{0} <= {2}").format(
        sql.Identifier(by), sql.Literal(bounds["min"]), sql.Literal(bounds["max"])
    )


def _has_rows(cursor: dbapi.Cursor, facts: Facts) -> bool:
    stored = stored_of(facts.table)
    cursor.execute(
        sql.SQL("SELECT EXISTS (SELECT FROM {} f WHERE {})")
        .format(_name(stored.facts), _span(facts))
        .as_string()
    )
    row = cursor.fetchone()
    return bool(row and row[0])


@dataclass(frozen=True, slots=True)
class _Matched:
    """Rows of the same keys that are there already, and how many of them say something else."""

    table: sql.Identifier
    known: int
    changed: int


def _matched(cursor: dbapi.Cursor, facts: Facts, stage: sql.Identifier) -> _Matched:
    stored = stored_of(facts.table)
    by = facts.rows.column_names[0]
    key = [column.name for column in facts.table.primary_key.columns if column.name != by]
    values = [column.name for column in stored.facts.columns if column.name != by]
    name = f"matched_{uuid.uuid4().hex[:12]}"
    cursor.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE {matched} ON COMMIT DROP AS "
            "SELECT n.{by}, n.subject, f.tableoid AS part, f.ctid AS place, "
            "({old}) IS DISTINCT FROM ({new}) AS changed "
            "FROM {stage} n JOIN {subjects} ns ON ns.number = n.subject "
            "JOIN {facts} f ON f.{by} = n.{by} AND {span} "
            "JOIN {subjects} fs ON fs.number = f.subject AND {same}"
        )
        .format(
            matched=sql.Identifier(name),
            by=sql.Identifier(by),
            old=_columns("f", values),
            new=_columns("n", values),
            stage=stage,
            subjects=_name(stored.subjects),
            facts=_name(stored.facts),
            span=_span(facts),
            same=sql.SQL(" AND ").join(
                sql.SQL("fs.{0} = ns.{0}").format(sql.Identifier(name)) for name in key
            ),
        )
        .as_string()
    )
    cursor.execute(
        sql.SQL("SELECT count(*), count(*) FILTER (WHERE changed) FROM {}")
        .format(sql.Identifier("pg_temp", name))
        .as_string()
    )
    known, changed = cursor.fetchone() or (0, 0)
    return _Matched(sql.Identifier("pg_temp", name), int(known), int(changed))


def _insert(
    cursor: dbapi.Cursor, facts: Facts, stage: sql.Identifier, *, unless: sql.Composable
) -> None:
    by = facts.rows.column_names[0]
    names = facts.rows.column_names
    cursor.execute(
        sql.SQL(
            "INSERT INTO {facts} ({names}) SELECT {values} FROM {stage} n WHERE NOT EXISTS "
            "(SELECT FROM {unless} m WHERE m.{by} = n.{by} AND m.subject = n.subject) "
            "ORDER BY n.{by}, n.subject"
        )
        .format(
            facts=_name(stored_of(facts.table).facts),
            names=sql.SQL(", ").join(map(sql.Identifier, names)),
            values=_columns("n", names),
            stage=stage,
            by=sql.Identifier(by),
            unless=unless,
        )
        .as_string()
    )


def _columns(alias: str, names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, name) for name in names)


def _name(table: sa.Table) -> sql.Identifier:
    return sql.Identifier(str(table.schema), table.name)
