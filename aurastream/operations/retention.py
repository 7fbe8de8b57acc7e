"""What goes, why, and the doing of it: retention over tables, archive and hot documents.

The rules are `aurastream.operations.retention_rules`. A plan counts without touching anything; a
purge does what the plan says, counts again, and writes one row of proof per target into
``maintenance.purges``. Dagster's own log is pruned by the graph (`aurastream_assets.maintenance`),
through Dagster's API.
"""

import datetime as dt
import logging
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import psycopg

from aurastream.operations.archive import (
    archive_days,
    archived_datasets,
    open_archive,
    refresh_manifests,
)
from aurastream.operations.policy import database_facts, label_of, limits_of
from aurastream.operations.retention_rules import (
    BLANKED,
    LONGEST_HISTORY_DAYS,
    Limits,
    Rule,
    TableFacts,
    blanked_before,
    rule_for,
    unclassified,
)
from aurastream.settings import Settings
from aurastream.store import purge as store
from aurastream.store.archive import Archive
from aurastream.store.document_schemas import KINDS
from aurastream.store.errors import StoreError
from aurastream.store.purge_documents import documents, drop_documents

__all__ = [
    "Findings",
    "Planned",
    "Purged",
    "examine",
    "plan_retention",
    "purge",
    "record_purges",
    "rules_of",
    "withheld_documents",
]

_log = logging.getLogger(__name__)
_MOST_PARTS: Final = 100
_VIDEOS: Final = "collection.youtube_videos"
# Hot documents of what was collected, and of Twitch; the others are made of YouTube's counters.
_RAW_DOCUMENTS: Final = frozenset({"trending", "games"})
_TWITCH_DOCUMENTS: Final = frozenset(
    {"streams", "top_games", "last_fetch", "clips", "viral_clips", "competition"}
)

Store = Literal["table", "archive", "redis", "dagster"]


@dataclass(frozen=True, slots=True)
class Planned:
    """What a purge would take from one target.

    Parameters
    ----------
    store : {"table", "archive", "redis", "dagster"}
        Where.
    target : str
        Table, folder or kind of document.
    action : str
        How it goes.
    reason : str
        The rule, in words.
    cutoff : datetime or None
        Everything older goes; None when all does.
    items, bytes : int
        How many rows, files or documents, and their size.
    parts : tuple of str
        Partitions, files or keys.
    """

    store: Store
    target: str
    action: str
    reason: str
    cutoff: dt.datetime | None
    items: int
    bytes: int
    parts: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            **asdict(self),
            "cutoff": self.cutoff.isoformat() if self.cutoff else None,
            "parts": list(self.parts),
        }


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge took, with the counts before and after."""

    what: Planned
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What is not as the rules want it.

    Parameters
    ----------
    over_age : tuple of str
        Tables with a row that is too old, and how old it is.
    unclassified : tuple of str
        Columns without a policy class.
    sizes : dict of str to int
        Bytes of the database and of each schema.
    """

    over_age: tuple[str, ...]
    unclassified: tuple[str, ...]
    sizes: dict[str, int]


def rules_of(settings: Settings) -> dict[str, Rule]:
    """Return the rule of every table that the database has, by name."""
    limits = limits_of(settings)
    facts = database_facts(settings.require_postgres())
    return {name: rule_for(found, limits) for name, found in facts.items()}


def plan_retention(
    settings: Settings, now: dt.datetime, *, hourly_only: bool = False
) -> list[Planned]:
    """Return what would go at ``now``, largest first; nothing is touched.

    Parameters
    ----------
    settings : Settings
        The installation.
    now : datetime
        Aware.
    hourly_only : bool
        Only what a daily purge would be too late for.
    """
    found = [
        *_planned_tables(settings, now, hourly_only=hourly_only),
        *_planned_documents(settings, now),
    ]
    if not hourly_only:
        found += _planned_archive(settings, open_archive(settings), now)
    return sorted((p for p in found if p.items or p.parts), key=lambda p: (-p.bytes, p.target))


def purge(
    settings: Settings,
    now: dt.datetime,
    *,
    run_id: str | None = None,
    hourly_only: bool = False,
    on_purge: Callable[[Purged], None] = lambda _: None,
) -> list[Purged]:
    """Do what the plan says, and write the proof of each target as soon as it is done.

    Safe to repeat and to kill: what was not reached goes at the next call.

    Raises
    ------
    ArchiveError
        When days that only the operator's limit lets go could not be archived first; they are
        still there. What the terms let go has gone all the same.
    """
    url = settings.require_postgres()
    held: StoreError | None = None
    done: list[Purged] = []
    with store.connect(url) as connection:
        _write_rules(connection, settings, now)
        for planned, act in _steps(connection, settings, now, hourly_only=hourly_only):
            if isinstance(act, StoreError):
                held = act
                continue
            result = act()
            if result.what.items or result.what.parts:
                record_purges(connection, settings, now, [result], run_id=run_id)
                done.append(result)
                on_purge(result)
            del planned
    if held is not None:
        raise held
    return done


