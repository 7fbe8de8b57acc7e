"""Ctrl-C before there is a command to hear it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from aurastream.settings import REPO_ROOT

# Stands in for the first library that is imported: the signal comes while it is.
_INTERRUPTED = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"


def test_ctrl_c_while_the_command_is_imported_ends_it_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(_INTERRUPTED, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "aurastream.cli", "--help"],
        cwd=REPO_ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == -signal.SIGINT
    assert (done.stdout, done.stderr) == ("", "")
