"""Patience with a lost connection, and the drivers' errors in our words."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import adbc_driver_manager
import psycopg
import tenacity

from aurastream.store.connections import is_connection_loss
from aurastream.store.errors import StoreBusyError, StoreError, StoreUnavailableError

__all__ = ["RetryPolicy", "explained", "retrying"]

_T = TypeVar("_T")
_LINE_END = "\n"

# SQLSTATE codes
_NO_ROOM = frozenset({"53100", "53200"})
# Two writers in each other's way: the same transaction goes through a moment later.
_COLLIDED = frozenset({"40001", "40P01", "55P03"})
# Resources, the server's own input and output, cancelled, another shutdown, read-only for now.
_BUSY_CLASSES = ("53", "57", "58")
_BUSY = _COLLIDED | {"25006"}
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
    clock, sleep : callable
        Seconds that only grow, and what passes them; by default the machine's.
    """

    total_s: float = 60.0
    first_pause_s: float = 0.1
    longest_pause_s: float = 5.0
    clock: Callable[[], float] = field(default=time.monotonic, kw_only=True)
    sleep: Callable[[float], None] = field(default=time.sleep, kw_only=True)


def retrying(call: Callable[[], _T], policy: RetryPolicy) -> _T:
    """Call until it succeeds, fails for good, or the policy's patience is over.

    Raises
    ------
    StoreUnavailableError
        When the server stayed away, or (`StoreBusyError`) refused for a reason that passes.
    StoreError
        When it refused for good.
    """
    began = policy.clock()
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_worth_a_try),
        wait=tenacity.wait_random_exponential(
            multiplier=policy.first_pause_s, max=policy.longest_pause_s
        ),
        stop=lambda _: policy.clock() - began >= policy.total_s,
        sleep=policy.sleep,
        reraise=True,
    )
    try:
        return attempts(call)
    except (adbc_driver_manager.Error, psycopg.Error) as error:
        raise explained(error) from error


def _is_worth_a_try(error: BaseException) -> bool:
    return is_connection_loss(error) or getattr(error, "sqlstate", None) in _COLLIDED


def explained(error: Exception) -> StoreError:
    """Return what a driver's error of Postgres means in our words."""
    text = str(error).strip()
    if is_connection_loss(error):
        return StoreUnavailableError(
            f"Postgres does not answer: {text.partition(_LINE_END)[0]}.",
            fix="Start it with script/server, or check AURASTREAM_POSTGRES_URL.",
        )
    state = getattr(error, "sqlstate", None)
    if state in _NO_ROOM:
        return StoreBusyError(
            f"Postgres has no room left: {text}", fix="Free some space on its disk."
        )
    if state in _BUSY or (state or "").startswith(_BUSY_CLASSES):
        return StoreBusyError(
            f"Postgres refuses for now: {text}", fix="Try again; if it stays so, see its log."
        )
    if state in _UNKNOWN_THING:
        return StoreError(
            f"{text.partition(_LINE_END)[0]}.", fix="If a table is missing: `aurastream migrate`."
        )
    return StoreError(text)
