"""The monthly archive: which tables and columns it may keep, how a month is written and proved.

A month is made of days. A day that the record still has is written anew; a day that retention took
away meanwhile keeps the file that was written before it went. So the archive of a month is whole
although the record holds about as many days as a month has, and a re-run gives the same files.
"""

import contextlib
import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import psycopg
import pyarrow as pa

from aurastream.core.errors import SettingsError
from aurastream.operations.late_rows import replaced_by, with_late_rows, without_strangers
from aurastream.operations.policy import database_facts, label_of, limits_of
from aurastream.operations.retention_rules import TableFacts, may_archive
from aurastream.settings import Settings
from aurastream.store.archive import SCHEMA_VERSION, Archive, ArchivedFile, checksum_of, combined
from aurastream.store.archive_manifest import Manifests
from aurastream.store.archive_rows import (
    days_with_rows,
    has_rows,
    identity_of,
    put_back_day,
    read_day,
    without_forgotten,
)
from aurastream.store.connections import ConnectionPool
from aurastream.store.dead_peers import patient
from aurastream.store.errors import ArchiveError
from aurastream.store.purge import Relation, connect, oldest, relations
from aurastream.store.purge_proofs import Purges, purges_of

__all__ = [
    "ArchivedDataset",
    "Comparison",
    "Dataset",
    "archive_days",
    "archive_month",
    "archived_datasets",
    "compare_month",
    "month_of",
    "open_archive",
    "refresh_manifests",
    "require_archivable",
    "restore_month",
]

