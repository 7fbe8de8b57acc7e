import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from aurastream.operations.stopping import signals_delivered_to

REPO_ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(),
    reason="signals can be redirected in the main thread only",
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_arrives_in_a_thread_and_the_old_handler_comes_back(
    number: signal.Signals,
) -> None:
    # Whoever runs the tests may have them ignore hangups, and that would stay so.
    inherited = signal.signal(number, signal.SIG_DFL)
    arrived: queue.Queue[signal.Signals] = queue.Queue()
    try:
        with signals_delivered_to(arrived.put):
            os.kill(os.getpid(), number)
            assert arrived.get(timeout=60) is number
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, inherited)


@pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread(),
    reason="signals can be redirected in the main thread only",
)
def test_a_hangup_that_nohup_ignores_stops_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    arrived: queue.Queue[signal.Signals] = queue.Queue()
    try:
        with signals_delivered_to(arrived.put):
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            assert arrived.get(timeout=60) is signal.SIGTERM
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


# The first life arms its parent-death signal and replaces itself from another thread; the second
# one says what it found.
_TWO_LIVES = """
import ctypes, os, pathlib, sys, threading, time
from aurastream.operations.ending import ProcessEnding
prctl = ctypes.CDLL(None).prctl
mark = pathlib.Path(sys.argv[1])
if not mark.exists():
    mark.write_text(str(os.getpid()))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 77, inheritable=False)
    prctl(1, 10, 0, 0, 0)
    ending = ProcessEnding()
    threading.Thread(target=ending.replace, args=("a test",)).start()
    time.sleep(600)
found = ctypes.c_int(0)
prctl(2, ctypes.byref(found), 0, 0, 0)
closed = not pathlib.Path("/proc/self/fd/77").exists()
print(mark.read_text() == str(os.getpid()), found.value, closed, threading.active_count())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="parent-death signals exist on Linux only")
def test_a_replaced_process_keeps_its_id_and_ties_and_loses_all_else(tmp_path: Path) -> None:
    program = tmp_path / "lives.py"
    program.write_text(_TWO_LIVES)
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "mark")],
        cwd=REPO_ROOT,
        env={**os.environ, "PYTHONPATH": str(REPO_ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split() == ["True", "10", "True", "1"]
    assert "ends: a test" in done.stderr
