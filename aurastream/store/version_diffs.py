"""How scores moved since another code version computed the same windows.

What was kept of that version (see `aurastream.store.archive_history`) is set beside the rows that
are there now, each with the row that is about the same thing. Where a table's key holds a rank,
the row in the same place may be about something else: such a table declares its ``identity``, and
a row that changed places is one row that moved.
"""

import datetime as dt
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from psycopg import sql

from aurastream.store.dead_peers import patient
from aurastream.store.errors import StoreError
from aurastream.store.frames import FrameStore
from aurastream.store.tables import metadata
from aurastream.store.writes import time_column

__all__ = [
    "ColumnDiff",
    "Example",
    "Mover",
    "Switch",
    "VersionDiff",
    "compare_versions",
    "identity_of",
]

_RANK: Final = "rank"


@dataclass(frozen=True, slots=True)
class ColumnDiff:
    """How one column moved.

    Parameters
    ----------
    column : str
        A derived column of either version.
    compared, changed : int
        Rows that both versions have; those whose value differs. A column that one version lacks is
        null in it.
    mean_change, mean_abs_change, max_abs_change : float or None
        Over the rows where both values are numbers; new minus old.
    """

    column: str
    compared: int
    changed: int
    mean_change: float | None
    mean_abs_change: float | None
    max_abs_change: float | None


@dataclass(frozen=True, slots=True)
class Mover:
    """A row that moved far; ``row_key`` is what it is about, as JSON, ``label`` its text if any.

    ``before`` or ``after`` is None where only the other version knows the number.
    """

    window_start: dt.datetime
    row_key: str
    label: str | None
    column: str
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True)
class Example:
    """A row that only one version has."""

    window_start: dt.datetime
    row_key: str
    label: str | None


@dataclass(frozen=True, slots=True)
class Switch:
    """How many rows changed from one text or truth value to another; None is unknown."""

    column: str
    before: str | None
    after: str | None
    rows: int


@dataclass(frozen=True, slots=True)
class VersionDiff:
    """What changed from one code version to the rows that are there now.

    Parameters
    ----------
    matched, appeared, vanished : int
        Rows that both have, that are only there now, that only the older version had.
    columns : list of ColumnDiff
        Over the matched rows.
    movers : list of Mover
        The farthest moves of numbers other than ranks, of each column in turn; the column that
        moved most for its usual size is first.
    rank_movers : list of Mover
        The farthest moves of ranks; empty for tables without one.
    known_once : list of Mover
        Numbers that only one version knows, of each column in turn, the newest windows first.
    appeared_examples, vanished_examples : list of Example
        Some of those rows, the newest windows and the best ranks first.
    switches : list of Switch
        The most frequent changes of texts and truth values, such as a class that became another.
    windows : int
        How many windows were compared: those that the older version computed, also where it found
        nothing.
    first_window, last_window : datetime or None
        The first and the last of them.
    now : list of str
        Which versions computed what is there now.
    unkept_windows, unkept_rows : int
        Windows among them in time, and their rows, that another version computed since and that the
        older one never did. They are not compared, and no row of them counts as appeared.
    """

    matched: int
    appeared: int
    vanished: int
    columns: list[ColumnDiff] = field(default_factory=list)
    movers: list[Mover] = field(default_factory=list)
    rank_movers: list[Mover] = field(default_factory=list)
    known_once: list[Mover] = field(default_factory=list)
    appeared_examples: list[Example] = field(default_factory=list)
    vanished_examples: list[Example] = field(default_factory=list)
    switches: list[Switch] = field(default_factory=list)
    windows: int = 0
    first_window: dt.datetime | None = None
    last_window: dt.datetime | None = None
    now: list[str] = field(default_factory=list)
    unkept_windows: int = 0
    unkept_rows: int = 0


def identity_of(table: sa.Table) -> tuple[str, ...]:
    """Return the columns by which a row of one window is known again in another version.

    Those the table declares as ``info["identity"]``, or its key without the window.
    """
    declared = table.info.get("identity")
    if declared is not None:
        return tuple(declared)
    at = time_column(table)
    return tuple(c.name for c in table.primary_key.columns if at is None or c.name != at.name)