_Act = Callable[[], Purged]


def _steps(
    connection: psycopg.Connection, settings: Settings, now: dt.datetime, *, hourly_only: bool
) -> Iterator[tuple[Planned, _Act | StoreError]]:
    for rule in _due(settings, hourly_only=hourly_only):
        planned = _plan_table(connection, rule, now)
        if planned is None or not (planned.items or planned.parts):
            continue
        failure = None
        if planned.action == "drop_partitions":
            failure = _archived_first(settings, rule, planned)
        if failure is not None and rule.decided_by == "operator":
            _log.warning("%s stays: %s", rule.table, failure)
            yield planned, failure
        else:
            yield planned, _table_act(connection, rule, planned, now)
    for planned in _planned_blanks(connection, settings, now):
        yield planned, _blank_act(connection, planned)
    for planned in _planned_documents(settings, now):
        yield planned, _document_act(settings, planned)
    if not hourly_only:
        archive = open_archive(settings)
        for planned in _planned_archive(settings, archive, now):
            yield planned, _archive_act(settings, archive, planned)


def _archived_first(settings: Settings, rule: Rule, planned: Planned) -> StoreError | None:
    """Archive the days that are about to go, those that have no file yet."""
    days = [_day_of(part) for part in planned.parts]
    try:
        archive_days(settings, open_archive(settings), {rule.table: days})
    except StoreError as error:
        return error
    return None


# -- tables ----------------------------------------------------------------------------------------


def _due(settings: Settings, *, hourly_only: bool) -> list[Rule]:
    rules = rules_of(settings).values()
    return [rule for rule in rules if rule.action != "keep" and (rule.is_hourly or not hourly_only)]


def _planned_tables(
    settings: Settings, now: dt.datetime, *, hourly_only: bool
) -> Iterator[Planned]:
    with store.connect(settings.require_postgres()) as connection:
        for rule in _due(settings, hourly_only=hourly_only):
            planned = _plan_table(connection, rule, now)
            if planned is not None:
                yield planned
        yield from _planned_blanks(connection, settings, now)


def _planned_blanks(
    connection: psycopg.Connection, settings: Settings, now: dt.datetime
) -> Iterator[Planned]:
    """Plan away single values of a platform in records of our own."""
    cutoff = blanked_before(limits_of(settings), now)
    if cutoff is None:
        return
    for (table, column), at in BLANKED.items():
        items = store.count_filled(connection, table, column, at, cutoff)
        why = "Twitch: content and what is made of it is a cache of 24 hours"
        yield Planned("table", f"{table}.{column}", "blank_values", why, cutoff, items, 0)


def _blank_act(connection: psycopg.Connection, planned: Planned) -> _Act:
    table, _, column = planned.target.rpartition(".")
    at = BLANKED[table, column]
    cutoff = planned.cutoff

    def act() -> Purged:
        if cutoff is None:
            return Purged(planned, 0, 0)
        gone = store.blank_before(connection, table, column, at, cutoff)
        after = store.count_filled(connection, table, column, at, cutoff)
        return Purged(_with(planned, store.Doomed(gone)), planned.items, after)

    return act


def _plan_table(connection: psycopg.Connection, rule: Rule, now: dt.datetime) -> Planned | None:
    cutoff = rule.cutoff(now)
    if rule.action == "empty":
        gone = store.doomed(connection, rule.table, None, None)
    elif cutoff is None or rule.time_column is None:
        return None
    elif rule.table == _VIDEOS:
        gone = store.doomed_unconfirmed(connection, cutoff)
    elif rule.action == "drop_partitions":
        days = _days_before(connection, rule, cutoff)
        gone = store.doomed_days(connection, rule.table, days)
        if rule.is_hourly:
            rest = store.doomed(connection, rule.table, rule.time_column, cutoff)
            gone = store.Doomed(max(rest.rows, gone.rows), max(rest.bytes, gone.bytes), gone.parts)
    else:
        gone = store.doomed(connection, rule.table, rule.time_column, cutoff)
    return Planned(
        "table", rule.table, rule.action, rule.reason, cutoff, gone.rows, gone.bytes, gone.parts
    )


