"""A subject in Arrow tables: files of the archive, and writes that wait in the spool."""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from aurastream.store.archive import Archive
from aurastream.store.archive_manifest import Manifests
from aurastream.store.errors import ArchiveError
from aurastream.store.purge_subject import BLANK, MENTIONS, Search, Subject
from aurastream.store.purge_subject_tables import TEXTS, named_in, owners_in, text_without
from aurastream.store.spool import Spool

__all__ = ["archived_tables", "in_archive", "in_spool", "learned", "without"]

_JSONB = b"\x01"  # the binary format of jsonb begins with its version


def learned(
    table: str, rows: pa.Table, identifier: str, *, is_youtube: bool
) -> tuple[set[str], dict[str, set[str]]]:
    """Return the ids of videos or clips, and the names, that rows give to somebody."""
    owners = owners_in(table, rows.column_names)
    own, item = ("channel", "video_id") if is_youtube else ("user", "clip_id")
    ids: set[str] = set()
    names: dict[str, set[str]] = {}
    for owner in (name for name, kind in owners.items() if kind == own):
        theirs = rows.filter(_is_in(rows.column(owner), [identifier]))
        if item in owners:
            ids |= {value for value in theirs.column(item).to_pylist() if value}
        for name in named_in(table, rows.column_names).get(owner, ()):
            found = {value for value in theirs.column(name).to_pylist() if value}
            names.setdefault(name, set()).update(found)
    return ids, names


def without(table: str, rows: pa.Table, subject: Subject) -> tuple[pa.Table, int]:
    """Return rows of a table without a subject, and how many rows and mentions went."""
    kept = rows
    for name, kind in owners_in(table, rows.column_names).items():
        if subject.ids[kind]:
            kept = kept.filter(pc.invert(_is_in(kept.column(name), subject.ids[kind])))
    found = rows.num_rows - kept.num_rows
    for place, column in enumerate(rows.schema):
        if column.name in MENTIONS and subject.ids["video"]:
            values, count = _mentions(kept.column(place), subject)
        elif column.name in TEXTS.get(table, ()):
            values, count = _prose(kept.column(place), subject)
        else:
            continue
        if count:
            kept = kept.set_column(place, column, values)
            found += count
    return kept, found


def archived_tables(archive: Archive, search: Search) -> Iterator[tuple[str, pa.Table]]:
    """Yield table and rows of every file that says whose something is."""
    for dataset in archive.datasets():
        for path in archive.files(dataset):
            try:
                columns = archive.schema(path).names
                kinds = set(owners_in(dataset, columns).values())
                if kinds & {"channel", "user"}:
                    yield dataset, archive.read(path)
            except ArchiveError as error:
                search.cannot(path, error)


def in_archive(
    archive: Archive, manifests: Manifests, subject: Subject, search: Search, *, remove: bool
) -> None:
    """Count, and remove, a subject's rows from every archived file, by table.

    A file that is not the one of its manifest is left alone and named: a new checksum would make
    its damage look whole.
    """
    for dataset in archive.datasets():
        for path in archive.files(dataset):
            try:
                rows = manifests.read(path)
                kept, found = without(dataset, rows, subject)
                search.add(dataset, found)
                if found and remove:
                    manifests.rewrite(path, kept)
            except ArchiveError as error:
                search.cannot(path, error)


def in_spool(spool: Spool, subject: Subject, search: Search, *, remove: bool) -> None:
    """Count, and remove, what writes that wait or were set aside hold of a subject."""

    def change(table: str, rows: pa.Table) -> pa.Table:
        kept, found = without(table, rows, subject)
        search.add(table, found)
        return kept if found and remove else rows

    for path, error in spool.revise(change):
        search.cannot(path, error)


def _is_in(column: pa.ChunkedArray, values: Iterable[str]) -> pa.ChunkedArray:
    wanted = pa.array(sorted(values), pa.string())
    return pc.fill_null(pc.is_in(column, value_set=wanted), False)  # noqa: FBT003 # Arrow's


def _mentions(column: pa.ChunkedArray, subject: Subject) -> tuple[pa.Array, int]:
    """Blank the values of a column, or of its lists, that are ids; counts rows."""
    ids = subject.ids["video"]
    found = 0
    changed: list[object] = []
    for value in column.to_pylist():
        if isinstance(value, list):
            new: object = [BLANK if item in ids else item for item in value]
        else:
            new = BLANK if value in ids else value
        found += new != value
        changed.append(new)
    return pa.array(changed, column.type), found


def _prose(column: pa.ChunkedArray, subject: Subject) -> tuple[pa.Array, int]:
    """Blank the mentions in a column of texts or JSON; counts rows."""
    found = 0
    changed: list[str | bytes | None] = []
    for value in column.to_pylist():
        if value is None:
            changed.append(None)
            continue
        packed = isinstance(value, bytes)
        text, count = text_without(
            value.removeprefix(_JSONB).decode() if packed else value, subject
        )
        found += bool(count)
        new = (_JSONB + text.encode() if packed else text) if count else value
        changed.append(new)
    return pa.array(changed, column.type), found
