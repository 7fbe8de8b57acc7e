"""Patience of a run with the Postgres that Dagster keeps its own rows in.

Dagster gives a connection up after eleven seconds, and the run with it. That Postgres is also the
record: a run that waits for one of them waits for the other, and what it has fetched and scored
meanwhile is worth more than an early failure. Only the process that runs are forked from is patient
(`aurastream_assets.prepared`): a page or a daemon that hangs says less than one that fails.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

import tenacity
from dagster_postgres.utils import create_pg_connection
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError

__all__ = ["RUN_S", "connected", "retrying", "wait_at_most"]

_T = TypeVar("_T")

# An outage of a minute, and the start after it.
RUN_S: Final = 90.0
# SQLSTATE: connection exceptions; shutdown, crash, still starting; too many connections.
_LOST: Final = ("08", "57P", "53300")

_log = logging.getLogger(__name__)
_total_s = 0.0
# Who waited in vain once does not wait again at each of a run's last words, until one is heard. All
# threads and storages of a process wait for the same server.
_is_over = False


def wait_at_most(seconds: float) -> None:
    """Set how long this process, and what is forked from it, tries to reach Postgres again.

    Whatever was waited for in vain before is forgotten.

    Parameters
    ----------
    seconds : float
        0 leaves it to Dagster.
    """
    global _total_s, _is_over  # of the process, as the connections are
    _total_s, _is_over = seconds, False


@contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    """Yield a connection, which may take as long as the patience lasts."""
    if not _total_s:
        with create_pg_connection(engine) as connection:
            yield connection
        return
    with retrying(engine.connect) as connection:
        yield connection


def retrying(call: Callable[[], _T]) -> _T:
    """Call again while the connection is lost, until it succeeds or the patience is over.

    What was asked of a server that died over it may be done twice.
    """
    global _is_over  # noqa: PLW0603 # of the process
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_lost),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=2.0),
        stop=lambda state: _is_over or tenacity.stop_after_delay(_total_s)(state),
        before_sleep=tenacity.before_sleep_log(_log, logging.WARNING),
        reraise=True,
    )
    try:
        result = attempts(call)
    except Exception as error:
        _is_over = _is_lost(error)
        raise
    _is_over = False
    return result


def _is_lost(error: BaseException) -> bool:
    """Whether an error says that the server is away; what it says itself has a code."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    code = getattr(error.orig, "pgcode", None)
    return error.connection_invalidated or code is None or code.startswith(_LOST)
