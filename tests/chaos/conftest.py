"""A code server for all chaos tests, a cluster for each."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from tests.chaos.cluster import REPO_ROOT, Cluster, running_cluster, wait_until


@pytest.fixture(scope="session")
def code_server_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a Dagster code server that serves the chaos tests' location."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    path = tmp_path_factory.mktemp("code-server") / "log"
    with path.open("wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "dagster", "api", "grpc"),
                *("--host", "127.0.0.1", "--port", str(port)),
                *("--python-file", str(Path(__file__).with_name("location.py"))),
            ],
            cwd=REPO_ROOT,
            stdout=log,
            stderr=log,
        )
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(timeout=60)
        yield port
    finally:
        process.terminate()
        wait_until(lambda: process.poll() is not None, within=15, what=path.read_text())


@pytest.fixture
def cluster(database_url: str, tmp_path: Path, code_server_port: int) -> Iterator[Cluster]:
    with running_cluster(Cluster(database_url, tmp_path, code_server_port)) as running:
        yield running
