"""What scores were before another code version replaced them.

Every windowed write says which code version it is of, in its own transaction. A write of another
version first keeps the derived columns of the rows it is about to replace, so that any way of
scoring again (a backfill, the UI, a schedule) leaves something to compare with, as
`aurastream.store.version_diffs` does.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd
import psycopg
import sqlalchemy as sa
from psycopg import sql

from aurastream.store.dead_peers import patient
from aurastream.store.frames import FrameStore, Upsert
from aurastream.store.retries import retrying
from aurastream.store.writes import time_column

__all__ = ["keep_replaced", "version_marks"]

# Replaced by another version since it was kept, and there again.
_CAME_BACK: Final = """
    UPDATE maintenance.score_history h
    SET code_version = h.code_version
        || to_char(h.kept_at, '" until "YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    FROM maintenance.window_versions v
    WHERE v.asset = %(asset)s AND v.code_version <> %(version)s
      AND v.window_start >= %(start)s AND v.window_start < %(end)s
      AND h.asset = v.asset AND h.window_start = v.window_start AND h.code_version = v.code_version
      AND EXISTS (SELECT FROM maintenance.score_history later WHERE later.asset = h.asset
                  AND later.window_start = h.window_start AND later.kept_at > h.kept_at)
"""

_EMPTY: Final = """
    INSERT INTO maintenance.score_history
        (window_start, asset, code_version, row_key, values, kept_at)
    SELECT window_start, asset, code_version, '{}', 'null', now()
    FROM maintenance.window_versions
    WHERE asset = %(asset)s AND code_version <> %(version)s AND row_count = 0
      AND window_start >= %(start)s AND window_start < %(end)s
    ON CONFLICT DO NOTHING
"""
_OF_OTHERS: Final = """
    SELECT EXISTS (
        SELECT FROM maintenance.window_versions
        WHERE asset = %(asset)s AND code_version <> %(version)s
          AND window_start >= %(start)s AND window_start < %(end)s
    ) AS found
"""


def keep_replaced(
    store: FrameStore,
    table: sa.Table,
    asset: str,
    span: tuple[dt.datetime, dt.datetime],
    code_version: str,
) -> int:
    """Keep the derived columns of rows in ``span`` that other code versions wrote.

    Of a window in which such a version found nothing, that is kept: one row of JSON's null.

    Safe to repeat: what was kept of a version stays as it was kept first. Where a version came back
    and is replaced once more, its earlier rows go on as `1 until 2026-11-22T08:00:00.000000Z`, so
    that each moment has the rows that it had.

    Returns
    -------
    int
        Rows kept, one for each window that had none among them.
    """
    column = time_column(table)
    derived = [c.name for c in table.columns if c.info.get("policy") == "derived"]
    if column is None or not derived:
        return 0
    asked = {"asset": asset, "version": code_version, "start": span[0], "end": span[1]}
    if not store.query(_OF_OTHERS, asked)["found"].iloc[0]:
        return 0  # as a rule, and asked on a connection that is open anyway
    return retrying(lambda: _keep(store.url, table, column.name, derived, asked), store.retry)


def _keep(
    url: str, table: sa.Table, at: str, derived: Sequence[str], asked: Mapping[str, object]
) -> int:
    with psycopg.connect(patient(url)) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        connection.execute(_CAME_BACK, asked)
        empty = connection.execute(_EMPTY, asked).rowcount
        found = connection.execute(
            sql.SQL(
                "INSERT INTO maintenance.score_history "
                "(window_start, asset, code_version, row_key, values, kept_at) "
                "SELECT t.{at}, v.asset, v.code_version, {key}::text, {values}, now() "
                "FROM maintenance.window_versions v JOIN {table} t ON t.{at} = v.window_start "
                "WHERE v.asset = %(asset)s AND v.code_version <> %(version)s "
                "AND v.window_start >= %(start)s AND v.window_start < %(end)s "
                "AND t.{at} >= %(start)s AND t.{at} < %(end)s "
                "ON CONFLICT DO NOTHING"
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
        return empty + found


def version_marks(
    asset: str,
    windows: pd.DatetimeIndex,
    starts: pd.Series,
    *,
    code_version: str,
    run_id: str | None,
) -> Upsert:
    """Return the write that says which version computed some windows.

    Parameters
    ----------
    asset : str
        Asset key as ``stage/table``.
    windows : DatetimeIndex
        The start of each window that was computed, also of those in which nothing was found.
    starts : Series
        The window of each row that is written.
    code_version : str
        The version.
    run_id : str or None
        Dagster's run.
    """
    counts = starts.value_counts().reindex(windows, fill_value=0)
    return Upsert(
        "maintenance.window_versions",
        pd.DataFrame(
            {
                "asset": asset,
                "window_start": windows,
                "code_version": code_version,
                "run_id": run_id,
                "row_count": counts.to_numpy(),
            }
        ),
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
