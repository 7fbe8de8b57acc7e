"""What scores were before another code version replaced them.

Every windowed write says which code version it is of, in its own transaction. A write of another
version first keeps the derived columns of the rows it is about to replace, so that any way of
scoring again (a backfill, the UI, a schedule) leaves something to compare with.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import psycopg
import sqlalchemy as sa
from psycopg import sql

from aurastream.store.errors import StoreError
from aurastream.store.frames import FrameStore, Upsert
from aurastream.store.retries import retrying
from aurastream.store.writes import find_table, time_column

__all__ = ["ColumnDiff", "Mover", "compare_versions", "keep_replaced", "version_marks"]


@dataclass(frozen=True, slots=True)
class ColumnDiff:
    """How one column moved.

    Parameters
    ----------
    column : str
        A derived column.
    compared, changed : int
        Rows that both versions have; those whose value differs.
    mean_change, mean_abs_change, max_abs_change : float or None
        Over the rows where both values are numbers; new minus old.
    """

    column: str
    compared: int
    changed: int
    mean_change: float | None
    mean_abs_change: float | None
    max_abs_change: float | None


@dataclass(frozen=True, slots=True)
class Mover:
    """A row that moved far."""

    window_start: dt.datetime
    row_key: str
    column: str
    before: float
    after: float


def keep_replaced(
    store: FrameStore,
    table: sa.Table,
    asset: str,
    span: tuple[dt.datetime, dt.datetime],
    code_version: str,
) -> int:
    """Keep the derived columns of rows in ``span`` that other code versions wrote.

    Safe to repeat: what was kept of a version stays as it was kept first.

    Returns
    -------
    int
        Rows kept.
    """
    column = time_column(table)
    derived = [c.name for c in table.columns if c.info.get("policy") == "derived"]
    if column is None or not derived:
        return 0
    asked = {"asset": asset, "version": code_version, "start": span[0], "end": span[1]}
    return retrying(lambda: _keep(store.url, table, column.name, derived, asked), store.retry)


def _keep(
    url: str, table: sa.Table, at: str, derived: Sequence[str], asked: Mapping[str, object]
) -> int:
    with psycopg.connect(url, connect_timeout=10) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        other = connection.execute(
            "SELECT EXISTS (SELECT FROM maintenance.window_versions WHERE asset = %(asset)s "
            "AND window_start >= %(start)s AND window_start < %(end)s "
            "AND code_version <> %(version)s)",
            asked,
        ).fetchone()
        if other is None or not other[0]:
            return 0
        return connection.execute(
            sql.SQL(
                "INSERT INTO maintenance.score_history "
                "(window_start, asset, code_version, row_key, values, kept_at) "
                "SELECT t.{at}, v.asset, v.code_version, {key}::text, {values}, now() "
                "FROM maintenance.window_versions v JOIN {table} t ON t.{at} = v.window_start "
                "WHERE v.asset = %(asset)s AND v.code_version <> %(version)s "
                "AND v.window_start >= %(start)s AND v.window_start < %(end)s "
                "AND t.{at} >= %(start)s AND t.{at} < %(end)s ON CONFLICT DO NOTHING"
            ).format(
                at=sql.Identifier(at),
                key=_object([c for c in _key(table) if c != at]),
                values=sql.SQL("to_jsonb(t) - {}::text[]").format(
                    sql.Literal([c.name for c in table.columns if c.name not in derived])
                ),
                table=_table(table.fullname),
            ),
            asked,
        ).rowcount


def version_marks(
    asset: str,
    frame: pd.DataFrame,
    column: str,
    *,
    code_version: str,
    run_id: str | None,
) -> Upsert:
    """Return the write that says which version the windows of a frame are of."""
    windows = frame[column].drop_duplicates().sort_values(ignore_index=True)
    return Upsert(
        "maintenance.window_versions",
        pd.DataFrame(
            {
                "asset": asset,
                "window_start": windows,
                "code_version": code_version,
                "run_id": run_id,
            }
        ),
    )


def compare_versions(
    store: FrameStore,
    asset: str,
    before: str,
    *,
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    movers: int = 10,
) -> tuple[list[ColumnDiff], list[Mover]]:
    """Compare what is there now with what a code version computed.

    Parameters
    ----------
    store : FrameStore
        The record.
    asset : str
        Asset key as ``stage/table``.
    before : str
        The older code version.
    start, end : datetime, optional
        Windows in [start, end) only.
    movers : int
        How many of the rows that moved farthest are returned.

    Raises
    ------
    StoreError
        When nothing of that version was kept; the message names the versions that were.
    """
    table = find_table(asset.replace("/", "."))
    column = time_column(table)
    if column is None:
        raise StoreError(f"{asset} has no windows to compare.")
    asked: dict[str, Any] = {
        "asset": asset,
        "version": before,
        "start": start or dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        "end": end or dt.datetime(9999, 1, 1, tzinfo=dt.UTC),
        "movers": movers,
    }
    pairs = sql.SQL(
        "WITH pairs AS (SELECT h.window_start, h.row_key, e.key AS name, e.value AS old, "
        "to_jsonb(t) -> e.key AS new FROM maintenance.score_history h JOIN {table} t "
        "ON t.{at} = h.window_start AND {key}::text = h.row_key "
        "CROSS JOIN LATERAL jsonb_each(h.values) e WHERE h.asset = %(asset)s "
        "AND h.code_version = %(version)s AND h.window_start >= %(start)s "
        "AND h.window_start < %(end)s), numbers AS (SELECT *, "
        "CASE WHEN jsonb_typeof(old) = 'number' THEN old::text::float8 END AS a, "
        "CASE WHEN jsonb_typeof(new) = 'number' THEN new::text::float8 END AS b FROM pairs) "
    ).format(
        table=_table(table.fullname),
        at=sql.Identifier(column.name),
        key=_object([c for c in _key(table) if c != column.name]),
    )
    with psycopg.connect(store.url, connect_timeout=10) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        columns = connection.execute(
            pairs
            + sql.SQL(
                "SELECT name, count(*), count(*) FILTER (WHERE old IS DISTINCT FROM new), "
                "avg(b - a), avg(abs(b - a)), max(abs(b - a)) FROM numbers GROUP BY name "
                "ORDER BY name"
            ),
            asked,
        ).fetchall()
        if not columns:
            raise _nothing_kept(connection, asset, before)
        moved = connection.execute(
            pairs
            + sql.SQL(
                "SELECT window_start, row_key, name, a, b FROM numbers WHERE a <> b "
                "ORDER BY abs(b - a) DESC, window_start, row_key, name LIMIT %(movers)s"
            ),
            asked,
        ).fetchall()
    return [ColumnDiff(*row) for row in columns], [Mover(*row) for row in moved]


def _nothing_kept(connection: psycopg.Connection, asset: str, before: str) -> StoreError:
    rows = connection.execute(
        "SELECT code_version, count(DISTINCT window_start) FROM maintenance.score_history "
        "WHERE asset = %s GROUP BY 1 ORDER BY 1",
        (asset,),
    ).fetchall()
    kept = ", ".join(f"{version} ({count} windows)" for version, count in rows) or "none"
    return StoreError(
        f"No row of {asset} as version {before} computed it can be compared.",
        fix=f"Versions that were kept: {kept}. They are kept when another version scores the same "
        "windows again.",
    )


def _key(table: sa.Table) -> list[str]:
    return [column.name for column in table.primary_key.columns]


def _object(names: list[str]) -> sql.Composed:
    """Return an expression that makes a JSON object of some columns of ``t``."""
    return sql.SQL("jsonb_build_object({})").format(
        sql.SQL(", ").join(
            sql.SQL("{}::text, t.{}").format(sql.Literal(name), sql.Identifier(name))
            for name in sorted(names)
        )
    )


def _table(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))
