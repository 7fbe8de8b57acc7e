"""A small supervisor: named child processes, ready before the next step, restarted, never orphaned.

Each child runs under a guardian (see `guardian`), which ends it when this process ends, in whatever
way. Children write to ``<name>.log``; an error about one of them ends with its last lines.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from aurastream.operations.errors import ProcessError, ProcessNotReadyError
from aurastream.operations.leftovers import Leftovers, ProcessRecord, end_group
from aurastream.operations.ports import require_free, require_owned
from aurastream.operations.probes import Probe

__all__ = ["ProcessEvent", "ProcessSpec", "Supervisor"]

_GUARDIAN: Final = Path(__file__).with_name("guardian.py")
_FIRST_POLL_S: Final = 0.02
_WATCH_EVERY_S: Final = 0.25
_TAIL_LINES: Final = 20
_TAIL_BYTES: Final = 16_384
_LOG_LIMIT_BYTES: Final = 20_000_000
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_STEADY_AFTER_S: Final = 60.0
_GUARDIAN_GRACE_S: Final = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What to run and how to tell that it works.

    Parameters
    ----------
    name : str
        Unique within a supervisor; also the name of its log.
    command : sequence of str
        Program and arguments; no shell.
    environment : mapping, optional
        Variables added to this process's own.
    cwd : Path, optional
        Working directory.
    probe : Probe, optional
        Raises while the process is not ready; without one it is ready at once.
    port : int, optional
        Loopback port that the process, and nobody else, listens on once it is ready.
    ready_timeout_s, stop_timeout_s : float
        Seconds until it has to be ready, and between ``SIGTERM`` and ``SIGKILL``.
    restart : bool
        Start it again when it ends by itself.
    spare_offspring : bool
        Let the processes that it started live on when it crashes; they end with the supervisor.
    stops_after : sequence of str
        Names of the processes that need this one to the end: it is asked to stop when they have.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    probe: Probe | None = None
    port: int | None = None
    ready_timeout_s: float = 60.0
    stop_timeout_s: float = 30.0
    restart: bool = True
    spare_offspring: bool = False
    stops_after: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ProcessEvent:
    """Something that happened to a child while it was watched."""

    name: str
    what: str  # "ended", "restarted"
    detail: str
    brief: str  # one line of it


@dataclass(slots=True)
class _Child:
    spec: ProcessSpec
    guardian: "subprocess.Popen[bytes]"
    records: tuple[ProcessRecord, ProcessRecord]  # the child's and its guardian's
    log_offset: int
    started_at: float = field(default_factory=time.monotonic)
    crashes: int = 0
    restart_at: float | None = None

    @property
    def pid(self) -> int:
        return self.records[0].pid


def _never() -> bool:
    return False


class Supervisor:
    """Starts, watches and stops child processes; one per data directory.

    Parameters
    ----------
    log_dir : Path
        Where the children's logs are.
    state_dir : Path
        Where the lock and the list of children are; what an earlier supervisor left running is
        ended from there.
    """

    def __init__(self, *, log_dir: Path, state_dir: Path) -> None:
        self._log_dir = log_dir
        self._leftovers = Leftovers(state_dir)
        self._children: dict[str, _Child] = {}
        self._spared: list[ProcessRecord] = []
        self._open = False

    def open(self) -> list[str]:
        """Become the supervisor of the directory and end what a killed one left behind.

        Returns
        -------
        list of str
            Names of the processes that were still running.

        Raises
        ------
        SupervisorRunningError
            When another supervisor is at work there.
        """
        self._leftovers.take()
        self._open = True
        self._log_dir.mkdir(parents=True, exist_ok=True)
        return self._leftovers.end()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # -- starting --------------------------------------------------------------------------------

    def start(self, spec: ProcessSpec) -> int:
        """Start a child and wait until it is ready; return its process id.

        Raises
        ------
        PortConflictError
            Somebody else listens on its port, before or beside it.
        ProcessNotReadyError
            It ended, or was not ready in time. It is stopped again.
        """
        self.launch(spec)
        return self.wait_ready(spec.name)

    def launch(self, spec: ProcessSpec) -> None:
        """Start a child without waiting for it; `wait_ready` has to follow."""
        if not self._open:
            raise ProcessError("The supervisor is not open.", fix="Use it as a context manager.")
        if spec.name in self._children:
            raise ProcessError(f"A process named {spec.name!r} is running already.")
        if spec.port is not None:
            require_free(spec.port, spec.name)
        self._children[spec.name] = self._spawn(spec)
        self._write_records()

    def wait_ready(self, name: str, *, stopped: Callable[[], bool] = _never) -> int:
        """Wait until a launched child is ready; return its process id.

        Raises
        ------
        ProcessNotReadyError
            When it ends or stays silent, or ``stopped`` says that nobody waits.
        """
        child = self._children[name]
        try:
            self._wait_ready(child, stopped)
        except BaseException:
            self.stop_one(name)
            raise
        return child.pid

    def _wait_ready(self, child: _Child, stopped: Callable[[], bool]) -> None:
        spec = child.spec
        deadline = child.started_at + spec.ready_timeout_s
        pause = _FIRST_POLL_S
        while spec.probe is not None:
            try:
                spec.probe(child.pid)
            except Exception as error:  # noqa: BLE001 # a probe tells in its own way
                seen = str(error).strip() or type(error).__name__
            else:
                break
            if stopped():
                raise ProcessNotReadyError(f"{spec.name} was stopped before it was ready.")
            code = child.guardian.poll()
            if code is not None:
                raise ProcessNotReadyError(
                    f"{spec.name} ended with code {code} before it was ready. {self._tail(child)}"
                )
            if time.monotonic() > deadline:
                raise ProcessNotReadyError(
                    f"{spec.name} was not ready within {spec.ready_timeout_s:.0f} s: {seen} "
                    + self._tail(child)
                )
            time.sleep(pause)
            pause = min(pause * 1.5, _WATCH_EVERY_S)
        if spec.port is not None:
            require_owned(spec.port, child.pid, spec.name)

    def _spawn(self, spec: ProcessSpec) -> _Child:
        path = self.log_path(spec.name)
        offset = _rotated(path)
        with path.open("ab") as log:
            guardian = subprocess.Popen(  # noqa: S603 # our own program
                [sys.executable, "-I", "-S", str(_GUARDIAN)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **spec.environment},
                start_new_session=True,
            )
        config = {
            "command": list(spec.command),
            "cwd": None if spec.cwd is None else str(spec.cwd),
            "log": str(path),
            "stop_timeout_s": spec.stop_timeout_s,
            "spare_offspring": spec.spare_offspring,
        }
        if guardian.stdin is None or guardian.stdout is None:
            raise ProcessError("A guardian was started without pipes.")
        with contextlib.suppress(BrokenPipeError):
            # Stays open: its end is how the guardian learns of ours.
            guardian.stdin.write(json.dumps(config).encode() + b"\n")
            guardian.stdin.flush()
        with guardian.stdout:
            line = guardian.stdout.readline()
        if not line:
            guardian.stdin.close()
            code = guardian.wait()
            raise ProcessNotReadyError(
                f"{spec.name} could not be started (code {code}). {_tail(path, offset)}",
                fix=f"Check that {spec.command[0]} exists and can be run.",
            )
        records = (
            ProcessRecord.of(spec.name, int(line)),
            ProcessRecord.of(f"guardian of {spec.name}", guardian.pid),
        )
        return _Child(spec, guardian, records, offset)

    # -- watching --------------------------------------------------------------------------------

    def watch_once(self) -> list[ProcessEvent]:
        """Look at every child once; restart those whose pause is over; say what happened."""
        events: list[ProcessEvent] = []
        now = time.monotonic()
        for name, child in list(self._children.items()):
            if child.restart_at is None:
                code = child.guardian.poll()
                if code is not None:
                    events.append(self._ended(child, code, now))
            elif now >= child.restart_at:
                events.append(self._restarted(name, child))
            _shorten(self.log_path(name))
        if events:
            self._write_records()
        return events

    def _ended(self, child: _Child, code: int, now: float) -> ProcessEvent:
        spec = child.spec
        if spec.spare_offspring:
            self._spared.append(child.records[0])
        _close(child)
        steady = now - child.started_at > _STEADY_AFTER_S
        child.crashes = 1 if steady else child.crashes + 1
        pause = min(_FIRST_PAUSE_S * 2 ** (child.crashes - 1), _LONGEST_PAUSE_S)
        child.restart_at = now + pause if spec.restart else float("inf")
        last = _last_lines(self.log_path(spec.name), child.log_offset)[-1:]
        brief = f"code {code}" + "".join(f", its last line: {line.strip()}" for line in last)
        return ProcessEvent(spec.name, "ended", f"code {code}. {self._tail(child)}", brief)

    def _restarted(self, name: str, child: _Child) -> ProcessEvent:
        try:
            if child.spec.port is not None:
                require_free(child.spec.port, name)
            fresh = self._spawn(child.spec)
        except ProcessError as error:
            child.crashes += 1
            pause = min(_FIRST_PAUSE_S * 2 ** (child.crashes - 1), _LONGEST_PAUSE_S)
            child.restart_at = time.monotonic() + pause
            return ProcessEvent(name, "ended", str(error), error.message.splitlines()[0])
        fresh.crashes = child.crashes
        self._children[name] = fresh
        as_what = f"process {fresh.pid}"
        return ProcessEvent(name, "restarted", as_what, as_what)

    # -- stopping --------------------------------------------------------------------------------

    def stop_one(self, name: str) -> None:
        """Stop one child: ``SIGTERM``, its time, ``SIGKILL``."""
        self._end([self._children[name]])

    def stop(self) -> None:
        """Stop all children at once, but each after those that need it; let the directory go."""
        if not self._open:
            return
        self._end(list(self._children.values()))
        for record in self._spared:
            end_group(record)
        self._spared.clear()
        self._leftovers.give_back()
        self._open = False

    def _end(self, children: Sequence[_Child]) -> None:
        """Ask children to stop, as soon as nobody needs them, and see them end."""
        remaining = {child.spec.name: child for child in children}
        deadlines: dict[str, float] = {}
        while remaining:
            for name, child in list(remaining.items()):
                if child.guardian.poll() is not None:
                    del remaining[name]
                    self._ended_for_good(child)
                elif name in deadlines:
                    if time.monotonic() > deadlines[name]:
                        child.guardian.kill()
                elif not remaining.keys() & set(child.spec.stops_after):
                    child.guardian.terminate()
                    patience = child.spec.stop_timeout_s + _GUARDIAN_GRACE_S
                    deadlines[name] = time.monotonic() + patience
            time.sleep(_FIRST_POLL_S if remaining else 0)

    def _ended_for_good(self, child: _Child) -> None:
        del self._children[child.spec.name]
        _close(child)
        end_group(child.records[0])  # where no kernel did it for a guardian that was killed
        self._write_records()

    # -- looking ---------------------------------------------------------------------------------

    def pid(self, name: str) -> int:
        """Return the process id of a child; it changes when the child is restarted."""
        return self._children[name].pid

    def log_path(self, name: str) -> Path:
        """Return where a child's output goes."""
        return self._log_dir / f"{name}.log"

    def _tail(self, child: _Child) -> str:
        return _tail(self.log_path(child.spec.name), child.log_offset)

    def _write_records(self) -> None:
        records = [record for child in self._children.values() for record in child.records]
        self._leftovers.write(self._spared + records)


