"""Everything that a run imports, imported: the state of the process that runs are forked from.

See `aurastream_assets.forking`. Nothing else imports this. It must open no connection and start no
thread, for neither would survive the fork (the allocators and linear algebra that are imported have
threads of their own, and know of forks).

The code server learns from this process how a run ended; so a run ends with it, instead of going on
while its replacement begins. And it does not hear SIGTERM, which a supervisor sends to all that a
killed code server left behind: the runs are to end by it, politely, and this process after them.
"""

import ctypes
import gc
import importlib
import os
import signal
import sys
from typing import Final

__all__: list[str] = []

# What Dagster and the clients import when they are first used. Those that are imported already, and
# those that another version does not have, cost nothing.
_LATER: Final = (
    "aurastream.sources.limiter",
    "aurastream_assets.event_log",
    "dagster._core.execution.api",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.instance.runs.run_domain",
    "dagster._core.storage.legacy_storage",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.root",
    "dagster._grpc.impl",
    "aurastream_assets.run_storage",
    "dagster_postgres.schedule_storage",
    "dbt.adapters.postgres",
    "dbt.cli.main",
    "httpcore",
    "pandas.core.methods.to_dict",
    "psycopg2.extras",
    "upath.implementations.local",
    "watchdog.observers.polling",
)
_PR_SET_PDEATHSIG: Final = 1


def _prepare() -> None:
    try:
        from aurastream_assets import patience  # noqa: PLC0415 # to say why it failed
        from aurastream_assets.definitions import defs  # noqa: PLC0415 # likewise
    except ImportError as error:
        # An ImportError would be swallowed, and this process serve without anything imported.
        raise RuntimeError("The graph cannot be imported.") from error
    for name in _LATER:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    defs.get_repository_def().get_all_jobs()
    patience.wait_at_most(patience.RUN_S)
    # What is here stays: no run looks through it for garbage, which would copy its pages.
    gc.collect()
    gc.freeze()


def _tie_runs_to_this_process() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    own = forking = os.getpid()

    def remember() -> None:
        nonlocal forking
        forking = os.getpid()

    def begin() -> None:
        if forking != own:
            return  # what a run forks is its own affair
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != own:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})

    os.register_at_fork(before=remember, after_in_child=begin)
    # Blocked and not ignored: what a run is sent before it unblocks it is not lost.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


if sys.platform == "linux":
    _tie_runs_to_this_process()
_prepare()
