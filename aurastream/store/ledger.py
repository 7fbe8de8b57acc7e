"""The quota ledger: units are reserved before a call and settled after it.

What remains of a bucket is the limit less a sum over ``operations.quota_ledger`` for the Pacific
date, so that it is right after a crash, for any number of processes, and without a counter that
could drift. Reservations are made under an advisory lock per bucket and date; a reservation whose
process died counts in full until the day ends, because its calls may have been made.
"""

import datetime as dt
import logging
import os
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self, TypeVar

import pandas as pd
import psycopg

from aurastream.core.quota import (
    CostTable,
    QuotaStatus,
    RateStatus,
    cost_table,
    next_reset,
    quota_date,
    quota_day,
    quota_statuses,
    rate_statuses,
)
from aurastream.store.connections import is_connection_loss
from aurastream.store.dead_peers import patient
from aurastream.store.errors import StoreError, StoreUnavailableError
from aurastream.store.retries import RetryPolicy, retrying

__all__ = ["LedgerGate", "PostgresLedger", "QuotaSpentError"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_LOCK_CLASS = 0x71756F74  # "quot"
_TRAILING = dt.timedelta(hours=24)


class QuotaSpentError(StoreError):
    """The units of a bucket are spent until the reset; the default of ``refusal``."""


class Clock(Protocol):
    """Anything that tells the time; a loader of history brings the time it stands at."""

    def now(self) -> dt.datetime:
        """Return the current time, aware."""


class Refusal(Protocol):
    """Makes the error that says why units were refused."""

    def __call__(self, message: str, *, fix: str = "") -> Exception:
        """Return the error; it is raised by the gate."""


@dataclass(slots=True)
class _Reservation:
    """Units set aside for one endpoint on one quota day."""

    reservation_id: str
    endpoint: str
    day: dt.date
    reserved: int
    spent: int = 0

    @property
    def left(self) -> int:
        return self.reserved - self.spent


@dataclass  # without slots: what is in a slot is shared by all threads, `local` or not
class _LastSpend(threading.local):
    """What this thread took last: a refund says only how much, a refusal only what for."""

    taken: list[_Reservation] = field(default_factory=list)


class PostgresLedger:
    """Hands out quota to any number of processes, never more than there is.

    Safe to share between threads.

    Parameters
    ----------
    url : str
        ``postgresql://`` URL of a migrated database.
    profile : str
        Cost profile of `aurastream.core.quota`: ``granular_2026`` or ``legacy_units``.
    refusal : callable
        Makes the error for units that are not there, from a message and its ``fix``; the sources'
        ``QuotaExhaustedError`` fits.
    outage : callable
        Makes the error when the record stays away, in the tree of whoever asks.
    retry : RetryPolicy
        Patience with a lost connection.
    """

    def __init__(
        self,
        url: str,
        *,
        profile: str = "granular_2026",
        refusal: Refusal = QuotaSpentError,
        outage: Refusal = StoreUnavailableError,
        retry: RetryPolicy | None = None,
    ) -> None:
        self.profile = profile
        self.refusal = refusal
        self.outage = outage
        self._is_away = False
        self._url = url
        self._retry = retry or RetryPolicy()
        self._lock = threading.Lock()
        self._connection: psycopg.Connection | None = None
        self._pid = os.getpid()

    def open(
        self, *, purpose: str, clock: Clock, planned: Mapping[str, int] | None = None
    ) -> "LedgerGate":
        """Return a gate for one piece of work; use it as a context manager.

        On entering, the planned calls are reserved, or as many of them as there are units for.
        Calls beyond the plan are reserved one by one. On leaving, what was not spent is free
        again.

        Parameters
        ----------
        purpose : str
            The dataset the calls serve, for example ``collection/youtube_trending``.
        clock : Clock
            Decides the Pacific date and the prices.
        planned : mapping of str to int, optional
            Endpoint to number of calls.
        """
        return LedgerGate(self, purpose, clock, dict(planned or {}))

    def usage(self, at: dt.datetime) -> tuple[QuotaStatus, ...]:
        """Return where every bucket with a daily limit stands and where it is heading.

        Parameters
        ----------
        at : datetime
            Aware; entries after it are ignored.
        """
        usage, refused = self._spent(at)
        return quota_statuses(cost_table(self.profile, at), usage, at, refused=refused)

    def rates(self, at: dt.datetime) -> tuple[RateStatus, ...]:
        """Return the use of every bucket that is limited by the minute alone.

        Parameters
        ----------
        at : datetime
            Aware; entries after it are ignored.
        """
        usage, _ = self._spent(at)
        return rate_statuses(cost_table(self.profile, at), usage, at)

    def _spent(self, at: dt.datetime) -> tuple[pd.DataFrame, list[str]]:
        """Return what was spent since shortly before the quota day, and the buckets refused."""
        start, _ = quota_day(quota_date(at))

        def read(connection: psycopg.Connection) -> tuple[list[tuple[object, ...]], list[str]]:
            rows = connection.execute(
                "SELECT bucket, reserved_at, coalesce(units_settled, units_reserved)::bigint "
                "FROM operations.quota_ledger WHERE reserved_at >= %s AND reserved_at <= %s",
                (start - _TRAILING, at),
            ).fetchall()
            refused = connection.execute(
                "SELECT bucket FROM operations.quota_exhaustion "
                "WHERE quota_date = %s AND reported_at <= %s",
                (quota_date(at), at),
            ).fetchall()
            return rows, [str(row[0]) for row in refused]

        rows, refused = self._run(read)
        usage = pd.DataFrame(rows, columns=["bucket", "at", "units"]).astype({"units": "int64"})
        return usage.assign(at=pd.to_datetime(usage["at"], utc=True)), refused

    def remaining(self, at: dt.datetime) -> dict[str, int]:
        """Return the units left per bucket with a daily limit, 0 once the platform refused."""
        return {status.bucket: status.remaining for status in self.usage(at)}

    def reserve(
        self, purpose: str, at: dt.datetime, wanted: Mapping[str, int]
    ) -> dict[str, _Reservation]:
        """Set units aside for as many of the wanted calls as there are units for.

        Parameters
        ----------
        purpose : str
            The dataset the calls serve.
        at : datetime
            Aware; decides the date and the prices.
        wanted : mapping of str to int
            Endpoint to number of calls.

        Returns
        -------
        dict
            Endpoint to reservation; endpoints without any units left are missing.
        """
        table, day = cost_table(self.profile, at), quota_date(at)
        wanted = {endpoint: calls for endpoint, calls in wanted.items() if calls > 0}
        buckets = sorted({table.cost(endpoint).bucket for endpoint in wanted})
        limited = [name for name in buckets if table.buckets[name].daily_limit is not None]
        ids = {endpoint: str(uuid.uuid4()) for endpoint in wanted}
        tries = 0

        def take(connection: psycopg.Connection) -> dict[str, _Reservation]:
            nonlocal tries
            tries += 1
            # A connection that was lost over the commit leaves open whether it was made.
            if tries > 1 and (made := _made(connection, ids, day)):
                return made
            for name in limited:
                connection.execute(
                    "SELECT pg_advisory_xact_lock(%s, hashtext(%s))",
                    (_LOCK_CLASS, f"{name} {day}"),
                )
            used = _used(connection, day, limited)
            refused = _refused(connection, day, limited)
            found: dict[str, _Reservation] = {}
            for endpoint, calls in wanted.items():
                cost = table.cost(endpoint)
                granted = 0 if cost.bucket in refused else min(calls, _room(table, endpoint, used))
                if granted > 0:
                    units = granted * cost.units
                    used[cost.bucket, endpoint] += units
                    found[endpoint] = _Reservation(ids[endpoint], endpoint, day, units)
            for item in found.values():
                _insert(connection, item, table, purpose, at)
            return found

        return self._run(take) if wanted else {}

    def settle(self, reservations: list[_Reservation], at: dt.datetime) -> None:
        """Write down what the reservations really cost."""
        rows = [(item.spent, at, item.reservation_id) for item in reservations]

        def write(connection: psycopg.Connection) -> None:
            with connection.cursor() as cursor:
                cursor.executemany(
                    "UPDATE operations.quota_ledger SET units_settled = %s, settled_at = %s "
                    "WHERE reservation_id = %s",
                    rows,
                )

        if rows:
            self._run(write)

    def mark_exhausted(self, endpoint: str, at: dt.datetime, *, day: dt.date | None = None) -> None:
        """Close an endpoint's bucket until Pacific midnight: the platform said it is spent.

        Parameters
        ----------
        endpoint : str
            Whose call was refused.
        at : datetime
            Aware; when the refusal arrived.
        day : date, optional
            The quota day of the call, which may be over by then; by default that of ``at``.
        """
        bucket = cost_table(self.profile, at).bucket(endpoint)

        def write(connection: psycopg.Connection) -> None:
            connection.execute(
                "INSERT INTO operations.quota_exhaustion (platform, bucket, quota_date, "
                "reported_at) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
                (bucket.platform, bucket.name, day or quota_date(at), at),
            )

        self._run(write)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, work: Callable[[psycopg.Connection], _T]) -> _T:
        """Do one transaction on the ledger's own connection, again when it was lost."""

        def call() -> _T:
            with self._lock:
                connection = self._connect()
                try:
                    with connection.transaction():
                        return work(connection)
                except psycopg.Error as error:
                    if is_connection_loss(error):
                        connection.close()
                    raise

        # Whoever asks while the record is known to be away need not wait as long again.
        patience = RetryPolicy(total_s=0.0) if self._is_away else self._retry
        try:
            result = retrying(call, patience)
        except StoreUnavailableError:
            self._is_away = True
            raise
        self._is_away = False
        return result

    def _connect(self) -> psycopg.Connection:
        if self._pid != os.getpid():
            # After a fork the socket is the parent's.
            self._connection, self._pid = None, os.getpid()
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                patient(self._url),
                autocommit=True,
                application_name="aurastream-ledger",
            )
        return self._connection


