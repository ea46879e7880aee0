"""What a new user does, from a clone to a failed check that is mended, each step timed.

``python -m benchmarks.quick_start`` follows docs/quick-start.md: it runs the commands and writes
the files of that page in a fresh clone of this repository's HEAD and in an empty folder beside it.
``--installed`` takes the environment that it runs in and leaves out clone, installation and demo.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import Request, urlopen

from rich.console import Console
from rich.table import Table

PROJECT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```(bash|toml|python|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SCREENSHOT = PROJECT / "docs" / "site" / "screenshot.py"
_PAGE = "/assets/nyc/flights?view=checks&checkDetail=foreign_key_dest"
_START_TIMEOUT_S = 180


@dataclass
class Steps:
    """What was done, and the seconds that it took."""

    environment: Path
    folder: Path
    state: str = ""
    taken: list[tuple[str, float]] = field(default_factory=list)

    def do(self, name: str, commands: str, *, fails: bool = False, cwd: Path | None = None) -> str:
        """Run commands in a shell that goes on where the last one ended; gives what they print."""
        keep = self.folder / ".variables"
        began = time.perf_counter()
        done = subprocess.run(
            ["bash", "-c", f"{self.state}\nset -e\n{commands}\nexport -p | grep -v PWD= > {keep}"],
            cwd=cwd or self.folder,
            env={k: v for k, v in os.environ.items() if not k.startswith(("ETL_", "DAGSTER_"))},
            capture_output=True,
            text=True,
        )
        self.taken.append((name, time.perf_counter() - began))
        printed = done.stdout + done.stderr
        if (done.returncode != 0) != fails:
            raise SystemExit(f"{name}: status {done.returncode}\n{printed}")
        if keep.exists():
            self.state = f". {keep}"
        return printed

    def open_ui(
        self, name: str, command: list[str], cwd: Path, env: dict[str, str], page: str = ""
    ) -> None:
        """Start a server on a free port, until its UI knows the assets; then end it.

        A picture of ``page`` is taken before that.
        """
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        began = time.perf_counter()
        with subprocess.Popen(
            [*command, str(port)] if command[-1] == "--port" else [*command, f"PORT={port}"],
            cwd=cwd,
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as server:
            try:
                while not assets_at(port):
                    if time.perf_counter() - began > _START_TIMEOUT_S or server.poll() is not None:
                        raise SystemExit(f"{name}: no assets")
                    time.sleep(0.2)
                self.taken.append((name, time.perf_counter() - began))
                if page:
                    address = f"http://127.0.0.1:{port}{page}"
                    subprocess.run([sys.executable, _SCREENSHOT, address], check=True)
            finally:
                os.killpg(server.pid, signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    server.wait(60)
                with suppress(ProcessLookupError):
                    os.killpg(server.pid, signal.SIGKILL)


def assets_at(port: int) -> list[str]:
    """The assets that a UI shows, none while it does not answer."""
    query = json.dumps({"query": "{ assetNodes { assetKey { path } } }"}).encode()
    request = Request(
        f"http://127.0.0.1:{port}/graphql", query, {"Content-Type": "application/json"}
    )
    with suppress(URLError, OSError, TimeoutError), urlopen(request, timeout=30) as answer:
        nodes = json.load(answer)["data"]["assetNodes"]
        return ["/".join(node["assetKey"]["path"]) for node in nodes]
    return []


def main() -> None:
    parser = argparse.ArgumentParser(description="Follow docs/quick-start.md and time its steps.")
    parser.add_argument("--installed", action="store_true", help="use this environment")
    parser.add_argument("--picture", action="store_true", help="make docs/ui.png of its UI")
    arguments = parser.parse_args()
    installed = arguments.installed
    with TemporaryDirectory(prefix="quick-start-") as temporary:
        folder = Path(temporary) / "own"
        folder.mkdir()
        clone = PROJECT if installed else Path(temporary) / "etl_platform"
        environment = Path(sys.prefix) if installed else clone / ".venv"
        steps = Steps(environment, folder)
        if not installed:
            first_steps(steps, clone, _PAGE if arguments.picture else "")
        own_project(steps, clone)
    table = Table("step", "seconds", box=None)
    for name, seconds in [*steps.taken, ("all", sum(seconds for _, seconds in steps.taken))]:
        table.add_row(name, f"{seconds:.1f}")
    Console(width=110).print(table)


def first_steps(steps: Steps, clone: Path, page: str) -> None:
    """Section 1: to the demo in the UI."""
    parent = clone.parent
    steps.do("clone", f"git clone --quiet {PROJECT} {clone}", cwd=parent)
    steps.do("make venv", "make venv", cwd=clone)
    steps.do("make demo", "make demo", cwd=clone)
    began = "make dev, until the UI shows assets"
    steps.open_ui(began, ["make", "dev"], clone, dict(os.environ), page)


def own_project(steps: Steps, clone: Path) -> None:
    """Sections 2 to 4: a database as assets, a check that fails, and the cure."""
    text = (clone / "docs" / "quick-start.md").read_text()
    blocks = [(match[1], match[2]) for match in _BLOCK.finditer(text)]
    shell = [block for language, block in blocks if language == "bash"]
    files = {language: block for language, block in blocks if language != "bash"}
    make, add, refused, mend = shell
    activate = f". {steps.environment}/bin/activate"
    steps.do("a project, and a database", make.replace(make.splitlines()[0], activate))
    (steps.folder / "pyproject.toml").write_text(files["toml"])
    (steps.folder / "acme" / "definitions.py").write_text(files["python"])
    steps.do("its tables as assets", add)
    declared = steps.folder / "acme" / "defs" / "shop" / "defs.yaml"
    before = declared.read_text()
    found = re.search(r"^( *)rules:\n( *)- ", before, re.MULTILINE)
    if found is None:
        raise SystemExit(f"there are no rules to add one to:\n{before}")
    place = found.end() - len(found[2]) - 2
    declared.write_text(f"{before[:place]}{found[2]}{files['yaml']}{before[place:]}")
    told = steps.do("a check that fails", refused, fails=True)
    if "nothing was published" not in told or "-40" not in told:
        raise SystemExit(f"the message does not tell what is wrong:\n{told}")
    told = steps.do("mended, run again, asked", mend)
    if "90" not in told:
        raise SystemExit(told)
    home = {"DAGSTER_HOME": str(steps.folder / ".dagster"), "SHOP_URL": "sqlite:///shop.db"}
    program = [str(steps.environment / "bin" / "dagster"), "dev", "-m", "acme.definitions"]
    path = f"{steps.environment / 'bin'}:{os.environ['PATH']}"
    env = {**os.environ, **home, "PATH": path}
    steps.open_ui("dagster dev, until the UI shows it", [*program, "--port"], steps.folder, env)


if __name__ == "__main__":
    main()
