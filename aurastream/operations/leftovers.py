"""What a supervisor that was killed left behind: one supervisor per directory, no orphans."""

import contextlib
import fcntl
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

import psutil

from aurastream.operations.errors import SupervisorRunningError

__all__ = ["Leftovers", "ProcessRecord"]

_LOCK: Final = "supervisor.lock"
_RECORDS: Final = "processes.json"
_CLOCK_TOLERANCE_S: Final = 2.0  # start times move with corrections of the wall clock
_POLITE_S: Final = 5.0
_FORCED_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process that was started here, told apart from a later one with the same id."""

    name: str
    pid: int  # also the id of its process group
    started: float

    @classmethod
    def of(cls, name: str, pid: int) -> Self:
        """Return the record of a process that was started just now."""
        try:
            started = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            started = time.time()
        return cls(name, pid, started)

    def members(self) -> list[psutil.Process]:
        """Return the living processes of its group.

        The kernel does not reuse an id while a group of that number has members, so older members
        than the recorded process mean that the group is somebody else's.
        """
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, ProcessLookupError, PermissionError):
                age = process.create_time() - self.started
                if process.pid == self.pid and abs(age) > _CLOCK_TOLERANCE_S:
                    return []
                if os.getpgid(process.pid) != self.pid or age < -_CLOCK_TOLERANCE_S:
                    continue
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


class Leftovers:
    """The lock of a supervisor and the list of what it started, in a directory.

    Parameters
    ----------
    directory : Path
        Created when missing.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock: int | None = None

    def take(self) -> None:
        """Become the one supervisor of the directory.

        Raises
        ------
        SupervisorRunningError
            When a living process is.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(
            self._directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode=0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise SupervisorRunningError(
                f"AuraStream already runs on {self._directory}, as process {holder}.",
                fix=f"Use that installation, stop it (kill {holder}), or set "
                "AURASTREAM_DATA_DIR to another directory.",
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._lock = descriptor

    def give_back(self) -> None:
        """Stop being the supervisor; the list is empty from here on."""
        if self._lock is not None:
            self.write([])
            os.close(self._lock)
            self._lock = None

    def read(self) -> list[ProcessRecord]:
        """Return what the list names; an unreadable list names nothing."""
        try:
            text = (self._directory / _RECORDS).read_text(encoding="utf-8")
            return [ProcessRecord(**entry) for entry in json.loads(text)]
        except (OSError, ValueError, TypeError):
            return []

    def write(self, records: list[ProcessRecord]) -> None:
        """Replace the list, whole or not at all."""
        path = self._directory / _RECORDS
        partial = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        partial.write_text(json.dumps([asdict(r) for r in records]), encoding="utf-8")
        partial.replace(path)

    def end(self) -> list[str]:
        """End what an earlier supervisor left running; return the names of what was found."""
        records = self.read()
        found = [record.name for record in records if end_group(record)]
        self.write([])
        return found


def end_group(record: ProcessRecord) -> bool:
    """End every process of a group, politely first; whether there was one."""
    alive = record.members()
    found = bool(alive)
    for act, patience in (("terminate", _POLITE_S), ("kill", _FORCED_S)):
        for process in alive:
            with contextlib.suppress(psutil.Error):
                getattr(process, act)()
        _, alive = psutil.wait_procs(alive, timeout=patience)
        if not alive:
            break
    return found
