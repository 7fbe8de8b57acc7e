"""Every table of the record, column by column: type, meaning and policy class.

The asset ``["collection", "youtube_trending"]`` is the table ``collection.youtube_trending``.
This package is the one place where columns are described: migrations create the tables and their
SQL comments from it, the graph takes its column schemas from it, and the frame I/O casts to it.
Tables that dbt builds are described in ``dbt_project/models``.
"""

import sqlalchemy as sa

from aurastream.store.tables import (
    anomalies,
    audiences,
    clips,
    collection,
    compliance,
    ideas,
    models,
    operations,
    signals,
    texts,
    thumbnails,
)
from aurastream.store.tables.declare import PolicyClass, metadata

__all__ = [
    "PARTITIONED",
    "SCHEMAS",
    "PolicyClass",
    "anomalies",
    "audiences",
    "clips",
    "collection",
    "compliance",
    "ideas",
    "metadata",
    "models",
    "operations",
    "signals",
    "table_for",
    "texts",
    "thumbnails",
]

SCHEMAS = (
    "collection",
    "intelligence",
    "aggregation",
    "reporting",
    "generation",
    "maintenance",
    "operations",
    "app",
    "marts",
)

PARTITIONED = tuple(t for t in metadata.sorted_tables if "partition_by" in t.info)


def table_for(key: tuple[str, ...] | list[str]) -> sa.Table:
    """Return the table of an asset key such as ``("collection", "youtube_trending")``.

    Raises
    ------
    KeyError
        When no such table is declared here.
    """
    schema, name = key
    return metadata.tables[f"{schema}.{name}"]
