"""The process between a supervisor and one of its children: it ties their lives together.

Run by path with ``python -I -S`` (standard library only: it starts in milliseconds), configured by
one JSON line on standard input. The pipe stays open as long as the supervisor lives, so its end
says that the supervisor ended, however it ended, on every system:

* then, or on ``SIGTERM``, the child gets ``SIGTERM``, some seconds, and ``SIGKILL`` with everything
  it started;
* when the guardian itself is killed, the kernel kills the child (Linux, ``PR_SET_PDEATHSIG``);
* when the child ends by itself, the guardian ends with its code; what the child left behind in its
  process group is ended first, unless it is to be spared (runs outlive a code server that crashed).

The first line of its output is the child's process id.
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
from typing import Any

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.02
_LEFTOVERS_S = 5.0


def main() -> int:
    """Run one child to its end; return its exit code (128 + n for signal n)."""
    config: dict[str, Any] = json.loads(_read_line(0))
    wake_r, wake_w = os.pipe()
    for end in (wake_r, wake_w):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake_w, warn_on_full_buffer=False)
    stop_asked = [False]

    def ask_to_stop(_number: int, _frame: object) -> None:
        stop_asked[0] = True

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    for ignored in (signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    child = _spawn(config)
    with contextlib.suppress(BrokenPipeError):
        os.write(1, f"{child.pid}\n".encode())
    spare = bool(config["spare_offspring"])
    while child.poll() is None:
        readable, _, _ = select.select([0, wake_r], [], [])
        if wake_r in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_r, 4096)
        if stop_asked[0] or (0 in readable and not os.read(0, 4096)):
            _stop(child, float(config["stop_timeout_s"]))
            spare = False
    if not spare:
        _end_group(child.pid)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _read_line(descriptor: int) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(descriptor, 65536)
        if not part:
            raise SystemExit(1)
        line += part
    return line


def _spawn(config: dict[str, Any]) -> "subprocess.Popen[bytes]":
    guardian = os.getpid()
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def tie_to_guardian() -> None:
        # Safe between fork and exec: the guardian has one thread.
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != guardian:
                os._exit(1)

    with open(config["log"], "ab") as log:  # noqa: PTH123 # pathlib costs a third of the start
        return subprocess.Popen(  # noqa: S603 # what our supervisor asks for
            config["command"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=config["cwd"],
            process_group=0,
            preexec_fn=tie_to_guardian,  # noqa: PLW1509 # one thread, see there
        )


def _stop(child: "subprocess.Popen[bytes]", timeout_s: float) -> None:
    child.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=timeout_s)
        return
    _signal_group(child.pid, signal.SIGKILL)


def _end_group(group: int) -> None:
    """End what the child started and left behind in its process group."""
    deadline = time.monotonic() + _LEFTOVERS_S
    _signal_group(group, signal.SIGTERM)
    while _signal_group(group, 0):
        if time.monotonic() > deadline:
            _signal_group(group, signal.SIGKILL)
            return
        time.sleep(_POLL_S)


def _signal_group(group: int, number: int) -> bool:
    """Signal every process of a group; whether there was one."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS refuses for a group of zombies
        return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
