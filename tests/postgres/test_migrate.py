"""The schema, its partitions and the read-only role."""

import datetime as dt
import importlib
import threading
from collections.abc import Callable, Iterator

import pandas as pd
import psycopg
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from pydantic import SecretStr
from sqlalchemy.dialects import postgresql

from aurastream.operations.doctor import examine
from aurastream.settings import Settings
from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.errors import MigrationError, StoreError, StoreUnavailableError
from aurastream.store.frames import Append, FrameStore
from aurastream.store.migrate import current_revision, head_revision, migrate
from aurastream.store.partitions import ensure_partitions
from aurastream.store.state import collection_state, newest_videos, sync_categories
from aurastream.store.tables import PARTITIONED, SCHEMAS, metadata
from aurastream.store.tables.narrow import NARROW, stored_metadata, view_of
from aurastream.store.urls import dagster_url, reader_url, sqlalchemy_url

Rows = Callable[..., pd.DataFrame]
AT = dt.datetime(2026, 11, 20, 23, 30, tzinfo=dt.UTC)
TRENDING = metadata.tables["collection.youtube_trending"]


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as opened:
        yield opened


def _differences(url: str) -> list[object]:
    engine = sa.create_engine(sqlalchemy_url(url))
    with engine.connect() as opened:
        context = MigrationContext.configure(
            opened,
            opts={
                "include_schemas": True,
                "version_table_schema": "operations",
                "include_name": lambda name, kind, _: kind != "schema" or name in SCHEMAS,
            },
        )
        differences = list(compare_metadata(context, stored_metadata()))
    engine.dispose()
    return differences


def test_the_migrated_schema_is_the_declared_one(database_url: str) -> None:
    assert _differences(database_url) == []


def test_the_view_of_a_narrow_table_has_its_columns_types_comments_and_rows(
    connection: psycopg.Connection,
) -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy's
    for table in NARROW:
        found = connection.execute(
            "SELECT a.attname, format_type(a.atttypid, a.atttypmod),"
            " col_description(a.attrelid, a.attnum) FROM pg_attribute a"
            " WHERE a.attrelid = %s::regclass AND a.attnum > 0 ORDER BY a.attnum",
            (table.fullname,),
        ).fetchall()
        assert found == [
            (c.name, c.type.compile(dialect).lower(), c.comment) for c in table.columns
        ]
        connection.execute(f"CREATE VIEW public.declared AS {view_of(table)}")
        described = connection.execute(
            "SELECT obj_description(%(name)s::regclass), pg_get_viewdef(%(name)s::regclass),"
            " pg_get_viewdef('public.declared'::regclass)",
            {"name": table.fullname},
        ).fetchone()
        assert described is not None
        assert described[0] == table.comment
        assert described[1] == described[2]
        connection.execute("DROP VIEW public.declared")


def test_comments_reach_the_database(connection: psycopg.Connection) -> None:
    found = connection.execute(
        "SELECT obj_description('collection.youtube_games'::regclass), "
        "col_description('collection.youtube_games'::regclass, 1)"
    ).fetchone()
    assert found == (
        "Counters of the videos of each tracked game, one row per crawl, game and video.",
        "when the platform answered, by the platform's clock",
    )


def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert migrate(database_url) == head_revision() == current_revision(database_url)


def test_many_processes_may_migrate_at_once(postgres_server: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres_server.url_of("postgres"), autocommit=True) as admin:
        admin.execute("CREATE DATABASE migrated_at_once")
        url = postgres_server.url_of("migrated_at_once")
        errors: list[BaseException] = []

        def work() -> None:
            try:
                migrate(url)
            except StoreError as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert current_revision(url) == head_revision()
        admin.execute("DROP DATABASE migrated_at_once WITH (FORCE)")


def test_a_database_that_passed_revision_8_early_becomes_like_a_new_one(
    database_url: str, connection: psycopg.Connection
) -> None:
    connection.execute("DROP INDEX maintenance.ix_score_history_asset_kept_at")
    connection.execute("COMMENT ON TABLE maintenance.score_history IS 'as it was'")
    connection.execute("COMMENT ON COLUMN maintenance.purges.parts IS 'as it was'")
    for column in ("code_version", "values", "kept_at"):
        connection.execute(f"COMMENT ON COLUMN maintenance.score_history.{column} IS 'as it was'")
    assert _differences(database_url) != []
    repair = importlib.import_module("aurastream.store.migrations.versions.r0012_replaced_since")
    engine = sa.create_engine(sqlalchemy_url(database_url))
    with engine.begin() as opened, Operations.context(MigrationContext.configure(opened)):
        repair.upgrade()
    engine.dispose()
    assert _differences(database_url) == []


def test_a_database_from_the_future_is_refused(
    database_url: str, connection: psycopg.Connection
) -> None:
    connection.execute("UPDATE operations.alembic_version SET version_num = '9999'")
    with pytest.raises(MigrationError, match="newer version"):
        migrate(database_url)

    settings = Settings.from_env(use_running=False).model_copy(
        update={"postgres_url": SecretStr(database_url)}
    )
    (schema,) = [each for each in examine(lambda: settings) if each.name == "schema"]
    assert (schema.level, schema.detail) == (
        "fault",
        f"the database is at revision 9999, this program was written for {head_revision()}",
    )


def test_a_server_that_is_away_is_named(free_port: Callable[[], int]) -> None:
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        migrate(f"postgresql://a:b@127.0.0.1:{free_port()}/x")


