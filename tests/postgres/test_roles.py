"""What analysts may do, and what they cannot do to collection."""

import contextlib
import datetime as dt
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd
import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from pydantic import SecretStr

from aurastream.core.errors import SettingsError
from aurastream.operations.analysts import AnalystWatch
from aurastream.operations.backfill import _LOCK as BACKFILL
from aurastream.operations.doctor import _analysts as analysts_findings
from aurastream.operations.leadership import LOCK_KEY as LEADERSHIP
from aurastream.settings import Settings
from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.frames import Append, FrameStore
from aurastream.store.migrate import _LOCK as MIGRATION
from aurastream.store.migrate import migrate
from aurastream.store.overdue import Ended, end_overdue
from aurastream.store.purge import connect, drop_days
from aurastream.store.purge_denied import LOCK as FORGETTING
from aurastream.store.reader import Reader
from aurastream.store.reader_hold import Altered, ReaderHold
from aurastream.store.urls import READER_ROLE, reader_url

Rows = Callable[..., pd.DataFrame]
AT = dt.datetime(2026, 11, 20, 11, 55, tzinfo=dt.UTC)
TRENDING = "collection.youtube_trending"
OTHERS = "pg_stat_activity where usename <> current_user"
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
            name: reader.execute(f"show {name}").fetchone()[0]  # type: ignore[index] # one row
            for name in (
                "statement_timeout",
                "idle_in_transaction_session_timeout",
                "transaction_timeout",
                "temp_file_limit",
                "work_mem",
                "max_parallel_workers_per_gather",
                "default_transaction_read_only",
                "search_path",
            )
        }
    assert found == {
        "statement_timeout": "30s",
        "idle_in_transaction_session_timeout": "1min",
        "transaction_timeout": "5min",
        "temp_file_limit": "1GB",
        "work_mem": "32MB",
        "max_parallel_workers_per_gather": "0",
        "default_transaction_read_only": "on",
        "search_path": "marts, aggregation, intelligence, collection, reporting, operations",
    }


def _as_found(url: str) -> dict[str, str]:
    """Return what a session that begins now runs under."""
    with psycopg.connect(url, autocommit=True) as session:
        return {
            name: session.execute(f"show {name}").fetchone()[0]  # type: ignore[index] # one row
            for name in ("statement_timeout", "work_mem", "default_transaction_read_only")
        }


LIMITED = {
    "statement_timeout": "30s",
    "work_mem": "32MB",
    "default_transaction_read_only": "on",
}


def _lift_everything(url: str) -> None:
    """Do to the role what every role may do to itself."""
    with psycopg.connect(url, autocommit=True) as reader:
        reader.execute("set default_transaction_read_only = off")
        for statement in (
            "set statement_timeout = 0",
            "set work_mem = '1GB'",
            "set default_transaction_read_only = off",
            "set random_page_cost = 7",
            "in database {} set statement_timeout = 0",
            "password 'hijacked'",
        ):
            database = sql.Identifier(reader.info.dbname)
            reader.execute(
                sql.SQL("alter role {} " + statement).format(sql.Identifier(READER_ROLE), database)
                if "{}" in statement
                else f"alter role {READER_ROLE} {statement}"
            )


def test_limits_and_a_password_that_an_analyst_lifted_for_all_are_set_back_by_the_next_look(
    store: FrameStore,
) -> None:
    url = reader_url(store.url)
    reader = Reader.of(store.url)
    hold = ReaderHold(reader)
    with connect(store.url) as owner:
        assert hold.look(owner) == Altered()
        with psycopg.connect(url, autocommit=True) as bystander:
            _lift_everything(url)
            hijacked = sa.make_url(url).set(password="hijacked")
            lifted = hijacked.render_as_string(hide_password=False)
            assert _as_found(lifted)["statement_timeout"] == "0"
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(url)
            with psycopg.connect(lifted, autocommit=True) as late:
                found = hold.look(owner)

                assert late.info.dbname
                with pytest.raises(psycopg.OperationalError):
                    late.execute("select pg_sleep(75)")
            with pytest.raises(psycopg.OperationalError):
                bystander.execute("select 1")  # it began after the last look: nobody knows how

        assert set(found.altered) == {
            "statement_timeout",
            "work_mem",
            "default_transaction_read_only",
            "random_page_cost",
            f"{owner.info.dbname}: statement_timeout",
            "password",
        }
        assert found.ended >= 2
        assert _as_found(url) == LIMITED
        with psycopg.connect(url, autocommit=True) as after:
            assert hold.look(owner) == Altered()
            assert after.execute("select 1").fetchone() == (1,)


