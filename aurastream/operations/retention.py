"""What goes, why, and the doing of it: retention over tables, archive and hot documents.

The rules are `aurastream.operations.retention_rules`. A plan counts without touching anything; a
purge does what the plan says, counts again, and writes one row of proof per target into
``maintenance.purges``. Dagster's own log is pruned by the graph (`aurastream_assets.maintenance`),
through Dagster's API.
"""

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import psycopg

from aurastream.operations.archive import (
    archive_days,
    archived_datasets,
    open_archive,
    refresh_manifests,
)
from aurastream.operations.policy import database_facts, declared_facts, label_of, limits_of
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
from aurastream.store.archive_manifest import Manifests
from aurastream.store.document_schemas import KINDS
from aurastream.store.errors import StoreError
from aurastream.store.purge_documents import documents, drop_documents, present_documents
from aurastream.store.purge_proofs import Headline, Proof, unfinished
from aurastream.store.tables.narrow import NARROW

__all__ = [
    "Findings",
    "Planned",
    "Purged",
    "drop_withheld_documents",
    "examine",
    "note_rules",
    "plan_retention",
    "proving",
    "purge",
    "rules_of",
    "withheld_documents",
]

_log = logging.getLogger(__name__)
_VIDEOS: Final = "collection.youtube_videos"
# Hot documents of what was collected, and of Twitch; the others are made of YouTube's counters.
_RAW_DOCUMENTS: Final = frozenset({"trending", "games"})
_TWITCH_DOCUMENTS: Final = frozenset(
    {"streams", "top_games", "last_fetch", "clips", "viral_clips", "competition"}
)
_MADE_OF_BOTH: Final = frozenset({"video_ideas"})
_TWITCH_AGGREGATES: Final = frozenset({"competition"}) | _MADE_OF_BOTH
_HISTORY: Final = "maintenance.score_history"
_BACKFILLS: Final = "maintenance.backfills"
_STEPS_OF: Final = "maintenance.backfill_steps"
_SCORED_SCHEMAS: Final = frozenset({"intelligence", "aggregation"})
_UNTIL_NEXT: Final = dt.timedelta(hours=1)
_NEVER: Final = dt.datetime.min.replace(tzinfo=dt.UTC)

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
    """Do what the plan says, and prove it.

    Safe to repeat and to kill: what was not reached goes at the next call, and nothing goes without
    its proof (`aurastream.store.purge_proofs`).

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
        _finish_interrupted(connection, settings, now)
        for step in _steps(connection, settings, now, hourly_only=hourly_only):
            if step.held is not None:
                held = step.held
                continue
            result = _take(connection, settings, now, step, run_id)
            if result is not None:
                done.append(result)
                on_purge(result)
        if not hourly_only:
            _drop_unnamed(connection)
    if held is not None:
        raise held
    return done


def note_rules(settings: Settings, now: dt.datetime) -> None:
    """Write the rules in force where analysts can read them; nothing goes."""
    with store.connect(settings.require_postgres()) as connection:
        _write_rules(connection, settings, now)


def drop_withheld_documents(settings: Settings, now: dt.datetime) -> int:
    """Take away the hot documents that the mode forbids, with proof; returns how many went."""
    gone = 0
    with store.connect(settings.require_postgres()) as connection:
        for planned in _planned_documents(settings, now):
            if planned.cutoff is None:
                step = _document_step(settings, planned)
                result = _take(connection, settings, now, step, run_id=None)
                gone += result.what.items if result else 0
    return gone


def _take(
    connection: psycopg.Connection,
    settings: Settings,
    now: dt.datetime,
    step: "_Step",
    run_id: str | None,
) -> Purged | None:
    """Do one step and prove it; None where there was nothing to take."""
    before = step.count()
    proof = Proof(connection, _headline(settings, now, step.planned, run_id), before)
    step.act(proof)
    if not (proof.gone.rows or proof.gone.parts):
        return None
    after = step.count()
    proof.close(after)
    return Purged(_with(step.planned, proof.gone), before, after)


@dataclass(frozen=True, slots=True)
class _Step:
    """One target: how to count it, and how to let it go, or why it has to stay."""

    planned: Planned
    count: Callable[[], int]
    act: Callable[[Proof], None]
    held: StoreError | None = None


def _steps(
    connection: psycopg.Connection, settings: Settings, now: dt.datetime, *, hourly_only: bool
) -> Iterator[_Step]:
    for rule in _due(settings, hourly_only=hourly_only):
        planned = _plan_table(connection, rule, now)
        if planned is None or not (planned.items or planned.parts):
            continue
        step = _table_step(
            connection, rule, planned, _archived_first(connection, settings, rule, planned)
        )
        if step.held is not None:
            _log.warning("%s stays: %s", rule.table, step.held)
        yield step
    for planned in _planned_blanks(connection, settings, now):
        yield _blank_step(connection, planned)
    for planned in _planned_history(connection, settings, now):
        yield _history_step(connection, planned)
    for planned in _planned_documents(settings, now):
        yield _document_step(settings, planned)
    if not hourly_only:
        for planned in _planned_steps(connection, settings, now):
            yield _steps_step(connection, planned)
        archive = open_archive(settings)
        for planned in _planned_archive(settings, archive, now):
            yield _archive_step(settings, archive, planned)


def _archived_first(
    connection: psycopg.Connection, settings: Settings, rule: Rule, planned: Planned
) -> Mapping[dt.date, int] | StoreError | None:
    """Let the archive have what is about to go; how many rows of each day that was.

    None where the table is not archived, the error where the archive could not be written.
    """
    days: Sequence[dt.date] = ()
    if planned.action == "drop_partitions":
        days = [_day_of(part) for part in planned.parts]
    elif planned.action == "delete_rows" and rule.time_column and planned.cutoff:
        days = store.days_before(connection, rule.table, rule.time_column, planned.cutoff)
    if not days:
        return None
    try:
        found = archive_days(settings, open_archive(settings), {rule.table: days})
    except StoreError as error:
        return error
    return found.get(rule.table)


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
        yield from _planned_history(connection, settings, now)
        if not hourly_only:
            yield from _planned_steps(connection, settings, now)


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


def _blank_step(connection: psycopg.Connection, planned: Planned) -> _Step:
    table, _, column = planned.target.rpartition(".")
    at = BLANKED[table, column]
    cutoff = planned.cutoff or _NEVER

    def act(proof: Proof) -> None:
        store.blank_before(connection, table, column, at, cutoff, witness=proof.note)

    return _Step(planned, lambda: store.count_filled(connection, table, column, at, cutoff), act)


def _planned_history(
    connection: psycopg.Connection, settings: Settings, now: dt.datetime
) -> Iterator[Planned]:
    """Plan away earlier versions of scores that are made of Twitch; the others are YouTube's."""
    cutoff = blanked_before(limits_of(settings), now)
    if cutoff is None:
        return
    items = store.count_of(
        connection, _HISTORY, "asset", _twitch_assets(), at="window_start", cutoff=cutoff
    )
    why = "Twitch: content and what is made of it is a cache of 24 hours"
    yield Planned("table", f"{_HISTORY} of Twitch", "delete_rows", why, cutoff, items, 0)


