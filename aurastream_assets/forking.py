"""A code server of Dagster's whose runs are forks of one process that has imported everything.

Dagster starts an interpreter for each run, which imports Dagster, pandas and the graph before it
does anything: three seconds of a processor, also for a run of one. Here one process imports all of
that (`aurastream_assets.prepared`), and each run is a fork of it (`multiprocessing`'s own fork
server). It is started by the first run, or by the server once everything that starts beside it has
had the processors. Whoever changes code restarts the code server.

Only on Linux: elsewhere system libraries do not bear a fork, and runs start as Dagster has it. So
they do where such a process cannot be had.
"""

import logging
import multiprocessing
import sys
import tempfile
import threading
from concurrent.futures import Future
from typing import Any, Final

import dagster._grpc.server as grpc_server
from dagster._cli import main as dagster
from dagster._grpc.types import ExecuteExternalJobArgs
from dagster._serdes import deserialize_value

__all__ = ["can_fork", "serve"]

_PREPARED: Final = "aurastream_assets.prepared"
# The fork server listens on a socket in a directory of its own there, and the path of a socket has
# 107 characters at most.
_LONGEST_DIRECTORY: Final = 70
_AHEAD_S: Final = 10.0

_log = logging.getLogger(__name__)


class _ForkingServer(grpc_server.DagsterApiServer):
    """Dagster's server with another way to start the process of a run."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 # Dagster's
        self._answers: dict[str, Future[Any]] = {}  # of the runs that are under way
        super().__init__(*arguments, **options)
        self._forking = multiprocessing.get_context("forkserver")
        self._forking.set_forkserver_preload([_PREPARED])
        self._spawning = self._mp_ctx
        self._preparing = threading.Lock()
        ahead = threading.Timer(_AHEAD_S, self._prepare)
        ahead.daemon = True
        ahead.start()

    def _prepare(self) -> bool:
        """Return whether there is a process to fork from, which is started where there is none."""
        with self._preparing:
            return self._forks() or self._forks()

    def StartRun(self, request: Any, _context: Any) -> Any:  # noqa: ANN401, N802 # Dagster's
        """Start a run, or say again what came of it: a leader may hand over what another did."""
        run_id = deserialize_value(
            request.serialized_execute_run_args, ExecuteExternalJobArgs
        ).run_id
        first: Future[Any] = Future()
        before = self._answers.setdefault(run_id, first)
        if before is not first:
            return before.result()
        try:
            first.set_result(self._start(request, _context))
        except BaseException as error:
            first.set_exception(error)
            raise
        finally:
            if run_id not in self._executions and self._answers.get(run_id) is first:
                del self._answers[run_id]
        return first.result()

    def _clear_run(self, run_id: str) -> None:
        super()._clear_run(run_id)
        self._answers.pop(run_id, None)

    def _start(self, request: Any, context: Any) -> Any:  # noqa: ANN401 # Dagster's
        """Start a run, once there is a process to fork it from.

        Dagster holds its lock of all runs while it starts one, so nobody waits for imports there.
        """
        is_prepared = self._prepare()
        if not is_prepared:
            _log.warning("There is no process to fork a run from; it starts an interpreter.")
        self._mp_ctx = self._forking if is_prepared else self._spawning  # type: ignore[assignment] # any context does what it is asked for
        return super().StartRun(request, context)

    def _forks(self) -> bool:
        """Fork once, for nothing: starts the process to fork from, or one in its place."""
        trial = self._forking.Process(target=bool)
        try:
            trial.start()
        except (OSError, EOFError):
            return False
        trial.join()
        return trial.exitcode == 0


def can_fork() -> bool:
    """Tell whether runs begin as forks here, and `_ForkingServer` starts each of them once."""
    return sys.platform == "linux" and len(tempfile.gettempdir()) <= _LONGEST_DIRECTORY


def serve() -> None:
    """Serve as ``dagster api grpc`` does, with the arguments of this process."""
    if can_fork():
        grpc_server.DagsterApiServer = _ForkingServer  # type: ignore[misc] # the command looks it up
    sys.argv[1:1] = ["api", "grpc"]
    dagster()  # type: ignore[no-untyped-call] # the program itself
