"""Finding and removing everything about one channel or user, store by store.

Each function counts what it finds, and removes it unless it is asked to look only. What names the
subject in its key goes; what only mentions it is blanked, so that the rest of the row stays true.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from aurastream.store.archive import Archive
from aurastream.store.purge import Relation
from aurastream.store.purge_denied import PLATFORM_OF
from aurastream.store.purge_documents import redis_client

__all__ = [
    "BLANK",
    "Subject",
    "in_archive",
    "in_dagster",
    "in_documents",
    "in_files",
    "in_tables",
    "names_of",
    "videos_of",
]

BLANK: Final = "[forgotten]"
_SHORTEST_NAME: Final = 8
_LARGEST_FILE: Final = 100_000_000
_TEXTS: Final = frozenset({"text", "jsonb", "json", "text[]", "character varying"})
# What other creators wrote is theirs, also where it mentions somebody.
_OF_OTHERS: Final = frozenset({"collection"})
_PICTURE: Final = re.compile(r"data:image/[a-z+]+;base64,([A-Za-z0-9+/=]+)")
_FIRST: Final = frozenset({"collection.youtube_videos"})  # it says whose a video is: it goes last


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is to be forgotten, and by what they are recognised.

    Parameters
    ----------
    platform : str
        youtube or twitch.
    identifier : str
        Channel or user id.
    videos : frozenset of str
        Ids of their videos.
    names : frozenset of str
        Titles and names, long enough to mean nothing else.
    """

    platform: str
    identifier: str
    videos: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    @property
    def ids(self) -> frozenset[str]:
        """Return all ids."""
        return self.videos | {self.identifier}

    @property
    def unmistakable(self) -> frozenset[str]:
        """Return what can be searched for in free text: a user number would be any number."""
        ids = self.ids if self.platform == "youtube" else frozenset()
        return ids | {name for name in self.names if len(name) >= _SHORTEST_NAME}


def videos_of(connection: psycopg.Connection, channel: str, found: Sequence[Relation]) -> set[str]:
    """Return the ids of a channel's videos, from every table that says whose a video is."""
    videos: set[str] = set()
    for relation in found:
        if {"video_id", "channel_id"} <= set(relation.columns):
            rows = connection.execute(
                sql.SQL("SELECT DISTINCT video_id FROM {} WHERE channel_id = {}").format(
                    _table(relation.name), sql.Literal(channel)
                )
            ).fetchall()
            videos |= {str(video) for (video,) in rows}
    return videos


def names_of(connection: psycopg.Connection, platform: str, identifier: str) -> set[str]:
    """Return the titles and names that the record knows a channel or user by."""
    query = (
        "SELECT title FROM collection.youtube_videos WHERE channel_id = %(id)s "
        "UNION SELECT channel_title FROM collection.youtube_videos WHERE channel_id = %(id)s "
        "UNION SELECT title FROM collection.youtube_channels WHERE channel_id = %(id)s"
        if platform == "youtube"
        else "SELECT user_name FROM collection.twitch_streams WHERE user_id = %(id)s "
        "UNION SELECT user_login FROM collection.twitch_streams WHERE user_id = %(id)s "
        "UNION SELECT title FROM collection.twitch_streams WHERE user_id = %(id)s "
        "UNION SELECT broadcaster_name FROM collection.clip_radar WHERE broadcaster_id = %(id)s"
    )
    rows = connection.execute(sql.SQL(query), {"id": identifier}).fetchall()
    return {str(name) for (name,) in rows if name}


# -- tables ------------------------------------------------------------------------------------


def in_tables(
    connection: psycopg.Connection,
    subject: Subject,
    found: Iterable[Relation],
    *,
    remove: bool,
) -> dict[str, int]:
    """Count, and remove, the rows and mentions of a subject, by table."""
    counts: dict[str, int] = {}
    ordered = sorted(found, key=lambda relation: (relation.name in _FIRST, relation.name))
    for relation in ordered:
        if relation.name.startswith("maintenance.forgotten"):
            continue
        touched = _rows(connection, subject, relation, remove=remove)
        touched += _mentions(connection, subject, relation, remove=remove)
        if touched:
            counts[relation.name] = touched
    return counts


