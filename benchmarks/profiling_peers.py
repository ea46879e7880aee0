"""The full profile of lineitem beside profilers that work on a loaded frame; takes minutes.

``python -m benchmarks profiling_peers --runs 1``. Every peer reads the generated file and makes its
report: fg-data-profiling an HTML page with ``minimal=True``, whylogs a view as a table. Each has an
environment of its own, made when it is missing. fg-data-profiling takes 8 GB of memory.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.measure import DATA, Operation, child, compare, report
from benchmarks.pandas_frame import lineitem_frame
from benchmarks.peers import peers_python
from benchmarks.profiling import full, prepare_once

_REQUIREMENTS = {
    "fg": ("fg-data-profiling", "pyarrow"),
    # Its newest release still uses names that NumPy 2 and pandas 3 no longer have.
    "whylogs": ("whylogs", "numpy<2", "pandas<3", "pyarrow<20"),
}
_BARS = {"full": "at most 0.07 of fg, 0.03 of whylogs, 500 MB"}


def fg() -> Operation:
    """The successor of ydata-profiling, with its short report."""
    import pyarrow.parquet  # noqa: F401 # not what is measured
    from data_profiling import (  # pyright: ignore[reportMissingImports] # only in its environment
        ProfileReport,
    )

    def run() -> None:
        made = ProfileReport(lineitem_frame(), minimal=True, progress_bar=False, title="lineitem")
        made.to_file(DATA / "fg.html")

    return run


def whylogs() -> Operation:
    import pyarrow.parquet  # noqa: F401 # not what is measured
    import whylogs as tool  # pyright: ignore[reportMissingImports] # only in its environment

    def run() -> None:
        tool.log(lineitem_frame()).view().to_pandas()

    return run


def main(runs: int) -> None:
    prepare_once()
    elsewhere: dict[str, Path] = {
        peer: peers_python(*packages, name=f"peers-{peer}")
        for peer, packages in _REQUIREMENTS.items()
    }
    variants = ["full", *_REQUIREMENTS]
    figures = compare("profiling_peers", variants, runs, elsewhere, warm_up=False)
    for peer in _REQUIREMENTS:
        shown = {name: figures[name] for name in (peer, "full")}
        report(f"Full profile of lineitem SF1 beside {peer}", shown, peer, _BARS)


if __name__ == "__main__":
    child({"full": full, "fg": fg, "whylogs": whylogs}[sys.argv[1]])
