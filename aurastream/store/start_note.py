"""That a start is under way, for those who run beside it: it ends with whoever noted it."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Final

import psycopg

from aurastream.store.dead_peers import patient
from aurastream.store.frames import FrameStore

__all__ = ["is_starting", "noted_start"]

# "aurs", "strt": whoever holds this lock loads history, and computes what was made of it.
_LOCK: Final = {"classid": 0x61757273, "objid": 0x73747274}
_HOLD: Final = "SELECT pg_advisory_lock_shared(%(classid)s, %(objid)s)"
_LET_GO: Final = "SELECT pg_advisory_unlock_shared(%(classid)s, %(objid)s)"
_HELD: Final = """
SELECT count(*) > 0 AS is_held FROM pg_locks
WHERE locktype = 'advisory' AND classid = %(classid)s AND objid = %(objid)s AND objsubid = 2
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


_LOOKS_EVERY_S: Final = 10.0


@contextlib.contextmanager
def noted_start(url: str, *, looks_every_s: float = _LOOKS_EVERY_S) -> Iterator[None]:
    """Note in the record that a start is under way, for as long as the block and its process last.

    A server that restarts meanwhile has forgotten it; so it is looked after, and noted again.

    Parameters
    ----------
    url : str
        ``postgresql://`` URL of the record.
    looks_every_s : float
        How often it is looked after, which also keeps what stands between from taking the
        connection for idle.
    """
    over = threading.Event()
    connection = _hold(url)

    def look_after() -> None:
        nonlocal connection
        while not over.wait(looks_every_s):
            try:
                connection.execute("SELECT 1")
            except psycopg.Error:
                connection.close()
                with contextlib.suppress(psycopg.Error):  # the server is away: next time
                    connection = _hold(url)

    looking = threading.Thread(target=look_after, name="start-note", daemon=True)
    looking.start()
    try:
        yield
    finally:
        over.set()
        looking.join()
        with contextlib.suppress(psycopg.Error):
            # Closed alone, it is held for the moment that the server needs to notice.
            connection.execute(_LET_GO, _LOCK)
        connection.close()


def _hold(url: str) -> psycopg.Connection:
    connection = psycopg.connect(patient(url), autocommit=True)
    try:
        connection.execute(_HOLD, _LOCK)
    except psycopg.Error:
        connection.close()
        raise
    return connection


def is_starting(store: FrameStore) -> bool:
    """Return whether a start is under way."""
    return bool(store.query(_HELD, _LOCK)["is_held"].iloc[0])
