"""Is a process ready? Each probe raises while it is not, saying what it saw."""

import socket
from collections.abc import Callable
from typing import Final

import httpx
import psycopg

from aurastream.operations.errors import ProcessNotReadyError

__all__ = ["Probe", "grpc_answers", "head_stands_by", "http_answers"]

Probe = Callable[[int], None]
"""Called with the process id; raises while that process is not ready."""

_TIMEOUT_S: Final = 2.0


def http_answers(url: str) -> Probe:
    """Ready when a GET is answered with a status below 400."""

    def probe(_pid: int) -> None:
        httpx.get(url, timeout=_TIMEOUT_S, trust_env=False).raise_for_status()

    return probe


def grpc_answers(port: int, service: str = "DagsterApi", host: str = "127.0.0.1") -> Probe:
    """Ready when the standard gRPC health service says that the service is SERVING."""

    def probe(_pid: int) -> None:
        # gRPC comes with Dagster; the library itself does without both.
        import grpc  # noqa: PLC0415 # as said
        from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415 # as said

        with grpc.insecure_channel(f"{host}:{port}") as channel:
            request = health_pb2.HealthCheckRequest(service=service)
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_TIMEOUT_S)
        if answer.status != health_pb2.HealthCheckResponse.SERVING:
            raise ProcessNotReadyError(f"{service} on port {port} is not serving yet.")

    return probe


def head_stands_by(database_url: str) -> Probe:
    """Ready when the head says in the record that it leads or stands by."""

    def probe(pid: int) -> None:
        with psycopg.connect(
            database_url, connect_timeout=2, application_name="aurastream-probe"
        ) as connection:
            row = connection.execute(
                "SELECT state, detail FROM operations.heads WHERE pid = %s AND host = %s "
                "ORDER BY started_at DESC LIMIT 1",
                (pid, socket.gethostname()),
            ).fetchone()
        if row is None:
            raise ProcessNotReadyError("It has not registered yet.")
        if row[0] not in {"RUNNING", "DEGRADED"}:
            raise ProcessNotReadyError(f"It is {row[0]}: {row[1]}.")

    return probe
