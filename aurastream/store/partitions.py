"""Daily range partitions: created ahead or on demand, dropped by retention.

There is no default partition: a row outside the existing days has to fail loudly, because rows in
a default partition would later block the creation of the right one. Bounds are UTC midnights; a
partition of the table ``x`` is named ``x_p20260131``.
"""

import datetime as dt
import logging
from collections.abc import Iterable, Iterator

import psycopg
from adbc_driver_postgresql import dbapi
from psycopg import sql
from sqlalchemy import Table

from aurastream.store.errors import StoreError
from aurastream.store.tables import PARTITIONED, metadata
from aurastream.store.tables.narrow import narrow_of, stored_name, stored_of

__all__ = [
    "attached",
    "days_between",
    "ensure_partitions",
    "existing_days",
    "is_partitioned",
    "note_sizes",
    "partition_of",
]

_log = logging.getLogger(__name__)
_LOCK_CLASS = 0x70617274  # "part": serialises the creators of one table's partitions
_MOST_DAYS = 4000


def is_partitioned(table: Table) -> bool:
    """Whether the table is divided by time."""
    return "partition_by" in table.info


def days_between(start: dt.datetime, end: dt.datetime) -> Iterator[dt.date]:
    """Yield the UTC days that [start, end) touches; the day of ``start`` when it is empty.

    Examples
    --------
    >>> noon = dt.datetime(2026, 1, 31, 12, tzinfo=dt.UTC)
    >>> [str(day) for day in days_between(noon, noon + dt.timedelta(hours=12))]
    ['2026-01-31']
    >>> [str(day) for day in days_between(noon, noon + dt.timedelta(hours=13))]
    ['2026-01-31', '2026-02-01']
    """
    day = start.astimezone(dt.UTC).date()
    last = max(start, end - dt.timedelta(microseconds=1)).astimezone(dt.UTC).date()
    if (last - day).days > _MOST_DAYS:
        raise StoreError(
            f"Partitions from {day} to {last} were asked for: that is not a range of data.",
            fix="Look for a wrong timestamp in the frame.",
        )
    while day <= last:
        yield day
        day += dt.timedelta(days=1)


def partition_of(table: Table, day: dt.date) -> str:
    """Return the full name of the partition that holds a day."""
    return f"{table.schema}.{partition_name(table, day)}"


def attached(cursor: dbapi.Cursor, names: Iterable[str]) -> set[str]:
    """Return which of these partitions exist, of any table."""
    looked_up = ", ".join(f"('{name}')" for name in names)
    cursor.execute(
        f"SELECT name FROM (VALUES {looked_up}) AS asked (name) "  # noqa: S608 # names are ours
        "WHERE EXISTS (SELECT FROM pg_inherits WHERE inhrelid = to_regclass(name))"
    )
    return {str(name) for (name,) in cursor.fetchall()}


def existing_days(connection: psycopg.Connection, table: Table) -> set[dt.date]:
    """Return the days that have a partition."""
    rows = connection.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = to_regclass(%s)",
        (stored_name(table.fullname),),
    ).fetchall()
    return {day for (name,) in rows if (day := _day_of(str(name))) is not None}


def ensure_partitions(
    connection: psycopg.Connection,
    start: dt.datetime,
    end: dt.datetime,
    *,
    tables: Iterable[Table] = PARTITIONED,
) -> list[str]:
    """Create the missing partitions for [start, end); each table in a transaction of its own.

    A new partition is made beside its parent and attached, which does not block readers or writers
    of the parent. Concurrent callers wait for one another.

    Parameters
    ----------
    connection : psycopg.Connection
        In autocommit mode.
    start, end : datetime
        Aware; days in UTC.
    tables : iterable of Table
        By default every partitioned table.

    Returns
    -------
    list of str
        Names of the partitions created.
    """
    wanted = set(days_between(start, end))
    created: list[str] = []
    for table in tables:
        if not wanted - existing_days(connection, table):
            continue
        with connection.transaction():
            connection.execute(
                "SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK_CLASS, table.fullname)
            )
            missing = sorted(wanted - existing_days(connection, table))
            created += [_create(connection, table, day) for day in missing]
    return created


def note_sizes(connection: psycopg.Connection, table: Table, days: Iterable[dt.date]) -> list[str]:
    """Let Postgres count days that it knows nothing of yet; return the names of those.

    A partition without statistics counts as nearly empty, and a question about many rows is then
    answered as if they were a few: minutes instead of a second. Autovacuum notices within minutes,
    which after a load of weeks is too late for the questions that follow at once.
    """
    if narrow_of(table) is not None:
        _note_dimensions(connection, table)
    names = [partition_of(table, day) for day in sorted(days)]
    unknown = connection.execute(
        "SELECT relname FROM pg_class WHERE oid = ANY(%s::text[]::regclass[]) AND reltuples < 0"
        " ORDER BY relname",
        (names,),
    ).fetchall()
    stored = table if narrow_of(table) is None else stored_of(table).facts
    key = sql.SQL(", ").join(sql.Identifier(column.name) for column in stored.primary_key.columns)
    # The number of rows is what is wanted, and a small sample tells it as well as a large one.
    connection.execute("SET default_statistics_target = 10")
    for (name,) in unknown:
        connection.execute(sql.SQL("ANALYZE {} ({})").format(_identifier(table, name), key))
    return [str(name) for (name,) in unknown]


def _note_dimensions(connection: psycopg.Connection, table: Table) -> None:
    """Let Postgres count what rows are named by, where that has doubled since it last looked."""
    stored = stored_of(table)
    for part in (stored.subjects, stored.answers):
        row = connection.execute(
            "SELECT pg_relation_size(oid) >= 2 * 8192 * relpages::bigint FROM pg_class"
            " WHERE oid = %s::regclass",
            (part.fullname,),
        ).fetchone()
        if row and row[0]:
            connection.execute(
                sql.SQL("ANALYZE {}").format(sql.Identifier(str(part.schema), part.name))
            )


def partition_name(table: Table, day: dt.date) -> str:
    """Return the name of a day's partition, without its schema; it is the declared table's."""
    return f"{table.name}_p{day:%Y%m%d}"


def _create(connection: psycopg.Connection, table: Table, day: dt.date) -> str:
    name = partition_name(table, day)
    parent = _identifier(table, stored_name(table.fullname).rpartition(".")[2])
    connection.execute(
        sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(_identifier(table, name), parent)
    )
    connection.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
            parent,
            _identifier(table, name),
            sql.Literal(_midnight(day)),
            sql.Literal(_midnight(day) + dt.timedelta(days=1)),
        )
    )
    return f"{table.schema}.{name}"


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def _identifier(table: Table, name: str) -> sql.Identifier:
    if table.schema is None or table.fullname not in metadata.tables:
        raise StoreError(f"{table.fullname} is not a table of the record.")
    return sql.Identifier(table.schema, name)


def _day_of(name: str) -> dt.date | None:
    text = name.rpartition("_p")[2]
    try:
        return dt.datetime.strptime(text, "%Y%m%d").replace(tzinfo=dt.UTC).date()
    except ValueError:
        return None
