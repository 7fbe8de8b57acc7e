"""That a start is under way, as those see it who run beside it."""

import time

from aurastream.store.frames import FrameStore
from aurastream.store.start_note import is_starting, noted_start

_WHO = """
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_AT_MOST_S = 30.0


def test_a_start_is_noted_until_it_ends(store: FrameStore) -> None:
    assert not is_starting(store)
    with noted_start(store.url):
        assert is_starting(store)
    assert not is_starting(store)


def test_a_start_whose_session_was_lost_is_noted_again(store: FrameStore) -> None:
    with noted_start(store.url, looks_every_s=0.05):
        [first] = store.query(_WHO, {})["pid"]
        store.query("SELECT pg_terminate_backend(%(pid)s)", {"pid": int(first)})
        until = time.monotonic() + _AT_MOST_S
        while set(store.query(_WHO, {})["pid"]) <= {first}:
            assert time.monotonic() < until
        assert is_starting(store)
    assert not is_starting(store)
