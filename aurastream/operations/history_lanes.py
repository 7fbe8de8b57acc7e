"""Loading a past with every processor: each platform's crawls in a process of their own.

Decoding and hashing hold the interpreter's lock, so that threads would take turns. The lanes share
nothing but the record: each has a clock, connections and a planner's memory of its own.
"""

import gc
import multiprocessing
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, Final

from aurastream.operations.errors import ProcessError
from aurastream.operations.history import HistoryLoader
from aurastream.operations.history_plan import Step, plan_history
from aurastream.settings import Settings
from aurastream.store.frames import FrameStore

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue

__all__ = ["load_history"]

_LANES: Final = (("youtube_trending", "youtube_games"), ("twitch_streams", "clip_radar"))
_POLL_S: Final = 0.1
# What a lane was given when its process began: where to say what it did, and who stops it.
_given: dict[str, Any] = {}


def load_history(
    settings: Settings,
    replay_url: str,
    now: datetime,
    *,
    days: float,
    on_plan: Callable[[int], None],
    on_step: Callable[[Step], None],
    stopped: Callable[[], bool] = lambda: False,
) -> int:
    """Load what is missing of the last days, both platforms side by side.

    Parameters
    ----------
    settings : Settings
        Regions, quota profile, and where the record is.
    replay_url : str
        Base URL of the replay server.
    now : datetime
        The present.
    days : float
        How far back.
    on_plan, on_step : callable
        Told how many crawls are missing, and of each that was made.
    stopped : callable
        Says whether to stop early; what was loaded stays.

    Returns
    -------
    int
        Crawls that were stored.

    Raises
    ------
    SourceError
        When the server answered nothing at all to a crawl; what came before is stored.
    ProcessError
        When the process of a lane was killed; what came before is stored.
    """
    steps = _missing(settings, now, days)
    on_plan(len(steps))
    lanes = [mine for lane in _LANES if (mine := [s for s in steps if s.dataset in lane])]
    if not lanes:
        return 0
    # A fork would take over the locks of our threads as they are at that moment.
    context = multiprocessing.get_context("spawn")
    with _kill_told(), _deaf_to_ctrl_c():
        # What is put there is there for all to see before a lane's result is; nothing is overtaken.
        made: SimpleQueue[Step] = context.SimpleQueue()
        stop = context.Event()
        pool = ProcessPoolExecutor(len(lanes), context, initializer=_begin, initargs=(made, stop))
        loads: list[Future[int]] = []
        try:
            loads.extend(pool.submit(_load, settings, replay_url, mine) for mine in lanes)
        except (OSError, ValueError):
            # A pool that breaks meanwhile closes what the next process is to be given: a descriptor
            # that is bad, or one that something else was given since.
            for load in loads:
                if load.done():
                    load.result()
            raise
    with pool:
        try:
            while wait(loads, timeout=_POLL_S).not_done:
                _tell(made, on_step)
                if stopped() or _failed(loads):
                    stop.set()
        finally:
            stop.set()
        _tell(made, on_step)
        with _kill_told():
            return sum(load.result() for load in loads)


@contextmanager
def _kill_told() -> Iterator[None]:
    """Say what happened when a lane's process was killed, be it before the other one began."""
    try:
        yield
    except BrokenProcessPool as error:
        raise ProcessError(
            "A process that loaded history was killed.",
            fix="Start again: it goes on where it was. If it happens again, look whether the "
            "machine runs out of memory.",
        ) from error


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Let processes that begin here never hear of Ctrl-C, which reaches all of the terminal.

    They could ignore it only once they run, seconds later. The thread that starts them lends them
    its own deafness; a signal that comes meanwhile waits, or goes to another of our threads.
    """
    # Its start, which the first process brings about, would give the thread its hearing back.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _missing(settings: Settings, now: datetime, days: float) -> list[Step]:
    """Return the crawls of which nothing is stored yet, oldest first.

    One in which every question failed is on record and is asked again.
    """
    stored: dict[str, list[datetime]] = defaultdict(list)
    with closing(FrameStore(settings.require_postgres())) as store:
        known = store.query(
            "select distinct dataset, crawl_at from operations.crawls "
            "where crawl_at >= %(start)s and (is_complete or got > 0)",
            {"start": now - timedelta(days=days)},
        )
    for dataset, at in zip(known["dataset"], known["crawl_at"], strict=True):
        stored[str(dataset).removeprefix("collection/")].append(at.to_pydatetime())
    return plan_history(now, days=days, stored=stored)


def _failed(loads: Sequence[Future[int]]) -> bool:
    return any(load.done() and load.exception() is not None for load in loads)


def _tell(made: "SimpleQueue[Step]", on_step: Callable[[Step], None]) -> None:
    """Pass on what the lanes did meanwhile."""
    while not made.empty():
        on_step(made.get())


# -- in the process of a lane ----------------------------------------------------------------------


def _begin(made: "SimpleQueue[Step]", stop: Any) -> None:  # noqa: ANN401 # see below
    """Prepare the process of a lane (the type of an event is a method of its context)."""
    # Loading makes millions of rows that are gone soon after; as in aurastream_assets.
    gc.set_threshold(100_000, 50, 50)
    _given.update(made=made, stop=stop)


def _load(settings: Settings, replay_url: str, steps: Sequence[Step]) -> int:
    """Make the crawls of one lane; returns how many were stored."""
    parent = multiprocessing.parent_process()

    def stopped() -> bool:
        # Killed, whoever started us could not say so; what we have is stored all the same.
        return bool(_given["stop"].is_set()) or parent is None or not parent.is_alive()

    with (
        closing(FrameStore(settings.require_postgres())) as store,
        closing(HistoryLoader(settings, store, replay_url)) as loader,
    ):
        return loader.load(steps, on_step=_given["made"].put, stopped=stopped)
