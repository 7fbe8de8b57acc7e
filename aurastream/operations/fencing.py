"""Every database connection that the leading process opens proves first that it still leads.

Dagster opens a connection per statement. A leader that was paused and woken could therefore act
through a connection that did not exist when its standby terminated the old ones. So SQLAlchemy is
asked to call us for each new connection of this process: it is opened under the leader's
application name, with dead-peer detection, and used only when the epoch is still ours.

The check runs where the connection leads, so a daemon whose storage is another database than the
one with the lock is refused as well.
"""

from collections.abc import Callable, Mapping, MutableMapping
from contextlib import closing
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection

from aurastream.operations.errors import HeadError
from aurastream.operations.leadership import Claim
from aurastream.store.dead_peers import dead_peer_detection

__all__ = ["fence_connections"]

_CONNECTION_OPTIONS: Final[Mapping[str, object]] = {
    "connect_timeout": 3,
    **dead_peer_detection(idle_s=2, interval_s=1, count=3, user_timeout_s=5),
}


def fence_connections(claim: Claim, end: Callable[[str], object]) -> Callable[[], None]:
    """Fence every SQLAlchemy connection to Postgres that this process opens from now on.

    Parameters
    ----------
    claim : Claim
        The leadership that each connection has to find valid.
    end : callable
        Called with the reason when the leadership is over; it ends the process. Should it return,
        the connection is refused with `HeadError`.

    Returns
    -------
    callable
        Takes the fence down. A process that has led keeps it up to its end.
    """

    def connect(
        dialect: Dialect,
        _record: object,
        cargs: list[Any],
        cparams: MutableMapping[str, Any],
    ) -> DBAPIConnection | None:
        if dialect.name != "postgresql":
            return None
        for name, value in _CONNECTION_OPTIONS.items():
            cparams.setdefault(name, value)
        cparams["application_name"] = claim.holder
        connection = dialect.connect(*cargs, **cparams)
        try:
            _require_leadership(connection, claim, end)
        except BaseException:
            connection.close()
            raise
        return connection

    event.listen(Engine, "do_connect", connect)
    return lambda: event.remove(Engine, "do_connect", connect)


def _require_leadership(
    connection: DBAPIConnection, claim: Claim, end: Callable[[str], object]
) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute("SELECT to_regclass('operations.leadership') IS NOT NULL")
        if not cursor.fetchall()[0][0]:
            raise HeadError(
                "Dagster's storage is not in the database that holds the leadership.",
                fix="Point DAGSTER_PG_URL at the database of AURASTREAM_POSTGRES_URL.",
            )
        cursor.execute("SELECT holder, epoch FROM operations.leadership")
        found = cursor.fetchall()
    connection.rollback()
    if found != [(claim.holder, claim.epoch)]:
        reason = f"epoch {claim.epoch} is over: a new connection found {found}"
        end(reason)
        raise HeadError(f"This process may not use the database: {reason}.")
