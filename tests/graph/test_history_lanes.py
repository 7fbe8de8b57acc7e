"""Loading a past in a process for each platform, against a real replay server and real Postgres."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from aurastream.operations.errors import ProcessError
from aurastream.operations.history_lanes import load_history
from aurastream.operations.history_plan import Step, plan_history
from aurastream.operations.ports import free_port
from aurastream.settings import Settings
from aurastream.sources.errors import SourceError
from aurastream.store.frames import FrameStore

_NOW = datetime.now(UTC).replace(microsecond=0)
_LONG = 2.0  # days: a lane has crawls left whenever it is told to stop
_LANES: dict[str, set[str]] = {
    "youtube": {"youtube_trending", "youtube_games"},
    "twitch": {"twitch_streams", "clip_radar"},
}

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

    def load(
        url: str = replay_server,
        *,
        days: float = 0.1,
        most: int = 10_000,
        on_step: Callable[[Step], None] = lambda _step: None,
    ) -> tuple[int, list[Step], list[int]]:
        steps: list[Step] = []
        planned: list[int] = []

        def tell(step: Step) -> None:
            assert threading.current_thread() is threading.main_thread()
            steps.append(step)
            on_step(step)

        try:
            stored = load_history(
                settings,
                url,
                _NOW,
                days=days,
                on_plan=planned.append,
                on_step=tell,
                stopped=lambda: len(steps) >= most,
            )
        finally:
            assert not multiprocessing.active_children()
        return stored, steps, planned

    return load


def plan_of(lane: str) -> list[Step]:
    """Return the crawls of a lane in the long past, in their order."""
    steps = plan_history(_NOW, days=_LONG, stored={})
    return [step for step in steps if step.dataset in _LANES[lane]]


def on_record(store: FrameStore, lane: str) -> set[Step]:
    crawls = store.query("select distinct dataset, crawl_at from operations.crawls")
    steps = {
        Step(at.to_pydatetime(), dataset.removeprefix("collection/"))
        for dataset, at in zip(crawls["dataset"], crawls["crawl_at"], strict=True)
    }
    return {step for step in steps if step.dataset in _LANES[lane]}


@contextmanager
def each_lane_gets(
    number: signal.Signals, lanes: Collection[str] = tuple(_LANES)
) -> Iterator[set[int]]:
    """Send a signal to each process of a lane, as soon as there is one; yield whom it was sent."""
    over = threading.Event()
    reached: set[int] = set()

    def watch() -> None:
        # No longer than needed: who asks for processes takes the news of their end from others.
        while len(reached) < len(lanes) and not over.wait(0.005):
            for child in multiprocessing.active_children():
                if child.pid is not None and child.pid not in reached and child.name in lanes:
                    os.kill(child.pid, number)
                    reached.add(child.pid)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield reached
    finally:
        over.set()
        watcher.join()


@pytest.mark.parametrize("lanes", [["youtube", "twitch"], ["youtube"], ["twitch"]])
def test_a_lane_that_is_killed_is_told_in_one_sentence(load: Load, lanes: list[str]) -> None:
    with (
        each_lane_gets(signal.SIGKILL, lanes) as reached,
        pytest.raises(ProcessError, match="goes on where it was"),
    ):
        load()
    assert len(reached) == len(lanes)


@pytest.mark.parametrize(("victim", "other"), [("youtube", "twitch"), ("twitch", "youtube")])
def test_a_lane_that_is_killed_stops_the_other_and_what_that_did_is_told_and_stored(
    load: Load, store: FrameStore, victim: str, other: str
) -> None:
    told: list[Step] = []

    def kill(step: Step) -> None:
        told.append(step)
        for child in multiprocessing.active_children():
            if child.name == victim:
                child.kill()

    with (
        each_lane_gets(signal.SIGSTOP, [victim]),  # it is there yet when the other is under way
        pytest.raises(ProcessError, match="goes on where it was"),
    ):
        load(days=_LONG, on_step=kill)
    assert 0 < len(told) < len(plan_of(other))
    assert told == plan_of(other)[: len(told)]
    assert set(told) == on_record(store, other)


_STARTER = """
import sys
from datetime import datetime
from aurastream.operations.history_lanes import load_history
from aurastream.settings import Settings

load_history(
    Settings.from_env(),
    sys.argv[1],
    datetime.fromisoformat(sys.argv[2]),
    days=float(sys.argv[3]),
    on_plan=lambda _count: None,
    on_step=lambda step: print(step.dataset, step.at.isoformat(), flush=True),
)
"""


def test_lanes_whose_starter_is_killed_store_what_they_have_and_end(
    load: Load, store: FrameStore, replay_server: str
) -> None:
    assert load
    command = [sys.executable, "-c", _STARTER, replay_server, _NOW.isoformat(), str(_LONG)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout
        dataset, at = starter.stdout.readline().split()
        starter.kill()
        # The lanes write there too: it is open until the last of them has ended.
        _, errors = starter.communicate(timeout=60)
    assert not errors
    (lane,) = (name for name, datasets in _LANES.items() if dataset in datasets)
    assert (dataset, at) in {(s.dataset, s.at.isoformat()) for s in on_record(store, lane)}
    assert on_record(store, lane) < set(plan_of(lane))


def test_an_error_of_whoever_listens_ends_the_lanes_and_what_they_did_is_stored(
    load: Load, store: FrameStore
) -> None:
    told: list[Step] = []

    def fail(step: Step) -> None:
        told.append(step)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        load(days=_LONG, on_step=fail)
    stored = {lane: on_record(store, lane) for lane in _LANES}
    assert set(told) <= stored["youtube"] | stored["twitch"]
    assert all(stored[lane] < set(plan_of(lane)) for lane in _LANES)


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
    with pytest.raises(SourceError, match=r"answer|connect|reach") as raised:
        load(f"http://127.0.0.1:{free_port()}")
    assert raised.value.fix
    assert str(raised.value).endswith(raised.value.fix)
    assert "in raise_if_nothing_came" in str(raised.value.__cause__)  # where it was, in the lane


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
