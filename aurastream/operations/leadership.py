"""Who leads: one Postgres session per head, an advisory lock, a heartbeat by the server's clock.

The protocol, in the order that makes it safe:

1. A candidate takes the advisory lock in its session. The server gives it to one session only and
   takes it back when that session ends, however it ends.
2. It claims the leadership: the row's ``epoch`` grows by one, durably.
3. It terminates every backend that carries a leader's application name but its own, and waits
   until they are gone. Only then may it tick.

Every connection that a leader's daemon opens checks the epoch first (`fencing`), so a connection
of an old leader was either opened before step 2, and died in step 3, or is refused. No clock takes
part in this argument. Clocks decide only how soon a standby stops waiting for a silent leader: its
heartbeat is stale by the server's clock, so its backends, the lock's among them, are terminated.

The connection has to reach Postgres directly or through a session pooler: a transaction pooler
would hand the lock to somebody else.
"""

import os
import secrets
import socket
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, LiteralString, Self

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import TupleRow

from aurastream.operations.errors import HeadError, LeadershipLostError, PredecessorAliveError
from aurastream.operations.states import HeadState, StateReport
from aurastream.store.dead_peers import dead_peer_detection

__all__ = [
    "LEADER_PREFIX",
    "STANDBY_PREFIX",
    "Claim",
    "HeadIdentity",
    "HeadSession",
    "LeaseTiming",
    "boot_clock",
]

LEADER_PREFIX: Final = "aurastream-head:"
STANDBY_PREFIX: Final = "aurastream-standby:"
LOCK_KEY: Final = (0x41757261, 0x48656164)  # "Aura", "Head"

_CONNECT_TIMEOUT_S = 3
_STATEMENT_TIMEOUT_MS = 1500
_GONE_WITHIN_S = 3.0
_POLL_S = 0.02
_FORGET_AFTER = "7 days"
_VANISHED_AFTER = "60 seconds"


