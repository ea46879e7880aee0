"""``python -m benchmarks [NAME ...] [--runs N]``: run the benchmarks and print their tables."""

from __future__ import annotations

import argparse
import importlib

from benchmarks.measure import DATA

NAMES = (
    "publishing",
    "validation",
    "definitions",
    "scanning",
    "profiling",
    "sampling",
    "loading",
    "extraction",
    "extraction_mariadb",
    "indexes",
    "isolation",
    "anomalies",
    "planning",
    "rollups",
    "stream_formats",
    "streaming",
    "apis",
    "transforms",
    "files",
    "monitoring",
)
LONG = ("profiling_peers", "profile_errors")
"""Run when they are named: peers that take minutes, and comparisons that are no timings."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the platform beside its peers.")
    known = ", ".join((*NAMES, *LONG))
    parser.add_argument("names", nargs="*", default=NAMES, help=f"which of: {known}")
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each variant")
    chosen = parser.parse_args()
    DATA.mkdir(exist_ok=True)
    for name in chosen.names:
        importlib.import_module(f"benchmarks.{name}").main(chosen.runs)


if __name__ == "__main__":
    main()