def _table_of(asset: str) -> sa.Table:
    """Return the table of an asset, given by its key or by the last part of it."""
    name = asset.replace("/", ".")
    known = {
        full: table
        for full, table in metadata.tables.items()
        if full == name or full.partition(".")[2] == name
    }
    if len(known) == 1:
        return next(iter(known.values()))
    near = get_close_matches(name, [full.replace(".", "/") for full in metadata.tables], n=3)
    raise StoreError(
        f"There is no asset {asset} with a table of its own.",
        fix=f"Did you mean {' or '.join(near)}?"
        if near
        else "Write it as intelligence/viral_scores.",
    )


def compare_versions(
    store: FrameStore,
    asset: str,
    before: str,
    *,
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    movers: int = 10,
) -> VersionDiff:
    """Compare what is there now with what a code version computed.

    Rows of one window with the same identity (two designs with one hash) are paired in the order
    of their keys.

    Parameters
    ----------
    store : FrameStore
        The record.
    asset : str
        Asset key as ``stage/table``.
    before : str
        The older code version.
    start, end : datetime, optional
        Windows in [start, end) only.
    movers : int
        How many of the rows that moved farthest, appeared or vanished are returned.

    Raises
    ------
    StoreError
        When nothing of that version was kept; the message names the versions that were.
    """
    table = _table_of(asset)
    column = time_column(table)
    if column is None:
        raise StoreError(f"{asset} has no windows to compare.")
    asked: dict[str, Any] = {
        "asset": table.fullname.replace(".", "/"),
        "version": before,
        "start": start or dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        "end": end or dt.datetime(9999, 1, 1, tzinfo=dt.UTC),
        "movers": movers,
        "rank": _RANK,
        "label": table.info.get("label", ""),
        "derived": [c.name for c in table.columns if c.info.get("policy") == "derived"],
    }
    with psycopg.connect(patient(store.url)) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        windows = connection.execute(_WINDOWS, asked).fetchone() or (0, None, None)
        if not windows[0]:
            raise _nothing_kept(connection, asked["asset"], before)
        connection.execute(_pairs(table, column.name), asked)
        matched, appeared, vanished = connection.execute(_COUNTS).fetchone() or (0, 0, 0)
        connection.execute(_NUMBERS, asked)
        now = connection.execute(_NOW, asked).fetchall()
        asked |= {"first": start or windows[1], "last": end or windows[2]}
        unkept = connection.execute(_unkept(table, column.name), asked).fetchone() or (0, 0)
        return VersionDiff(
            matched,
            appeared,
            vanished,
            columns=[ColumnDiff(*row) for row in connection.execute(_COLUMNS).fetchall()],
            movers=[Mover(*row) for row in connection.execute(_MOVERS, asked).fetchall()],
            rank_movers=[Mover(*row) for row in connection.execute(_RANK_MOVERS, asked).fetchall()],
            known_once=[Mover(*row) for row in connection.execute(_KNOWN_ONCE, asked).fetchall()],
            appeared_examples=_examples(connection, "new", "old", asked),
            vanished_examples=_examples(connection, "old", "new", asked),
            switches=[Switch(*row) for row in connection.execute(_SWITCHES, asked).fetchall()],
            windows=windows[0],
            first_window=windows[1],
            last_window=windows[2],
            now=[version for (version,) in now],
            unkept_windows=unkept[0],
            unkept_rows=unkept[1],
        )


def _unkept(table: sa.Table, at: str) -> sql.Composed:
    """Return the statement that counts what only other versions have rows of, amid the compared."""
    return sql.SQL(
        "SELECT count(DISTINCT t.{at}), count(*) FROM {table} t "
        "JOIN maintenance.window_versions v ON v.asset = %(asset)s AND v.window_start = t.{at} "
        "WHERE v.code_version <> %(version)s AND t.{at} >= %(first)s AND t.{at} <= %(last)s "
        "AND t.{at} < %(end)s AND t.{at} NOT IN (SELECT h.window_start FROM "
        "maintenance.score_history h WHERE h.asset = %(asset)s AND h.code_version = %(version)s)"
    ).format(at=sql.Identifier(at), table=sql.Identifier(*table.fullname.split(".")))


