"""Servers end with the worker of pytest that has started them, however it ends.

A worker that crashes or is killed runs no clean-up. What it leaves behind takes processor time from
the workers that go on, and keeps a CI job open that waits for its processes.
"""

from __future__ import annotations

import shutil


def dying_with_us() -> list[str]:
    """What stands before a command, so that Linux kills it once the starting thread is gone.

    Nothing where util-linux is not installed. The program that changes its user afterwards loses
    the tie: one that drops root by itself has to be started as the other user.
    """
    found = shutil.which("setpriv")
    return [found, "--pdeathsig", "KILL"] if found else []
