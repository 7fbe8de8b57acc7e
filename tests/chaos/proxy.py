"""A TCP proxy that can cut its connections, or go silent as an unplugged cable does."""

import contextlib
import selectors
import socket
import threading


class Proxy:
    """Forwards a port of its own to a target until told otherwise."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._selector = selectors.DefaultSelector()
        self._wake_r, self._wake_w = socket.socketpair()
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        self._open = True
        self._silent = False
        self._ended = False
        for source in (self._listener, self._wake_r):
            self._selector.register(source, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        self._set(open_=False, silent=False)

    def fall_silent(self) -> None:
        """Keep every connection open and forward nothing more, in either direction."""
        self._set(open_=True, silent=True)

    def restore(self) -> None:
        """Forward new connections again; old ones stay as they are."""
        self._set(open_=True, silent=False)

    def close(self) -> None:
        with self._lock:
            self._ended = True
        self._wake_w.send(b"\0")
        self._thread.join()
        self._selector.close()
        for end in (self._listener, self._wake_r, self._wake_w):
            end.close()

    def _set(self, *, open_: bool, silent: bool) -> None:
        with self._lock:
            self._open, self._silent = open_, silent
            if not open_:
                for end in list(self._pairs):
                    self._drop(end)
        self._wake_w.send(b"\0")

    def _run(self) -> None:
        while not self._ended:
            events = self._selector.select()
            with self._lock:
                for key, _ in events:
                    self._handle(key.fileobj)  # type: ignore[arg-type] # sockets only
            if self._silent and not self._ended:
                # Nothing is read, so the selector would spin; wait for the next command.
                self._wake_r.recv(64)
        for end in list(self._pairs):
            self._drop(end)

    def _handle(self, source: socket.socket) -> None:
        if source is self._wake_r:
            source.recv(64)
        elif source is self._listener:
            client, _ = source.accept()
            if not self._open:
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", self._target_port))
            self._pairs.update({client: server, server: client})
            for end in (client, server):
                self._selector.register(end, selectors.EVENT_READ)
        elif not self._silent and source in self._pairs:
            self._forward(source)

    def _forward(self, source: socket.socket) -> None:
        try:
            data = source.recv(65536)
            if data:
                self._pairs[source].sendall(data)
                return
        except OSError:
            pass
        self._drop(source)

    def _drop(self, source: socket.socket) -> None:
        other = self._pairs.pop(source, None)
        if other is None:
            return
        self._pairs.pop(other, None)
        for end in (source, other):
            with contextlib.suppress(KeyError):
                self._selector.unregister(end)
            end.close()
