"""Postgres goes away in the middle of a crawl, and with it, as in the product, Dagster's rows."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from aurastream.settings import REPO_ROOT
from aurastream.sources.catalog import load_catalog
from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.frames import FrameStore, RetryPolicy
from aurastream.store.state import sync_categories
from aurastream.store.urls import dagster_url
from aurastream_assets import patience
from aurastream_assets.definitions import build_defs
from aurastream_assets.keys import asset_key
from resources.store import Store
from tests.conftest import fresh_database
from tests.graph.evidence import assert_nothing_is_counted_twice, retries_of
from tests.graph.gates import LOOK_EVERY_S

pytestmark = pytest.mark.chaos

_STREAMS = "collection.twitch_streams"
_CRAWL = [asset_key("collection", name) for name in ("twitch_streams", "twitch_top_games")]


@pytest.fixture
def server_url(mortal_postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database of this test alone, on a server that may be killed."""
    with fresh_database(mortal_postgres) as url:
        with FrameStore(url) as store:
            sync_categories(store, load_catalog().categories_frame())
        yield url


@pytest.fixture
def instance(
    server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance as the product has it: in the same Postgres as the record."""
    home = tmp_path / "dagster"
    home.mkdir()
    shutil.copy(REPO_ROOT / "deploy" / "dagster.yaml", home)
    monkeypatch.setenv("DAGSTER_PG_URL", dagster_url(server_url))
    with dg.DagsterInstance.from_config(str(home)) as made:
        yield made


@pytest.fixture
def graph(
    installation: dict[str, object],
    server_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[..., None],
) -> dg.Definitions:
    """The graph, whose crawl of streams takes its time after its first answers."""
    monkeypatch.setenv("AURASTREAM_MAX_PARALLEL_REQUESTS", "1")
    fault("latency", platform="twitch", endpoint="*", skip=4, options={"delay_ms": 1_000})
    store = Store(postgres_url=server_url, spool_dir=str(tmp_path / "spool"))
    return build_defs(environment="local", resource_overrides={**installation, "store": store})


@pytest.fixture
def stopped_in_mid_crawl(
    mortal_postgres: EmbeddedPostgres, server_url: str
) -> Iterator[threading.Thread]:
    """Stop the server once four calls were paid for; whoever does it ends then."""
    over = threading.Event()

    def stop() -> None:
        paid = "SELECT count(*) FROM operations.quota_ledger"
        with psycopg.connect(server_url, autocommit=True) as watcher:
            while watcher.execute(paid).fetchone() < (4,) and not over.wait(LOOK_EVERY_S):
                pass
        mortal_postgres.stop()

    thread = threading.Thread(target=stop)
    thread.start()
    yield thread
    over.set()
    thread.join()
    mortal_postgres.start()  # for the next test, whatever came of this one


def _crawl(graph: dg.Definitions, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = graph.resolve_job_def("streams")
    return job.execute_in_process(instance=instance, asset_selection=_CRAWL)


def _crawled(store: FrameStore) -> int:
    """Return how many streams were got, once each and with what belongs to them."""
    streams = store.read(_STREAMS)
    crawls = store.read("operations.crawls", where={"dataset": "collection/twitch_streams"})
    assert crawls["crawl_at"].nunique() == 1
    assert crawls["got"].sum() == len(streams) > 0
    assert_nothing_is_counted_twice(store)
    return len(streams)


def test_a_crawl_outlives_a_minute_without_the_server_that_has_dagsters_rows_too(
    graph: dg.Definitions,
    instance: dg.DagsterInstance,
    mortal_postgres: EmbeddedPostgres,
    server_url: str,
    *,
    stopped_in_mid_crawl: threading.Thread,
    wait_at_most: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    # As in the process that runs are forked from. The store has next to no patience, so that the
    # crawl waits in the spool, and the run for Dagster's events alone.
    wait_at_most(patience.RUN_S)
    monkeypatch.setattr(RetryPolicy.__init__, "__defaults__", (0.5, 0.1, 0.2))

    over = threading.Event()

    def start_again() -> None:
        waited = 0
        while waited < 12 and not over.wait(LOOK_EVERY_S):  # Dagster itself gives up after six
            waited = sum(record.name == patience.__name__ for record in list(caplog.records))
        stopped_in_mid_crawl.join(timeout=60)
        mortal_postgres.start()

    restart = threading.Thread(target=start_again)
    restart.start()
    try:
        result = _crawl(graph, instance)
    finally:
        over.set()
        restart.join()

    assert retries_of(result) == 0
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.SUCCESS
    (event,) = instance.fetch_materializations(_CRAWL[0], limit=9).records
    said = event.asset_materialization
    assert said is not None
    assert said.metadata["spooled"].value
    with FrameStore(server_url, spool=tmp_path / "spool") as store:
        assert store.drain() == 1
        assert _crawled(store) == said.metadata["rows"].value


def test_what_was_crawled_is_kept_where_the_server_stays_away_and_the_run_ends_over_it(
    graph: dg.Definitions,
    instance: dg.DagsterInstance,
    mortal_postgres: EmbeddedPostgres,
    server_url: str,
    *,
    stopped_in_mid_crawl: threading.Thread,
    wait_at_most: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    wait_at_most(0.5)
    monkeypatch.setattr(RetryPolicy.__init__, "__defaults__", (0.5, 0.1, 0.2))

    with pytest.raises(Exception, match=r"connect|refused|closed"):
        _crawl(graph, instance)

    stopped_in_mid_crawl.join(timeout=60)
    mortal_postgres.start()
    with FrameStore(server_url, spool=tmp_path / "spool") as store:
        assert store.read(_STREAMS).empty
        assert store.drain() == 1
        assert _crawled(store) > 0
