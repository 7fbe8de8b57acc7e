"""Taking rows away for good, and counting before and after: the SQL behind retention.

Everything here is safe to repeat and safe to kill: a day is dropped or not, a batch of rows is
deleted or not, and what is left is found again by the next call.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg
from psycopg import sql

from aurastream.store.dead_peers import patient
from aurastream.store.narrow import drop_unnamed
from aurastream.store.tables import SCHEMAS
from aurastream.store.tables.narrow import NARROW, stored_name, stored_of

__all__ = [
    "Doomed",
    "Relation",
    "Witness",
    "blank_before",
    "connect",
    "count_before",
    "count_filled",
    "count_of",
    "count_steps",
    "database_bytes",
    "days_before",
    "days_of",
    "delete_before",
    "delete_of",
    "delete_steps",
    "delete_unconfirmed",
    "delete_unnamed",
    "doomed",
    "doomed_days",
    "doomed_unconfirmed",
    "drop_days",
    "empty",
    "first_day_left",
    "oldest",
    "relations",
]

_LOCK_TIMEOUT = "5s"
_BATCH = 50_000
# A snapshot that carries a version's hash has read that version again: it is as fresh as that.
_UNCONFIRMED = """
    FROM collection.youtube_videos v
    WHERE v.first_observed_at < %(cutoff)s
      AND NOT EXISTS (
          SELECT FROM collection.youtube_trending t
          WHERE t.observed_at >= %(cutoff)s
            AND t.video_id = v.video_id AND t.metadata_hash = v.metadata_hash)
      AND NOT EXISTS (
          SELECT FROM collection.youtube_games g
          WHERE g.observed_at >= %(cutoff)s
            AND g.video_id = v.video_id AND g.metadata_hash = v.metadata_hash)
"""

# The steps of backfills that were asked for before a moment, or are gone.
_LEFT_BEHIND = """
    FROM maintenance.backfill_steps s WHERE NOT EXISTS (
        SELECT FROM maintenance.backfills b
        WHERE b.backfill_id = s.backfill_id AND b.asked_at >= {cutoff})
