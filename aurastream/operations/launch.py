"""One command, everything running: what ``script/server`` does once its environment is there.

The order is that of the dependencies: servers, schema, replay, Dagster's webserver and code server,
the history, the head, the graph over that history, and then the table of what was found. Whatever
can start while something else is still working does so.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import psycopg
import redis
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from aurastream.core.errors import AuraStreamError, SettingsError
from aurastream.operations.dependencies import redis_probe
from aurastream.operations.endpoints import forget_endpoints, remember_endpoints
from aurastream.operations.first_runs import PlannedRun, history_start, plan_runs, run_all
from aurastream.operations.found import as_table, read_found
from aurastream.operations.graph import Graph, GraphError
from aurastream.operations.history_lanes import load_history
from aurastream.operations.policy import limits_of
from aurastream.operations.ports import free_port, is_free
from aurastream.operations.preflight import preflight
from aurastream.operations.probes import grpc_answers, head_stands_by, http_answers
from aurastream.operations.processes import ProcessEvent, ProcessSpec, Supervisor
from aurastream.operations.processor import faster_sort, one_thread
from aurastream.operations.query import QueryError
from aurastream.operations.restarts import RestartWatch
from aurastream.operations.stopping import signals_delivered_to
from aurastream.operations.terms import apply_terms, note_terms
from aurastream.settings import REPO_ROOT, Settings
from aurastream.sources.catalog import load_catalog
from aurastream.store.embedded import EmbeddedPostgres, EmbeddedRedis
from aurastream.store.errors import DataDirectoryError, MigrationError
from aurastream.store.frames import FrameStore
from aurastream.store.installation import require_origin
from aurastream.store.migrate import migrate
from aurastream.store.partitions import ensure_partitions
from aurastream.store.reader import Reader
from aurastream.store.readings import existing_marts, first_crawl
from aurastream.store.start_note import noted_start
from aurastream.store.state import sync_categories
from aurastream.store.urls import dagster_url, reader_url

__all__ = ["Launch"]

_WORKSPACE: Final = """\
# Written at each start: the running code server, for webserver and daemon.
load_from:
  - grpc_server:
      host: 127.0.0.1
      port: {port}
      location_name: aurastream
