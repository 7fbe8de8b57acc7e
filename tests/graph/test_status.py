"""What waits, as the status tells it on a server that keeps another time."""

import dagster as dg
import psycopg
import pytest
from sqlalchemy.engine import make_url

from aurastream.operations.status import read_status
from aurastream.store.urls import dagster_url
from aurastream_assets.run_storage import RunStorage


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_the_age_of_the_queue_and_all_moments_are_the_same_in_every_zone(
    database_url: str, zone: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = make_url(database_url).database
        connection.execute(f"ALTER DATABASE {name} SET timezone = '{zone}'")
    storage = RunStorage(dagster_url(database_url))
    storage.add_run(dg.DagsterRun(job_name="signal", status=dg.DagsterRunStatus.NOT_STARTED))
    storage.dispose()

    status = read_status(database_url)

    assert status.queued_runs == 1
    assert status.oldest_queued_s is not None
    assert 0 <= status.oldest_queued_s < 60
    assert str(status.observed_at.tzinfo) == "UTC"
