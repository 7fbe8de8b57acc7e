"""The event log: what Dagster would store itself, with fewer statements and connections."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError

from aurastream.store.urls import dagster_url
from aurastream_assets import kept, patience
from aurastream_assets.definitions import defs
from aurastream_assets.event_log import EventLogStorage
from aurastream_assets.run_storage import RunStorage

REPO_ROOT = Path(__file__).resolve().parents[2]

_HOURS = dg.HourlyPartitionsDefinition(start_date="2026-01-01-00:00", timezone="UTC")
_STORED = """
select dagster_event_type, step_key, asset_key, partition, count(*)
from dagster.event_logs
where run_id = %s and dagster_event_type like '%%PLANNED'
group by 1, 2, 3, 4 order by 1, 2, 3, 4
"""


@dg.asset(partitions_def=_HOURS, backfill_policy=dg.BackfillPolicy.single_run())
def first() -> None: ...


@dg.asset(partitions_def=_HOURS, backfill_policy=dg.BackfillPolicy.single_run(), deps=[first])
def second() -> None: ...


@dg.asset_check(asset=second)
def is_fine() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@pytest.fixture
def home(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """DAGSTER_HOME with the instance settings of every environment, on a real Postgres."""
    shutil.copy(REPO_ROOT / "deploy" / "dagster.yaml", tmp_path)
    with psycopg.connect(database_url) as connection:
        connection.execute("create schema if not exists dagster")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_PG_URL", dagster_url(database_url))
    return tmp_path


def _run_a_range(instance: dg.DagsterInstance) -> str:
    job = dg.Definitions(
        assets=[first, second],
        asset_checks=[is_fine],
        jobs=[dg.define_asset_job("everything", selection="*")],
        executor=dg.in_process_executor,
    ).resolve_job_def("everything")
    result = job.execute_in_process(
        instance=instance,
        tags={
            "dagster/asset_partition_range_start": "2026-01-01-00:00",
            "dagster/asset_partition_range_end": "2026-01-03-23:00",
        },
    )
    assert result.success
    return result.run_id


@pytest.mark.usefixtures("home")
def test_planned_partitions_are_stored_alike_one_by_one_and_in_bulk(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dg.DagsterInstance.get() as instance, psycopg.connect(database_url) as connection:
        runs = []
        for size in ("0", "50", "500"):
            monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", size)
            runs.append(_run_a_range(instance))
        one_by_one, *in_bulk = ([*connection.execute(_STORED, (run,))] for run in runs)
        newest = [*connection.execute("select distinct last_run_id from dagster.asset_keys")]
        done = instance.get_materialized_partitions(first.key)

    assert len(one_by_one) == 2 * 72 + 1  # two assets of three days, and the check
    assert in_bulk == [one_by_one, one_by_one]
    assert newest == [(runs[-1],)]
    assert len(done) == 72


@pytest.mark.usefixtures("home")
def test_a_partition_that_was_planned_in_bulk_and_did_not_come_counts_as_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    @dg.asset(partitions_def=_HOURS, backfill_policy=dg.BackfillPolicy.single_run())
    def broken() -> None:
        raise ValueError("on purpose")

    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "500")
    keys = _HOURS.get_partition_keys_in_range(
        dg.PartitionKeyRange("2026-01-01-00:00", "2026-01-01-05:00")
    )
    with dg.DagsterInstance.get() as instance:
        job = dg.Definitions(
            assets=[broken],
            jobs=[dg.define_asset_job("everything", selection="*")],
            executor=dg.in_process_executor,
        ).resolve_job_def("everything")
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            tags={
                "dagster/asset_partition_range_start": keys[0],
                "dagster/asset_partition_range_end": keys[-1],
            },
        )
        status = instance.get_status_by_partition(broken.key, keys, _HOURS)
    assert not result.success
    assert {str(value) for value in (status or {}).values()} == {"AssetPartitionStatus.FAILED"}


_CHECKS = """
select check_name, partition, execution_status from dagster.asset_check_executions
where run_id = %s
"""


@pytest.mark.usefixtures("home")
def test_a_check_of_a_range_is_planned_once_and_answered_once(database_url: str) -> None:
    with dg.DagsterInstance.get() as instance, psycopg.connect(database_url) as connection:
        stored = connection.execute(_CHECKS, (_run_a_range(instance),)).fetchall()
    assert stored == [("is_fine", None, "SUCCEEDED")]


def test_no_check_of_ours_has_partitions_which_would_be_planned_as_one() -> None:
    graph = defs.resolve_asset_graph()
    partitioned = [key for key in graph.asset_check_keys if graph.get(key).partitions_def]
    assert graph.asset_check_keys
    assert partitioned == []


_SESSIONS = "select sessions from pg_stat_database where datname = current_database()"
_KEPT = """
select pid from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and application_name = ''
"""


@dg.op
def speaks(context: dg.OpExecutionContext) -> None:
    for number in range(20):
        context.log_event(dg.AssetObservation("anything", metadata={"number": number}))


@dg.job(executor_def=dg.in_process_executor)
def speaking() -> None:
    speaks()


def _sessions_of_a_run(database_url: str) -> int:
    with psycopg.connect(database_url, autocommit=True) as connection:

        def opened() -> int:
            connection.execute("select pg_stat_force_next_flush()")
            row = connection.execute(_SESSIONS).fetchone()
            assert row is not None
            return int(row[0])

        with dg.DagsterInstance.get() as instance:
            assert speaking.execute_in_process(instance=instance).success
            before = opened()
            assert speaking.execute_in_process(instance=instance).success
            return opened() - before


@pytest.mark.usefixtures("home")
def test_a_run_opens_no_connection_for_what_it_says_and_is(database_url: str) -> None:
    assert _sessions_of_a_run(database_url) < 5


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Collect every question to the server whether it is there."""
    found: list[object] = []
    ask = PGDialect_psycopg2.do_ping

    def asked(dialect: PGDialect_psycopg2, connection: DBAPIConnection) -> Any:
        found.append(connection)
        return ask(dialect, connection)  # type: ignore[no-untyped-call] # SQLAlchemy's

    monkeypatch.setattr(PGDialect_psycopg2, "do_ping", asked)
    return found