def test_a_watch_holds_its_own_limits_whatever_is_written_down_at_the_role(
    store: FrameStore, caplog: pytest.LogCaptureFixture
) -> None:
    url = reader_url(store.url)
    _lift_everything(url)
    watch = AnalystWatch(store.url, Reader.of(store.url), every_s=0.05)
    watch.start()
    try:
        while "Set back what was altered at the role of analysts" not in caplog.text:
            _gets_in(url)
        assert _as_found(url) == LIMITED
    finally:
        watch.stop()


def test_migrating_sets_back_what_an_analyst_lifted(store: FrameStore) -> None:
    url = reader_url(store.url)
    _lift_everything(url)
    [finding] = [f for f in analysts_findings(_settings(store)) if f.name == "analysts"]
    assert finding.level == "warning"
    assert "statement_timeout" in finding.detail
    assert "password" in finding.detail

    migrate(store.url)

    assert _as_found(url) == LIMITED
    assert [f.level for f in analysts_findings(_settings(store))] == ["ok"]


def _gets_in(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def _settings(store: FrameStore, **more: Any) -> Settings:
    return Settings(postgres_url=SecretStr(store.url), **more)


def test_an_operator_s_own_limits_are_a_setting(
    store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", store.url)
    monkeypatch.setenv("AURASTREAM_READER_LIMITS", "work_mem=64MB, statement_timeout=45s")
    reader = Reader.from_settings(Settings.from_env(use_running=False))
    try:
        migrate(store.url, reader=reader)

        assert _as_found(reader_url(store.url)) == {
            **LIMITED,
            "work_mem": "64MB",
            "statement_timeout": "45s",
        }
        assert reader.milliseconds("statement_timeout") == 45_000
    finally:
        migrate(store.url)
    assert _as_found(reader_url(store.url)) == LIMITED


@pytest.mark.parametrize("text", ["work_mem=lots", "search_path=public", "statement_timeout"])
def test_a_limit_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURASTREAM_READER_LIMITS", text)
    with pytest.raises(SettingsError, match=text.partition("=")[0]):
        Settings.from_env(use_running=False)


def test_a_password_of_its_own_is_held_at_the_owner_s_server(store: FrameStore) -> None:
    elsewhere = SecretStr(f"postgresql://{READER_ROLE}:own@replica.example:6432/aurastream")
    reader = Reader.from_settings(_settings(store, reader_url=elsewhere))
    try:
        migrate(store.url, reader=reader)
        assert reader.url is not None
        assert _gets_in(reader.url)
        assert not _gets_in(reader_url(store.url))
    finally:
        migrate(store.url)
    assert _gets_in(reader_url(store.url))


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


@pytest.fixture
def free_reader(store: FrameStore) -> Iterator[psycopg.Connection]:
    """An analyst who lifted every limit that a session may lift."""
    migrate(store.url)  # rights on a database are not cloned with it
    with psycopg.connect(reader_url(store.url), autocommit=True) as connection:
        for name, value in (
            ("statement_timeout", "0"),
            ("transaction_timeout", "0"),
            ("idle_in_transaction_session_timeout", "0"),
            ("default_transaction_read_only", "off"),
        ):
            connection.execute(f"set {name} = '{value}'")
        yield connection


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ((FORGETTING,), "%s::bigint"),
        ((BACKFILL,), "%s::bigint"),
        (MIGRATION, "%s::int, %s::int"),
        (LEADERSHIP, "%s::int, %s::int"),
    ],
    ids=["forgetting", "backfill", "migration", "leadership"],
)
def test_analysts_cannot_take_the_locks_that_the_installation_works_by(
    free_reader: psycopg.Connection, key: tuple[int, ...], shape: str
) -> None:
    for wait in ("pg_advisory", "pg_try_advisory"):
        for length in ("_lock", "_xact_lock"):
            for kind in ("", "_shared"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    free_reader.execute(f"select {wait}{length}{kind}({shape})", key)


def test_no_function_of_the_server_gives_analysts_an_advisory_lock(
    free_reader: psycopg.Connection,
) -> None:
    found = free_reader.execute(
        "select proname from pg_proc where proname like '%advisory%'"
        " and has_function_privilege(oid, 'execute')"
    ).fetchall()
    assert found == [("pg_advisory_unlock_all",)]  # pools of clients call it; it takes nothing


def test_writes_go_on_whatever_lock_analysts_ask_for(
    free_reader: psycopg.Connection, store: FrameStore, rows: Rows
) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        free_reader.execute("select pg_advisory_lock(%s)", (FORGETTING,))

    store.commit([Append(TRENDING, rows(TRENDING, [{"video_id": "a"}], at=AT))])

    assert store.read(TRENDING)["video_id"].tolist() == ["a"]


@pytest.mark.parametrize(
    "statement",
    [
        "create temp table mine (a int)",
        "select lo_create(0)",
        "select lo_from_bytea(0, 'x')",
        "select pg_logical_emit_message(false, 'x', 'y')",
        f"lock table {TRENDING} in access exclusive mode",
        f"lock table {TRENDING} in share mode",
        f"select video_id from {TRENDING} for share",
        "set temp_file_limit = -1",
        f"alter role {READER_ROLE} connection limit 500",
        f"select pg_terminate_backend(pid) from {OTHERS}",
        f"select pg_cancel_backend(pid) from {OTHERS}",
    ],
)
def test_analysts_who_lift_their_limits_are_refused_all_the_same(
    free_reader: psycopg.Connection, statement: str
) -> None:
    with free_reader.transaction(), pytest.raises(psycopg.errors.InsufficientPrivilege):
        free_reader.execute(statement)


def test_what_is_a_default_only_is_what_the_guide_calls_one(
    free_reader: psycopg.Connection,
) -> None:
    for name, value in (("work_mem", "2GB"), ("max_parallel_workers_per_gather", "8")):
        free_reader.execute(f"set {name} = '{value}'")
        assert free_reader.execute(f"show {name}").fetchone() == (value,)


@pytest.fixture
def short_limits(store: FrameStore) -> Iterator[Reader]:
    names = ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout")
    usual = Reader.of(store.url)
    short = Reader(usual.url, {**usual.limits, **dict.fromkeys(names, "200ms")})
    migrate(store.url, reader=short)
    yield short
    migrate(store.url)


def test_a_question_ends_although_its_session_lifted_the_limit(
    short_limits: Reader, free_reader: psycopg.Connection, store: FrameStore
) -> None:
    watch = AnalystWatch(store.url, short_limits, every_s=0.05)
    watch.start()
    try:
        with pytest.raises((psycopg.errors.QueryCanceled, psycopg.errors.AdminShutdown)):
            free_reader.execute("select pg_sleep(60)")
    finally:
        watch.stop()


def test_a_question_that_cannot_be_cancelled_ends_with_its_session(
    short_limits: Reader, free_reader: psycopg.Connection, store: FrameStore
) -> None:
    stubborn = (
        "do $$ begin loop begin perform pg_sleep(60);"
        " exception when query_canceled then null; end; end loop; end $$"
    )
    watch = AnalystWatch(store.url, short_limits, every_s=0.05)
    watch.start()
    try:
        with pytest.raises(psycopg.errors.AdminShutdown):
            free_reader.execute(stubborn)
    finally:
        watch.stop()


def test_a_transaction_that_is_left_open_ends_with_its_session(
    short_limits: Reader, free_reader: psycopg.Connection, store: FrameStore
) -> None:
    free_reader.execute("begin")
    free_reader.execute(f"select count(*) from {TRENDING}")
    with connect(store.url) as owner:
        ended: list[Ended] = []
        while not ended:
            ended = end_overdue(owner, short_limits)
        assert {e.why for e in ended} <= {"idle in a transaction", "in one transaction"}
    with pytest.raises(psycopg.OperationalError):
        free_reader.execute("select 1")


def test_sessions_within_their_limits_and_those_of_the_owner_stay(
    free_reader: psycopg.Connection, store: FrameStore
) -> None:
    free_reader.execute("begin")
    with psycopg.connect(store.url) as owner:
        owner.execute("select pg_advisory_xact_lock(1)")
        with connect(store.url) as other:
            assert end_overdue(other, Reader.of(store.url)) == []
        owner.execute("select 1")
    free_reader.execute("rollback")


@pytest.fixture
def plain_owner(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """URL of a database whose owner may create roles, and is no superuser."""
    with psycopg.connect(postgres_server.url_of("postgres"), autocommit=True) as admin:
        admin.execute("create role plain_owner login createrole password 'p'")
        admin.execute("create database plainly_owned owner plain_owner")
        admin.execute(f"grant {READER_ROLE} to plain_owner")
        try:
            url = postgres_server.url_of("plainly_owned")
            yield conninfo(url, "plain_owner", "p")
        finally:
            admin.execute("drop database plainly_owned with (force)")
            admin.execute(f"revoke {READER_ROLE} from plain_owner")
            admin.execute("drop role plain_owner")


def conninfo(url: str, user: str, password: str) -> str:
    return (
        sa.make_url(url).set(username=user, password=password).render_as_string(hide_password=False)
    )


def test_where_only_a_superuser_could_refuse_a_lock_its_session_ends(
    plain_owner: str, postgres_server: EmbeddedPostgres
) -> None:
    migrate(plain_owner)
    with (
        psycopg.connect(
            reader_url(postgres_server.url_of("plainly_owned")), autocommit=True
        ) as reader,
        connect(plain_owner) as owner,
    ):
        reader.execute("set default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("create temp table mine (a int)")
        reader.execute("select pg_advisory_lock(%s)", (FORGETTING,))

        assert [e.why for e in end_overdue(owner, Reader.of(plain_owner))] == [
            "took an advisory lock"
        ]
        with pytest.raises(psycopg.OperationalError):
            reader.execute("select 1")


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_the_embedded_server_has_no_other_database_to_fill(
    store: FrameStore, database: str
) -> None:
    url = sa.make_url(reader_url(store.url)).set(database=database)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(url.render_as_string(hide_password=False))


def test_what_an_owner_without_power_leaves_open_a_superuser_closes_and_the_owner_keeps(
    plain_owner: str, postgres_server: EmbeddedPostgres
) -> None:
    migrate(plain_owner)
    superuser = postgres_server.url_of("plainly_owned")
    open_calls = (
        "select pg_logical_emit_message(false, 'a', 'b')",
        "select lo_create(0)",
        "select pg_try_advisory_lock(1)",
    )
    with psycopg.connect(reader_url(superuser), autocommit=True) as reader:
        reader.execute("set default_transaction_read_only = off")
        for call in open_calls:
            reader.execute(call)

        migrate(superuser)

        for call in open_calls:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(call)
    with psycopg.connect(plain_owner, autocommit=True) as owner:
        for call in open_calls:
            owner.execute(call)
        owner.execute("insert into operations.categories select * from operations.categories")
