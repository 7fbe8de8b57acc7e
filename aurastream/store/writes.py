"""The three ways a frame becomes rows, as values.

All columns of the table are written each time, so that running the same step again gives the same
rows: there is no column that an older run could have left behind.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import sqlalchemy as sa

from aurastream.store.errors import StoreError
from aurastream.store.tables import metadata

__all__ = ["Append", "Replace", "Upsert", "WriteOp", "WriteResult", "find_table", "time_column"]

TableName = str | tuple[str, str] | sa.Table


@dataclass(frozen=True, slots=True)
class Append:
    """Insert rows; where the key exists already, the first row stays."""

    table: TableName
    frame: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Upsert:
    """Insert rows; where the key exists already, every column is replaced."""

    table: TableName
    frame: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Replace:
    """Put rows in the place of everything in [start, end) of the table's time column.

    Parameters
    ----------
    table : str or tuple of str or Table
        A table with a time column (partitioned by it, or with it in front of its key).
    frame : DataFrame
        Rows of that range only.
    start, end : datetime
        Aware, ``start`` before ``end``.
    only : Mapping, optional
        Columns and their values: of the range only such rows are replaced.
    """

    table: TableName
    frame: pd.DataFrame
    start: dt.datetime
    end: dt.datetime
    only: Mapping[str, str] = field(default_factory=dict)


WriteOp = Append | Upsert | Replace


@dataclass(frozen=True, slots=True)
class WriteResult:
    """What one operation did to its table.

    Parameters
    ----------
    table : str
        ``schema.table``.
    inserted, updated, unchanged, deleted : int
        Rows. ``deleted`` counts what a `Replace` took away before it inserted.
    spooled : bool
        The rows wait in the local spool; the counts are not known yet and 0.
    """

    table: str
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    spooled: bool = False


def find_table(name: TableName) -> sa.Table:
    """Return a declared table by ``"schema.table"``, by key or as itself.

    Raises
    ------
    StoreError
        When the record has no such table.
    """
    if isinstance(name, sa.Table):
        return name
    full = name if isinstance(name, str) else ".".join(name)
    try:
        return metadata.tables[full]
    except KeyError:
        raise StoreError(
            f"The record has no table {full}.", fix="Declare it in aurastream.store.tables."
        ) from None


def time_column(table: sa.Table) -> sa.Column[Any] | None:
    """Return the column that time predicates refer to, None when there is none."""
    name = table.info.get("partition_by")
    if name is not None:
        partitioned_by: sa.Column[Any] = table.columns[str(name)]
        return partitioned_by
    for column in (*table.primary_key.columns, *table.columns):
        if isinstance(column.type, sa.DateTime):
            found: sa.Column[Any] = column
            return found
    return None