class LedgerGate:
    """The door of one piece of work; fits the sources' ``QuotaGate``.

    Safe to share between threads.
    """

    def __init__(
        self, ledger: PostgresLedger, purpose: str, clock: Clock, planned: Mapping[str, int]
    ) -> None:
        self._ledger = ledger
        self._purpose = purpose
        self._clock = clock
        self._planned = planned
        self._lock = threading.Lock()
        self._reservations: list[_Reservation] = []
        self._closed: set[tuple[str, dt.date]] = set()
        self._last = _LastSpend()

    def __enter__(self) -> Self:
        found = self._ledger.reserve(self._purpose, self._clock.now(), self._planned)
        with self._lock:
            self._reservations.extend(found.values())
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            reservations, self._reservations = self._reservations, []
        try:
            self._ledger.settle(reservations, self._clock.now())
        except StoreUnavailableError as error:
            # What was collected must not be lost over its bookkeeping: an unsettled reservation
            # counts in full, so the sum errs on the safe side.
            _log.warning("The quota of %s could not be settled: %s", self._purpose, error)

    @property
    def spent(self) -> int:
        """Units taken so far and not given back."""
        with self._lock:
            return sum(item.spent for item in self._reservations)

    def spend(self, endpoint: str) -> int:
        """Take the units of one call and return how many they were.

        Raises
        ------
        Exception
            Made by the ledger's ``refusal``: the units are not there, nothing was taken. Or by
            its ``outage``: the record does not answer, so nobody can say.
        """
        at = self._clock.now()
        units = cost_table(self._ledger.profile, at).cost(endpoint).units
        day = quota_date(at)
        with self._lock:
            if not self._is_closed(endpoint, at):
                item = self._with_room(endpoint, day, units) or self._reserve_one(endpoint, at)
                if item is not None:
                    item.spent += units
                    self._last.taken.append(item)
                    return units
        cost = cost_table(self._ledger.profile, at).cost(endpoint)
        ours = (
            f" We call it {cost.calls_per_day} times a day at most." if cost.calls_per_day else ""
        )
        raise self._ledger.refusal(
            f"The quota of {cost.bucket} is spent for {day} (Pacific); {endpoint} was not called."
            f"{ours}",
            fix=f"It resets at {next_reset(at):%Y-%m-%d %H:%M} UTC; until then stored data serve.",
        )

    def refund(self, units: int) -> None:
        """Give the units of this thread's last call back: it was never sent."""
        with self._lock:
            if self._last.taken:
                item = self._last.taken.pop()
                item.spent = max(0, item.spent - units)

    def exhausted(self, endpoint: str) -> None:
        """Note that the platform itself says the quota behind ``endpoint`` is spent.

        That holds for the day of this thread's last such call: the answer to one that was made
        right before midnight says nothing about the new day. Where a call had to wait past
        midnight before it was sent, the next one is refused too, and closes the new day.
        """
        at = self._clock.now()
        calls = (item.day for item in reversed(self._last.taken) if item.endpoint == endpoint)
        day = next(calls, quota_date(at))
        bucket = cost_table(self._ledger.profile, at).cost(endpoint).bucket
        with self._lock:
            self._closed.add((bucket, day))
        try:
            self._ledger.mark_exhausted(endpoint, at, day=day)
        except StoreUnavailableError as error:
            _log.warning("The exhaustion of %s could not be noted: %s", bucket, error)

    def _is_closed(self, endpoint: str, at: dt.datetime) -> bool:
        bucket = cost_table(self._ledger.profile, at).cost(endpoint).bucket
        return (bucket, quota_date(at)) in self._closed

    def _with_room(self, endpoint: str, day: dt.date, units: int) -> _Reservation | None:
        """Return a reservation with units left; one of yesterday buys nothing today."""
        for item in self._reservations:
            if item.endpoint == endpoint and item.day == day and item.left >= units:
                return item
        return None

    def _reserve_one(self, endpoint: str, at: dt.datetime) -> _Reservation | None:
        try:
            found = self._ledger.reserve(self._purpose, at, {endpoint: 1}).get(endpoint)
        except StoreUnavailableError as error:
            raise self._ledger.outage(
                f"{endpoint} was not called, because its quota cannot be written down: {error}",
                fix=error.fix,
            ) from error
        if found is not None:
            self._reservations.append(found)
        return found


