"""A TCP listener that is no sshd: sends a greeting, then stays silent or hangs up."""

from __future__ import annotations

import contextlib
import socket
import threading


class Listener:
    """Serves in a thread. ``calls`` counts connections; ``most`` is how many were open at once."""

    def __init__(self, greeting: bytes = b"", *, hang_up: bool = False) -> None:
        self.calls = 0
        self.most = 0
        self._open = 0
        self._greeting = greeting
        self._hang_up = hang_up
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])

    def __enter__(self) -> Listener:
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for thread in self._threads:
            thread.join()
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self._socket.accept()
                thread = threading.Thread(target=self._serve, args=(conn,))
                thread.start()
                self._threads.append(thread)

    def _serve(self, conn: socket.socket) -> None:
        with self._lock:
            self.calls += 1
            self._open += 1
            self.most = max(self.most, self._open)
        with conn, contextlib.suppress(OSError):
            conn.sendall(self._greeting)
            while not self._hang_up and conn.recv(65536):
                pass
        with self._lock:
            self._open -= 1
