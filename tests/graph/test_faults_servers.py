"""Servers and workers that die in the middle of a run, at a moment that the test chooses."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import psycopg
import pytest
import redis

from aurastream.settings import REPO_ROOT
from aurastream.sources.catalog import load_catalog
from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.frames import FrameStore, RetryPolicy
from aurastream.store.state import sync_categories
from aurastream_assets.definitions import build_defs
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW, half_hours
from resources.store import Redis, Store
from tests.conftest import fresh_database
from tests.graph.evidence import (
    Clock,
    assert_nothing_is_counted_twice,
    assert_same_scores,
    documents,
    failed_checks,
    metadata_of,
    move,
    newest_window,
    retries_of,
    scores,
)
from tests.graph.gates import LOOK_EVERY_S, Gate, meanwhile

pytestmark = pytest.mark.chaos
Run = Callable[..., dg.ExecuteInProcessResult]
# The last but one table that a crawl writes: the rows before it are written and not committed.
LATE_IN_A_CRAWL = "operations.fetch_log"
LATE_IN_SCORING = "intelligence.viral_scores"


def whole_crawl(store: FrameStore, result: dg.ExecuteInProcessResult) -> None:
    """The record holds the run's crawl, once and with all that belongs to it."""
    said = metadata_of(result)
    crawls = store.read("operations.crawls", where={"dataset": "collection/youtube_trending"})
    assert said["why_incomplete"] == "-"
    assert len(store.read("collection.youtube_trending")) == said["rows"] == crawls["got"].sum()
    fetches = store.read("operations.fetch_log")
    assert len(fetches) == said["fetches"]
    ledger = store.query("SELECT sum(units_settled) AS units FROM operations.quota_ledger")
    assert ledger["units"].tolist() == [fetches["units"].sum()]


# -- Postgres --------------------------------------------------------------------------------------