@pytest.mark.usefixtures("home")
def test_a_server_that_has_just_answered_is_not_asked_whether_it_is_there(
    pings: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_RESTED_S", 60.0)
    with dg.DagsterInstance.get() as instance:
        assert speaking.execute_in_process(instance=instance).success
    assert pings == []


@pytest.mark.usefixtures("home")
def test_a_server_that_had_the_time_to_vanish_is_asked(
    pings: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_RESTED_S", 0.0)
    with dg.DagsterInstance.get() as instance:
        assert speaking.execute_in_process(instance=instance).success
    assert len(pings) > 20


@pytest.mark.usefixtures("home")
def test_a_fenced_process_opens_its_connections_one_by_one(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for storage in (EventLogStorage, RunStorage):
        monkeypatch.setattr(storage, "keeps_connections", False)
    assert _sessions_of_a_run(database_url) > 40


@pytest.mark.usefixtures("home")
def test_a_kept_connection_that_the_server_closed_is_replaced(database_url: str) -> None:
    with dg.DagsterInstance.get() as instance:
        assert speaking.execute_in_process(instance=instance).success
        with psycopg.connect(database_url, autocommit=True) as connection:
            open_ones = connection.execute(_KEPT).fetchall()
            connection.execute(f"select pg_terminate_backend(pid, 30000) from ({_KEPT}) kept")
        assert open_ones
        result = speaking.execute_in_process(instance=instance)
        events = instance.all_logs(result.run_id)
    assert result.success
    assert sum(e.dagster_event_type == dg.DagsterEventType.ASSET_OBSERVATION for e in events) == 20


def test_a_kept_connection_notices_a_vanished_host_and_speaks_utc(database_url: str) -> None:
    name = make_url(database_url).database
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"alter database {name} set timezone = 'Europe/Berlin'")
    for said_itself, idle, timeout in (
        ("", "10", "10"),
        ("&keepalives_idle=60&connect_timeout=4", "60", "4"),
    ):
        url = dagster_url(database_url) + said_itself
        engine = kept.kept_engine(url)
        with engine.connect() as connection:
            said = connection.connection.driver_connection.info.dsn_parameters  # type: ignore[union-attr] # psycopg2's
            zone = connection.exec_driver_sql("show timezone").scalar_one()
        engine.dispose()
        assert (said["keepalives_idle"], said["tcp_user_timeout"]) == (idle, "30000")
        assert (said["connect_timeout"], zone) == (timeout, "UTC")


def test_who_waited_in_vain_once_does_not_wait_at_each_later_statement(
    free_port: Callable[[], int],
    wait_at_most: Callable[[float], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    wait_at_most(1.0)
    engine = kept.kept_engine(f"postgresql+psycopg2://nobody@127.0.0.1:{free_port()}/none")

    def tries() -> int:
        caplog.clear()
        with pytest.raises(OperationalError), patience.connected(engine):
            pass
        return 1 + len(caplog.records)

    assert tries() > 1
    assert tries() == 1
    assert patience.retrying(lambda: "there again") == "there again"
    assert tries() > 1
    assert tries() == 1
    wait_at_most(1.0)
    assert tries() > 1
