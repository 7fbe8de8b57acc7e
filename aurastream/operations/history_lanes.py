"""Loading a past with every processor: each platform's crawls in a process of their own.

Decoding and hashing hold the interpreter's lock, so that threads would take turns. The lanes share
nothing but the record: each has a clock, connections and a planner's memory of its own. We hear of
them through a pipe each, and share no lock: one that is killed holds nothing that others wait for.
"""

import gc
import multiprocessing
import pickle
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.pool import ExceptionWithTraceback  # type: ignore[attr-defined]
from typing import Final

from aurastream.operations.errors import ProcessError
from aurastream.operations.history import HistoryLoader
from aurastream.operations.history_plan import Step, plan_history
from aurastream.settings import Settings
from aurastream.store.frames import FrameStore

__all__ = ["load_history"]

_LANES: Final = {
    "youtube": ("youtube_trending", "youtube_games"),
    "twitch": ("twitch_streams", "clip_radar"),
}
_POLL_S: Final = 0.1


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
    if not steps:
        return 0
    lanes = {n: [s for s in steps if s.dataset in datasets] for n, datasets in _LANES.items()}
    # A fork would take over the locks of our threads as they are at that moment.
    context = multiprocessing.get_context("spawn")
    processes = {}
    try:
        with _deaf_to_ctrl_c():
            for name in (name for name, mine in lanes.items() if mine):
                ours, theirs = context.Pipe()
                given = (theirs, settings, replay_url)
                process = context.Process(name=name, target=_run, args=given)
                with theirs:  # held by us too, it would stay open when the process is gone
                    process.start()
                processes[ours] = process
        # As an argument, a long plan would keep the start waiting for a process that was killed.
        for pipe, process in processes.items():
            _say(pipe, lanes[process.name])
        return _listen(list(processes), on_step, stopped)
    finally:
        # A pipe without us stops its lane: all are to know it before one is waited for.
        for pipe in processes:
            pipe.close()
        for process in processes.values():
            process.join()


def _listen(
    lanes: list[Connection], on_step: Callable[[Step], None], stopped: Callable[[], bool]
) -> int:
    """Pass on what the lanes say until all have ended; returns how many crawls were stored."""
    to_stop = lanes.copy()
    stored = 0
    failure: Exception | None = None
    while lanes:
        ready = wait(lanes, _POLL_S)
        for lane in [each for each in lanes if each in ready]:
            try:
                said = lane.recv()
            except (EOFError, OSError):
                said = ProcessError(
                    "A process that loaded history was killed.",
                    fix="Start again: it goes on where it was. If it happens again, look whether "
                    "the machine runs out of memory.",
                )
            if isinstance(said, Step):
                on_step(said)
                continue
            lanes.remove(lane)
            if isinstance(said, int):
                stored += said
            else:
                failure = failure or said
        while to_stop and (failure or stopped()):
            _say(to_stop.pop(), "stop")
    if failure:
        raise failure
    return stored


def _say(lane: Connection, what: object) -> None:
    """Tell a lane something, unless it was killed, which is heard like all else."""
    with suppress(OSError):
        lane.send(what)


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


# -- in the process of a lane ----------------------------------------------------------------------


def _run(pipe: Connection, settings: Settings, replay_url: str) -> None:
    """Make the crawls of one lane; says each that was made, and at last the result or the error."""
    # Loading makes millions of rows that are gone soon after; as in aurastream_assets.
    gc.set_threshold(100_000, 50, 50)
    # Nobody listens any more: whoever started us was killed. What we have is stored all the same.
    with suppress(EOFError, OSError):
        steps = pipe.recv()
        try:
            with (
                closing(FrameStore(settings.require_postgres())) as store,
                closing(HistoryLoader(settings, store, replay_url)) as loader,
            ):
                # There is something to read there when we are to stop, or at the end of the pipe.
                stored = loader.load(steps, on_step=pipe.send, stopped=pipe.poll)
        except Exception as error:  # noqa: BLE001 # raised in the process that started us
            pipe.send(_portable(error))
        else:
            pipe.send(stored)


def _portable(error: Exception) -> object:
    """Return an error in a form that arrives; what it says at least, where it cannot be copied."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 # our own, a moment old
    except Exception:  # noqa: BLE001 # whatever its class makes of it
        error = ProcessError(f"Loading history failed: {error!r}.").with_traceback(
            error.__traceback__
        )
    return ExceptionWithTraceback(error, error.__traceback__)
