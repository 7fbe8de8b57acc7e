"""How a connection to Postgres notices that the host at its other end is gone."""

from collections.abc import Mapping
from typing import Final

from psycopg.conninfo import conninfo_to_dict, make_conninfo

__all__ = ["dead_peer_detection", "patient"]


def dead_peer_detection(
    *, idle_s: int, interval_s: int, count: int, user_timeout_s: int
) -> Mapping[str, int]:
    """Return libpq's parameters for noticing a host that vanished without a word.

    Left to itself, Linux sends what nobody acknowledges for a quarter of an hour, and waits for
    an answer for two hours.

    Parameters
    ----------
    idle_s, interval_s, count : int
        A silent connection is asked after ``idle_s`` and then every ``interval_s``, ``count``
        times, before it counts as lost.
    user_timeout_s : int
        How long what was sent may go unacknowledged. A server that takes in nothing of a COPY for
        as long, while it waits for a lock or its disk, counts as lost as well.
    """
    return {
        "keepalives": 1,
        "keepalives_idle": idle_s,
        "keepalives_interval": interval_s,
        "keepalives_count": count,
        "tcp_user_timeout": user_timeout_s * 1000,
    }


_TIMEOUTS: Final = {
    "connect_timeout": 10,
    # Half of a write's patience (`RetryPolicy.total_s`), so that there is time to try again.
    **dead_peer_detection(idle_s=10, interval_s=5, count=4, user_timeout_s=30),
}


def patient(url: str) -> str:
    """Return what to connect to for the record: the URL with its timeouts.

    What the URL says of them itself stays.
    """
    said = conninfo_to_dict(url)
    ours = {name: value for name, value in _TIMEOUTS.items() if name not in said}
    return make_conninfo(url, **ours)