def test_a_url_of_another_database_is_refused() -> None:
    with pytest.raises(StoreError, match="not Postgres"):
        migrate("mysql://a:b@127.0.0.1/x")


def test_dagster_gets_its_driver_its_schema_and_its_zone() -> None:
    assert dagster_url("postgresql://u:p%40@127.0.0.1:5/aurastream") == (
        "postgresql+psycopg2://u:p%40@127.0.0.1:5/aurastream"
        "?options=-csearch_path%3Ddagster+-ctimezone%3DUTC"
    )


def test_the_reader_reads_scores_but_neither_raw_bodies_nor_people(
    database_url: str, store: FrameStore, rows: Rows
) -> None:
    store.commit(
        [
            Append("operations.quarantine", rows("operations.quarantine", [{"raw": "secret"}])),
            Append("intelligence.opportunity", rows("intelligence.opportunity", [{}])),
        ]
    )
    with psycopg.connect(reader_url(database_url), autocommit=True) as reader:
        assert reader.execute("SELECT count(*) FROM intelligence.opportunity").fetchone() == (1,)
        assert reader.execute("SELECT reason FROM operations.quarantine").fetchone() == ("x",)
        for statement in (
            "SELECT raw FROM operations.quarantine",
            "SELECT * FROM operations.quarantine_p20261120",
            "CREATE TABLE app.x (a int)",
        ):
            with pytest.raises(
                (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
            ):
                reader.execute(statement)
        reader.execute("SET default_transaction_read_only = off")
        for statement in (
            "DELETE FROM intelligence.opportunity",
            "SELECT * FROM app.anything",
            "CREATE TABLE marts.x (a int)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(statement)
        assert reader.execute("SHOW statement_timeout").fetchone() == ("30s",)


def test_the_reader_sees_tables_that_are_made_later(
    database_url: str, connection: psycopg.Connection
) -> None:
    connection.execute("CREATE TABLE marts.later AS SELECT 1 AS a")
    with psycopg.connect(reader_url(database_url)) as reader:
        assert reader.execute("SELECT a FROM marts.later").fetchone() == (1,)


def test_partitions_are_made_for_every_day_of_a_range_and_only_once(
    connection: psycopg.Connection,
) -> None:
    end = AT + dt.timedelta(hours=1)
    created = ensure_partitions(connection, AT, end)
    assert len(created) == 2 * len(PARTITIONED)
    assert "collection.youtube_trending_p20261121" in created
    assert ensure_partitions(connection, AT, end) == []


def test_a_partition_has_the_key_and_the_comments_of_its_parent(
    connection: psycopg.Connection,
) -> None:
    ensure_partitions(connection, AT, AT, tables=[TRENDING])
    key = connection.execute(
        "SELECT count(*) FROM pg_constraint WHERE contype = 'p' AND "
        "conrelid = 'collection.youtube_trending_p20261120'::regclass"
    ).fetchone()
    assert key == (1,)


def test_parallel_writers_may_need_the_same_partition(database_url: str, rows: Rows) -> None:
    errors: list[BaseException] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        with FrameStore(database_url) as store:
            frame = rows("operations.crawls", [{"category": str(number)}], at=AT)
            start.wait()
            try:
                store.commit([Append("operations.crawls", frame)])
            except StoreError as error:
                errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with FrameStore(database_url) as store:
        assert len(store.read("operations.crawls")) == 4


def test_an_absurd_timestamp_makes_no_thousand_partitions(store: FrameStore, rows: Rows) -> None:
    frame = rows("operations.crawls", [{"category": "a"}, {"category": "b"}], at=AT)
    frame["crawl_at"] = [pd.Timestamp("1970-01-01", tz="UTC"), pd.Timestamp(AT)]
    with pytest.raises(StoreError, match="not a range of data"):
        store.commit([Append("operations.crawls", frame)])


def test_the_catalogue_seeds_the_categories_and_the_operator_s_changes_stay(
    store: FrameStore, rows: Rows
) -> None:
    seed = rows("operations.categories", [{"category": "apex"}, {"category": "gta"}])
    assert sync_categories(store, seed[seed["category"] == "gta"]).inserted == 1
    store.execute("UPDATE operations.categories SET title = 'Mine', is_enabled = false")
    store.execute(
        "INSERT INTO operations.categories SELECT 'own', kind, 'Own', youtube_category_id,"
        " twitch_game_id, twitch_game_name, priority, interval_minutes, max_videos,"
        " baseline_velocity_per_hour, audience_timezone, rules, true FROM operations.categories"
    )
    sync_categories(store, seed)
    found = store.read("operations.categories", order_by="category")
    assert found["category"].tolist() == ["apex", "gta", "own"]
    assert found["title"].tolist()[1:] == ["Mine", "Own"]
    assert found["is_enabled"].tolist()[1:] == [False, True]
    sync_categories(store, seed, reset=True)
    again = store.read("operations.categories", order_by="category")
    assert again["title"].tolist()[1] == seed["title"].tolist()[1]
    assert again["category"].tolist() == ["apex", "gta", "own"]


def test_the_past_of_a_dataset_is_read_as_it_was_at_a_moment(store: FrameStore, rows: Rows) -> None:
    for minutes, views in ((30, 1), (20, 2), (-10, 3)):
        at = AT - dt.timedelta(minutes=minutes)
        frame = rows("collection.youtube_games", [{"video_id": "v", "views": views}], at=at)
        store.commit([Append("collection.youtube_games", frame)])
    found = newest_videos(store, "collection.youtube_games", AT)
    assert found["views"].tolist() == [2]
    assert collection_state(store, "collection/youtube_games").empty
