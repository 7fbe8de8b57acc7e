"""A subject in the tables of the record: who they are, and taking their rows away.

Rows that a declared column gives to them go whole. Where a row is about many, their id is blanked
in the columns that name some of the many. Only texts of operations, which nobody declared to be
about anybody, are read word by word, and those of a row that is somebody else's not at all.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from aurastream.store.document_schemas import KINDS
from aurastream.store.narrow import rows_of_subjects
from aurastream.store.purge import Relation
from aurastream.store.purge_subject import BLANK, MENTIONS, NAMES, OWNERS, Kind, Search, Subject
from aurastream.store.tables import metadata
from aurastream.store.tables.narrow import NARROW

__all__ = ["ambiguous_names", "in_tables", "known_ids", "known_names", "vocabulary"]

# What says who somebody is goes last: a call that was cut off finds them again.
LAST: Final = (
    "collection.youtube_channels",
    "collection.clip_radar",
    "collection.twitch_streams",
    "collection.youtube_videos",
)
# Texts of ours that may quote somebody: a call's parameters, a rejected body, a reason.
TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "operations.fetch_log": ("params",),
    "operations.crawls": ("reason",),
    "operations.heads": ("detail",),
    "maintenance.backfills": ("detail",),
    "maintenance.score_history": ("values",),
}
_QUARANTINE: Final = "operations.quarantine"
_HISTORY: Final = "maintenance.score_history"
_PROOF: Final = "maintenance.forgotten"
# A clip's source is a video of Twitch, and a clip's title is not the broadcaster's name.
_NOT_OWNERS: Final = {"collection.clip_radar": frozenset({"video_id"})}
_NAMED_BY: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "collection.youtube_videos": {"channel_id": ("title", "channel_title")},
    "collection.youtube_channels": {"channel_id": ("title",)},
    "collection.twitch_streams": {"user_id": ("title", "user_name", "user_login")},
    "collection.clip_radar": {
        "broadcaster_id": ("title", "broadcaster_name"),
        "creator_id": ("title",),
    },
}


def owners_in(table: str, columns: Iterable[str]) -> dict[str, Kind]:
    """Return the columns of a table that say whose a row is."""
    left_out = _NOT_OWNERS.get(table, frozenset())
    return {name: OWNERS[name] for name in columns if name in OWNERS and name not in left_out}


def named_in(table: str, columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the columns with titles and names, by the column that says whose they are."""
    there = set(columns)
    return {
        owner: tuple(name for name in names if name in there)
        for owner, names in _NAMED_BY.get(table, {}).items()
        if owner in there
    }


def known_ids(
    connection: psycopg.Connection, platform: str, identifier: str, found: Sequence[Relation]
) -> set[str]:
    """Return the ids of a channel's videos, or of a user's clips, that any table knows."""
    item = "video_id" if platform == "youtube" else "clip_id"
    ids: set[str] = set()
    for relation in found:
        owners = owners_in(relation.name, relation.columns)
        by = [name for name in owners if owners[name] in ("channel", "user")]
        if item not in owners or not by:
            continue
        where = sql.SQL(" OR ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(identifier)) for name in by
        )
        query = sql.SQL("SELECT DISTINCT {} FROM {} WHERE {}").format(
            sql.Identifier(item), _table(relation.name), where
        )
        ids |= {str(value) for (value,) in connection.execute(query) if value}
    return ids


def known_names(
    connection: psycopg.Connection, platform: str, identifier: str, found: Sequence[Relation]
) -> dict[str, set[str]]:
    """Return the titles and names that the record knows somebody by, by column name."""
    names: dict[str, set[str]] = {}
    for relation in found:
        for owner, columns in named_in(relation.name, relation.columns).items():
            if (OWNERS[owner] == "channel") != (platform == "youtube"):
                continue
            for column in columns:
                query = sql.SQL("SELECT DISTINCT {} FROM {} WHERE {} = {}").format(
                    sql.Identifier(column),
                    _table(relation.name),
                    sql.Identifier(owner),
                    sql.Literal(identifier),
                )
                values = {str(value) for (value,) in connection.execute(query) if value}
                names.setdefault(column, set()).update(values)
    return names


