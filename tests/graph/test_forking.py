"""How the process of a run begins."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import dagster._grpc.server as grpc_server
import pytest

from aurastream_assets import forking

_LOOK = """
import threading
import aurastream_assets.prepared
import psutil
print([thread.name for thread in threading.enumerate()])
me = psutil.Process()
print(me.net_connections(kind="all"), me.children(), me.open_files())
"""
_FORK = """
import multiprocessing, signal, time
import psutil
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["aurastream_assets.prepared"])

def run():
    process = context.Process(target=time.sleep, args=(600,))
    process.start()
    return process, psutil.Process(process.pid), psutil.Process(process.pid).parent()

first, _, server = run()
server.send_signal(signal.SIGTERM)
second, process, same = run()
print(same == server)
first.terminate()
first.join()
print(signal.Signals(-first.exitcode).name, process.is_running())
server.kill()
psutil.wait_procs([process], timeout=60)
print(process.is_running())
third, _, other = run()
print(other == server)
third.terminate()
third.join()
"""


def test_what_runs_are_forked_from_has_no_thread_or_connection_that_they_would_share() -> None:
    looked = subprocess.run(
        [sys.executable, "-c", _LOOK], capture_output=True, text=True, timeout=120, check=True
    )
    assert looked.stdout.splitlines() == ["['MainThread']", "[] [] []"]


@pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux")
def test_a_run_ends_by_what_is_sent_to_all_and_with_what_it_was_forked_from() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FORK], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.splitlines() == ["True", "SIGTERM True", "False", "False"]


def _server_that_is_used(monkeypatch: pytest.MonkeyPatch, directory: Path) -> Any:
    found = []
    # Puts back what serving replaces.
    monkeypatch.setattr(grpc_server, "DagsterApiServer", grpc_server.DagsterApiServer)
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    monkeypatch.setattr(sys, "argv", ["code_server"])
    monkeypatch.setattr(forking, "dagster", lambda: found.append(grpc_server.DagsterApiServer))
    forking.serve()
    assert sys.argv == ["code_server", "api", "grpc"]
    [server] = found
    return server


def test_a_socket_whose_path_would_be_too_long_leaves_runs_to_begin_as_dagster_has_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dagsters = grpc_server.DagsterApiServer
    assert _server_that_is_used(monkeypatch, tmp_path / ("x" * 80)) is dagsters


@pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux")
def test_elsewhere_runs_are_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    dagsters = grpc_server.DagsterApiServer
    used = _server_that_is_used(monkeypatch, Path("/tmp"))  # noqa: S108 # named, not used
    assert used is not dagsters
    assert issubclass(used, dagsters)
