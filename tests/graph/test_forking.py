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
print(me.net_connections(), me.children())
"""


def test_what_runs_are_forked_from_has_no_thread_or_connection_that_they_would_share() -> None:
    looked = subprocess.run(
        [sys.executable, "-c", _LOOK], capture_output=True, text=True, timeout=120, check=True
    )
    assert looked.stdout.splitlines() == ["['MainThread']", "[] []"]


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
