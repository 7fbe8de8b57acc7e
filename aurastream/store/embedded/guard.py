"""The process between AuraStream and an embedded server: it ties their lives together.

Run by path with ``python -I -S`` (standard library only, so that it starts in milliseconds and
needs no environment), configured by one JSON object on standard input. It is the server's parent:

* when the process that asked for the server ends, however it ends, the server is shut down;
* when the guard itself is killed, the kernel stops the server (Linux, ``PR_SET_PDEATHSIG``);
* when the server dies after it was once ready, it is started again, with growing pauses;
* as root, the server runs under an unprivileged account, the guard keeps the rights to end it;
* the lock on the data directory is an inherited descriptor that stays open as long as the guard
  lives: a held lock means a living guard.

``SIGUSR1`` says that the server was ready; ``SIGTERM`` asks for an orderly stop.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

_PR_SET_PDEATHSIG = 1
_RESTARTS = 8
_RESTART_WINDOW_S = 60.0
_POLL_S = 0.25


class _Guard:
    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.parent = int(config["parent"])
        self.stop_signals = [int(s) for s in config["stop_signals"]]
        self.stopping = False
        self.was_ready = False
        self.server: subprocess.Popen[bytes] | None = None
        self.wake_r, self.wake_w = os.pipe()
        os.set_blocking(self.wake_w, False)
        os.set_blocking(self.wake_r, False)

    def run(self) -> int:
        signal.set_wakeup_fd(self.wake_w, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGUSR1, self._on_ready)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        watched = [self.wake_r]
        with contextlib.suppress(OSError, AttributeError):
            # Exact and immediate; the timeout of select covers systems without pidfd.
            watched.append(os.pidfd_open(self.parent))
        restarts: list[float] = []
        self._spawn()
        while True:
            code = self.server.poll() if self.server else 0
            if self._is_over():
                return self._shut_down()
            if code is not None:
                now = time.monotonic()
                restarts = [t for t in restarts if now - t < _RESTART_WINDOW_S]
                if not self.was_ready or len(restarts) >= _RESTARTS:
                    return code if code > 0 else 70
                restarts.append(now)
                self._pause(0.1 * 2 ** (len(restarts) - 1), watched)
                if not self._is_over():
                    self._spawn()
                continue
            self._pause(_POLL_S, watched)

    def _is_over(self) -> bool:
        return self.stopping or os.getppid() != self.parent

    def _pause(self, seconds: float, watched: list[int]) -> None:
        readable, _, _ = select.select(watched, [], [], seconds)
        if self.wake_r in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self.wake_r, 4096)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def _on_ready(self, _number: int, _frame: FrameType | None) -> None:
        self.was_ready = True

    def _spawn(self) -> None:
        config = self.config
        account: dict[str, Any] = {}
        if config.get("uid") is not None:
            account = {"user": config["uid"], "group": config["gid"], "extra_groups": []}
        with open(config["log"], "ab") as log:  # noqa: PTH123 # pathlib costs a third of the start
            # The guard has one thread, so a function between fork and exec is safe. It has to run
            # after the change of account, which clears the parent-death signal.
            self.server = subprocess.Popen(  # noqa: S603 # the command our own process composed
                config["argv"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=config["cwd"],
                env=config["env"],
                umask=0o077,
                preexec_fn=_die_with_parent(  # noqa: PLW1509 # one thread, see above
                    os.getpid(), self.stop_signals[0]
                ),
                **account,
            )

    def _shut_down(self) -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        server = self.server
        if server is None or server.poll() is not None:
            return 0
        for number in [*self.stop_signals, int(signal.SIGKILL)]:
            with contextlib.suppress(ProcessLookupError):
                server.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(timeout=float(self.config["stop_timeout_s"]))
                return 0
        return 1


def _die_with_parent(guard: int, number: int) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def set_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != guard:
            os._exit(1)

    return set_signal


if __name__ == "__main__":
    raise SystemExit(_Guard(json.load(sys.stdin)).run())
