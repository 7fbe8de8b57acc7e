"""Sessions of analysts that outlive the limits of their role.

`SET statement_timeout = 0` is anybody's right in Postgres, and so is writing that down at one's own
role. The limits therefore hold only while nobody lifts them; here they are held from outside, by
what the installation says (`aurastream.store.reader`).
"""

from dataclasses import dataclass

import psycopg

from aurastream.store.reader import Reader
from aurastream.store.urls import READER_ROLE

__all__ = ["Ended", "end_overdue"]

# Zero is no limit.
_OVERDUE = """
    WITH limits AS (
        SELECT %(statement)s * interval '1 ms' AS statement,
               %(transaction)s * interval '1 ms' AS transaction,
               %(idle)s * interval '1 ms' AS idle
    ), judged AS (
        SELECT a.pid,
               CASE
                   WHEN EXISTS (SELECT FROM pg_locks l
                                WHERE l.pid = a.pid AND l.locktype = 'advisory')
                       THEN 'took an advisory lock'
                   WHEN a.state LIKE 'idle in transaction%%' AND idle > interval '0'
                        AND clock_timestamp() - a.state_change > idle
                       THEN 'idle in a transaction'
                   WHEN transaction > interval '0'
                        AND clock_timestamp() - a.xact_start > transaction
                       THEN 'in one transaction'
                   WHEN a.state = 'active' AND statement > interval '0'
                        AND clock_timestamp() - a.query_start > 2 * statement
                       THEN 'not to be cancelled'
                   WHEN a.state = 'active' AND statement > interval '0'
                        AND clock_timestamp() - a.query_start > statement
                       THEN 'in one statement'
               END AS why
        FROM pg_stat_activity a CROSS JOIN limits
        WHERE a.usename = %(role)s AND a.datname = current_database()
    )
    SELECT pid, why,
           CASE WHEN why = 'in one statement' THEN pg_cancel_backend(pid)
                ELSE pg_terminate_backend(pid) END
    FROM judged WHERE why IS NOT NULL ORDER BY pid
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that was told to end, or its statement.

    Parameters
    ----------
    pid : int
        Of the server's process.
    why : str
        Which limit it was beyond.
    """

    pid: int
    why: str


def end_overdue(connection: psycopg.Connection, reader: Reader) -> list[Ended]:
    """Cancel statements and end sessions of analysts on this database that are over a limit.

    A statement over ``statement_timeout`` is cancelled, and its session ended when it is twice
    over. A session ends that is idle in a transaction, or in one transaction, for longer than the
    role is granted, or that holds or awaits an advisory lock.
    """
    limits = {
        "role": READER_ROLE,
        "statement": reader.milliseconds("statement_timeout"),
        "transaction": reader.milliseconds("transaction_timeout"),
        "idle": reader.milliseconds("idle_in_transaction_session_timeout"),
    }
    rows = connection.execute(_OVERDUE, limits).fetchall()
    return [Ended(int(pid), str(why)) for pid, why, was_sent in rows if was_sent]
