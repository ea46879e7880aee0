"""A connection that breaks at a commit: before the server hears of it, or before its answer.

Only what the client can see differs between the two: after the first nothing was loaded, after the
second all of it was, and in both cases all it is told is that the connection is lost.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

# MariaDB's RENAME TABLE commits too.
_COMMITS = re.compile(rb"COMMIT|RENAME TABLE")
_SIZE = 65_536


@dataclass
class CommitCut:
    """A port in front of a server's; the ``number``-th commit that passes it breaks its connection.

    Args:
        server_port: on loopback.
        number: from 1.
        answered: the server gets the commit, and only its answer is lost.
    """

    server_port: int
    number: int
    answered: bool
    commits: int = 0
    cut: bool = False
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _threads: list[threading.Thread] = field(default_factory=list[threading.Thread])

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @contextmanager
    def open(self) -> Generator[CommitCut]:
        self._start(self._accept)
        try:
            yield self
        finally:
            # A thread that waits in accept() is not woken by close().
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            for thread in self._threads:
                thread.join()

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args)  # pyright: ignore[reportArgumentType]  # every work here is a method
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.server_port))
                told = threading.Event()
                self._start(self._upstream, client, server, told)
                self._start(self._downstream, client, server, told)

    def _upstream(
        self, client: socket.socket, server: socket.socket, told: threading.Event
    ) -> None:
        with _both_end(client, server):
            while data := client.recv(_SIZE):
                if _COMMITS.search(data):
                    self.commits += 1
                    if self.commits == self.number:
                        self.cut = True
                        if not self.answered:
                            return
                        told.set()
                server.sendall(data)

    @staticmethod
    def _downstream(client: socket.socket, server: socket.socket, told: threading.Event) -> None:
        with _both_end(client, server):
            while data := server.recv(_SIZE):
                if told.is_set():
                    return
                client.sendall(data)


@contextmanager
def _both_end(client: socket.socket, server: socket.socket) -> Generator[None]:
    try:
        with suppress(OSError):
            yield
    finally:
        for one in (client, server):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
