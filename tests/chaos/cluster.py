"""Heads as real processes on one database, and an audit of every write that a daemon makes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

import dagster as dg
import grpc
import psutil
import psycopg
import yaml
from psycopg.rows import dict_row

from aurastream.operations.endpoints import remember_endpoints
from aurastream.store.urls import dagster_url
from tests.chaos.nursery import COMMAND, REPO_ROOT, ForkedHead, Nursery

T = TypeVar("T")

# Which connection wrote, whom the record named as leader at that moment, in the order of writing.
_AUDIT = """
CREATE SCHEMA audit;
CREATE TABLE audit.writes (
    id bigint GENERATED ALWAYS AS IDENTITY,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    what text NOT NULL,
    writer text NOT NULL DEFAULT current_setting('application_name'),
    leader text
);
CREATE FUNCTION audit.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit.writes (what, leader)
    VALUES (TG_TABLE_NAME, (SELECT holder FROM operations.leadership));
    RETURN NULL;
END $$;
"""
FAILOVER_S = 10.0
_AUDITED = ("runs", "job_ticks", "daemon_heartbeats")


def wait_until(
    check: Callable[[], T | None], *, within: float, what: str, every: float = 0.05
) -> T:
    """Return the first true value of a check, or fail when the deadline is over."""
    deadline = time.monotonic() + within
    while True:
        if found := check():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"Not within {within:.0f} s: {what}.")
        time.sleep(every)


@dataclass
class HeadProcess:
    """One head, started as an operator starts it, or forked, which spares it its imports."""

    process: subprocess.Popen[bytes] | ForkedHead
    log_path: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")


@dataclass
class Cluster:
    """A database, a code server and the heads that were started on them."""

    database_url: str
    directory: Path
    code_server_port: int
    nursery: Nursery
    heads: list[HeadProcess] = field(default_factory=list)
    first_tick_s: float = 0.0
    _asking: psycopg.Connection[dict[str, Any]] | None = field(default=None, init=False)

    def prepare(self, *, max_concurrent_runs: int = 0) -> None:
        """Write DAGSTER_HOME, create Dagster's tables and audit them."""
        home = self.directory / "dagster"
        home.mkdir()
        settings = yaml.safe_load(
            (REPO_ROOT / "deploy" / "dagster.yaml").read_text(encoding="utf-8")
        )
        settings["concurrency"]["runs"]["max_concurrent_runs"] = max_concurrent_runs
        (home / "dagster.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        server = {"host": "127.0.0.1", "port": self.code_server_port, "location_name": "chaos"}
        (home / "workspace.yaml").write_text(
            yaml.safe_dump({"load_from": [{"grpc_server": server}]}), encoding="utf-8"
        )
        with mock.patch.dict(os.environ, self.environment(self.database_url)):
            dg.DagsterInstance.get().dispose()
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(_AUDIT)
            for table in _AUDITED:
                connection.execute(
                    f"CREATE TRIGGER audited AFTER INSERT OR UPDATE ON dagster.{table} "
                    "FOR EACH ROW EXECUTE FUNCTION audit.note()"
                )

    def environment(self, database_url: str) -> dict[str, str]:
        return {
            **os.environ,
            "AURASTREAM_POSTGRES_URL": database_url,
            "AURASTREAM_DATA_DIR": str(self.directory),
            "DAGSTER_HOME": str(self.directory / "dagster"),
            "DAGSTER_PG_URL": dagster_url(database_url),
        }

    def start_head(
        self,
        database_url: str | None = None,
        *,
        redis_url: str | None = None,
        by_hand: bool = False,
    ) -> HeadProcess:
        path = self.directory / f"head-{len(self.heads)}.log"
        environment = self.environment(database_url or self.database_url)
        if by_hand:
            # Somebody in a shell knows the data directory at most; the rest is found there.
            remember_endpoints(self.directory, {"postgres_url": self.database_url})
            for name in ("AURASTREAM_POSTGRES_URL", "DAGSTER_HOME", "DAGSTER_PG_URL"):
                del environment[name]
        if redis_url is not None:
            environment["AURASTREAM_REDIS_URL"] = redis_url
        can_fork = sys.platform == "linux"  # elsewhere system libraries do not bear it
        if can_fork and not by_hand:
            head = HeadProcess(self.nursery.fork(environment, path), path)
        else:
            head = HeadProcess(_started(environment, path), path)
        self.heads.append(head)
        return head

    def start_pair(
        self, first_url: str | None = None, *, by_hand: bool = False
    ) -> tuple[HeadProcess, HeadProcess]:
        """Start a leader whose daemon ticks, and a warm standby."""
        leader = self.start_head(first_url)
        self.wait_for_tick_of(leader, within=120)
        self.wait_for_state(leader, "RUNNING", leads=True)
        [row] = self.rows(
            "SELECT extract(epoch FROM min(w.written_at) - max(l.acquired_at))::float8 AS seconds "
            "FROM audit.writes w, operations.leadership l WHERE w.what = 'job_ticks'"
        )
        self.first_tick_s = row["seconds"]
        standby = self.start_head(by_hand=by_hand)
        self.wait_for_state(standby, "RUNNING", leads=False)
        return leader, standby

    def wait_for_failover(self, standby: HeadProcess) -> None:
        """Wait for the first tick of a standby whose leader has just been ended, 10 s at most.

        A standby gives a silent leader 4.5 s and then needs what the first leader needed from its
        claim to its tick. On a machine where that alone took seconds, 10 s would judge the machine;
        it is given the same time again, and again for the noise of a machine so busy.
        """
        self.wait_for_tick_of(standby, within=max(FAILOVER_S, 5.0 + 3 * self.first_tick_s))

    # -- asking ----------------------------------------------------------------------------------

    def rows(self, query: str, *parameters: object) -> list[dict[str, Any]]:
        """Ask the record, on a connection that is kept: to be let in costs more than to ask."""
        if self._asking is not None:
            try:
                return self._asking.execute(query, parameters).fetchall()
            except psycopg.OperationalError:
                if not self._asking.closed:
                    raise
        # For the first time, or its server was restarted.
        self._asking = psycopg.connect(self.database_url, autocommit=True, row_factory=dict_row)
        return self._asking.execute(query, parameters).fetchall()

    def lives(self, head: HeadProcess) -> list[dict[str, Any]]:
        """Return the rows of a process in operations.heads, the latest life first."""
        return self.rows(
            "SELECT * FROM operations.heads WHERE pid = %s ORDER BY started_at DESC", head.pid
        )

    def leadership(self) -> dict[str, Any]:
        return self.rows("SELECT * FROM operations.leadership")[0]

    def wait_for_state(
        self, head: HeadProcess, state: str, *, leads: bool, within: float = 120
    ) -> dict[str, Any]:
        def check() -> dict[str, Any] | None:
            assert head.process.poll() is None, head.log()
            lives = self.lives(head)
            found = lives and lives[0]["state"] == state and lives[0]["is_leader"] is leads
            return lives[0] if found else None

        return wait_until(check, within=within, what=f"{state}, leads={leads}:\n{head.log()}")

    def ticks_of(self, name: str) -> int:
        """Return how often a head's daemon wrote a tick."""
        return int(
            self.rows(
                "SELECT count(*) AS n FROM audit.writes WHERE what = 'job_ticks' AND writer = %s",
                name,
            )[0]["n"]
        )

    def wait_for_tick_of(self, head: HeadProcess, *, within: float) -> None:
        """Wait until the daemon of a head's present life has ticked."""

        def check() -> bool:
            lives = self.lives(head)
            return bool(lives) and self.ticks_of(lives[0]["head_id"]) > 0

        wait_until(check, within=within, what=f"a tick of {head.pid}:\n{head.log()}")

    def writers(self) -> list[str]:
        """Return who wrote, in the order of writing, repetitions removed."""
        found: list[str] = []
        for row in self.rows(
            "SELECT writer FROM audit.writes WHERE starts_with(writer, 'aurastream') ORDER BY id"
        ):
            if not found or found[-1] != row["writer"]:
                found.append(row["writer"])
        return found

    def assert_one_acted_at_a_time(self) -> None:
        """No head wrote while another led, none came back, and no tick made two runs."""
        strangers = self.rows(
            "SELECT * FROM audit.writes WHERE starts_with(writer, 'aurastream') "
            "AND writer IS DISTINCT FROM leader"
        )
        assert not strangers
        writers = self.writers()
        assert len(writers) == len(set(writers)), writers
        assert not self.rows(
            "SELECT key, value, count(*) FROM dagster.run_tags "
            "WHERE key IN ('dagster/run_key', 'dagster/scheduled_execution_time') "
            "GROUP BY key, value HAVING count(*) > 1"
        )
        for head in self.heads:
            assert "multiple daemon processes" not in head.log()

    def stop(self) -> None:
        for head in self.heads:
            if head.process.poll() is None:
                head.process.kill()
                head.process.wait()
        if self._asking is not None:
            self._asking.close()


def _started(environment: dict[str, str], log_path: Path) -> subprocess.Popen[bytes]:
    with log_path.open("wb") as log:
        return subprocess.Popen(
            COMMAND,
            cwd=REPO_ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


@contextmanager
def running_cluster(cluster: Cluster, **options: Any) -> Iterator[Cluster]:
    cluster.prepare(**options)
    try:
        yield cluster
    finally:
        cluster.stop()


@dataclass(frozen=True)
class CodeServer:
    """A running code server."""

    port: int
    pid: int

    def workers(self) -> list[psutil.Process]:
        """Return the processes of the runs that it has started and that have not ended."""
        found = []
        for process in psutil.Process(self.pid).children(recursive=True):
            with suppress(psutil.Error):
                started_by = " ".join(process.cmdline())
                # A fork looks like the process it comes from, which is the server's own child.
                if "spawn_main" in started_by or (
                    "multiprocessing.forkserver" in started_by and process.ppid() != self.pid
                ):
                    found.append(process)
        return found


@contextmanager
def code_server(
    log_path: Path,
    environment: dict[str, str],
    program: tuple[str, ...] = ("aurastream_assets.code_server",),
) -> Iterator[CodeServer]:
    """Serve the chaos tests' location, with the product's code server or with another."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with log_path.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", *program),
                *("--host", "127.0.0.1", "--port", str(port), "--location-name", "chaos"),
                *("--python-file", str(Path(__file__).with_name("location.py"))),
            ],
            cwd=REPO_ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(timeout=180)
        yield CodeServer(port, process.pid)
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()  # nothing is left behind that a later test would stumble over
            process.wait()
            log = log_path.read_text(encoding="utf-8")
            raise AssertionError(
                f"The code server did not end when it was asked to:\n{log}"
            ) from None