@pytest.fixture
def server_url(mortal_postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database of this test alone, on a server that may be killed."""
    with fresh_database(mortal_postgres) as url:
        with FrameStore(url) as store:
            sync_categories(store, load_catalog().categories_frame())
        yield url


@pytest.mark.parametrize("table", [LATE_IN_A_CRAWL, LATE_IN_SCORING])
def test_a_run_comes_through_a_postgres_killed_in_mid_write(
    mortal_postgres: EmbeddedPostgres,
    server_url: str,
    installation: dict[str, object],
    *,
    instance: dg.DagsterInstance,
    clock: Clock,
    table: str,
) -> None:
    graph = build_defs(
        environment="local",
        resource_overrides={**installation, "store": Store(postgres_url=server_url)},
    )
    window = move(clock, newest_window())

    def kill() -> None:
        pid = mortal_postgres.server_pid()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    with meanwhile(server_url, table, kill):
        result = graph.resolve_job_def("signal").execute_in_process(
            instance=instance, partition_key=window.strftime(half_hours.fmt)
        )

    assert failed_checks(result) == set()
    assert retries_of(result) == 0
    with FrameStore(server_url) as store:
        whole_crawl(store, result)
        assert len(scores(store, window)["opportunity"]) > 0
        assert_nothing_is_counted_twice(store)


def test_answers_that_came_before_postgres_went_are_kept_and_stored_once_when_it_is_back(
    mortal_postgres: EmbeddedPostgres,
    server_url: str,
    installation: dict[str, object],
    instance: dg.DagsterInstance,
    *,
    fault: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("AURASTREAM_MAX_PARALLEL_REQUESTS", "1")
    monkeypatch.setattr(RetryPolicy.__init__, "__defaults__", (0.5, 0.1, 0.2))
    slept = [0.0]
    hurried = SimpleNamespace(time=lambda: time.time() + sum(slept), sleep=slept.append)
    monkeypatch.setattr("dagster._core.execution.plan.active.time", hurried)
    graph = build_defs(
        environment="local",
        resource_overrides={
            **installation,
            "store": Store(postgres_url=server_url, spool_dir=str(tmp_path / "spool")),
        },
    )
    fault("latency", platform="twitch", endpoint="*", skip=4, options={"delay_ms": 3_000})

    over = threading.Event()

    def stop_in_mid_crawl() -> None:
        paid = "SELECT count(*) FROM operations.quota_ledger"
        with psycopg.connect(server_url, autocommit=True) as watcher:
            while watcher.execute(paid).fetchone() < (4,) and not over.wait(LOOK_EVERY_S):
                pass
        mortal_postgres.stop()

    thread = threading.Thread(target=stop_in_mid_crawl)
    thread.start()
    result = graph.resolve_job_def("streams").execute_in_process(
        instance=instance, raise_on_error=False
    )
    over.set()
    thread.join()

    said = metadata_of(result, asset_key("collection", "twitch_streams"))
    assert said["spooled"]
    assert not said["is_complete"]
    assert "ledger_away" in str(said["why_incomplete"])
    assert int(str(said["rows"])) > 0
    mortal_postgres.start()
    with FrameStore(server_url, spool=tmp_path / "spool") as store:
        assert store.drain() == 1
        assert store.drain() == 0
        streams = store.read("collection.twitch_streams")
        assert len(streams) == said["rows"]
        crawls = store.read(
            "operations.crawls", where={"dataset": "collection/twitch_streams"}
        ).set_index("category")
        assert crawls["got"].sum() == said["rows"]
        assert (crawls["is_complete"] == (crawls["got"] > 0)).all()
        fetched = store.read("operations.fetch_log", where={"outcome": "ok"})
        assert len(fetched) == crawls["is_complete"].sum() >= 3
        assert_nothing_is_counted_twice(store)


# -- Redis -----------------------------------------------------------------------------------------


def test_documents_of_a_redis_flushed_in_mid_run_are_there_after_it(
    run: Run, store: FrameStore, clock: Clock, installation: dict[str, Redis]
) -> None:
    url = installation["redis"].url
    newest = newest_window()
    window = move(clock, newest - WINDOW)
    run("streams")
    run("signal", first=window)
    before = documents(url)

    with (
        redis.Redis.from_url(url) as client,
        meanwhile(store.url, LATE_IN_SCORING, client.flushall),
    ):
        result = run("signal", first=move(clock, newest))

    assert failed_checks(result) == set()
    assert retries_of(result) == 0
    after = documents(url)
    assert after.keys() == before.keys()
    assert all(after[key].as_of > before[key].as_of for key in before)


def test_a_redis_flushed_in_mid_crawl_costs_neither_token_nor_pace_nor_fuse(
    run: Run, store: FrameStore, installation: dict[str, Redis]
) -> None:
    with redis.Redis.from_url(installation["redis"].url) as client:

        def flush() -> None:
            assert client.keys("aurastream:twitch:token*")  # the crawl has begun
            client.flushall()

        # Each call is paid for in this table before it is made.
        with meanwhile(store.url, "operations.quota_ledger", flush):
            result = run("streams")

    assert failed_checks(result) == set()
    assert retries_of(result) == 0
    crawls = store.read("operations.crawls")
    assert crawls["is_complete"].all()
    assert set(store.read("operations.fetch_log")["outcome"]) == {"ok"}
    assert run("streams").success
    assert_nothing_is_counted_twice(store)


# -- workers ---------------------------------------------------------------------------------------


@pytest.fixture
def worker(
    installation: dict[str, object], store: FrameStore, replay_server: str, tmp_path: Path
) -> Callable[..., subprocess.Popen[bytes]]:
    """Return a function that runs a job in a process of its own."""
    environment = {
        **os.environ,
        "AURASTREAM_POSTGRES_URL": store.url,
        "AURASTREAM_REDIS_URL": installation["redis"].url,  # type: ignore[attr-defined] # a Redis
        "AURASTREAM_REPLAY_URL": replay_server,
        "PYTHONPATH": str(REPO_ROOT),
    }

    def start(job: str, first: datetime, last: datetime | None = None) -> subprocess.Popen[bytes]:
        bounds = [moment.strftime(half_hours.fmt) for moment in (first, last) if moment]
        names = (
            ["dagster/asset_partition_range_start", "dagster/asset_partition_range_end"]
            if last
            else ["dagster/partition"]
        )
        with (tmp_path / "worker.log").open("wb") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "dagster", "job", "execute"),
                    *("-m", "aurastream_assets.definitions", "-j", job),
                    *("--tags", json.dumps(dict(zip(names, bounds, strict=True)))),
                ],
                cwd=tmp_path,
                env=environment,
                stdout=log,
                stderr=log,
            )

    return start


def kill_at(gate: Gate, process: subprocess.Popen[bytes]) -> None:
    """Kill a worker where it is stuck, as the kernel does when memory is short."""
    try:
        gate.wait(lambda: process.poll() is not None)
    finally:
        process.kill()
        process.wait()
        gate.open()
    assert process.returncode == -signal.SIGKILL


def test_a_worker_killed_while_it_stores_a_crawl_leaves_nothing_and_the_next_one_all(
    run: Run,
    worker: Callable[..., subprocess.Popen[bytes]],
    store: FrameStore,
    clock: Clock,
) -> None:
    window = move(clock, newest_window())
    gate = Gate.of_table(store.url, LATE_IN_A_CRAWL)

    kill_at(gate, worker("signal", window))

    for table in ("collection.youtube_trending", "operations.crawls", LATE_IN_A_CRAWL):
        assert store.read(table).empty, table
    spent = store.query("SELECT sum(units_reserved) AS units FROM operations.quota_ledger")
    result = run("signal", first=window)
    assert failed_checks(result) == set()
    assert metadata_of(result)["rows"] == len(store.read("collection.youtube_trending"))
    # The calls of the killed worker were made, so they stay paid for.
    assert metadata_of(result)["quota_remaining"] == 10_000 - 2 * spent["units"].iloc[0]
    assert_nothing_is_counted_twice(store)


def test_a_worker_killed_while_it_scores_is_followed_by_identical_rows(
    run: Run,
    worker: Callable[..., subprocess.Popen[bytes]],
    store: FrameStore,
    clock: Clock,
) -> None:
    newest = newest_window()
    windows = [newest - WINDOW, newest]
    for window in windows:
        move(clock, window)
        assert run("streams").success
        assert run("signal", first=window).success
    before = scores(store)
    gate = Gate.of_table(store.url, LATE_IN_SCORING)

    kill_at(gate, worker("rescore", windows[0], windows[-1]))

    # What the worker had replaced before is as it was, and what it had not is still there.
    assert_same_scores(scores(store), before)
    assert run("rescore", first=windows[0], last=windows[-1]).success
    assert_same_scores(scores(store), before)


def test_a_crawl_that_is_run_again_after_a_kill_counts_no_video_twice(
    run: Run,
    worker: Callable[..., subprocess.Popen[bytes]],
    store: FrameStore,
    clock: Clock,
) -> None:
    window = move(clock, newest_window())
    kill_at(Gate.of_table(store.url, LATE_IN_SCORING), worker("signal", window))
    crawled = len(store.read("collection.youtube_trending"))

    result = run("signal", first=window)

    assert crawled > 0
    assert failed_checks(result) == set()
    trending = store.read("collection.youtube_trending")
    assert trending["crawl_at"].nunique() == 2
    assert len(trending) == crawled + metadata_of(result)["rows"]
    stats = scores(store, window)["category_stats"]
    videos = trending.groupby("chart")["video_id"].nunique()
    assert dict(zip(stats["category"], stats["sample_count"], strict=True)) == videos.to_dict()
    assert_nothing_is_counted_twice(store)