def _pairs(table: sa.Table, at: str) -> sql.Composed:
    """Return the statement that pairs rows; ``old`` or ``new`` is null where a version has none."""
    names = identity_of(table)
    key = [c.name for c in table.primary_key.columns if c.name != at]
    return sql.SQL(
        "CREATE TEMP TABLE version_pairs ON COMMIT DROP AS "
        "WITH kept AS (SELECT h.window_start, h.row_key::jsonb || h.values AS whole, "
        "h.values AS old FROM maintenance.score_history h WHERE h.asset = %(asset)s "
        "AND h.code_version = %(version)s AND h.window_start >= %(start)s "
        "AND h.window_start < %(end)s), "
        "earlier AS (SELECT window_start, old, whole, {identity} AS row_key, "
        "row_number() OVER (PARTITION BY window_start, {identity} ORDER BY {key}) AS turn "
        "FROM kept WHERE jsonb_typeof(old) = 'object'), "
        "there AS (SELECT t.{at} AS window_start, to_jsonb(t) AS whole FROM {table} t "
        "WHERE t.{at} IN (SELECT window_start FROM kept)), "
        "now AS (SELECT window_start, whole, {identity} AS row_key, "
        "row_number() OVER (PARTITION BY window_start, {identity} ORDER BY {key}) AS turn "
        "FROM there) "
        "SELECT window_start, row_key, e.old, n.whole AS new, "
        "coalesce(n.whole, e.whole) ->> %(label)s AS label, "
        "(coalesce(n.whole, e.whole) ->> %(rank)s)::int AS place "
        "FROM earlier e FULL JOIN now n USING (window_start, row_key, turn)"
    ).format(
        identity=sql.SQL("jsonb_build_object({})").format(_fields(names, paired=True)),
        key=_fields(key),
        at=sql.Identifier(at),
        table=sql.Identifier(*table.fullname.split(".")),
    )


def _fields(names: list[str] | tuple[str, ...], *, paired: bool = False) -> sql.Composed:
    """Return a list of fields of ``whole``, each after its name if they are to be an object."""
    text = "{name}::text, whole -> {name}" if paired else "whole -> {name}"
    return sql.SQL(", ").join(sql.SQL(text).format(name=sql.Literal(name)) for name in names)


_COUNTS: Final = (
    "SELECT count(*) FILTER (WHERE old IS NOT NULL AND new IS NOT NULL), "
    "count(*) FILTER (WHERE old IS NULL), count(*) FILTER (WHERE new IS NULL) FROM version_pairs"
)
_NUMBERS: Final = """
    CREATE TEMP TABLE version_numbers ON COMMIT DROP AS
    SELECT window_start, row_key::text AS row_key, label, e.key AS name,
           coalesce(old -> e.key, 'null') <> coalesce(new -> e.key, 'null') AS is_changed,
           CASE WHEN jsonb_typeof(old -> e.key) = 'number'
                THEN (old -> e.key)::text::float8 END AS a,
           CASE WHEN jsonb_typeof(new -> e.key) = 'number'
                THEN (new -> e.key)::text::float8 END AS b
    FROM version_pairs CROSS JOIN LATERAL (
        SELECT jsonb_object_keys(old) UNION SELECT unnest(%(derived)s::text[])
    ) e (key)
    WHERE old IS NOT NULL AND new IS NOT NULL
"""
_COLUMNS: Final = (
    "SELECT name, count(*), count(*) FILTER (WHERE is_changed), avg(b - a), avg(abs(b - a)), "
    "max(abs(b - a)) FROM version_numbers GROUP BY name ORDER BY name"
)
# Columns take turns, so that one of large numbers leaves room for the others.
_MOVERS: Final = """
    SELECT window_start, row_key, label, name, a, b FROM (
        SELECT *, avg(abs(a) + abs(b)) OVER (PARTITION BY name) AS usual FROM version_numbers
    ) sized
    WHERE a <> b AND name <> %(rank)s
    ORDER BY row_number() OVER (PARTITION BY name ORDER BY abs(b - a) DESC, window_start, row_key),
             abs(b - a) / usual DESC, name LIMIT %(movers)s
"""
_RANK_MOVERS: Final = (
    "SELECT window_start, row_key, label, name, a, b FROM version_numbers "
    "WHERE a <> b AND name = %(rank)s "
    "ORDER BY abs(b - a) DESC, window_start, row_key LIMIT %(movers)s"
)