def _history_step(connection: psycopg.Connection, planned: Planned) -> _Step:
    assets, cutoff = _twitch_assets(), planned.cutoff or _NEVER

    def count() -> int:
        return store.count_of(
            connection, _HISTORY, "asset", assets, at="window_start", cutoff=cutoff
        )

    def act(proof: Proof) -> None:
        store.delete_of(
            connection,
            _HISTORY,
            "asset",
            assets,
            at="window_start",
            cutoff=cutoff,
            witness=proof.note,
        )

    return _Step(planned, count, act)


def _planned_steps(
    connection: psycopg.Connection, settings: Settings, now: dt.datetime
) -> Iterator[Planned]:
    """Plan away the steps of backfills that go, or went: nothing in a step tells its age."""
    rule = rules_of(settings).get(_BACKFILLS)
    planned = _plan_table(connection, rule, now) if rule is not None else None
    if planned is None or planned.cutoff is None:
        return
    items = store.count_steps(connection, planned.cutoff)
    why = "the steps of a backfill go with it"
    yield Planned("table", _STEPS_OF, "delete_rows", why, planned.cutoff, items, 0)


def _steps_step(connection: psycopg.Connection, planned: Planned) -> _Step:
    cutoff = planned.cutoff or _NEVER

    def act(proof: Proof) -> None:
        store.delete_steps(connection, cutoff, witness=proof.note)

    return _Step(planned, lambda: store.count_before(connection, _STEPS_OF, None, None), act)


def _twitch_assets() -> list[str]:
    return sorted(
        name.replace(".", "/")
        for name, facts in declared_facts().items()
        if "twitch" in facts.platforms and facts.schema in _SCORED_SCHEMAS
    )


def _plan_table(connection: psycopg.Connection, rule: Rule, now: dt.datetime) -> Planned | None:
    cutoff = rule.cutoff(now)
    if cutoff is not None and rule.action == "delete_rows" and rule.decided_by == "operator":
        cutoff = _midnight(cutoff.date())  # whole days, as they are archived
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


def _table_step(
    connection: psycopg.Connection,
    rule: Rule,
    planned: Planned,
    archived: Mapping[dt.date, int] | StoreError | None,
) -> _Step:
    by_operator = rule.decided_by == "operator"
    failure = archived if isinstance(archived, StoreError) and by_operator else None
    rows = archived if isinstance(archived, Mapping) and by_operator else None

    def act(proof: Proof) -> None:
        _purge_table(connection, rule, planned, proof, rows)

    return _Step(
        planned, lambda: store.count_before(connection, rule.table, None, None), act, failure
    )


