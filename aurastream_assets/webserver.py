"""Dagster's webserver as the launcher starts it: beside the code server, and not before it.

Both take seconds to import. So they are started together, and this one, when it is ready to look at
its workspace, waits until the code server listens; it would log a failure otherwise and look again
only when asked to.
"""

import socket
import sys
import time
from typing import Final

from dagster_webserver.cli import main as webserver

__all__ = ["main"]

_WAIT_S: Final = 120.0
_EVERY_S: Final = 0.05


def main() -> None:
    """Run ``python -m aurastream_assets.webserver CODE_PORT …``, the rest being Dagster's own."""
    port = int(sys.argv.pop(1))
    deadline = time.monotonic() + _WAIT_S
    while not _listens(port) and time.monotonic() < deadline:
        time.sleep(_EVERY_S)
    webserver()  # type: ignore[no-untyped-call] # the program itself


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
