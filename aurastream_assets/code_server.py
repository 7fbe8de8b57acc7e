"""Dagster's code server as the launcher starts it: a run begins as a fork of a prepared process.

Dagster starts an interpreter for each run, which imports Dagster, pandas and the graph before it
does anything: three seconds of a processor, also for a run of one. Here the first run starts one
process that has imported all of that (`aurastream_assets.prepared`), and each run is a fork of it
(`multiprocessing`'s own fork server). A run sees what the code server saw when that process
started, as the graph it belongs to does; whoever changes code restarts both.

Only on Linux: elsewhere system libraries do not bear a fork, and runs start as Dagster has it.
"""

import multiprocessing
import sys
from typing import Any, Final

import dagster._grpc.server as grpc_server
from dagster._cli import main as dagster

__all__ = ["main"]

_PREPARED: Final = "aurastream_assets.prepared"


class _ForkingServer(grpc_server.DagsterApiServer):
    """Dagster's server with another way to start the process of a run."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 # Dagster's
        super().__init__(*arguments, **options)
        forking = multiprocessing.get_context("forkserver")
        forking.set_forkserver_preload([_PREPARED])
        self._mp_ctx = forking  # type: ignore[assignment] # any context does what it is asked for


def main() -> None:
    """Run ``python -m aurastream_assets.code_server …``, the rest as for ``dagster api grpc``."""
    if sys.platform == "linux":
        grpc_server.DagsterApiServer = _ForkingServer  # type: ignore[misc] # the command looks it up
    sys.argv[1:1] = ["api", "grpc"]
    dagster()  # type: ignore[no-untyped-call] # the program itself


if __name__ == "__main__":
    main()
