"""What the embedded servers share: lock, port, guard, start and stop.

Files in a server's directory: ``lock`` (held by the guard while the server lives), ``state.json``
(port, process ids), ``password`` (0600), ``server.log`` and the server's own data.
"""

import contextlib
import errno
import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

import psutil

from aurastream.store.embedded.account import Account, service_account
from aurastream.store.errors import (
    AlreadyRunningError,
    DataDirectoryError,
    DiskFullError,
    EmbeddedServerError,
    PortTakenError,
)

__all__ = ["EmbeddedServer"]

_HOST = "127.0.0.1"
_GUARD = Path(__file__).with_name("guard.py")
_POLL_S = 0.02
_PORT_ATTEMPTS = 5
_ORPHAN_STOP_S = 10.0
_REFUSAL_S = 2.0
_DEATH_S = 0.5  # a killed process needs a moment to be gone
_LOG_TAIL_BYTES = 4000
_LOG_LIMIT_BYTES = 10_000_000


class EmbeddedServer(ABC):
    """A database server that lives and dies with this process; its data stay.

    Parameters
    ----------
    data_dir : Path
        Directory of this server alone; created when missing. Its data survive restarts.
    port : int, optional
        Fixed TCP port. By default a free one is chosen and kept across restarts while it is free.
    attach : bool
        When another process runs a server on this directory already, use that one instead of
        raising `AlreadyRunningError`. An attached server is not stopped by `stop`.
    start_timeout_s, stop_timeout_s : float
        Seconds to wait for readiness (crash recovery included) and for each stage of stopping.
    """

    name: ClassVar[str]
    stop_signals: ClassVar[tuple[signal.Signals, ...]]

    def __init__(
        self,
        data_dir: Path,
        *,
        port: int | None = None,
        attach: bool = False,
        start_timeout_s: float = 60.0,
        stop_timeout_s: float = 10.0,
    ) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.start_timeout_s = start_timeout_s
        self.stop_timeout_s = stop_timeout_s
        self._fixed_port = port
        self._attach = attach
        self._guard: subprocess.Popen[bytes] | None = None
        self._port: int | None = None
        self._attached = False

    # -- what a particular server knows ----------------------------------------------------------

    @property
    @abstractmethod
    def url(self) -> str:
        """URL with credentials."""

    @abstractmethod
    def _prepare(self, account: Account | None) -> Path:
        """Create the data where missing, remove stale state, return the working directory."""

    @abstractmethod
    def _command(self, work: Path, port: int, account: Account | None) -> list[str]:
        """Return the server's command line."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Whether the server answers to our password; raises on a refusal that will stay."""

    @abstractmethod
    def _is_ours(self, process: psutil.Process, work: Path) -> bool:
        """Whether a process is a server on our data."""

    @abstractmethod
    def _data(self) -> Path:
        """Path of the data, whose owner decides the account."""

    # -- public ----------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """TCP port of the running server."""
        if self._port is None:
            raise EmbeddedServerError(f"{self.name} is not running.", fix="Call start() first.")
        return self._port

    @property
    def attached(self) -> bool:
        """Whether the server belongs to another process and is only used here."""
        return self._attached

    @property
    def log_path(self) -> Path:
        """The server's log."""
        return self.data_dir / "server.log"

    def start(self) -> Self:
        """Start the server, recover its data if it was killed, and wait until it answers.

        Raises
        ------
        AlreadyRunningError
            Another process runs a server on this directory (and ``attach`` is off).
        PortTakenError
            The fixed port belongs to another program.
        DataDirectoryError, DiskFullError
            The directory cannot be used, and what to do about it.
        EmbeddedServerError
            The server ended or did not answer; the message carries the end of its log.
        """
        if self._guard is not None and self._guard.poll() is None:
            return self
        with self._explained():
            self._make_home()
            lock = self._take_lock()
            if lock is None:
                return self
            try:
                account = service_account(self._data())
                work = self._prepare(account)
                self._end_orphans(work)
                self._start_guard(work, account, lock)
            finally:
                os.close(lock)  # the guard's copy keeps it held
        return self

    def stop(self) -> None:
        """Stop the server in an orderly way; nothing happens when it is not ours or not running."""
        guard, self._guard = self._guard, None
        self._port = None
        self._attached = False
        if guard is None:
            return
        guard.terminate()
        try:
            guard.wait(timeout=(len(self.stop_signals) + 1) * self.stop_timeout_s + 5)
        except subprocess.TimeoutExpired:
            guard.kill()
            guard.wait()

    @property
    def is_guarded(self) -> bool:
        """Whether the guard that this process started is alive; true when there is none of ours.

        The guard restarts a server that crashes; when the guard itself was killed, `start` brings
        both back on the same port.
        """
        return self._guard is None or self._guard.poll() is None

    def server_pid(self) -> int | None:
        """Return the process id of the server itself, for operators and fault tests."""
        pid = self._guard.pid if self._guard is not None else self._state().get("guard")
        if not isinstance(pid, int):
            return None
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(pid).children():
                return int(child.pid)
        return None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # -- directory -------------------------------------------------------------------------------

    def _make_home(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        probe = self.data_dir / f".probe-{secrets.token_hex(4)}"
        probe.write_bytes(b"\0")
        probe.unlink()

    @property
    def password(self) -> str:
        """The random password of this server, made at its first start (file ``password``, 0600)."""
        path = self.data_dir / "password"
        with contextlib.suppress(FileNotFoundError):
            if text := path.read_text(encoding="utf-8").strip():
                return text
        text = secrets.token_urlsafe(24)
        write_private(path, text)
        return text

    def _state(self) -> dict[str, Any]:
        try:
            found = json.loads((self.data_dir / "state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _take_lock(self) -> int | None:
        """Return the descriptor of the held lock, or None after attaching to a running server."""
        descriptor = os.open(
            self.data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode=0o600
        )
        deadline = time.monotonic() + self.start_timeout_s
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                return descriptor
            state = self._state()
            parent = state.get("parent")
            lives = isinstance(parent, int) and _is_same(parent, state.get("parent_started"))
            if lives and self._attach:
                self._port = int(state["port"])
                if self._is_ready():
                    os.close(descriptor)
                    self._attached = True
                    return None
            elif lives and time.monotonic() > deadline - self.start_timeout_s + _DEATH_S:
                os.close(descriptor)
                raise AlreadyRunningError(
                    f"{self.name} already runs on {self.data_dir}, started by process {parent}.",
                    fix=f"Use that installation, stop it (kill {parent}), or set "
                    "AURASTREAM_DATA_DIR to another directory.",
                )
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise AlreadyRunningError(
                    f"{self.name} on {self.data_dir} is held by a process that neither serves "
                    "nor ends.",
                    fix=f"End process {state.get('guard')} and start again.",
                )
            time.sleep(_POLL_S)

    def _end_orphans(self, work: Path) -> None:
        """End a server that outlived its guard: with the lock in our hands it serves nobody."""
        orphans = [
            process for process in psutil.process_iter() if _quietly(self._is_ours, process, work)
        ]
        for number in (*self.stop_signals, signal.SIGKILL):
            for process in orphans:
                with contextlib.suppress(psutil.Error):
                    process.send_signal(number)
            _, orphans = psutil.wait_procs(orphans, timeout=_ORPHAN_STOP_S)
            if not orphans:
                return

    # -- start -----------------------------------------------------------------------------------

    def _start_guard(self, work: Path, account: Account | None, lock: int) -> None:
        tried: list[str] = []
        for port in self._ports():
            offset = self._rotate_log()
            guard = self._spawn(work, port, account, lock)
            self._port = port
            if self._wait(guard):
                guard.send_signal(signal.SIGUSR1)
                self._guard = guard
                return
            self._port = None
            tail = self._log_tail(offset)
            if not _mentions(tail, "address already in use"):
                self._raise_for(tail, guard.returncode)
            tried.append(str(port))
        raise PortTakenError(
            f"{self.name} found its port taken (tried {', '.join(tried)}).",
            fix="Stop the program that uses it, or leave the port to be chosen.",
        )

    def _ports(self) -> Iterator[int]:
        if self._fixed_port is not None:
            if not _is_free(self._fixed_port):
                raise PortTakenError(
                    f"Port {self._fixed_port} for {self.name} is taken{_owner(self._fixed_port)}.",
                    fix="Stop that program, or leave the port to be chosen.",
                )
            yield self._fixed_port
            return
        last = self._state().get("port")
        if isinstance(last, int) and _is_free(last):
            yield last
        for _ in range(_PORT_ATTEMPTS):
            with socket.socket() as probe:
                probe.bind((_HOST, 0))
                port = int(probe.getsockname()[1])
            yield port

    def _spawn(
        self, work: Path, port: int, account: Account | None, lock: int
    ) -> subprocess.Popen[bytes]:
        me = psutil.Process()
        config = {
            "argv": self._command(work, port, account),
            "cwd": str(work),
            "env": self._environment(),
            "log": str(self.log_path),
            "parent": me.pid,
            "uid": account.uid if account else None,
            "gid": account.gid if account else None,
            "stop_signals": [int(s) for s in self.stop_signals],
            "stop_timeout_s": self.stop_timeout_s,
        }
        # A session of its own, so that Ctrl-C in the terminal reaches only our processes, which
        # then stop the servers after their last user.
        guard = subprocess.Popen(  # noqa: S603 # our own program
            [sys.executable, "-I", "-S", str(_GUARD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(lock,),
            start_new_session=True,
            cwd="/",
        )
        write_private(
            self.data_dir / "state.json",
            json.dumps(
                {
                    "port": port,
                    "guard": guard.pid,
                    "parent": me.pid,
                    "parent_started": me.create_time(),
                }
            ),
        )
        stdin = guard.stdin
        if stdin is not None:
            with stdin, contextlib.suppress(BrokenPipeError):
                stdin.write(json.dumps(config).encode())
        return guard

    def _environment(self) -> Mapping[str, str]:
        """Nothing of ours leaks into the server; English messages, because we read them."""
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

    def _wait(self, guard: subprocess.Popen[bytes]) -> bool:
        """Wait for an answer; false when the server ended instead."""
        deadline = time.monotonic() + self.start_timeout_s
        try:
            while guard.poll() is None:
                if self._answers(guard):
                    return True
                self._give_up_after(deadline)
                time.sleep(_POLL_S)
        except BaseException:
            guard.terminate()
            guard.wait()
            raise
        return False

    def _answers(self, guard: subprocess.Popen[bytes]) -> bool:
        try:
            return self._is_ready()
        except EmbeddedServerError:
            # Who refuses us may be another server on the port, which ours could not get.
            with contextlib.suppress(subprocess.TimeoutExpired):
                guard.wait(timeout=_REFUSAL_S)
                return False
            raise

    def _give_up_after(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise EmbeddedServerError(
                f"{self.name} did not answer within {self.start_timeout_s:.0f} s.",
                fix=f"Its log is {self.log_path}.",
            )

    # -- errors ----------------------------------------------------------------------------------

    def _rotate_log(self) -> int:
        path = self.log_path
        if not path.exists():
            return 0
        size = path.stat().st_size
        if size > _LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
            return 0
        return size

    def _log_tail(self, offset: int) -> str:
        with contextlib.suppress(OSError), self.log_path.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(offset, log.tell() - _LOG_TAIL_BYTES))
            return log.read().decode("utf-8", errors="replace").strip()
        return ""

    def _raise_for(self, output: str, code: int | None) -> None:
        if _mentions(output, "no space left on device"):
            raise self._disk_full()
        if _mentions(output, "read-only file system", "permission denied"):
            raise DataDirectoryError(
                f"{self.name} cannot write to {self.data_dir}: {output.splitlines()[-1]}",
                fix="Make the directory writable or set AURASTREAM_DATA_DIR to another one.",
            )
        if _mentions(output, "could not look up effective user id"):
            raise EmbeddedServerError(
                f"{self.name} does not run under a user id without a name: {output}.",
                fix="Start as a user that the system knows (in a container, one of /etc/passwd), "
                "or set AURASTREAM_POSTGRES_URL to a server of your own.",
            )
        raise EmbeddedServerError(
            f"{self.name} ended with code {code} while starting: {output or 'no output'}",
            fix=f"Its log is {self.log_path}.",
        )

    def _disk_full(self) -> DiskFullError:
        return DiskFullError(
            f"There is no room left on the device of {self.data_dir}.",
            fix="Free some space or set AURASTREAM_DATA_DIR to another device.",
        )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the operating system's errors about our directory into ours."""
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._disk_full() from error
            if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR):
                raise DataDirectoryError(
                    f"{self.data_dir} cannot be written: {error.strerror}.",
                    fix="Make it writable for this user (it must be a directory) or set "
                    "AURASTREAM_DATA_DIR to another one.",
                ) from error
            raise EmbeddedServerError(f"{self.name} cannot be started: {error}.") from error


def write_private(path: Path, text: str, account: Account | None = None) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    partial = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode=0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    if account is not None:
        os.chown(partial, account.uid, account.gid)
    partial.replace(path)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _owner(port: int) -> str:
    """Name the program that listens on a port, where the system lets us see it."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and tuple(connection.laddr)[1:] == (port,):
                if connection.pid is None:
                    return ""
                return f" by {psutil.Process(connection.pid).name()} (process {connection.pid})"
    except (psutil.Error, OSError):
        return ""
    return ""


def _is_same(pid: int, started: object) -> bool:
    """Whether the process with this id is still the one that wrote it down, and lives."""
    try:
        process = psutil.Process(pid)
        return process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _quietly(
    test: Callable[[psutil.Process, Path], bool], process: psutil.Process, work: Path
) -> bool:
    """Answer no for a process that ended while it was looked at."""
    try:
        return test(process, work)
    except (psutil.Error, OSError):
        return False


def _mentions(text: str, *phrases: str) -> bool:
    lowered = text.lower()
    return any(phrase in lowered for phrase in phrases)
