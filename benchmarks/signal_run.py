"""A half-hour signal run, from the start of its process to the hot documents.

One process of ``dagster job execute``: the interpreter and Dagster start, the graph is loaded, all
charts of all regions are collected over HTTP from the replay server, scored and rolled into
documents, with every asset check, on a real Postgres (which also keeps Dagster's event log, with
the product's own instance settings) and a real Redis. The record holds the crawls of three hours
before. The baseline is the limit we promise: 4 s of wall time on two cores.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from aurastream.operations.history import HistoryLoader
from aurastream.operations.history_plan import Step
from aurastream.operations.schedule_policy import window_of
from aurastream.replay.server import background
from aurastream.settings import REPO_ROOT, Settings
from aurastream.sources.catalog import load_catalog
from aurastream.store.embedded import EmbeddedPostgres, EmbeddedRedis
from aurastream.store.frames import FrameStore
from aurastream.store.migrate import migrate
from aurastream.store.state import sync_categories
from aurastream.store.urls import dagster_url
from benchmarks.core_category_stats import row

_LIMIT_S = 4.0
_ROUNDS = 5
_NOT_OURS = ("AURASTREAM_", "YOUTUBE_", "TWITCH_", "DAGSTER_")


def _prepare(directory: Path, postgres_url: str, replay_url: str) -> None:
    """Create the schema, the catalogue, three hours of crawls, and Dagster's home."""
    migrate(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("create schema if not exists dagster")
    home = directory / "dagster"
    home.mkdir()
    shutil.copyfile(REPO_ROOT / "deploy" / "dagster.yaml", home / "dagster.yaml")
    now = datetime.now(UTC).replace(microsecond=0)
    moments = [now - timedelta(minutes=30 * ago) for ago in range(6, 0, -1)]
    with closing(FrameStore(postgres_url)) as store:
        sync_categories(store, load_catalog().categories_frame())
        with closing(HistoryLoader(Settings.from_env(), store, replay_url)) as loader:
            loader.load([Step(at, "youtube_trending") for at in moments])


def _run(directory: Path) -> float:
    window = window_of(datetime.now(UTC)).strftime("%Y-%m-%d-%H:%M")
    began = time.perf_counter()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dagster", "job", "execute"),
            *("-m", "aurastream_assets.definitions", "-j", "signal"),
            *("--tags", json.dumps({"dagster/partition": window})),
        ],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    taken = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"The signal run ended with {done.returncode}:\n{done.stderr[-4000:]}")
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
            _run(directory)  # creates Dagster's tables and the compiled kernels
            median = statistics.median(_run(directory) for _ in range(rounds))
        return [row("signal_run", rounds, "limit", {"ours": median, "limit": _LIMIT_S}, 1.0)]
