"""Run variants in turn, each in a fresh process, and compare the medians."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

Operation = Callable[[], dict[str, float] | None]
"""What is timed; returns further figures to report."""
DATA = Path(".benchmarks")
_CONSOLE = Console(width=110)


@dataclass(frozen=True)
class Figure:
    """Median over the runs: seconds of the operation, peak resident MB.

    The peak is that of the largest process, its own or one that it started and waited for: a forked
    one shares its parent's pages, so they are not added up.
    """

    seconds: float
    peak_mb: float
    extra: dict[str, float]


def child(prepare: Callable[[], Operation]) -> None:
    """In the measured process: prepare, run, print what the run took as one JSON line.

    ``prepare`` imports what the variant needs and returns the operation that is timed.
    """
    operation = prepare()
    started, cpu = time.perf_counter(), time.process_time()
    extra = operation() or {}
    seconds = time.perf_counter() - started
    extra["cpu"] = time.process_time() - cpu
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak_mb = max(resource.getrusage(of).ru_maxrss for of in who) / 1024
    print("FIGURE " + json.dumps({"seconds": seconds, "peak_mb": peak_mb, "extra": extra}))


def compare(
    module: str,
    variants: Sequence[str],
    runs: int,
    elsewhere: Mapping[str, Path] | None = None,
    *,
    warm_up: bool = True,
) -> dict[str, Figure]:
    """Run every variant of a benchmark module ``runs`` times, in turn, after one warm-up each.

    Args:
        elsewhere: variants that run in another environment, by its Python.
        warm_up: False for variants of minutes, which a first turn changes little.
    """
    pythons = elsewhere or {}
    taken: dict[str, list[Figure]] = {name: [] for name in variants}
    for turn in range(runs + warm_up):
        for name in variants:
            figure = _run(pythons.get(name, Path(sys.executable)), module, name)
            if turn >= warm_up:
                taken[name].append(figure)
    return {name: median_of(figures) for name, figures in taken.items()}


def report(title: str, figures: dict[str, Figure], base: str, bars: dict[str, str]) -> None:
    """Print the medians with their ratio to the peer ``base`` and the bar each has to meet."""
    table = Table(title=title, title_justify="left")
    for heading in ("variant", "seconds", "ratio", "CPU s", "peak MB", "ratio", "bar"):
        table.add_column(heading, justify="left" if heading in ("variant", "bar") else "right")
    for name, figure in figures.items():
        table.add_row(
            name,
            f"{figure.seconds:.3f}",
            f"{figure.seconds / figures[base].seconds:.2f}",
            f"{figure.extra['cpu']:.2f}",
            f"{figure.peak_mb:.0f}",
            f"{figure.peak_mb / figures[base].peak_mb:.2f}",
            bars.get(name, ""),
        )
    _CONSOLE.print(table)


def _run(python: Path, module: str, variant: str) -> Figure:
    done = subprocess.run(
        [str(python), "-m", f"benchmarks.{module}", variant],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("FIGURE ")]
    if done.returncode != 0 or not lines:
        raise SystemExit(f"{module} {variant} failed:\n{done.stdout}\n{done.stderr}")
    return Figure(**json.loads(lines[-1].removeprefix("FIGURE ")))


def median_of(figures: Sequence[Figure]) -> Figure:
    """The median of each figure of several runs."""
    names = figures[0].extra
    return Figure(
        seconds=statistics.median(f.seconds for f in figures),
        peak_mb=statistics.median(f.peak_mb for f in figures),
        extra={name: statistics.median(f.extra[name] for f in figures) for name in names},
    )