"""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as the database has it.

    Parameters
    ----------
    name : str
        ``schema.table``.
    columns : mapping of str to str
        Types by column, in the table's order.
    key : tuple of str
        Columns of the primary key.
    is_partitioned : bool
        Divided by the day of its time column.
    required : tuple of str
        Columns that a row must bring.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    is_partitioned: bool
    required: tuple[str, ...] = ()

    @property
    def time_column(self) -> str | None:
        """Return the first time of the key, or else the first there is."""
        for name in (*self.key, *self.columns):
            if self.columns[name] in ("timestamp with time zone", "date"):
                return name
        return None


@dataclass(frozen=True, slots=True)
class Doomed:
    """What would go, or went.

    Parameters
    ----------
    rows, bytes : int
        Rows, and the bytes they take; for single rows the table's mean.
    parts : tuple of str
        Partitions by name.
    """

    rows: int = 0
    bytes: int = 0
    parts: tuple[str, ...] = field(default=())


# Told of each piece inside the transaction that takes it away.
Witness = Callable[[Doomed], None]


def connect(url: str) -> psycopg.Connection:
    """Return a connection of retention: in autocommit mode, never waiting long for a lock."""
    return psycopg.connect(
        patient(url),
        autocommit=True,
        application_name="aurastream-retention",
        options=f"-clock_timeout={_LOCK_TIMEOUT} -ctimezone=UTC",
    )


def relations(url: str) -> list[Relation]:
    """Return every table of our schemas by name: no partitions, nothing behind narrow tables."""
    with psycopg.connect(patient(url), autocommit=True) as connection:
        rows = connection.execute(
            """
            SELECT n.nspname || '.' || c.relname,
                   array_agg(a.attname::text ORDER BY a.attnum),
                   array_agg(format_type(a.atttypid, NULL) ORDER BY a.attnum),
                   coalesce((
                       SELECT array_agg(k.attname::text ORDER BY x.place)
                       FROM pg_index i
                       CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY x (attnum, place)
                       JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = x.attnum
                       WHERE i.indrelid = c.oid AND i.indisprimary), '{}'),
                   c.relkind = 'p',
                   coalesce(array_agg(a.attname::text ORDER BY a.attnum)
                            FILTER (WHERE a.attnotnull AND NOT a.atthasdef), '{}')
            FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE (c.relkind IN ('r', 'p') OR n.nspname || '.' || c.relname = ANY(%s))
              AND NOT c.relispartition AND n.nspname = ANY(%s)
              AND c.relname !~ '__dbt_'
            GROUP BY c.oid, n.nspname, c.relname, c.relkind
            ORDER BY 1
            """,
            ([table.fullname for table in NARROW], list(SCHEMAS)),
        ).fetchall()
    behind = {part.fullname for table in NARROW for part in stored_of(table).tables}
    return [
        _as_declared(
            Relation(
                name,
                dict(zip(columns, types, strict=True)),
                tuple(key),
                bool(divided),
                tuple(required),
            )
        )
        for name, columns, types, key, divided, required in rows
        if name not in behind
    ]


def _as_declared(found: Relation) -> Relation:
    """Give the view of a narrow table the key and the days of what is behind it."""
    for table in NARROW:
        if table.fullname == found.name:
            return replace(
                found,
                key=tuple(column.name for column in table.primary_key.columns),
                is_partitioned=True,
                required=tuple(column.name for column in table.columns if not column.nullable),
            )
    return found


def doomed(
    connection: psycopg.Connection, table: str, column: str | None, cutoff: dt.datetime | None
) -> Doomed:
    """Return the rows of a table before ``cutoff`` (all of them without one), and their size."""
    rows = count_before(connection, table, column, cutoff)
    if not rows:
        return Doomed()
    total, size = _totals(connection, table)
    return Doomed(rows, int(size * rows / max(total, rows)))


def doomed_days(connection: psycopg.Connection, table: str, days: Sequence[dt.date]) -> Doomed:
    """Return what the partitions of some days hold."""
    names = [f"{table}_p{day:%Y%m%d}" for day in days]
    rows = sum(_totals(connection, name)[0] for name in names)
    size = sum(_size(connection, name) for name in names)
    return Doomed(rows, size, tuple(names))


def count_before(
    connection: psycopg.Connection, table: str, column: str | None, cutoff: dt.datetime | None
) -> int:
    """Count the rows before a moment; all rows without one."""
    query = sql.SQL("SELECT count(*) FROM {}").format(_table(table))
    if column is not None and cutoff is not None:
        query += sql.SQL(" WHERE {} < {}").format(sql.Identifier(column), sql.Literal(cutoff))
    return _one(connection, query)


def oldest(connection: psycopg.Connection, table: str, column: str) -> dt.datetime | None:
    """Return the oldest value of a time column; None when the table is empty."""
    row = connection.execute(
        sql.SQL("SELECT min({})::timestamptz FROM {}").format(
            sql.Identifier(column), _table(stored_name(table))
        )
    ).fetchone()
    return row[0] if row else None


def first_day_left(connection: psycopg.Connection) -> dt.datetime | None:
    """Return the beginning of the first day that there is a crawl of; None without any.

    Before it there is nothing to compute from: nothing was collected, or retention has taken it,
    and what was made of it once would be replaced by nothing.
    """
    crawled = oldest(connection, "operations.crawls", "crawl_at")
    if crawled is None:
        return None
    at = crawled.astimezone(dt.UTC)
    return dt.datetime(at.year, at.month, at.day, tzinfo=dt.UTC)


def days_before(
    connection: psycopg.Connection, table: str, column: str, cutoff: dt.datetime
) -> list[dt.date]:
    """Return the days that rows before a moment are of, oldest first."""
    rows = connection.execute(
        sql.SQL(
            "SELECT DISTINCT ({0}::timestamptz AT TIME ZONE 'UTC')::date FROM {1} WHERE {0} < {2} "
            "ORDER BY 1"
        ).format(sql.Identifier(column), _table(stored_name(table)), sql.Literal(cutoff))
    ).fetchall()
    return [day for (day,) in rows]


def drop_days(
    connection: psycopg.Connection,
    table: str,
    days: Sequence[dt.date],
    *,
    witness: Witness = lambda _: None,
    archived: Mapping[dt.date, int] | None = None,
) -> Doomed:
    """Drop the partitions of some days; returns what really went.

    A day that somebody reads for longer than five seconds stays for the next call: retention must
    never stop collection. So does one that has other rows than were archived: somebody wrote to it
    in between.

    Parameters
    ----------
    connection : psycopg.Connection
        In autocommit mode.
    table : str
        ``schema.table``.
    days : sequence of date
        UTC.
    witness : callable
        Told of each day in the transaction that drops it.
    archived : mapping of date to int, optional
        How many rows of each day are archived; without it, nobody has to have archived them.
    """
    gone = Doomed()
    for day in sorted(days):
        name = f"{table}_p{day:%Y%m%d}"
        try:
            with connection.transaction():
                connection.execute(
                    sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(_table(name))
                )
                piece = Doomed(*_totals(connection, name), (name,))
                if archived is not None and piece.rows != archived.get(day, 0):
                    continue
                connection.execute(sql.SQL("DROP TABLE {}").format(_table(name)))
                witness(piece)
        except (psycopg.errors.LockNotAvailable, psycopg.errors.UndefinedTable):
            continue
        gone = Doomed(gone.rows + piece.rows, gone.bytes + piece.bytes, (*gone.parts, name))
    return gone


def delete_before(
    connection: psycopg.Connection,
    table: str,
    column: str,
    cutoff: dt.datetime,
    *,
    witness: Witness = lambda _: None,
) -> int:
    """Delete the rows before a moment in batches; returns how many went."""
    return _delete(
        connection,
        witness,
        sql.SQL(
            "DELETE FROM {table} t USING (SELECT tableoid, ctid FROM {table} WHERE {column} < "
            "{cutoff} LIMIT {batch}) d WHERE t.tableoid = d.tableoid AND t.ctid = d.ctid"
        ).format(
            table=_table(stored_name(table)),
            column=sql.Identifier(column),
            cutoff=sql.Literal(cutoff),
            batch=sql.Literal(_BATCH),
        ),
    )


def count_of(
    connection: psycopg.Connection,
    table: str,
    column: str,
    values: Sequence[str],
    *,
    at: str,
    cutoff: dt.datetime,
) -> int:
    """Count the rows before a moment that have one of some values in a column."""
    return _one(
        connection,
        sql.SQL("SELECT count(*) FROM {} WHERE {} < {} AND {} = ANY({})").format(
            _table(table),
            sql.Identifier(at),
            sql.Literal(cutoff),
            sql.Identifier(column),
            sql.Literal(list(values)),
        ),
    )


def delete_of(
    connection: psycopg.Connection,
    table: str,
    column: str,
    values: Sequence[str],
    *,
    at: str,
    cutoff: dt.datetime,
    witness: Witness = lambda _: None,
) -> int:
    """Delete the rows before a moment that have one of some values in a column."""
    return _delete(
        connection,
        witness,
        sql.SQL(
            "DELETE FROM {table} t USING (SELECT tableoid, ctid FROM {table} WHERE {at} < {cutoff} "
            "AND {column} = ANY({values}) LIMIT {batch}) d "
            "WHERE t.tableoid = d.tableoid AND t.ctid = d.ctid"
        ).format(
            table=_table(table),
            at=sql.Identifier(at),
            cutoff=sql.Literal(cutoff),
            column=sql.Identifier(column),
            values=sql.Literal(list(values)),
            batch=sql.Literal(_BATCH),
        ),
    )


def count_steps(connection: psycopg.Connection, cutoff: dt.datetime) -> int:
    """Count the steps of backfills that were asked for before a moment, or are gone."""
    query = sql.SQL("SELECT count(*)" + _LEFT_BEHIND).format(cutoff=sql.Literal(cutoff))
    return _one(connection, query)


def delete_steps(
    connection: psycopg.Connection, cutoff: dt.datetime, *, witness: Witness = lambda _: None
) -> int:
    """Delete the steps of backfills that were asked for before a moment, or are gone."""
    query = sql.SQL("DELETE" + _LEFT_BEHIND).format(cutoff=sql.Literal(cutoff))
    return _once(connection, witness, query)


def count_filled(
    connection: psycopg.Connection, table: str, column: str, at: str, cutoff: dt.datetime
) -> int:
    """Count the rows before a moment that have a value in a column."""
    return _one(
        connection,
        sql.SQL("SELECT count(*) FROM {} WHERE {} < {} AND {} IS NOT NULL").format(
            _table(table), sql.Identifier(at), sql.Literal(cutoff), sql.Identifier(column)
        ),
    )


def blank_before(
    connection: psycopg.Connection,
    table: str,
    column: str,
    at: str,
    cutoff: dt.datetime,
    *,
    witness: Witness = lambda _: None,
) -> int:
    """Set a column to null in the rows before a moment; returns how many had a value."""
    return _once(
        connection,
        witness,
        sql.SQL("UPDATE {} SET {} = NULL WHERE {} < {} AND {} IS NOT NULL").format(
            _table(table),
            sql.Identifier(column),
            sql.Identifier(at),
            sql.Literal(cutoff),
            sql.Identifier(column),
        ),
    )


def empty(connection: psycopg.Connection, table: str, *, witness: Witness = lambda _: None) -> int:
    """Delete every row of a table; returns how many went."""
    return _delete(
        connection,
        witness,
        sql.SQL(
            "DELETE FROM {table} t USING (SELECT tableoid, ctid FROM {table} LIMIT {batch}) d "
            "WHERE t.tableoid = d.tableoid AND t.ctid = d.ctid"
        ).format(table=_table(stored_name(table)), batch=sql.Literal(_BATCH)),
    )


def delete_unnamed(connection: psycopg.Connection, table: str) -> int:
    """Delete what no row of a narrow table names any more; returns how much."""
    with connection.transaction():
        return sum(drop_unnamed(connection, each) for each in NARROW if each.fullname == table)


def doomed_unconfirmed(connection: psycopg.Connection, cutoff: dt.datetime) -> Doomed:
    """Return the versions of metadata that no snapshot has confirmed since a moment."""
    query = sql.SQL("SELECT count(*)") + sql.SQL(_UNCONFIRMED)
    row = connection.execute(query, {"cutoff": cutoff}).fetchone()
    rows = int(row[0]) if row else 0
    total, size = _totals(connection, "collection.youtube_videos")
    return Doomed(rows, int(size * rows / max(total, 1)))


def delete_unconfirmed(
    connection: psycopg.Connection, cutoff: dt.datetime, *, witness: Witness = lambda _: None
) -> int:
    """Delete the versions of metadata that no snapshot has confirmed since a moment."""
    query = sql.SQL("DELETE FROM collection.youtube_videos x USING (SELECT v.ctid") + sql.SQL(
        _UNCONFIRMED + ") d WHERE x.ctid = d.ctid"
    )
    with connection.transaction():
        rows = connection.execute(query, {"cutoff": cutoff}).rowcount
        if rows:
            witness(Doomed(rows))
    return rows


def database_bytes(connection: psycopg.Connection) -> dict[str, int]:
    """Return the size of the database, and of each schema's tables with their indexes."""
    rows = connection.execute(
        "SELECT n.nspname, sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'm') "
        "AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') GROUP BY 1"
    ).fetchall()
    whole = _one(connection, sql.SQL("SELECT pg_database_size(current_database())"))
    return {"database": whole, **{str(name): int(size) for name, size in rows}}


