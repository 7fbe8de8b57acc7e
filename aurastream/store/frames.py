"""Frames in and out of the record.

One call of `FrameStore.commit` is one transaction. Rows travel in Postgres's binary COPY format
(ADBC): straight into the table where nothing can be in the way, through a temporary table where
keys may exist already. A lost connection is tried again for about a minute; after that a
collection write is kept in the local spool, because the past of an API cannot be fetched again.
"""

import contextlib
import datetime as dt
import logging
import re
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import adbc_driver_manager
import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from adbc_driver_postgresql import dbapi
from psycopg import sql

from aurastream.store.columns import to_arrow, to_pandas, up_to_date
from aurastream.store.connections import ConnectionPool
from aurastream.store.dead_peers import patient
from aurastream.store.deliveries import delivery_note
from aurastream.store.errors import (
    FrameMismatchError,
    SpoolBlockedError,
    SpoolError,
    StoreError,
    StoreUnavailableError,
)
from aurastream.store.narrow import (
    Numbering,
    Numbers,
    append,
    lock,
    narrowed,
    replace_range,
    upsert,
)
from aurastream.store.partitions import (
    attached,
    days_between,
    ensure_partitions,
    is_partitioned,
    note_sizes,
    partition_of,
)
from aurastream.store.purge_denied import ITEMS, PLATFORM_OF, find_denied, without_denied
from aurastream.store.retries import RetryPolicy, retrying
from aurastream.store.spool import Spool, SpooledOp
from aurastream.store.tables.narrow import narrow_of
from aurastream.store.writes import (
    Append,
    Replace,
    TableName,
    Upsert,
    WriteOp,
    WriteResult,
    find_table,
    time_column,
)

__all__ = ["Append", "FrameStore", "Replace", "RetryPolicy", "Upsert", "WriteOp", "WriteResult"]

_log = logging.getLogger(__name__)
_PLACEHOLDER = re.compile(r"%(?:\((\w+)\)s|%)")
_MANY_ROWS = 10_000  # a write that Postgres should hear of before the next question
# SQLSTATE codes
_NO_PARTITION = "23514"
_DUPLICATE_KEY = "23505"


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An operation whose rows have the table's types."""

    op: WriteOp
    table: sa.Table
    rows: pa.Table


