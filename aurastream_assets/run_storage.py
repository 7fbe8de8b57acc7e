"""Dagster's runs in Postgres, as `dagster.yaml` names them: with the patience of a run."""

from contextlib import AbstractContextManager
from typing import Any, Self

from dagster_postgres import PostgresRunStorage
from dagster_postgres.utils import pg_url_from_config
from sqlalchemy.engine import Connection

from aurastream_assets import patience

__all__ = ["RunStorage"]


class RunStorage(PostgresRunStorage):
    """Stores runs; one that is under way waits for a server that is away."""

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
