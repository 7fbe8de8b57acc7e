"""Postgres killed in the middle of a write."""

import datetime as dt
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import psycopg
import pytest

from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.errors import StoreUnavailableError
from aurastream.store.frames import (
    Append,
    FrameStore,
    RetryPolicy,
    Upsert,
    WriteOp,
    WriteResult,
)
from aurastream.store.migrate import migrate

pytestmark = pytest.mark.chaos
Rows = Callable[..., pd.DataFrame]
AT = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


@pytest.fixture
def server(server_directory: Path, request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    """A server of this test alone, with real durability."""
    with EmbeddedPostgres(server_directory / request.node.name[:60]) as running:
        migrate(running.url)
        yield running


class StuckWrite:
    """A commit whose first half is written and whose second half waits for a lock."""

    def __init__(self, server: EmbeddedPostgres, rows: Rows, store: FrameStore) -> None:
        self.result: list[WriteResult] = []
        self.error: StoreUnavailableError | None = None
        # The partitions exist before, so that the write itself is what gets stuck.
        first = rows("operations.crawls", [{"category": "before"}], at=AT)
        clip = rows("collection.clip_radar", [{"clip_id": "before"}], at=AT)
        store.commit([Append("operations.crawls", first), Append("collection.clip_radar", clip)])
        self.blocker = psycopg.connect(server.url)
        self.blocker.execute("LOCK TABLE collection.clip_radar IN ACCESS EXCLUSIVE MODE")
        crawls = rows("operations.crawls", [{"category": f"c{i}"} for i in range(500)], at=AT)
        clips = rows("collection.clip_radar", [{"clip_id": f"k{i}"} for i in range(500)], at=AT)
        ops = [Append("operations.crawls", crawls), Append("collection.clip_radar", clips)]

        def write() -> None:
            try:
                self.result = store.commit(ops)
            except StoreUnavailableError as error:
                self.error = error

        self.thread = threading.Thread(target=write)
        self.thread.start()
        deadline = time.monotonic() + 60
        with psycopg.connect(server.url, autocommit=True) as watcher:
            while True:
                waiting = watcher.execute(
                    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                ).fetchone()
                if waiting != (0,):
                    break
                assert time.monotonic() < deadline, "the write never got stuck"
                time.sleep(0.01)

    def finish(self) -> None:
        self.thread.join(timeout=120)
        assert not self.thread.is_alive()
        self.blocker.close()


def kill(server: EmbeddedPostgres) -> None:
    pid = server.server_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_a_write_cut_in_the_middle_is_done_again_as_a_whole(
    server: EmbeddedPostgres, rows: Rows
) -> None:
    retry = RetryPolicy(total_s=45, first_pause_s=0.05, longest_pause_s=0.5)
    with FrameStore(server.url, retry=retry) as store:
        write = StuckWrite(server, rows, store)
        kill(server)
        write.finish()
        assert [r.inserted for r in write.result] == [500, 500]
        assert len(store.read("operations.crawls")) == 501
        assert len(store.read("collection.clip_radar")) == 501


def test_a_write_that_is_given_up_has_left_nothing_behind(
    server: EmbeddedPostgres, rows: Rows
) -> None:
    with FrameStore(server.url, retry=RetryPolicy(total_s=0)) as store:
        write = StuckWrite(server, rows, store)
        kill(server)
        write.finish()
        assert write.error is not None
    with FrameStore(server.url, retry=RetryPolicy(total_s=45, first_pause_s=0.05)) as store:
        assert store.read("operations.crawls")["category"].tolist() == ["before"]
        assert store.read("collection.clip_radar")["clip_id"].tolist() == ["before"]


def test_a_write_that_is_given_up_waits_in_the_spool_and_arrives_once(
    server: EmbeddedPostgres, rows: Rows, tmp_path: Path
) -> None:
    patient = RetryPolicy(total_s=45, first_pause_s=0.05)
    with FrameStore(server.url, spool=tmp_path, retry=RetryPolicy(total_s=0)) as store:
        frame = rows("operations.crawls", [{"category": "a"}], at=AT)
        store.ping()
        kill(server)
        spooled = store.commit([Append("operations.crawls", frame)], spool=True)
        assert spooled[0].spooled
    with FrameStore(server.url, spool=tmp_path, retry=patient) as store:
        assert store.drain() == 1
        assert store.drain() == 0
        assert store.read("operations.crawls")["category"].tolist() == ["a"]


class Minute:
    """A clock that only pauses move. After its minute they wait until somebody says go on."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.is_over = threading.Event()
        self.may_go_on = threading.Event()

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        if self.now_s >= 60.0:
            self.is_over.set()
            assert self.may_go_on.wait(timeout=120)


def test_a_minute_without_postgres_is_waited_for_and_a_longer_one_is_spooled(
    server: EmbeddedPostgres, rows: Rows, tmp_path: Path
) -> None:
    clock = Minute()
    patience = RetryPolicy(clock=lambda: clock.now_s, sleep=clock.sleep)  # else as it ships
    with FrameStore(server.url, spool=tmp_path, retry=patience) as store:
        write = StuckWrite(server, rows, store)
        server.stop()
        assert clock.is_over.wait(timeout=120)
        server.start()
        clock.may_go_on.set()
        write.finish()
        assert 60.0 <= clock.now_s < 60.0 + patience.longest_pause_s
        assert [r.inserted for r in write.result] == [500, 500]
        assert store.spool is not None
        assert store.spool.is_empty()

        server.stop()
        for count in (1, 2, 3):
            began_s = clock.now_s
            results = store.commit(collected(rows, count), spool=True)
            assert [r.spooled for r in results] == [True, True]
            # Only the first waits for the server; the others queue up behind it.
            waited_s = clock.now_s - began_s
            assert waited_s >= 60.0 if count == 1 else waited_s == 0.0
        with pytest.raises(StoreUnavailableError):
            store.commit(collected(rows, 9))  # what may not be spooled is refused
        server.start()
        assert [store.drain(), store.drain()] == [3, 0]
        state = store.read("operations.collection_state", where={"dataset": "in order"})
        assert state["unchanged_count"].tolist() == [3]
        names = store.read("operations.crawls")["category"].value_counts()
        assert names[[f"late{n}" for n in (1, 2, 3)]].tolist() == [1, 1, 1]
        assert (len(names), names.max()) == (504, 1)


def collected(rows: Rows, count: int) -> list[WriteOp]:
    state = {"dataset": "in order", "category": "c", "unchanged_count": count}
    return [
        Upsert("operations.collection_state", rows("operations.collection_state", [state])),
        Append(
            "operations.crawls", rows("operations.crawls", [{"category": f"late{count}"}], at=AT)
        ),
    ]