def _rows(
    connection: psycopg.Connection, subject: Subject, relation: Relation, *, remove: bool
) -> int:
    conditions = [
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(subject.identifier))
        for name, platform in PLATFORM_OF.items()
        if platform == subject.platform and name in relation.columns
    ]
    if "video_id" in relation.columns and subject.videos:
        conditions.append(sql.SQL("video_id = ANY({})").format(sql.Literal(sorted(subject.videos))))
    if not conditions:
        return 0
    where = sql.SQL(" OR ").join(conditions)
    return _count_or(
        connection,
        relation,
        where,
        sql.SQL("DELETE FROM {} WHERE {}").format(_table(relation.name), where) if remove else None,
    )


def _mentions(
    connection: psycopg.Connection, subject: Subject, relation: Relation, *, remove: bool
) -> int:
    needles = subject.unmistakable
    schema = relation.name.partition(".")[0]
    texts = [name for name, kind in relation.columns.items() if kind in _TEXTS]
    if not needles or not texts or schema in _OF_OTHERS:
        return 0
    pattern = sql.Literal("|".join(_escaped(needle) for needle in sorted(needles)))
    whole = [name for name in texts if name in relation.key or schema == "operations"]
    blanked = [name for name in texts if name not in whole]
    total = 0
    if relation.name == "operations.fetch_log":
        whole, blanked = [], ["params"]  # a call asks for fifty videos at once
    if whole:
        where = _matching(whole, pattern)
        delete = sql.SQL("DELETE FROM {} WHERE {}").format(_table(relation.name), where)
        total += _count_or(connection, relation, where, delete if remove else None)
    for name in blanked:
        where = _matching([name], pattern)
        kind = relation.columns[name]
        blank = sql.SQL("regexp_replace({}::text, {}, {}, 'g')::{}").format(
            sql.Identifier(name), pattern, sql.Literal(BLANK), sql.SQL(kind)
        )
        update = sql.SQL("UPDATE {} SET {} = {} WHERE {}").format(
            _table(relation.name), sql.Identifier(name), blank, where
        )
        total += _count_or(connection, relation, where, update if remove else None)
    return total


def _matching(names: Sequence[str], pattern: sql.Literal) -> sql.Composed:
    return sql.SQL(" OR ").join(
        sql.SQL("{}::text ~ {}").format(sql.Identifier(name), pattern) for name in names
    )


def _count_or(
    connection: psycopg.Connection,
    relation: Relation,
    where: sql.Composable,
    change: sql.Composed | None,
) -> int:
    if change is not None:
        return connection.execute(change).rowcount
    query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(_table(relation.name), where)
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


# -- hot documents -----------------------------------------------------------------------------


def in_documents(url: str, subject: Subject, *, remove: bool) -> dict[str, int]:
    """Count, and remove, what documents in Redis say of a subject, by key; they keep their end."""
    counts: dict[str, int] = {}
    with redis_client(url) as client:
        for key in client.scan_iter(count=1000, _type="STRING"):
            body = client.get(key)
            if not isinstance(body, bytes):
                continue
            try:
                document = orjson.loads(body)
            except orjson.JSONDecodeError:
                continue
            changed, found = _cleaned(document, subject)
            if not found:
                continue
            counts[key.decode()] = found
            if remove:
                client.set(key, orjson.dumps(changed), keepttl=True)
    return counts


def _cleaned(value: Any, subject: Subject) -> tuple[Any, int]:  # noqa: ANN401 # JSON
    """Return JSON without the objects that are about a subject, and how many places changed."""
    if isinstance(value, list):
        kept = [item for item in value if not _is_about(item, subject)]
        parts = [_cleaned(item, subject) for item in kept]
        return [p for p, _ in parts], len(value) - len(kept) + sum(n for _, n in parts)
    if isinstance(value, dict):
        pairs = {name: _cleaned(item, subject) for name, item in value.items()}
        return {k: v for k, (v, _) in pairs.items()}, sum(n for _, n in pairs.values())
    if isinstance(value, str):
        return _blanked(value, subject)
    return value, 0


def _is_about(item: object, subject: Subject) -> bool:
    if not isinstance(item, dict):
        return isinstance(item, str) and item in subject.ids and subject.platform == "youtube"
    return any(
        item.get(name) == subject.identifier
        for name, platform in PLATFORM_OF.items()
        if platform == subject.platform
    ) or (item.get("video_id") in subject.videos)


