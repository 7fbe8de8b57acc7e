"""The server as a process of its own: start, end, and the command line."""

import datetime as dt
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest
from typer.testing import CliRunner

from aurastream.replay.__main__ import app
from tests.replay.conftest import COMMAND, NOW, REPO_ROOT, Get, running


def test_it_tells_its_url_serves_and_ends_cleanly(tmp_path: Path) -> None:
    file = tmp_path / "run" / "url"
    with running("--port-file", str(file)) as (process, url):
        assert file.read_text(encoding="utf-8") == url
        with httpx.Client(base_url=url) as client:
            assert client.get("/_replay/status").json()["faults"] == 0
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def test_a_taken_port_is_an_error_and_not_another_port(replay_url: str) -> None:
    port = replay_url.rpartition(":")[2]
    done = subprocess.run(
        [*COMMAND, "--port", port], cwd=REPO_ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"aurastream: Port {port} cannot be listened on: Address already")
    assert done.stderr.count("\n") == 1


def test_it_ends_when_the_process_that_started_it_is_killed() -> None:
    parent = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen({COMMAND!r}, stdout=subprocess.PIPE, text=True)\n"
        "print(child.pid, child.stdout.readline().strip(), flush=True)\n"
        "child.wait()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], cwd=REPO_ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        pid, url = process.stdout.readline().split()
        child = psutil.Process(int(pid))
        assert httpx.get(f"{url}/_replay/status").status_code == 200
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    _, alive = psutil.wait_procs([child], timeout=60)
    assert not alive


@pytest.mark.usefixtures("client")
def test_the_command_line_works_the_switchboard(replay_url: str) -> None:
    runner = CliRunner()

    def run(*arguments: str) -> str:
        result = runner.invoke(app, ["faults", *arguments, "--url", replay_url])
        assert result.exit_code == 0, result.output
        return str(result.output)

    assert '"kind": "latency"' in run("set", "latency", "--option", "delay_ms=5", "--times", "1")
    assert '"id": "401_bodies"' in run("set", "401_bodies", "--times", "1")
    assert "latency" in run("list")
    assert '"faults": []' in run("clear")
    refused = runner.invoke(app, ["faults", "set", "fire", "--url", replay_url])
    assert refused.exit_code == 1
    assert "choose one of" in refused.output
    never = ["faults", "set", "401_bodies", "--platform", "youtube", "--url", replay_url]
    refused = runner.invoke(app, never)
    assert refused.exit_code == 1
    assert "quirk is of twitch alone" in refused.output
    slow = ["faults", "set", "latency", "--option", "delay_ms=abc", "--url", replay_url]
    refused = runner.invoke(app, slow)
    assert refused.exit_code == 1
    assert "Option delay_ms of latency is a number" in refused.output


def test_the_command_line_sets_an_outage_between_two_virtual_moments(
    replay_url: str, youtube: Get
) -> None:
    runner = CliRunner()
    window = ["--start", "2026-11-20T18:00:00Z", "--end", "2026-11-20T19:00:00Z"]
    command = ["faults", "set", "outage", *window, "--url", replay_url]
    assert runner.invoke(app, command).exit_code == 0

    def answers(minutes: int) -> bool:
        try:
            answer = youtube(
                "videos", NOW + dt.timedelta(minutes=minutes), part="id", chart="mostPopular"
            )
        except httpx.RemoteProtocolError:
            return False
        return answer.status_code == 200

    assert [answers(minutes) for minutes in (-1, 0, 59, 60)] == [True, False, False, True]
    for option in ("--start", "--end"):
        refused = runner.invoke(
            app, ["faults", "set", "outage", option, "soon", "--url", replay_url]
        )
        assert refused.exit_code == 1
        assert f"{option[2:]} is a moment such as" in refused.output


def test_the_command_line_says_when_nobody_answers(replay_url: str) -> None:
    for url, says in (
        ("http://127.0.0.1:9", "No replay server answers"),
        ("http://[::", "No replay server answers"),
        (f"{replay_url}/vi/unknown/default.jpg?", "is no replay server"),
        (f"{replay_url}/youtube/v3/videos?", "is no replay server"),
    ):
        result = CliRunner().invoke(app, ["faults", "list", "--url", url])
        assert result.exit_code == 1
        assert says in result.output
        assert isinstance(result.exception, SystemExit)
    kinds = CliRunner().invoke(app, ["faults", "kinds"]).output
    assert "last_page_cursor_loops" in kinds
    assert "--option status=503 --option retry_after_s=30" in kinds
