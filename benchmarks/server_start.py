"""The whole product from nothing to the table of what it found, and again from there.

``script/server --once`` with an empty data directory (servers created, 14 days of history loaded
and scored), then once more with what the first start left. The environment is installed before, so
the baseline is no program but the limit we promise: 180 s cold, 20 s warm, on two cores. Its wall
time, unlike a ratio, depends on the machine and on what else runs there.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from aurastream.settings import REPO_ROOT
from benchmarks.core_category_stats import row

_DAYS = 14
_LIMITS_S = {"cold": 180.0, "warm": 20.0}
# Keys of the person who runs this would turn the replay into a live collection.
_NOT_OURS = ("AURASTREAM_", "YOUTUBE_", "TWITCH_", "DAGSTER_")


def _start(data: Path, days: int) -> float:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_OURS)}
    began = time.perf_counter()
    done = subprocess.run(
        ["script/server", "--once", "--days", str(days)],
        cwd=REPO_ROOT,
        env=environment | {"AURASTREAM_DATA_DIR": str(data)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    taken = time.perf_counter() - began
    if done.returncode or "Most viral right now" not in done.stdout:
        sys.exit(f"script/server --once ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return taken


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Time a cold and a warm start with 14 days of history, or n."""
    days = n or _DAYS
    subprocess.run(["script/setup", "runtime"], cwd=REPO_ROOT, check=True, capture_output=True)
    with tempfile.TemporaryDirectory(prefix="aurastream-bench-") as directory:
        Path(directory).chmod(0o711)  # for the account that Postgres runs under
        data = Path(directory) / "data"
        return [
            row(
                f"server_start, {kind}",
                days,
                "limit",
                {"ours": _start(data, days), "limit": limit},
                1.0,
            )
            for kind, limit in _LIMITS_S.items()
        ]