"""


_LOG_WIDTH: Final = 150
_AHEAD: Final = timedelta(days=2)  # partitions that a start makes
_WATCH_S: Final = 0.25
_INTERRUPTED: Final = 130
_PATIENCE_S: Final = 30.0


class Launch:
    """Starts everything, keeps it running, and stops it in order.

    Parameters
    ----------
    settings : Settings
        Servers that have a URL there are used; the others are embedded.
    once : bool
        Stop after the table of what was found.
    days : int
        Days of history that a replay loads; as many as retention keeps at most.
    port : int
        Port of the Dagster UI; 0 keeps the last one, or finds a free one.
    """

    def __init__(self, settings: Settings, *, once: bool, days: int, port: int) -> None:
        self._here = Path.cwd()
        self._settings = settings.model_copy(update={"data_dir": settings.data_dir.resolve()})
        self._once = once
        # Older days would go again at the next retention.
        self._days = min(days, settings.retention_days)
        self._port = port
        self._data = self._settings.data_dir
        self._home = self._data / "dagster"
        # A log file or a pipe has no width; 80 columns would break every title in two.
        self._console = Console(
            width=None if sys.stdout.isatty() else _LOG_WIDTH, markup=False, emoji=False
        )
        self._stop = threading.Event()
        self._stack = ExitStack()
        self._embedded: dict[EmbeddedPostgres | EmbeddedRedis, RestartWatch] = {}
        self._replay_url: str | None = None
        self._web_url = ""
        self._code_port = 0
        self._creating_tables: subprocess.Popen[str] | None = None
        self._record_start: datetime | None = None
        self._mode = limits_of(settings).mode
        self._has_other_terms = False

    def run(self) -> int:
        """Run until stopped; return the exit code."""
        # Only the data directory is as seen from where we were called. All else that is relative
        # is as seen from the checkout, for the processes that are started and so for this one.
        os.chdir(REPO_ROOT)
        with signals_delivered_to(self._be_stopped), self._stack:
            now = datetime.now(UTC)
            try:
                with self._progress() as progress:
                    if not self._start(progress, now):
                        return _INTERRUPTED
            except AuraStreamError:
                # What was cut off by Ctrl-C is no fault, whatever it says of itself.
                if self._stop.is_set():
                    return _INTERRUPTED
                raise
            self._show_found()
            if self._once:
                return 0
            self._show_links()
            self._watch()
        return 0

    def _be_stopped(self, _signal: signal.Signals) -> None:
        """Say at once that the signal was heard: runs under way are given half a minute."""
        if not self._stop.is_set():
            self._stop.set()
            with suppress(OSError):  # the terminal may be what went
                self._console.print("Stopping.")

    def _watch(self) -> None:
        """Keep everything running until asked to stop."""
        while not self._stop.wait(_WATCH_S):
            self._look()

    def _look(self) -> None:
        """Start again whatever has ended, and say so."""
        for event in self._supervisor.watch_once():
            self._tell(event)
        for server, watch in self._embedded.items():
            if not server.is_guarded:
                self._console.print(f"{server.name} lost its guard; starting it again.")
                server.start()
            if (pid := watch.look()) is not None:
                self._console.print(
                    f"{server.name} ended and was started again: process {pid}"
                    f" ({self._short(server.log_path)})",
                    highlight=False,
                )

    @contextmanager
    def _looked_after(self) -> Iterator[None]:
        """Keep everything running beside a long step, which must not touch the processes itself."""
        over = threading.Event()

        def look() -> None:
            while not over.wait(_WATCH_S):
                try:
                    self._look()
                except Exception as error:  # noqa: BLE001 # whoever looks after others stays
                    self._console.print(f"aurastream: {error}", highlight=False)

        watcher = threading.Thread(target=look, name="watcher", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    # -- the steps -------------------------------------------------------------------------------

    def _start(self, progress: Progress, now: datetime) -> bool:
        """Bring everything up; returns False when it was asked to stop meanwhile."""
        with _step(progress, "Starting Postgres and Redis"):
            self._settings = self._servers()
        if self._stop.is_set():
            return False
        self._create_dagster_tables()
        with _step(progress, "Migrating the schema"):
            self._prepare_store(now)
        if self._settings.live:
            with _step(progress, "Asking the platforms"):
                self._ask_platforms()
        if self._stop.is_set():
            return False
        # What the record holds is noted before anything runs that could add to it. Not earlier: a
        # start that a platform refused has added nothing, and says nothing of it.
        with _step(progress, f"Applying the terms ({self._mode})"):
            self._has_other_terms = apply_terms(self._frames, self._settings, now)
        self._record_start = self._first_moment(now)
        with noted_start(self._settings.require_postgres()):
            return self._fill(progress, now)

    def _fill(self, progress: Progress, now: datetime) -> bool:
        """Start the processes, load what is missing and compute what was made of it."""
        servers = "Dagster" if self._settings.live else "replay server and Dagster"
        with _step(progress, f"Starting {servers}"):
            self._start_processes()
        if self._stop.is_set():
            return False
        if self._replay_url is not None:
            with self._looked_after():
                self._load_history(progress, now)
        if self._stop.is_set():
            return False
        with _step(progress, "Waiting for Dagster"):
            # A daemon that finds no code server fails the runs it finds queued.
            self._supervisor.wait_ready("code-server", stopped=self._stop.is_set)
            # Not while history is loaded: a schedule would score the open window from a part of it.
            self._supervisor.launch(self._head())
            for name in ("webserver", "head"):
                self._supervisor.wait_ready(name, stopped=self._stop.is_set)
            with closing(Graph(self._web_url)) as graph:
                graph.wait_loaded(timeout_s=60, stopped=self._stop.is_set)
        try:
            with self._looked_after():
                self._materialize(progress, now)
        except GraphError as error:
            if self._once or self._stop.is_set():
                raise
            # A platform that refuses us is no reason to take the UI away that shows why.
            self._console.print(f"aurastream: {error}", highlight=False)
        return not self._stop.is_set()

    def _servers(self) -> Settings:
        _require_writable(self._data)
        found: dict[str, str] = {}
        if self._settings.postgres_url is None:
            postgres = self._stack.enter_context(EmbeddedPostgres(self._data / "postgres"))
            self._embedded[postgres] = RestartWatch(postgres)
            found["postgres_url"] = postgres.url
        else:
            found["postgres_url"] = self._settings.require_postgres()
        if self._settings.redis_url is None:
            cache = self._stack.enter_context(EmbeddedRedis(self._data / "redis"))
            self._embedded[cache] = RestartWatch(cache)
            found["redis_url"] = cache.url
        else:
            found["redis_url"] = self._settings.require_redis()
        if self._settings.reader_url is None:
            found["reader_url"] = reader_url(found["postgres_url"])
        else:
            found["reader_url"] = self._settings.require_reader()
        try:
            redis_probe(found["redis_url"])()
        except redis.RedisError as error:
            raise SettingsError(
                f"Redis does not answer: {str(error).rstrip('.')}.",
                fix="Correct AURASTREAM_REDIS_URL, or unset it to use the embedded server.",
            ) from error
        self._found = found
        return self._settings.with_endpoints(found)

    def _prepare_store(self, now: datetime) -> None:
        url = self._settings.require_postgres()
        migrate(url, reader=Reader.from_settings(self._settings))
        with psycopg.connect(url, autocommit=True) as connection:
            # Until the first retention makes those of a week.
            ensure_partitions(connection, now, now + _AHEAD)
        self._frames = self._stack.enter_context(
            closing(FrameStore(url, spool=self._data / "spool"))
        )
        require_origin(self._frames, "live" if self._settings.live else "replay")
        sync_categories(self._frames, load_catalog().categories_frame())

    def _ask_platforms(self) -> None:
        for doubt in preflight(self._settings):
            self._console.print(f"aurastream: {doubt}", highlight=False)

    def _first_moment(self, now: datetime) -> datetime:
        """Return midnight of the day on which the record begins, or will with its history."""
        begun = now if self._settings.live else now - timedelta(days=self._days)
        begun = min(begun, first_crawl(self._frames) or begun).astimezone(UTC)
        return begun.replace(hour=0, minute=0, second=0, microsecond=0)

    def _start_processes(self) -> None:
        self._write_instance_settings()
        self._supervisor = Supervisor(log_dir=self._data / "logs", state_dir=self._data / "run")
        self._stack.enter_context(self._supervisor)
        # Not before: until here, the endpoints may be those of another start that is running.
        self._stack.callback(forget_endpoints, self._data)
        if not self._settings.live:
            # The port stays, because the links to thumbnails in stored metadata carry it.
            port = _kept_port(self._data / "replay.port")
            self._supervisor.launch(self._replay(port))
            self._supervisor.wait_ready("replay", stopped=self._stop.is_set)
            self._replay_url = f"http://127.0.0.1:{port}"
            self._found["replay_url"] = self._replay_url
        self._await_dagster_tables()
        self._code_port = free_port()
        (self._home / "workspace.yaml").write_text(
            _WORKSPACE.format(port=self._code_port), encoding="utf-8"
        )
        self._supervisor.launch(self._code_server())
        web_port = self._port or _kept_port(self._data / "webserver.port")
        self._web_url = f"http://127.0.0.1:{web_port}"
        remember_endpoints(self._data, self._found | {"webserver_url": self._web_url})
        self._supervisor.launch(self._webserver(web_port))

    def _create_dagster_tables(self) -> None:
        """Let one process create Dagster's tables: webserver and daemon at once would collide.

        It takes seconds for the first time, so it begins before our own schema is there.
        """
        with psycopg.connect(self._settings.require_postgres(), autocommit=True) as connection:
            try:
                connection.execute("create schema if not exists dagster")
            except psycopg.errors.InsufficientPrivilege as error:
                raise MigrationError(
                    f"The schema of Dagster's tables cannot be created: {error}.",
                    fix="Start with an account that owns the database.",
                ) from error
            row = connection.execute(
                "select to_regclass('dagster.instance_info') is not null"
                " and to_regclass('dagster.job_ticks') is not null"
            ).fetchone()
        if row is not None and row[0]:
            return
        self._write_instance_settings()
        spec = self._spec("dagster-tables", "dagster", "instance", "info")
        self._creating_tables = subprocess.Popen(  # noqa: S603 # our own command
            spec.command,
            env={**os.environ, **spec.environment},
            cwd=spec.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for us
        )
        self._stack.callback(_end, self._creating_tables)

    def _await_dagster_tables(self) -> None:
        if self._creating_tables is None:
            return
        _, said = self._creating_tables.communicate()
        if self._creating_tables.returncode:
            raise AuraStreamError(f"Dagster cannot create its tables: {said.strip()[-500:]}")

    def _write_instance_settings(self) -> None:
        self._home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPO_ROOT / "deploy" / "dagster.yaml", self._home / "dagster.yaml")

    def _load_history(self, progress: Progress, now: datetime) -> None:
        if self._replay_url is None:
            return
        title = f"Loading {self._days} days of history"
        task = progress.add_task(title, total=None, visible=False)

        def show(crawls: int) -> None:
            progress.update(task, total=crawls, visible=crawls > 0)
            if crawls:
                _say(progress, f"{title}, {crawls} crawls")

        load_history(
            self._settings,
            self._replay_url,
            now,
            days=self._days,
            on_plan=show,
            on_step=lambda _step: progress.advance(task),
            stopped=self._stop.is_set,
        )

    def _materialize(self, progress: Progress, now: datetime) -> None:
        with closing(Graph(self._web_url)) as graph:
            if self._has_other_terms:
                # Dagster's own log shows what was computed under the terms of before.
                list(run_all(graph, [PlannedRun("retention")], stopped=self._stop.is_set))
                if self._stop.is_set():
                    return
                note_terms(self._frames, self._settings)
            runs = plan_runs(
                graph,
                # Windows of the first day before its first crawl say that nothing came.
                start=(self._replay_url and self._record_start) or history_start(now, 0),
                now=now,
                platforms=self._settings.platforms,
                marts=existing_marts(self._frames),
            )
            total = sum(run.weight for run in runs)
            if not total:
                return  # a warm start finds everything there
            task = progress.add_task("Materializing the graph", total=total)
            _say(progress, f"Materializing the graph, {total} partitions")
            for run in run_all(graph, runs, stopped=self._stop.is_set):
                progress.update(task, advance=run.weight)

    # -- the processes ---------------------------------------------------------------------------

    def _spec(self, name: str, *command: str, **options: object) -> ProcessSpec:
        environment = {
            "AURASTREAM_POSTGRES_URL": self._settings.require_postgres(),
            "AURASTREAM_READER_URL": self._settings.require_reader(),
            "AURASTREAM_REDIS_URL": self._settings.require_redis(),
            "AURASTREAM_DATA_DIR": str(self._data),
            "DAGSTER_HOME": str(self._home),
            "DAGSTER_PG_URL": dagster_url(self._settings.require_postgres()),
            "PYTHONPATH": str(REPO_ROOT),
            # A run over hundreds of partitions stores its events in bulk: 100 s become a few.
            "DAGSTER_EVENT_BATCH_SIZE": "500",
            **faster_sort(),
            **one_thread(),
        }
        if self._replay_url is not None:
            environment["AURASTREAM_REPLAY_URL"] = self._replay_url
        if self._record_start is not None:  # of the graph, which is not there before
            environment["AURASTREAM_RECORD_START"] = self._record_start.isoformat()
        return ProcessSpec(
            name=name,
            command=[sys.executable, "-m", *command],
            environment=environment,
            cwd=REPO_ROOT,
            **options,  # type: ignore[arg-type] # the remaining fields of ProcessSpec
        )

    def _replay(self, port: int) -> ProcessSpec:
        return self._spec(
            "replay",
            *("aurastream.replay", "--port", str(port)),
            port=port,
            probe=http_answers(f"http://127.0.0.1:{port}/_replay/status"),
            stops_after=("code-server",),
        )

    def _code_server(self) -> ProcessSpec:
        return self._spec(
            "code-server",
            *("aurastream_assets.code_server", "--module-name", "aurastream_assets.definitions"),
            *("--working-directory", str(REPO_ROOT), "--location-name", "aurastream"),
            *("--host", "127.0.0.1", "--port", str(self._code_port)),
            *("--inject-env-vars-from-instance", "--log-level", "warning"),
            port=self._code_port,
            probe=grpc_answers(self._code_port),
            # Runs are its children; one that is under way outlives a crash of the code server.
            spare_offspring=True,
            # A daemon that finds no code server fails the runs it finds queued.
            stops_after=("head",),
        )

    def _webserver(self, port: int) -> ProcessSpec:
        return self._spec(
            "webserver",
            *("aurastream_assets.webserver", str(self._code_port)),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--workspace", str(self._home / "workspace.yaml"), "--log-level", "warning"),
            port=port,
            probe=http_answers(f"http://127.0.0.1:{port}/server_info"),
        )

    def _head(self) -> ProcessSpec:
        return self._spec(
            "head",
            *("aurastream.cli", "head"),
            probe=head_stands_by(self._settings.require_postgres()),
        )

    # -- talking ---------------------------------------------------------------------------------

    def _progress(self) -> Progress:
        return Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )

    def _show_found(self) -> None:
        try:
            found = read_found(self._settings.require_reader(), mode=self._mode)
        except QueryError as error:
            if self._once:
                raise
            self._console.print(f"There is nothing to show yet: {error}", highlight=False)
            return
        for title, answer in found.titles():
            if answer is None:
                self._console.print(
                    f"{title}: not computed, policy_mode is {self._mode}.", highlight=False
                )
                continue
            self._console.print(as_table(title, answer) if answer.rows else f"{title}: nothing yet")

    def _show_links(self) -> None:
        source = "replaying a real archive" if self._replay_url else "live"
        self._console.print(f"Dagster    {self._web_url}  ({source})")
        command = self._short(REPO_ROOT) / ".venv" / "bin" / "aurastream"
        question = 'sql "select * from marts.taking_off_now"'
        self._console.print(f"Questions  {command} {question}", highlight=False)
        self._console.print(f"Logs       {self._short(self._data / 'logs')}")
        self._console.print("Ctrl-C stops everything.")

    def _short(self, path: Path) -> Path:
        """Return the path as seen from where this was started, where that is shorter."""
        try:
            return path.resolve().relative_to(self._here)
        except ValueError:
            return path

    def _tell(self, event: ProcessEvent) -> None:
        log = self._short(self._supervisor.log_path(event.name))
        self._console.print(f"{event.name} {event.what}: {event.brief} ({log})", highlight=False)


@contextmanager
def _step(progress: Progress, title: str) -> Iterator[TaskID]:
    """Show one step as a spinner that becomes a check mark."""
    task = progress.add_task(title, total=1)
    _say(progress, title)
    yield task
    progress.update(task, completed=1)


def _say(progress: Progress, text: str) -> None:
    """Write a line where bars cannot be drawn, so that a log shows what is going on."""
    if not progress.console.is_terminal:
        progress.console.print(f"{text} …")


def _require_writable(directory: Path) -> None:
    """Create the data directory and try to write there, before anything is started."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise DataDirectoryError(
            f"The data directory {directory} cannot be written: {error.strerror}.",
            fix="Make it writable for this user (it must be a directory) or set "
            "AURASTREAM_DATA_DIR to another one.",
        ) from error


def _kept_port(path: Path) -> int:
    """Return the port of the last start if it is still free, so that bookmarks stay good."""
    try:
        port = int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        port = 0
    if not port or not is_free(port):
        port = free_port()
        path.write_text(str(port), encoding="utf-8")
    return port


def _end(process: "subprocess.Popen[str]") -> None:
    """Let a process end, for what it leaves half done nobody would mend; but not for ever."""
    with process:  # waits, and closes its pipe
        if process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=_PATIENCE_S)
        process.kill()
