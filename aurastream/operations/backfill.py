"""Computing a stretch of time again: planned once, done piece by piece, resumed after a kill.

A backfill is rows in the record: what was asked, its steps, and the checksum of each window before
and after. A step is one run of a job over at most ten days of windows, whatever their length, so
that memory is bounded by the step and not by the stretch; what the database rolls up by itself
takes a month at a time. Its runs are queued behind everything live (`aura/class: batch`, low
priority), and at most two go at a time: one may analyse or roll up what is scored while the next
days are scored. Whoever asks for the same again continues the unfinished one; a step whose run
succeeded meanwhile is not repeated.
"""

import datetime as dt
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg

from aurastream.core.errors import AuraStreamError
from aurastream.operations.first_runs import PLANNED, READS, PlannedRun, plan_backfill
from aurastream.operations.graph import Graph, GraphError, KeyRange, moment_of
from aurastream.operations.policy import (
    database_facts,
    declared_facts,
    ended_before,
    forbidden_tables,
    limits_of,
)
from aurastream.operations.retention_rules import Limits
from aurastream.settings import Settings
from aurastream.store.archive_checksums import checksums
from aurastream.store.dead_peers import patient
from aurastream.store.purge import Relation, first_day_left, relations

__all__ = [
    "Backfill",
    "BackfillError",
    "Changed",
    "Step",
    "backfill",
    "in_pieces",
    "outdated",
    "ready",
]

# "back" as a number: one backfill at a time, in the whole installation.
_LOCK: Final = 0x6261636B
_TIMEOUT_S: Final = 3600.0
# A run holds its windows in memory and its pool's slot to its end, whatever their length.
_STEP: Final = dt.timedelta(days=10)
# Rows of these stay in the database, so a run's fixed cost is worth more than a short step.
_STEP_OF: Final = {
    "hourly_rollup": dt.timedelta(days=31),
    "daily_rollup": dt.timedelta(days=31),
}
_COMPUTED: Final = ("rescore", "analyses", "hourly_rollup", "daily_rollup")
_LEARNING: Final = "learning"
"""The job of models, predictions and what became of them, which no backfill computes again."""
_AT_ONCE: Final = 2  # the slots that the queue gives to batch runs (deploy/dagster.yaml)
_TAGS: Final = {
    "aura/class": "batch",
    "dagster/priority": "-10",
    # Jobs allow what one partition may take.
    "dagster/max_runtime": str(int(_TIMEOUT_S)),
}


class BackfillError(AuraStreamError):
    """A backfill cannot be started, or a run of it failed."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What a backfill did to one table.

    Parameters
    ----------
    table : str
        ``schema.table``.
    windows : int
        Windows compared.
    changed, new, gone : int
        Windows whose rows differ; that had none before; that have none any more.
    rows_before, rows_after : int
        Rows in all of them.
    examples : tuple of datetime
        The first windows that changed.
    """

    table: str
    windows: int
    changed: int
    new: int
    gone: int
    rows_before: int
    rows_after: int
    examples: tuple[dt.datetime, ...]


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill that is done."""

    backfill_id: str
    resumed: bool
    partitions: int
    changes: tuple[Changed, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One run of a backfill.

    Parameters
    ----------
    place : int
        Its place in the plan.
    job : str
        What computes it.
    keys : KeyRange
        Its partitions.
    start, end : datetime
        What they cover, [start, end).
    run_id : str, optional
        The run that was launched for it.
    is_done : bool
        Whether it needs nothing more.
    """

    place: int
    job: str
    keys: KeyRange
    start: dt.datetime
    end: dt.datetime
    run_id: str | None = None
    is_done: bool = False


def ready(steps: Sequence[Step], done: Collection[int], under_way: Collection[int]) -> list[Step]:
    """Return the steps that may begin, in their order.

    A step waits for the steps of its own job before it, because a window may take over what the
    one before it found, and for those of the jobs it reads (`READS`) that begin before it ends.

    Parameters
    ----------
    steps : sequence of Step
        All of them, in their order.
    done, under_way : collection of int
        The places of those that are.
    """

    def waits_for(step: Step, other: Step) -> bool:
        if other.job == step.job:
            return other.place < step.place
        return other.job in READS.get(step.job, ()) and other.start < step.end

    return [
        step
        for step in steps
        if step.place not in done
        and step.place not in under_way
        and all(other.place in done for other in steps if waits_for(step, other))
    ]