def _days_before(connection: psycopg.Connection, rule: Rule, cutoff: dt.datetime) -> list[dt.date]:
    """Return the days to drop: wholly over age, or by the daily terms' limit even in part."""
    days = store.days_of(connection, rule.table)
    if rule.decided_by == "terms" and not rule.is_hourly:
        return [day for day in days if _midnight(day) < cutoff]
    return [day for day in days if _midnight(day) + dt.timedelta(days=1) <= cutoff]


def _table_act(
    connection: psycopg.Connection, rule: Rule, planned: Planned, now: dt.datetime
) -> _Act:
    def act() -> Purged:
        before = store.count_before(connection, rule.table, None, None)
        gone = _purge_table(connection, rule, planned)
        after = store.count_before(connection, rule.table, None, None)
        return Purged(_with(planned, gone), before, after)

    del now
    return act


def _purge_table(connection: psycopg.Connection, rule: Rule, planned: Planned) -> store.Doomed:
    if rule.action == "empty":
        return store.Doomed(store.empty(connection, rule.table), planned.bytes)
    if planned.cutoff is None or rule.time_column is None:
        return store.Doomed()
    if rule.table == _VIDEOS:
        return store.Doomed(store.delete_unconfirmed(connection, planned.cutoff), planned.bytes)
    if rule.action == "delete_rows":
        rows = store.delete_before(connection, rule.table, rule.time_column, planned.cutoff)
        return store.Doomed(rows, planned.bytes)
    gone = store.drop_days(connection, rule.table, [_day_of(part) for part in planned.parts])
    if not rule.is_hourly:
        return gone
    rows = store.delete_before(connection, rule.table, rule.time_column, planned.cutoff)
    return store.Doomed(gone.rows + rows, max(gone.bytes, planned.bytes), gone.parts)


# -- hot documents -----------------------------------------------------------------------------


def withheld_documents(limits: Limits) -> frozenset[str]:
    """Return the kinds of hot documents that the mode forbids.

    Examples
    --------
    >>> "viral" in withheld_documents(Limits("strict", dt.timedelta(days=30)))
    True
    >>> withheld_documents(Limits("amended", dt.timedelta(days=30)))
    frozenset()
    """
    if limits.mode != "strict":
        return frozenset()
    return frozenset(KINDS) - _RAW_DOCUMENTS - _TWITCH_DOCUMENTS


def _planned_documents(settings: Settings, now: dt.datetime) -> Iterator[Planned]:
    limits = limits_of(settings)
    if limits.mode == "exempt" or settings.redis_url is None:
        return  # every document expires by itself within a week
    withheld = withheld_documents(limits)
    day = dt.timedelta(hours=24)
    for kind in KINDS:
        if kind in withheld:
            cutoff, why = None, "YouTube, strict: metrics of its counters are not permitted"
        elif kind in _TWITCH_DOCUMENTS:
            if kind == "competition" and limits.keeps_twitch_aggregates:
                continue
            cutoff = now - day + dt.timedelta(hours=1, minutes=15)
            why = "Twitch: content and what is made of it is a cache of 24 hours"
        else:
            continue  # a week at most, and YouTube grants a month
        found = documents(settings.require_redis(), kind, before=cutoff)
        yield Planned(
            "redis",
            f"{kind} documents",
            "delete_keys",
            why,
            cutoff,
            len(found),
            sum(found.values()),
            tuple(sorted(found)),
        )


def _document_act(settings: Settings, planned: Planned) -> _Act:
    def act() -> Purged:
        gone = drop_documents(settings.require_redis(), planned.parts)
        what = _with(planned, store.Doomed(gone, planned.bytes, planned.parts))
        return Purged(what, len(planned.parts), len(planned.parts) - gone)

    return act


# -- archive -----------------------------------------------------------------------------------


def _planned_archive(settings: Settings, archive: Archive, now: dt.datetime) -> Iterator[Planned]:
    """Plan away months over the longest limit, and tables that the mode does not let us keep."""
    limits = limits_of(settings)
    if limits.mode == "exempt":
        return
    oldest = now - dt.timedelta(days=LONGEST_HISTORY_DAYS)
    allowed = {dataset.name for dataset in archived_datasets(settings)}
    for name in archive.datasets():
        files = archive.files(name)
        if name in allowed:
            files = [path for path in files if _midnight(_archived_day(path)) < oldest]
            why = "no platform grants more than 36 months"
        else:
            why = f"{limits.mode}: this table may not be kept"
        if files:
            yield Planned(
                "archive",
                name,
                "delete_files",
                why,
                oldest if name in allowed else None,
                len(files),
                sum(archive.size(path) for path in files),
                tuple(files),
            )


