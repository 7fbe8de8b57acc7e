"""Collected rows that reached the record late: what waited in a spool, and when it was delivered.

A window is scored from what the record has at that moment. Rows that come later are in nobody's
scores until the windows they belong to are scored again; this is how anybody finds out.
"""

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from aurastream.store.writes import Append, time_column

__all__ = ["DELIVERIES", "Delivery", "deliveries_of", "delivery_note"]

DELIVERIES: Final = "maintenance.deliveries"


@dataclass(frozen=True, slots=True)
class Delivery:
    """Rows of one table that were delivered late.

    Parameters
    ----------
    delivery_id : str
        One delivery.
    delivered_at : datetime
        When the rows came.
    first_at, last_at : datetime
        When the platform had answered with the oldest and the newest of them.
    """

    delivery_id: str
    delivered_at: dt.datetime
    first_at: dt.datetime
    last_at: dt.datetime


def delivery_note(rows: Iterable[tuple[sa.Table, pa.Table]], now: dt.datetime) -> Append | None:
    """Return the write that says which collected rows are being delivered; None without any."""
    notes = []
    for table, found in rows:
        column = time_column(table)
        if table.schema != "collection" or column is None or not found.num_rows:
            continue
        span = pc.min_max(found.column(column.name)).as_py()
        notes.append(
            {
                "delivered_at": pd.Timestamp(now),
                "delivery_id": str(uuid.uuid4()),
                "table_name": table.fullname,
                "first_at": pd.Timestamp(span["min"]),
                "last_at": pd.Timestamp(span["max"]),
            }
        )
    return Append(DELIVERIES, pd.DataFrame(notes)) if notes else None


def deliveries_of(found: pd.DataFrame) -> list[Delivery]:
    """Return the rows of the table as deliveries, oldest first."""
    ordered = found.sort_values(["delivered_at", "delivery_id"])
    columns = [
        ordered["delivery_id"].astype(str),
        *(ordered[name].dt.to_pydatetime() for name in ("delivered_at", "first_at", "last_at")),
    ]
    return [Delivery(*row) for row in zip(*columns, strict=True)]