def in_pieces(
    keys: KeyRange, known: Sequence[str], span: dt.timedelta = _STEP
) -> Iterator[KeyRange]:
    """Divide a range of partition keys into pieces that begin within ``span`` of their first.

    Examples
    --------
    >>> keys = [f"2026-11-{day:02}" for day in range(1, 31)]
    >>> [(p.start, p.end, p.count) for p in in_pieces(KeyRange(keys[1], keys[9], 9), keys)]
    [('2026-11-02', '2026-11-08', 7), ('2026-11-09', '2026-11-10', 2)]
    """
    piece: list[str] = []
    for key in known:
        if not keys.start <= key <= keys.end:
            continue
        if piece and moment_of(key) - moment_of(piece[0]) >= span:
            yield KeyRange(piece[0], piece[-1], len(piece))
            piece = []
        piece.append(key)
    if piece:
        yield KeyRange(piece[0], piece[-1], len(piece))


def backfill(
    settings: Settings,
    graph: Graph,
    start: dt.datetime,
    end: dt.datetime | None,
    *,
    now: dt.datetime,
    assets: Sequence[str] = (),
    again: bool = False,
    on_plan: Callable[[int], None] = lambda _: None,
    on_step: Callable[[str, int], None] = lambda _label, _count: None,
) -> Backfill:
    """Compute what is missing of [start, end), or all of it, and say what changed.

    Parameters
    ----------
    settings : Settings
        The installation.
    graph : Graph
        The running graph.
    start, end : datetime
        Aware; without an end, that of the unfinished one, else the present.
    now : datetime
        The present.
    assets : sequence of str
        Only these, as ``stage/table``; all that are computed from snapshots by default.
    again : bool
        Also what is materialized already.
    on_plan, on_step : callable
        Told how many partitions there are, and of each step that is done.

    Raises
    ------
    BackfillError
        When another backfill is under way, an asset is not known or not permitted, a run failed, or
        Postgres went away. Everything that was done stays done.
    """
    _refuse_forbidden(settings, assets)
    with _resumable(), _alone(settings) as connection:
        known = {r.name: r for r in relations(settings.require_postgres())}
        times = {n: f.time_column for n, f in database_facts(settings.require_postgres()).items()}
        found, resumed = _find_or_plan(
            connection, graph, (start, end, now), assets=tuple(assets), again=again
        )
        steps = _steps(connection, graph, found)
        total = sum(step.keys.count for step in steps)
        on_plan(total)
        tables = {
            job: _tables_of(graph, job, assets, known, times)
            for job in dict.fromkeys(step.job for step in steps if not step.is_done)
        }
        work = _Work(connection, graph, found, assets, again, tables)
        try:
            for step in _run_all(work, steps):
                on_step(step.job, step.keys.count)
        except BackfillError as error:
            _finish(connection, found, "FAILED", str(error))
            raise
        _finish(connection, found, "DONE", "")
        return Backfill(found, resumed, total, tuple(_changes(connection, found)))


def outdated(
    settings: Settings,
    graph: Graph,
    start: dt.datetime,
    end: dt.datetime,
    *,
    now: dt.datetime,
    assets: Sequence[str] = (),
) -> dict[str, int]:
    """Return how many windows in [start, end) another code version computed, by asset.

    Those that no backfill computes again are not counted: windows that the terms have ended, those
    of which nothing is left, and what is learned or looked at once.

    Parameters
    ----------
    settings : Settings
        The installation.
    graph : Graph
        The running graph.
    start, end : datetime
        Aware.
    now : datetime
        The present.
    assets : sequence of str
        Only these, as ``stage/table``; all by default.
    """
    limits = limits_of(settings)
    computed = {"/".join(key) for job in _COMPUTED for key in graph.assets_of(job)}
    versions = {
        asset: version
        for asset, version in graph.code_versions().items()
        if asset in computed and (not assets or asset in assets)
    }
    with psycopg.connect(settings.require_postgres(), connect_timeout=10) as connection:
        begun = max(start, first_day_left(connection) or start)
        starts = [max(begun, _ended(asset, limits, now) or begun) for asset in versions]
        rows = connection.execute(
            "SELECT v.asset, count(*) FROM maintenance.window_versions v "
            "JOIN unnest(%s::text[], %s::text[], %s::timestamptz[]) "
            "AS current (asset, code_version, since) USING (asset) "
            "WHERE v.code_version <> current.code_version "
            "AND v.window_start >= current.since AND v.window_start < %s GROUP BY 1 ORDER BY 1",
            (list(versions), list(versions.values()), starts, end),
        ).fetchall()
    return dict(rows)


def _ended(asset: str, limits: Limits, now: dt.datetime) -> dt.datetime | None:
    table = asset.replace("/", ".")
    return ended_before(table, limits, now) if table in declared_facts() else None