def _close(child: _Child) -> None:
    if child.guardian.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            child.guardian.stdin.close()


def _tail(path: Path, offset: int) -> str:
    """Return the last lines that a process wrote since it was started, and where they are."""
    if lines := _last_lines(path, offset):
        return f"The end of {path}:\n" + "\n".join(f"  | {line}" for line in lines)
    return f"{path} is empty."


def _last_lines(path: Path, offset: int) -> list[str]:
    with contextlib.suppress(OSError), path.open("rb") as log:
        end = log.seek(0, os.SEEK_END)
        log.seek(max(offset if offset <= end else 0, end - _TAIL_BYTES))
        return log.read().decode("utf-8", errors="replace").strip().splitlines()[-_TAIL_LINES:]
    return []


def _rotated(path: Path) -> int:
    """Move a long log aside; return how long the present one is."""
    if not path.exists():
        return 0
    size = path.stat().st_size
    if size < _LOG_LIMIT_BYTES:
        return size
    path.replace(path.with_suffix(".log.1"))
    return 0


def _shorten(path: Path) -> None:
    """Keep the log of a process that runs for weeks from filling the disk.

    The process appends through a descriptor of its own, so the file is copied and emptied; what it
    writes between the two steps is lost, which a log can bear.
    """
    with contextlib.suppress(OSError):
        if path.stat().st_size < 2 * _LOG_LIMIT_BYTES:
            return
        path.with_suffix(".log.1").write_bytes(path.read_bytes())
        os.truncate(path, 0)
