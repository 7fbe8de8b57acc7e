"""A head: one of any number of processes that may lead; the leader's daemon ticks.

The head knows nothing of Dagster. It is handed two functions: ``preload`` imports what the daemon
needs, so that a standby is warm, and ``run_daemon`` ticks until it is told to stop. Both run in
this process, because the process that ticks has to be the one that holds the lock.
"""

import logging
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import NoReturn

import psycopg
import tenacity

from aurastream.operations.analysts import AnalystWatch
from aurastream.operations.dependencies import DependencyMonitor, redis_probe
from aurastream.operations.ending import EXIT_FAILED, EXIT_FORCED, ProcessEnding
from aurastream.operations.errors import PredecessorAliveError
from aurastream.operations.fencing import fence_connections
from aurastream.operations.heartbeat import Heartbeat
from aurastream.operations.leadership import Claim, HeadIdentity, HeadSession, LeaseTiming
from aurastream.operations.states import HeadState, StateBoard, StateReport
from aurastream.operations.stopping import StopSignal, signals_delivered_to
from aurastream.settings import Settings
from aurastream.store.reader import Reader

__all__ = ["Head", "run_head"]

_log = logging.getLogger(__name__)


def run_head(
    settings: Settings,
    *,
    run_daemon: Callable[[StopSignal], None],
    preload: Callable[[], None],
    timing: LeaseTiming | None = None,
) -> int:
    """Run a head until it is asked to stop. Call it in the main thread of a process of its own.

    Parameters
    ----------
    settings : Settings
        Where Postgres and, optionally, Redis are. Without Redis the head is DEGRADED.
    run_daemon : callable
        Ticks until the given signal is set, then returns with all its threads ended. Called at
        most once.
    preload : callable
        Imports what ``run_daemon`` needs. Called once, before the head stands by.
    timing : LeaseTiming, optional
        Heartbeat interval, deadlines and the time to stop, in seconds.

    Returns
    -------
    int
        Exit code: 0 after an orderly stop, 70 when the daemon ended by itself. A leader that lost
        its leadership does not return: the process starts again under the same id.

    Raises
    ------
    SettingsError
        When no Postgres is configured.
    """
    _log_to_stderr(settings.log_level)
    probes: dict[str, Callable[[], None]] = {}
    if settings.redis_url is not None:
        probes["redis"] = redis_probe(settings.redis_url.get_secret_value())
    return Head(
        settings.require_postgres(),
        reader=Reader.from_settings(settings),
        run_daemon=run_daemon,
        preload=preload,
        probes=probes,
        timing=timing or LeaseTiming(),
    ).run()


