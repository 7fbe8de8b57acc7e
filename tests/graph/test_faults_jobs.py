"""Postgres, the run worker and dbt killed in the middle of a rollup, an archive and a purge.

==========  ==========================  ===========================  =========================
killed      rollup                      archive                      retention
==========  ==========================  ===========================  =========================
Postgres    here                        here                         here
run worker  here                        here; in mid-file and on S3  here; between two targets
                                        in tests/postgres            in tests/postgres
dbt         hours here, days in         has no part in it            has no part in it
            tests/dbt_models
==========  ==========================  ===========================  =========================

Each is caught where it waits for a lock, with a part of its work done, and followed by a second
run. The whole record, the archive's bytes and the proofs are then those of a run that nobody
disturbed.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import psutil
import psycopg
import pytest
import redis
from adbc_driver_manager import Error as AdbcError
from pydantic import SecretStr

from aurastream.operations.archive import archive_month, open_archive
from aurastream.operations.retention import purge
from aurastream.settings import REPO_ROOT, Settings
from aurastream.store.embedded import EmbeddedPostgres, EmbeddedRedis
from aurastream.store.frames import Append, FrameStore, Upsert
from aurastream.store.purge import days_of, relations
from aurastream_assets.aggregation.project import DbtProjectError
from aurastream_assets.aggregation.runner import DbtRunner
from aurastream_assets.definitions import build_defs
from aurastream_assets.partitions import hours, months
from resources.store import Redis, Store
from tests.dbt_models.warehouse import COLLECTION_HOURS, HOURS, Warehouse
from tests.filled_rows import filled_rows
from tests.graph.gates import LOOK_EVERY_S, Gate, while_stuck

pytestmark = pytest.mark.chaos
JOBS = {"rollup": "hourly_rollup", "archive": "archive", "retention": "retention"}
CRAWLS = "operations.crawls"
# Rows that say when something was done or checked, and not what; the proofs are compared below.
_OF_THEIR_TIME = frozenset(
    {
        "maintenance.purges",
        "maintenance.archive",
        "maintenance.retention_rules",
        "maintenance.score_history",
    }
)
_PREPARED = "prepared"
# The tests of the models use this name too: dbt keeps what it parsed by the database's name.
_DATABASE = "dbt_models"
_RETENTION_DAYS = 5
_PATIENCE_S = 120


def _today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@dataclass
class Site:
    """One prepared record on a server that may be killed, and what clean runs make of it."""

    server: EmbeddedPostgres
    redis_url: str
    data_dir: Path
    now: datetime
    clean: dict[str, dict[str, str]] = field(default_factory=dict)
    archives: int = 0

    @property
    def url(self) -> str:
        return self.server.url_of(_DATABASE)

    @property
    def settings(self) -> Settings:
        return Settings(
            postgres_url=SecretStr(self.url),
            redis_url=SecretStr(self.redis_url),
            data_dir=self.data_dir,
            archive_url=str(self.archive),
            retention_days=_RETENTION_DAYS,
        )

    @property
    def archive(self) -> Path:
        return self.data_dir / "archives" / str(self.archives)

    @property
    def month(self) -> date:
        return (self.now.date().replace(day=1) - timedelta(days=1)).replace(day=1)

    @property
    def old_days(self) -> list[date]:
        """Days of last month, all of them over age."""
        return [self.month.replace(day=day) for day in (1, 2, 15)]

    @property
    def start(self) -> datetime:
        """When the rolled up hours begin."""
        return self.now - timedelta(days=1)

    @property
    def end(self) -> datetime:
        return self.start + timedelta(hours=3)

    def reset(self) -> None:
        """Put the prepared record in place of whatever is there, and an archive without files."""
        with psycopg.connect(self.server.url_of("postgres"), autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {_DATABASE} WITH (FORCE)")
            admin.execute(f"CREATE DATABASE {_DATABASE} TEMPLATE {_PREPARED}")
        self.archives += 1

    def do(self, job: str) -> None:
        """Do what a job does, without Dagster."""
        if job == "rollup":
            DbtRunner(self.url, self.data_dir / "dbt").build(
                [HOURS, COLLECTION_HOURS], start=self.start, end=self.end
            )
        elif job == "archive":
            archive_month(self.settings, open_archive(self.settings), self.month)
        else:
            purge(self.settings, self.now)

    def gate(self, job: str) -> Gate:
        """Stop a job with a part of its work done."""
        if job == "rollup":
            # Its delete meets a row that somebody holds, after it deleted those before it.
            return Gate(
                self.url,
                f"SELECT FROM aggregation.{HOURS} WHERE hour_start = '{self.start}'::timestamptz "
                "+ interval '2 hours' FOR UPDATE",
            )
        if job == "archive":
            # Files of the tables before it are written, and no manifest is.
            return Gate(self.url, "LOCK TABLE operations.fetch_log IN ACCESS EXCLUSIVE MODE")
        # A table's first day has gone, and somebody reads the second one.
        part = f"{CRAWLS}_p{self.old_days[1]:%Y%m%d}"
        return Gate(self.url, f"LOCK TABLE {part} IN ACCESS SHARE MODE")

    def assert_half_done(self, job: str, before: dict[str, str]) -> None:
        now = self.state()
        if job == "rollup":
            # The job's other rollup is a transaction of its own, with the rows that it keeps.
            other = {f"aggregation.{COLLECTION_HOURS}": "", f"kept {COLLECTION_HOURS}": ""}
            assert now | other == before | other, "a rollup is one transaction"
            return
        assert now not in (before, self.clean[job])
        if job == "archive":
            archive = open_archive(self.settings)
            assert archive.files(CRAWLS)
            assert archive.files("operations.fetch_log") == archive.months() == []
        else:
            with psycopg.connect(self.url) as connection:
                left = set(days_of(connection, CRAWLS))
            assert self.old_days[0] not in left
            assert self.old_days[1] in left

    def state(self) -> dict[str, str]:
        """Return a checksum of every table, of every file of the archive, and of the proofs."""
        with psycopg.connect(self.url, options="-ctimezone=UTC") as connection:

            def digest(query: str) -> str:
                row = connection.execute(
                    f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM ({query}) t"
                ).fetchone()
                return str(row[0]) if row else ""

            found = {
                relation.name: digest(f"SELECT * FROM {relation.name}")
                for relation in relations(self.url)
                if relation.name not in _OF_THEIR_TIME
            }
            # A purge that was cut off is proved in two rows, which together say the same.
            found["proofs"] = digest(
                "SELECT target, action, reason, sum(items), (SELECT array_agg(part ORDER BY part) "
                "FROM maintenance.purges o, unnest(o.parts) part WHERE o.target = p.target) "
                "FROM maintenance.purges p GROUP BY target, action, reason"
            )
            kept = "SELECT window_start, asset, row_key, values FROM maintenance.score_history "
            ours = f"'aggregation/{COLLECTION_HOURS}'"
            found[f"kept {COLLECTION_HOURS}"] = digest(f"{kept} WHERE asset = {ours}")
            found["kept"] = digest(f"{kept} WHERE asset <> {ours}")
            found["archived"] = digest(
                "SELECT month, dataset, rows, bytes, files, content_sha256, columns, left_out "
                "FROM maintenance.archive"
            )
            found["rules"] = digest(
                "SELECT table_name, action, max_age_hours, reason FROM maintenance.retention_rules"
            )
        files = sorted(path for path in self.archive.rglob("*") if path.is_file())
        return found | {
            path.relative_to(self.archive).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        }


@pytest.fixture(scope="module")
def site(
    mortal_postgres: EmbeddedPostgres,
    redis_server: EmbeddedRedis,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """Three days of last month, three hours of yesterday that were rolled up before half came."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    found = Site(mortal_postgres, redis_server.url, tmp_path_factory.getbasetemp(), _today())
    with psycopg.connect(mortal_postgres.url_of("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {_PREPARED} TEMPLATE aurastream_template")
    prepared = mortal_postgres.url_of(_PREPARED)
    with FrameStore(prepared) as store:
        for day in found.old_days:
            at = datetime(day.year, day.month, day.day, 23, 59, 59, 999_999, tzinfo=UTC)
            for table, rows in (
                ("collection.youtube_trending", [{"video_id": f"v{n}"} for n in range(5)]),
                (CRAWLS, [{"region": region} for region in ("US", "GB")]),
                ("operations.fetch_log", [{"params": {"id": "v1"}}]),
            ):
                store.commit([Append(table, filled_rows(table, rows, at=at))])
            video = filled_rows("collection.youtube_videos", [{"video_id": f"d{day}"}], at=at)
            store.commit([Upsert("collection.youtube_videos", video)])
    warehouse = Warehouse(prepared, found.data_dir / "dbt")
    warehouse.categories("music", "gaming")
    for minutes, views in ((0, 100), (30, 900)):
        for hour in range(3):
            for n in range(6):
                window = found.start + timedelta(hours=hour, minutes=minutes)
                warehouse.video(f"{window:%Y-%m-%d %H:%M}", f"v{n}", views=views + n)
        if minutes == 0:
            warehouse.runner.build([HOURS, COLLECTION_HOURS], start=found.start, end=found.end)
    warehouse.store.close()
    for job in JOBS:
        found.reset()
        before = found.state()
        found.do(job)
        found.clean[job] = found.state()
        assert found.clean[job] != before
    yield found
    with psycopg.connect(mortal_postgres.url_of("postgres"), autocommit=True) as admin:
        for name in (_DATABASE, _PREPARED):
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("job", JOBS)
def test_a_postgres_killed_in_the_middle_of_a_job_leaves_what_a_second_run_completes(
    site: Site, job: str
) -> None:
    site.reset()
    before = site.state()

    def kill() -> None:
        pid = site.server.server_pid()
        assert pid is not None
        # All at once: a backend that outlives the server for a moment may come through the gate,
        # which opens when the one that holds it notices first.
        backends = psutil.Process(pid).children()
        for process in backends:
            process.suspend()
        os.kill(pid, signal.SIGKILL)
        for process in backends:
            process.kill()
        _, alive = psutil.wait_procs(backends, timeout=60)
        assert not alive

    with (
        while_stuck(site.gate(job), kill),
        pytest.raises((psycopg.OperationalError, AdbcError, DbtProjectError)) as broken,
    ):
        site.do(job)

    if isinstance(broken.value, DbtProjectError):
        assert broken.value.is_transient, "the run is retried"
    _wait_for(site.url)
    site.assert_half_done(job, before)
    site.do(job)
    assert site.state() == site.clean[job]


@pytest.mark.parametrize("job", JOBS)
def test_a_run_worker_killed_in_the_middle_of_a_job_leaves_what_a_second_run_completes(
    site: Site, job: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    site.reset()
    before = site.state()
    environment = {
        "AURASTREAM_POSTGRES_URL": site.url,
        "AURASTREAM_REDIS_URL": site.redis_url,
        "AURASTREAM_DATA_DIR": str(site.data_dir),
        "AURASTREAM_ARCHIVE_URL": str(site.archive),
        "AURASTREAM_RETENTION_DAYS": str(_RETENTION_DAYS),
    }
    tags = _tags(site, job)
    command = [
        *(sys.executable, "-W", "ignore", "-m", "dagster", "job", "execute"),
        *("-m", "aurastream_assets.definitions", "-j", JOBS[job], "--tags", json.dumps(tags)),
    ]

    _kill_in_the_middle(
        site.gate(job), command, {**environment, "PYTHONPATH": str(REPO_ROOT)}, tmp_path
    )

    site.assert_half_done(job, before)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    graph = build_defs(
        environment="local",
        resource_overrides={
            "store": Store(postgres_url=site.url),
            "redis": Redis(url=site.redis_url),
        },
    )
    with dg.DagsterInstance.ephemeral() as instance:
        result = graph.resolve_job_def(JOBS[job]).execute_in_process(instance=instance, tags=tags)
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert site.state() == site.clean[job]


def test_a_dbt_killed_in_the_middle_of_the_hours_leaves_what_a_second_one_completes(
    site: Site, tmp_path: Path
) -> None:
    site.reset()
    before = site.state()
    program = (
        "import sys; from datetime import datetime; from pathlib import Path; "
        "from aurastream_assets.aggregation.runner import DbtRunner; "
        "url, work, start, end, name = sys.argv[1:]; "
        "DbtRunner(url, Path(work)).build([name], start=datetime.fromisoformat(start), "
        "end=datetime.fromisoformat(end))"
    )
    command = [
        *(sys.executable, "-W", "ignore", "-c", program, site.url, str(site.data_dir / "dbt")),
        *(site.start.isoformat(), site.end.isoformat(), HOURS),
    ]

    _kill_in_the_middle(site.gate("rollup"), command, {"PYTHONPATH": str(REPO_ROOT)}, tmp_path)

    site.assert_half_done("rollup", before)
    site.do("rollup")
    assert site.state() == site.clean["rollup"]


def _tags(site: Site, job: str) -> dict[str, str]:
    if job == "rollup":
        return {
            "dagster/asset_partition_range_start": site.start.strftime(hours.fmt),
            "dagster/asset_partition_range_end": (site.end - timedelta(hours=1)).strftime(
                hours.fmt
            ),
        }
    return {"dagster/partition": site.month.strftime(months.fmt)} if job == "archive" else {}


def _kill_in_the_middle(
    gate: Gate, command: list[str], environment: dict[str, str], work_dir: Path
) -> None:
    """Kill a process where it is stuck, as the kernel does when memory is short."""
    with (work_dir / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=work_dir, env={**os.environ, **environment}, stdout=log, stderr=log
        )
    try:
        gate.wait(lambda: process.poll() is not None)
    finally:
        process.kill()
        process.wait()
        gate.open()
    assert process.returncode == -signal.SIGKILL


def _wait_for(url: str) -> None:
    """Return when a server that was killed is back."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline, "it did not come back"
            time.sleep(LOOK_EVERY_S)
        else:
            return
