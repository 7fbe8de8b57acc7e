"""Waiting for runs through a webserver that is not always there."""

import json
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from aurastream.operations.graph import Graph, GraphAwayError


@pytest.fixture
def webserver(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[int]]]:
    """Answer with the statuses of a list, first to last, the last one again and again."""
    # It is ours, and no business of a proxy for the world outside.
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    statuses: list[int] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
            runs = {"results": [{"runId": "a", "status": "SUCCESS"}]}
            body = json.dumps({"data": {"runsOrError": runs}}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # its signature
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", statuses
    server.shutdown()
    thread.join()
    server.server_close()


def test_who_waits_for_a_run_outlasts_a_webserver_that_is_away(
    webserver: tuple[str, list[int]],
) -> None:
    url, statuses = webserver
    statuses += [503, 503, 200]
    said: list[str] = []

    with closing(Graph(url, on_silence=lambda error: said.append(str(error)))) as graph:
        assert list(graph.ended(["a"], timeout_s=60)) == [("a", "SUCCESS")]
    [silence] = said
    assert "does not answer" in silence


def test_a_webserver_that_stays_away_ends_the_waiting(webserver: tuple[str, list[int]]) -> None:
    url, statuses = webserver
    statuses += [503]

    with closing(Graph(url)) as graph:
        with pytest.raises(GraphAwayError, match="does not answer"):
            list(graph.ended(["a"], timeout_s=0))
        with pytest.raises(GraphAwayError):
            list(graph.ended(["a"], timeout_s=60, stopped=lambda: True))


def test_a_webserver_whose_connections_broke_is_asked_again(
    webserver: tuple[str, list[int]],
) -> None:
    url, statuses = webserver
    statuses += [500, 500, 200]

    with closing(Graph(url)) as graph:
        assert list(graph.ended(["a"], timeout_s=0)) == [("a", "SUCCESS")]
    assert statuses == [200]


def test_a_run_is_asked_for_once(webserver: tuple[str, list[int]]) -> None:
    url, statuses = webserver
    statuses += [500, 200]

    with closing(Graph(url)) as graph, pytest.raises(GraphAwayError, match="500"):
        graph.launch("rescore")
    assert statuses == [200]
