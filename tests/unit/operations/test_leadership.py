"""The protocol of leadership on a real Postgres, step by step in one process."""

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from aurastream.operations.errors import HeadError, LeadershipLostError
from aurastream.operations.fencing import fence_connections
from aurastream.operations.heartbeat import Heartbeat
from aurastream.operations.leadership import Claim, HeadIdentity, HeadSession, LeaseTiming
from aurastream.operations.states import HeadState, StateReport
from aurastream.store.urls import dagster_url

# A lease that a busy machine keeps between two statements of a test.
TIMING = LeaseTiming(deadline_s=50.0, stale_after_s=60.0)
LEADING = StateReport(HeadState.RUNNING, "leading")
STANDBY = StateReport(HeadState.RUNNING, "standby")
STOPPED = StateReport(HeadState.STOPPED, "stopped")


@pytest.fixture
def head(database_url: str) -> Iterator[Callable[..., HeadSession]]:
    """Open registered sessions; each is a head of its own."""
    opened: list[HeadSession] = []

    def open_session(**identity: object) -> HeadSession:
        session = HeadSession.open(database_url, HeadIdentity(**identity))  # type: ignore[arg-type] # fields of one identity
        opened.append(session)
        session.register(STANDBY)
        return session

    yield open_session
    for session in opened:
        session.close()


