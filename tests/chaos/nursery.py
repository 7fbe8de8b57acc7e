"""Heads without their imports: forks of one process that has imported what a head imports.

A head imports for more than two seconds of a processor, and the chaos tests start two dozen. What
is forked here runs what ``aurastream head`` does, in a process, an environment and with a log of
its own; whenever it replaces itself, as one that lost its leadership does, it is that command.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

REPO_ROOT = Path(__file__).resolve().parents[2]

COMMAND = (sys.executable, "-m", "aurastream.cli", "head")


class Nursery:
    """The process that heads are forked from, until the end of the block."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.nursery"],
            cwd=REPO_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:  # nothing more is asked of it, so it ends
            pass

    def fork(self, environment: dict[str, str], log_path: Path) -> "ForkedHead":
        log_path.touch()
        return ForkedHead(self, self._ask(environment=environment, log=str(log_path)))

    def code_of(self, pid: int) -> int | None:
        """Return how a head ended, as `subprocess` does; None while it runs."""
        code: int | None = self._ask(ended=pid)
        return code

    def _ask(self, **question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@dataclass
class ForkedHead:
    """A head that was forked, as far as `subprocess.Popen` is used of one that was started."""

    _nursery: Nursery
    pid: int
    _code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            self._code = self._nursery.code_of(self.pid)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if timeout is not None and deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(COMMAND, timeout)
            time.sleep(0.02)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:  # until it is asked for, its number stays its own
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


# -- in the process that heads are forked from -----------------------------------------------------


def _serve() -> None:
    from aurastream.cli import main  # noqa: PLC0415 # what a head imports, here alone
    from aurastream.operations.head import run_head  # noqa: F401, PLC0415
    from aurastream_assets.daemon import preload  # noqa: PLC0415

    preload()
    assert threading.active_count() == 1, "a thread does not live on in a fork"
    for line in sys.stdin:
        question = json.loads(line)
        if "ended" in question:
            pid, status = os.waitpid(question["ended"], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        else:
            answer = os.fork()
            if not answer:
                _become(question["environment"], question["log"])
                main()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _become(environment: dict[str, str], log: str) -> None:
    """Be as a head that was started from a shell: of this process, nothing but imports is left."""
    os.environ.clear()
    os.environ.update(environment)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    written = os.open(log, os.O_WRONLY)
    for end, place in ((nowhere, 0), (written, 1), (written, 2)):
        os.dup2(end, place)
    os.closerange(3, 256)
    sys.argv = ["aurastream", "head"]
    sys.orig_argv = list(COMMAND)


if __name__ == "__main__":
    _serve()
