"""The most memory that this program ever held."""

import resource
import sys
from pathlib import Path

__all__ = ["peak_kib"]


def peak_kib() -> float:
    """Return the peak of this program alone, as far as the system tells it apart.

    Linux hands the peak of getrusage down from whoever started a program, its own record not.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1])
    peak = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return peak / 2**10 if sys.platform == "darwin" else peak
