"""Snapshots of YouTube: what is written through the view's name comes back, in fewer bytes."""

import datetime as dt
import importlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from pydantic import SecretStr

from aurastream.operations.forget import forget
from aurastream.operations.retention import purge
from aurastream.settings import Settings
from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.errors import StoreError
from aurastream.store.frames import Append, FrameStore, Replace, RetryPolicy, Upsert
from aurastream.store.migrate import migrate
from aurastream.store.partitions import ensure_partitions
from aurastream.store.tables import metadata
from aurastream.store.tables.narrow import NARROW, stored_of
from aurastream.store.urls import reader_url, sqlalchemy_url
from benchmarks.store_bytes import as_chart, bytes_per_row, day_of

Rows = Callable[..., pd.DataFrame]
GAMES, TRENDING = "collection.youtube_games", "collection.youtube_trending"
KEYS = {name: [c.name for c in metadata.tables[name].primary_key] for name in (GAMES, TRENDING)}
DAY = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
SIZES = [0, 1, -1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40 + 5, 2**63 - 1, -(2**63), None]


def crawl(at: dt.datetime, ids: list[str], **changes: Any) -> pd.DataFrame:
    """Return a crawl of games; every counter says something else."""
    n = len(ids)
    views = [SIZES[i % len(SIZES)] for i in range(n)]
    rows = {
        "observed_at": pd.to_datetime([at + dt.timedelta(seconds=i // 50) for i in range(n)]),
        "game": "fortnite",
        "video_id": ids,
        "views": pd.array(views, dtype="Int64"),
        "likes": pd.array([7] * n, dtype="Int64"),
        "comments": pd.array([None] * n, dtype="Int64"),
        "concurrent_viewers": pd.array(views[::-1], dtype="Int64"),
        "confidence": [0.1 * (i % 7) for i in range(n)],
        "rule": "title:\x1f'quoted' ü",
        "classifier_version": "1",
        "discovered_by": "chart",
        "metadata_hash": "abc",
        "crawl_at": at,
        "fetch_id": [f"0b9c2b3e-5df3-4a83-9c0a-{i // 50:012d}" for i in range(n)],
    }
    return pd.DataFrame({**rows, **changes})


def ids(count: int) -> list[str]:
    return [f"v{i:05d}" for i in range(count)]


def stored(store: FrameStore, name: str = GAMES) -> pd.DataFrame:
    return store.read(name, order_by=KEYS[name])


def left(store: FrameStore, name: str = GAMES) -> list[int]:
    """Return the rows of facts, subjects and answers."""
    tables = stored_of(metadata.tables[name]).tables
    return [int(store.query(f"select count(*) n from {t.fullname}")["n"].iloc[0]) for t in tables]


def test_every_value_of_every_column_comes_back_and_a_row_takes_few_bytes(
    store: FrameStore, database_url: str
) -> None:
    crawls = day_of(96_000, DAY)
    for rows in crawls:
        done = store.commit([Append(GAMES, rows), Append(TRENDING, as_chart(rows))])
        assert [each.inserted for each in done] == [2_000, 2_000]
    again = store.commit([Append(GAMES, crawls[-1]), Append(TRENDING, as_chart(crawls[-1]))])
    assert [(each.inserted, each.unchanged) for each in again] == [(0, 2_000), (0, 2_000)]

    whole = pd.concat(crawls, ignore_index=True)
    for name, given in ((GAMES, whole), (TRENDING, as_chart(whole))):
        found = stored(store, name)
        wanted = given.sort_values(KEYS[name], ignore_index=True)[list(found.columns)]
        if name == TRENDING:
            wanted["rank"] = found["rank"]  # numbered per crawl
        pd.testing.assert_frame_equal(found, wanted, check_dtype=False)
    with psycopg.connect(database_url, autocommit=True) as connection:
        for name in (GAMES, TRENDING):
            assert bytes_per_row(connection, name)["all"] <= 100

        # Questions about a time look at its day alone, by the index of the facts.
        store.commit([Append(GAMES, crawl(DAY + dt.timedelta(days=day), ids(9))) for day in (1, 2)])
        connection.execute("analyze")
        plan = "\n".join(
            str(line)
            for (line,) in connection.execute(
                f"explain select * from {GAMES} "
                "where observed_at >= '2026-11-20 12:00Z' and observed_at < '2026-11-20 12:30Z'"
            )
        )
        assert "youtube_games_p20261120_pkey" in plan
        assert "p20261121" not in plan
        counted = connection.execute(f"explain select count(*) from {GAMES}").fetchall()
        assert not any("subjects" in str(line) for (line,) in counted)
    with psycopg.connect(reader_url(database_url)) as reader:
        seen = reader.execute(f"select count(*), max(views) from {GAMES}").fetchone()
        assert seen == (96_018, 2**63 - 1)


def test_counters_of_every_size_and_texts_of_every_kind_come_back(store: FrameStore) -> None:
    rows = crawl(DAY, ids(120))
    rows.loc[3, "rule"] = ""
    rows.loc[4, "game"] = "a\x1fb"
    store.commit([Append(GAMES, rows)])

    found = stored(store)
    wanted = rows.sort_values(KEYS[GAMES], ignore_index=True)
    for name in ("views", "concurrent_viewers", "likes", "comments"):
        assert found[name].tolist() == wanted[name].tolist()
    for name in ("rule", "game", "video_id", "fetch_id"):
        assert found[name].tolist() == wanted[name].tolist()
    assert np.allclose(found["confidence"], wanted["confidence"])


def test_a_key_is_there_once_whatever_else_a_row_says(store: FrameStore) -> None:
    first = crawl(DAY, ["a", "b"])
    store.commit([Append(GAMES, first)])
    changed = crawl(DAY, ["a", "b", "c"], metadata_hash="other", confidence=0.9)

    appended = store.commit([Append(GAMES, changed)])[0]
    assert (appended.inserted, appended.unchanged) == (1, 2)
    assert stored(store)["metadata_hash"].tolist() == ["abc", "abc", "other"]

    put = store.commit([Upsert(GAMES, changed.assign(likes=9))])[0]
    assert (put.inserted, put.updated, put.unchanged) == (0, 3, 0)
    put = store.commit([Upsert(GAMES, changed.assign(likes=9))])[0]
    assert (put.inserted, put.updated, put.unchanged) == (0, 0, 3)
    assert stored(store)[["metadata_hash", "likes"]].to_numpy().tolist() == [["other", 9]] * 3

    replaced = store.commit([Replace(GAMES, first, DAY, DAY + dt.timedelta(hours=1))])[0]
    assert (replaced.deleted, replaced.inserted) == (3, 2)
    assert store.execute(f"delete from {GAMES} where video_id = 'a'") == 1
    assert stored(store)["video_id"].tolist() == ["b"]

    # By hand, row by row, as the table it was.
    names = ", ".join(c.name for c in metadata.tables[GAMES].columns)
    again = names.replace("video_id", "'c'").replace("views,", "5000000000,", 1)
    assert store.execute(f"insert into {GAMES} ({names}) select {again} from {GAMES}") == 1
    assert store.execute(f"update {GAMES} set views = -3, rule = 'other' where game <> ''") == 2
    with pytest.raises(StoreError, match="has a row of this key already"):
        store.execute(f"insert into {GAMES} ({names}) select {names} from {GAMES}")
    found = stored(store)
    assert found[["video_id", "views", "rule"]].to_numpy().tolist() == [
        ["b", -3, "other"],
        ["c", -3, "other"],
    ]


def test_writers_that_see_the_same_new_videos_at_once_agree(database_url: str) -> None:
    errors: list[BaseException] = []
    start = threading.Barrier(4)

    def work(number: int) -> None:
        with FrameStore(database_url) as store:
            start.wait()
            try:
                for turn in range(3):
                    at = DAY + dt.timedelta(minutes=30 * turn)
                    store.commit([Append(GAMES, crawl(at, ids(300), discovered_by="chart"))])
                    later = at + dt.timedelta(seconds=60 + number * 60)
                    store.commit([Append(GAMES, crawl(later, ids(300)))])
            except StoreError as error:
                errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with FrameStore(database_url) as store:
        # Of the same key one row is there; of the same video one subject.
        assert left(store)[:2] == [3 * 300 * 5, 300]
        assert stored(store).duplicated(KEYS[GAMES]).sum() == 0


def test_numbers_that_went_are_not_used_again(store: FrameStore, database_url: str) -> None:
    store.commit([Append(GAMES, crawl(DAY, ids(5)))])
    tables = ", ".join(t.fullname for t in stored_of(metadata.tables[GAMES]).tables)
    for empty in (f"truncate {tables}", f"delete from {GAMES}_subjects"):
        store.execute(f"delete from {GAMES}")
        store.execute(empty)
        store.commit([Append(GAMES, crawl(DAY, ids(5)))])
        assert stored(store)["video_id"].tolist() == ids(5)

    # A write that failed gave out no numbers.
    with pytest.raises(StoreError):
        store.commit(
            [
                Append(GAMES, crawl(DAY + dt.timedelta(hours=1), ["new"])),
                Append("operations.heads", pd.DataFrame()),
            ]
        )
    bad = crawl(DAY + dt.timedelta(hours=2), ["new"])
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            f"alter table {GAMES}_facts add constraint none check (likes <> 7) not valid"
        )
        with pytest.raises(Exception, match="none"):
            store.commit([Append(GAMES, bad)])
        connection.execute(f"alter table {GAMES}_facts drop constraint none")
    store.commit([Append(GAMES, bad)])
    assert "new" in set(stored(store)["video_id"])


def test_an_outage_spools_rows_as_they_are_declared(
    store: FrameStore, database_url: str, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    rows = crawl(DAY, ids(70))
    away = f"postgresql://a:b@127.0.0.1:{free_port()}/x"
    with FrameStore(away, spool=tmp_path, retry=RetryPolicy(total_s=0)) as lost:
        assert lost.commit([Append(GAMES, rows)], spool=True)[0].spooled
    with FrameStore(database_url, spool=tmp_path) as found:
        assert found.drain() == 1
    assert stored(store)["views"].tolist() == rows.sort_values(KEYS[GAMES])["views"].tolist()


def test_days_go_and_take_along_what_only_they_named(
    store: FrameStore, database_url: str, tmp_path: Path
) -> None:
    settings = Settings(
        postgres_url=SecretStr(database_url), data_dir=tmp_path / "data", retention_days=5
    )
    now = dt.datetime(2026, 11, 21, 3, 3, tzinfo=dt.UTC)
    for age in range(10):
        names = ["always", f"on day {age}"]
        at = now - dt.timedelta(days=age)
        rows = crawl(at, names, fetch_id=f"0b9c2b3e-5df3-4a83-9c0a-{age:012d}")
        store.commit([Append(GAMES, rows)])
    assert left(store) == [20, 11, 10]

    purge(settings, now)

    assert left(store) == [12, 7, 6]
    # The process that knew the numbers meets the videos again.
    store.commit([Append(GAMES, crawl(now, ["on day 9"]))])
    assert store.read(GAMES, where={"video_id": "on day 9"})["rule"].notna().all()


def test_a_forgotten_channel_leaves_neither_rows_nor_subjects(
    store: FrameStore, database_url: str, redis_url: str, tmp_path: Path, rows: Rows
) -> None:
    settings = Settings(
        postgres_url=SecretStr(database_url),
        redis_url=SecretStr(redis_url),
        data_dir=tmp_path / "data",
    )
    channel = "UC" + "a" * 22
    theirs = rows(
        "collection.youtube_videos",
        [{"video_id": "theirs", "channel_id": channel, "metadata_hash": "abc"}],
    )
    store.commit([Upsert("collection.youtube_videos", theirs)])
    store.commit([Append(GAMES, crawl(DAY, ["theirs", "others"]))])
    store.commit([Append(GAMES, crawl(DAY + dt.timedelta(hours=1), ["theirs", "others"]))])
    store.execute(f"delete from {GAMES} where observed_at > '2026-11-20 00:30Z'")

    result = forget(settings, channel, dt.datetime(2026, 11, 21, tzinfo=dt.UTC))

    assert result.counts[f"table/{GAMES}"] == 1
    assert result.remaining == {}
    assert store.query(f"select video_id from {GAMES}_subjects")["video_id"].tolist() == ["others"]
    store.commit([Append(GAMES, crawl(DAY + dt.timedelta(hours=2), ["theirs", "others"]))])
    assert set(stored(store)["video_id"]) == {"others"}


def test_old_rows_become_narrow_and_wide_again_without_loss(
    postgres_server: EmbeddedPostgres, rows: Rows
) -> None:
    revision = importlib.import_module("aurastream.store.migrations.versions.r0010_narrow")
    with psycopg.connect(postgres_server.url_of("postgres"), autocommit=True) as admin:
        admin.execute("drop database if exists was_wide with (force)")
        admin.execute("create database was_wide template aurastream_template")
    url = postgres_server.url_of("was_wide")

    def turn(step: Callable[[], None]) -> None:
        engine = sa.create_engine(sqlalchemy_url(url))
        with (
            engine.begin() as connection,
            Operations.context(MigrationContext.configure(connection)),
        ):
            step()
        engine.dispose()

    def kinds() -> set[str]:
        with psycopg.connect(url) as connection:
            names = [table.fullname for table in NARROW]
            return {
                str(kind)
                for (kind,) in connection.execute(
                    "select relkind::text from pg_class where oid = any(%s::regclass[])", (names,)
                )
            }

    with FrameStore(url) as store:
        for day in range(3):
            at = DAY + dt.timedelta(days=day, hours=23, minutes=59, seconds=58)
            store.commit([Append(GAMES, crawl(at, ids(150)))])
            charted = rows(TRENDING, [{"video_id": v, "rank": 3} for v in "abc"], at=at)
            store.commit([Append(TRENDING, charted)])
        before = {name: stored(store, name) for name in (GAMES, TRENDING)}
        assert kinds() == {"v"}

        for step, kind in ((revision.downgrade, "p"), (revision.upgrade, "v")):
            turn(step)
            assert kinds() == {kind}
            for name, frame in before.items():
                pd.testing.assert_frame_equal(stored(store, name), frame)

        store.execute(f"delete from {GAMES}")
        store.execute(f"delete from {TRENDING}")
        turn(revision.downgrade)
        turn(revision.upgrade)
        assert stored(store).empty
        store.commit([Append(GAMES, crawl(DAY, ids(3)))])
        assert len(stored(store)) == 3
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        assert ensure_partitions(connection, DAY, DAY, tables=list(NARROW)) == []
    with psycopg.connect(postgres_server.url_of("postgres"), autocommit=True) as admin:
        admin.execute("drop database was_wide with (force)")
