"""The tables of the record as an entity-relationship picture, in Mermaid.

The record has no foreign keys: partitions come and go, and a crawl must not wait for a dimension.
What belongs together is said by the names of columns, which is what the picture is drawn from.
"""

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa

__all__ = ["mermaid"]

# A column of this name points at the table that has it as its key.
_POINTS_AT: Final = {
    "fetch_id": "operations.fetch_log",
    "metadata_hash": "collection.youtube_videos",
    "video_id": "collection.youtube_videos",
    "channel_id": "collection.youtube_channels",
    "category": "operations.categories",
    "game": "operations.categories",
    "chart": "operations.categories",
    "game_id": "operations.categories",
    "subject_hash": "maintenance.forgotten",
    "backfill_id": "maintenance.backfills",
}
# Twitch's videos are other things than YouTube's.
_NOT: Final = {("collection.clip_radar", "video_id")}


def mermaid(metadata: sa.MetaData, schema: str) -> str:
    """Return the picture of one schema's tables and of what they point at.

    Each table shows its key and the columns that point elsewhere; the rest is in the data
    dictionary.

    Parameters
    ----------
    metadata : MetaData
        The declared tables.
    schema : str
        For example ``collection``.
    """
    tables = [t for t in metadata.sorted_tables if t.schema == schema]
    lines = ["erDiagram"]
    for table in tables:
        shown = [c for c in table.columns if c.primary_key or _target(table, c) is not None]
        lines.append(f"    {_name(table.fullname)} {{")
        lines += [f"        {_type(column)} {column.name}{_marks(column)}" for column in shown]
        lines.append("    }")
    lines += [
        f"    {_name(target)} ||--o{{ {_name(source)} : {column}"
        for target, source, column in _edges(tables, metadata)
    ]
    return "\n".join(lines)


def _edges(tables: list[sa.Table], metadata: sa.MetaData) -> Iterator[tuple[str, str, str]]:
    for table in tables:
        seen: set[str] = set()
        for column in table.columns:
            target = _target(table, column)
            if target is not None and target in metadata.tables and target not in seen:
                seen.add(target)
                yield target, table.fullname, column.name


def _target(table: sa.Table, column: sa.Column[Any]) -> str | None:
    target = _POINTS_AT.get(column.name)
    if target == table.fullname or (table.fullname, column.name) in _NOT:
        return None
    return target


def _marks(column: sa.Column[Any]) -> str:
    marks = [
        *(["PK"] if column.primary_key else []),
        *(["FK"] if _target(column.table, column) else []),
    ]
    return f" {', '.join(marks)}" if marks else ""


def _type(column: sa.Column[Any]) -> str:
    return type(column.type).__name__.lower()


def _name(full: str) -> str:
    return full.replace(".", "_")
