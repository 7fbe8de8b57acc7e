"""The nightly job that keeps the record's partitions, on a real Postgres."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pandas as pd
import psycopg
import pytest

from aurastream.store.frames import FrameStore
from aurastream.store.partitions import ensure_partitions, existing_days
from aurastream.store.tables import PARTITIONED
from aurastream.store.writes import Append
from aurastream_assets.partitions import days, hours

Run = Callable[..., dg.ExecuteInProcessResult]
RETENTION_DAYS = 3


@pytest.fixture
def connection(store: FrameStore) -> Iterator[psycopg.Connection]:
    with psycopg.connect(store.url, autocommit=True) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _short_retention(installation: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    del installation  # sets its own environment first
    monkeypatch.setenv("AURASTREAM_RETENTION_DAYS", str(RETENTION_DAYS))


def _days(connection: psycopg.Connection) -> dict[str, set[date]]:
    return {table.fullname: existing_days(connection, table) for table in PARTITIONED}


def _metadata(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (event,) = result.asset_materializations_for_node("maintenance__purges")
    return {name: v.value for name, v in event.metadata.items()}


def _parts(connection: psycopg.Connection) -> set[str]:
    """Return the partitions that the proofs name."""
    rows = connection.execute("select unnest(parts) from maintenance.purges").fetchall()
    return {name for (name,) in rows}


def _crawl(at: datetime) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "crawl_at": [at],
            "dataset": ["collection/twitch_streams"],
            "category": ["fortnite"],
            "region": [""],
            "observed_at": [at],
            "expected": [1],
            "got": [1],
            "rejected": [0],
            "is_complete": [True],
            "reason": [""],
            "membership_hash": [""],
            "stats_hash": [""],
            "viewer_total": [None],
        }
    )


def test_the_coming_week_has_its_partitions_after_a_run(
    run: Run, connection: psycopg.Connection
) -> None:
    today = datetime.now(UTC).date()

    metadata = _metadata(run("retention"))

    coming = {today + timedelta(days=n) for n in range(8)}
    assert {name: days & coming for name, days in _days(connection).items()} == {
        table.fullname: coming for table in PARTITIONED
    }
    assert metadata["partitions_created"] == 8 * len(PARTITIONED)
    assert metadata["partitions_dropped"] == 0


def test_days_over_age_go_and_the_ones_within_stay_with_their_rows(
    run: Run, store: FrameStore, connection: psycopg.Connection
) -> None:
    now = datetime.now(UTC)
    fresh, oldest_kept, over_age = (
        now - timedelta(days=n) for n in (1, RETENTION_DAYS, RETENTION_DAYS + 1)
    )
    ensure_partitions(connection, over_age, now)
    for at in (fresh, oldest_kept, over_age):
        store.commit([Append("operations.crawls", _crawl(at))])

    metadata = _metadata(run("retention"))

    assert {min(days) for days in _days(connection).values()} == {oldest_kept.date()}
    assert metadata["partitions_dropped"] == len(PARTITIONED)
    assert f"operations.crawls_p{over_age:%Y%m%d}" in _parts(connection)
    kept = store.read("operations.crawls", columns=["crawl_at"], order_by="crawl_at")
    assert kept["crawl_at"].tolist() == [oldest_kept, fresh]


def test_a_second_run_makes_and_drops_nothing(run: Run, connection: psycopg.Connection) -> None:
    now = datetime.now(UTC)
    ensure_partitions(connection, now - timedelta(days=RETENTION_DAYS + 2), now)
    run("retention")
    before = _days(connection)

    metadata = _metadata(run("retention"))

    assert (metadata["partitions_created"], metadata["partitions_dropped"]) == (0, 0)
    assert _days(connection) == before


def test_a_day_that_was_dropped_can_be_written_again(
    run: Run, store: FrameStore, connection: psycopg.Connection
) -> None:
    late = datetime.now(UTC) - timedelta(days=RETENTION_DAYS + 3)
    store.commit([Append("operations.crawls", _crawl(late))])
    run("retention")
    assert late.date() not in _days(connection)["operations.crawls"]

    store.commit([Append("operations.crawls", _crawl(late))])  # it remembers the day as existing

    assert len(store.read("operations.crawls")) == 1


def test_an_hour_and_a_day_of_which_nothing_is_left_stay_as_they_were_rolled_up(  # noqa: PLR0917 # fixtures
    graph: dg.Definitions,
    instance: dg.DagsterInstance,
    store: FrameStore,
    connection: psycopg.Connection,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Where the tests of the models have parsed the project already.
    monkeypatch.setenv("AURASTREAM_DATA_DIR", str(tmp_path_factory.getbasetemp()))
    now = datetime.now(UTC)
    over_age = now - timedelta(days=RETENTION_DAYS + 1)
    for at in (now, over_age):
        store.commit([Append("operations.crawls", _crawl(at))])
    hour, day = over_age.strftime(hours.fmt[:-2] + "00"), over_age.strftime(days.fmt)

    def rolled_up() -> list[list[tuple[object, ...]]]:
        for job, key in (("hourly_rollup", hour), ("daily_rollup", day)):
            made = graph.resolve_job_def(job)
            assert made.execute_in_process(instance=instance, partition_key=key).success
        rows = "select r::text from aggregation.{} as r order by 1"
        names = ("intel_collection_hours", "intel_hourly_metrics", "intel_stream_hours")
        return [connection.execute(rows.format(name)).fetchall() for name in names]

    before = rolled_up()
    assert all(before)
    assert graph.resolve_job_def("retention").execute_in_process(instance=instance).success

    assert rolled_up() == before
