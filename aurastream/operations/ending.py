"""Ending a process so that none of its threads takes another step."""

import contextlib
import ctypes
import os
import sys
from typing import Final, NoReturn

__all__ = ["EXIT_FAILED", "EXIT_FORCED", "EXIT_LOST", "ProcessEnding"]

EXIT_FORCED: Final = 1
EXIT_FAILED: Final = 70  # EX_SOFTWARE: the daemon ended by itself
EXIT_LOST: Final = 75  # EX_TEMPFAIL: start me again

_PR_SET_PDEATHSIG: Final = 1
_PR_GET_PDEATHSIG: Final = 2


class ProcessEnding:
    """Two ways to end this process at once; construct it in the main thread."""

    def __init__(self) -> None:
        self._parent_death_signal = _parent_death_signal()

    def exit(self, reason: str, code: int) -> NoReturn:
        """End: no handlers, no waiting for threads, nothing flushed but the reason."""
        _say(reason)
        os._exit(code)

    def replace(self, reason: str) -> NoReturn:
        """Begin a new life under the same process id.

        The kernel ends every other thread before it loads the program again, so for them this is
        as final as an exit. The new life starts without connections: descriptors close on exec.
        """
        _say(reason)
        with contextlib.suppress(OSError):
            if self._parent_death_signal:
                # Linux keeps this signal per thread, and any thread may be here.
                _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(self._parent_death_signal))
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 # ourselves
        os._exit(EXIT_LOST)


def _say(reason: str) -> None:
    # Not through logging: its locks may be held by a thread that is about to vanish.
    with contextlib.suppress(OSError):
        os.write(2, f"aurastream head {os.getpid()} ends: {reason}\n".encode())


def _parent_death_signal() -> int:
    number = ctypes.c_int(0)
    _prctl(_PR_GET_PDEATHSIG, ctypes.byref(number))
    return number.value


def _prctl(option: int, argument: object) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, argument, 0, 0, 0)
