"""How long nobody ticks after the leader has ended, in each of the four ways it may end.

Two heads on one database, as the chaos tests start them; the time is that from the leader's end to
the first tick of the standby's daemon. The baseline is the limit we promise, 10 s. A wall time,
unlike a ratio, depends on the machine and on what else runs there.
"""

import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psycopg

from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.migrate import migrate
from benchmarks.core_category_stats import row
from tests.chaos.cluster import (
    FAILOVER_S,
    Cluster,
    HeadProcess,
    code_server,
    running_cluster,
)

_PATIENCE_S = 60.0


def _cut_off(cluster: Cluster, _leader: HeadProcess) -> None:
    cluster.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
        cluster.leadership()["holder"],
    )


_ENDS: Final[dict[str, Callable[[Cluster, HeadProcess], None]]] = {
    "killed": lambda _cluster, leader: leader.send(signal.SIGKILL),
    "paused": lambda _cluster, leader: leader.send(signal.SIGSTOP),
    "cut off": _cut_off,
    "handed over": lambda _cluster, leader: leader.send(signal.SIGTERM),
}


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Time three failovers of each kind, or n."""
    times = n or 3
    with tempfile.TemporaryDirectory(prefix="aurastream-bench-") as name:
        directory = Path(name)
        directory.chmod(0o711)  # for the account that Postgres runs under
        with (
            EmbeddedPostgres(directory / "postgres") as server,
            code_server(directory / "code-server.log", dict(os.environ)) as code,
        ):
            return [
                row(
                    f"failover, {kind}",
                    times,
                    "limit",
                    {
                        "ours": statistics.median(
                            _failover(server.url, directory / f"{kind}-{i}", code.port, end)
                            for i in range(times)
                        ),
                        "limit": FAILOVER_S,
                    },
                    1.0,
                )
                for kind, end in _ENDS.items()
            ]


def _failover(
    server_url: str, directory: Path, port: int, end: Callable[[Cluster, HeadProcess], None]
) -> float:
    directory.mkdir()
    database = "".join(c if c.isalnum() else "_" for c in directory.name)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{database}"')
    url = server_url.rpartition("/")[0] + f"/{database}"
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS dagster")
    with running_cluster(Cluster(url, directory, port)) as cluster:
        leader, standby = cluster.start_pair()
        began = time.perf_counter()
        end(cluster, leader)
        cluster.wait_for_tick_of(standby, within=_PATIENCE_S)
        return time.perf_counter() - began