def _archive_act(settings: Settings, archive: Archive, planned: Planned) -> _Act:
    def act() -> Purged:
        before = len(archive.files(planned.target))
        for path in planned.parts:
            archive.remove(path)
        refresh_manifests(settings, archive)
        return Purged(planned, before, len(archive.files(planned.target)))

    return act


# -- proof and checks ----------------------------------------------------------------------------


def record_purges(
    connection: psycopg.Connection,
    settings: Settings,
    now: dt.datetime,
    purges: Iterable[Purged],
    *,
    run_id: str | None,
) -> None:
    """Write the proof of purges that were done."""
    for done in purges:
        connection.execute(
            "INSERT INTO maintenance.purges (purge_id, purged_at, store, target, action, reason, "
            "mode, cutoff, items, bytes, parts, before_count, after_count, run_id) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (
                str(uuid.uuid4()),
                now,
                done.what.store,
                done.what.target,
                done.what.action,
                done.what.reason,
                limits_of(settings).mode,
                done.what.cutoff,
                done.what.items,
                done.what.bytes,
                list(done.what.parts[:_MOST_PARTS]),
                done.before,
                done.after,
                run_id,
            ),
        )


def examine(settings: Settings, now: dt.datetime) -> Findings:
    """Look for rows over age and for columns that nobody classified."""
    url = settings.require_postgres()
    limits = limits_of(settings)
    facts = database_facts(url)
    over_age: list[str] = []
    with store.connect(url) as connection:
        for name, found in facts.items():
            problem = _over_age(connection, found, rule_for(found, limits), now)
            if problem:
                over_age.append(f"{name}: {problem}")
        over_age += [
            f"{planned.target}: {planned.items} values ({planned.reason})"
            for planned in _planned_blanks(connection, settings, now - dt.timedelta(hours=1))
            if planned.items
        ]
        sizes = store.database_bytes(connection)
    nameless = [
        f"{name}.{column}" for name, found in facts.items() for column in unclassified(found)
    ]
    return Findings(tuple(over_age), tuple(nameless), sizes)


def _over_age(
    connection: psycopg.Connection, facts: TableFacts, rule: Rule, now: dt.datetime
) -> str:
    if rule.action == "empty":
        rows = store.count_before(connection, facts.name, None, None)
        return f"{rows} rows that the mode forbids" if rows else ""
    limit = rule.over_age_before(now)
    if limit is None or rule.time_column is None:
        return ""
    if rule.table == _VIDEOS:
        rows = store.doomed_unconfirmed(connection, limit).rows
        return f"{rows} versions unconfirmed since {limit:%Y-%m-%d}" if rows else ""
    oldest = store.oldest(connection, facts.name, rule.time_column)
    if oldest is None or oldest >= limit:
        return ""
    return f"a row of {oldest:%Y-%m-%d %H:%M}, the limit is {limit:%Y-%m-%d %H:%M} ({rule.reason})"


def _write_rules(connection: psycopg.Connection, settings: Settings, now: dt.datetime) -> None:
    """Write the rules in force where analysts can read them."""
    mode, label = limits_of(settings).mode, label_of(settings)
    rules = rules_of(settings).values()
    with connection.transaction():
        connection.execute("DELETE FROM maintenance.retention_rules")
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO maintenance.retention_rules (table_name, platforms, classes, mode, "
                "label, max_age_hours, decided_by, action, is_computed, reason, evaluated_at) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [_rule_row(rule, mode, label, now) for rule in rules],
            )


def _rule_row(rule: Rule, mode: str, label: str, now: dt.datetime) -> Sequence[object]:
    hours = None if rule.max_age is None else rule.max_age / dt.timedelta(hours=1)
    return (
        rule.table,
        ", ".join(rule.platforms),
        ", ".join(rule.classes),
        mode,
        label,
        hours,
        rule.decided_by,
        rule.action,
        rule.is_computed,
        rule.reason,
        now,
    )


def _with(planned: Planned, gone: store.Doomed) -> Planned:
    return Planned(
        planned.store,
        planned.target,
        planned.action,
        planned.reason,
        planned.cutoff,
        gone.rows,
        gone.bytes,
        gone.parts,
    )


def _day_of(part: str) -> dt.date:
    text = part.rpartition("_p")[2]
    return dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))


def _archived_day(path: str) -> dt.date:
    return dt.date.fromisoformat(path.rpartition("/")[2].removesuffix(".parquet"))


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
