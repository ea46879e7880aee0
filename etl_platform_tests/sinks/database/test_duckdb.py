"""What is DuckDB's alone: one process has the file, and every lake type has its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from etl_platform.sinks.database import (
    DatabaseSink,
    GateViolation,
    Load,
    LoadMode,
    Target,
    TargetUnavailable,
)
from etl_platform.sources.database import Database, PoolSettings
from etl_platform_tests.sinks.database.targets import Warehouse, order

pytestmark = pytest.mark.parametrize("warehouse", ["duckdb"], indirect=True)
HOLD_THE_FILE = """
import duckdb, sys
con = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def test_a_file_that_another_process_has_open_says_what_to_do(
    warehouse: Warehouse, tmp_path: Path
) -> None:
    rows = warehouse.rows([order(1)])
    load = Load(Target("orders"), LoadMode.APPEND, "a")
    impatient = PoolSettings(connect_timeout_s=1)
    sink = DatabaseSink(Database("warehouse", warehouse.database.url, impatient))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_FILE, str(tmp_path / "target.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    with pytest.raises(TargetUnavailable, match="close the program that has the file open"):
        sink.load(rows, load)
    holder.communicate("")
    assert sink.load(rows, load).rows_inserted == 1


LIMITS: list[tuple[str, pa.DataType, list[Any]]] = [
    # declared type of the target, lake type, values of which the second does not fit
    ("UTINYINT", pa.int64(), [255, -1]),
    ("DECIMAL(4,1)", pa.float64(), [0.5, 0.25]),
    ("ENUM('a', 'b')", pa.string(), ["a", "c"]),
    ("UUID", pa.string(), ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0"]),
    ("JSON", pa.string(), ['{"a": 1}', "{"]),
    ("INTEGER[]", pa.list_(pa.int64()), [[1, None], [2**40]]),
]


@pytest.mark.parametrize(("declared", "kind", "values"), LIMITS)
def test_a_value_that_a_column_would_change_is_named(
    warehouse: Warehouse, declared: str, kind: pa.DataType, values: list[Any]
) -> None:
    warehouse.database.execute(
        f"CREATE TABLE narrow (id bigint PRIMARY KEY, v {declared}, "
        "twice bigint GENERATED ALWAYS AS (2 * id))"
    )
    rows = warehouse.rows(pa.table({"id": [1, 2], "v": pa.array(values, kind)}))
    with pytest.raises(GateViolation, match="not exactly a") as refused:
        warehouse.sink.load(rows, Load(Target("narrow"), LoadMode.UPSERT, "a", ("id",)))
    assert "id='2'" in refused.value.findings[0].samples[0]
    fitting = warehouse.rows(pa.table({"id": [1], "v": pa.array(values[:1], kind)}))
    warehouse.sink.load(fitting, Load(Target("narrow"), LoadMode.UPSERT, "b", ("id",)))
    assert warehouse.database.query("SELECT id, twice FROM narrow") == [(1, 2)]
