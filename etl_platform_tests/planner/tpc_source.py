"""Writes data and query texts of TPC-H and TPC-DS, as DuckDB's own extensions make them.

Runs in an environment of its own, because the extensions fit exactly one DuckDB:
``python tpc_source.py FOLDER SCALE``. Makes ``<FOLDER>/tpch`` and ``<FOLDER>/tpcds`` with one
Parquet file per table and one ``.sql`` file per query.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import duckdb

GENERATORS = {"tpch": "CALL dbgen(sf = {0})", "tpcds": "CALL dsdgen(sf = {0})"}


def main(folder: Path, scale: float) -> None:
    for name, generate in GENERATORS.items():
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        package = importlib.import_module(f"duckdb_extension_{name}")
        (extension,) = Path(package.__path__[0]).rglob(f"{name}.duckdb_extension*")
        with duckdb.connect(config={"threads": 2}) as con:
            con.execute(f"LOAD '{extension}'")
            con.execute(generate.format(scale))
            for (table,) in con.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                con.execute(f"COPY {table} TO '{target / table}.parquet'")
            for number, text in con.execute(f"FROM {name}_queries()").fetchall():
                (target / f"q{number:02}.sql").write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