def _refuse_forbidden(settings: Settings, assets: Sequence[str]) -> None:
    """Say that the policy mode forbids an asset, which has no job to compute it then."""
    limits = limits_of(settings)
    withheld = forbidden_tables(limits)
    refused = sorted(asset for asset in assets if asset.replace("/", ".") in withheld)
    if refused:
        raise BackfillError(
            f"In policy mode {limits.mode}, {', '.join(refused)} may not be computed.",
            fix="`aurastream retention` says why; docs/operations.md has what each mode permits.",
        )


@contextmanager
def _resumable() -> Iterator[None]:
    """Say in one line what to do when Postgres ends in the middle: what is planned is on record."""
    try:
        yield
    except psycopg.Error as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise BackfillError(
            f"Postgres did not let the backfill go on: {reason.rstrip('.')}.",
            fix="When it answers, give the same command again; it goes on from there.",
        ) from error


@contextmanager
def _alone(settings: Settings) -> Iterator[psycopg.Connection]:
    with psycopg.connect(
        patient(settings.require_postgres()),
        autocommit=True,
        application_name="aurastream-backfill",
        options="-ctimezone=UTC",
    ) as connection:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        if row is None or not row[0]:
            raise BackfillError(
                "Another backfill is under way.", fix="Wait for its end; it shows in the UI."
            )
        try:
            yield connection
        finally:
            # The server takes a moment to notice that a session has ended.
            with suppress(psycopg.Error):
                connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def _find_or_plan(
    connection: psycopg.Connection,
    graph: Graph,
    asked: tuple[dt.datetime, dt.datetime | None, dt.datetime],
    *,
    assets: tuple[str, ...],
    again: bool,
) -> tuple[str, bool]:
    """Return the backfill to work on: the unfinished one of the same request, or a new one."""
    start, wanted_end, now = asked
    row = connection.execute(
        "SELECT backfill_id, range_start, range_end, assets, again FROM maintenance.backfills "
        "WHERE status = 'RUNNING' AND range_start = %s AND range_end = coalesce(%s, range_end) "
        "AND assets = %s AND again = %s ORDER BY asked_at DESC LIMIT 1",
        (start, wanted_end, list(assets), again),
    ).fetchone()
    if row is not None:
        return str(row[0]), True
    end = wanted_end or now
    begun = max(start, first_day_left(connection) or start)
    groups = plan_backfill(graph, start=begun, end=end, again=again)
    planned = [run for group in groups for run in group]
    if assets:
        planned = _confined(graph, planned, assets, begun, end, again=again)
    backfill_id = str(uuid.uuid4())
    pieces = [
        (run.job, piece)
        for run in planned
        if run.keys is not None
        for piece in in_pieces(
            run.keys,
            graph.partition_keys(graph.partitioned_asset(run.job)),
            _STEP_OF.get(run.job, _STEP),
        )
    ]
    with connection.transaction(), connection.cursor() as cursor:
        # What another request left unfinished is over: this one plans what is missing anyhow. One
        # that is refused has got no further than here.
        cursor.execute(
            "UPDATE maintenance.backfills SET status = 'FAILED', ended_at = now(), "
            "detail = 'left unfinished; another one was asked for' WHERE status = 'RUNNING'"
        )
        cursor.execute(
            "INSERT INTO maintenance.backfills (backfill_id, asked_at, range_start, range_end, "
            "assets, again, status, partitions, done, detail) "
            "VALUES (%s, now(), %s, %s, %s, %s, 'RUNNING', %s, 0, '')",
            (backfill_id, start, end, list(assets), again, sum(p.count for _, p in pieces)),
        )
        cursor.executemany(
            "INSERT INTO maintenance.backfill_steps (backfill_id, job, first_key, last_key, step, "
            "partitions, status) VALUES (%s, %s, %s, %s, %s, %s, 'PLANNED')",
            [
                (backfill_id, job, piece.start, piece.end, place, piece.count)
                for place, (job, piece) in enumerate(pieces)
            ],
        )
    return backfill_id, False