def _delete(connection: psycopg.Connection, witness: Witness, batch: sql.Composed) -> int:
    total = 0
    while True:
        deleted = _once(connection, witness, batch)
        total += deleted
        if deleted < _BATCH:
            return total


def _once(connection: psycopg.Connection, witness: Witness, statement: sql.Composed) -> int:
    with connection.transaction():
        rows = connection.execute(statement).rowcount
        if rows:
            witness(Doomed(rows))
    return rows


def _totals(connection: psycopg.Connection, table: str) -> tuple[int, int]:
    rows = _one(connection, sql.SQL("SELECT count(*) FROM {}").format(_table(table)))
    return rows, _size(connection, table)


def _size(connection: psycopg.Connection, table: str) -> int:
    """Return the bytes of a table, its partitions and their indexes."""
    behind = [stored_of(each).tables for each in NARROW if each.fullname == table]
    if behind:
        return sum(_size(connection, part.fullname) for part in behind[0])
    return _one(
        connection,
        sql.SQL(
            "SELECT coalesce(sum(pg_total_relation_size(relid)), 0)::bigint "
            "FROM pg_partition_tree({})"
        ).format(sql.Literal(table)),
    ) or _one(connection, sql.SQL("SELECT pg_total_relation_size({})").format(sql.Literal(table)))


def _one(connection: psycopg.Connection, query: sql.SQL | sql.Composed) -> int:
    row = connection.execute(query).fetchone()
    return int(row[0]) if row and row[0] is not None else 0


def _table(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))


def days_of(connection: psycopg.Connection, table: str) -> Iterator[dt.date]:
    """Yield the days that have a partition, oldest first."""
    rows = connection.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = to_regclass(%s) ORDER BY 1",
        (stored_name(table),),
    ).fetchall()
    for (name,) in rows:
        text = str(name).rpartition("_p")[2]
        if len(text) == 8 and text.isdecimal():  # noqa: PLR2004 # yyyymmdd
            yield dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
