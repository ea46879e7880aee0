"""Why staged files look as they do: codec, page version and row-group size against later scans.

Run by hand: ``python -m benchmarks.parquet_form``. Prints, for each form, the seconds to write
lineitem, its size, and the seconds of the TPC-H queries that read only lineitem and orders.
"""

from __future__ import annotations

import time

from benchmarks.measure import DATA
from benchmarks.tpch import queries, source

_ZSTD = "CODEC zstd, COMPRESSION_LEVEL 1"
_FORMS = (
    "CODEC snappy, PARQUET_VERSION v1, ROW_GROUP_SIZE 122880",
    "CODEC snappy, PARQUET_VERSION v2, ROW_GROUP_SIZE 122880",
    "CODEC lz4_raw, PARQUET_VERSION v2, ROW_GROUP_SIZE 122880",
    f"{_ZSTD}, PARQUET_VERSION v1, ROW_GROUP_SIZE 122880",
    f"{_ZSTD}, PARQUET_VERSION v2, ROW_GROUP_SIZE 61440",
    f"{_ZSTD}, PARQUET_VERSION v2, ROW_GROUP_SIZE 122880",
    f"{_ZSTD}, PARQUET_VERSION v2, ROW_GROUP_SIZE 122880, DICTIONARY_SIZE_LIMIT 2000",
    f"{_ZSTD}, PARQUET_VERSION v2, ROW_GROUP_SIZE 491520",
    "CODEC zstd, COMPRESSION_LEVEL 3, PARQUET_VERSION v2, ROW_GROUP_SIZE 122880",
)
_READS = ("q01", "q03", "q04", "q06", "q12", "q18")
_ROUNDS = 3


def main() -> None:
    import duckdb

    print(f"{'form':96} {'write s':>8} {'MB':>6} {'queries s':>10}")
    for form in _FORMS:
        file = DATA / "form.parquet"
        with duckdb.connect(config={"threads": 2}) as con:
            write, total = [], []
            con.execute("CREATE SCHEMA tpch")
            for table in ("orders", "customer"):
                con.execute(f"CREATE VIEW tpch.{table} AS FROM read_parquet('{source(table)}')")
            for _ in range(_ROUNDS):
                started = time.perf_counter()
                con.execute(
                    f"COPY (FROM read_parquet('{source('lineitem')}')) TO '{file}' "
                    f"(FORMAT parquet, {form})"
                )
                write.append(time.perf_counter() - started)
            con.execute(f"CREATE VIEW tpch.lineitem AS FROM read_parquet('{file}')")
            for _ in range(_ROUNDS):
                started = time.perf_counter()
                for name in _READS:
                    con.execute(queries()[name]).fetchall()
                total.append(time.perf_counter() - started)
        size = file.stat().st_size / 1e6
        print(f"{form:96} {sorted(write)[1]:8.2f} {size:6.0f} {sorted(total)[1]:10.2f}")


if __name__ == "__main__":
    main()
