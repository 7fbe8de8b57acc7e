"""The Parquet archive: one file per table and day, on local disk or any store fsspec knows.

::

    <archive>/collection.youtube_trending/month=2026-10/2026-10-01.parquet
    <archive>/_manifests/2026-10.json

A file is there whole or not at all: on a disk it is written beside its place, flushed and renamed;
an object store makes an object visible when it is complete. The manifest is written last. Rows lie
in key order, and the file says nothing of when it was written, so that the same rows give the same
bytes.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from aurastream.store.errors import ArchiveError

__all__ = ["SCHEMA_VERSION", "Archive", "ArchivedFile", "checksum_of", "combined", "packed"]

SCHEMA_VERSION: Final = 1
_ROW_GROUP: Final = 100_000
_MANIFESTS: Final = "_manifests"
_PROOF: Final = "content_sha256"  # of the values, in the file itself: no manifest may name it yet


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """One day of one table.

    Parameters
    ----------
    path : str
        Relative to the archive.
    rows, bytes : int
        Rows, and the size of the file.
    sha256 : str
        Checksum of the file.
    content_sha256 : str
        Checksum of the values, which any reader of the rows can compute (`checksum_of`).
    """

    path: str
    rows: int
    bytes: int
    sha256: str
    content_sha256: str


class Archive:
    """A folder of Parquet files behind a URL.

    Parameters
    ----------
    url : str
        A path, ``file://…``, ``s3://bucket/prefix`` or what else fsspec knows.
    options : mapping, optional
        fsspec's options of that store.

    Raises
    ------
    ArchiveError
        When fsspec does not know the kind of store.
    """

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        self.url = url
        try:
            self._fs, self._root = fsspec.core.url_to_fs(url, **dict(options or {}))
        except (ValueError, ImportError) as error:
            raise ArchiveError(
                f"The archive {url} cannot be opened: {error}.",
                fix="Set AURASTREAM_ARCHIVE_URL to a folder or to s3://bucket/prefix.",
            ) from error
        protocols = self._fs.protocol
        self._is_local = "file" in ((protocols,) if isinstance(protocols, str) else protocols)

    def require_there(self) -> None:
        """Refuse a bucket that does not exist; folders are made as they are needed.

        Raises
        ------
        ArchiveError
            When it is not there, or the store does not answer.
        """
        if self._is_local:
            return
        with _explained(self.url):
            self._fs.invalidate_cache()
            try:
                self._fs.find(self._at(_MANIFESTS))
            except FileNotFoundError as error:  # an empty folder is none
                raise self._not_there(error) from error

    def path_of(self, dataset: str, day: date) -> str:
        """Return where a day of a table lies, relative to the archive."""
        return f"{dataset}/month={day:%Y-%m}/{day:%Y-%m-%d}.parquet"

    def has(self, path: str) -> bool:
        """Whether a file is there."""
        with _explained(self.url):
            self._fs.invalidate_cache()
            return bool(self._fs.exists(self._at(path)))

    def write(self, path: str, rows: pa.Table, notes: Mapping[str, object]) -> ArchivedFile:
        """Write a file in one step, in place of what was there.

        Parameters
        ----------
        path : str
            Relative to the archive.
        rows : pyarrow.Table
            In key order.
        notes : mapping
            Kept in the file's schema metadata, as JSON.
        """
        body = packed(rows, notes)
        self._put(path, body)
        return ArchivedFile(
            path, rows.num_rows, len(body), hashlib.sha256(body).hexdigest(), checksum_of(rows)
        )

    def read(self, path: str, *, sha256: str | None = None) -> pa.Table:
        """Read a file; with ``sha256``, refuse one that is not the one of that checksum.

        Raises
        ------
        ArchiveError
            When it is not there, damaged, or another one.
        """
        body = self.bytes_of(path)
        if sha256 is not None and hashlib.sha256(body).hexdigest() != sha256:
            raise ArchiveError(
                f"{path} does not have the checksum that its manifest says.",
                fix="Archive the month again, or take the file from a backup.",
            )
        return self.parsed(path, body)

    def bytes_of(self, path: str) -> bytes:
        """Return the bytes of a file.

        Raises
        ------
        ArchiveError
            When it is not there.
        """
        try:
            return self._get(path)
        except FileNotFoundError as error:
            raise ArchiveError(
                f"{path} is not in the archive {self.url}.", fix="Take the file from a backup."
            ) from error

    def parsed(self, path: str, body: bytes) -> pa.Table:
        """Return the rows in the bytes of a file.

        Raises
        ------
        ArchiveError
            When they are no readable Parquet file.
        """
        with _readable(path):
            return pq.read_table(pa.BufferReader(body))

    def describe(self, path: str) -> ArchivedFile:
        """Return what a manifest says of a file that is there.

        Raises
        ------
        ArchiveError
            When it is not there, or damaged.
        """
        return self.described(path, self.bytes_of(path))

    def described(self, path: str, body: bytes) -> ArchivedFile:
        """Return what a manifest says of the bytes of a file.

        Raises
        ------
        ArchiveError
            When they are no readable Parquet file.
        """
        rows = self.parsed(path, body)
        return ArchivedFile(
            path, rows.num_rows, len(body), hashlib.sha256(body).hexdigest(), checksum_of(rows)
        )

    def is_itself(self, path: str, body: bytes) -> bool:
        """Whether the values of a file are those that it was written with, as far as it says."""
        rows = self.parsed(path, body)
        notes = json.loads((rows.schema.metadata or {}).get(b"aurastream", b"{}"))
        return _PROOF not in notes or notes[_PROOF] == checksum_of(rows)

    def schema(self, path: str) -> pa.Schema:
        """Return a file's columns.

        Raises
        ------
        ArchiveError
            When it is not there, or damaged.
        """
        body = self.bytes_of(path)
        with _readable(path):
            return pq.read_schema(pa.BufferReader(body))

    def files(self, dataset: str, month: date | None = None) -> list[str]:
        """Return the files of a table, of one month or of all, in the order of time."""
        folder = f"{dataset}/month={month:%Y-%m}" if month else dataset
        found = [path for path in self._walk(folder) if path.endswith(".parquet")]
        return sorted(path for path in found if not path.rpartition("/")[2].startswith("."))

    def datasets(self) -> list[str]:
        """Return the tables that have files."""
        with _explained(self.url):
            self._fs.invalidate_cache()
            try:
                entries = self._fs.ls(self._root, detail=False)
            except FileNotFoundError:
                return []
        names = (str(entry).rstrip("/").rpartition("/")[2] for entry in entries)
        return sorted(n for n in names if not n.startswith((".", "_")) and "." in n)

    def size(self, path: str) -> int:
        """Return a file's bytes."""
        with _explained(self.url):
            return int(self._fs.size(self._at(path)) or 0)

    def remove(self, path: str) -> None:
        """Delete a file; one that is not there is gone already."""
        with _explained(self.url), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._at(path))

    def sweep(self, dataset: str, month: date) -> int:
        """Remove what a killed writer left beside the files; returns how many."""
        left = [
            path
            for path in self._walk(f"{dataset}/month={month:%Y-%m}")
            if path.rpartition("/")[2].startswith(".")
        ]
        for path in left:
            self.remove(path)
        return len(left)

    def months(self) -> list[date]:
        """Return the months that have a manifest."""
        names = [path.rpartition("/")[2] for path in self._walk(_MANIFESTS)]
        return sorted(
            date.fromisoformat(f"{name[:7]}-01")
            for name in names
            if name.endswith(".json") and not name.startswith(".")
        )

    def manifest(self, month: date) -> dict[str, Any] | None:
        """Return a month's manifest; None when the month was not archived."""
        path = _manifest_path(month)
        if not self.has(path):
            return None
        try:
            found: dict[str, Any] = json.loads(self._get(path))
        except ValueError as error:
            raise ArchiveError(f"The manifest {path} is damaged: {error}.") from error
        if found.get("schema_version") != SCHEMA_VERSION:
            raise ArchiveError(
                f"{path} has the layout {found.get('schema_version')}, not {SCHEMA_VERSION}.",
                fix="Read it with the version of AuraStream that wrote it.",
            )
        return found

    def write_manifest(self, month: date, datasets: Mapping[str, Any]) -> None:
        """Write a month's manifest, in place of the one that was there."""
        body = {
            "schema_version": SCHEMA_VERSION,
            "month": f"{month:%Y-%m}",
            "datasets": dict(sorted(datasets.items())),
        }
        text = json.dumps(body, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        self._put(_manifest_path(month), text.encode())

    def _walk(self, folder: str) -> list[str]:
        with _explained(self.url):
            self._fs.invalidate_cache()
            try:
                found = self._fs.find(self._at(folder))
            except FileNotFoundError:
                return []
        root = self._root.rstrip("/") + "/"
        return sorted(str(path).removeprefix(root) for path in found)

    def _put(self, path: str, body: bytes) -> None:
        target = self._at(path)
        with _explained(self.url):
            if not self._is_local:
                try:
                    self._fs.pipe_file(target, body)
                except FileNotFoundError as error:  # the bucket: objects need no folder
                    raise self._not_there(error) from error
                return
            folder, _, name = target.rpartition("/")
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103 # fsspec's paths are text
            partial = f"{folder}/.{name}.{os.getpid()}.partial"
            try:
                with open(partial, "wb") as file:  # noqa: PTH123 # the same
                    file.write(body)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(partial, target)  # noqa: PTH105 # the same
            except BaseException:
                with contextlib.suppress(OSError):
                    os.remove(partial)  # noqa: PTH107 # the same
                raise

    def _not_there(self, error: FileNotFoundError) -> ArchiveError:
        return ArchiveError(
            f"The archive {self.url} is not there: {error}.",
            fix="Create the bucket, or correct AURASTREAM_ARCHIVE_URL.",
        )

    def _get(self, path: str) -> bytes:
        with _explained(self.url):
            return bytes(self._fs.cat_file(self._at(path)))

    def _at(self, path: str) -> str:
        return f"{self._root.rstrip('/')}/{path}"


def packed(rows: pa.Table, notes: Mapping[str, object]) -> bytes:
    """Return rows as the bytes of a file; the same rows give the same bytes."""
    said = {"schema_version": SCHEMA_VERSION, **notes, _PROOF: checksum_of(rows)}
    kept = json.dumps(said, sort_keys=True)
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows.replace_schema_metadata({"aurastream": kept}),
        sink,
        compression="zstd",
        row_group_size=_ROW_GROUP,
        coerce_timestamps="us",
    )
    return bytes(sink.getvalue().to_pybytes())


