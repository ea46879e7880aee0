"""TPC-H at scale factor 1, made once by ``tpchgen-cli`` into ``.benchmarks/tpch``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import DATA

if TYPE_CHECKING:
    import pyarrow as pa

TABLES = ("lineitem", "orders", "customer", "part", "partsupp", "supplier", "nation", "region")
QUERIES = Path(__file__).parent.parent / "etl_platform_tests" / "planner" / "tpch"
_FOLDER = DATA / "tpch"


def source(table: str) -> Path:
    """The generated Parquet file of a table, made when it is missing."""
    file = _FOLDER / f"{table}.parquet"
    if not file.exists():
        tool = Path(sys.executable).parent / "tpchgen-cli"
        command = [str(tool), "parquet", "--scale-factor", "1", "--output-dir", str(_FOLDER)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return file


def stream(table: str) -> pa.RecordBatchReader:
    """The rows of a table as an Arrow stream of 122,880-row batches."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = pq.ParquetFile(source(table))
    schema = file.schema_arrow.remove_metadata()
    fields = [pa.field(f.name, f.type, f.nullable) for f in schema]

    def batches() -> Iterator[pa.RecordBatch]:
        yield from file.iter_batches(122_880)

    return pa.RecordBatchReader.from_batches(pa.schema(fields), batches())


def queries() -> dict[str, str]:
    """The 22 query texts by name."""
    return {file.stem: file.read_text() for file in sorted(QUERIES.glob("q*.sql"))}