def _confined(
    graph: Graph,
    planned: Sequence[PlannedRun],
    assets: Sequence[str],
    start: dt.datetime,
    end: dt.datetime,
    *,
    again: bool,
) -> list[PlannedRun]:
    """Return the runs of the named assets alone, each in the job that computes it."""
    jobs = dict.fromkeys(run.job for run in planned) or {}
    jobs |= dict.fromkeys(_COMPUTED)
    learned = {"/".join(key) for key in graph.assets_of(_LEARNING)} & set(assets)
    if learned and again:
        raise BackfillError(
            f"{', '.join(sorted(learned))} rests on the 30 days before, which may have gone.",
            fix=f"Without --again its missing days are computed. In the Dagster UI, days of the "
            f"job {_LEARNING} can be launched again.",
        )
    jobs |= {_LEARNING: None}
    found: list[PlannedRun] = []
    placed: set[str] = set()
    for job in jobs:
        for key in graph.assets_of(job):
            name = "/".join(key)
            if name in assets and name not in placed and graph.partition_keys(key):
                placed.add(name)
                ranges = graph.missing(key, start, end, again=again)
                found += [PlannedRun(job, keys=keys) for keys in ranges]
    strangers = set(assets) - placed
    if strangers:
        raise BackfillError(
            f"No job computes {', '.join(sorted(strangers))} from snapshots, window by window.",
            fix="Name assets as stage/table, for example intelligence/viral_scores.",
        )
    return list(dict.fromkeys(found))


def _steps(connection: psycopg.Connection, graph: Graph, backfill_id: str) -> list[Step]:
    rows = connection.execute(
        "SELECT step, job, first_key, last_key, partitions, run_id, status "
        "FROM maintenance.backfill_steps WHERE backfill_id = %s ORDER BY step",
        (backfill_id,),
    ).fetchall()
    lengths = {
        job: graph.window_length(graph.partitioned_asset(job))
        for job in dict.fromkeys(str(row[1]) for row in rows)
    }
    return [
        Step(
            place,
            job,
            KeyRange(first, last, count),
            moment_of(first),
            moment_of(last) + lengths[job],
            run_id,
            status == "DONE",
        )
        for place, job, first, last, count, run_id, status in rows
    ]


@dataclass(frozen=True, slots=True)
class _Work:
    """What every step of a backfill needs."""

    connection: psycopg.Connection
    graph: Graph
    backfill_id: str
    assets: Sequence[str]
    again: bool
    tables: Mapping[str, Sequence[tuple[Relation, str]]]


def _run_all(work: _Work, steps: Sequence[Step]) -> Iterator[Step]:
    """Run the steps, as soon as what they read is there; yield each that is done."""
    done = {step.place for step in steps if step.is_done}
    yield from (step for step in steps if step.is_done)
    running: dict[str, Step] = {}
    while len(done) < len(steps):
        under_way = {step.place for step in running.values()}
        for step in ready(steps, done, under_way)[: _AT_ONCE - len(running)]:
            _compare_before(work, step)
            # The run of a backfill that was cut off may have succeeded, or be under way still.
            running[step.run_id or _launch(work, step)] = step
        run_id, status = _first_ended(work.graph, list(running))
        step = running.pop(run_id)
        if status != "SUCCESS" and run_id == step.run_id:
            running[_launch(work, step)] = replace(step, run_id=None)
            continue
        follower = work.graph.replacement(run_id) if status == "FAILURE" else None
        if follower is not None:
            _mark(work.connection, work.backfill_id, step, "LAUNCHED", follower)
            running[follower] = replace(step, run_id=None)
            continue
        if status != "SUCCESS":
            raise BackfillError(
                f"The run of {step.job} from {step.keys.start} to {step.keys.end} ended as "
                f"{status}. {work.graph.explain(run_id)}",
                fix="Mend the cause and give the same command again; it goes on from there.",
            )
        _compare_after(work, step)
        _mark(work.connection, work.backfill_id, step, "DONE", None)
        done.add(step.place)
        yield step


def _launch(work: _Work, step: Step) -> str:
    run_id = work.graph.launch(
        step.job,
        keys=step.keys,
        tags={**_TAGS, **PLANNED, "aura/backfill": work.backfill_id},
        assets=_chosen(work, step),
    )
    _mark(work.connection, work.backfill_id, step, "LAUNCHED", run_id)
    return run_id


def _chosen(work: _Work, step: Step) -> list[tuple[str, ...]]:
    """Return the assets of its job that a step computes: none stands for all."""
    everything = work.graph.assets_of(step.job)
    named = [key for key in everything if not work.assets or "/".join(key) in work.assets]
    # What has no partitions is kept up by every run.
    lacking = [
        key
        for key in named
        if work.again
        or work.graph.missing(key, step.start, step.end)
        or not work.graph.partition_keys(key)
    ]
    chosen = lacking or named
    return [] if chosen == everything else chosen


def _first_ended(graph: Graph, run_ids: Sequence[str]) -> tuple[str, str]:
    """Wait until one of some runs has ended; return it with its status."""
    try:
        return next(graph.ended(run_ids, timeout_s=_TIMEOUT_S))
    except (GraphError, StopIteration) as error:
        raise BackfillError(
            f"Of the runs {', '.join(run_ids)} none was seen to end: {error}.",
            fix="Give the same command again; it goes on from there.",
        ) from error


