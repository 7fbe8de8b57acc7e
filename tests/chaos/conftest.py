"""A code server for all chaos tests, a cluster for each."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.cluster import Cluster, code_server, running_cluster
from tests.chaos.nursery import Nursery


@pytest.fixture(scope="session")
def code_server_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a code server that evaluates sensors; runs need one that knows their database.

    Dagster's own: ours differs in how runs start, and would import the graph for runs to come.
    """
    log_path = tmp_path_factory.mktemp("code-server") / "log"
    with code_server(log_path, dict(os.environ), ("dagster", "api", "grpc")) as server:
        yield server.port


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    with Nursery() as running:
        yield running


@pytest.fixture
def cluster(
    database_url: str, tmp_path: Path, code_server_port: int, nursery: Nursery
) -> Iterator[Cluster]:
    with running_cluster(Cluster(database_url, tmp_path, code_server_port, nursery)) as running:
        yield running