def _made(
    connection: psycopg.Connection, ids: Mapping[str, str], day: dt.date
) -> dict[str, _Reservation]:
    """Return the reservations of these ids that are in the ledger, by endpoint."""
    rows = connection.execute(
        "SELECT endpoint, units_reserved FROM operations.quota_ledger "
        "WHERE reservation_id = ANY(%s::uuid[])",
        (list(ids.values()),),
    ).fetchall()
    return {name: _Reservation(ids[name], name, day, int(units)) for name, units in rows}


def _used(
    connection: psycopg.Connection, day: dt.date, buckets: list[str]
) -> defaultdict[tuple[str, str], int]:
    rows = connection.execute(
        "SELECT bucket, endpoint, sum(coalesce(units_settled, units_reserved))::bigint "
        "FROM operations.quota_ledger WHERE platform = ANY(%s) AND bucket = ANY(%s) "
        "AND quota_date = %s GROUP BY bucket, endpoint",
        (sorted({name.partition(".")[0] for name in buckets}), buckets, day),
    ).fetchall()
    return defaultdict(int, {(str(b), str(e)): int(units) for b, e, units in rows})


def _refused(connection: psycopg.Connection, day: dt.date, buckets: list[str]) -> set[str]:
    rows = connection.execute(
        "SELECT bucket FROM operations.quota_exhaustion WHERE bucket = ANY(%s) AND quota_date = %s",
        (buckets, day),
    ).fetchall()
    return {str(row[0]) for row in rows}


