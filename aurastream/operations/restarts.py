"""Noticing that a guard has started its server again: it does so by itself, and says nothing."""

import contextlib

import psutil

from aurastream.store.embedded import EmbeddedPostgres, EmbeddedRedis

__all__ = ["RestartWatch"]


class RestartWatch:
    """Compares the process of an embedded server with the one of before; a look costs next to none.

    Parameters
    ----------
    server : EmbeddedPostgres or EmbeddedRedis
        A running one.
    """

    def __init__(self, server: EmbeddedPostgres | EmbeddedRedis) -> None:
        self._server = server
        self._process = self._present()

    def look(self) -> int | None:
        """Return the new process id, once for each time that the server was started again."""
        if self._process is not None and self._process.is_running():
            return None
        # Between the end of one and the start of the next there is none: the next look sees it.
        if (present := self._present()) is None:
            return None
        self._process = present
        return present.pid

    def _present(self) -> psutil.Process | None:
        with contextlib.suppress(psutil.NoSuchProcess):
            if (pid := self._server.server_pid()) is not None:
                return psutil.Process(pid)
        return None
