"""The slow layer of one four-hour window, on two weeks of the demo's own data, in one process.

The record is what a first start loads and scores: charts, games, streams and clips of 14 days from
the replay server, every half hour scored. Then one process of ``dagster job execute`` analyses the
last four hours that are over, with every check, nothing carried over from an earlier window: the
interpreter and Dagster start, all analyses run one after another, rows and pictures are written.
The limits are what we promise: 15 s of wall time (the sources allow 600), 1.5 GiB of memory.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from aurastream.operations.first_runs import history_start
from aurastream.operations.history_lanes import load_history
from aurastream.replay.server import background
from aurastream.settings import REPO_ROOT, Settings
from aurastream.sources.catalog import load_catalog
from aurastream.store.embedded import EmbeddedPostgres, EmbeddedRedis
from aurastream.store.frames import FrameStore
from aurastream.store.migrate import migrate
from aurastream.store.state import sync_categories
from aurastream.store.urls import dagster_url
from benchmarks.core_category_stats import row

_LIMIT_S = 15.0
_LIMIT_GIB = 1.5
_DAYS = 14
_ROUNDS = 3
_KEY = "%Y-%m-%d-%H:%M"
_KIB_PER_GIB = 1 << 20
_NOT_OURS = ("AURASTREAM_", "YOUTUBE_", "TWITCH_", "DAGSTER_")
_STEP = re.compile(r'Finished execution of step "([^"]+)" in ([\d.]+)(ms|s)')


def _prepare(directory: Path, postgres_url: str, replay_url: str, now: datetime, days: int) -> None:
    """Create the schema, the catalogue, the history with its scores, and Dagster's home."""
    migrate(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("create schema if not exists dagster")
    home = directory / "dagster"
    home.mkdir()
    shutil.copyfile(REPO_ROOT / "deploy" / "dagster.yaml", home / "dagster.yaml")
    with closing(FrameStore(postgres_url)) as store:
        sync_categories(store, load_catalog().categories_frame())
    load_history(
        Settings.from_env(),
        replay_url,
        now,
        days=days,
        on_plan=lambda _count: None,
        on_step=lambda _step: None,
    )
    first = history_start(now, days)
    last = now.replace(minute=0, second=0, microsecond=0) - timedelta(minutes=30)
    _execute(
        directory,
        "rescore",
        {
            "dagster/asset_partition_range_start": first.strftime(_KEY),
            "dagster/asset_partition_range_end": last.strftime(_KEY),
        },
    )


def _execute(directory: Path, job: str, tags: Mapping[str, str]) -> tuple[float, float, str]:
    """Run a job in a process of its own; return its seconds, its peak GiB and its log."""
    command = [
        *(sys.executable, "-m", "dagster", "job", "execute"),
        *("-m", "aurastream_assets.definitions", "-j", job, "--tags", json.dumps(dict(tags))),
    ]
    log = directory / f"{job}.log"
    with log.open("wb") as out:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=directory, stdout=out, stderr=out)
        _, status, used = os.wait4(process.pid, 0)
        taken = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text(encoding="utf-8", errors="replace")
    if process.returncode:
        sys.exit(f"The {job} run ended with {process.returncode}:\n{text[-4000:]}")
    return taken, used.ru_maxrss / _KIB_PER_GIB, text


def slowest(log: str, most: int = 5) -> list[tuple[str, float]]:
    """Return the steps of a run that took longest, with their seconds."""
    steps = [
        (name, float(value) / (1000 if unit == "ms" else 1))
        for name, value, unit in _STEP.findall(log)
    ]
    return sorted(steps, key=lambda step: -step[1])[:most]


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Analyse the last four hours of 14 days, or of n, three times; return median and peak."""
    for name in [name for name in os.environ if name.startswith(_NOT_OURS)]:
        del os.environ[name]
    days = n or _DAYS
    now = datetime.now(UTC).replace(microsecond=0)
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
            _prepare(directory, postgres.url, replay_url, now, days)
            ended = now.replace(hour=now.hour - now.hour % 4, minute=0, second=0)
            window = {"dagster/partition": (ended - timedelta(hours=4)).strftime(_KEY)}
            runs = [_execute(directory, "analyses", window) for _ in range(_ROUNDS)]
    for step, seconds in slowest(runs[-1][2]):
        print(f"  {step:<60} {seconds:7.2f} s", file=sys.stderr)
    wall = statistics.median(taken for taken, _, _ in runs)
    peak = max(gib for _, gib, _ in runs)
    return [
        row("analyses_run", days, "limit", {"ours": wall, "limit": _LIMIT_S}, 1.0),
        row(
            "analyses_run: peak memory, GiB in place of s",
            days,
            "limit",
            {"ours": peak, "limit": _LIMIT_GIB},
            1.0,
        ),
    ]