def ambiguous_names(
    connection: psycopg.Connection, names: Iterable[str], identifier: str, found: Sequence[Relation]
) -> set[str]:
    """Return those of the names that somebody else has as well."""
    shared: set[str] = set()
    wanted = sorted(names)
    for relation in found:
        by_owner = named_in(relation.name, relation.columns)
        if not by_owner or not wanted:
            continue
        others = sql.SQL(" AND ").join(
            sql.SQL("{} <> {}").format(sql.Identifier(owner), sql.Literal(identifier))
            for owner in by_owner
        )
        for column in {column for columns in by_owner.values() for column in columns}:
            query = sql.SQL("SELECT DISTINCT {0} FROM {1} WHERE {0} = ANY({2}) AND {3}").format(
                sql.Identifier(column), _table(relation.name), sql.Literal(wanted), others
            )
            shared |= {str(value) for (value,) in connection.execute(query)}
    return shared


def vocabulary(connection: psycopg.Connection, found: Iterable[Relation]) -> frozenset[str]:
    """Return the words of ours, folded: games, categories, datasets, tables, columns, their prose.

    A channel or a video may be called like any of them; nothing may be searched by them.
    """
    words: set[str] = set()
    for relation in found:
        words |= {relation.name, relation.name.replace(".", "/"), *relation.name.split(".")}
        words |= set(relation.columns)
    for table in metadata.sorted_tables:
        for text in (table.comment, *(column.comment for column in table.columns)):
            words |= {word.strip(".,;:()'\"") for word in (text or "").split()}
    for kind in KINDS.values():
        words |= {f"{kind.prefix}{kind.suffix}", *kind.prefix.split(":"), *kind.suffix.split(":")}
    for query in (
        "SELECT unnest(ARRAY[category, title]) FROM operations.categories",
        "SELECT unnest(ARRAY[twitch_game_id, twitch_game_name]) FROM operations.categories",
        "SELECT DISTINCT unnest(ARRAY[game_id, game_name]) FROM collection.twitch_top_games",
        "SELECT DISTINCT dataset FROM operations.crawls",
        "SELECT DISTINCT category FROM operations.crawls",
    ):
        words |= {str(word) for (word,) in connection.execute(query) if word}
    for place, query in (
        ("dagster.runs", "SELECT DISTINCT pipeline_name FROM dagster.runs"),
        ("dagster.asset_keys", "SELECT DISTINCT asset_key FROM dagster.asset_keys"),
    ):
        row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (place,)).fetchone()
        for (text,) in connection.execute(query) if row and row[0] else ():
            words |= {str(text), *re.findall(r'"([^"]+)"', str(text))}
    return frozenset(word.casefold() for word in words)


def in_tables(
    connection: psycopg.Connection,
    subject: Subject,
    found: Iterable[Relation],
    search: Search,
    *,
    remove: bool,
) -> None:
    """Count, and remove, the rows and mentions of a subject, by table."""
    order = {name: place for place, name in enumerate(LAST)}
    for relation in sorted(found, key=lambda each: (order.get(each.name, -1), each.name)):
        if relation.name.startswith(_PROOF):
            continue
        search.add(relation.name, _rows(connection, subject, relation, remove=remove))
        search.add(relation.name, _lists(connection, subject, relation, remove=remove))
        if relation.name == _QUARANTINE:
            search.add(relation.name, _rejected(connection, subject, remove=remove))
        for column in TEXTS.get(relation.name, ()):
            search.add(relation.name, _texts(connection, subject, relation, column, remove=remove))


