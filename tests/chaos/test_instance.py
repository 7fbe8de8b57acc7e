"""The instance settings at work: Dagster accepts them, and every queued run starts once."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

import dagster as dg
import pytest
from dagster._core.launcher import DefaultRunLauncher  # noqa: TID251 # as the queue does
from dagster._grpc.client import DagsterGrpcClient

from aurastream.store.urls import dagster_url
from aurastream_assets.forking import can_fork
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


@contextmanager
def _launching(cluster: Cluster, *, at_once: int, slots: int) -> Iterator[Cluster]:
    environment = cluster.environment(cluster.database_url) | {AT_ONCE_VARIABLE: str(at_once)}
    with code_server(cluster.directory / "code-server.log", environment) as server:
        cluster.code_server_port = server.port
        with running_cluster(cluster, max_concurrent_runs=slots) as running:
            yield running
        # Workers belong to the code server and would outlive the database.
        wait_until(lambda: not server.workers(), within=180, what="the end of the workers")


@pytest.fixture
def launching(database_url: str, tmp_path: Path, nursery: Nursery) -> Iterator[Cluster]:
    """A cluster whose runs are really launched, by a code server that knows their database."""
    cluster = Cluster(database_url, tmp_path, code_server_port=0, nursery=nursery)
    with _launching(cluster, at_once=_RUNS, slots=2) as running:
        yield running


@pytest.fixture
def holding(database_url: str, tmp_path: Path, nursery: Nursery) -> Iterator[Cluster]:
    """The same, but nothing that is queued is taken from there."""
    cluster = Cluster(database_url, tmp_path, code_server_port=0, nursery=nursery)
    with _launching(cluster, at_once=2, slots=0) as running:
        yield running


_STATUS = "SELECT status FROM dagster.runs WHERE run_id = %s"
_WORKERS = """
SELECT count(*) FILTER (WHERE dagster_event_type = 'PIPELINE_START') AS began,
       count(*) FILTER (WHERE event LIKE '%%Ignoring a duplicate run%%') AS too_many
FROM dagster.event_logs WHERE run_id = %s
"""


@pytest.mark.skipif(not can_fork(), reason="Dagster's own code server would start it twice.")
def test_a_run_that_a_killed_leader_took_is_handed_over_by_the_next_and_started_once(
    holding: Cluster,
) -> None:
    leader = holding.start_head()
    queued = "SELECT run_id FROM dagster.runs WHERE status = 'QUEUED' ORDER BY id"
    wait_until(lambda: len(holding.rows(queued)) > 1, within=120, what="two runs that wait")
    taken, handed_over = (row["run_id"] for row in holding.rows(queued)[:2])
    leader.send(signal.SIGKILL)
    leader.process.wait()
    # What a leader does to a run that it takes from the queue, before and while it hands it over.
    starting = dg.DagsterEvent(dg.DagsterEventType.PIPELINE_STARTING.value, job_name="idle")
    server = DagsterGrpcClient(port=holding.code_server_port)
    with (
        mock.patch.dict(os.environ, holding.environment(holding.database_url)),
        dg.DagsterInstance.get() as instance,
        ThreadPoolExecutor(2) as leaders,
    ):
        for run_id in (taken, handed_over):
            instance.report_dagster_event(starting, run_id=run_id)
        run = instance.get_run_by_id(handed_over)
        assert run is not None
        hand_over = partial(DefaultRunLauncher.launch_run_from_grpc_client, instance, run, server)
        for handed in [leaders.submit(hand_over) for _ in range(2)]:
            handed.result()

    successor = holding.start_head()

    for run_id in (handed_over, taken):  # whose start would be overdue after 180 s
        wait_until(
            lambda run_id=run_id: holding.rows(_STATUS, run_id) == [{"status": "SUCCESS"}],
            within=120,
            what=f"the end of a run:\n{successor.log()}",
        )
        assert holding.rows(_WORKERS, run_id) == [{"began": 1, "too_many": 0}]
    holding.assert_one_acted_at_a_time()


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
    ended = "SELECT run_id, status FROM dagster.runs WHERE status IN ('SUCCESS', 'FAILURE')"
    wait_until(
        lambda: before <= {row["run_id"] for row in launching.rows(ended)},
        # Without our code server a run that was taken waits until its start is overdue, 180 s.
        within=(120 if can_fork() else 300) + 20 * len(before),
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
    lost = before - set(started)
    assert len(lost) <= (0 if can_fork() else 2), "no more than what two slots held"
    launching.assert_one_acted_at_a_time()
