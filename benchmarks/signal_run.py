"""A half-hour signal run, from the start of its process to the hot documents.

All charts of all regions are collected over HTTP from the replay server, scored and rolled into
documents, with every asset check, on a real Postgres (which also keeps Dagster's event log, with
the product's own instance settings) and a real Redis. The record holds what a first start leaves:
the crawls of 14 days, and the scores of the last one. The baseline is the limit we promise: 4 s of
wall time on two cores. Once it runs

- as the product runs it: the run is created, the product's code server is asked to start it, and
  the run's process goes from there to its end,
- alone: one process of ``dagster job execute``, which starts the interpreter, imports Dagster and
  loads the graph first.
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import grpc
import psycopg
from dagster._core.remote_origin import (  # noqa: TID251 # what the daemon tells a code server
    GrpcServerCodeLocationOrigin,
    RemoteRepositoryOrigin,
)
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import ExecuteExternalJobArgs

from aurastream.operations.history_lanes import load_history
from aurastream.operations.schedule_policy import window_of
from aurastream.replay.server import background
from aurastream.settings import REPO_ROOT, Settings
from aurastream.sources.catalog import load_catalog
from aurastream.store.embedded import EmbeddedPostgres, EmbeddedRedis
from aurastream.store.frames import FrameStore
from aurastream.store.migrate import migrate
from aurastream.store.state import sync_categories
from aurastream.store.urls import dagster_url
from aurastream_assets.definitions import defs
from aurastream_assets.partitions import WINDOW, half_hours
from benchmarks.core_category_stats import row

_LIMIT_S = 4.0
_ROUNDS = 5
_DAYS = 14
_LOCATION = "aurastream"
_NOT_OURS = ("AURASTREAM_", "YOUTUBE_", "TWITCH_", "DAGSTER_")


def _prepare(directory: Path, postgres_url: str, replay_url: str) -> None:
    """Create the schema, the catalogue, two weeks of crawls, and Dagster's home."""
    migrate(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("create schema if not exists dagster")
    home = directory / "dagster"
    home.mkdir()
    shutil.copyfile(REPO_ROOT / "deploy" / "dagster.yaml", home / "dagster.yaml")
    now = datetime.now(UTC).replace(microsecond=0)
    with closing(FrameStore(postgres_url)) as store:
        sync_categories(store, load_catalog().categories_frame())
    load_history(
        Settings.from_env(),
        replay_url,
        now,
        days=_DAYS,
        on_plan=lambda _: None,
        on_step=lambda _: None,
    )
    window = window_of(now)
    range_of_a_day = {
        "dagster/asset_partition_range_start": _name_of(window - timedelta(days=1)),
        "dagster/asset_partition_range_end": _name_of(window - WINDOW),
    }
    _execute(directory, "rescore", range_of_a_day)  # with Dagster's tables, and compiled kernels


def _name_of(window: datetime) -> str:
    return window.strftime(half_hours.fmt)


def _run(directory: Path) -> float:
    return _execute(directory, "signal", {"dagster/partition": _name_of(window_of(_now()))})


def _now() -> datetime:
    return datetime.now(UTC)


def _execute(directory: Path, job: str, tags: Mapping[str, str]) -> float:
    """Execute a job in a process of its own; returns how many seconds it took."""
    began = time.perf_counter()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dagster", "job", "execute"),
            *("-m", "aurastream_assets.definitions", "-j", job),
            *("--tags", json.dumps(tags)),
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    taken = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"The run of {job} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    return taken


@contextmanager
def _code_server(directory: Path) -> Iterator[int]:
    """Serve the graph as the launcher does; the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with (directory / "code-server.log").open("wb") as log:
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "aurastream_assets.code_server", "--log-level", "warning"),
                *("--module-name", "aurastream_assets.definitions"),
                *("--host", "127.0.0.1", "--port", str(port), "--location-name", _LOCATION),
            ],
            cwd=directory,
            stdout=log,
            stderr=log,
        )
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(timeout=60)
        yield port
    finally:
        server.terminate()
        server.wait()


def _ask_for_run(instance: dg.DagsterInstance, port: int) -> float:
    client = DagsterGrpcClient(host="127.0.0.1", port=port)
    location = GrpcServerCodeLocationOrigin(host="127.0.0.1", port=port, location_name=_LOCATION)
    origin = RemoteRepositoryOrigin(location, "__repository__").get_job_origin("signal")
    window = _name_of(window_of(_now()))
    job = defs.resolve_job_def("signal")
    began = time.perf_counter()
    created = instance.create_run_for_job(
        job, tags={"dagster/partition": window}, remote_job_origin=origin
    )
    asked = ExecuteExternalJobArgs(
        job_origin=origin, run_id=created.run_id, instance_ref=instance.get_ref()
    )
    client.start_run(asked)
    while not (run := instance.get_run_by_id(created.run_id)) or not run.is_finished:
        time.sleep(0.02)
    taken = time.perf_counter() - began
    if run.status is not dg.DagsterRunStatus.SUCCESS:
        sys.exit(f"The signal run ended as {run.status}.")
    return taken


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Time five signal runs, or n, each in a process of its own, and return their median."""
    for name in [name for name in os.environ if name.startswith(_NOT_OURS)]:
        del os.environ[name]
    rounds = n or _ROUNDS
    with tempfile.TemporaryDirectory(prefix="aurastream-bench-") as temporary:
        directory = Path(temporary)
        directory.chmod(0o711)  # for the account that Postgres runs under
        with (
            EmbeddedPostgres(directory / "postgres") as postgres,
            EmbeddedRedis(directory / "redis") as cache,
            background() as replay_url,
        ):
            os.environ |= {
                "AURASTREAM_DATA_DIR": str(directory / "data"),
                "AURASTREAM_POSTGRES_URL": postgres.url,
                "AURASTREAM_REDIS_URL": cache.url,
                "AURASTREAM_REPLAY_URL": replay_url,
                "DAGSTER_HOME": str(directory / "dagster"),
                "DAGSTER_PG_URL": dagster_url(postgres.url),
                "PYTHONPATH": str(REPO_ROOT),
            }
            _prepare(directory, postgres.url, replay_url)
            _run(directory)
            alone = statistics.median(_run(directory) for _ in range(rounds))
            with dg.DagsterInstance.get() as instance, _code_server(directory) as port:
                _ask_for_run(instance, port)  # has the code server prepare what it forks
                asked = statistics.median(_ask_for_run(instance, port) for _ in range(rounds))
    return [
        row(name, rounds, "limit", {"ours": seconds, "limit": _LIMIT_S}, 1.0)
        for name, seconds in (("signal_run", asked), ("signal_run, alone", alone))
    ]
