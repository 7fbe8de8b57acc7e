"""Free ports, and who really serves one.

gRPC lets two servers share a port, and the kernel then deals out the calls between them: runs land
in either. So a port counts as ours only when nobody else listens on it.
"""

import contextlib
import socket
from typing import Any, Final

import psutil

from aurastream.operations.errors import PortConflictError

__all__ = ["free_port", "is_free", "listeners", "require_free", "require_owned"]

LOOPBACK: Final = "127.0.0.1"


def free_port() -> int:
    """Return a TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nobody listens on a loopback port; connections that are closing do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except (OSError, OverflowError):  # taken, or no port at all
            return False
    return True


def listeners(port: int) -> list[int | None]:
    """Return the process ids that listen on a TCP port; None for one that we may not see."""
    try:
        found = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return _listeners_of_my_processes(port)
    return [c.pid for c in found if _listens(c, port)]


def require_free(port: int, what: str) -> None:
    """Raise `PortConflictError` when somebody listens on the port already."""
    if not is_free(port):
        raise PortConflictError(
            f"Port {port} for {what} is taken{_described(listeners(port))}.",
            fix="Stop that program, or let a free port be chosen.",
        )


def require_owned(port: int, pid: int, what: str) -> None:
    """Check that a process or its descendants, and nobody else, listen on the port.

    Raises
    ------
    PortConflictError
        When another process listens there as well, or instead.
    """
    family = {pid}
    with contextlib.suppress(psutil.NoSuchProcess):
        family |= {child.pid for child in psutil.Process(pid).children(recursive=True)}
    strangers = [owner for owner in listeners(port) if owner not in family]
    if strangers:
        raise PortConflictError(
            f"Port {port} for {what} is served by somebody else too{_described(strangers)}.",
            fix="Stop that program, or let a free port be chosen.",
        )


def _listeners_of_my_processes(port: int) -> list[int | None]:
    # macOS shows the sockets of all processes to root only, those of one's own to their owner.
    found: list[int | None] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found += [process.pid for c in process.net_connections(kind="tcp") if _listens(c, port)]
    return found


def _listens(connection: Any, port: int) -> bool:  # noqa: ANN401 # psutil has two types for it
    return bool(connection.status == psutil.CONN_LISTEN and connection.laddr.port == port)


def _described(owners: list[int | None]) -> str:
    names: list[str] = []
    for owner in owners:
        if owner is not None:
            with contextlib.suppress(psutil.Error):
                names.append(f"{psutil.Process(owner).name()} (process {owner})")
    return f" by {', '.join(names)}" if names else ""
