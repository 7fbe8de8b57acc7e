"""What the drivers of Postgres and Redis raise, for whoever typed a command."""

from typing import Final

import adbc_driver_manager
import psycopg
import redis

from aurastream.store.connections import is_connection_loss
from aurastream.store.errors import StoreError, StoreUnavailableError
from aurastream.store.retries import explained

__all__ = ["in_our_words"]

_NO_SCHEMA: Final = frozenset({"42P01", "3F000"})


def in_our_words(error: Exception) -> StoreError | None:
    """Return what a driver's error means, with what to do about it.

    Returns
    -------
    StoreError or None
        None for an error that is no server's: a fault of the program, whose traceback is wanted.
    """
    if isinstance(error, redis.RedisError):
        return StoreUnavailableError(
            f"Redis does not answer: {str(error).strip().rstrip('.')}.",
            fix="Start it with script/server, or check AURASTREAM_REDIS_URL.",
        )
    if not isinstance(error, adbc_driver_manager.Error | psycopg.Error):
        return None
    if is_connection_loss(error) or error.sqlstate in _NO_SCHEMA:
        return explained(error)
    return None
