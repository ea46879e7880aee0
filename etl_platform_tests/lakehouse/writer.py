"""A process that publishes one batch; tests kill it: ``writer LAKE MODE ROWS SEED``."""

from __future__ import annotations

import sys

import pyarrow as pa

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform.lakehouse.gate import admit
from etl_platform.quality import Contract

TABLE = TableName("crash", "rows")
CONTRACT = {"rules": [{"rule": "not_null", "column": "id"}, {"rule": "unique", "column": "id"}]}


def rows(count: int, seed: int) -> pa.Table:
    """``count`` rows with ids from 0 (upsert, replace) or from ``seed * count`` (append)."""
    ids = range(count)
    return pa.table({"id": list(ids), "seed": [seed] * count, "text": [f"{seed}-{i}" for i in ids]})


def batch(mode: Mode, count: int, seed: int) -> pa.Table:
    data = rows(count, seed)
    if mode is Mode.APPEND:
        return data.set_column(0, "id", pa.array(range(seed * count, (seed + 1) * count)))
    return data


def publish(lake: Lake, mode: Mode, count: int, seed: int) -> None:
    admit(
        lake,
        TABLE,
        batch(mode, count, seed),
        Contract.model_validate(CONTRACT),
        mode=mode,
        key=("id",),
        batch=f"batch-{seed}",
        notes={"seed": str(seed)},
    )


def main() -> None:
    uri, mode, count, seed = sys.argv[1:]
    lake = Lake(settings=Settings(lake_uri=uri, memory_limit=256 * 1024 * 1024))
    data_ready = "ready"
    print(data_ready, flush=True)
    sys.stdin.readline()
    publish(lake, Mode(mode), int(count), int(seed))
    print("done", flush=True)


if __name__ == "__main__":
    main()
