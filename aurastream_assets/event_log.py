"""Dagster's event log in Postgres, storing what a run plans in bulk.

A run over a range of windows announces every partition of every asset before it is queued, and
Dagster stores these announcements one by one: half a minute for two weeks of half-hours in five
assets, in which nothing else happens. `dagster.yaml` names this class instead; what is stored is
the same, in one statement per batch. The size of a batch is ``DAGSTER_EVENT_BATCH_SIZE``.
"""

from collections.abc import Sequence
from typing import Any, Final, Self

import dagster as dg
from dagster_postgres import PostgresEventLogStorage
from dagster_postgres.utils import pg_url_from_config

__all__ = ["BulkEventLogStorage"]

_PLANNED: Final = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED


class BulkEventLogStorage(PostgresEventLogStorage):
    """Stores planned materializations by the batch."""

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> Self:  # noqa: ANN401 # Dagster's
        """Make the storage that the instance's settings describe."""
        return cls(
            pg_url_from_config(config_value),
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            inst_data=inst_data,
        )

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store a batch of events; a batch is of planned events, or of results."""
        planned = [event for event in events if event.dagster_event_type == _PLANNED]
        if len(planned) > 1:
            insert = self.prepare_insert_event_batch(planned)
            with self.index_connection() as connection:
                stored = connection.execute(insert.returning(insert.table.c.id)).fetchall()
            # Of each asset only the newest event is kept at hand, as if they had come one by one.
            newest = {
                event.get_dagster_event().asset_key: (event, int(row[0]))
                for event, row in zip(planned, stored, strict=True)
            }
            for event, event_id in newest.values():
                self.store_asset_event(event, event_id)
            events = [event for event in events if event.dagster_event_type != _PLANNED]
        super().store_event_batch(events)
