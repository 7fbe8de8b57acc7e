"""Every head holds analysts to the limits of their role, whatever they say of themselves."""

import logging
import threading
from typing import Final

import psycopg

from aurastream.store.overdue import end_overdue
from aurastream.store.reader import Reader
from aurastream.store.reader_hold import ReaderHold

__all__ = ["AnalystWatch"]

_EVERY_S: Final = 5.0
_log = logging.getLogger(__name__)


class AnalystWatch:
    """Looks every few seconds, in a thread and a session of its own.

    Sessions over a limit end; what was altered at the role is set back.

    Several heads may watch at once. A server that does not answer is tried again; nothing of a
    head depends on this.

    Parameters
    ----------
    database_url : str
        As the owner.
    reader : Reader
        What the role is held to.
    every_s : float
        Seconds between looks.
    """

    def __init__(self, database_url: str, reader: Reader, *, every_s: float = _EVERY_S) -> None:
        self._url = database_url
        self._reader = reader
        self._hold = ReaderHold(reader)
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="aurastream-analysts", daemon=True)

    def start(self) -> None:
        """Start looking."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking; a look under way is not waited for."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch()
            except psycopg.errors.InsufficientPrivilege as error:
                _log.warning("An analyst is beyond a limit, and we may not end that: %s", error)
            except psycopg.Error as error:
                _log.debug("No look at analysts' sessions: %s", error)
            self._stop.wait(self._every_s)

    def _watch(self) -> None:
        with self._connect() as connection:
            while not self._stop.is_set():
                self._undo(connection)
                for ended in end_overdue(connection, self._reader):
                    _log.warning("Ended an analyst's session or statement: %s", ended.why)
                self._stop.wait(self._every_s)

    def _undo(self, connection: psycopg.Connection) -> None:
        try:
            found = self._hold.look(connection)
        except psycopg.errors.InsufficientPrivilege as error:
            _log.warning("The role of analysts was altered, and we may not mend it: %s", error)
            return
        if found.altered:
            _log.warning(
                "Set back what was altered at the role of analysts: %s; ended %d of their sessions",
                ", ".join(found.altered),
                found.ended,
            )

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=3,
            application_name="aurastream-analysts",
            options="-cstatement_timeout=5s",
        )
