"""Loading a past in a process for each platform, against a real replay server and real Postgres."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from aurastream.operations import history_lanes
from aurastream.operations.errors import ProcessError
from aurastream.operations.history_lanes import load_history
from aurastream.operations.history_plan import Step
from aurastream.operations.ports import free_port
from aurastream.settings import Settings
from aurastream.sources.errors import SourceError
from aurastream.store.frames import FrameStore

_NOW = datetime.now(UTC).replace(microsecond=0)

Load = Callable[..., tuple[int, list[Step], list[int]]]


@pytest.fixture
def load(
    installation: dict[str, object],
    store: FrameStore,
    replay_server: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Load:
    assert installation
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", store.url)
    settings = Settings.from_env()

    def load(url: str = replay_server, *, most: int = 10_000) -> tuple[int, list[Step], list[int]]:
        steps: list[Step] = []
        planned: list[int] = []
        stored = load_history(
            settings,
            url,
            _NOW,
            days=0.1,
            on_plan=planned.append,
            on_step=steps.append,
            stopped=lambda: len(steps) >= most,
        )
        return stored, steps, planned

    return load


@contextmanager
def each_lane_gets(number: signal.Signals) -> Iterator[set[int]]:
    """Send a signal to each process of a lane, as soon as there is one; yield whom it was sent."""
    over = threading.Event()
    reached: set[int] = set()

    def watch() -> None:
        while not over.wait(0.005):
            for child in multiprocessing.active_children():
                if child.pid is not None and child.pid not in reached:
                    os.kill(child.pid, number)
                    reached.add(child.pid)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield reached
    finally:
        over.set()
        watcher.join()


def test_a_lane_that_is_killed_is_told_in_one_sentence(load: Load) -> None:
    with (
        each_lane_gets(signal.SIGKILL),
        pytest.raises(ProcessError, match="goes on where it was"),
    ):
        load()


class _KilledAtOnce(ProcessPoolExecutor):
    """Waits until a process that it has begun is known to be killed."""

    def submit(self, *arguments: Any, **options: Any) -> Future[Any]:
        future = super().submit(*arguments, **options)
        for child in multiprocessing.active_children():
            child.kill()
        wait([future])
        return future


class _ClosedMeanwhile(_KilledAtOnce):
    """Is closed between the question whether it is whole and the start of the second process."""

    error: Exception = OSError("handle is closed")
    _has_begun = False

    def submit(self, *arguments: Any, **options: Any) -> Future[Any]:
        if self._has_begun:
            raise self.error
        self._has_begun = True
        return super().submit(*arguments, **options)


class _GivenAnewMeanwhile(_ClosedMeanwhile):
    """What it closed is another's when the second process is to be given it."""

    error = ValueError("bad value(s) in fds_to_keep")


@pytest.mark.parametrize("pool", [_KilledAtOnce, _ClosedMeanwhile, _GivenAnewMeanwhile])
def test_a_lane_that_is_killed_before_the_other_begins_is_told_likewise(
    load: Load, monkeypatch: pytest.MonkeyPatch, pool: type[ProcessPoolExecutor]
) -> None:
    monkeypatch.setattr(history_lanes, "ProcessPoolExecutor", pool)
    with pytest.raises(ProcessError, match="goes on where it was"):
        load()


def test_a_load_that_was_stopped_goes_on_where_it_was_and_loads_nothing_twice(
    load: Load, store: FrameStore
) -> None:
    # Ctrl-C reaches everything in a terminal; when to stop, the lanes hear from who started them.
    with each_lane_gets(signal.SIGINT) as reached:
        stored, steps, (planned,) = load(most=1)
    assert len(reached) == 2
    assert 0 < stored == len(steps) < planned

    rest, later, (missing,) = load()
    assert (rest, missing) == (planned - stored, planned - stored)
    assert not set(steps) & set(later)

    assert load() == (0, [], [0])
    crawls = store.query("select distinct dataset, crawl_at from operations.crawls")
    assert set(crawls["dataset"]) >= {f"collection/{step.dataset}" for step in later}


def test_a_server_that_answers_nothing_is_an_error_of_its_source(load: Load) -> None:
    with pytest.raises(SourceError, match=r"answer|connect|reach"):
        load(f"http://127.0.0.1:{free_port()}")


def test_moments_whose_crawls_failed_wholly_are_asked_again_and_are_then_loaded(
    load: Load, store: FrameStore
) -> None:
    with pytest.raises(SourceError):
        load(f"http://127.0.0.1:{free_port()}")
    # A game without candidates asks nothing, and is complete.
    crawls = store.query(
        "select dataset, crawl_at from operations.crawls group by dataset, crawl_at "
        "having not bool_or(is_complete) and max(got) = 0"
    )
    failed = {
        (dataset.removeprefix("collection/"), at.to_pydatetime())
        for dataset, at in zip(crawls["dataset"], crawls["crawl_at"], strict=True)
    }
    failed = {each for each in failed if each[0] != "twitch_top_games"}  # comes with the streams
    assert failed

    _, steps, _ = load()
    loaded = {(step.dataset, step.at) for step in steps}
    assert failed <= loaded
    assert load() == (0, [], [0])