def _purge_table(
    connection: psycopg.Connection,
    rule: Rule,
    planned: Planned,
    proof: Proof,
    archived: Mapping[dt.date, int] | None,
) -> None:
    mean = planned.bytes / max(planned.items, 1)

    def note(piece: store.Doomed) -> None:
        # Single rows take what the table's rows take in the mean.
        proof.note(piece if piece.parts else store.Doomed(piece.rows, int(mean * piece.rows)))

    if rule.action == "empty":
        store.empty(connection, rule.table, witness=note)
    elif planned.cutoff is None or rule.time_column is None:
        return
    elif rule.table == _VIDEOS:
        store.delete_unconfirmed(connection, planned.cutoff, witness=note)
    elif rule.action == "delete_rows":
        store.delete_before(connection, rule.table, rule.time_column, planned.cutoff, witness=note)
    else:
        days = [_day_of(part) for part in planned.parts]
        store.drop_days(connection, rule.table, days, witness=note, archived=archived)
        if rule.is_hourly:
            store.delete_before(
                connection, rule.table, rule.time_column, planned.cutoff, witness=note
            )


def _drop_unnamed(connection: psycopg.Connection) -> None:
    """Let go of what the rows that went were about; at every purge, for the last may be killed."""
    for table in NARROW:
        try:
            store.delete_unnamed(connection, table.fullname)
        except psycopg.errors.LockNotAvailable:
            _log.warning("%s is being written: what it names no more stays.", table.fullname)


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
        elif kind in _TWITCH_DOCUMENTS | _MADE_OF_BOTH:
            if kind in _TWITCH_AGGREGATES and limits.keeps_twitch_aggregates:
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


def _document_step(settings: Settings, planned: Planned) -> _Step:
    def count() -> int:
        kind = planned.target.removesuffix(" documents")
        return len(documents(settings.require_redis(), kind, before=planned.cutoff))

    def act(proof: Proof) -> None:
        if planned.parts:
            proof.announce(planned.parts, planned.bytes)
            drop_documents(settings.require_redis(), planned.parts)
            proof.fulfil(planned.parts, planned.bytes)

    return _Step(planned, count, act)


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


def _archive_step(settings: Settings, archive: Archive, planned: Planned) -> _Step:
    def act(proof: Proof) -> None:
        proof.announce(planned.parts, planned.bytes)
        manifests = Manifests(archive)
        manifests.remove(planned.parts)
        refresh_manifests(settings, archive, manifests)
        proof.fulfil(planned.parts, planned.bytes)

    return _Step(planned, lambda: len(archive.files(planned.target)), act)


# -- proof and checks ----------------------------------------------------------------------------


def _headline(
    settings: Settings, now: dt.datetime, planned: Planned, run_id: str | None
) -> Headline:
    return Headline(
        purged_at=now,
        store=planned.store,
        target=planned.target,
        action=planned.action,
        reason=planned.reason,
        mode=limits_of(settings).mode,
        cutoff=planned.cutoff,
        run_id=run_id,
    )


def _finish_interrupted(
    connection: psycopg.Connection, settings: Settings, now: dt.datetime
) -> None:
    """Finish what a kill interrupted among files and documents, and its proof."""
    pending = unfinished(connection)
    if not pending:
        return
    archive = open_archive(settings)
    manifests = Manifests(archive)
    planned = [*_planned_archive(settings, archive, now), *_planned_documents(settings, now)]
    due = {part for plan in planned for part in plan.parts}
    for proof in pending:
        wanted = [part for part in proof.parts if part in due]
        if proof.store == "archive":
            gone_before = [part for part in proof.parts if not archive.has(part)]
            manifests.remove([*wanted, *gone_before])
            gone = {part for part in proof.parts if not archive.has(part)}
        else:
            drop_documents(settings.require_redis(), wanted)
            gone = set(proof.parts) - present_documents(settings.require_redis(), proof.parts)
        # What is there and no longer due has come since, or may stay now.
        proof.settle(connection, gone)
    refresh_manifests(settings, archive, manifests)


@contextmanager
def proving(
    connection: psycopg.Connection,
    settings: Settings,
    now: dt.datetime,
    purged: Purged,
    *,
    run_id: str | None,
) -> Iterator[None]:
    """Prove what is deleted inside: named before it goes, counted when it has gone."""
    what = purged.what
    proof = Proof(connection, _headline(settings, now, what, run_id), purged.before)
    proof.announce(what.parts, what.bytes)
    yield
    proof.fulfil(what.parts, what.bytes)


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
            for plan in (_planned_blanks, _planned_history)
            for planned in plan(connection, settings, now - _UNTIL_NEXT)
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
