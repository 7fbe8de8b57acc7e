"""Dagster's event log in Postgres, as `dagster.yaml` names it: the same rows with less ado.

Dagster opens a connection per statement, looks at the schema for every event, and stores what a run
plans event by event. A half-hour run opens 330 connections like that, and a run over two weeks of
half-hours is half a minute old before it is queued. Here

- planned partitions are stored by the batch (its size is ``DAGSTER_EVENT_BATCH_SIZE``),
- a planned check is one row. Dagster makes one for each partition of the run, 60,000 for two weeks,
  but a check of ours looks at all of them at once and answers once: the others would never end,
- an event is not announced: Dagster polls for events, and still sends its ``NOTIFY`` for the sake
  of older versions beside it alone,
- a table or column that was there once is not looked for again,
- a process keeps its connection, unless it is the daemon: there each connection proves first that
  the process still leads (see `aurastream.operations.fencing`). It does not wait for the disk after
  each event. Commits reach the disk in order, and both the rows that an asset wrote and the end of
  its run are waited for; so a crash of the server can only cost events of runs that it ended too,
- a run waits for a server that is away (`aurastream_assets.patience`).
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Final, Self

import dagster as dg
from dagster._core.events import ASSET_CHECK_EVENTS, ASSET_EVENTS  # noqa: TID251 # as the parent
from dagster_postgres import PostgresEventLogStorage
from dagster_postgres.utils import pg_url_from_config
from dagster_shared.record import replace
from sqlalchemy.engine import Connection

from aurastream_assets import patience
from aurastream_assets.kept import kept_engine

__all__ = ["EventLogStorage"]

_PLANNED: Final = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
_CHECK_PLANNED: Final = dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
_LAZY: Final = "-csynchronous_commit=off"


class EventLogStorage(PostgresEventLogStorage):
    """Stores events on a connection that is kept, planned ones by the batch.

    Attributes
    ----------
    keeps_connections : bool
        Set to False, before it opens its instance, by a process whose connections are fenced.
    """

    keeps_connections: ClassVar[bool] = True

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 # Dagster's
        self._seen: set[str] = set()
        super().__init__(*arguments, **options)
        if self.keeps_connections:
            self._engine = kept_engine(self.postgres_url, _LAZY)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> Self:  # noqa: ANN401 # Dagster's
        """Make the storage that the instance's settings describe."""
        return cls(
            pg_url_from_config(config_value),
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            inst_data=inst_data,
        )

    def has_table(self, table_name: str) -> bool:
        """Return whether a table exists; one that was there once stays."""
        return table_name in self._seen or self._see(table_name, super().has_table(table_name))

    def has_asset_key_col(self, column_name: str) -> bool:
        """Return whether the table of assets has a column; one that was there once stays."""
        name = f"asset_keys.{column_name}"
        return name in self._seen or self._see(name, super().has_asset_key_col(column_name))

    def _see(self, name: str, is_there: bool) -> bool:  # noqa: FBT001 # one caller's answer
        if is_there:
            self._seen.add(name)
        return is_there

    def _connect(self) -> AbstractContextManager[Connection]:
        return patience.connected(self._engine)

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store an event, and what the tables of assets and checks keep of it."""
        patience.retrying(lambda: self._store_event(event))

    def _store_event(self, event: dg.EventLogEntry) -> None:
        insert = self.prepare_insert_event(event)
        with self.index_connection() as connection:
            stored = connection.execute(insert.returning(insert.table.c.id))
            event_id = int(stored.scalar_one())
        if event.dagster_event is None:
            return
        if event.dagster_event_type in ASSET_EVENTS and event.dagster_event.asset_key:
            with self.index_transaction() as connection:
                self._store_asset_event_tags(connection, [event], [event_id])
                self._store_asset_event(connection, event, event_id)
        if event.dagster_event_type in ASSET_CHECK_EVENTS:
            self.store_asset_check_event(event, event_id)

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

    def store_asset_check_event(self, event: dg.EventLogEntry, event_id: int | None) -> None:
        """Note that a check is planned, or what it found."""
        if event.dagster_event_type == _CHECK_PLANNED:
            one = event.get_dagster_event()
            planned = replace(one.event_specific_data, partitions_subset=None)
            event = event._replace(dagster_event=one._replace(event_specific_data=planned))
        super().store_asset_check_event(event, event_id)

    def dispose(self) -> None:
        """Close the connection that was kept."""
        super().dispose()
        self._engine.dispose()
