"""Writes that could not be delivered, on local disk, in order.

One directory per write, named by a growing number, made under another name and renamed when
everything in it is flushed: an entry is there whole or not at all. An entry is removed after it
was delivered; a crash between the two delivers it again, which changes nothing, because every
write is idempotent by its key. Nothing is ever thrown away: what is damaged, or what the database
refuses for good, is moved to ``aside`` with the reason, and back into its place when somebody wants
it tried again. What only cannot be read now (a right that is missing, too many open files) stays in
its place, and what came after it waits behind it.
"""

import contextlib
import datetime as dt
import errno
import fcntl
import hashlib
import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from aurastream.store.errors import SpoolBlockedError, SpoolError
from aurastream.store.spool_entry import (
    ASIDE,
    LATE,
    MANIFEST,
    REASON,
    SpoolEntry,
    described,
    number_of,
)

__all__ = ["Spool", "SpooledOp"]

_log = logging.getLogger(__name__)
_VERSION = 1
_DELIVERED = ".delivered-"
_DIGITS = 12
# A file of an entry is not there; every other failure of the disk may pass.
_DAMAGE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


@dataclass(frozen=True, slots=True)
class SpooledOp:
    """One operation of a write.

    Parameters
    ----------
    kind : str
        Append, Upsert or Replace.
    table : str
        ``schema.table``.
    rows : pyarrow.Table
        Rows with the table's own types.
    start, end : datetime, optional
        Range of a Replace.
    """

    kind: str
    table: str
    rows: pa.Table
    start: dt.datetime | None = None
    end: dt.datetime | None = None