class Head:
    """One head process; see `run_head`."""

    def __init__(
        self,
        database_url: str,
        *,
        reader: Reader,
        run_daemon: Callable[[StopSignal], None],
        preload: Callable[[], None],
        probes: Mapping[str, Callable[[], None]],
        timing: LeaseTiming,
    ) -> None:
        self._database_url = database_url
        self._run_daemon = run_daemon
        self._preload = preload
        self._timing = timing
        self._identity = HeadIdentity()
        self._board = StateBoard()
        self._monitor = DependencyMonitor(self._board, probes)
        self._analysts = AnalystWatch(database_url, reader)
        self._ending = ProcessEnding()
        self._stop = threading.Event()
        self._heart: Heartbeat | None = None

    def run(self) -> int:
        """Stand by, lead, stop; return the exit code."""
        with signals_delivered_to(self._on_signal):
            self._monitor.start()
            self._analysts.start()
            try:
                return self._run()
            finally:
                self._analysts.stop()
                self._monitor.stop()

    def _run(self) -> int:
        # Warm up before waiting: a head that comes back while the database is away is ready to
        # lead when the database is.
        session = self._try_open()
        try:
            self._preload()
        except BaseException as error:
            self._begin_stopping(f"cannot start: {_first_line(error)}")
            if session is not None:
                self._stop_as_standby(session)
            raise
        session = session or self._open()
        if session is None:
            return 0
        self._advance(HeadState.RUNNING, "standby")
        while (claim := self._stand_by(session)) is None:
            if self._stop.is_set():
                return self._stop_as_standby(session)
            session.close()
            self._advance(HeadState.RECOVERING, "the database went away")
            session = self._open()
            if session is None:
                return 0
            self._advance(HeadState.RUNNING, "standby")
        return self._lead(session, claim)

    # -- standing by -----------------------------------------------------------------------------

    def _try_open(self) -> HeadSession | None:
        """Open a session and write this head down; None while the database cannot take it."""
        try:
            session = HeadSession.open(self._database_url, self._identity)
        except psycopg.Error as error:
            _log.warning("The database does not answer: %s", _first_line(error))
            return None
        try:
            if session.register(self._board.report()):
                self._advance(HeadState.RECOVERING, "an earlier life ended without notice")
                session.report(self._board.report())
        except psycopg.errors.UndefinedTable:
            _log.warning("The schema is missing. `aurastream migrate` creates it.")
        except psycopg.Error as error:
            _log.warning("The database does not take our registration: %s", _first_line(error))
        else:
            return session
        session.close()
        return None

    def _open(self) -> HeadSession | None:
        """Wait for the database; None when asked to stop first."""
        retrying = tenacity.Retrying(
            # Asking is cheap, and a database that is back has no leader until somebody asks.
            wait=tenacity.wait_exponential_jitter(initial=0.1, max=0.5, jitter=0.2),
            stop=tenacity.stop_when_event_set(self._stop),
            sleep=tenacity.sleep_using_event(self._stop),
            retry=tenacity.retry_if_result(lambda session: session is None),
            retry_error_callback=lambda _state: None,
        )
        return retrying(self._try_open)

    def _stand_by(self, session: HeadSession) -> Claim | None:
        """Wait for the leadership; None when asked to stop or when the session broke."""
        while not self._stop.is_set():
            try:
                claim = session.try_lead(self._timing)
                if claim is not None:
                    return claim
                session.report(self._board.report())
            except PredecessorAliveError as error:
                _log.error("Cannot lead yet: %s", error)
            except psycopg.Error as error:
                _log.warning("The standby's session broke: %s", _first_line(error))
                return None
            self._stop.wait(self._timing.poll_every_s)
        return None

    def _stop_as_standby(self, session: HeadSession) -> int:
        self._advance(HeadState.STOPPED, self._board.report().detail)
        try:
            session.report(self._board.report())
        except psycopg.Error as error:
            # The next leader will take our row for vanished, which does no harm.
            _log.warning("The last state was not written: %s", _first_line(error))
        session.close()
        return 0

    # -- leading ---------------------------------------------------------------------------------

    def _lead(self, session: HeadSession, claim: Claim) -> int:
        _log.info("Leading as %s, epoch %d", claim.holder, claim.epoch)
        self._advance(HeadState.RUNNING, f"leading, epoch {claim.epoch}")
        # The fence stays up to the end of the process: a thread that the daemon left behind
        # must not find the way open.
        fence_connections(claim, self._lost)
        heart = Heartbeat(
            session, claim, timing=self._timing, report=self._board.report, end=self._lost
        )
        heart.start()
        self._heart = heart
        if self._stop.is_set():
            heart.require_stop_within(self._timing.stop_timeout_s)
        code, detail = self._tick()
        self._begin_stopping(detail)
        self._advance(HeadState.STOPPED, detail)
        heart.release(self._board.report())
        _log.info("Released the leadership of epoch %d: %s", claim.epoch, detail)
        return code

    def _tick(self) -> tuple[int, str]:
        try:
            self._run_daemon(self._stop)
        except Exception as error:  # noqa: BLE001 # whatever it was, the lock has to be handed on
            _log.exception("The daemon failed")
            return EXIT_FAILED, f"the daemon failed: {_first_line(error)}"
        if not self._stop.is_set():
            _log.error("The daemon ended by itself")
            return EXIT_FAILED, "the daemon ended by itself"
        return 0, self._board.report().detail

    def _lost(self, reason: str) -> NoReturn:
        if self._stop.is_set():
            self._ending.exit(reason, EXIT_FORCED)
        self._ending.replace(reason)

    # -- stopping --------------------------------------------------------------------------------

    def _on_signal(self, number: signal.Signals) -> None:
        if self._stop.is_set():
            self._ending.exit(f"{number.name} for the second time", EXIT_FORCED)
        _log.info("%s: stopping", number.name)
        self._begin_stopping(f"asked to by {number.name}")

    def _begin_stopping(self, detail: str) -> None:
        self._advance(HeadState.STOPPING, detail)
        self._stop.set()
        if self._heart is not None:
            self._heart.require_stop_within(self._timing.stop_timeout_s)
            self._heart.refresh()

    def _advance(self, state: HeadState, detail: str) -> None:
        before = self._board.report()
        if self._board.advance(state, detail) and before != StateReport(state, detail):
            way = state if before.state is state else f"{before.state} → {state}"
            _log.info("%s: %s", way, detail)


def _log_to_stderr(level: str) -> None:
    """Show our own loggers; Dagster configures its own, and the root would show those twice."""
    handler = logging.StreamHandler()
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(name)s: %(message)s")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    for name in ("aurastream", "aurastream_assets"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(level)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
