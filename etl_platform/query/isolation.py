"""A process for every query, made quickly: forked from one that has imported everything.

The process that asks is never forked: it may have threads that hold locks. A second interpreter is
started once; it imports DuckDB and forks a child for every connection that it is handed.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from multiprocessing.connection import Connection

from etl_platform.core.errors import TransientError

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from etl_platform.query.isolation import serve; serve(int(sys.argv[1]))"
)
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Variables that children see: no credential that the asking process may have."""

_lock = threading.Lock()
_forks: ForkServer | None = None


class ForkServer:
    """The second interpreter, seen from the process that asks. Ends when that process does."""

    def __init__(self) -> None:
        self._pid = os.getpid()
        ours, theirs = socket.socketpair()
        self._control = ours
        with theirs:
            environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
            # Its own session: a terminal's Ctrl-C goes to whoever asked, who then ends the child.
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(theirs.fileno()), json.dumps(sys.path)],
                pass_fds=[theirs.fileno()],
                # Threads of numpy's linear algebra would be lost in every child.
                env={**environment, "OPENBLAS_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    @property
    def usable(self) -> bool:
        """Whether it runs, and belongs to this process rather than to one that was forked away."""
        return self._pid == os.getpid() and self._process.poll() is None

    def connect(self) -> Connection:
        """The near end of a connection to a process of its own.

        Raises:
            OSError: the server is gone.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b"1"], [theirs.fileno()])
        return Connection(ours.detach())


def prepare() -> ForkServer:
    """The fork server of this process; started when there is none, without waiting for it."""
    global _forks
    with _lock:
        if _forks is None or not _forks.usable:
            _forks = ForkServer()
        return _forks


def connect() -> Connection:
    """A connection to a new process that waits for one request.

    Raises:
        TransientError: no process could be started.
    """
    for _ in range(2):
        try:
            return prepare().connect()
        except OSError:
            continue
    raise TransientError("no process could be started for the query", fix="run it again")


def serve(control: int) -> None:
    """Fork a child for every descriptor that arrives, until the asking process is gone."""
    from etl_platform.query.worker import answer

    for module in ("duckdb", "pyarrow.ipc"):
        importlib.import_module(module)  # so that no child has to

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children leave no zombies
    gc.freeze()
    with socket.socket(fileno=control) as server:
        while True:
            message, descriptors, _, _ = socket.recv_fds(server, 1, 1)
            if not message:
                return
            if os.fork() == 0:
                server.close()
                try:
                    answer(Connection(descriptors[0]))
                finally:
                    os._exit(0)  # nothing of the server's may run its exit handlers here
            os.close(descriptors[0])