def _rows(
    connection: psycopg.Connection, subject: Subject, relation: Relation, *, remove: bool
) -> int:
    conditions = [
        sql.SQL("{} = ANY({})").format(sql.Identifier(name), sql.Literal(sorted(subject.ids[kind])))
        for name, kind in owners_in(relation.name, relation.columns).items()
        if subject.ids[kind]
    ]
    if relation.name == _HISTORY:
        conditions = [
            sql.SQL("row_key::jsonb ->> {} = ANY({})").format(
                sql.Literal(name), sql.Literal(sorted(subject.ids[kind]))
            )
            for name, kind in OWNERS.items()
            if subject.ids[kind]
        ]
    if not conditions:
        return 0
    where = sql.SQL(" OR ").join(conditions)
    for table in NARROW:
        if table.fullname == relation.name:
            return rows_of_subjects(connection, table, where, remove=remove)
    if remove:
        delete = sql.SQL("DELETE FROM {} WHERE {}").format(_table(relation.name), where)
        return connection.execute(delete).rowcount
    query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(_table(relation.name), where)
    row = connection.execute(query).fetchone()
    return int(row[0]) if row else 0


def _lists(
    connection: psycopg.Connection, subject: Subject, relation: Relation, *, remove: bool
) -> int:
    """Blank ids in the columns that name some of many; a value is an id or it is not."""
    ids = sorted(subject.ids["video"])
    total = 0
    for name in [name for name in relation.columns if name in MENTIONS and ids]:
        column = sql.Identifier(name)
        if relation.columns[name].endswith("[]"):
            where = sql.SQL("{} && {}::text[]").format(column, sql.Literal(ids))
            value = sql.SQL(
                "(SELECT array_agg(CASE WHEN x = ANY({}) THEN {} ELSE x END ORDER BY place) "
                "FROM unnest({}) WITH ORDINALITY AS u (x, place))"
            ).format(sql.Literal(ids), sql.Literal(BLANK), column)
        else:
            where = sql.SQL("{} = ANY({})").format(column, sql.Literal(ids))
            value = sql.SQL("{}").format(sql.Literal(BLANK))
        if remove:
            update = sql.SQL("UPDATE {} SET {} = {} WHERE {}").format(
                _table(relation.name), column, value, where
            )
            total += connection.execute(update).rowcount
        else:
            query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(_table(relation.name), where)
            row = connection.execute(query).fetchone()
            total += int(row[0]) if row else 0
    return total


def _rejected(connection: psycopg.Connection, subject: Subject, *, remove: bool) -> int:
    """Look through what was rejected: theirs goes, what is nobody's is blanked."""
    query = (
        "SELECT tableoid, ctid::text, item_id, reason, raw FROM operations.quarantine "
        "WHERE item_id = ANY(%s) OR raw ~ %s OR reason ~ %s"
    )
    given = (sorted(subject.all_ids), subject.pattern, subject.pattern)
    total = 0
    for part, place, item, reason, raw in _rows_of(connection, query, given):
        if not (item in subject.all_ids or subject.may_be_in(raw) or subject.may_be_in(reason)):
            continue
        is_theirs = subject.owns_text(raw)
        if is_theirs is None and item in subject.all_ids:
            is_theirs = True
        at = {"part": part, "place": place}
        if is_theirs:
            total += 1
            if remove:
                connection.execute(
                    "DELETE FROM operations.quarantine "
                    "WHERE tableoid = %(part)s AND ctid = %(place)s::tid",
                    at,
                )
            continue
        if is_theirs is False:
            continue  # what somebody else wrote
        (new_reason, in_reason), (new_raw, in_raw) = subject.blanked(reason), subject.blanked(raw)
        total += int(bool(in_reason or in_raw))
        if remove and (in_reason or in_raw):
            connection.execute(
                "UPDATE operations.quarantine SET reason = %(reason)s, raw = %(raw)s "
                "WHERE tableoid = %(part)s AND ctid = %(place)s::tid",
                {**at, "reason": new_reason, "raw": new_raw},
            )
    return total


