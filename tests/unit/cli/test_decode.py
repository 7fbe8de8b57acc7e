import gzip
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from aurastream.cli import app
from aurastream.settings import REPO_ROOT


@pytest.fixture
def decode(tmp_path):
    def run(platform, body, name="answer.json"):
        path = tmp_path / name
        path.write_bytes(body)
        done = CliRunner().invoke(app, ["decode", platform, str(path)])
        return done.exit_code, done.output.replace(f"{tmp_path}/", "")

    return run


@pytest.mark.parametrize(
    ("platform", "body", "says"),
    [
        ("youtube", b"nonsense", "The file is not JSON."),
        ("youtube", b" \n", "The file is empty."),
        ("twitch", gzip.compress(b"{}", mtime=0), "unpack it with gunzip first."),
        ("youtube", b'{"data":[]}', "it looks like one of Twitch's."),
        ("twitch", b'{"kind":"youtube#videoListResponse","items":[]}', "one of YouTube's"),
        ("twitch", b"[]", "The answer has neither data nor a token nor an error."),
    ],
)
def test_what_cannot_be_read_is_said_once(decode, platform, body, says):
    code, said = decode(platform, body)
    assert code == 1
    assert said.startswith("answer.json: unreadable, MalformedError\n")
    assert said.count(says) == 1
    assert len(said.splitlines()) == 2


def test_each_rejected_item_has_a_line_whatever_is_in_it(decode):
    body = b'{"kind":"youtube#videoListResponse","items":[1,{"id":"[/b] :fire:","snippet":7}]}'
    code, said = decode("youtube", body, "[red]answer.json")
    assert code == 0
    first, *rejected = said.splitlines()
    assert first == "[red]answer.json: videos, 0 items"
    assert rejected[0].startswith("    rejected item without an id: Expected `object`")
    assert rejected[1].startswith("    rejected [/b] :fire:: ")


def test_a_terminal_that_knows_ascii_alone_is_told_what_it_can_show():
    done = subprocess.run(
        [sys.executable, "-m", "aurastream.cli", "decode", "twitch", "→.json"],
        cwd=REPO_ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("\\u2192.json: unreadable")


def test_a_file_that_is_not_there_is_named_and_the_others_are_read(tmp_path):
    there = tmp_path / "there.json"
    there.write_text('{"data":[]}', encoding="utf-8")
    done = CliRunner().invoke(app, ["decode", "twitch", str(tmp_path / "missing"), str(there)])
    assert done.exit_code == 1
    assert "missing: unreadable" in done.output
    assert "No such file" in done.output
    assert "there.json: empty, 0 items" in done.output
