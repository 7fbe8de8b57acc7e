"""A subject in the files of the data directory: logs, outputs of runs, what dbt compiled.

A mention is written over in its place, byte for byte: a program that is writing the file keeps its
handle and its position, and a file of any size is changed without being copied.
"""

import gzip
import mmap
import os
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from aurastream.store.purge_subject import BLANK, Search, Subject

__all__ = ["in_files"]

# Cut of a file, at the end of a line: what is read and matched at once.
_PIECE: Final = 8_000_000
# Endings of what hides its text; nothing of ours writes them.
_PACKED: Final = frozenset({".bz2", ".xz", ".zst", ".zip", ".parquet", ".tar", ".tgz", ".7z"})


def in_files(
    folder: Path,
    subject: Subject,
    search: Search,
    *,
    remove: bool,
    skip: Collection[Path] = (),
) -> None:
    """Count, and blank, the mentions of a subject in every file of a folder, by path.

    Parameters
    ----------
    folder : Path
        Searched with all that is below it.
    subject : Subject
        Who.
    search : Search
        Takes what was found.
    remove : bool
        Whether to blank it.
    skip : collection of Path
        Folders that are other stores, searched through their own doors.
    """
    for path in _files(folder, {path.resolve() for path in skip}, search):
        target = path.relative_to(folder).as_posix()
        try:
            if path.suffix in _PACKED:
                search.cannot(target, "a packed file cannot be searched")
            elif path.suffix == ".gz":
                search.add(target, _in_packed(path, subject))
            else:
                search.add(target, _in_file(path, subject, remove=remove))
        except FileNotFoundError:
            continue  # it went meanwhile
        except (OSError, EOFError, zlib.error) as error:
            search.cannot(target, f"{type(error).__name__}: {error}")


def _files(folder: Path, skip: Collection[Path], search: Search) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            search.cannot(str(error.filename), f"{type(error).__name__}: {error.strerror}")

    for where, folders, names in os.walk(folder, onerror=unreadable):
        here = Path(where)
        folders[:] = sorted(name for name in folders if (here / name).resolve() not in skip)
        for name in sorted(names):
            path = here / name
            if path.is_file() and not path.is_symlink():
                yield path


def _in_packed(path: Path, subject: Subject) -> int:
    with gzip.open(path, "rt", encoding="utf-8", errors="surrogateescape") as file:
        return sum(subject.blanked(line)[1] for line in file)


def _in_file(path: Path, subject: Subject, *, remove: bool) -> int:
    if not path.stat().st_size:
        return 0
    found = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
        is_text = b"\0" not in body[:8192]
        changes: list[tuple[int, bytes]] = []
        for start, piece in _pieces(body):
            spans = list(subject.spans(piece.decode("utf-8", "surrogateescape")))
            found += len(spans)
            changes += [(start + at, _over(length)) for at, length in spans]
    if remove and is_text:
        with path.open("r+b") as written:
            for at, blank in changes:
                written.seek(at)
                written.write(blank)
    return found


def _pieces(body: mmap.mmap) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start < len(body):
        end = min(start + _PIECE, len(body))
        if end < len(body):
            newline = body.rfind(b"\n", start, end)
            end = newline + 1 if newline > 0 else end
        yield start, body[start:end]
        start = end


def _over(length: int) -> bytes:
    """Return as many bytes that say what was here."""
    return BLANK.encode()[:length].ljust(length, b".")
