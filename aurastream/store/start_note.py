"""That a start is under way, for those who run beside it: it ends with whoever noted it."""

import contextlib
from collections.abc import Iterator
from typing import Final

import psycopg

from aurastream.store.dead_peers import patient
from aurastream.store.frames import FrameStore

__all__ = ["is_starting", "noted_start"]

# "aurs", "strt": whoever holds this lock loads history, and computes what was made of it.
_LOCK: Final = {"classid": 0x61757273, "objid": 0x73747274}
_HOLD: Final = "SELECT pg_advisory_lock_shared(%(classid)s, %(objid)s)"
_HELD: Final = """
SELECT count(*) > 0 AS is_held FROM pg_locks
WHERE locktype = 'advisory' AND classid = %(classid)s AND objid = %(objid)s AND objsubid = 2
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@contextlib.contextmanager
def noted_start(url: str) -> Iterator[None]:
    """Note in the record that a start is under way, for as long as the block and its process last.

    Parameters
    ----------
    url : str
        ``postgresql://`` URL of the record.
    """
    with contextlib.closing(psycopg.connect(patient(url), autocommit=True)) as connection:
        connection.execute(_HOLD, _LOCK)
        yield


def is_starting(store: FrameStore) -> bool:
    """Return whether a start is under way."""
    return bool(store.query(_HELD, _LOCK)["is_held"].iloc[0])
