"""Dagster's runs in Postgres, as `dagster.yaml` names them: with the patience of a run.

A process keeps its connection, as for the event log (`aurastream_assets.event_log`); but what it
writes of a run is on the disk when it goes on.
"""

from contextlib import AbstractContextManager
from typing import Any, ClassVar, Self

from dagster_postgres import PostgresRunStorage
from dagster_postgres.utils import pg_url_from_config
from sqlalchemy.engine import Connection

from aurastream_assets import patience
from aurastream_assets.kept import kept_engine

__all__ = ["RunStorage"]


class RunStorage(PostgresRunStorage):
    """Stores runs on a connection that is kept; a run waits for a server that is away.

    Attributes
    ----------
    keeps_connections : bool
        Set to False, before it opens its instance, by a process whose connections are fenced.
    """

    keeps_connections: ClassVar[bool] = True

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 # Dagster's
        super().__init__(*arguments, **options)
        if self.keeps_connections:
            self._engine = kept_engine(self.postgres_url)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> Self:  # noqa: ANN401 # Dagster's
        """Make the storage that the instance's settings describe."""
        return cls(
            pg_url_from_config(config_value),
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            inst_data=inst_data,
        )

    def connect(self) -> AbstractContextManager[Connection]:
        """Give a connection for the length of a block."""
        return patience.connected(self._engine)

    def dispose(self) -> None:
        """Close the connection that was kept."""
        super().dispose()
        self._engine.dispose()