_SCHEMAS: Final = frozenset({"collection", "intelligence", "aggregation", "reporting"})
_OF_OPERATIONS: Final = frozenset(
    {"operations.crawls", "operations.fetch_log", "operations.quota_ledger"}
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A table that is archived, and the columns of it that may be."""

    relation: Relation
    time_column: str
    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    notes: Mapping[str, object]

    @property
    def name(self) -> str:
        """Return ``schema.table``."""
        return self.relation.name


@dataclass(frozen=True, slots=True)
class ArchivedDataset:
    """A month of one table in the archive."""

    name: str
    rows: int
    bytes: int
    content_sha256: str
    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    path: str
    files: tuple[ArchivedFile, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A day of a table, as the archive and as the record have it.

    Parameters
    ----------
    dataset, day : str
        Which.
    rows_archived, rows_found : int
        Rows in the archive and in the record.
    is_equal : bool
        Whether they are the same rows.
    rows_beyond : int
        Rows of the record that the archive does not have.
    is_there : bool
        Whether every archived row is in the record as it was archived.
    """

    dataset: str
    day: str
    rows_archived: int
    rows_found: int
    is_equal: bool
    rows_beyond: int = 0
    is_there: bool = True


def open_archive(settings: Settings) -> Archive:
    """Open the archive of an installation.

    Raises
    ------
    SettingsError
        When ``archive_options`` is no JSON object.
    """
    url = settings.archive_url or str((settings.data_dir / "archive").resolve())
    return Archive(url, _options(settings))


def _options(settings: Settings) -> dict[str, Any]:
    if settings.archive_options is None:
        return {}
    try:
        found: object = json.loads(settings.archive_options.get_secret_value())
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise SettingsError(
            "archive_options is no JSON object.",
            fix='Write it as {"endpoint_url": "https://…", "key": "…", "secret": "…"}.',
        )
    return found


def month_of(text: str) -> dt.date:
    """Read a month.

    Raises
    ------
    ArchiveError
        When it is none.

    Examples
    --------
    >>> month_of("2026-10")
    datetime.date(2026, 10, 1)
    """
    try:
        return dt.datetime.strptime(text, "%Y-%m").replace(tzinfo=dt.UTC).date()
    except ValueError:
        raise ArchiveError(f"{text} is no month.", fix="Write it as 2026-10.") from None


def require_archivable(
    settings: Settings, archive: Archive, month: dt.date, now: dt.datetime
) -> None:
    """Refuse a month that is not over, or that lies before everything we have.

    Raises
    ------
    ArchiveError
        With the first month that can be archived, or when this one can. Nothing is written.
    """
    end = (month + dt.timedelta(days=32)).replace(day=1)
    if now.date() < end:
        raise ArchiveError(
            f"{month:%Y-%m} is not over.", fix=f"Archive it from {end:%Y-%m-%d} on (UTC)."
        )
    archive.require_there()
    first = _first_day(settings, archive)
    if first is None or first >= end:
        said = "there is none" if first is None else f"it begins on {first:%Y-%m-%d}"
        own = "" if first is None else f", the first is --month {first:%Y-%m}"
        raise ArchiveError(
            f"{month:%Y-%m} lies before all data: {said}.",
            fix=f"Name a month of which something was collected{own}.",
        )


def _first_day(settings: Settings, archive: Archive) -> dt.date | None:
    """Return the first day that the record or the archive has a row of."""
    url = settings.require_postgres()
    found: list[dt.date] = []
    with connect(url) as connection:
        for dataset in archived_datasets(settings):
            at = oldest(connection, dataset.name, dataset.time_column)
            found += [at.astimezone(dt.UTC).date()] if at is not None else []
            found += [_day_of(path) for path in archive.files(dataset.name)[:1]]
    return min(found, default=None)


def _day_of(path: str) -> dt.date:
    return dt.date.fromisoformat(path.rpartition("/")[2].removesuffix(".parquet"))


def archived_datasets(settings: Settings) -> list[Dataset]:
    """Return the tables that are archived in the policy mode in force, by name."""
    url = settings.require_postgres()
    facts = database_facts(url)
    found = (_dataset(relation, facts[relation.name], settings) for relation in relations(url))
    return [dataset for dataset in found if dataset is not None]


def archive_month(
    settings: Settings,
    archive: Archive,
    month: dt.date,
    *,
    on_dataset: Callable[[ArchivedDataset], None] = lambda _: None,
) -> list[ArchivedDataset]:
    """Write a month of every table, then its manifest; safe to repeat and to kill.

    Returns
    -------
    list of ArchivedDataset
        Tables without a row that month are missing.

    Raises
    ------
    ArchiveError
        Before anything is read, when there is no such bucket. When a file of a day that the record
        no longer has is not the one that the manifest knows: it is left alone under its old
        checksum, and all others are archived.
    """
    url = settings.require_postgres()
    archive.require_there()
    done: list[ArchivedDataset] = []
    manifests = Manifests(archive)
    faults: dict[str, str] = {}
    lost = manifests.lost(month)
    with _connections(url) as connections:
        for dataset in archived_datasets(settings):
            archive.sweep(dataset.name, month)
            with _asking(url) as connection:
                past = purges_of(connection, dataset.name)
            for day in _days(connections, dataset, month):
                try:
                    _write_day(connections, archive, manifests, dataset, day, past=past)
                except ArchiveError as error:
                    faults[archive.path_of(dataset.name, day)] = str(error)
            # Files of days that the record no longer has were written when they went.
            paths = archive.files(dataset.name, month)
            absent = [path for path in lost if path.startswith(f"{dataset.name}/")]
            files = []
            for path in sorted({*paths, *absent}):
                try:
                    files.append(manifests.describe(path))
                except ArchiveError as error:
                    faults[path] = str(error)
                    known = manifests.known(path)
                    if known is not None:
                        files.append(known)
            if not files:
                continue
            entry = _entry(dataset, month, files)
            on_dataset(entry)
            done.append(entry)
    archive.write_manifest(month, {entry.name: _as_json(entry) for entry in done})
    _record(url, month, done)
    if faults:
        raise ArchiveError(
            f"{len(faults)} archived files of {month:%Y-%m} are damaged: "
            f"{' '.join(faults.values())}",
            fix="Everything else is archived. Take these files from a backup.",
        )
    return done


def archive_days(
    settings: Settings, archive: Archive, days: Mapping[str, Sequence[dt.date]]
) -> dict[str, dict[dt.date, int]]:
    """Make the archive have what the record has of the given days of each table.

    Called by retention, before it drops them. A day that was archived before is compared, value by
    value, and written again where rows came later or changed.

    Returns
    -------
    dict of str to dict of date to int
        How many rows the record had of each day, by table; tables that are not archived are
        missing.
    """
    url = settings.require_postgres()
    found: dict[str, dict[dt.date, int]] = {}
    with _connections(url) as connections:
        for dataset in archived_datasets(settings):
            if dataset.name not in days:
                continue
            # Asked before a day is read: that takes one of the connections that first learn all
            # types there are, and mostly no day has a row.
            with _asking(url) as connection:
                past = purges_of(connection, dataset.name)
                filled = {
                    day
                    for day in days[dataset.name]
                    if has_rows(connection, dataset.relation, dataset.time_column, day)
                }
            manifests = Manifests(archive)
            found[dataset.name] = {
                day: _write_day(
                    connections, archive, manifests, dataset, day, past=past, only_changed=True
                )
                if day in filled
                else 0
                for day in days[dataset.name]
            }
            _restate(url, archive, manifests, dataset, days[dataset.name])
    return found


def compare_month(
    settings: Settings, archive: Archive, month: dt.date, *, datasets: Sequence[str] = ()
) -> Iterator[Comparison]:
    """Compare every archived day with the record, value by value.

    Rows of the forgotten, which a copy of the archive may still have, are not expected back.

    Raises
    ------
    ArchiveError
        When the month was not archived, or a file is not the one of its manifest.
    """
    url = settings.require_postgres()
    with _connections(url) as connections:
        for relation, column, entry in _archived(url, archive, month, datasets):
            for file in entry["files"]:
                day = _day_of(file["path"])
                whole = archive.read(file["path"], sha256=file["sha256"])
                kept = without_forgotten(connections, whole)
                is_whole = kept.num_rows == whole.num_rows
                found = read_day(connections, relation, column, day, kept.column_names)
                yield _compared(
                    relation.name,
                    day,
                    kept,
                    found,
                    by=[n for n in identity_of(relation, column) if n in kept.column_names],
                    checksum=file["content_sha256"] if is_whole else checksum_of(kept),
                )


def _compared(
    name: str, day: dt.date, kept: pa.Table, found: pa.Table, *, by: Sequence[str], checksum: str
) -> Comparison:
    counts = name, day.isoformat(), kept.num_rows, found.num_rows
    if checksum_of(found) == checksum:
        return Comparison(*counts, is_equal=True)
    common = without_strangers(kept, found, by=by)
    return Comparison(
        *counts,
        is_equal=False,
        rows_beyond=found.num_rows - common.num_rows,
        is_there=checksum_of(common) == checksum,
    )


def restore_month(
    settings: Settings,
    archive: Archive,
    month: dt.date,
    *,
    datasets: Sequence[str] = (),
    on_day: Callable[[Comparison], None] = lambda _: None,
) -> list[Comparison]:
    """Put a month's rows back into the record, and prove it by reading them again.

    Each day is one transaction. An archived row takes the place of the one of the same key; rows
    that the archive does not have stay, and are counted (`Comparison.rows_beyond`).

    Raises
    ------
    ArchiveError
        When the archive is damaged, lacks columns that the record must have, or has nothing of
        that month.
    """
    url = settings.require_postgres()
    manifest = archive.manifest(month)
    if manifest is not None and not manifest["datasets"]:
        raise ArchiveError(
            f"The archive of {month:%Y-%m} has no row.", fix="There is nothing to put back."
        )
    for relation, column, entry in _archived(url, archive, month, datasets):
        for file in entry["files"]:
            day = _day_of(file["path"])
            rows = archive.read(file["path"], sha256=file["sha256"])
            put_back_day(url, relation, column, day, rows)
    proved = []
    for comparison in compare_month(settings, archive, month, datasets=datasets):
        on_day(comparison)
        proved.append(comparison)
    return proved


def refresh_manifests(settings: Settings, archive: Archive, manifests: Manifests) -> None:
    """Write the manifests of months whose files were rewritten or removed.

    Nothing else is described anew: what was damaged before keeps the checksum that says so.
    """
    url = settings.require_postgres()
    for month in manifests.changed():
        manifests.lost(month)  # lets go of what was removed on purpose
        entries = _known_entries(manifests, month)
        archive.write_manifest(month, {name: _as_json(entry) for name, entry in entries.items()})
        _record(url, month, list(entries.values()))


def _archived(
    url: str, archive: Archive, month: dt.date, wanted: Sequence[str]
) -> Iterator[tuple[Relation, str, dict[str, Any]]]:
    archive.require_there()
    manifest = archive.manifest(month)
    if manifest is None:
        known = ", ".join(f"{m:%Y-%m}" for m in archive.months()) or "none"
        raise ArchiveError(f"{month:%Y-%m} is not archived.", fix=f"There are the months: {known}.")
    strangers = set(wanted) - set(manifest["datasets"])
    if strangers:
        raise ArchiveError(
            f"The archive of {month:%Y-%m} has no {', '.join(sorted(strangers))}.",
            fix=f"It has {', '.join(manifest['datasets'])}.",
        )
    known_relations = {relation.name: relation for relation in relations(url)}
    facts = database_facts(url)
    for name, entry in manifest["datasets"].items():
        if wanted and name not in wanted:
            continue
        if name not in known_relations:
            raise ArchiveError(
                f"The record has no table {name} to compare with or to restore into.",
                fix="Run `aurastream migrate`, or name the tables with --dataset.",
            )
        column = facts[name].time_column
        if column is not None:
            yield known_relations[name], column, entry


def _dataset(relation: Relation, facts: TableFacts, settings: Settings) -> Dataset | None:
    if facts.schema not in _SCHEMAS and relation.name not in _OF_OPERATIONS:
        return None
    allowed = may_archive(facts, limits_of(settings))
    if facts.time_column is None or not all(allowed[name] for name in relation.key):
        return None
    return Dataset(
        relation=relation,
        time_column=facts.time_column,
        columns=tuple(name for name in relation.columns if allowed[name]),
        left_out=tuple(name for name in relation.columns if not allowed[name]),
        notes={
            "dataset": relation.name,
            "label": label_of(settings),
            "mode": limits_of(settings).mode,
            "key": list(relation.key),
            "time_column": facts.time_column,
        },
    )


def _connections(url: str) -> contextlib.closing[ConnectionPool]:
    """Return connections that last for all days of all tables, to be closed after them."""
    return contextlib.closing(ConnectionPool(url, application="aurastream archive"))


def _days(connections: ConnectionPool, dataset: Dataset, month: dt.date) -> list[dt.date]:
    end = (month + dt.timedelta(days=32)).replace(day=1)
    return days_with_rows(connections, dataset.relation, dataset.time_column, month, end)


def _asking(url: str) -> psycopg.Connection:
    """Return a connection for a question or two, in a transaction."""
    return psycopg.connect(patient(url))


def _write_day(
    connections: ConnectionPool,
    archive: Archive,
    manifests: Manifests,
    dataset: Dataset,
    day: dt.date,
    *,
    past: Purges,
    only_changed: bool = False,
) -> int:
    """Write what the record has of a day, beside what retention took of it; return its rows."""
    rows = read_day(connections, dataset.relation, dataset.time_column, day, dataset.columns)
    path = archive.path_of(dataset.name, day)
    if not rows.num_rows:
        return 0
    found = rows
    is_known = archive.has(path)
    if is_known and past.touched(dataset.name, day):
        key = [name for name in dataset.relation.key if name in dataset.columns]
        by = replaced_by(dataset.name, key, dataset.time_column)
        found = with_late_rows(manifests.read(path), rows, by=by, order=key)
    if not (only_changed and is_known and _is_equal(manifests, path, found)):
        manifests.write(path, found, dataset.notes)
    return int(rows.num_rows)


def _is_equal(manifests: Manifests, path: str, rows: pa.Table) -> bool:
    try:
        return manifests.describe(path).content_sha256 == checksum_of(rows)
    except ArchiveError:
        return False  # damaged, and the record has all of it


def _restate(
    url: str, archive: Archive, manifests: Manifests, dataset: Dataset, days: Sequence[dt.date]
) -> None:
    """Let the manifests of months that were archived say what these days' files say now."""
    for month in sorted({day.replace(day=1) for day in days}):
        if not manifests.has(month):
            continue
        said = {file.path: file for file in manifests.files(dataset.name, month)}
        paths = [archive.path_of(dataset.name, d) for d in days if d.replace(day=1) == month]
        now = {}
        for path in paths:
            if archive.has(path):
                with contextlib.suppress(ArchiveError):  # damaged: what was said stays said
                    now[path] = manifests.describe(path)
        if month not in manifests.changed() and all(said.get(p) == f for p, f in now.items()):
            continue
        entries = _known_entries(manifests, month)
        entries[dataset.name] = _entry(dataset, month, [f for _, f in sorted((said | now).items())])
        archive.write_manifest(month, {name: _as_json(entry) for name, entry in entries.items()})
        _record(url, month, list(entries.values()))


def _known_entries(manifests: Manifests, month: dt.date) -> dict[str, ArchivedDataset]:
    """Return what the manifest of a month says, without tables that have no file left."""
    return {
        name: _described(
            name, known["path"], known["columns"], known["left_out"], manifests.files(name, month)
        )
        for name, known in manifests.entries(month).items()
        if known["files"]
    }


def _entry(dataset: Dataset, month: dt.date, files: Sequence[ArchivedFile]) -> ArchivedDataset:
    path = f"{dataset.name}/month={month:%Y-%m}"
    return _described(dataset.name, path, dataset.columns, dataset.left_out, files)


def _described(
    name: str,
    path: str,
    columns: Sequence[str],
    left_out: Sequence[str],
    files: Sequence[ArchivedFile],
) -> ArchivedDataset:
    return ArchivedDataset(
        name=name,
        rows=sum(file.rows for file in files),
        bytes=sum(file.bytes for file in files),
        content_sha256=combined([file.content_sha256 for file in files]),
        columns=tuple(columns),
        left_out=tuple(left_out),
        path=path,
        files=tuple(files),
    )


def _as_json(entry: ArchivedDataset) -> dict[str, Any]:
    found = asdict(entry)
    del found["name"]
    return found


def _record(url: str, month: dt.date, done: Sequence[ArchivedDataset]) -> None:
    """Say in the record what the manifest says."""
    with _asking(url) as connection:
        connection.execute("DELETE FROM maintenance.archive WHERE month = %s", (month,))
        for entry in done:
            connection.execute(
                "INSERT INTO maintenance.archive (month, dataset, rows, bytes, files, "
                "content_sha256, schema_version, columns, left_out, path, archived_at) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, now())",
                (
                    month,
                    entry.name,
                    entry.rows,
                    entry.bytes,
                    len(entry.files),
                    entry.content_sha256,
                    SCHEMA_VERSION,
                    list(entry.columns),
                    list(entry.left_out),
                    entry.path,
                ),
            )
