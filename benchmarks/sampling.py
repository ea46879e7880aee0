"""A sampled profile of TPC-H lineitem SF1 in PostgreSQL, by every strategy, definitions to result.

``python -m benchmarks sampling [--runs N]`` uses the server and tables of ``extraction``. The time
is that of a fresh process from connecting to the finished profile, reflection included.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from functools import partial

from rich.console import Console
from rich.table import Table

from benchmarks.measure import DATA, Operation, child, compare

_URL = "BENCH_POSTGRES_URL"
_SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "4GB", "log_statement": "none"}
VARIANTS = {
    "random": "random:20000",
    "reservoir": "reservoir:20000",
    "blocks": "blocks:20000",
    "systematic": "systematic:20000",
    "stratified": "stratified:20000:l_returnflag",
}
_BARS = {"random": "at most 1.5 s"}


def sampled(text: str) -> Operation:
    for name in ("numpy", "pyarrow.compute", "sqlalchemy.dialects.postgresql", "psycopg"):
        importlib.import_module(name)  # not what is measured

    from etl_platform.generate.sampled import profile_source
    from etl_platform.quality.sampling import SampleSpec

    def run() -> dict[str, float]:
        found = profile_source(os.environ[_URL], "lineitem", SampleSpec.parse(text, 1))
        return {"rows": found.sampled_rows}

    return run


def main(runs: int) -> None:
    from etl_platform_tests.servers import postgres

    folder = DATA / "postgres"
    folder.mkdir(parents=True, exist_ok=True)
    with postgres.serving(folder.absolute(), **_SETTINGS) as server:
        os.environ[_URL] = server.url()
        subprocess.run([sys.executable, "-m", "benchmarks.extraction", "fill"], check=True)
        figures = compare("sampling", list(VARIANTS), runs)
    table = Table(title="Sampled profile of lineitem SF1 in PostgreSQL", title_justify="left")
    for heading in ("strategy", "seconds", "CPU s", "peak MB", "rows", "bar"):
        table.add_column(heading, justify="left" if heading in ("strategy", "bar") else "right")
    for name, figure in figures.items():
        cells = f"{figure.seconds:.2f}", f"{figure.extra['cpu']:.2f}", f"{figure.peak_mb:.0f}"
        table.add_row(name, *cells, f"{figure.extra['rows']:,.0f}", _BARS.get(name, ""))
    Console(width=110).print(table)


if __name__ == "__main__":
    child(partial(sampled, VARIANTS[sys.argv[1]]))
