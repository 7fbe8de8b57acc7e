"""Between the record and the archive: a day of a table as Arrow, and back.

UUIDs and JSON travel as text, which every reader of Parquet understands; everything else keeps its
type.
"""

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

import psycopg
import pyarrow as pa
import sqlalchemy as sa
from adbc_driver_postgresql import dbapi
from psycopg import sql

from aurastream.store.columns import arrow_type
from aurastream.store.connections import ConnectionPool, connect
from aurastream.store.dead_peers import patient
from aurastream.store.errors import ArchiveError
from aurastream.store.narrow import Numbers, lock, narrowed, upsert
from aurastream.store.partitions import ensure_partitions
from aurastream.store.purge import Relation
from aurastream.store.purge_denied import find_denied, without_denied
from aurastream.store.tables import metadata
from aurastream.store.tables.narrow import NARROW, stored_name

__all__ = [
    "days_with_rows",
    "has_rows",
    "identity_of",
    "put_back_day",
    "read_day",
    "without_forgotten",
]

_AS_TEXT = frozenset({"uuid", "jsonb", "json", "numeric"})


def days_with_rows(
    connections: ConnectionPool, relation: Relation, column: str, start: dt.date, end: dt.date
) -> list[dt.date]:
    """Return the days in [start, end) that a table has rows of, oldest first.

    One look per day at the oldest row from there on: days are few, rows are not.
    """
    days: list[dt.date] = []
    at = start
    with connections.connection() as connection, connection.cursor() as cursor:
        while at < end:
            cursor.execute(
                sql.SQL("SELECT min({0})::date::text FROM {1} WHERE {0} >= {2} AND {0} < {3}")
                .format(
                    sql.Identifier(column),
                    _table(stored_name(relation.name)),
                    sql.Literal(_bound(relation, column, at)),
                    sql.Literal(_bound(relation, column, end)),
                )
                .as_string()
            )
            row = cursor.fetchone()
            if row is None or row[0] is None:
                break
            found = dt.date.fromisoformat(row[0])
            days.append(found)
            at = found + dt.timedelta(days=1)
    return days


def has_rows(connection: psycopg.Connection, relation: Relation, column: str, day: dt.date) -> bool:
    """Say whether a table has any row of a day."""
    query = sql.SQL("SELECT EXISTS (SELECT FROM {0} WHERE {1} >= {2} AND {1} < {3})").format(
        _table(stored_name(relation.name)),
        sql.Identifier(column),
        sql.Literal(_bound(relation, column, day)),
        sql.Literal(_bound(relation, column, day + dt.timedelta(days=1))),
    )
    row = connection.execute(query).fetchone()
    return row is not None and bool(row[0])


def read_day(
    connections: ConnectionPool,
    relation: Relation,
    column: str,
    day: dt.date,
    columns: Sequence[str],
) -> pa.Table:
    """Return a day's rows in key order.

    Parameters
    ----------
    connections : ConnectionPool
        To the record. Each first learns all types there are, which takes longer than most days.
    relation : Relation
        The table.
    column : str
        Its time column.
    day : date
        UTC.
    columns : sequence of str
        Columns to read, in this order.
    """
    order = [name for name in relation.key if name in columns] or list(columns)
    query = sql.SQL("SELECT {} FROM {} WHERE {} >= {} AND {} < {} ORDER BY {}").format(
        sql.SQL(", ").join(_selected(relation, name) for name in columns),
        _table(relation.name),
        sql.Identifier(column),
        sql.Literal(_bound(relation, column, day)),
        sql.Identifier(column),
        sql.Literal(_bound(relation, column, day + dt.timedelta(days=1))),
        sql.SQL(", ").join(_ordered(relation, name) for name in order),
    )
    with connections.connection() as connection, connection.cursor() as cursor:
        cursor.execute(query.as_string())
        return _plain(cursor.fetch_arrow_table())


def identity_of(relation: Relation, column: str) -> tuple[str, ...]:
    """Return the columns by which an archived row takes the place of one in the record.

    The key; for rollups, which have none and are computed a category at a time, time and category.
    """
    return relation.key or tuple(n for n in (column, "category_key") if n in relation.columns)