def checksum_of(rows: pa.Table) -> str:
    """Return a checksum of the values, the same whoever read the rows and from where.

    It depends on names, types, order and values, not on chunks, offsets, slices or the bytes that
    lie under a null.

    Examples
    --------
    >>> rows = pa.table({"a": [1, None, 3], "b": ["x", "", None]})
    >>> parts = pa.concat_tables([rows.slice(0, 1), rows.slice(1)])
    >>> checksum_of(parts) == checksum_of(rows)
    True
    >>> checksum_of(rows.slice(1)) == checksum_of(rows)
    False
    """
    digest = hashlib.sha256()
    for name in rows.column_names:
        column = rows.column(name)
        digest.update(f"{name}:{_kind(column.type)}:{len(column)}\0".encode())
        combined_column = column.combine_chunks()
        if isinstance(combined_column, pa.ChunkedArray):
            pieces = combined_column.chunks
            combined_column = pieces[0] if pieces else pa.array([], column.type)
        for piece in _pieces(combined_column):
            digest.update(piece)
    return digest.hexdigest()


def combined(checksums: Sequence[str]) -> str:
    """Return one checksum of several, which depends on their order."""
    return hashlib.sha256("\n".join(checksums).encode()).hexdigest()


def _kind(kind: pa.DataType) -> str:
    """Name a type; what a list calls its items is up to whoever wrote it."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"list<{_kind(kind.value_type)}>"
    return str(kind)


def _pieces(values: pa.Array) -> Iterator[bytes]:
    """Yield bytes that say everything about an array, and nothing else."""
    nulls = np.asarray(pc.is_null(values))
    yield np.packbits(nulls).tobytes()
    kind = values.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = pc.fill_null(pc.list_value_length(values), 0)
        yield np.asarray(lengths, dtype=np.int64).tobytes()
        yield from _pieces(pc.list_flatten(values))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
        filled = pc.fill_null(values, b"" if pa.types.is_binary(kind) else "")
        yield np.asarray(pc.binary_length(filled), dtype=np.int64).tobytes()
        yield _text_bytes(filled)
    else:
        yield _fixed_width(values)


def _text_bytes(values: pa.Array) -> bytes:
    """Return all texts of an array without nulls, one after the other."""
    if not len(values):
        return b""
    large = values.cast(pa.large_binary())
    offsets = np.frombuffer(large.buffers()[1], dtype=np.int64)
    first, last = offsets[large.offset], offsets[large.offset + len(large)]
    data = large.buffers()[2]
    return b"" if data is None else bytes(memoryview(data)[first:last])


def _fixed_width(values: pa.Array) -> bytes:
    kind = values.type
    if pa.types.is_timestamp(kind):
        values = values.cast(pa.timestamp("us", tz=kind.tz)).cast(pa.int64())
    elif pa.types.is_date(kind):
        values = values.cast(pa.int32())
    elif pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    elif pa.types.is_null(kind):
        return b""
    return np.ascontiguousarray(np.asarray(pc.fill_null(values, 0))).tobytes()


def _manifest_path(month: date) -> str:
    return f"{_MANIFESTS}/{month:%Y-%m}.json"


@contextlib.contextmanager
def _readable(path: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ArchiveError(
            f"{path} is no readable Parquet file: {error}.", fix="Take the file from a backup."
        ) from error


@contextlib.contextmanager
def _explained(url: str) -> Iterator[None]:
    """Say where an error of the store came from, and what to do."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ArchiveError(
            f"The archive {url} does not answer: {error}.",
            fix="Check AURASTREAM_ARCHIVE_URL and AURASTREAM_ARCHIVE_OPTIONS.",
        ) from error
    except Exception as error:
        # botocore's errors have no common ancestor with the standard library's.
        if type(error).__module__.partition(".")[0] in ("botocore", "aiobotocore", "aiohttp"):
            raise ArchiveError(
                f"The archive {url} does not answer: {error}.",
                fix="Check AURASTREAM_ARCHIVE_URL and AURASTREAM_ARCHIVE_OPTIONS.",
            ) from error
        raise
