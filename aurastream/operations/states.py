"""The six states of a head and the ways between them.

::

    INITIALIZING ──> RUNNING <──> DEGRADED
         │  │           │  ▲         │ ▲
         │  └────> RECOVERING <──────┘ │
         │              │ └────────────┘
         └──> STOPPING <┘ (from anywhere) ──> STOPPED

A standby is RUNNING like a leader; `operations.heads.is_leader` tells them apart.
"""

import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from aurastream.operations.errors import HeadError

__all__ = ["HeadState", "StateBoard", "StateReport"]


class HeadState(StrEnum):
    """What a head is doing, seen from outside."""

    INITIALIZING = "INITIALIZING"
    RUNNING = "RUNNING"
    DEGRADED = "DEGRADED"
    RECOVERING = "RECOVERING"
    STOPPING = "STOPPING"
    STOPPED = "STOPPED"


_NEXT: Final = {
    HeadState.INITIALIZING: {
        HeadState.RUNNING,
        HeadState.DEGRADED,
        HeadState.RECOVERING,
        HeadState.STOPPING,
    },
    HeadState.RUNNING: {HeadState.DEGRADED, HeadState.RECOVERING, HeadState.STOPPING},
    HeadState.DEGRADED: {HeadState.RUNNING, HeadState.RECOVERING, HeadState.STOPPING},
    HeadState.RECOVERING: {HeadState.RUNNING, HeadState.DEGRADED, HeadState.STOPPING},
    HeadState.STOPPING: {HeadState.STOPPED},
    HeadState.STOPPED: set(),
}


@dataclass(frozen=True, slots=True)
class StateReport:
    """A state and the reason for it."""

    state: HeadState
    detail: str


class StateBoard:
    """Holds a head's state; threads write to it, the heartbeat carries it to the record.

    Dependencies that are away turn RUNNING into DEGRADED and back, whichever thread notices.

    Examples
    --------
    >>> board = StateBoard()
    >>> board.advance(HeadState.RUNNING, "standby")
    True
    >>> board.dependency_failed("redis", "connection refused")
    >>> board.report()
    StateReport(state=<HeadState.DEGRADED: 'DEGRADED'>, detail='redis: connection refused')
    >>> board.dependency_answers("redis")
    >>> board.report()
    StateReport(state=<HeadState.RUNNING: 'RUNNING'>, detail='standby')
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._state = HeadState.INITIALIZING
        self._detail = "starting"
        self._away: dict[str, str] = {}

    def advance(self, state: HeadState, detail: str) -> bool:
        """Move to another state, or stay in the same one for another reason.

        Returns
        -------
        bool
            False when the head is stopping already: whatever else happens, it keeps stopping.

        Raises
        ------
        HeadError
            When no way leads from the present state to the new one.
        """
        with self._lock:
            if state is not self._state and state not in _NEXT[self._state]:
                if self._state in (HeadState.STOPPING, HeadState.STOPPED):
                    return False
                raise HeadError(f"A head cannot go from {self._state} to {state}.")
            self._state, self._detail = state, detail
            return True

    def dependency_failed(self, name: str, reason: str) -> None:
        """Note that something the head can do without for a while does not answer."""
        with self._lock:
            self._away[name] = reason

    def dependency_answers(self, name: str) -> None:
        """Note that a dependency is back."""
        with self._lock:
            self._away.pop(name, None)

    def report(self) -> StateReport:
        """Return the state as the outside should see it."""
        with self._lock:
            if self._away and self._state in (HeadState.RUNNING, HeadState.DEGRADED):
                away = "; ".join(f"{name}: {why}" for name, why in sorted(self._away.items()))
                return StateReport(HeadState.DEGRADED, away)
            return StateReport(self._state, self._detail)
