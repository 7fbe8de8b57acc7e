"""The supervisor with real child processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import psutil
import pytest

from aurastream.operations.errors import (
    PortConflictError,
    ProcessError,
    ProcessNotReadyError,
    SupervisorRunningError,
)
from aurastream.operations.ports import free_port, is_free
from aurastream.operations.probes import http_answers
from aurastream.operations.processes import ProcessEvent, ProcessSpec, Supervisor

T = TypeVar("T")

REPO_ROOT = Path(__file__).resolve().parents[3]

SERVER = (
    "import sys; from http.server import SimpleHTTPRequestHandler as Handler, test;"
    "test(Handler, port=int(sys.argv[1]), bind='127.0.0.1')"
)
SLEEPER = "import time; print('awake', flush=True); time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
PARENT = (
    "import subprocess, sys, time;"
    "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "print('offspring', p.pid, flush=True); time.sleep(600)"
)


def wait_until(check: Callable[[], T | None], within: float = 60.0) -> T:
    deadline = time.monotonic() + within
    while not (found := check()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def python(name: str, code: str, *arguments: str, **options: object) -> ProcessSpec:
    return ProcessSpec(name=name, command=[sys.executable, "-c", code, *arguments], **options)  # type: ignore[arg-type] # options of one spec


def server(port: int, **options: object) -> ProcessSpec:
    return python(
        "server",
        SERVER,
        str(port),
        port=port,
        probe=http_answers(f"http://127.0.0.1:{port}/"),
        **options,
    )


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(log_dir=tmp_path / "logs", state_dir=tmp_path / "state") as running:
        yield running


def test_a_child_is_ready_when_it_answers_and_ends_with_the_supervisor(tmp_path: Path) -> None:
    with Supervisor(log_dir=tmp_path / "logs", state_dir=tmp_path / "state") as supervisor:
        port = free_port()
        pid = supervisor.start(server(port))
        socket.create_connection(("127.0.0.1", port)).close()
    assert ended(pid)
    assert "GET /" in supervisor.log_path("server").read_text()


def test_children_stop_at_once(supervisor: Supervisor, tmp_path: Path) -> None:
    # Each of them ends only when it sees that the other was asked as well.
    code = (
        "import pathlib, signal, sys, time\n"
        "mine, other = map(pathlib.Path, sys.argv[1:])\n"
        "def stop(*_):\n"
        "    mine.touch()\n"
        "    while not other.exists(): time.sleep(0.01)\n"
        "    (mine.parent / f'{mine.name}.ended').touch(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop); print('up', flush=True); time.sleep(600)"
    )

    def says_up(name: str) -> Callable[[int], None]:
        def probe(_pid: int) -> None:
            assert "up" in supervisor.log_path(name).read_text()

        return probe

    for mine, other in (("a", "b"), ("b", "a")):
        paths = (str(tmp_path / mine), str(tmp_path / other))
        supervisor.start(python(mine, code, *paths, probe=says_up(mine), stop_timeout_s=60.0))
    supervisor.stop()
    assert (tmp_path / "a.ended").exists()
    assert (tmp_path / "b.ended").exists()


def test_a_child_stops_after_those_that_need_it(supervisor: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    code = (
        "import signal, sys, time\n"
        "def stop(*_):\n"
        "    open(sys.argv[2], 'a').write(sys.argv[1]); sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop); print('up', flush=True); time.sleep(600)"
    )

    def says_up(name: str) -> Callable[[int], None]:
        def probe(_pid: int) -> None:
            assert "up" in supervisor.log_path(name).read_text()

        return probe

    for name, users in (("a", "bc"), ("b", "c"), ("c", "")):
        spec = python(name, code, name, str(order), probe=says_up(name), stops_after=list(users))
        supervisor.start(spec)
    supervisor.stop()
    assert order.read_text() == "cba"


def test_a_child_that_ends_before_it_is_ready_is_reported_with_its_last_words(
    supervisor: Supervisor,
) -> None:
    spec = python(
        "brief", "raise SystemExit('no disk today')", probe=http_answers("http://127.0.0.1:1/")
    )
    with pytest.raises(
        ProcessNotReadyError, match=r"ended with code 1[\s\S]*no disk today"
    ) as raised:
        supervisor.start(spec)
    assert str(supervisor.log_path("brief")) in str(raised.value)


def test_a_child_that_stays_silent_is_stopped_and_reported(supervisor: Supervisor) -> None:
    spec = python(
        "silent",
        SLEEPER,
        probe=http_answers(f"http://127.0.0.1:{free_port()}/"),
        ready_timeout_s=0.5,
    )
    with pytest.raises(ProcessNotReadyError, match="not ready within"):
        supervisor.start(spec)
    with pytest.raises(KeyError):
        supervisor.pid("silent")


def test_a_child_hears_interrupts_even_where_its_supervisor_runs_in_the_background_of_a_shell(
    supervisor: Supervisor,
) -> None:
    code = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    # What a shell does for a command that ends with &; Dagster takes SIGTERM for the same signal.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        supervisor.start(python("hearing", code, restart=False))
    finally:
        signal.signal(signal.SIGINT, before)
    assert wait_until(supervisor.log_path("hearing").read_text) == "True\n"


def test_a_program_that_does_not_exist_is_a_clear_error(supervisor: Supervisor) -> None:
    with pytest.raises(ProcessNotReadyError, match=r"could not be started[\s\S]*No such file"):
        supervisor.start(ProcessSpec(name="absent", command=["/nonexistent/program"]))


def test_two_children_of_one_name_are_refused(supervisor: Supervisor) -> None:
    supervisor.start(python("twin", SLEEPER))
    with pytest.raises(ProcessError, match="'twin' is running already"):
        supervisor.start(python("twin", SLEEPER))


def test_a_taken_port_is_refused_and_its_owner_named(supervisor: Supervisor) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert not is_free(port)
        with pytest.raises(PortConflictError, match=f"taken by .*process {os.getpid()}"):
            supervisor.start(server(port))
    # What a damaged file of a kept port may say is no port at all.
    assert not is_free(99_999)
    assert not is_free(-5)


def test_a_port_shared_with_a_stranger_is_refused(supervisor: Supervisor) -> None:
    sharing = (
        "import socket, sys, time; s = socket.socket();"
        "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1);"
        "s.bind(('127.0.0.1', int(sys.argv[1]))); s.listen(); print('up', flush=True);"
        "time.sleep(600)"
    )
    port = free_port()
    stranger: list[subprocess.Popen[bytes]] = []

    def probe(_pid: int) -> None:
        # The stranger joins while our child is starting, as a forgotten code server would.
        if not stranger:
            stranger.append(
                subprocess.Popen([sys.executable, "-c", sharing, str(port)], stdout=subprocess.PIPE)
            )
            out = stranger[0].stdout
            assert out is not None
            with out:
                out.readline()
        assert "up" in supervisor.log_path("sharing").read_text()

    try:
        with pytest.raises(PortConflictError, match="served by somebody else too"):
            supervisor.start(python("sharing", sharing, str(port), port=port, probe=probe))
    finally:
        stranger[0].kill()
        stranger[0].wait()


def test_a_crashed_child_is_restarted(supervisor: Supervisor) -> None:
    port = free_port()
    first = supervisor.start(server(port))
    events: list[ProcessEvent] = []

    def look() -> bool:
        events.extend(supervisor.watch_once())
        return [e.what for e in events] == ["ended", "restarted"]

    os.kill(first, signal.SIGKILL)
    wait_until(look)
    wait_until(lambda: _answers(port))
    assert supervisor.pid("server") != first
    assert "code 137" in events[0].detail
    # The probe asked it for a page, which it wrote down.
    assert events[0].brief.startswith("code 137, its last line: ")
    assert "GET /" in events[0].brief
    assert str(supervisor.log_path("server")) not in events[0].brief


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def test_a_child_that_keeps_crashing_is_restarted_after_growing_pauses(
    supervisor: Supervisor,
) -> None:
    supervisor.start(python("hasty", "raise SystemExit(3)"))
    events: list[ProcessEvent] = []

    def look() -> bool:
        events.extend(supervisor.watch_once())
        return len(events) >= 5

    wait_until(look)
    assert [e.what for e in events] == ["ended", "restarted", "ended", "restarted", "ended"]


def test_a_child_that_must_not_be_restarted_is_left_ended(supervisor: Supervisor) -> None:
    supervisor.start(python("once", "raise SystemExit(0)", restart=False))
    assert wait_until(supervisor.watch_once)[0].what == "ended"
    assert supervisor.watch_once() == []


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    with Supervisor(log_dir=tmp_path, state_dir=tmp_path) as supervisor:
        pid = supervisor.start(python("stubborn", STUBBORN, stop_timeout_s=0.2))
    assert ended(pid)


def _offspring(path: Path) -> int:
    return wait_until(
        lambda: int(text.split()[1]) if (text := path.read_text()).endswith("\n") else None
    )


def test_what_a_child_started_ends_with_it(supervisor: Supervisor) -> None:
    supervisor.start(python("parent", PARENT))
    offspring = _offspring(supervisor.log_path("parent"))
    supervisor.stop_one("parent")
    assert ended(offspring)


def test_offspring_that_is_spared_outlives_a_crash_and_ends_with_the_supervisor(
    supervisor: Supervisor,
) -> None:
    pid = supervisor.start(python("parent", PARENT, spare_offspring=True, restart=False))
    offspring = _offspring(supervisor.log_path("parent"))
    os.kill(pid, signal.SIGKILL)
    wait_until(supervisor.watch_once)
    assert not ended(offspring)
    supervisor.stop()
    assert ended(offspring)


_SUPERVISE = f"""
import sys, time
from pathlib import Path
from aurastream.operations.processes import ProcessSpec, Supervisor
home = Path(sys.argv[1])
supervisor = Supervisor(log_dir=home, state_dir=home)
supervisor.open()
supervisor.start(ProcessSpec(name="parent", command=[sys.executable, "-c", {PARENT!r}]))
print(supervisor.pid("parent"), flush=True)
time.sleep(600)
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A supervisor in another process, on the same directory."""
    with subprocess.Popen(
        [sys.executable, "-c", _SUPERVISE, str(tmp_path)],
        cwd=REPO_ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.kill()


def _child_of(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_nothing_outlives_a_supervisor_that_was_killed(
    other: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    pid = _child_of(other)
    offspring = _offspring(tmp_path / "parent.log")
    other.kill()
    other.wait()
    wait_until(lambda: ended(pid) and ended(offspring))
    assert (ended(pid), ended(offspring)) == (True, True)


def test_a_second_supervisor_on_a_directory_is_refused(
    other: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    _child_of(other)
    with pytest.raises(SupervisorRunningError, match=f"as process {other.pid}"):
        Supervisor(log_dir=tmp_path, state_dir=tmp_path).open()


def test_a_new_supervisor_ends_what_a_killed_one_and_its_guardian_left(
    other: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    pid = _child_of(other)
    offspring = _offspring(tmp_path / "parent.log")
    # The guardian first, so that nobody is left to end the offspring.
    guardian = psutil.Process(pid).parent()
    assert guardian is not None
    guardian.kill()
    other.kill()
    other.wait()
    assert not ended(offspring)
    supervisor = Supervisor(log_dir=tmp_path, state_dir=tmp_path)
    found = supervisor.open()
    supervisor.stop()
    assert found == ["parent"]
    assert ended(offspring)


def test_a_list_that_names_a_reused_process_id_harms_nobody(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLEEPER], process_group=0, stdout=subprocess.DEVNULL
    ) as innocent:
        (tmp_path / "processes.json").write_text(
            f'[{{"name": "webserver", "pid": {innocent.pid}, "started": 1000000.0}}]'
        )
        supervisor = Supervisor(log_dir=tmp_path, state_dir=tmp_path)
        assert supervisor.open() == []
        supervisor.stop()
        assert innocent.poll() is None
        innocent.kill()


def test_a_damaged_list_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "processes.json").write_text('{"truncat')
    supervisor = Supervisor(log_dir=tmp_path, state_dir=tmp_path)
    assert supervisor.open() == []
    supervisor.stop()
