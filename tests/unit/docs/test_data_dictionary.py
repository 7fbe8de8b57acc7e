"""The committed data dictionary is the one its tool writes."""

import subprocess
import sys
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parents[3]
TOOL = REPO_ROOT / "script" / "data-dictionary.py"


def test_the_committed_file_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(TOOL), "--check"],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPO_ROOT,
    )

    assert (done.returncode, done.stderr) == (0, "")
