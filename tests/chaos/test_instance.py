"""The instance settings at work: Dagster accepts them, and every queued run starts once."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aurastream.store.urls import dagster_url
from tests.chaos.cluster import REPO_ROOT, Cluster, code_server, running_cluster, wait_until
from tests.chaos.location import AT_ONCE_VARIABLE
from tests.chaos.nursery import Nursery

pytestmark = pytest.mark.chaos

# Enough that most of them wait behind two slots; each is an interpreter that starts.
_RUNS = 10

_DESCRIBE = """
import dagster
with dagster.DagsterInstance.get() as instance:
    queue = instance.get_concurrency_config()
    print(type(instance.run_coordinator).__name__, queue.run_queue_config.max_concurrent_runs,
          queue.pool_config.default_pool_limit, instance.run_monitoring_enabled,
          instance.telemetry_enabled, type(instance.event_log_storage).__name__,
          instance.run_monitoring_settings["free_slots_after_run_end_seconds"])
"""


def test_dagster_takes_the_instance_settings_on_a_real_postgres(
    database_url: str, tmp_path: Path
) -> None:
    shutil.copy(REPO_ROOT / "deploy" / "dagster.yaml", tmp_path)
    described = subprocess.run(
        [sys.executable, "-c", _DESCRIBE],
        env={
            **os.environ,
            "DAGSTER_HOME": str(tmp_path),
            "DAGSTER_PG_URL": dagster_url(database_url),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert described.stdout.split() == [
        *("QueuedRunCoordinator", "4", "1", "True", "False", "EventLogStorage", "10")
    ]


@pytest.fixture
def launching(database_url: str, tmp_path: Path, nursery: Nursery) -> Iterator[Cluster]:
    """A cluster whose runs are really launched, by a code server that knows their database."""
    cluster = Cluster(database_url, tmp_path, code_server_port=0, nursery=nursery)
    environment = cluster.environment(database_url) | {AT_ONCE_VARIABLE: str(_RUNS)}
    with code_server(tmp_path / "code-server.log", environment) as server:
        cluster.code_server_port = server.port
        with running_cluster(cluster, max_concurrent_runs=2) as running:
            yield running
        # Workers belong to the code server and would outlive the database.
        wait_until(lambda: not server.workers(), within=180, what="the end of the workers")


def test_runs_that_a_killed_leader_queued_are_each_started_once(launching: Cluster) -> None:
    leader, standby = launching.start_pair()
    finished = "SELECT run_id FROM dagster.runs WHERE status = 'SUCCESS'"
    queued = "SELECT run_id FROM dagster.runs WHERE status = 'QUEUED'"
    wait_until(
        lambda: launching.rows(finished) and len(launching.rows(queued)) > 1,
        within=120,
        what="a finished run and others that wait",
    )

    leader.send(signal.SIGKILL)
    launching.wait_for_failover(standby)
    before = {row["run_id"] for row in launching.rows("SELECT run_id FROM dagster.runs")}
    # A run that the leader had taken from the queue and not handed to the code server when it died
    # holds its slot until its start is overdue, 180 s, and is then started anew as another run.
    ended = "SELECT run_id, status FROM dagster.runs WHERE status IN ('SUCCESS', 'FAILURE')"
    wait_until(
        lambda: before <= {row["run_id"] for row in launching.rows(ended)},
        within=300 + 20 * len(before),
        what="the end of every run that was known at the failover",
    )

    started = {
        row["run_id"]: row["n"]
        for row in launching.rows(
            "SELECT run_id, count(*) AS n FROM dagster.event_logs "
            "WHERE dagster_event_type = 'PIPELINE_START' GROUP BY run_id"
        )
    }
    assert set(started.values()) == {1}
    failed = {row["run_id"] for row in launching.rows(ended) if row["status"] == "FAILURE"}
    assert not failed & set(started), "what was started succeeded"
    assert len(before & set(started)) >= len(before) - 2, "no more than its two slots were lost"
    launching.assert_one_acted_at_a_time()
