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
from aurastream.store.frames import Append, FrameStore, RetryPolicy, WriteResult
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
