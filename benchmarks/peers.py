"""An environment of its own for peers whose dependencies are not the platform's."""

from __future__ import annotations

import compileall
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import DATA

_FOLDER = DATA / "peers"


def peers_python(*requirements: str) -> Path:
    """The Python of the peers' environment, with these packages; what is there already stays.

    All is byte-compiled: without that, imports take twice as long.
    """
    python = _FOLDER.absolute() / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(_FOLDER)], check=True)
    # rich prints nothing there, but the module that measures imports it.
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "rich", *requirements], check=True
    )
    compileall.compile_dir(str(_FOLDER / "lib"), quiet=2)
    return python