_KNOWN_ONCE: Final = (
    "SELECT window_start, row_key, label, name, a, b FROM version_numbers "
    "WHERE (a IS NULL) <> (b IS NULL) ORDER BY row_number() OVER "
    "(PARTITION BY name ORDER BY window_start DESC, row_key), name LIMIT %(movers)s"
)

_SWITCHES: Final = """
    SELECT e.key, old ->> e.key, new ->> e.key, count(*)
    FROM version_pairs CROSS JOIN LATERAL jsonb_object_keys(old) e (key)
    WHERE old IS NOT NULL AND new IS NOT NULL
      AND coalesce(old -> e.key, 'null') <> coalesce(new -> e.key, 'null')
      AND (jsonb_typeof(old -> e.key) IN ('string', 'boolean')
           OR jsonb_typeof(new -> e.key) IN ('string', 'boolean'))
    GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT %(movers)s
"""
_WINDOWS: Final = (
    "SELECT count(DISTINCT window_start), min(window_start), max(window_start) "
    "FROM maintenance.score_history WHERE asset = %(asset)s AND code_version = %(version)s "
    "AND window_start >= %(start)s AND window_start < %(end)s"
)
_NOW: Final = (
    "SELECT DISTINCT code_version FROM maintenance.window_versions WHERE asset = %(asset)s "
    "AND window_start IN (SELECT window_start FROM maintenance.score_history "
    "WHERE asset = %(asset)s AND code_version = %(version)s "
    "AND window_start >= %(start)s AND window_start < %(end)s) ORDER BY 1"
)


def _examples(
    connection: psycopg.Connection, own: str, other: str, asked: dict[str, Any]
) -> list[Example]:
    rows = connection.execute(
        sql.SQL(
            "SELECT window_start, row_key::text, label FROM version_pairs "
            "WHERE {own} IS NOT NULL AND {other} IS NULL "
            "ORDER BY window_start DESC, place, row_key::text LIMIT %(movers)s"
        ).format(own=sql.Identifier(own), other=sql.Identifier(other)),
        asked,
    ).fetchall()
    return [Example(*row) for row in rows]


def _nothing_kept(connection: psycopg.Connection, asset: str, before: str) -> StoreError:
    rows = connection.execute(
        "SELECT code_version, count(DISTINCT window_start) FROM maintenance.score_history "
        "WHERE asset = %s GROUP BY 1 ORDER BY 1",
        (asset,),
    ).fetchall()
    kept = ", ".join(f"{version} ({count} windows)" for version, count in rows) or "none"
    there = connection.execute(
        "SELECT count(*) FROM maintenance.window_versions WHERE asset = %s AND code_version = %s",
        (asset, before),
    ).fetchone()
    if there is not None and there[0] and before not in {version for version, _ in rows}:
        return StoreError(
            f"Version {before} of {asset} is what is there now, in {there[0]} windows.",
            fix=f"Name an older one. Versions that were kept: {kept}.",
        )
    return StoreError(
        f"No window of {asset} as version {before} computed it can be compared in that time.",
        fix=f"Versions that were kept: {kept}. They are kept when another version scores the same "
        "windows again.",
    )