def put_back_day(url: str, relation: Relation, column: str, day: dt.date, rows: pa.Table) -> int:
    """Put archived rows in the place of those that are the same; returns how many.

    One transaction. Rows that the archive does not have stay (`identity_of`), and those of the
    forgotten do not come back (`aurastream.store.purge_denied`).

    Raises
    ------
    ArchiveError
        When the archive lacks columns that the table must have.
    """
    absent = [name for name in relation.required if name not in rows.column_names]
    unknown = [name for name in rows.column_names if name not in relation.columns]
    if absent or unknown:
        what = f"lacks {', '.join(absent)}" if absent else f"has the unknown {', '.join(unknown)}"
        raise ArchiveError(
            f"The archived rows of {relation.name} cannot be put back: the archive {what}.",
            fix="Read the Parquet files themselves (docs/archive.md).",
        )
    names = rows.column_names
    if relation.is_partitioned:
        # Retention may have dropped the day.
        midnight = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        with psycopg.connect(patient(url), autocommit=True) as owner:
            ensure_partitions(owner, midnight, midnight, tables=[metadata.tables[relation.name]])
    with connect(patient(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        [rows], _ = without_denied([rows], find_denied(cursor))
        narrow = next((table for table in NARROW if table.fullname == relation.name), None)
        if narrow is not None:
            _put_back_narrow(cursor, narrow, rows)
            connection.commit()
            return int(rows.num_rows)
        cursor.adbc_ingest("archived_day", rows, mode="create", temporary=True)
        cursor.execute("ANALYZE pg_temp.archived_day")
        cursor.execute(_without_archived(relation, column, day).as_string())
        cursor.execute(
            sql.SQL("INSERT INTO {} ({}) SELECT {} FROM pg_temp.archived_day")
            .format(
                _table(relation.name),
                sql.SQL(", ").join(map(sql.Identifier, names)),
                sql.SQL(", ").join(
                    sql.SQL("{}::{}").format(
                        sql.Identifier(name),
                        sql.SQL(relation.columns[name]),
                    )
                    for name in names
                ),
            )
            .as_string()
        )
        cursor.execute("DROP TABLE pg_temp.archived_day")
        connection.commit()
    return int(rows.num_rows)


def without_forgotten(connections: ConnectionPool, rows: pa.Table) -> pa.Table:
    """Return archived rows without those that no restore puts back."""
    with connections.connection() as connection, connection.cursor() as cursor:
        [left], _ = without_denied([rows], find_denied(cursor))
    return left


def _without_archived(relation: Relation, column: str, day: dt.date) -> sql.Composed:
    """Return the statement that takes away what archived rows take the place of."""
    by = identity_of(relation, column)
    conditions = [
        sql.SQL("t.{0} = a.{0}::{1}").format(sql.Identifier(name), sql.SQL(relation.columns[name]))
        for name in by
    ]
    if column in by:  # else the row of that key may be of another day by now
        conditions.append(
            sql.SQL("t.{0} >= {1} AND t.{0} < {2}").format(
                sql.Identifier(column),
                sql.Literal(_bound(relation, column, day)),
                sql.Literal(_bound(relation, column, day + dt.timedelta(days=1))),
            )
        )
    return sql.SQL("DELETE FROM {} t USING pg_temp.archived_day a WHERE {}").format(
        _table(relation.name), sql.SQL(" AND ").join(conditions)
    )


def _put_back_narrow(cursor: dbapi.Cursor, table: sa.Table, rows: pa.Table) -> None:
    lock(cursor, [table])
    declared = pa.table({column.name: _typed(column, rows) for column in table.columns})
    if declared.num_rows:
        upsert(cursor, narrowed(cursor, table, declared, Numbers().open(cursor)))


def _typed(column: sa.Column[Any], rows: pa.Table) -> pa.Array:
    """Return an archived column as it is written; what the archive may not have is null."""
    wanted = arrow_type(column)
    if column.name not in rows.column_names:
        return pa.nulls(rows.num_rows, wanted)
    values = rows.column(column.name).combine_chunks()
    if pa.types.is_fixed_size_binary(wanted):  # UUIDs travel as text
        distinct = values.dictionary_encode()
        found = [uuid.UUID(text).bytes for text in distinct.dictionary.to_pylist()]
        return pa.array(found, wanted).take(distinct.indices)
    return values.cast(wanted)


def _selected(relation: Relation, name: str) -> sql.Composable:
    column = sql.Identifier(name)
    if relation.columns[name] in _AS_TEXT:
        return sql.SQL("{0}::text AS {0}").format(column)
    return column


def _ordered(relation: Relation, name: str) -> sql.Composable:
    # By bytes, so that two servers with other collations write the same file.
    if relation.columns[name] == "text":
        return sql.SQL('{} COLLATE "C"').format(sql.Identifier(name))
    # The output column of the same name is text where the table's is not; the order is the table's.
    return sql.SQL("{}.{}").format(_table(relation.name), sql.Identifier(name))


def _bound(relation: Relation, column: str, day: dt.date) -> dt.date | dt.datetime:
    if relation.columns[column] == "date":
        return day
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _plain(found: pa.Table) -> pa.Table:
    """Leave out what only this driver says of the columns."""
    schema = pa.schema([pa.field(f.name, f.type) for f in found.schema])
    return found.cast(schema)


def _table(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))
