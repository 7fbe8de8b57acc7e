"""Rows for the store's tests."""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from aurastream.store.tables import metadata

Rows = Callable[..., pd.DataFrame]
_AN_ID = "0b9c2b3e-5df3-4a83-9c0a-6f6d6a1f0001"


@pytest.fixture
def rows() -> Rows:
    """Return a function that fills in what a test does not care about, by the columns' types."""

    def make(
        table: str, given: Sequence[Mapping[str, Any]], *, at: dt.datetime | None = None
    ) -> pd.DataFrame:
        declared = metadata.tables[table]
        moment = pd.Timestamp(at or dt.datetime(2026, 11, 20, 11, 55, tzinfo=dt.UTC))
        filled = [
            {c.name: row.get(c.name, _filler(c, moment)) for c in declared.columns} for row in given
        ]
        return pd.DataFrame(filled, columns=[c.name for c in declared.columns])

    return make


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