def _blanked(text: str, subject: Subject) -> tuple[str, int]:
    """Blank the mentions in a text; one with a picture goes whole, for a picture cannot be cut."""
    needles = subject.unmistakable
    if not needles:
        return text, 0
    pictures = [_decoded(found) for found in _PICTURE.findall(text)]
    plain = text.replace("\\", "")
    mentioned = [n for n in needles if n in text or n in plain]
    if pictures and (mentioned or any(n in p for n in needles for p in pictures)):
        return BLANK, 1
    if not mentioned:
        return text, 0
    changed = re.sub(
        "|".join(map(re.escape, sorted(mentioned, key=len, reverse=True))), BLANK, text
    )
    return (changed if changed != text else BLANK), 1


def _decoded(encoded: str) -> str:
    try:
        return base64.b64decode(encoded).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


# -- archive -----------------------------------------------------------------------------------


def in_archive(archive: Archive, subject: Subject, *, remove: bool) -> dict[str, int]:
    """Count, and remove, a subject's rows from every archived file, by table."""
    counts: dict[str, int] = {}
    for dataset in archive.datasets():
        for path in archive.files(dataset):
            rows = archive.read(path)
            is_of_others = dataset.partition(".")[0] in _OF_OTHERS
            kept, gone = _filtered(rows, subject, is_of_others=is_of_others)
            if not gone:
                continue
            counts[dataset] = counts.get(dataset, 0) + gone
            if not remove:
                continue
            if kept.num_rows:
                notes = json.loads((rows.schema.metadata or {}).get(b"aurastream", b"{}"))
                archive.write(path, kept, notes)
            else:
                archive.remove(path)
    return counts


def _filtered(rows: pa.Table, subject: Subject, *, is_of_others: bool) -> tuple[pa.Table, int]:
    kept = rows
    for name, platform in PLATFORM_OF.items():
        if platform == subject.platform and name in kept.column_names:
            is_theirs = pc.equal(kept.column(name), subject.identifier)
            kept = kept.filter(pc.invert(pc.fill_null(is_theirs, False)))  # noqa: FBT003 # Arrow's
    if "video_id" in kept.column_names and subject.videos:
        theirs = pc.is_in(kept.column("video_id"), value_set=pa.array(sorted(subject.videos)))
        kept = kept.filter(pc.invert(theirs))
    if is_of_others:
        return kept, rows.num_rows - kept.num_rows
    kept, blanked = _without_mentions(kept, subject)
    return kept, rows.num_rows - kept.num_rows + blanked


def _without_mentions(rows: pa.Table, subject: Subject) -> tuple[pa.Table, int]:
    """Blank the mentions in texts and lists of texts; returns how many rows changed per column."""
    if not subject.unmistakable:
        return rows, 0
    pattern = "|".join(re.escape(found) for found in sorted(subject.unmistakable))
    blanked = 0
    for place, column in enumerate(rows.schema):
        values = rows.column(place).combine_chunks()
        if isinstance(values, pa.ChunkedArray):
            continue  # an empty table has nothing to blank
        is_list = pa.types.is_list(column.type) and pa.types.is_string(column.type.value_type)
        texts = pc.list_flatten(values) if is_list else values
        if not pa.types.is_string(texts.type):
            continue
        found = int(pc.sum(pc.match_substring_regex(texts, pattern)).as_py() or 0)
        if not found:
            continue
        changed = pc.replace_substring_regex(texts, pattern, BLANK)
        if is_list:
            lengths = pc.fill_null(pc.list_value_length(values), 0)
            offsets = pa.array([0, *pc.cumulative_sum(lengths).to_pylist()], pa.int32())
            changed = pa.ListArray.from_arrays(offsets, changed, mask=pc.is_null(values))
        rows = rows.set_column(place, column, changed)
        blanked += found
    return rows, blanked


# -- Dagster's metadata and files ----------------------------------------------------------------