def _tables_of(
    graph: Graph,
    job: str,
    assets: Sequence[str],
    known: dict[str, Relation],
    times: dict[str, str | None],
) -> list[tuple[Relation, str]]:
    """Return the tables that a step writes, with their time column."""
    found: list[tuple[Relation, str]] = []
    for key in graph.assets_of(job):
        name = ".".join(key)
        column = times.get(name)
        is_wanted = not assets or "/".join(key) in assets
        if name in known and column is not None and is_wanted and graph.partition_keys(key):
            found.append((known[name], column))
    return found


def _compare_before(work: _Work, step: Step) -> None:
    """Write down each window's checksum; what was written down before a kill stays."""
    for relation, column in work.tables[step.job]:
        found = checksums(work.connection, relation, column, step.start, step.end)
        rows = [
            (work.backfill_id, relation.name, at, n, digest) for at, (n, digest) in found.items()
        ]
        if rows:
            with work.connection.transaction(), work.connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO maintenance.backfill_windows (backfill_id, table_name, "
                    "window_start, rows_before, checksum_before) VALUES (%s, %s, %s, %s, %s) "
                    "ON CONFLICT DO NOTHING",
                    rows,
                )


def _compare_after(work: _Work, step: Step) -> None:
    for relation, column in work.tables[step.job]:
        span = step.start, step.end
        found = checksums(work.connection, relation, column, *span)
        with work.connection.transaction(), work.connection.cursor() as cursor:
            cursor.execute(
                "UPDATE maintenance.backfill_windows SET rows_after = 0, checksum_after = '' "
                "WHERE backfill_id = %s AND table_name = %s AND window_start >= %s "
                "AND window_start < %s",
                (work.backfill_id, relation.name, *span),
            )
            rows = [
                (work.backfill_id, relation.name, at, n, digest)
                for at, (n, digest) in found.items()
            ]
            if rows:
                cursor.executemany(
                    "INSERT INTO maintenance.backfill_windows (backfill_id, table_name, "
                    "window_start, rows_before, checksum_before, rows_after, checksum_after) "
                    "VALUES (%s, %s, %s, 0, '', %s, %s) ON CONFLICT "
                    "(backfill_id, table_name, window_start) DO UPDATE SET "
                    "rows_after = excluded.rows_after, checksum_after = excluded.checksum_after",
                    rows,
                )


def _mark(
    connection: psycopg.Connection, backfill_id: str, step: Step, status: str, run_id: str | None
) -> None:
    with connection.transaction():
        connection.execute(
            "UPDATE maintenance.backfill_steps SET status = %s, run_id = coalesce(%s, run_id) "
            "WHERE backfill_id = %s AND step = %s",
            (status, run_id, backfill_id, step.place),
        )
        connection.execute(
            "UPDATE maintenance.backfills SET done = (SELECT coalesce(sum(partitions), 0) "
            "FROM maintenance.backfill_steps WHERE backfill_id = %(id)s AND status = 'DONE') "
            "WHERE backfill_id = %(id)s",
            {"id": backfill_id},
        )


def _finish(connection: psycopg.Connection, backfill_id: str, status: str, detail: str) -> None:
    # A failed one can be continued by the same request, so it stays open with its reason.
    connection.execute(
        "UPDATE maintenance.backfills SET status = %s, detail = %s, "
        "ended_at = CASE WHEN %s THEN now() END WHERE backfill_id = %s",
        ("DONE" if status == "DONE" else "RUNNING", detail, status == "DONE", backfill_id),
    )


def _changes(connection: psycopg.Connection, backfill_id: str) -> Iterator[Changed]:
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT table_name, count(*), "
        "count(*) FILTER (WHERE checksum_before <> checksum_after AND checksum_before <> '' "
        "  AND checksum_after <> ''), "
        "count(*) FILTER (WHERE checksum_before = ''), "
        "count(*) FILTER (WHERE checksum_after = ''), "
        "sum(rows_before)::bigint, sum(rows_after)::bigint, "
        "(array_agg(window_start ORDER BY window_start) FILTER "
        "  (WHERE checksum_before <> checksum_after))[1:5] "
        "FROM maintenance.backfill_windows WHERE backfill_id = %s AND rows_after IS NOT NULL "
        "GROUP BY 1 ORDER BY 1",
        (backfill_id,),
    ).fetchall()
    for table, windows, changed, new, gone, before, after, examples in rows:
        yield Changed(table, windows, changed, new, gone, before, after, tuple(examples or ()))
