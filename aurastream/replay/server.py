"""Runs the replay server: in the foreground, or in a thread of another program."""

import ctypes
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from aurastream.core.errors import SettingsError
from aurastream.replay.app import TRANSPORT, create_app

__all__ = ["background", "run_replay", "serve"]

_PR_SET_PDEATHSIG: Final = 1
_WATCH_S: Final = 0.5
_STARTING_S: Final = 30.0


class _Protocol(HttpToolsProtocol):
    """Lets the application reach the connection, which outages and cut bodies have to close."""

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self.scope[TRANSPORT] = self.transport  # type: ignore[typeddict-unknown-key] # ours


def serve(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    clock: Callable[[], float] = time.time,
    public_url: str = "",
    ready: Callable[[str], None] | None = None,
    with_parent: bool = True,
) -> None:
    """Serve until SIGTERM or SIGINT, or until the parent process is gone.

    Parameters
    ----------
    host : str
        Address to bind; loopback, unless you know who else is on the network.
    port : int
        0 for a free one.
    clock : callable
        Virtual now, in seconds since 1970.
    public_url : str
        Base of the links to thumbnails; by default what the client wrote as host.
    ready : callable, optional
        Called with the server's URL as soon as it accepts connections.
    with_parent : bool
        End when the process that started this one ends.

    Raises
    ------
    SettingsError
        If the port is taken, or not for us.
    """
    listener = _listen(host, port)
    url = f"http://{host}:{listener.getsockname()[1]}"
    server = _server(clock, public_url)
    if threading.current_thread() is threading.main_thread():
        # uvicorn raises the signal once more after its shutdown; with a handler of ours in
        # place, that ends in a return from here and an exit code of 0.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    stop = _watch_parent(server) if with_parent else None
    try:
        if ready is not None:
            # The socket listens already; what arrives waits until the loop runs.
            ready(url)
        server.run(sockets=[listener])
    finally:
        if stop is not None:
            stop.set()
        listener.close()


def run_replay(port: int = 0, port_file: Path | None = None, **options: Any) -> None:  # noqa: ANN401 # passed on
    """Serve on loopback; print the URL and write it to a file, in one step.

    Parameters
    ----------
    port : int
        0 for a free one.
    port_file : Path, optional
        Where to write the URL.
    **options
        Passed on to `serve`.
    """

    def announce(url: str) -> None:
        if port_file is not None:
            port_file.parent.mkdir(parents=True, exist_ok=True)
            half = port_file.with_name(port_file.name + ".part")
            half.write_text(url, encoding="utf-8")
            half.replace(port_file)
        sys.stdout.write(url + "\n")
        sys.stdout.flush()

    serve(port=port, ready=announce, **options)


@contextmanager
def background(*, clock: Callable[[], float] = time.time, public_url: str = "") -> Iterator[str]:
    """Serve from a thread of this program while the context lasts.

    Yields
    ------
    str
        The server's URL.

    Examples
    --------
    >>> import httpx
    >>> with background() as url:
    ...     httpx.get(f"{url}/_replay/status").status_code
    200
    """
    listener = _listen("127.0.0.1", 0)
    server = _server(clock, public_url)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_STARTING_S)
        listener.close()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"Port {port} cannot be listened on: {error.strerror}.",
            fix="Leave --port out, and a free one is chosen.",
        ) from error
    return listener


def _server(clock: Callable[[], float], public_url: str) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(clock=clock, public_url=public_url),
        http=_Protocol,
        ws="none",
        log_level="error",
        access_log=False,
        server_header=False,
        date_header=False,  # the date is the virtual one
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def _watch_parent(server: uvicorn.Server) -> threading.Event:
    """End the server when its parent ends.

    The kernel's signal is quick but also comes when only the parent's thread that started us
    ends, so it is taken as a hint to look; where there is no such signal, looking twice a second
    does.
    """
    parent = os.getppid()

    def look(*_: object) -> None:
        if os.getppid() != parent:
            server.should_exit = True

    if sys.platform == "linux" and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, look)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGHUP, 0, 0, 0)
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_WATCH_S):
            look()

    threading.Thread(target=watch, name="parent watch", daemon=True).start()
    return stop
