"""The record's days: made before they are needed, dropped when they are over age.

A write makes the day that it lacks by itself. Made ahead, the first write after midnight waits for
nobody, and a server whose disk is full says so days before collection needs the room.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import dagster as dg
import psycopg

from aurastream.settings import Settings
from aurastream.store.partitions import drop_before, ensure_partitions
from aurastream_assets.policies import RETRIES
from resources.store import Store

__all__ = ["DAYS_AHEAD", "roll_partitions"]

DAYS_AHEAD: Final = 7


@dg.op(
    out=dg.Out(dg.Nothing),
    retry_policy=RETRIES,
    tags={"kind": "postgres"},
    description=(
        "Make the partitions of today and the next 7 days, then drop those that lie wholly before "
        "the last `retention_days` days."
    ),
)
def roll_partitions(store: Store) -> dg.Output[None]:
    """Make the partitions of the days to come and drop those over age; safe to repeat."""
    now = datetime.now(UTC)
    cutoff = now - timedelta(days=Settings.from_env().retention_days)
    with psycopg.connect(store.frames.url, autocommit=True, connect_timeout=10) as connection:
        # In this order: a reader that holds an old day must not cost us the new ones.
        created = ensure_partitions(connection, now, now + timedelta(days=DAYS_AHEAD))
        dropped = drop_before(connection, cutoff)
    store.frames.forget_partitions()
    return dg.Output(
        None,
        metadata={
            "partitions_created": len(created),
            "partitions_dropped": len(dropped),
            "dropped": ", ".join(dropped) or "-",
            "cutoff": dg.MetadataValue.timestamp(cutoff),
        },
    )
