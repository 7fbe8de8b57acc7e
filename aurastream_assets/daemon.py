"""Dagster's daemon as two functions for `aurastream.operations.head`.

Dagster offers its daemon as a program only (``dagster-daemon run``), and the process that ticks has
to be the one that holds the leader's lock. So the controller behind that program is used here; it
is kept in this one module, which the chaos tests run against the locked Dagster version.
"""

import importlib
import logging
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import dagster as dg
from dagster._cli.workspace.cli_target import workspace_opts_to_load_target
from dagster._core.launcher import LaunchRunContext  # noqa: TID251 # as the queue does
from dagster._daemon.controller import daemon_controller_from_instance
from dagster_shared.cli import WorkspaceOpts

from aurastream.core.errors import AuraStreamError
from aurastream.operations.stopping import StopSignal
from aurastream.settings import REPO_ROOT
from aurastream_assets.event_log import EventLogStorage
from aurastream_assets.forking import can_fork
from aurastream_assets.run_storage import RunStorage

__all__ = ["WORKSPACE_FILE", "preload", "run_daemon"]

WORKSPACE_FILE: Final = "workspace.yaml"

_CHECK_EVERY_S: Final = 1.0
_PATIENCE_S: Final = 10.0
_PRELOADED: Final = ("psycopg2", "dagster._grpc.client")

_log = logging.getLogger(__name__)


def preload() -> None:
    """Import what `dagster.yaml` and the workspace name, so that a take-over loses no time.

    What this module imports itself is there already when the head begins to stand by.
    """
    for name in _PRELOADED:
        importlib.import_module(name)


def run_daemon(stop: StopSignal) -> None:
    """Tick schedules, sensors, the queue and backfills until the signal is set.

    The instance is that of ``DAGSTER_HOME``. Code locations are read from ``workspace.yaml`` there
    when it exists (it names the running code server), otherwise from the repository's, which makes
    the daemon start a code server of its own.

    Raises
    ------
    AuraStreamError
        When a thread of the daemon did not end, so that this process must not outlive the call.
    Exception
        When a thread of the daemon died.
    """
    # The leader's fence stands where a connection is opened.
    EventLogStorage.keeps_connections = RunStorage.keeps_connections = False
    with dg.DagsterInstance.get() as instance:
        workspace = Path(instance.root_directory) / WORKSPACE_FILE
        left_starting: Sequence[dg.DagsterRun] = ()
        if not workspace.is_file():
            workspace = REPO_ROOT / WORKSPACE_FILE
        elif can_fork():
            # Before this daemon starts any itself. Only for our code server, which starts none
            # twice: with Dagster's own, two workers could begin together, so such runs wait.
            starting = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTING])
            left_starting = instance.get_runs(starting)
        _log.info("The daemon ticks for %s", workspace)
        with daemon_controller_from_instance(
            instance,
            workspace_load_target=workspace_opts_to_load_target(
                WorkspaceOpts(workspace=[str(workspace)])
            ),
            code_server_log_level="warning",
            log_format="colored" if sys.stderr.isatty() else "json",
        ) as controller:
            handing_over = threading.Thread(
                target=_hand_over,
                args=(instance, controller._workspace_process_context, left_starting, stop),  # noqa: SLF001 # nobody else has it
                name="dagster-daemon-hand-over",
                daemon=True,
            )
            handing_over.start()
            refreshed_at = time.time()
            while not stop.wait(_CHECK_EVERY_S):
                controller.check_daemon_threads()
                refreshed_at = controller.check_workspace_freshness(refreshed_at)
            handing_over.join(_PATIENCE_S)
    if left := [t.name for t in threading.enumerate() if t.name.startswith("dagster-daemon-")]:
        raise AuraStreamError(f"Threads of the daemon did not end: {', '.join(left)}.")


def _hand_over(
    instance: dg.DagsterInstance,
    workspace: Any,  # noqa: ANN401 # Dagster's
    runs: Sequence[dg.DagsterRun],
    stop: StopSignal,
) -> None:
    """Hand over again what a leader that died may not have handed to the code server.

    Such a run would hold its slot until its start is overdue.
    """
    for run in runs:
        if stop.is_set():
            return
        try:
            now = instance.get_run_by_id(run.run_id)
            if now is None or now.status != dg.DagsterRunStatus.STARTING:
                continue
            _log.info("Handing run %s over again", run.run_id)
            context = LaunchRunContext(run, workspace.create_request_context())
            instance.run_launcher.launch_run(context)
        except Exception:  # noqa: BLE001 # no worse off than before
            _log.exception(
                "Run %s was not handed over; it fails when its start is overdue", run.run_id
            )
