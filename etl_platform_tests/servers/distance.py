"""A server that is far away: what is sent to it, and what it answers, arrives later."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress


class Distance:
    """Passes connections to a port of loopback on, each way with half of the latency.

    What is sent in one go counts once, however much it is: latency, not bandwidth.
    """

    def __init__(self, target: int, round_trip_s: float) -> None:
        self._target = target
        self._one_way_s = round_trip_s / 2
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections; those that are open go on until an end closes them."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pass(near, far)
            self._pass(far, near)

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        under_way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

        def take() -> None:
            data = b"-"
            while data:
                try:
                    data = source.recv(1 << 20)
                except OSError:
                    data = b""
                under_way.put((time.monotonic() + self._one_way_s, data))

        def deliver() -> None:
            data = b"-"
            while data:
                due, data = under_way.get()
                time.sleep(max(0.0, due - time.monotonic()))
                with suppress(OSError):
                    if data:
                        sink.sendall(data)
                    else:
                        sink.shutdown(socket.SHUT_WR)

        for work in (take, deliver):
            threading.Thread(target=work, daemon=True).start()


@contextmanager
def distance(target: int, round_trip_s: float) -> Generator[Distance]:
    """A port in front of ``target`` that is so far away."""
    made = Distance(target, round_trip_s)
    try:
        yield made
    finally:
        made.close()