def in_dagster(connection: psycopg.Connection, subject: Subject, *, remove: bool) -> dict[str, int]:
    """Count, and blank, what Dagster's rows say of a subject, by table and column.

    Run metadata carries titles and pictures of them. Every JSON text of the schema ``dagster`` is
    looked through that names one of the subject's ids or names, or carries a picture.
    """
    needles = subject.unmistakable
    if not needles:
        return {}
    columns = connection.execute(
        "SELECT c.table_name::text, c.column_name::text, array_agg(k.column_name::text) "
        "FROM information_schema.columns c "
        "JOIN information_schema.table_constraints t ON t.table_schema = c.table_schema "
        " AND t.table_name = c.table_name AND t.constraint_type = 'PRIMARY KEY' "
        "JOIN information_schema.key_column_usage k ON k.constraint_name = t.constraint_name "
        " AND k.table_schema = t.table_schema AND k.table_name = t.table_name "
        "WHERE c.table_schema = 'dagster' AND c.data_type = 'text' GROUP BY 1, 2 ORDER BY 1, 2"
    ).fetchall()
    escaped = {json.dumps(needle)[1:-1] for needle in needles} | set(needles)
    pattern = "|".join([*map(_escaped, sorted(escaped)), "data:image/"])
    counts: dict[str, int] = {}
    for table, column, key in columns:
        changed = _in_column(
            connection, (table, column, list(key)), pattern, subject, remove=remove
        )
        if changed:
            counts[f"dagster.{table}.{column}"] = changed
    return counts


def _in_column(
    connection: psycopg.Connection,
    where: tuple[str, str, list[str]],
    pattern: str,
    subject: Subject,
    *,
    remove: bool,
) -> int:
    table, column, key = where
    changed = 0
    names = sql.SQL(", ").join(map(sql.Identifier, key))
    update = sql.SQL("UPDATE {} SET {} = %s WHERE {}").format(
        sql.Identifier("dagster", table),
        sql.Identifier(column),
        sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in key),
    )
    with connection.transaction(), connection.cursor(name="forget") as cursor:
        cursor.itersize = 200
        cursor.execute(
            sql.SQL("SELECT {}, {} FROM {} WHERE {} ~ {}").format(
                sql.Identifier(column),
                names,
                sql.Identifier("dagster", table),
                sql.Identifier(column),
                sql.Literal(pattern),
            )
        )
        for text, *keys in cursor:
            cleaned, found = _cleaned_text(str(text), subject)
            if found:
                changed += 1
                if remove:
                    connection.execute(update, [cleaned, *keys])
    return changed


def _cleaned_text(text: str, subject: Subject) -> tuple[str, int]:
    try:
        value = json.loads(text)
    except ValueError:
        return _blanked(text, subject)
    cleaned, found = _blank_leaves(value, subject)
    return (json.dumps(cleaned), found) if found else (text, 0)


def _blank_leaves(value: Any, subject: Subject) -> tuple[Any, int]:  # noqa: ANN401 # JSON
    """Blank texts only: Dagster could not read an event that lost one of its parts."""
    if isinstance(value, list):
        parts = [_blank_leaves(item, subject) for item in value]
        return [p for p, _ in parts], sum(n for _, n in parts)
    if isinstance(value, dict):
        pairs = {name: _blank_leaves(item, subject) for name, item in value.items()}
        return {k: v for k, (v, _) in pairs.items()}, sum(n for _, n in pairs.values())
    return _blanked(value, subject) if isinstance(value, str) else (value, 0)


def in_files(folders: Iterable[Path], subject: Subject, *, remove: bool) -> dict[str, int]:
    """Count, and blank, the mentions of a subject in log files, by file name."""
    needles = [needle.encode() for needle in sorted(subject.unmistakable)]
    counts: dict[str, int] = {}
    blank: Callable[[re.Match[bytes]], bytes] = lambda _: BLANK.encode()  # noqa: E731 # a constant
    if not needles:
        return counts
    pattern = re.compile(b"|".join(map(re.escape, needles)))
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if not path.is_file() or path.stat().st_size > _LARGEST_FILE:
                continue
            body = path.read_bytes()
            changed, found = pattern.subn(blank, body)
            if found:
                counts[path.name] = counts.get(path.name, 0) + found
                if remove:
                    # In place: a process that writes this log keeps its handle on the file.
                    with path.open("r+b") as file:
                        file.write(changed)
                        file.truncate()
    return counts


def _escaped(needle: str) -> str:
    return re.sub(r"([^\w\s])", r"\\\1", needle)


def _table(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))
