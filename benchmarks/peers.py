"""An environment of its own for peers whose dependencies are not the platform's."""

from __future__ import annotations

import compileall
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import DATA


def peers_python(*requirements: str, name: str = "peers") -> Path:
    """The Python of a peers' environment, with these packages; what is there already stays.

    All is byte-compiled: without that, imports take twice as long.

    Args:
        name: of the environment, for peers that cannot share one.
    """
    folder = DATA / name
    python = folder.absolute() / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    # rich prints nothing there, but the module that measures imports it.
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "rich", *requirements], check=True
    )
    compileall.compile_dir(str(folder / "lib"), quiet=2)
    return python
