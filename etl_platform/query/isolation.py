"""A process for every query, ready before it is asked for.

The process that asks is never forked: it may have threads that hold locks. A second interpreter is
started once; it imports DuckDB and forks a child for every connection that it is handed. While no
query runs it keeps one child ready, which has opened its session: that takes ten times as long as
handing it a query does. No child ever serves two.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NoReturn

from etl_platform.core.errors import TransientError

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from etl_platform.query.isolation import serve; serve(int(sys.argv[1]))"
)
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""Variables that children see: no credential that the asking process may have."""
RUNNING = "etl-query"
"""What a child is called in a list of processes once it was handed a query."""
_SPILL = re.compile(r"query-[0-9a-f]{32}")
_MAX_PATH = 4096

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

    def connect(self, spill: Path) -> Connection:
        """The near end of a connection to a process of its own.

        Raises:
            OSError: the server is gone.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            # The descriptor marks where a message ends: no kernel reads on past one.
            socket.send_fds(self._control, [os.fsencode(spill)], [theirs.fileno()])
        return Connection(ours.detach())


def prepare() -> ForkServer:
    """The fork server of this process; started when there is none, without waiting for it."""
    global _forks
    with _lock:
        if _forks is None or not _forks.usable:
            _forks = ForkServer()
        return _forks


def connect(spill: Path) -> Connection:
    """A connection to a new process that waits for one request.

    Args:
        spill: the private folder of the query; gone once the process is, whatever ended it.

    Raises:
        TransientError: no process could be started.
    """
    for _ in range(2):
        try:
            return prepare().connect(spill)
        except OSError:
            continue
    raise TransientError("no process could be started for the query", fix="run it again")


@dataclass(frozen=True, slots=True)
class _Child:
    """A process for one query, seen from the server.

    Attributes:
        lifeline: how it is handed its query; at its end when the process has ended.
    """

    pid: int
    lifeline: socket.socket

    def hand(self, descriptor: int) -> None:
        """Give it the far end of the connection on which its query is asked."""
        with contextlib.suppress(OSError):  # whoever asked sees that it ended
            socket.send_fds(self.lifeline, [b"1"], [descriptor])
        os.close(descriptor)


def serve(control: int) -> None:
    """Hand every descriptor that arrives to a child, until the asking process is gone."""
    for module in ("duckdb", "pyarrow.ipc", "etl_platform.query.worker"):
        importlib.import_module(module)  # so that no child has to

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children leave no zombies
    gc.freeze()
    running: dict[_Child, Path] = {}
    ready: _Child | None = None
    with socket.socket(fileno=control) as server:
        while True:
            waiting = [server, *(child.lifeline for child in running)]
            # A child is made ready where it takes no time of a query that runs or waits.
            if ready is None and not running and not select.select(waiting, [], [], 0)[0]:
                ready = _fork(waiting)
            readable = select.select(waiting, [], [])[0]
            for child in [child for child in running if child.lifeline in readable]:
                child.lifeline.close()
                _remove(running.pop(child))
            if server not in readable:
                continue
            folder, descriptors, _, _ = socket.recv_fds(server, _MAX_PATH, 1)
            if not folder:
                break
            child, ready = ready or _fork(waiting), None
            child.hand(descriptors[0])
            running[child] = Path(os.fsdecode(folder))
    for child, spill in running.items():
        os.kill(child.pid, signal.SIGKILL)
        child.lifeline.recv(1)  # returns at its end, when nothing writes into the folder any more
        _remove(spill)
    gc.unfreeze()  # modules of C libraries that end frozen are told as leaks


def _remove(spill: Path) -> None:
    if _SPILL.fullmatch(spill.name):
        shutil.rmtree(spill, ignore_errors=True)


def _fork(inherited: Sequence[socket.socket]) -> _Child:
    """Make a child, which keeps none of the server's sockets."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        for one in (*inherited, ours):
            one.close()
        _child(theirs)
    theirs.close()
    return _Child(pid, ours)


def _child(lifeline: socket.socket) -> NoReturn:
    """Open a session, wait for the connection of a query, and run that."""
    from etl_platform.core.duck import unlimited
    from etl_platform.query.worker import answer

    try:
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            signal.signal(name, signal.SIG_DFL)
        os.umask(0o077)
        con = unlimited()
        _, descriptors, _, _ = socket.recv_fds(lifeline, 1, 1)
        if descriptors:
            with contextlib.suppress(OSError):
                Path("/proc/self/comm").write_text(RUNNING)
            answer(Connection(descriptors[0]), con)
    finally:
        os._exit(0)  # nothing of the server's may run its exit handlers here
