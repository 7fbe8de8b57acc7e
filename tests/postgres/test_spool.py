"""Writes that cannot be delivered wait on disk and are lost in no case."""

import datetime as dt
import errno
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
import pytest

from aurastream.operations.doctor import examine
from aurastream.settings import Settings
from aurastream.store import connections, frames
from aurastream.store.columns import to_arrow
from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.errors import SpoolBlockedError, SpoolError, StoreError, StoreUnavailableError
from aurastream.store.frames import Append, FrameStore, Replace, RetryPolicy, Upsert
from aurastream.store.migrate import migrate
from aurastream.store.spool import Spool, SpooledOp
from aurastream.store.writes import find_table

Rows = Callable[..., pd.DataFrame]
AT = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
IMPATIENT = RetryPolicy(total_s=0.2, first_pause_s=0.01, longest_pause_s=0.05)


def state(rows: Rows, count: int) -> Upsert:
    return Upsert(
        "operations.collection_state",
        rows(
            "operations.collection_state",
            [{"dataset": "d", "category": "c", "unchanged_count": count}],
        ),
    )


def crawl(rows: Rows, name: str) -> Append:
    return Append("operations.crawls", rows("operations.crawls", [{"category": name}], at=AT))


def failing(*_: object, **__: object) -> Any:
    """Fail as a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_write_without_a_server_is_kept_and_says_so(away: FrameStore, rows: Rows) -> None:
    results = away.commit([crawl(rows, "a"), state(rows, 1)], spool=True)
    assert [(r.table, r.spooled) for r in results] == [
        ("operations.crawls", True),
        ("operations.collection_state", True),
    ]
    assert away.spool is not None
    assert len(away.spool) == 1


def test_a_write_that_may_not_be_spooled_fails(away: FrameStore, rows: Rows) -> None:
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        away.commit([crawl(rows, "a")])
    assert away.spool is not None
    assert away.spool.is_empty()


def test_spooled_writes_are_delivered_in_order_before_the_next_one(
    away: FrameStore, rows: Rows, database_url: str, tmp_path: Path
) -> None:
    for count in (1, 2, 3):
        away.commit([state(rows, count), crawl(rows, f"c{count}")], spool=True)
    with FrameStore(database_url, spool=tmp_path / "spool", retry=IMPATIENT) as store:
        store.commit([crawl(rows, "now")], spool=True)
        assert store.read("operations.collection_state")["unchanged_count"].tolist() == [3]
        assert sorted(store.read("operations.crawls")["category"]) == ["c1", "c2", "c3", "now"]
        assert store.spool is not None
        assert store.spool.is_empty()


def test_an_entry_delivered_twice_changes_nothing(
    away: FrameStore, rows: Rows, database_url: str, tmp_path: Path
) -> None:
    end = AT + dt.timedelta(hours=1)
    away.commit([Replace("operations.crawls", crawl(rows, "a").frame, AT, end)], spool=True)
    away.commit([crawl(rows, "b"), state(rows, 1)], spool=True)
    assert away.spool is not None
    with FrameStore(database_url, spool=tmp_path / "spool") as store:

        class DiesAfterDeliveryError(Exception):
            """The process ends between the delivery and the removal of the entry."""

        def interrupt(ops: Sequence[SpooledOp]) -> None:
            store._write([frames._from_spool(op) for op in ops])
            raise DiesAfterDeliveryError

        assert store.spool is not None
        with pytest.raises(DiesAfterDeliveryError):
            store.spool.drain(interrupt, keep_on=DiesAfterDeliveryError, refuse_on=StoreError)
        assert len(away.spool) == 2
        assert store.drain() == 2
        assert sorted(store.read("operations.crawls")["category"]) == ["a", "b"]


def test_a_damaged_entry_goes_aside_and_the_others_are_delivered(
    away: FrameStore,
    rows: Rows,
    database_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("a", "b", "c"):
        away.commit([crawl(rows, name)], spool=True)
    damaged = sorted((tmp_path / "spool").glob("0*"))[1] / "000.arrow"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    with (
        FrameStore(database_url, spool=tmp_path / "spool") as store,
        caplog.at_level(logging.ERROR),
    ):
        assert store.drain() == 2
        assert sorted(store.read("operations.crawls")["category"]) == ["a", "c"]
        assert store.spool is not None
        (aside,) = store.spool.aside()
    assert "checksum" in (aside / "reason.txt").read_text()
    assert "cannot be delivered is kept in" in caplog.text


@pytest.fixture
def unreadable(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """No file can be opened for reading until the patch is undone, as with too many open ones."""

    def refuse(_path: Path) -> bytes:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        yield patch


def test_what_cannot_be_read_for_now_stays_in_its_place_and_what_follows_waits_behind_it(
    away: FrameStore,
    rows: Rows,
    database_url: str,
    tmp_path: Path,
    unreadable: pytest.MonkeyPatch,
) -> None:
    away.commit([state(rows, 1), crawl(rows, "a")], spool=True)
    with FrameStore(database_url, spool=tmp_path / "spool") as store:
        assert store.spool is not None
        assert store.commit([state(rows, 2), crawl(rows, "b")], spool=True)[0].spooled
        with pytest.raises(SpoolBlockedError, match=r"Too many open files.*Mend"):
            store.drain()
        assert (len(store.spool), store.spool.aside()) == (2, [])
        # What has no place in that order is not held up.
        assert not store.commit([crawl(rows, "c")])[0].spooled

        unreadable.undo()
        assert store.drain() == 2
        assert sorted(store.read("operations.crawls")["category"]) == ["a", "b", "c"]
        assert store.read("operations.collection_state")["unchanged_count"].tolist() == [2]


def test_a_crawl_is_written_at_once_where_the_spool_can_neither_be_read_nor_take_it(
    away: FrameStore,
    rows: Rows,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away.commit([crawl(rows, "a")], spool=True)
    with FrameStore(database_url, spool=tmp_path / "spool") as store:
        with monkeypatch.context() as patch:

            def refuse(*_: object, **__: object) -> int:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

            patch.setattr(os, "open", refuse)
            assert not store.commit([crawl(rows, "b")], spool=True)[0].spooled
        assert store.drain() == 1
        assert sorted(store.read("operations.crawls")["category"]) == ["a", "b"]


def test_the_doctor_names_what_keeps_the_spool_from_being_delivered(
    away: FrameStore, rows: Rows, tmp_path: Path, unreadable: pytest.MonkeyPatch
) -> None:
    away.commit([crawl(rows, "a")], spool=True)
    settings = Settings(data_dir=tmp_path)

    def said() -> tuple[str, str]:
        (found,) = [f for f in examine(lambda: settings) if f.name == "spool"]
        return found.level, found.detail

    level, detail = said()
    assert level == "fault"
    assert "cannot be delivered now" in detail
    unreadable.undo()
    assert said() == ("warning", "writes that wait for Postgres: 1")


def test_an_entry_whose_removal_was_cut_off_is_not_taken_for_a_damaged_one(
    away: FrameStore,
    rows: Rows,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away.commit([crawl(rows, "a")], spool=True)
    away.commit([crawl(rows, "b")], spool=True)

    def die(path: Path) -> None:
        (path / "manifest.json").unlink()
        raise KeyboardInterrupt

    with FrameStore(database_url, spool=tmp_path / "spool") as store:
        assert store.spool is not None
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", die)
            with pytest.raises(KeyboardInterrupt):
                store.drain()
        assert store.drain() == 1
        assert store.spool.aside() == []
        assert sorted(store.read("operations.crawls")["category"]) == ["a", "b"]
    assert sorted(p.name for p in (tmp_path / "spool").iterdir()) == ["counter", "lock"]


def test_what_the_database_refuses_for_good_goes_aside(
    rows: Rows, database_url: str, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append([SpooledOp("Append", "operations.crawls", pa.table({"unknown": [1]}))])
    with FrameStore(database_url, spool=tmp_path / "spool") as store:
        store.commit([crawl(rows, "a")])
        assert len(store.read("operations.crawls")) == 1
    (aside,) = spool.aside()
    assert "columns" in (aside / "reason.txt").read_text()


@pytest.mark.parametrize("state", ["53100", "40P01", "40001", "55P03", "57P01", "57014", "08006"])
def test_what_the_database_refuses_for_now_stays_in_its_place(
    rows: Rows, database_url: str, tmp_path: Path, state: str
) -> None:
    with FrameStore(database_url, spool=tmp_path / "spool", retry=IMPATIENT) as store:
        assert store.spool is not None
        with psycopg.connect(database_url, autocommit=True) as admin:
            admin.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                f"$$BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{state}'; END$$"
            )
            admin.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON operations.crawls "
                "FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
            for name in ("a", "b"):
                (result,) = store.commit([crawl(rows, name)], spool=True)
                assert result.spooled
            with pytest.raises(StoreUnavailableError):
                store.drain()
            assert (len(store.spool), store.spool.aside()) == (2, [])
            admin.execute("DROP TRIGGER refuse ON operations.crawls")
        assert store.drain() == 2
        assert sorted(store.read("operations.crawls")["category"]) == ["a", "b"]


@pytest.mark.usefixtures("refusing")
def test_a_crawl_that_the_database_refuses_for_good_is_whole_aside_and_holds_nobody_up(
    rows: Rows, database_url: str, tmp_path: Path
) -> None:
    with FrameStore(database_url, spool=tmp_path / "spool", retry=IMPATIENT) as store:
        with pytest.raises(StoreError, match="no such crawl"):
            store.commit([state(rows, 1), crawl(rows, "bad")], spool=True)
        assert store.read("operations.collection_state").empty
        assert store.read("operations.crawls").empty

        assert store.commit([crawl(rows, "good")], spool=True)[0].inserted == 1
        assert store.read("operations.crawls")["category"].tolist() == ["good"]
        assert store.spool is not None
        (entry,) = store.spool.entries()
    assert entry.is_aside
    assert dict(entry.rows) == {"operations.collection_state": 1, "operations.crawls": 1}
    assert "no such crawl" in entry.reason


def test_what_was_aside_adds_and_replaces_nothing_that_was_written_meanwhile(
    rows: Rows, database_url: str, tmp_path: Path, refusing: Callable[[], None]
) -> None:
    with FrameStore(database_url, spool=tmp_path / "spool", retry=IMPATIENT) as store:
        assert store.spool is not None
        with pytest.raises(StoreError, match="no such crawl"):
            store.commit([state(rows, 1), crawl(rows, "bad")], spool=True)
        store.commit([state(rows, 2)], spool=True)
        refusing()

        assert store.spool.put_back() == 1
        assert store.drain() == 1

        assert store.read("operations.crawls")["category"].tolist() == ["bad"]
        assert store.read("operations.collection_state")["unchanged_count"].tolist() == [2]


def test_what_was_refused_and_could_not_be_put_aside_is_still_delivered_as_it_was_meant(
    away: FrameStore,
    rows: Rows,
    database_url: str,
    tmp_path: Path,
    *,
    refusing: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with FrameStore(database_url, spool=tmp_path / "spool", retry=IMPATIENT) as store:
        store.commit([state(rows, 1)])
        away.commit([state(rows, 2), crawl(rows, "bad")], spool=True)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", failing)
            with pytest.raises(SpoolBlockedError):
                store.drain()
        refusing()

        assert store.drain() == 1

        assert store.read("operations.collection_state")["unchanged_count"].tolist() == [2]


@pytest.mark.usefixtures("refusing")
def test_what_waits_behind_a_refused_write_is_delivered_on_a_full_disk_too(
    away: FrameStore,
    rows: Rows,
    database_url: str,
    tmp_path: Path,
    *,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("bad", "good"):
        away.commit([crawl(rows, name)], spool=True)
    really_open = Path.open
    with FrameStore(database_url, spool=tmp_path / "spool", retry=IMPATIENT) as store:
        with monkeypatch.context() as patch:
            patch.setattr(
                Path,
                "open",
                lambda path, mode="r", *args, **options: (
                    failing() if "w" in mode else really_open(path, mode, *args, **options)
                ),
            )
            assert store.drain() == 1
        assert store.read("operations.crawls")["category"].tolist() == ["good"]
        assert store.spool is not None
        assert len(store.spool.aside()) == 1
    assert "no such crawl" in caplog.text


@pytest.mark.usefixtures("refusing")
def test_what_may_not_be_spooled_is_not_put_aside_either(
    rows: Rows, database_url: str, tmp_path: Path
) -> None:
    with FrameStore(database_url, spool=tmp_path / "spool", retry=IMPATIENT) as store:
        with pytest.raises(StoreError, match="no such crawl"):
            store.commit([crawl(rows, "bad")])
        assert store.spool is not None
        assert store.spool.entries() == []


def of_before(rows: Rows, name: str) -> pa.Table:
    """Return a crawl as it was written before its table had viewer_total."""
    frame = rows("operations.crawls", [{"category": name, "viewer_total": 7}], at=AT)
    return to_arrow(find_table("operations.crawls"), frame).drop_columns(["viewer_total"])


@pytest.mark.parametrize("kind", ["Append", "Upsert"])
def test_a_write_from_before_a_column_came_is_delivered_without_it(
    rows: Rows, database_url: str, tmp_path: Path, kind: str
) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append([SpooledOp(kind, "operations.crawls", of_before(rows, "old"))])
    with FrameStore(database_url, spool=spool.directory) as store:
        assert store.drain() == 1
        found = store.read("operations.crawls")
    assert spool.aside() == []
    assert found["category"].tolist() == ["old"]
    assert found["viewer_total"].isna().all()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda found: found.drop_columns(["reason", "got"]), r"lacks got, reason\."),
        (lambda found: found.append_column("mood", found["got"]), r"the unknown mood\."),
        (lambda found: found.set_column(6, "got", found["category"]), r"another type have got\."),
    ],
)
def test_a_write_from_before_another_change_goes_aside_and_the_columns_are_named(
    rows: Rows,
    database_url: str,
    tmp_path: Path,
    changed: Callable[[pa.Table], pa.Table],
    said: str,
) -> None:
    spool = Spool(tmp_path / "spool")
    spool.append([SpooledOp("Append", "operations.crawls", changed(of_before(rows, "old")))])
    with FrameStore(database_url, spool=spool.directory) as store:
        assert store.drain() == 0
        assert store.read("operations.crawls").empty
    (entry,) = spool.entries()
    assert entry.is_aside
    assert re.search(said, entry.reason)


def test_what_is_put_back_takes_nobodys_place(
    away: FrameStore, rows: Rows, database_url: str, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    write = [SpooledOp("Append", "operations.crawls", of_before(rows, "old"))]
    spool.put_aside(write, "no such crawl")
    (tmp_path / "spool" / "counter").unlink()
    away.commit([crawl(rows, "new")], spool=True)

    assert spool.put_back() == 1

    assert [entry.number for entry in spool.entries()] == [1, 2]
    with FrameStore(database_url, spool=spool.directory) as store:
        assert store.drain() == 2
        assert sorted(store.read("operations.crawls")["category"]) == ["new", "old"]


def test_a_full_disk_is_named_and_leaves_what_was_spooled(
    away: FrameStore, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away.commit([crawl(rows, "a")], spool=True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(SpoolError, match=r"No space left.*Free some space"):
            away.commit([crawl(rows, "b")], spool=True)
    assert sorted(p.name for p in (tmp_path / "spool").iterdir() if p.is_dir()) == ["000000000001"]
    away.commit([crawl(rows, "c")], spool=True)
    assert away.spool is not None
    assert len(away.spool) == 2


def test_a_write_is_kept_whoever_may_not_look_at_what_is_aside(
    away: FrameStore, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path / "spool")
    spool.put_aside([SpooledOp("Append", "operations.crawls", of_before(rows, "old"))], "no")
    look = Path.iterdir
    monkeypatch.setattr(
        Path, "iterdir", lambda path: (failing if path.name == "aside" else look)(path)
    )
    assert away.commit([crawl(rows, "a")], spool=True)[0].spooled
    assert [path.name for path in spool.directory.glob("0*")] == ["000000000002"]


def test_a_write_that_is_cut_off_leaves_nothing_behind(
    away: FrameStore, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        away.commit([crawl(rows, "a")], spool=True)
    assert list((tmp_path / "spool").glob(".partial-*")) == []


def test_a_half_written_entry_is_never_delivered(
    rows: Rows, database_url: str, tmp_path: Path
) -> None:
    partial = tmp_path / "spool" / ".partial-0123"
    partial.mkdir(parents=True)
    (partial / "000.arrow").write_bytes(b"half")
    with FrameStore(database_url, spool=tmp_path / "spool") as store:
        store.commit([crawl(rows, "a")])
        assert len(store.read("operations.crawls")) == 1


def test_an_outage_in_mid_run_loses_nothing(
    server_directory: Path, tmp_path: Path, rows: Rows
) -> None:
    server = EmbeddedPostgres(server_directory / "outage", durable=False)
    with server:
        migrate(server.url)
        url, port = server.url, server.port
        store = FrameStore(url, spool=tmp_path / "spool", retry=IMPATIENT)
        assert not store.commit([crawl(rows, "before")], spool=True)[0].spooled
        server.stop()
        for name in ("one", "two"):
            assert store.commit([crawl(rows, name)], spool=True)[0].spooled
        server.start()
        assert server.port == port
        assert store.commit([crawl(rows, "after")], spool=True)[0].inserted == 1
        found = sorted(store.read("operations.crawls")["category"])
        assert found == ["after", "before", "one", "two"]
        store.close()


def test_a_short_outage_is_waited_for(
    server_directory: Path, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = EmbeddedPostgres(server_directory / "short", durable=False)
    with server:
        migrate(server.url)
        with FrameStore(server.url, retry=RetryPolicy(total_s=30, first_pause_s=0.01)) as store:
            store.commit([crawl(rows, "before")])
            server.stop()
            # The server comes back after the first failed try.
            real = connections.connect
            tries = []

            def connecting(*args: object, **options: object) -> object:
                tries.append(args)
                if len(tries) == 2:
                    server.start()
                return real(*args, **options)

            monkeypatch.setattr(connections, "connect", connecting)
            assert store.commit([crawl(rows, "after")])[0].inserted == 1
            assert len(tries) >= 2
            assert len(store.read("operations.crawls")) == 2