def boot_clock() -> float:
    """Return seconds of a clock that also runs while the process or the machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTiming:
    """How often a leader beats and how long its silence is borne, in seconds.

    Raises
    ------
    HeadError
        Unless renewals come more often than the deadline, and the deadline before staleness: the
        leader has to end itself before anybody may think it gone.
    """

    renew_every_s: float = 1.0
    deadline_s: float = 3.5
    stale_after_s: float = 4.5
    poll_every_s: float = 0.5
    stop_timeout_s: float = 30.0

    def __post_init__(self) -> None:
        if not 0 < self.renew_every_s < self.deadline_s < self.stale_after_s:
            raise HeadError(
                "A lease needs 0 < renew_every_s < deadline_s < stale_after_s, not "
                f"{self.renew_every_s}, {self.deadline_s}, {self.stale_after_s}."
            )


@dataclass(frozen=True, slots=True)
class HeadIdentity:
    """One life of one head process; a restarted head is another one.

    Postgres cuts application names at 63 bytes, so a long host name is shortened.
    """

    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    token: str = field(default_factory=lambda: secrets.token_hex(3))

    @property
    def _tail(self) -> str:
        host = self.host.encode("ascii", "replace").decode()[:20]
        return f"{host}:{self.pid}:{self.token}"

    @property
    def leader_name(self) -> str:
        """Application name of everything this head does while it leads; also its ``head_id``."""
        return LEADER_PREFIX + self._tail

    @property
    def standby_name(self) -> str:
        """Application name of its session while it waits."""
        return STANDBY_PREFIX + self._tail


@dataclass(frozen=True, slots=True)
class Claim:
    """A leadership: valid until the epoch has grown."""

    holder: str
    epoch: int
    acquired_at: datetime
    claimed_from: float  # boot_clock just before the claim was sent


class HeadSession:
    """The dedicated connection of one head, and every statement it makes.

    Parameters
    ----------
    connection : psycopg.Connection
        Autocommitting connection of nobody else.
    identity : HeadIdentity
        Who we are.
    """

    def __init__(self, connection: psycopg.Connection[TupleRow], identity: HeadIdentity) -> None:
        self._connection = connection
        self.identity = identity
        self._blocked_since: float | None = None

    @classmethod
    def open(cls, database_url: str, identity: HeadIdentity) -> Self:
        """Connect directly to the database of the record.

        A dead peer is noticed within seconds on both sides: TCP keepalives and user timeouts here
        and, by session settings, on the server, which then gives the lock back.

        Raises
        ------
        psycopg.OperationalError
            When the database cannot be reached; worth another try.
        """
        connection = psycopg.connect(
            make_conninfo(
                database_url.replace("postgresql+psycopg://", "postgresql://", 1),
                application_name=identity.standby_name,
                connect_timeout=_CONNECT_TIMEOUT_S,
                **dead_peer_detection(idle_s=2, interval_s=1, count=2, user_timeout_s=3),
            ),
            autocommit=True,
        )
        try:
            connection.execute(
                "SELECT set_config(name, value, false) FROM (VALUES "
                "('statement_timeout', %s), ('lock_timeout', %s), "
                "('idle_session_timeout', '0'), "
                "('tcp_keepalives_idle', '2'), ('tcp_keepalives_interval', '1'), "
                "('tcp_keepalives_count', '3'), ('tcp_user_timeout', '5000'), "
                # A heartbeat lost in a server crash is lost together with its lock.
                "('synchronous_commit', 'off')) AS settings (name, value)",
                (str(_STATEMENT_TIMEOUT_MS), str(_STATEMENT_TIMEOUT_MS)),
            )
        except BaseException:
            connection.close()
            raise
        return cls(connection, identity)

    @property
    def connection(self) -> psycopg.Connection[TupleRow]:
        """The connection whose end is the end of the leadership."""
        return self._connection

    def close(self) -> None:
        """End the session; the server takes the lock back at once."""
        self._connection.close()

    # -- the row of this head --------------------------------------------------------------------

    def register(self, report: StateReport) -> bool:
        """Write down that this head lives.

        Returns
        -------
        bool
            Whether an earlier life of the same process did not end in order, so that this one is
            a recovery.
        """
        me = self.identity
        with self._connection.transaction():
            unclean = self._connection.execute(
                "UPDATE operations.heads SET state = %s, is_leader = false, detail = %s "
                "WHERE host = %s AND pid = %s AND head_id <> %s AND state <> %s RETURNING head_id",
                (
                    HeadState.STOPPED,
                    f"ended without notice, restarted as {me.leader_name}",
                    me.host,
                    me.pid,
                    me.leader_name,
                    HeadState.STOPPED,
                ),
            ).fetchall()
            self._connection.execute(
                "INSERT INTO operations.heads "
                "(head_id, host, pid, state, is_leader, started_at, seen_at, detail) "
                "VALUES (%s, %s, %s, %s, false, clock_timestamp(), clock_timestamp(), %s) "
                "ON CONFLICT (head_id) DO UPDATE SET "
                "state = excluded.state, is_leader = false, seen_at = excluded.seen_at, "
                "detail = excluded.detail",
                (me.leader_name, me.host, me.pid, report.state, report.detail),
            )
        return bool(unclean)

    def report(self, report: StateReport) -> None:
        """Write the state of a head that does not lead."""
        self._connection.execute(
            "UPDATE operations.heads SET state = %s, detail = %s, is_leader = false, "
            "seen_at = clock_timestamp() WHERE head_id = %s",
            (report.state, report.detail, self.identity.leader_name),
        )

    # -- taking over -----------------------------------------------------------------------------

    def try_lead(self, timing: LeaseTiming) -> Claim | None:
        """Try to become the leader; end a leader whose heartbeat is stale first.

        Returns
        -------
        Claim or None
            None while another head leads.

        Raises
        ------
        PredecessorAliveError
            The lock was ours, but an old leader's connections did not go away; it was given back.
        psycopg.Error
            The session is unusable.
        """
        if not self._try_lock():
            self._end_silent_leader(timing)
            if not self._try_lock():
                return None
        self._blocked_since = None
        try:
            return self._claim()
        except BaseException:
            self._step_back()
            raise

    def _try_lock(self) -> bool:
        return bool(self._scalar("SELECT pg_try_advisory_lock(%s, %s)", LOCK_KEY))

    def _end_silent_leader(self, timing: LeaseTiming) -> None:
        row = self._connection.execute(
            "SELECT holder, extract(epoch FROM clock_timestamp() - heartbeat_at)::float8 "
            "FROM operations.leadership"
        ).fetchone()
        if row is not None and row[1] <= timing.stale_after_s:
            self._blocked_since = None
            return
        if row is not None and row[0]:
            self._terminate("application_name = %s", (row[0],))
        # Whoever holds the lock now is either dying or about to claim. If neither comes to pass,
        # it was paused between the two; its session is ended as well, before it leads.
        now = boot_clock()
        if self._blocked_since is None:
            self._blocked_since = now
        elif now - self._blocked_since > timing.stale_after_s:
            self._terminate(
                "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted "
                "AND classid = %s AND objid = %s AND objsubid = 2 AND database = "
                "(SELECT oid FROM pg_database WHERE datname = current_database()))",
                LOCK_KEY,
            )

    def _claim(self) -> Claim:
        me = self.identity.leader_name
        claimed_from = boot_clock()
        with self._connection.transaction():
            self._connection.execute("SET LOCAL synchronous_commit = on")
            self._connection.execute(
                "SELECT set_config('application_name', %s, false)",
                (me,),
            )
            row = self._connection.execute(
                "INSERT INTO operations.leadership AS l "
                "(singleton, holder, epoch, acquired_at, heartbeat_at) "
                "VALUES (true, %s, 1, clock_timestamp(), clock_timestamp()) "
                "ON CONFLICT (singleton) DO UPDATE SET holder = excluded.holder, "
                "epoch = l.epoch + 1, acquired_at = excluded.acquired_at, "
                "heartbeat_at = excluded.heartbeat_at RETURNING l.epoch, l.acquired_at",
                (me,),
            ).fetchone()
            if row is None:
                raise HeadError("The leadership row could not be written.")
            self._tidy_heads(int(row[0]))
        self._terminate("starts_with(application_name, %s)", (LEADER_PREFIX,))
        return Claim(me, int(row[0]), row[1], claimed_from)

    def _tidy_heads(self, epoch: int) -> None:
        me = self.identity.leader_name
        self._connection.execute(
            "UPDATE operations.heads SET is_leader = false, state = %s, detail = %s "
            "WHERE is_leader AND head_id <> %s",
            (HeadState.RECOVERING, f"lost the leadership to {me}, epoch {epoch}", me),
        )
        self._connection.execute(
            "UPDATE operations.heads SET state = %s, detail = 'vanished: ' || detail "
            "WHERE state <> %s AND seen_at < clock_timestamp() - %s::interval",
            (HeadState.STOPPED, HeadState.STOPPED, _VANISHED_AFTER),
        )
        self._connection.execute(
            "DELETE FROM operations.heads WHERE seen_at < clock_timestamp() - %s::interval",
            (_FORGET_AFTER,),
        )

    def _terminate(self, which: LiteralString, parameters: tuple[Any, ...]) -> None:
        """End backends of this database other than our own and wait until they are gone."""
        condition = (
            "FROM pg_stat_activity WHERE datname = current_database() "
            "AND application_name <> %s AND pid <> pg_backend_pid() AND " + which
        )
        values = (self.identity.leader_name, *parameters)
        deadline = boot_clock() + _GONE_WITHIN_S
        try:
            while self._scalar("SELECT count(pg_terminate_backend(pid)) " + condition, values):
                if boot_clock() > deadline:
                    raise PredecessorAliveError(
                        "Connections of an earlier leader did not end when they were terminated.",
                        fix="Look at pg_stat_activity for application names that begin with "
                        f"{LEADER_PREFIX!r}.",
                    )
                time.sleep(_POLL_S)
        except psycopg.errors.InsufficientPrivilege as error:
            raise PredecessorAliveError(
                "This role may not terminate the connections of an earlier leader.",
                fix="Let all heads and their daemons use one role, or grant pg_signal_backend.",
            ) from error

    def _step_back(self) -> None:
        """Give the lock back after a failed claim; a broken session has lost it already."""
        if self._connection.closed:
            return
        try:
            self._connection.execute("SELECT pg_advisory_unlock(%s, %s)", LOCK_KEY)
            self._connection.execute(
                "SELECT set_config('application_name', %s, false)", (self.identity.standby_name,)
            )
        except psycopg.Error:
            self._connection.close()

    # -- leading ---------------------------------------------------------------------------------

    def renew(self, claim: Claim, report: StateReport) -> None:
        """Beat once, in the session that holds the lock.

        Raises
        ------
        LeadershipLostError
            The epoch has grown: another head leads.
        psycopg.Error
            The beat did not arrive; when the connection is broken, the leadership is over.
        """
        beaten = self._scalar(
            "WITH beat AS (UPDATE operations.leadership SET heartbeat_at = clock_timestamp() "
            "WHERE holder = %(holder)s AND epoch = %(epoch)s RETURNING epoch), "
            "seen AS (UPDATE operations.heads SET seen_at = clock_timestamp(), is_leader = true, "
            "state = %(state)s, detail = %(detail)s "
            "WHERE head_id = %(holder)s AND EXISTS (SELECT FROM beat)) "
            "SELECT count(*) FROM beat",
            {
                "holder": claim.holder,
                "epoch": claim.epoch,
                "state": report.state,
                "detail": report.detail,
            },
        )
        if not beaten:
            raise LeadershipLostError(f"Epoch {claim.epoch} is over: another head leads.")

    def release(self, claim: Claim, report: StateReport) -> None:
        """Hand the leadership over: nobody leads, the lock is free, the session ends.

        The lock is given back in so many words: the server takes it from an ended session only when
        it has noticed the end, and until then the next head would find it taken.
        """
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE operations.leadership SET holder = '', heartbeat_at = clock_timestamp() "
                "WHERE holder = %s AND epoch = %s",
                (claim.holder, claim.epoch),
            )
            self.report(report)
        self._connection.execute("SELECT pg_advisory_unlock(%s, %s)", LOCK_KEY)
        self.close()

    # --------------------------------------------------------------------------------------------

    def _scalar(self, query: LiteralString, parameters: Any = None) -> Any:  # noqa: ANN401 # one SQL value
        row = self._connection.execute(query, parameters).fetchone()
        return None if row is None else row[0]
