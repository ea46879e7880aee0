"""Commands of Dagster, each in a process of its own that is forked from one which has imported.

``dg`` and ``dagster`` import for two seconds and work for a tenth of one. Run as a program this
file is the one that imports; it forks once the words, folder and variables of a command arrive.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory

PROGRAMS = ("dg", "dagster")


@dataclass(frozen=True)
class Commands:
    """The process that has imported, and where commands print to."""

    process: subprocess.Popen[str]
    folder: Path

    def run(
        self, *words: str, cwd: Path, env: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        """What ``subprocess.run`` gives for a command of :data:`PROGRAMS`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        printed = [self.folder / "stdout", self.folder / "stderr"]
        order = {
            "words": words,
            "cwd": str(cwd),
            "env": dict(env),
            "printed": [str(path) for path in printed],
        }
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        out, err = (path.read_text() for path in printed)
        return subprocess.CompletedProcess(words, code, out, err)


@contextmanager
def forking(env: Mapping[str, str]) -> Iterator[Commands]:
    """Import with these variables, ``PYTHONPATH`` above all, and fork until the end."""
    with (
        TemporaryDirectory(prefix="etl-commands-") as folder,
        # Without the folder of this file on the path, whose modules are the tests'.
        subprocess.Popen(
            [sys.executable, "-P", __file__],
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        yield Commands(process, Path(folder))
        assert process.stdin is not None
        process.stdin.close()


def main() -> None:
    from dagster.components.core.package_entry import discover_entry_point_package_objects

    found = entry_points(group="console_scripts")
    programs = {name: found[name].load() for name in PROGRAMS}
    discover_entry_point_package_objects()
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            become(order)
            sys.exit(programs[order["words"][0]]())
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(order: Mapping[str, object]) -> None:
    """Take over folder, variables, words and files of an order, as a new process has them."""
    os.chdir(str(order["cwd"]))
    os.environ.clear()
    os.environ.update(order["env"])
    # First comes the folder of the program, which Dagster takes away again when it loads modules.
    paths = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.path[:0] = [str(Path(sys.executable).parent), *paths]
    sys.argv = list(order["words"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, path in zip((1, 2), order["printed"], strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)


if __name__ == "__main__":
    main()
