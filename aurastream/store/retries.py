"""Patience with a lost connection, and the drivers' errors in our words."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import adbc_driver_manager
import psycopg
import tenacity

from aurastream.store.connections import is_connection_loss
from aurastream.store.errors import StoreError, StoreUnavailableError

__all__ = ["RetryPolicy", "retrying"]

_T = TypeVar("_T")

# SQLSTATE codes
_NO_ROOM = frozenset({"53100", "53200"})
_UNKNOWN_THING = frozenset({"42P01", "3F000", "42703"})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long a lost connection is tried again.

    Parameters
    ----------
    total_s : float
        Seconds after which it is given up, 0 or more.
    first_pause_s, longest_pause_s : float
        Pauses grow from the first to the longest, with full jitter.
    """

    total_s: float = 60.0
    first_pause_s: float = 0.1
    longest_pause_s: float = 5.0


def retrying(call: Callable[[], _T], policy: RetryPolicy) -> _T:
    """Call until it succeeds, fails for good, or the policy's patience is over.

    Raises
    ------
    StoreUnavailableError
        When the server stayed away.
    StoreError
        When it refused.
    """
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception(is_connection_loss),
        wait=tenacity.wait_random_exponential(
            multiplier=policy.first_pause_s, max=policy.longest_pause_s
        ),
        stop=tenacity.stop_after_delay(policy.total_s),
        reraise=True,
    )
    try:
        return attempts(call)
    except (adbc_driver_manager.Error, psycopg.Error) as error:
        raise _explained(error) from error


def _explained(error: Exception) -> StoreError:
    text = str(error).strip()
    if is_connection_loss(error):
        return StoreUnavailableError(
            f"Postgres does not answer: {text}",
            fix="Start it with script/server, or check AURASTREAM_POSTGRES_URL.",
        )
    state = getattr(error, "sqlstate", None)
    if state in _NO_ROOM:
        return StoreError(f"Postgres has no room left: {text}", fix="Free some space on its disk.")
    if state in _UNKNOWN_THING:
        return StoreError(text, fix="If a table is missing, migrate the database first.")
    return StoreError(text)
