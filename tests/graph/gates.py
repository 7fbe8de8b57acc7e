"""Holding somebody in the middle of their work, provably, until a test has done its worst."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta

import psycopg

from aurastream.store.partitions import ensure_partitions
from aurastream.store.tables import PARTITIONED

__all__ = ["LOOK_EVERY_S", "Gate", "meanwhile", "while_stuck"]

LOOK_EVERY_S = 0.02
_PATIENCE_S = 180


class Gate:
    """Holds locks that somebody needs, and tells when somebody waits for them."""

    def __init__(self, url: str, *statements: str) -> None:
        self._url = url
        self._holder = psycopg.connect(url)
        for statement in statements:
            self._holder.execute(statement)

    @classmethod
    def of_table(cls, url: str, table: str) -> "Gate":
        """Keep everybody from a table of today's windows."""
        with psycopg.connect(url, autocommit=True) as connection:
            # What is stuck shall be the write, not the making of its partition.
            now = datetime.now(UTC)
            ensure_partitions(
                connection,
                now - timedelta(days=2),
                now + timedelta(days=1),
                tables=[t for t in PARTITIONED if t.fullname == table],
            )
        return cls(url, f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")

    def wait(self, ended: Callable[[], bool] = lambda: False) -> None:
        """Return when somebody is stuck."""
        deadline = time.monotonic() + _PATIENCE_S
        with psycopg.connect(self._url, autocommit=True) as watcher:
            while not watcher.execute(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                "AND datname = current_database()"
            ).fetchone():
                assert not ended(), "it ended without coming by"
                assert time.monotonic() < deadline, "nobody came by"
                time.sleep(LOOK_EVERY_S)

    def open(self) -> None:
        """Let everybody pass."""
        self._holder.close()


def meanwhile(url: str, table: str, act: Callable[[], object]) -> AbstractContextManager[None]:
    """Do something while the code in this context is stuck at a table, then let it go on."""
    return while_stuck(Gate.of_table(url, table), act)


@contextmanager
def while_stuck(gate: Gate, act: Callable[[], object]) -> Iterator[None]:
    """Do something while the code in this context is stuck at a gate, then let it go on."""
    failures: list[BaseException] = []

    def work() -> None:
        try:
            gate.wait()
            act()
        except BaseException as error:  # noqa: BLE001 # told in the test's own thread
            failures.append(error)
        finally:
            gate.open()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    assert not failures, failures
