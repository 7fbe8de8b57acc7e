"""Watching what a head can do without for a while: its absence degrades, it does not stop."""

import threading
from collections.abc import Callable, Mapping
from typing import Final

import redis

from aurastream.operations.states import StateBoard

__all__ = ["DependencyMonitor", "redis_probe"]

_PROBE_TIMEOUT_S: Final = 1.0


def redis_probe(url: str) -> Callable[[], None]:
    """Return a function that raises while the Redis at this URL does not answer."""
    client = redis.Redis.from_url(
        url,
        socket_connect_timeout=_PROBE_TIMEOUT_S,
        socket_timeout=_PROBE_TIMEOUT_S,
        retry_on_timeout=False,
    )

    def probe() -> None:
        client.ping()

    return probe


class DependencyMonitor:
    """Probes dependencies in a thread of its own and notes on the board which ones are away.

    Parameters
    ----------
    board : StateBoard
        Where absences are noted.
    probes : mapping of str to callable
        Per dependency a function that raises while it is away, within a second or so.
    every_s : float
        Seconds between rounds.
    """

    def __init__(
        self, board: StateBoard, probes: Mapping[str, Callable[[], None]], *, every_s: float = 2.0
    ) -> None:
        self._board = board
        self._probes = dict(probes)
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="aurastream-probes", daemon=True)

    def start(self) -> None:
        """Start probing."""
        if self._probes:
            self._thread.start()

    def stop(self) -> None:
        """Stop probing; a probe under way is not waited for."""
        self._stop.set()

    def probe_once(self) -> None:
        """Probe each dependency once and note what was found."""
        for name, probe in self._probes.items():
            try:
                probe()
            except Exception as error:  # noqa: BLE001 # whatever it raises, the dependency is away
                self._board.dependency_failed(name, f"{error}" or type(error).__name__)
            else:
                self._board.dependency_answers(name)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.probe_once()
            self._stop.wait(self._every_s)
