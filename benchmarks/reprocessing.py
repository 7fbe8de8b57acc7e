"""Thirty days of all tracked games computed again, through the running product.

A product of its own is started on 30 days of replayed history; then ``aurastream backfill --again``
computes every score, analysis and rollup of them once more, as an analyst would after a change of
formula. The baseline is the limit we promise for 30 days, 300 s on two cores. A wall time, unlike a
ratio, depends on the machine and on what else runs there.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aurastream.settings import REPO_ROOT
from benchmarks.core_category_stats import row

_DAYS = 30
_LIMIT_S = 300.0
_READY = "Ctrl-C stops everything."
# Keys of the person who runs this would turn the replay into a live collection.
_NOT_OURS = ("AURASTREAM_", "YOUTUBE_", "TWITCH_", "DAGSTER_")


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Time the reprocessing of 30 days, or n; the limit is in proportion."""
    days = n or _DAYS
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_OURS)}
    with tempfile.TemporaryDirectory(prefix="aurastream-bench-") as name:
        directory = Path(name)
        directory.chmod(0o711)  # for the account that Postgres runs under
        environment = kept | {"AURASTREAM_DATA_DIR": str(directory / "data")}
        with (directory / "up.log").open("w+b") as log:
            product = subprocess.Popen(
                ["script/server", "--days", str(days)],
                cwd=REPO_ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                _await(product, directory / "up.log")
                taken = _reprocess(environment, days)
            finally:
                if product.poll() is None:
                    os.killpg(product.pid, signal.SIGINT)
                    product.wait(timeout=120)
    limit = _LIMIT_S * days / _DAYS
    return [row("reprocessing, days", days, "limit", {"ours": taken, "limit": limit}, 1.0)]


def _await(product: subprocess.Popen[bytes], log: Path) -> None:
    while _READY not in (printed := log.read_text(encoding="utf-8")):
        if product.poll() is not None:
            sys.exit(f"script/server ended with {product.returncode}:\n{printed}")
        time.sleep(0.5)


def _reprocess(environment: dict[str, str], days: int) -> float:
    # Whole hours that are over: the present is the business of the schedules.
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    first = end - timedelta(days=days) + timedelta(hours=1)
    began = time.perf_counter()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "aurastream.cli", "backfill", "--again"),
            *("--from", f"{first:%Y-%m-%dT%H:%M:%S}", "--to", f"{end:%Y-%m-%dT%H:%M:%S}"),
        ],
        cwd=REPO_ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    taken = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"aurastream backfill ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return taken
