"""A code server of Dagster's whose runs are forks of one process that has imported everything.

Dagster starts an interpreter for each run, which imports Dagster, pandas and the graph before it
does anything: three seconds of a processor, also for a run of one. Here the first run starts one
process that has imported all of that (`aurastream_assets.prepared`), and each run is a fork of it
(`multiprocessing`'s own fork server). A run sees what the code server saw when that process
started, as the graph it belongs to does; whoever changes code restarts both.

Only on Linux: elsewhere system libraries do not bear a fork, and runs start as Dagster has it.
"""

import multiprocessing
import sys
import tempfile
from typing import Any, Final

import dagster._grpc.server as grpc_server
from dagster._cli import main as dagster

__all__ = ["serve"]

_PREPARED: Final = "aurastream_assets.prepared"
# The fork server listens on a socket in a directory of its own there, and the path of a socket has
# 107 characters at most.
_LONGEST_DIRECTORY: Final = 70


class _ForkingServer(grpc_server.DagsterApiServer):
    """Dagster's server with another way to start the process of a run."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 # Dagster's
        super().__init__(*arguments, **options)
        forking = multiprocessing.get_context("forkserver")
        forking.set_forkserver_preload([_PREPARED])
        self._mp_ctx = forking  # type: ignore[assignment] # any context does what it is asked for


def _can_fork() -> bool:
    return sys.platform == "linux" and len(tempfile.gettempdir()) <= _LONGEST_DIRECTORY


def serve() -> None:
    """Serve as ``dagster api grpc`` does, with the arguments of this process."""
    if _can_fork():
        grpc_server.DagsterApiServer = _ForkingServer  # type: ignore[misc] # the command looks it up
    sys.argv[1:1] = ["api", "grpc"]
    dagster()  # type: ignore[no-untyped-call] # the program itself
