"""Runs migrations on the connection that `aurastream.store.migrate` hands over."""

from typing import Any

from alembic import context

from aurastream.store.tables.narrow import stored_metadata

_STORED = stored_metadata()


def _is_ours(_obj: Any, name: str | None, type_: str, reflected: bool, _to: Any) -> bool:  # noqa: ANN401, FBT001 # Alembic's signature
    """Leave out partitions and what dbt owns when revisions are generated."""
    return not (type_ == "table" and reflected and name not in _OWN)


_OWN = {table.name for table in _STORED.tables.values()}

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=_STORED,
    version_table_schema="operations",
    include_schemas=True,
    include_object=_is_ours,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