@pytest.fixture
def admin(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def lead(session: HeadSession) -> Claim:
    claim = session.try_lead(TIMING)
    assert claim is not None
    return claim


def age_heartbeat(admin: psycopg.Connection, by: timedelta) -> None:
    admin.execute("UPDATE operations.leadership SET heartbeat_at = heartbeat_at - %s", (by,))


@pytest.mark.parametrize(
    "timing",
    [
        {"renew_every_s": 0},
        {"renew_every_s": 4.0},
        {"deadline_s": 5.0},
        {"stale_after_s": 3.0},
    ],
)
def test_a_lease_whose_leader_could_outlive_it_is_refused(timing: dict[str, float]) -> None:
    with pytest.raises(HeadError, match="renew_every_s < deadline_s < stale_after_s"):
        LeaseTiming(**timing)


def test_an_application_name_fits_into_what_postgres_keeps() -> None:
    identity = HeadIdentity(host="ä-very-long-host-name.of.some.cluster.example", pid=4194304)
    for name in (identity.leader_name, identity.standby_name):
        assert len(name.encode()) <= 63


def test_one_of_two_heads_leads(head: Callable[..., HeadSession]) -> None:
    claim = lead(head())
    assert claim.epoch == 1
    assert head().try_lead(TIMING) is None


def test_the_epoch_grows_with_every_takeover(head: Callable[..., HeadSession]) -> None:
    first, second = head(), head()
    first.release(lead(first), STOPPED)
    assert lead(second).epoch == 2


def test_a_session_that_ends_without_a_word_is_followed_at_once(
    head: Callable[..., HeadSession],
) -> None:
    first, second = head(), head()
    lead(first)
    first.connection.close()
    claim = None
    while claim is None:  # the server needs a moment to see the end of the session
        claim = second.try_lead(TIMING)
    assert claim.epoch == 2


def test_a_fresh_heartbeat_protects_a_leader(
    head: Callable[..., HeadSession], admin: psycopg.Connection
) -> None:
    leader = head()
    claim = lead(leader)
    age_heartbeat(admin, timedelta(seconds=TIMING.stale_after_s / 2))
    assert head().try_lead(TIMING) is None
    leader.renew(claim, LEADING)


def test_a_stale_leader_loses_every_backend_before_another_leads(
    head: Callable[..., HeadSession], admin: psycopg.Connection, database_url: str
) -> None:
    leader, standby = head(), head()
    claim = lead(leader)
    with psycopg.connect(database_url, application_name=claim.holder) as daemon:
        age_heartbeat(admin, timedelta(seconds=TIMING.stale_after_s + 1))
        assert lead(standby).epoch == 2
        with pytest.raises(psycopg.OperationalError):
            daemon.execute("SELECT 1")
    with pytest.raises(psycopg.OperationalError):
        leader.renew(claim, LEADING)
    assert leader.connection.closed


def test_connections_of_standbys_and_of_other_programs_survive_a_takeover(
    head: Callable[..., HeadSession], admin: psycopg.Connection
) -> None:
    leader, standby, bystander = head(), head(), head()
    lead(leader)
    age_heartbeat(admin, timedelta(seconds=TIMING.stale_after_s + 1))
    lead(standby)
    bystander.report(STANDBY)
    assert admin.execute("SELECT 1").fetchone() == (1,)


def test_a_claimant_that_hangs_with_the_lock_is_ended_after_a_while(
    head: Callable[..., HeadSession], database_url: str
) -> None:
    hasty = LeaseTiming(renew_every_s=0.01, deadline_s=0.02, stale_after_s=0.03)
    standby = head()
    with psycopg.connect(database_url, autocommit=True) as hanging:
        hanging.execute("SELECT pg_advisory_lock(%s, %s)", (0x41757261, 0x48656164))
        claim = None
        while claim is None:
            claim = standby.try_lead(hasty)
        with pytest.raises(psycopg.OperationalError):
            hanging.execute("SELECT 1")


def test_a_leader_whose_epoch_is_over_is_told_so(
    head: Callable[..., HeadSession], admin: psycopg.Connection
) -> None:
    leader = head()
    claim = lead(leader)
    admin.execute("UPDATE operations.leadership SET epoch = epoch + 1, holder = 'somebody'")
    with pytest.raises(LeadershipLostError, match="Epoch 1 is over"):
        leader.renew(claim, LEADING)


def test_the_heartbeat_carries_the_state(
    head: Callable[..., HeadSession], admin: psycopg.Connection
) -> None:
    leader = head()
    leader.renew(lead(leader), StateReport(HeadState.DEGRADED, "redis: refused"))
    assert admin.execute("SELECT state, detail, is_leader FROM operations.heads").fetchall() == [
        ("DEGRADED", "redis: refused", True)
    ]


def test_a_restarted_process_knows_that_it_recovers(
    head: Callable[..., HeadSession], database_url: str, admin: psycopg.Connection
) -> None:
    head(pid=4711)
    again = HeadSession.open(database_url, HeadIdentity(pid=4711))
    with contextlib.closing(again):
        assert again.register(STANDBY)
        again.report(STOPPED)
    states = admin.execute("SELECT state FROM operations.heads").fetchall()
    assert states == [("STOPPED",), ("STOPPED",)]


def test_a_process_that_stopped_in_order_does_not_recover(
    head: Callable[..., HeadSession], database_url: str
) -> None:
    head(pid=4711).report(STOPPED)
    with contextlib.closing(HeadSession.open(database_url, HeadIdentity(pid=4711))) as again:
        assert not again.register(STANDBY)


def test_a_takeover_marks_vanished_heads_and_forgets_old_ones(
    head: Callable[..., HeadSession], admin: psycopg.Connection
) -> None:
    for pid, age in ((1, "2 minutes"), (2, "8 days")):
        head(pid=pid)
        admin.execute(
            "UPDATE operations.heads SET seen_at = seen_at - %s::interval WHERE pid = %s",
            (age, pid),
        )
    lead(head(pid=3))
    rows = admin.execute("SELECT pid, state, detail FROM operations.heads ORDER BY pid").fetchall()
    assert rows == [(1, "STOPPED", "vanished: standby"), (3, "RUNNING", "standby")]


# -- fencing -------------------------------------------------------------------------------------


@pytest.fixture
def fenced(
    head: Callable[..., HeadSession], database_url: str
) -> Iterator[tuple[sa.Engine, list[str]]]:
    """An engine as Dagster has it, in a process that leads, and the reasons to end it."""
    reasons: list[str] = []
    remove = fence_connections(lead(head()), reasons.append)
    engine = sa.create_engine(
        dagster_url(database_url), poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    yield engine, reasons
    remove()


def test_a_leaders_new_connection_works_under_its_name(
    fenced: tuple[sa.Engine, list[str]],
) -> None:
    engine, reasons = fenced
    with engine.connect() as connection:
        name = connection.scalar(sa.text("SELECT current_setting('application_name')"))
    assert str(name).startswith("aurastream-head:")
    assert reasons == []


def test_a_new_connection_of_a_former_leader_ends_its_process(
    fenced: tuple[sa.Engine, list[str]], admin: psycopg.Connection
) -> None:
    engine, reasons = fenced
    admin.execute("UPDATE operations.leadership SET epoch = epoch + 1")
    with pytest.raises(HeadError, match="may not use the database"), engine.connect():
        pass
    assert len(reasons) == 1
    assert "epoch 1 is over" in reasons[0]


def test_a_daemon_on_another_database_than_the_lock_is_refused(
    fenced: tuple[sa.Engine, list[str]], database_url: str
) -> None:
    elsewhere = sa.make_url(dagster_url(database_url)).set(database="postgres")
    engine = sa.create_engine(elsewhere, poolclass=NullPool)
    with pytest.raises(HeadError, match="DAGSTER_PG_URL"), engine.connect():
        pass


# -- the two threads -----------------------------------------------------------------------------


def test_a_released_leadership_is_free_and_its_session_ended(
    head: Callable[..., HeadSession], admin: psycopg.Connection
) -> None:
    leader = head()
    reasons: list[str] = []
    heart = Heartbeat(
        leader, lead(leader), timing=TIMING, report=lambda: LEADING, end=reasons.append
    )
    heart.start()
    heart.release(STOPPED)
    assert leader.connection.closed
    assert reasons == []
    assert admin.execute("SELECT holder FROM operations.leadership").fetchone() == ("",)
    assert lead(head()).epoch == 2


def is_ended(heart: Heartbeat, reasons: list[str], because: str) -> bool:
    """Whether a heartbeat ends for this reason while it is asked for a minute."""
    heart.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(because in reason for reason in reasons):
            return True
        heart.refresh()
    return False


def test_the_end_of_the_locks_connection_is_noticed(
    head: Callable[..., HeadSession], admin: psycopg.Connection
) -> None:
    leader = head()
    reasons: list[str] = []
    heart = Heartbeat(
        leader, lead(leader), timing=TIMING, report=lambda: LEADING, end=reasons.append
    )
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
        (leader.identity.leader_name,),
    )
    assert is_ended(heart, reasons, "the connection of the lock was lost"), reasons
    heart.release(STOPPED)


def test_a_heartbeat_that_hangs_is_ended_by_the_watchdog(
    head: Callable[..., HeadSession], admin: psycopg.Connection
) -> None:
    leader = head()
    reasons: list[str] = []
    hasty = LeaseTiming(renew_every_s=0.05, deadline_s=0.3, stale_after_s=1.0)
    heart = Heartbeat(
        leader, lead(leader), timing=hasty, report=lambda: LEADING, end=reasons.append
    )
    with admin.transaction():
        admin.execute("LOCK TABLE operations.leadership IN ACCESS EXCLUSIVE MODE")
        assert is_ended(heart, reasons, "no heartbeat arrived"), reasons
    heart.release(STOPPED)


def test_a_daemon_that_does_not_stop_in_time_is_ended(head: Callable[..., HeadSession]) -> None:
    leader = head()
    reasons: list[str] = []
    heart = Heartbeat(
        leader, lead(leader), timing=TIMING, report=lambda: LEADING, end=reasons.append
    )
    heart.require_stop_within(0)
    assert is_ended(heart, reasons, "did not stop in time"), reasons
    heart.release(STOPPED)
