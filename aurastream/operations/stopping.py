"""Signals that ask the process to stop, delivered to a thread.

A handler written in Python runs in the main thread between two of its steps, where any lock may be
held, and not at all while that thread is inside a library. So the interpreter's low-level handler
writes each signal's number to a socket, and a thread reads it there.
"""

import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

__all__ = ["StopSignal", "signals_delivered_to"]

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopSignal(Protocol):
    """What a long-running function is given to learn that it should return; an Event is one."""

    def is_set(self) -> bool:
        """Whether it is time to return."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is time to return or the seconds are over; return `is_set`."""
        ...


@contextmanager
def signals_delivered_to(
    receive: Callable[[signal.Signals], None],
    numbers: Sequence[signal.Signals] = _STOP_SIGNALS,
) -> Iterator[None]:
    """Deliver signals to ``receive``, in a thread of its own. To be entered in the main thread.

    A hangup that is ignored stays so: `nohup` asks for a process that outlives its terminal.
    """
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        numbers = [number for number in numbers if number is not signal.SIGHUP]
    reader, writer = socket.socketpair()
    writer.settimeout(0)  # the interpreter wants a descriptor that never blocks

    def deliver() -> None:
        while arrived := reader.recv(64):
            for number in arrived:
                if number in numbers:
                    receive(signal.Signals(number))

    thread = threading.Thread(target=deliver, name="aurastream-signals", daemon=True)
    previous = {number: signal.signal(number, _noted) for number in numbers}
    previous_fd = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous_fd)
        for number, handler in previous.items():
            signal.signal(number, handler)
        writer.close()
        thread.join()
        reader.close()


def _noted(_number: int, _frame: object) -> None:
    """Keep the default action away; the thread acts."""
