"""The whole product as a process, started and stopped as a person does it from a terminal."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg

from aurastream.settings import ENDPOINTS_FILE, REPO_ROOT

T = TypeVar("T")

_OWN_VARIABLES = ("AURASTREAM_", "YOUTUBE_", "TWITCH_", "DAGSTER_", "PYTEST_")
_SERVER = (str(REPO_ROOT / "script" / "server"), "--days", "1")
# Enough for whatever is looked at here; a person's start crawls and looks at four times as much.
_LESS = {"AURASTREAM_REGIONS": "US,GB", "AURASTREAM_THUMBNAILS_PER_CATEGORY": "6"}
_LAST_LINE = "Ctrl-C stops everything."
# A minute and a half on two idle cores; other tests may keep them busy.
_STARTED_WITHIN_S = 900.0


def wait_until(check: Callable[[], T | None], *, within: float, what: Callable[[], str]) -> T:
    """Return the first true value of a check, or fail when the deadline is over."""
    deadline = time.monotonic() + within
    while not (found := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {within:.0f} s: {what()}")
        time.sleep(0.2)
    return found


@dataclass
class Product:
    """One installation; ``directory`` is reachable for the account that Postgres runs under."""

    directory: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def endpoints(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.data / ENDPOINTS_FILE).read_text())
        return found

    @property
    def url(self) -> str:
        return self.endpoints["webserver_url"]

    @property
    def printed(self) -> str:
        return self._log.read_text(encoding="utf-8")

    @property
    def _log(self) -> Path:
        return self.directory / "up.log"

    def start(self) -> None:
        """Start everything and wait for the links; a running product is left as it is."""
        if self._process is None or self._process.poll() is not None:
            self.launch()
            self.await_links()

    def launch(self) -> None:
        """Start everything without waiting."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                _SERVER,
                cwd=self.directory,  # any will do; what is relative is meant as seen from there
                env=self._environment() | {"AURASTREAM_DATA_DIR": self.data.name},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # as a shell does, so that Ctrl-C reaches it alone
            )

    def await_links(self) -> None:
        """Wait until everything runs."""
        process = self._process
        assert process is not None, "nothing was started"
        wait_until(
            lambda: process.poll() is not None or _LAST_LINE in self.printed,
            within=_STARTED_WITHIN_S,
            what=lambda: f"the links. It printed:\n{self.printed}",
        )
        assert process.poll() is None, f"It ended with {process.poll()}:\n{self.printed}"

    def stop(self) -> int:
        """Press Ctrl-C, which a terminal sends to the whole process group; return the exit code."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGINT)
        return self._process.wait(timeout=180)

    def kill(self) -> None:
        """End the process that was started, without a word to it or to what it started."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Leave nothing behind, whatever a failed test left running."""
        if self._process is not None and self._process.poll() is None:
            self.stop()
        for process in self.processes():
            process.kill()

    def up_once(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return self._run((*_SERVER, "--once"), _STARTED_WITHIN_S, variables)

    def command(
        self, *arguments: str, timeout_s: float = 300, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one command beside the running product, as from another shell."""
        return self._run((sys.executable, "-m", "aurastream.cli", *arguments), timeout_s, variables)

    def answer(self, *arguments: str) -> Any:
        """Run a command that is to succeed and print JSON; return what it printed."""
        done = self.command(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the record directly, as its owner."""
        with psycopg.connect(self.endpoints["postgres_url"]) as connection:
            return connection.execute(statement, values).fetchall()

    def processes(self) -> list[psutil.Process]:
        """Return whatever runs on behalf of this installation, even if its parents are gone."""
        return [process for process in psutil.process_iter() if self._is_mine(process)]

    def heads(self) -> list[psutil.Process]:
        """Return the running heads of this installation."""
        return [p for p in self.processes() if p.cmdline()[-2:] == ["aurastream.cli", "head"]]

    def code_servers(self) -> list[psutil.Process]:
        """Return the running code servers of this installation, without the runs they forked."""
        found = [p for p in self.processes() if "aurastream_assets.code_server" in p.cmdline()]
        return [p for p in found if p.ppid() not in {other.pid for other in found}]

    def _is_mine(self, process: psutil.Process) -> bool:
        mark = str(self.data)
        try:
            return (
                any(mark in word for word in process.cmdline())
                or process.cwd().startswith(mark)
                or any(value.startswith(mark) for value in process.environ().values())
            )
        except psutil.Error:  # it has ended meanwhile, or belongs to somebody else
            return False

    def _run(
        self, command: Sequence[str], timeout_s: float, variables: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.directory,
            env=self._environment() | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_OWN_VARIABLES)}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody starts servers that way: 2.5 × slower
        return kept | {
            "AURASTREAM_DATA_DIR": str(self.data),
            **_LESS,
            "PYTHONPATH": str(REPO_ROOT),
            "COLUMNS": "200",
        }
