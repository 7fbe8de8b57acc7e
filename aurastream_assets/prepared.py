"""Everything that a run imports, imported: the state of the process that runs are forked from.

See `aurastream_assets.forking`. Importing this must open no connection and start no thread, for
neither would survive the fork (the allocators and linear algebra that are imported have threads of
their own, and know of forks). The code server learns from this process how a run ended; so a run
ends with it, instead of going on while its replacement begins.
"""

import ctypes
import gc
import importlib
import os
import signal
import sys
from typing import Final

from aurastream_assets.definitions import defs

__all__: list[str] = []

# What Dagster and the clients import when they are first used. Those that are imported already, and
# those that another version does not have, cost nothing.
_LATER: Final = (
    "aurastream_assets.event_log",
    "dagster._core.execution.api",
    "dagster._core.executor.in_process",
    "dagster._core.instance.factory",
    "dagster._core.instance.runs.run_domain",
    "dagster._core.storage.legacy_storage",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._core.storage.root",
    "dagster._grpc.impl",
    "dagster_postgres.run_storage",
    "dagster_postgres.schedule_storage",
    "h2.connection",
    "httpcore",
    "psycopg2.extras",
    "upath.implementations.local",
    "watchdog.observers.polling",
)
_PR_SET_PDEATHSIG: Final = 1


def _prepare() -> None:
    for name in _LATER:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    defs.get_repository_def().get_all_jobs()
    # What is here stays: no run looks through it for garbage, which would copy its pages.
    gc.collect()
    gc.freeze()


def _tie_forks_to_their_parent() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def remember() -> None:
        nonlocal parent
        parent = os.getpid()

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    os.register_at_fork(before=remember, after_in_child=tie)


_prepare()
if sys.platform == "linux":
    _tie_forks_to_their_parent()
