"""Changing files of the archive so that damage stays damage.

A manifest says which bytes each file has. Whoever describes a file anew first proves that it is
the one that the manifest knows; what is not stays as it is, under its old checksum, so that no
restore ever takes it for whole. A rewrite is announced in the manifest before it is done: a writer
that is killed between leaves a file of the old or of the announced checksum, and the next one
knows both.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any, Final

import pyarrow as pa

from aurastream.store.archive import Archive, ArchivedFile, packed
from aurastream.store.errors import ArchiveError

__all__ = ["Manifests"]

_NEXT: Final = "next"  # what a file will be when the rewrite that was announced is done
_MEND: Final = "Take the file from a backup, or remove it and archive the month again."


class Manifests:
    """The manifests of an archive, for one piece of work.

    Parameters
    ----------
    archive : Archive
        Whose files are changed.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._known: dict[dt.date, dict[str, Any] | None] = {}
        self._changed: set[dt.date] = set()

    def path_of(self, dataset: str, day: dt.date) -> str:
        """Return where a day of a table lies."""
        return self._archive.path_of(dataset, day)

    def read(self, path: str) -> pa.Table:
        """Read a file that is the one of its manifest, or of the checksum that it carries itself.

        Raises
        ------
        ArchiveError
            When it is damaged, or another one.
        """
        body = self._archive.bytes_of(path)
        self._proved(path, body)
        return self._archive.parsed(path, body)

    def describe(self, path: str) -> ArchivedFile:
        """Return what a manifest may say of a file, proved by what it said before.

        Raises
        ------
        ArchiveError
            When it is damaged, or another one.
        """
        body = self._archive.bytes_of(path)
        self._proved(path, body)
        return self._archive.described(path, body)

    def rewrite(self, path: str, rows: pa.Table) -> None:
        """Put rows in the place of a file; without any, remove it."""
        if rows.num_rows:
            notes = json.loads((rows.schema.metadata or {}).get(b"aurastream", b"{}"))
            self.write(path, rows, notes)
            return
        entry = self._entry(path)
        if entry is not None:
            entry[_NEXT] = None
            self._save(_month(path))
        self._archive.remove(path)
        self._drop(path)
        self._changed.add(_month(path))

    def write(self, path: str, rows: pa.Table, notes: Mapping[str, object]) -> ArchivedFile:
        """Write a file, announced in the manifest that names it."""
        entry = self._entry(path)
        if entry is not None:
            checksum = hashlib.sha256(packed(rows, notes)).hexdigest()
            if checksum != entry["sha256"]:
                entry[_NEXT] = checksum
                self._save(_month(path))
        new = self._archive.write(path, rows, notes)
        if entry is not None:
            self._adopt(entry, new)
        return new

    def lost(self, month: dt.date) -> list[str]:
        """Return files that the manifest of a month names and that are not there."""
        paths = []
        for name, dataset in self.entries(month).items():
            there = set(self._archive.files(name, month))
            for file in list(dataset["files"]):
                if file["path"] in there:
                    continue
                if _NEXT in file and file[_NEXT] is None:  # removed on purpose, and cut off
                    self._drop(file["path"])
                    self._changed.add(month)
                else:
                    paths.append(file["path"])
        return paths

    def known(self, path: str) -> ArchivedFile | None:
        """Return what the manifest says of a file."""
        entry = self._entry(path)
        return None if entry is None else _as_file(entry)

    def files(self, dataset: str, month: dt.date) -> list[ArchivedFile]:
        """Return what the manifest of a month says of the files of a table."""
        known = self.entries(month).get(dataset, {"files": []})
        return [_as_file(file) for file in known["files"]]

    def has(self, month: dt.date) -> bool:
        """Whether a month was archived."""
        return self._manifest(month) is not None

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files on purpose, whatever their state; the manifests let go of them first."""
        doomed = list(paths)
        for path in doomed:
            self._drop(path)
            self._changed.add(_month(path))
        for month in {_month(path) for path in doomed}:
            if self._manifest(month) is not None:
                self._save(month)
        for path in doomed:
            self._archive.remove(path)

    def entries(self, month: dt.date) -> dict[str, dict[str, Any]]:
        """Return what the manifest of a month says of each table; empty when there is none."""
        manifest = self._manifest(month)
        found: dict[str, dict[str, Any]] = manifest["datasets"] if manifest else {}
        return found

    def changed(self) -> list[dt.date]:
        """Return the months whose manifests are to be written."""
        return sorted(month for month in self._changed if self._manifest(month) is not None)

    def _proved(self, path: str, body: bytes) -> None:
        entry = self._entry(path)
        if entry is None:
            if not self._archive.is_itself(path, body):
                raise ArchiveError(
                    f"{path} does not hold the values it was written with; it was left as it is.",
                    fix=_MEND,
                )
            return
        found = hashlib.sha256(body).hexdigest()
        if found == entry["sha256"]:
            if _NEXT in entry:  # announced, and cut off before it was done
                del entry[_NEXT]
                self._changed.add(_month(path))
        elif found == entry.get(_NEXT):
            self._adopt(entry, self._archive.described(path, body))
        else:
            raise ArchiveError(
                f"{path} does not have the checksum that its manifest says; it was left as it is.",
                fix=_MEND,
            )

    def _adopt(self, entry: dict[str, Any], new: ArchivedFile) -> None:
        entry.pop(_NEXT, None)
        entry.update(asdict(new))
        self._changed.add(_month(new.path))

    def _entry(self, path: str) -> dict[str, Any] | None:
        dataset = self.entries(_month(path)).get(path.partition("/")[0], {"files": []})
        return next((file for file in dataset["files"] if file["path"] == path), None)

    def _drop(self, path: str) -> None:
        dataset = self.entries(_month(path)).get(path.partition("/")[0])
        if dataset is not None:
            dataset["files"] = [file for file in dataset["files"] if file["path"] != path]

    def _manifest(self, month: dt.date) -> dict[str, Any] | None:
        if month not in self._known:
            self._known[month] = self._archive.manifest(month)
        return self._known[month]

    def _save(self, month: dt.date) -> None:
        self._archive.write_manifest(month, self.entries(month))


def _month(path: str) -> dt.date:
    return dt.date.fromisoformat(f"{path.rpartition('/')[2][:7]}-01")


def _as_file(entry: Mapping[str, Any]) -> ArchivedFile:
    return ArchivedFile(**{field.name: entry[field.name] for field in fields(ArchivedFile)})
