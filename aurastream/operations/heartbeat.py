"""The two threads that tie a leader's life to its lock.

The heart renews the heartbeat in the session that holds the lock, and notices the end of that
session the moment its socket says so. The watchdog looks at the clock alone: whatever the heart is
stuck in, a leader without a renewal inside the deadline is ended.
"""

import logging
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Final

import psycopg

from aurastream.operations.errors import LeadershipLostError
from aurastream.operations.leadership import Claim, HeadSession, LeaseTiming, boot_clock
from aurastream.operations.states import StateReport

__all__ = ["Heartbeat"]

_WATCH_EVERY_S: Final = 0.1

_log = logging.getLogger(__name__)


class Heartbeat:
    """Keeps a leadership alive until it is released, or ends the process.

    Parameters
    ----------
    session : HeadSession
        The session that holds the lock; used by nobody else from here on.
    claim : Claim
        The leadership.
    timing : LeaseTiming
        Renewal interval, deadline and time to stop, in seconds.
    report : callable
        Returns the state that travels with each beat.
    end : callable
        Called from either thread with the reason when the leadership is over; it ends the process.
    """

    def __init__(
        self,
        session: HeadSession,
        claim: Claim,
        *,
        timing: LeaseTiming,
        report: Callable[[], StateReport],
        end: Callable[[str], object],
    ) -> None:
        self._session = session
        self._claim = claim
        self._timing = timing
        self._report = report
        self._end = end
        self._renewed_at = claim.claimed_from
        self._stop_by: float | None = None
        self._release_with: StateReport | None = None
        self._over = threading.Event()
        self._wake_r, self._wake_w = socket.socketpair()
        self._wake_w.settimeout(0)
        self._threads = [
            threading.Thread(target=self._beat, name="aurastream-heart", daemon=True),
            threading.Thread(target=self._watch, name="aurastream-watchdog", daemon=True),
        ]

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def require_stop_within(self, seconds: float) -> None:
        """End the process unless the leadership is released within this time."""
        self._stop_by = boot_clock() + seconds

    def release(self, report: StateReport) -> None:
        """Hand over: write the final state, free the lock, end both threads."""
        self._release_with = report
        self._wake()
        for thread in self._threads:
            thread.join()
        self._wake_r.close()
        self._wake_w.close()

    def refresh(self) -> None:
        """Beat now, so that a new state is seen at once."""
        self._wake()

    def _wake(self) -> None:
        try:
            self._wake_w.send(b"\0")
        except BlockingIOError:
            return  # a wake-up is pending already

    # -- the heart -------------------------------------------------------------------------------

    def _beat(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._session.connection.fileno(), selectors.EVENT_READ)
            selector.register(self._wake_r, selectors.EVENT_READ)
            while self._release_with is None:
                started = boot_clock()
                if self._renew():
                    self._renewed_at = started
                for key, _ in selector.select(self._timing.renew_every_s):
                    if key.fileobj is self._wake_r:
                        self._wake_r.recv(4096)
        final = self._release_with
        try:
            self._session.release(self._claim, final)
        except psycopg.Error as error:
            # The session is gone and the lock with it; the row stays for the next leader to claim.
            _log.warning("The leadership ended before it could be released: %s", error)
            self._session.close()
        self._over.set()

    def _renew(self) -> bool:
        try:
            self._session.renew(self._claim, self._report())
        except LeadershipLostError as error:
            self._end(str(error))
        except psycopg.Error as error:
            if self._session.connection.closed:
                self._end(f"the connection of the lock was lost: {error}".strip())
            # Otherwise a statement failed, for example by its timeout: there is time for another.
            _log.warning("A heartbeat failed: %s", error)
        else:
            return True
        return False

    # -- the watchdog ----------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._over.wait(_WATCH_EVERY_S):
            now = boot_clock()
            silence = now - self._renewed_at
            if silence > self._timing.deadline_s:
                self._end(f"no heartbeat arrived for {silence:.1f} s")
            if self._stop_by is not None and now > self._stop_by:
                self._end("the daemon did not stop in time")
