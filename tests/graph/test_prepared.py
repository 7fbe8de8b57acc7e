"""The process that runs are forked from."""

import subprocess
import sys

_LOOK = """
import threading
import aurastream_assets.prepared
import psutil
print([thread.name for thread in threading.enumerate()])
me = psutil.Process()
print(me.net_connections(), me.children())
"""


def test_what_runs_are_forked_from_has_no_thread_or_connection_that_they_would_share() -> None:
    looked = subprocess.run(
        [sys.executable, "-c", _LOOK], capture_output=True, text=True, timeout=120, check=True
    )
    assert looked.stdout.splitlines() == ["['MainThread']", "[] []"]
