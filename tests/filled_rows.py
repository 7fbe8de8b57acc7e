"""Rows of which a test says only what it cares about."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from aurastream.store.tables import metadata

__all__ = ["filled_rows"]

_AN_ID = "0b9c2b3e-5df3-4a83-9c0a-6f6d6a1f0001"


def filled_rows(
    table: str, given: Sequence[Mapping[str, Any]], *, at: dt.datetime | None = None
) -> pd.DataFrame:
    """Fill in what the rows do not say by the columns' types; every time is `at`."""
    declared = metadata.tables[table]
    moment = pd.Timestamp(at or dt.datetime(2026, 11, 20, 11, 55, tzinfo=dt.UTC))
    filled = [
        {c.name: row.get(c.name, _filler(c, moment)) for c in declared.columns} for row in given
    ]
    return pd.DataFrame(filled, columns=[c.name for c in declared.columns])


def _filler(column: sa.Column[Any], moment: pd.Timestamp) -> Any:
    kind = column.type
    if isinstance(kind, sa.DateTime):
        return moment
    if column.nullable:
        return None
    by_type: list[tuple[type[Any], Any]] = [
        (pg.UUID, _AN_ID),
        (pg.JSONB, {}),
        (pg.ARRAY, []),
        (sa.Boolean, True),
        (sa.Date, moment.date()),
        (sa.Integer, 0),
        (sa.Float, 0.0),
        (sa.Text, "x"),
    ]
    return next(value for sql_type, value in by_type if isinstance(kind, sql_type))