def _room(table: CostTable, endpoint: str, used: Mapping[tuple[str, str], int]) -> int:
    """Return how many calls the bucket, and our own limit below it, still allow."""
    cost, limit = table.cost(endpoint), table.bucket(endpoint).daily_limit
    rooms = []
    if limit is not None:
        taken = sum(units for (bucket, _), units in used.items() if bucket == cost.bucket)
        rooms.append((limit - taken) // cost.units)
    if cost.calls_per_day is not None:
        rooms.append(cost.calls_per_day - used[cost.bucket, endpoint] // cost.units)
    return max(0, min(rooms)) if rooms else _UNLIMITED


_UNLIMITED = 2**31 - 1


def _insert(
    connection: psycopg.Connection,
    item: _Reservation,
    table: CostTable,
    purpose: str,
    at: dt.datetime,
) -> None:
    bucket = table.bucket(item.endpoint)
    connection.execute(
        "INSERT INTO operations.quota_ledger (reservation_id, platform, bucket, quota_date, "
        "endpoint, purpose, units_reserved, units_settled, reserved_at, settled_at) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, NULL, %s, NULL)",
        (
            item.reservation_id,
            bucket.platform,
            bucket.name,
            item.day,
            item.endpoint,
            purpose,
            item.reserved,
            at,
        ),
    )
