"""A subject in Dagster's own tables: events, runs and ticks carry titles and pictures of them.

Keys, tags and settings of Dagster are never read by name: an asset may be called like a channel.
"""

import json
import zlib
from typing import Final

import psycopg
from psycopg import sql

from aurastream.store.purge_subject import NAMES, Search, Subject
from aurastream.store.purge_subject_tables import leaves_without

__all__ = ["in_dagster"]

# Where Dagster keeps what people wrote: metadata values, messages, errors.
_FREE: Final = (NAMES - {"name"}) | {
    "data",
    "description",
    "error",
    "markdown",
    "md_str",
    "message",
    "records",
    "stack",
    "text",
    "url",
    "user_message",
}
# Columns that hold such values; in all others an id counts, and nothing that may be a setting.
_BODIES: Final = frozenset(
    {
        "asset_details",
        "body",
        "evaluation_event",
        "event",
        "instigator_body",
        "job_body",
        "last_materialization",
        "run_body",
        "tick_body",
    }
)
# Columns that are keys and names of Dagster's.
_KEYS: Final = frozenset(
    {"asset_key", "partition", "step_key", "run_id", "job_name", "pipeline_name", "key", "name"}
)

# An event may be a megabyte.
_ROWS_AT_ONCE: Final = 200


def in_dagster(
    connection: psycopg.Connection, subject: Subject, search: Search, *, remove: bool
) -> None:
    """Count, and blank, what Dagster's rows say of a subject, by table and column."""
    columns = connection.execute(
        "SELECT c.table_name::text, c.column_name::text, c.data_type::text "
        "FROM information_schema.columns c JOIN information_schema.tables t "
        "USING (table_schema, table_name) WHERE c.table_schema = 'dagster' "
        "AND t.table_type = 'BASE TABLE' ORDER BY 1, 2"
    ).fetchall()
    for table, column, kind in columns:
        target = f"dagster.{table}.{column}"
        if kind == "bytea":
            _packed(connection, subject, (table, column), search)
        elif kind in ("text", "character varying", "json", "jsonb") and column not in _KEYS:
            search.add(
                target, _in_column(connection, (table, column, kind), subject, remove=remove)
            )


def _in_column(
    connection: psycopg.Connection, where: tuple[str, str, str], subject: Subject, *, remove: bool
) -> int:
    table, column, kind = where
    named = sql.Identifier(column)
    select = sql.SQL("SELECT ctid::text, {0}::text FROM {1} WHERE {0}::text ~ %s").format(
        named, sql.Identifier("dagster", table)
    )
    # A row that Dagster wrote anew meanwhile is found by the second search.
    update = sql.SQL("UPDATE {} SET {} = %s::{} WHERE ctid = %s::tid AND {}::text = %s").format(
        sql.Identifier("dagster", table), named, sql.SQL(kind), named
    )
    changed = 0
    with connection.transaction(), connection.cursor(name="forget") as cursor:
        cursor.execute(select, (f"{subject.pattern}|data:image/",))
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            may_be = subject.may_be_in_each([text for _, text in rows])
            for (place, text), is_worth_it in zip(rows, may_be, strict=True):
                if not (is_worth_it or "data:image/" in text):
                    continue
                cleaned, found = _cleaned(str(text), subject, with_names=column in _BODIES)
                if found:
                    changed += 1
                    if remove:
                        connection.execute(update, (cleaned, place, text))
    return changed


def _cleaned(text: str, subject: Subject, *, with_names: bool) -> tuple[str, int]:
    try:
        value = json.loads(text)
    except ValueError:
        return subject.blanked(text, with_names=with_names)
    if not isinstance(value, dict | list):
        return subject.blanked(text, with_names=with_names)
    # What is no object of Dagster's has no setting in it.
    is_inside = with_names and '"__class__"' not in text
    cleaned, found = leaves_without(
        value, subject, lambda name: with_names and name in _FREE, is_inside=is_inside
    )
    return (json.dumps(cleaned), found) if found else (text, 0)


def _packed(
    connection: psycopg.Connection, subject: Subject, where: tuple[str, str], search: Search
) -> None:
    """Look into packed definitions, which cannot be changed: Dagster knows them by their hash."""
    table, column = where
    query = sql.SQL("SELECT {} FROM {}").format(
        sql.Identifier(column), sql.Identifier("dagster", table)
    )
    target = f"dagster.{table}.{column}"
    with connection.transaction(), connection.cursor(name="forget_packed") as cursor:
        cursor.itersize = 20
        cursor.execute(query)
        for (body,) in cursor:
            try:
                text = zlib.decompress(bytes(body)).decode()
            except (zlib.error, UnicodeDecodeError, TypeError):
                search.cannot(target, "a row cannot be unpacked")
                continue
            search.add(target, subject.blanked(text, with_names=False)[1])
