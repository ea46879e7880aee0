"""The ``etl`` command. Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted."""

from __future__ import annotations

_NEW_OBJECTS = 100_000
"""How many objects are made before Python looks for cycles among them (by itself 700).

Loading libraries and definitions makes a million that stay: a fifth of a command's start went into
looking at them again. What cycles hold until then is some 20 MB.
"""


def main() -> None:
    """Run the command and exit."""
    import gc

    gc.set_threshold(_NEW_OBJECTS, 10, 10)
    from etl_platform.cli.app import run

    try:
        run()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            raise
        _end(ended.code or 0)
    _end(0)


def _end(status: int) -> None:
    """Leave without taking every object apart, which takes longer than many a command.

    What has to happen at an exit does: threads end, handlers run, what was printed arrives.
    """
    import atexit
    import os
    import sys
    import threading

    getattr(threading, "_shutdown")()  # noqa: B009 # as Python's own exit does first
    getattr(atexit, "_run_exitfuncs")()  # noqa: B009 # and then this
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        status = status or 1
    os._exit(status)
