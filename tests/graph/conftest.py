"""The whole graph on throwaway servers: Postgres, Redis and the replay server, no mocks."""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import httpx
import pytest
import redis
import sqlalchemy as sa

from aurastream.replay.server import background
from aurastream.sources.catalog import load_catalog
from aurastream.store.embedded import EmbeddedPostgres, EmbeddedRedis
from aurastream.store.frames import FrameStore
from aurastream.store.state import sync_categories
from aurastream_assets import patience
from aurastream_assets.definitions import build_defs
from aurastream_assets.partitions import half_hours
from resources.platforms import Platforms
from resources.store import Redis, Store
from tests.conftest import forget_settings, fresh_database

_SETTINGS = {"AURASTREAM_ENVIRONMENT": "test", "AURASTREAM_REGIONS": "US,GB"}


@dataclass
class VirtualClock:
    """The replay server's present: the machine's, moved by an offset."""

    offset: timedelta = field(default_factory=timedelta)

    def __call__(self) -> float:
        return time.time() + self.offset.total_seconds()

    def now(self) -> datetime:
        return datetime.fromtimestamp(self(), UTC)


@contextlib.contextmanager
def ephemeral_instance() -> Iterator[dg.DagsterInstance]:
    """Give Dagster's instance in memory connections that stay; it makes one for every event."""
    with dg.DagsterInstance.ephemeral() as instance:
        for storage in (instance.event_log_storage, instance.run_storage):
            storage._engine = sa.create_engine(
                storage._engine.url,
                poolclass=sa.pool.QueuePool,
                connect_args={"check_same_thread": False},
            )
        yield instance


@pytest.fixture
def wait_at_most() -> Iterator[Callable[[float], None]]:
    """Return a function that says how long runs wait for Dagster's Postgres; none does after it."""
    yield patience.wait_at_most
    patience.wait_at_most(0)


@pytest.fixture(scope="session")
def replay_clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture(scope="session")
def replay_server(replay_clock: VirtualClock) -> Iterator[str]:
    with background(clock=replay_clock) as url:
        yield url


Prepare = Callable[..., str]


@pytest.fixture(scope="module")
def prepare(
    postgres_server: EmbeddedPostgres,
    redis_server: EmbeddedRedis,
    replay_server: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Prepare]:
    """Return a function that fills a database by jobs and names it, for tests to copy."""
    with contextlib.ExitStack() as stack:

        def fill(steps: Callable[[Callable[..., None]], None]) -> str:
            url = stack.enter_context(fresh_database(postgres_server))
            with (
                pytest.MonkeyPatch.context() as patch,
                ephemeral_instance() as instance,
            ):
                forget_settings(patch)
                for name, value in _SETTINGS.items():
                    patch.setenv(name, value)
                patch.setenv("AURASTREAM_DATA_DIR", str(tmp_path_factory.mktemp("prepared")))
                with redis.Redis.from_url(redis_server.url) as client:
                    client.flushall()
                with FrameStore(url) as store:
                    sync_categories(store, load_catalog().categories_frame())
                resources = {
                    "store": Store(postgres_url=url),
                    "redis": Redis(url=redis_server.url),
                    "platforms": Platforms(replay_url=replay_server),
                }
                graph = build_defs(environment="local", resource_overrides=resources)

                def run(job: str, first: datetime | None = None) -> None:
                    key = first.strftime(half_hours.fmt) if first else None
                    made = graph.resolve_job_def(job)
                    assert made.execute_in_process(instance=instance, partition_key=key).success

                steps(run)
            return str(sa.make_url(url).database)

        yield fill


@pytest.fixture
def clock(replay_clock: VirtualClock) -> VirtualClock:
    replay_clock.offset = timedelta()
    return replay_clock


@pytest.fixture
def installation(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    *,
    replay_server: str,
    clock: VirtualClock,
    store: FrameStore,
    redis_url: str,
) -> dict[str, object]:
    """Resources of an installation with the catalogue in place, and none of the machine's own."""
    monkeypatch.setenv("AURASTREAM_DATA_DIR", str(tmp_path))
    for name, value in _SETTINGS.items():
        monkeypatch.setenv(name, value)
    sync_categories(store, load_catalog().categories_frame())
    return {
        "store": Store(postgres_url=store.url),
        "redis": Redis(url=redis_url),
        "platforms": Platforms(replay_url=replay_server),
    }


@pytest.fixture
def graph(installation: dict[str, object]) -> dg.Definitions:
    return build_defs(environment="local", resource_overrides=installation)


@pytest.fixture
def fault(replay_server: str) -> Iterator[Callable[..., None]]:
    """Return a function that makes something go wrong upstream until the test ends."""

    def add(kind: str, **options: object) -> None:
        httpx.post(
            f"{replay_server}/_replay/faults", json={"kind": kind, **options}
        ).raise_for_status()

    yield add
    httpx.delete(f"{replay_server}/_replay/faults").raise_for_status()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with ephemeral_instance() as ephemeral:
        yield ephemeral


Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def run(graph: dg.Definitions, instance: dg.DagsterInstance) -> Run:
    """Return a function that runs a job, of one window or a range of them."""

    def run_job(
        name: str, *, first: datetime | None = None, last: datetime | None = None, **options: object
    ) -> dg.ExecuteInProcessResult:
        key = first.strftime(half_hours.fmt) if first else None
        tags = (
            {
                "dagster/asset_partition_range_start": key,
                "dagster/asset_partition_range_end": last.strftime(half_hours.fmt),
            }
            if last
            else {}
        )
        return graph.resolve_job_def(name).execute_in_process(
            instance=instance,
            partition_key=None if last else key,
            tags=tags,
            **options,  # type: ignore[arg-type] # passed on
        )

    return run_job
