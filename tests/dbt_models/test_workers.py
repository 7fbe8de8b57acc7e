"""`intel_worker_state`: failures are those that happened."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from aurastream.store.urls import dagster_url, reader_url
from aurastream_assets.keys import WORKERS
from tests.dbt_models.warehouse import Warehouse


@pytest.fixture
def instance(warehouse: Warehouse, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's own tables in the schema they have in an installation."""
    with psycopg.connect(warehouse.url, autocommit=True) as connection:
        connection.execute("create schema if not exists dagster")
    (tmp_path / "dagster.yaml").write_text(
        f"storage: {{postgres: {{postgres_url: '{dagster_url(warehouse.url)}'}}}}\n"
        "telemetry: {enabled: false}\n"
    )
    with dg.DagsterInstance.from_config(str(tmp_path)) as opened:
        yield opened
    with psycopg.connect(warehouse.url, autocommit=True) as connection:
        connection.execute("drop schema dagster cascade; create schema dagster")


@dg.op(config_schema={"fails": bool})
def _work(context: dg.OpExecutionContext) -> None:
    if context.op_config["fails"]:
        raise dg.Failure("no answer", allow_retries=False)


@dg.job
def _a_job() -> None:
    _work()


def _run(instance: dg.DagsterInstance, worker: str, *, fails: bool) -> None:
    _a_job.execute_in_process(
        instance=instance,
        tags={"worker": worker},
        run_config={"ops": {"_work": {"config": {"fails": fails}}}},
        raise_on_error=False,
    )


def _states(warehouse: Warehouse) -> dict[str, dict[str, Any]]:
    rows = warehouse.rows("select * from aggregation.intel_worker_state")
    return {row["task_name"]: row for row in rows}


def test_failures_are_those_of_dagsters_runs(
    warehouse: Warehouse, instance: dg.DagsterInstance
) -> None:
    warehouse.publish("intel_worker_state")
    _run(instance, "intel_aggregation_hourly", fails=False)
    for _ in range(2):
        _run(instance, "intel_aggregation_hourly", fails=True)
    _run(instance, "thumbnail_intel_worker", fails=True)
    _run(instance, "thumbnail_intel_worker", fails=False)

    states = _states(warehouse)
    assert set(states) == set(WORKERS)
    hourly, thumbnails = states["intel_aggregation_hourly"], states["thumbnail_intel_worker"]
    assert hourly["consecutive_failures"] == 2
    assert hourly["last_run"] > hourly["last_success"]
    assert "_work" in hourly["last_error"]
    assert hourly["metadata"]["judged_by"] == "dagster"
    assert thumbnails["consecutive_failures"] == 0
    assert thumbnails["last_error"]
    assert thumbnails["received_samples"] == 1
    playbook = states["playbook_worker"]
    assert (playbook["last_run"], playbook["metadata"]["is_built"]) == (None, False)
    with psycopg.connect(reader_url(warehouse.url)) as connection:
        found = connection.execute(
            "select consecutive_failures from aggregation.intel_worker_state "
            "where task_name = 'intel_aggregation_hourly'"
        ).fetchone()
    assert found == (2,)


def test_where_dagster_is_elsewhere_crawls_speak(warehouse: Warehouse) -> None:
    warehouse.publish("intel_worker_state")
    now = datetime.now(UTC)
    warehouse.insert(
        "operations.crawls",
        *(
            {
                "crawl_at": now - timedelta(minutes=minutes),
                "observed_at": now - timedelta(minutes=minutes),
                "dataset": "collection/twitch_streams",
                "category": "roblox",
                "got": got,
                "is_complete": got > 0,
                "reason": "" if got else "server error",
            }
            for minutes, got in ((40, 5), (25, 0), (10, 0))
        ),
    )
    streams = _states(warehouse)["twitch_streams_worker"]
    assert (streams["consecutive_failures"], streams["last_error"]) == (2, "server error")
    assert streams["metadata"]["judged_by"] == "record"
    assert _states(warehouse)["intel_aggregation_daily"]["metadata"]["judged_by"] is None
