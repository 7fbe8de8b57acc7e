"""What analysts may do, and what they cannot do to collection."""

import contextlib
import datetime as dt
import threading
from collections.abc import Callable, Iterator

import pandas as pd
import psycopg
import pytest

from aurastream.store.frames import Append, FrameStore
from aurastream.store.migrate import migrate
from aurastream.store.purge import connect, drop_days
from aurastream.store.urls import reader_url

Rows = Callable[..., pd.DataFrame]
AT = dt.datetime(2026, 11, 20, 11, 55, tzinfo=dt.UTC)
TRENDING = "collection.youtube_trending"
LONG = f"select count(*), pg_sleep(30) from {TRENDING}"


@pytest.fixture
def analyst(store: FrameStore, rows: Rows) -> Iterator[psycopg.Connection]:
    """An analyst whose question takes as long as one may."""
    store.commit([Append(TRENDING, rows(TRENDING, [{"video_id": "a"}], at=AT))])
    with psycopg.connect(reader_url(store.url), autocommit=True) as connection:

        def ask() -> None:
            with pytest.raises((psycopg.errors.QueryCanceled, psycopg.OperationalError)):
                connection.execute(LONG)

        asking = threading.Thread(target=ask)
        asking.start()
        while not _is_asking(store):
            assert asking.is_alive()
        yield connection
        connection.cancel()
        asking.join()


def _is_asking(store: FrameStore) -> bool:
    found = store.query(
        "select count(*) as n from pg_stat_activity where usename = 'aurastream_reader'"
        " and state = 'active' and wait_event = 'PgSleep' and datname = current_database()"
    )
    return bool(found["n"].iloc[0])


def test_a_long_question_does_not_delay_a_crawl(
    analyst: psycopg.Connection, store: FrameStore, rows: Rows
) -> None:
    same_day = rows(TRENDING, [{"video_id": "b"}], at=AT + dt.timedelta(minutes=30))
    new_day = rows(TRENDING, [{"video_id": "c"}], at=AT + dt.timedelta(days=1))

    store.commit([Append(TRENDING, same_day)])
    store.commit([Append(TRENDING, new_day)])

    assert _is_asking(store)
    assert set(store.read(TRENDING)["video_id"]) == {"a", "b", "c"}


def test_a_long_question_costs_retention_five_seconds_and_no_more_than_that_day(
    analyst: psycopg.Connection, store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aurastream.store.purge._LOCK_TIMEOUT", "50ms")
    with connect(store.url) as connection:
        assert drop_days(connection, TRENDING, [AT.date()]).parts == ()
    assert _is_asking(store)


def test_analysts_cannot_take_the_connections_of_collectors(store: FrameStore) -> None:
    url = reader_url(store.url)
    with contextlib.ExitStack() as opened:
        for _ in range(20):
            opened.enter_context(psycopg.connect(url))

        with pytest.raises(psycopg.OperationalError, match="too many connections"):
            psycopg.connect(url)
        store.ping()


def test_the_limits_of_the_role_hold_in_every_session(store: FrameStore) -> None:
    with psycopg.connect(reader_url(store.url), autocommit=True) as reader:
        found = {
            name: reader.execute(f"show {name}").fetchone()[0]
            for name in (
                "statement_timeout",
                "idle_in_transaction_session_timeout",
                "work_mem",
                "max_parallel_workers_per_gather",
                "default_transaction_read_only",
                "search_path",
            )
        }
    assert found == {
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "1min",
        "work_mem": "32MB",
        "max_parallel_workers_per_gather": "0",
        "default_transaction_read_only": "on",
        "search_path": "marts, aggregation, intelligence, collection, reporting, operations",
    }


def test_a_limit_that_the_operator_changed_stays(store: FrameStore) -> None:
    with psycopg.connect(store.url, autocommit=True) as owner:
        owner.execute("alter role aurastream_reader set work_mem = '64MB'")
        try:
            migrate(store.url)
            with psycopg.connect(reader_url(store.url)) as reader:
                assert reader.execute("show work_mem").fetchone() == ("64MB",)
        finally:
            owner.execute("alter role aurastream_reader set work_mem = '32MB'")


@pytest.mark.parametrize(
    "statement",
    [
        "select raw from operations.quarantine",
        "select salt from maintenance.forgotten",
        "select * from dagster.runs",
        "create table app.x (a int)",
        "select pg_read_file('/etc/hostname')",
    ],
)
def test_what_is_not_for_analysts_is_refused(store: FrameStore, statement: str) -> None:
    with psycopg.connect(store.url, autocommit=True) as owner:
        owner.execute("create table dagster.runs (a int)")
    with (
        psycopg.connect(reader_url(store.url), autocommit=True) as reader,
        pytest.raises(
            (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
        ),
    ):
        reader.execute(statement)