def _texts(
    connection: psycopg.Connection,
    subject: Subject,
    relation: Relation,
    column: str,
    *,
    remove: bool,
) -> int:
    name = sql.Identifier(column)
    select = sql.SQL("SELECT tableoid, ctid::text, {0}::text FROM {1} WHERE {0}::text ~ %s").format(
        name, _table(relation.name)
    )
    update = sql.SQL("UPDATE {} SET {} = %s::{} WHERE tableoid = %s AND ctid = %s::tid").format(
        _table(relation.name), name, sql.SQL(relation.columns[column])
    )
    total = 0
    for part, place, text in _rows_of(connection, select, (subject.pattern,)):
        if not subject.may_be_in(text):
            continue
        cleaned, found = text_without(text, subject)
        if found:
            total += 1
            if remove:
                connection.execute(update, (cleaned, part, place))
    return total


def _rows_of(
    connection: psycopg.Connection, query: LiteralString | sql.Composed, given: Sequence[Any]
) -> Iterator[tuple[Any, ...]]:
    """Yield rows a few at a time; those that are changed meanwhile come as they were."""
    with connection.transaction(), connection.cursor(name="forget_texts") as cursor:
        cursor.itersize = 500
        yield from cursor.execute(query, given)


def text_without(text: str, subject: Subject) -> tuple[str, int]:
    """Return a text of ours, JSON or prose, without a subject, and how many places changed."""
    try:
        value = json.loads(text)
    except ValueError:
        return subject.blanked(text)
    if not isinstance(value, dict | list):
        return subject.blanked(text)
    cleaned, found = leaves_without(value, subject, lambda name: name in NAMES)
    return (json.dumps(cleaned), found) if found else (text, 0)


def leaves_without(
    value: Any,  # noqa: ANN401 # JSON
    subject: Subject,
    is_free: Callable[[str], bool],
    name: str = "",
    *,
    is_inside: bool = False,
) -> tuple[Any, int]:
    """Blank ids in the texts of a JSON value, and names in those that are free texts.

    Parameters
    ----------
    value : JSON
        Keys stay, whatever they say.
    subject : Subject
        Who.
    is_free : callable
        Whether the texts below a key are free.
    name : str
        The key that leads here.
    is_inside : bool
        Below a free key.
    """
    if isinstance(value, dict):
        is_theirs = subject.owns(value) if is_inside else None
        if is_theirs:
            return emptied(value)
        parts = {
            # Somebody else's object keeps what it says; what lies within may be theirs.
            key: (item, 0)
            if is_theirs is False and not isinstance(item, dict | list)
            else leaves_without(item, subject, is_free, key, is_inside=is_inside or is_free(key))
            for key, item in value.items()
        }
        return {key: part for key, (part, _) in parts.items()}, sum(n for _, n in parts.values())
    if isinstance(value, list):
        items = [leaves_without(i, subject, is_free, name, is_inside=is_inside) for i in value]
        return [item for item, _ in items], sum(count for _, count in items)
    return _leaf(value, subject, name, is_free=is_inside) if isinstance(value, str) else (value, 0)


def _leaf(text: str, subject: Subject, name: str, *, is_free: bool) -> tuple[str, int]:
    kind = OWNERS.get(name)
    if kind is not None or name.endswith("_id"):
        # A number is a user only where a user stands; a call names many at once.
        ids = subject.ids[kind] if kind else subject.all_ids - {subject.identifier}
        given = text.split(",")
        return ",".join(BLANK if each in ids else each for each in given), sum(
            each in ids for each in given
        )
    if not is_free and subject.platform == "twitch" and text.isdecimal():
        return text, 0
    return subject.blanked(text, with_names=is_free)


def emptied(value: Any) -> tuple[Any, int]:  # noqa: ANN401 # JSON
    """Return an object of theirs with every text blanked, and how many were."""
    if isinstance(value, dict):
        pairs = {key: emptied(item) for key, item in value.items()}
        return {key: part for key, (part, _) in pairs.items()}, sum(n for _, n in pairs.values())
    if isinstance(value, list):
        items = [emptied(item) for item in value]
        return [item for item, _ in items], sum(count for _, count in items)
    return (BLANK, int(value != BLANK)) if isinstance(value, str) else (value, 0)


def _table(name: str) -> sql.Identifier:
    return sql.Identifier(*name.split("."))