class FrameStore:
    """Reads and writes the record.

    Safe to share between threads.

    Parameters
    ----------
    url : str
        ``postgresql://`` URL of a migrated database.
    spool : Path, optional
        Directory for collection writes that could not be delivered. Without it they fail.
    retry : RetryPolicy
        Patience with a lost connection.
    application : str
        Name the server shows for our connections.
    """

    def __init__(
        self,
        url: str,
        *,
        spool: Path | None = None,
        retry: RetryPolicy | None = None,
        application: str = "aurastream-store",
    ) -> None:
        self.url = url
        self.retry = retry or RetryPolicy()
        self.spool = Spool(spool) if spool is not None else None
        self._pool = ConnectionPool(url, application=application)
        self._known_days: set[str] = set()
        self._days_lock = threading.Lock()
        self._numbers = Numbers()

    # -- writing ---------------------------------------------------------------------------------

    def commit(self, ops: Sequence[WriteOp], *, spool: bool = False) -> list[WriteResult]:
        """Write all operations in one transaction, after what waits in the spool.

        Parameters
        ----------
        ops : sequence of Append, Upsert or Replace
            In the order in which they are to happen.
        spool : bool
            For collection: when the server stays away, keep the rows on local disk and return
            results marked ``spooled`` instead of raising. So they are where what waits there
            cannot be read now. Rows that the server refuses for good are kept there too, aside.

        Raises
        ------
        FrameMismatchError
            When a frame does not fit its table, before anything is written.
        StoreUnavailableError
            When the server stayed away and the write may not be spooled; nothing was written.
        StoreError
            When the server refused for good; nothing was written.
        SpoolError
            When it could not be spooled either.
        """
        if spool and any(isinstance(op, Replace) and op.only for op in ops):
            raise FrameMismatchError(
                "The spool cannot replace a part of a range.", fix="Write it without the spool."
            )
        prepared = [_prepare(op) for op in ops]
        use_spool = self.spool if spool else None
        try:
            # With older rows waiting, ours may not overtake them, nor wait a minute again each.
            waiting = use_spool is not None and not use_spool.is_empty()
            self.drain(retry=RetryPolicy(total_s=0.0) if waiting else None)
        except StoreUnavailableError as error:
            if use_spool is None:
                raise
            return _spooled(use_spool, prepared, error)
        except SpoolBlockedError as error:
            if use_spool is not None:
                # Where it cannot be kept either, it is better early than never.
                with contextlib.suppress(SpoolError):
                    return _spooled(use_spool, prepared, error)
            _log.exception("This write does not wait for those in the spool.")
        try:
            return retrying(lambda: self._write(prepared), self.retry)
        except StoreUnavailableError as error:
            if use_spool is None:
                raise
            return _spooled(use_spool, prepared, error)
        except StoreError as error:
            if use_spool is not None:
                use_spool.put_aside([_to_spool(item) for item in prepared], str(error))
            raise

    def drain(self, *, retry: RetryPolicy | None = None) -> int:
        """Deliver what waits in the spool, oldest first; return the number of entries delivered.

        Raises
        ------
        StoreUnavailableError
            When the server is away; what was not delivered still waits.
        SpoolBlockedError
            When it cannot be read now; it still waits, too.
        """
        if self.spool is None:
            return 0
        policy = retry or self.retry

        def deliver(entry: Sequence[SpooledOp]) -> None:
            prepared = [_from_spool(item) for item in entry]
            late = delivery_note(((i.table, i.rows) for i in prepared), dt.datetime.now(dt.UTC))
            if late is not None:
                prepared.append(_prepare(late))
            retrying(lambda: self._write(prepared), policy)

        return self.spool.drain(deliver, keep_on=StoreUnavailableError, refuse_on=StoreError)

    def _write(self, prepared: Sequence[_Prepared]) -> list[WriteResult]:
        # First straight into the tables, in the hope that no key exists already.
        is_direct, has_looked_again = True, False
        while True:
            self._ensure_days(prepared)
            try:
                with self._pool.connection() as connection:
                    permitted = _permitted(connection, prepared)
                    numbering = self._numbering(connection, permitted)
                    results = [
                        _apply(connection, item, numbering, is_direct=is_direct)
                        for item in permitted
                    ]
                if numbering is not None:
                    numbering.keep()
                self._note_sizes(permitted)
            except adbc_driver_manager.Error as error:
                if is_direct and error.sqlstate == _DUPLICATE_KEY:
                    is_direct = False
                elif not has_looked_again and error.sqlstate == _NO_PARTITION:
                    # Retention may have dropped a day that we remember.
                    self.forget_partitions()
                    has_looked_again = True
                else:
                    raise
            else:
                return results

    def _numbering(
        self, connection: dbapi.Connection, prepared: Sequence[_Prepared]
    ) -> Numbering | None:
        """Take the locks of the narrow tables, and what is known of their numbers."""
        narrow = [item.table for item in prepared if narrow_of(item.table) is not None]
        if not narrow:
            return None
        with connection.cursor() as cursor:
            lock(cursor, narrow)
            return self._numbers.open(cursor)

    def _note_sizes(self, written: Sequence[_Prepared]) -> None:
        large = [
            item
            for item in written
            if item.rows.num_rows >= _MANY_ROWS and is_partitioned(item.table)
        ]
        if not large:
            return
        try:
            with psycopg.connect(patient(self.url), autocommit=True) as connection:
                for item in large:
                    note_sizes(connection, item.table, _days_of(item))
        except psycopg.Error as error:
            # What was written is written; without statistics questions are slow, not wrong.
            _log.warning("Postgres could not count what was written: %s", error)

    def forget_partitions(self) -> None:
        """Ask the server again which partitions exist."""
        with self._days_lock:
            self._known_days.clear()

    def _ensure_days(self, prepared: Sequence[_Prepared]) -> None:
        wanted = {
            partition_of(item.table, day): (item.table, day)
            for item in prepared
            if is_partitioned(item.table) and item.rows.num_rows
            for day in _days_of(item)
        }
        with self._days_lock:
            unknown = wanted.keys() - self._known_days
        if not unknown:
            return
        with (
            self._pool.connection(in_transaction=False) as connection,
            connection.cursor() as cursor,
        ):
            missing = unknown - attached(cursor, unknown)
        if missing:
            with psycopg.connect(patient(self.url), autocommit=True) as creating:
                for name in sorted(missing):
                    table, day = wanted[name]
                    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
                    ensure_partitions(creating, start, start, tables=[table])
        with self._days_lock:
            self._known_days |= unknown

    # -- reading ---------------------------------------------------------------------------------

    def read(
        self,
        table: TableName,
        *,
        columns: Sequence[str] | None = None,
        start: dt.datetime | None = None,
        end: dt.datetime | None = None,
        where: Mapping[str, object] | None = None,
        order_by: str | Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Read a table, or the part of it that is asked for.

        Parameters
        ----------
        table : str or tuple of str or Table
            For example ``"collection.youtube_trending"``.
        columns : sequence of str, optional
            By default all, in the table's order.
        start, end : datetime, optional
            Rows with ``start <= t < end`` on the table's time column.
        where : mapping, optional
            Column to value; a list or tuple means any of them, None means null.
        order_by : str or sequence of str, optional
            Columns; by default no order.

        Returns
        -------
        DataFrame
            Times ``datetime64[us, UTC]``, nullable integers ``Int64``, arrays lists, JSON parsed.

        Raises
        ------
        FrameMismatchError
            Naming a column the table does not have.
        StoreUnavailableError
            When the server stays away.
        """
        found = find_table(table)
        chosen = list(columns) if columns is not None else [c.name for c in found.columns]
        order = [order_by] if isinstance(order_by, str) else list(order_by or ())
        _check_columns(found, [*chosen, *(where or {}), *order])
        conditions = _conditions(found, start, end, where or {})
        query = sql.SQL("SELECT {} FROM {}").format(_names(chosen), _identifier(found))
        if conditions:
            query += sql.SQL(" WHERE ") + sql.SQL(" AND ").join(conditions)
        if order:
            query += sql.SQL(" ORDER BY ") + _names(order)
        nullable = {c.name for c in found.columns if c.nullable}
        return to_pandas(self._fetch(query.as_string()), nullable=nullable)

    def query(self, statement: str, params: Mapping[str, object] | None = None) -> pd.DataFrame:
        """Run a query of one's own.

        Parameters
        ----------
        statement : str
            SQL with ``%(name)s`` placeholders (and ``%%`` for a percent sign) when there are
            parameters.
        params : mapping, optional
            Values of the placeholders.

        Returns
        -------
        DataFrame
            As `read`, except that a column of integers is ``Int64`` only when it holds a null.
        """
        if params is not None:
            statement = _fill_in(statement, params)
        return to_pandas(self._fetch(statement))

    def execute(self, statement: str, params: Mapping[str, object] | None = None) -> int:
        """Run a statement that changes rows, in a transaction of its own; return their number."""

        def call() -> int:
            with psycopg.connect(patient(self.url)) as connection:
                return connection.execute(_text(statement), params).rowcount

        return retrying(call, self.retry)

    def _fetch(self, statement: str) -> pa.Table:
        def call() -> pa.Table:
            with (
                self._pool.connection(in_transaction=False) as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute(statement)
                return cursor.fetch_arrow_table()

        return retrying(call, self.retry)

    def ping(self) -> None:
        """Ask the server for an answer, once.

        Raises
        ------
        StoreUnavailableError
            When there is none.
        """
        once = RetryPolicy(total_s=0.0)

        def call() -> None:
            with psycopg.connect(self.url, connect_timeout=5) as connection:
                connection.execute("SELECT 1")

        retrying(call, once)

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


# -- one operation on one connection ---------------------------------------------------------------


def _prepare(op: WriteOp) -> _Prepared:
    table = find_table(op.table)
    rows = to_arrow(table, op.frame)
    item = _Prepared(op, table, rows)
    if isinstance(op, Replace):
        _check_range(item, op)
    return item


def _check_range(item: _Prepared, op: Replace) -> None:
    column = time_column(item.table)
    if column is None or op.start >= op.end:
        raise FrameMismatchError(
            f"{item.table.fullname} has no range from {op.start} to {op.end} to replace."
        )
    if item.rows.num_rows:
        bounds = pc.min_max(item.rows.column(column.name)).as_py()
        if bounds["min"] < op.start or bounds["max"] >= op.end:
            raise FrameMismatchError(
                f"The frame for {item.table.fullname} has {column.name} from {bounds['min']} to "
                f"{bounds['max']}, outside the range it replaces ({op.start} to {op.end}).",
                fix="Rows outside the range would be doubled by the next run.",
            )
    for name, value in op.only.items():
        if (
            narrow_of(item.table) is not None
            or pc.any(pc.not_equal(item.rows[name], value)).as_py()
        ):
            raise FrameMismatchError(
                f"The frame for {item.table.fullname} cannot replace only the rows whose {name} is "
                f"{value!r}.",
                fix="Pass rows of that kind, to a table that is stored as it is declared.",
            )


def _days_of(item: _Prepared) -> set[dt.date]:
    name = item.table.info["partition_by"]
    days = pc.unique(item.rows.column(name).cast(pa.timestamp("us")).cast(pa.date32(), safe=False))
    found = set(days.to_pylist())
    if len(found) > 1:
        midnight = dt.time(tzinfo=dt.UTC)
        first, last = (dt.datetime.combine(d, midnight) for d in (min(found), max(found)))
        for _ in days_between(first, last):  # refuses absurd spans before anything is created
            break
    return found


def _permitted(connection: dbapi.Connection, prepared: Sequence[_Prepared]) -> list[_Prepared]:
    """Leave out the rows of those who asked to be forgotten."""
    named = {*ITEMS, *PLATFORM_OF}
    if not any(named & set(item.rows.column_names) for item in prepared):
        return list(prepared)
    with connection.cursor() as cursor:
        denied = find_denied(cursor)
    kept, _ = without_denied([item.rows for item in prepared], denied)
    return [replace(item, rows=rows) for item, rows in zip(prepared, kept, strict=True)]


def _apply(
    connection: dbapi.Connection, item: _Prepared, numbering: Numbering | None, *, is_direct: bool
) -> WriteResult:
    with connection.cursor() as cursor:
        if numbering is not None and narrow_of(item.table) is not None:
            return _apply_narrow(cursor, item, numbering, is_direct=is_direct)
        if isinstance(item.op, Replace):
            return _replace(cursor, item, item.op)
        if not item.rows.num_rows:
            return WriteResult(item.table.fullname)
        if isinstance(item.op, Upsert):
            return _upsert(cursor, item)
        return _append(cursor, item, is_direct=is_direct)


def _apply_narrow(
    cursor: dbapi.Cursor, item: _Prepared, numbering: Numbering, *, is_direct: bool
) -> WriteResult:
    op = item.op
    if not item.rows.num_rows and not isinstance(op, Replace):
        return WriteResult(item.table.fullname)
    facts = narrowed(cursor, item.table, item.rows, numbering)
    if isinstance(op, Replace):
        done = replace_range(cursor, facts, op.start, op.end)
    elif isinstance(op, Upsert):
        done = upsert(cursor, facts)
    else:
        done = append(cursor, facts, is_direct=is_direct)
    return WriteResult(
        item.table.fullname,
        inserted=done.inserted,
        updated=done.updated,
        unchanged=done.unchanged,
        deleted=done.deleted,
    )


def _replace(cursor: dbapi.Cursor, item: _Prepared, op: Replace) -> WriteResult:
    column = time_column(item.table)
    if column is None:  # pragma: no cover # refused by _check_range
        raise FrameMismatchError(f"{item.table.fullname} has no time column.")
    # Whoever replaces the same range at the same time waits here, not at a duplicate key.
    cursor.execute(
        sql.SQL("SELECT 1 FROM (SELECT pg_advisory_xact_lock(hashtextextended({}, 0))) x")
        .format(sql.Literal(f"replace {item.table.fullname} {op.start:%Y-%m-%d}"))
        .as_string()
    )
    cursor.fetchall()
    cursor.execute(
        sql.SQL("DELETE FROM {} WHERE {} >= {} AND {} < {}{}")
        .format(
            _identifier(item.table),
            sql.Identifier(column.name),
            sql.Literal(op.start),
            sql.Identifier(column.name),
            sql.Literal(op.end),
            sql.Composed(
                [
                    sql.SQL(" AND {} = {}").format(sql.Identifier(name), sql.Literal(value))
                    for name, value in op.only.items()
                ]
            ),
        )
        .as_string()
    )
    deleted = max(cursor.rowcount, 0)
    if item.rows.num_rows:
        _copy(cursor, item)
    return WriteResult(item.table.fullname, inserted=item.rows.num_rows, deleted=deleted)


def _append(cursor: dbapi.Cursor, item: _Prepared, *, is_direct: bool) -> WriteResult:
    total = item.rows.num_rows
    # Tables without time hold things that come again and again: their keys mostly exist. A single
    # one that exists would cost the whole transaction a second try.
    if is_direct and is_partitioned(item.table) and not item.table.info.get("recurs"):
        _copy(cursor, item)
        return WriteResult(item.table.fullname, inserted=total)
    inserted = _insert_from(cursor, item, _stage(cursor, item), sql.SQL("DO NOTHING"))
    return WriteResult(item.table.fullname, inserted=inserted, unchanged=total - inserted)


def _upsert(cursor: dbapi.Cursor, item: _Prepared) -> WriteResult:
    key = {column.name for column in item.table.primary_key.columns}
    values = [c.name for c in item.table.columns if c.name not in key]
    if not values:
        return _append(cursor, item, is_direct=False)
    target = sql.Identifier(item.table.name)
    action = sql.SQL("DO UPDATE SET {} WHERE ({}) IS DISTINCT FROM ({})").format(
        sql.SQL(", ").join(
            sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in values
        ),
        sql.SQL(", ").join(
            sql.SQL("{}.{}").format(target, sql.Identifier(name)) for name in values
        ),
        sql.SQL(", ").join(sql.SQL("excluded.{}").format(sql.Identifier(name)) for name in values),
    )
    stage = _stage(cursor, item)
    known = _known_keys(cursor, item, stage)
    changed = _insert_from(cursor, item, stage, action)
    total = item.rows.num_rows
    inserted = total - known
    return WriteResult(
        item.table.fullname,
        inserted=inserted,
        updated=changed - inserted,
        unchanged=total - changed,
    )


def _known_keys(cursor: dbapi.Cursor, item: _Prepared, stage: sql.Identifier) -> int:
    """Count the staged keys that the table has already."""
    key = _names([column.name for column in item.table.primary_key.columns])
    statement = sql.SQL("SELECT count(*) FROM {} JOIN {} USING ({})").format(
        stage, _identifier(item.table), key
    )
    cursor.execute(statement.as_string())
    row = cursor.fetchone()
    return 0 if row is None else int(row[0])


def _copy(cursor: dbapi.Cursor, item: _Prepared) -> None:
    cursor.adbc_ingest(item.table.name, item.rows, mode="append", db_schema_name=item.table.schema)


def _stage(cursor: dbapi.Cursor, item: _Prepared) -> sql.Identifier:
    """Copy the rows into a temporary table that is gone at the end of the transaction."""
    name = f"stage_{uuid.uuid4().hex[:12]}"
    cursor.execute(
        sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {}) ON COMMIT DROP")
        .format(sql.Identifier(name), _identifier(item.table))
        .as_string()
    )
    cursor.adbc_ingest(name, item.rows, mode="append", temporary=True)
    return sql.Identifier("pg_temp", name)


def _insert_from(
    cursor: dbapi.Cursor, item: _Prepared, stage: sql.Identifier, action: sql.Composable
) -> int:
    """Move staged rows into the table in key order; count those inserted or updated."""
    statement = sql.SQL(
        "INSERT INTO {table} ({names}) SELECT {names} FROM {stage} ORDER BY {key} "
        "ON CONFLICT ({key}) {action}"
    ).format(
        table=_identifier(item.table),
        names=_names([column.name for column in item.table.columns]),
        stage=stage,
        key=_names([column.name for column in item.table.primary_key.columns]),
        action=action,
    )
    cursor.execute(statement.as_string())
    return max(int(cursor.rowcount), 0)


# -- spooling --------------------------------------------------------------------------------------


def _spooled(spool: Spool, prepared: Sequence[_Prepared], why: StoreError) -> list[WriteResult]:
    """Keep a write in the spool instead of delivering it."""
    spool.append([_to_spool(item) for item in prepared])
    _log.warning("%s %d write(s) wait in the spool.", why, len(prepared))
    return [WriteResult(item.table.fullname, spooled=True) for item in prepared]


def _to_spool(item: _Prepared) -> SpooledOp:
    op = item.op
    return SpooledOp(
        kind=type(op).__name__,
        table=item.table.fullname,
        rows=item.rows,
        start=op.start if isinstance(op, Replace) else None,
        end=op.end if isinstance(op, Replace) else None,
    )


def _from_spool(item: SpooledOp) -> _Prepared:
    table = find_table(item.table)
    rows = up_to_date(table, item.rows)
    nothing = pd.DataFrame()
    op: WriteOp
    if item.kind == "Replace" and item.start is not None and item.end is not None:
        op = Replace(table, nothing, item.start, item.end)
    elif item.kind == "Upsert":
        op = Upsert(table, nothing)
    elif item.kind == "Append":
        op = Append(table, nothing)
    else:
        raise FrameMismatchError(f"A spooled write is of the unknown kind {item.kind}.")
    return _Prepared(op, table, rows)


# -- SQL -------------------------------------------------------------------------------------------


def _names(names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _identifier(table: sa.Table) -> sql.Identifier:
    return sql.Identifier(*filter(None, (table.schema, table.name)))


def _check_columns(table: sa.Table, names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in table.columns]
    if unknown:
        raise FrameMismatchError(
            f"{table.fullname} has no column {', '.join(unknown)}.",
            fix=f"It has {', '.join(c.name for c in table.columns)}.",
        )


def _conditions(
    table: sa.Table,
    start: dt.datetime | None,
    end: dt.datetime | None,
    where: Mapping[str, object],
) -> list[sql.Composed]:
    conditions: list[sql.Composed] = []
    column = time_column(table)
    if (start is not None or end is not None) and column is None:
        raise FrameMismatchError(f"{table.fullname} has no time column.")
    if column is not None:
        for bound, sign in ((start, ">="), (end, "<")):
            if bound is not None:
                conditions.append(
                    sql.SQL("{} {} {}").format(
                        sql.Identifier(column.name), sql.SQL(sign), sql.Literal(_plain(bound))
                    )
                )
    for name, value in where.items():
        identifier = sql.Identifier(name)
        if value is None:
            conditions.append(sql.SQL("{} IS NULL").format(identifier))
        elif isinstance(value, list | tuple | set | frozenset):
            conditions.append(
                sql.SQL("{} = ANY({})").format(identifier, sql.Literal([_plain(v) for v in value]))
            )
        else:
            conditions.append(sql.SQL("{} = {}").format(identifier, sql.Literal(_plain(value))))
    return conditions


def _fill_in(statement: str, params: Mapping[str, object]) -> str:
    """Put quoted literals in place: COPY, which makes reads fast, takes no parameters."""

    def literal(match: re.Match[str]) -> str:
        if match[1] is None:
            return "%"
        try:
            return sql.Literal(_plain(params[match[1]])).as_string()
        except KeyError:
            raise StoreError(f"The query's parameter {match[1]} was not given.") from None

    return _PLACEHOLDER.sub(literal, statement)


def _plain(value: object) -> object:
    """Turn pandas' and numpy's scalars into Python's, which psycopg can quote."""
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime(warn=False)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple | set | frozenset):
        return list(value)
    return value


def _text(statement: str) -> sql.SQL:
    return sql.SQL(statement)
