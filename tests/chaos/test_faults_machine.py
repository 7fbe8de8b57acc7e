"""A machine that does not give what is asked of it: ports, disk space, directories, the time."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pandas as pd
import pytest
from pydantic import SecretStr

from aurastream.operations.doctor import examine
from aurastream.replay.server import background
from aurastream.settings import Settings
from aurastream.store.errors import SpoolError
from aurastream.store.frames import Append, FrameStore, RetryPolicy
from tests.chaos.cluster import REPO_ROOT

pytestmark = pytest.mark.chaos
IMPATIENT = RetryPolicy(total_s=0.0)


def aurastream(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as an operator does."""
    return subprocess.run(
        [sys.executable, "-m", "aurastream.cli", *arguments],
        cwd=REPO_ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A directory that even root cannot write to."""
    directory = tmp_path / "read-only"
    directory.mkdir()
    _mount("--bind", str(directory), str(directory))
    try:
        _mount("-o", "remount,ro,bind", str(directory))
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a quarter of a megabyte."""
    directory = tmp_path / "small"
    directory.mkdir()
    _mount("-t", "tmpfs", "-o", "size=256k", "tmpfs", str(directory))
    try:
        yield directory
    finally:
        subprocess.run(["umount", str(directory)], check=True)


def _mount(*arguments: str) -> None:
    if sys.platform != "linux" or shutil.which("mount") is None:
        pytest.skip("needs Linux to mount")
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs the right to mount: {done.stderr.strip()}")


# -- ports -----------------------------------------------------------------------------------------


def test_a_taken_port_ends_the_start_in_one_line_and_leaves_nothing_running(
    tmp_path: Path, server_directory: Path
) -> None:
    data = server_directory / "port-taken"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = aurastream("up", "--port", str(port), AURASTREAM_DATA_DIR=str(data))

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"Port {port}" in done.stderr
    assert "let a free port be chosen" in done.stderr
    # Nobody is left with the directory: a second start gets as far.
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = aurastream("up", "--port", str(port), AURASTREAM_DATA_DIR=str(data))
    assert f"Port {port}" in done.stderr


# -- disks and directories -------------------------------------------------------------------------


def test_a_data_directory_that_cannot_be_one_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    directory = tmp_path / "file" / "data"

    done = aurastream("up", "--once", AURASTREAM_DATA_DIR=str(directory))

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"{directory} cannot be written: Not a directory" in done.stderr
    assert "AURASTREAM_DATA_DIR" in done.stderr


def test_a_read_only_data_directory_is_named_in_one_line(read_only: Path) -> None:
    done = aurastream("up", "--once", AURASTREAM_DATA_DIR=str(read_only))

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"{read_only} cannot be written: Read-only file system" in done.stderr


@pytest.mark.parametrize("place", ["file/data", "file"])
def test_the_doctor_sees_that_a_data_directory_is_none(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")

    done = aurastream("doctor", "--json", AURASTREAM_DATA_DIR=str(tmp_path / place))

    assert done.returncode == 1
    (finding,) = [f for f in json.loads(done.stdout) if f["name"] == "data directory"]
    assert finding["level"] == "fault"
    assert f"{tmp_path / 'file'} is a file" in finding["detail"]
    assert "AURASTREAM_DATA_DIR" in finding["fix"]
    assert [f["name"] for f in json.loads(done.stdout) if f["level"] == "fault"] == [
        "data directory"
    ]


def test_a_disk_that_fills_up_under_the_spool_loses_nothing_that_was_promised(
    small_disk: Path, store: FrameStore, free_port: Callable[[], int]
) -> None:
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)

    def crawl(number: int) -> Append:
        return Append(
            "operations.quarantine",
            pd.DataFrame(
                {
                    "occurred_at": [at],
                    "quarantine_id": [f"00000000-0000-0000-0000-{number:012d}"],
                    "source": ["test"],
                    "item_id": [str(number)],
                    "reason": ["test"],
                    "raw": [os.urandom(16_384).hex()],
                    "fetch_id": [None],
                }
            ),
        )

    away = f"postgresql://nobody:none@127.0.0.1:{free_port()}/none"
    promised = 0
    with FrameStore(away, spool=small_disk / "spool", retry=IMPATIENT) as cut_off:

        def fill() -> None:
            nonlocal promised
            while promised < 100:
                assert cut_off.commit([crawl(promised)], spool=True)[0].spooled
                promised += 1

        with pytest.raises(SpoolError, match=r"No space left.*Free some space"):
            fill()
    assert promised > 0

    with FrameStore(store.url, spool=small_disk / "spool") as back:
        assert back.drain() == promised
        assert back.spool is not None
        assert back.spool.aside() == []
        # With room again, the next write finds its way.
        assert back.commit([crawl(promised)], spool=True)[0].inserted == 1
    assert len(store.read("operations.quarantine")) == promised + 1


# -- time ------------------------------------------------------------------------------------------


@pytest.fixture
def replay() -> Iterator[str]:
    with background() as url:
        yield url


@pytest.mark.parametrize(
    ("hours", "side"), [(3, "180 min behind replay server"), (-3, "180 min ahead of replay server")]
)
def test_the_doctor_warns_of_a_clock_that_is_not_the_platforms(
    replay: str, tmp_path: Path, hours: int, side: str
) -> None:
    fault = {"kind": "clock_skew", "options": {"seconds": hours * 3600}}
    httpx.post(f"{replay}/_replay/faults", json=fault).raise_for_status()
    settings = Settings(data_dir=tmp_path, replay_url=replay)

    findings = list(examine(lambda: settings))

    (clock,) = [finding for finding in findings if finding.name == "clock"]
    assert clock.level == "warning"
    assert side in clock.detail
    assert "NTP" in clock.fix


def test_the_doctor_has_no_word_about_clocks_that_agree(replay: str, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, replay_url=replay)

    findings = {finding.name: finding for finding in examine(lambda: settings)}

    assert findings["replay server"].level == "ok"
    assert "clock" not in findings
    assert httpx.get(f"{replay}/_replay/status").json()["quota_used"] == {}


def test_the_doctor_warns_of_a_platform_that_does_not_answer(
    tmp_path: Path, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("YOUTUBE_API_KEY", "key")
    monkeypatch.setenv("AURASTREAM_POLICY_MODE", "strict")
    monkeypatch.setenv("AURASTREAM_YOUTUBE_BASE_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AURASTREAM_DATA_DIR", str(tmp_path))

    findings = {finding.name: finding for finding in examine()}

    assert findings["youtube"].level == "warning"
    assert "ConnectError" in findings["youtube"].detail
    assert "twitch" not in findings


def test_the_doctor_names_what_answers_in_the_place_of_a_platform(
    replay: str, tmp_path: Path
) -> None:
    settings = Settings(
        data_dir=tmp_path,
        youtube_api_key=SecretStr("key"),
        policy_mode="strict",
        youtube_base_url=f"{replay}/elsewhere",
    )

    findings = {finding.name: finding for finding in examine(lambda: settings)}

    assert findings["youtube"].level == "fault"
    assert "HTTP 404" in findings["youtube"].detail
    assert "AURASTREAM_YOUTUBE_BASE_URL" in findings["youtube"].fix


def test_the_doctor_counts_what_waits_in_the_spool_and_nothing_else(
    tmp_path: Path, store: FrameStore, free_port: Callable[[], int]
) -> None:
    settings = Settings(data_dir=tmp_path)

    def spool() -> tuple[str, str]:
        (found,) = [f for f in examine(lambda: settings) if f.name == "spool"]
        return found.level, found.detail

    frame = pd.DataFrame(
        {
            "dataset": ["d"],
            "category": ["c"],
            "last_crawl_at": pd.to_datetime([None], utc=True),
            "membership_hash": [None],
            "unchanged_count": [0],
            "failure_count": [1],
        }
    )
    away = f"postgresql://nobody:none@127.0.0.1:{free_port()}/none"
    with FrameStore(away, spool=tmp_path / "spool", retry=IMPATIENT) as cut_off:
        cut_off.commit([Append("operations.collection_state", frame)], spool=True)
    assert spool() == ("warning", "writes that wait for Postgres: 1")
    with FrameStore(store.url, spool=tmp_path / "spool") as back:
        back.drain()
    assert spool() == ("ok", "empty")