class Spool:
    """A directory of undelivered writes; shared by processes through a lock.

    Parameters
    ----------
    directory : Path
        Created when the first write arrives.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = Path(directory)

    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not len(self)

    def __len__(self) -> int:
        with self._reading():
            return len(self._entries())

    def require_readable(self) -> None:
        """Look whether the next write to deliver can be read.

        Raises
        ------
        SpoolBlockedError
            When it cannot, so that nothing will be delivered. One that is damaged can be put aside.
        """
        with self._reading():
            for path in self._entries()[:1]:
                with contextlib.suppress(SpoolError):
                    _load(path)

    def append(self, ops: Sequence[SpooledOp]) -> Path:
        """Keep a write durably; return its directory.

        Raises
        ------
        SpoolError
            When the disk is full or read-only; then the write is in the caller's hands still, and
            what was spooled before is untouched.
        """
        with self._adding(ops) as (partial, number):
            target = self.directory / number
            partial.rename(target)
            _flush_directory(self.directory)
            return target

    def put_aside(self, ops: Sequence[SpooledOp], reason: str) -> Path:
        """Keep a write that the database refused for good, and why; return its directory.

        Raises
        ------
        SpoolError
            As `append`.
        """
        with self._adding(ops) as (partial, number):
            return self._set_aside(partial, reason, number)

    @contextlib.contextmanager
    def _adding(self, ops: Sequence[SpooledOp]) -> Iterator[tuple[Path, str]]:
        """Write an entry under a name that nobody reads; yield that, and its number."""
        partial = self.directory / f".partial-{secrets.token_hex(6)}"
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked():
                partial.mkdir()
                manifest = {
                    "version": _VERSION,
                    "kept_at": dt.datetime.now(dt.UTC).isoformat(),
                    "ops": [_save(partial, index, op) for index, op in enumerate(ops)],
                }
                _write_durably(partial / MANIFEST, json.dumps(manifest).encode())
                _flush_directory(partial)
                yield partial, self._next_name()
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise SpoolError(
                f"The write could not be kept in {self.directory}: {error.strerror or error}.",
                fix="Free some space on that device."
                if full
                else "Make the directory writable, or set AURASTREAM_DATA_DIR to another one.",
            ) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)  # still there where it was not renamed

    def drain(
        self,
        deliver: Callable[[Sequence[SpooledOp]], None],
        *,
        keep_on: type[Exception],
        refuse_on: type[Exception],
    ) -> int:
        """Deliver every entry, oldest first, and remove it; return how many were delivered.

        Parameters
        ----------
        deliver : callable
            Writes one entry; has to be idempotent.
        keep_on : exception type
            Raised by ``deliver`` when it could not now: raised on, and everything still waits.
        refuse_on : exception type
            Raised when it never will: the entry goes aside, the next one is delivered.

        Raises
        ------
        SpoolBlockedError
            When an entry cannot be read or removed now: it and those behind it still wait.
        """
        if self.is_empty():
            return 0
        delivered = 0
        with self._reading(), self._locked():
            for path in self._entries():
                try:
                    deliver(_load(path))
                except keep_on:
                    raise
                except (SpoolError, refuse_on) as error:
                    self._set_aside(path, str(error), path.name)
                    continue
                # Whoever is killed while it is removed has not left a damaged entry behind.
                path.rename(path.with_name(f"{_DELIVERED}{path.name}"))
                _flush_directory(self.directory)
                self._sweep()
                delivered += 1
        return delivered

    def aside(self) -> list[Path]:
        """Return the entries that nobody could deliver, each with its ``reason.txt``.

        Where that could not be written, the log has it. What has no number there is not of the
        spool, which names every entry by its own.

        Raises
        ------
        SpoolBlockedError
            When it cannot be seen now which there are.
        """
        with self._reading(), contextlib.suppress(FileNotFoundError):
            return sorted(p for p in (self.directory / ASIDE).iterdir() if number_of(p))
        return []

    def entries(self) -> list[SpoolEntry]:
        """Return what waits and what is aside, in the order in which it came.

        Raises
        ------
        SpoolBlockedError
            When it cannot be read now.
        """
        with self._reading():
            found = [described(path) for path in (*self._entries(), *self.aside())]
        return sorted((entry for entry in found if entry), key=lambda entry: entry.number)

    def put_back(self) -> int:
        """Let what is aside wait again, in the place that it had; return how many there were.

        What was written meanwhile stays: such an entry replaces no row that is there.

        Raises
        ------
        SpoolBlockedError
            When it cannot be moved now; what was not moved is still aside.
        """
        if not self.aside():
            return 0
        with self._reading(), self._locked():
            aside = self.aside()
            for path in aside:
                target = self.directory / number_of(path)
                if target.exists():  # somebody lost the counter: it comes last
                    target = self.directory / self._next_name()
                (path / LATE).touch()  # is there before the entry is
                _flush_directory(path)
                path.rename(target)
            _flush_directory(self.directory)
            return len(aside)

    def revise(self, change: Callable[[str, pa.Table], pa.Table]) -> list[tuple[str, SpoolError]]:
        """Change the rows of every write that waits or is aside; safe to kill.

        Parameters
        ----------
        change : callable
            Takes table and rows, and returns the rows that stay; the same object when all do.

        Returns
        -------
        list of (str, SpoolError)
            What could not be read, and why.
        """
        faults: list[tuple[str, SpoolError]] = []
        if not self.directory.is_dir():
            return faults
        with self._locked():
            faults += [
                (path.name, SpoolError(f"{path} is half a write of a process that was killed."))
                for path in sorted(self.directory.glob(".partial-*"))
            ]
            for path in [*self._entries(), *self.aside()]:
                try:
                    with self._reading():
                        _revise(path, change)
                except SpoolError as error:
                    faults.append((path.relative_to(self.directory).as_posix(), error))
        return faults

    def _entries(self) -> list[Path]:
        with contextlib.suppress(FileNotFoundError):
            return sorted(p for p in self.directory.iterdir() if p.name.isdigit())
        return []

    def _next_name(self) -> str:
        """Count on from the highest number ever used, so that the order survives a drain."""
        numbers = [int(number_of(path)) for path in self._entries()]
        with contextlib.suppress(SpoolBlockedError):  # the counter knows of those as well
            numbers += [int(number_of(path)) for path in self.aside()]
        counter = self.directory / "counter"
        with contextlib.suppress(FileNotFoundError, ValueError):
            numbers.append(int(counter.read_text(encoding="ascii")))
        number = max(numbers, default=0) + 1
        _write_durably(counter, str(number).encode())
        return f"{number:0{_DIGITS}d}"

    def _set_aside(self, path: Path, reason: str, number: str) -> Path:
        target = self.directory / ASIDE / f"{number}-{secrets.token_hex(3)}"
        target.parent.mkdir(exist_ok=True)
        # First, so that a crash leaves none aside without one. A full disk does: what waits behind
        # an entry that is refused for good is not held up by its reason, which is logged as well.
        with contextlib.suppress(OSError):
            _write_durably(path / REASON, f"{reason}\n".encode())
            _flush_directory(path)
        path.rename(target)
        _flush_directory(target.parent)
        _flush_directory(self.directory)
        _log.error("A write that cannot be delivered is kept in %s: %s", target, reason)
        return target

    def _sweep(self) -> None:
        """Remove what was delivered."""
        for path in self.directory.glob(f"{_DELIVERED}*"):
            shutil.rmtree(path)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, mode=0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._sweep()
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        """Tell a failure of the disk or of rights, which may pass, from a damaged entry."""
        try:
            yield
        except (OSError, MemoryError) as error:
            raise SpoolBlockedError(
                f"What waits in {self.directory} cannot be delivered now: {error}.",
                fix="Mend what the message names; until then it stays in its place.",
            ) from error


def _save(directory: Path, index: int, op: SpooledOp, *, name: str | None = None) -> dict[str, Any]:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, op.rows.schema) as writer:
        writer.write_table(op.rows)
    body = sink.getvalue().to_pybytes()
    name = name or f"{index:03d}.arrow"
    _write_durably(directory / name, body)
    return {
        "kind": op.kind,
        "table": op.table,
        "file": name,
        "sha256": hashlib.sha256(body).hexdigest(),
        "rows": op.rows.num_rows,
        "start": op.start.isoformat() if op.start else None,
        "end": op.end.isoformat() if op.end else None,
    }


def _revise(path: Path, change: Callable[[str, pa.Table], pa.Table]) -> None:
    """Write changed rows under a new name, then the manifest that names it, then drop the old."""
    ops = _load(path)
    manifest = json.loads((path / MANIFEST).read_bytes())
    named = {item["file"] for item in manifest["ops"]}
    for index, op in enumerate(ops):
        kept = change(op.table, op.rows)
        if kept is not op.rows:
            revised = replace(op, rows=kept)
            name = f"{index:03d}-{secrets.token_hex(4)}.arrow"
            manifest["ops"][index] = _save(path, index, revised, name=name)
    now_named = {item["file"] for item in manifest["ops"]}
    if now_named != named:
        partial = path / f".{MANIFEST}"
        _write_durably(partial, json.dumps(manifest).encode())
        partial.replace(path / MANIFEST)
        _flush_directory(path)
    for left in path.glob("*.arrow"):
        if left.name not in now_named:
            left.unlink()


def _load(path: Path) -> list[SpooledOp]:
    try:
        manifest = json.loads((path / MANIFEST).read_bytes())
        if manifest["version"] != _VERSION:
            raise SpoolError(f"{path} has the unknown version {manifest['version']}.")
        # What was aside came late: it adds, and replaces nothing that was written meanwhile.
        is_late = (path / LATE).exists()
        return [_load_op(path, item, adds=is_late) for item in manifest["ops"]]
    except MemoryError:
        raise
    except (*_DAMAGE, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise SpoolError(
            f"The spooled write {path} is damaged: {error}.",
            fix="It was moved aside; its readable parts can be recovered from there.",
        ) from error


def _load_op(path: Path, item: dict[str, Any], *, adds: bool) -> SpooledOp:
    body = (path / item["file"]).read_bytes()
    if hashlib.sha256(body).hexdigest() != item["sha256"]:
        raise SpoolError(f"{path / item['file']} does not have the checksum it was written with.")
    try:
        with pa.ipc.open_file(pa.BufferReader(body)) as reader:
            rows = reader.read_all()
    except OSError as error:  # Arrow's own: the body is here already
        raise SpoolError(f"{path / item['file']} holds no rows: {error}.") from error
    start, end = (dt.datetime.fromisoformat(t) if t else None for t in (item["start"], item["end"]))
    kind = "Append" if adds and item["kind"] == "Upsert" else item["kind"]
    return SpooledOp(kind, item["table"], rows, start, end)


def _write_durably(path: Path, body: bytes) -> None:
    with path.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
