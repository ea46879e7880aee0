from __future__ import annotations

import pyarrow as pa
import pytest

from etl_platform.core.names import TableName
from etl_platform.lakehouse import Mode
from etl_platform.lakehouse.gate import admit
from etl_platform.lakehouse.previous import previous_rows
from etl_platform.quality import Contract, ContractViolation

TABLE = TableName("shop", "orders")
STEADY = Contract.parse({"rules": [{"rule": "row_count", "max_decrease": 0.5}]})


def batch(rows: int, day: str = "a") -> pa.Table:
    return pa.table({"n": list(range(rows)), "day": [day] * rows})


@pytest.mark.parametrize("mode", [Mode.REPLACE, Mode.APPEND])
def test_a_batch_that_shrinks_too_much_is_refused_and_leaves_its_report(lake, mode):
    admit(lake, TABLE, batch(10), STEADY, mode=mode)
    admit(lake, TABLE, batch(5), STEADY, mode=mode)
    with pytest.raises(ContractViolation, match="has 2 rows, the batch before had 5") as refused:
        admit(lake, TABLE, batch(2), STEADY, mode=mode, run_id="r1")
    page = refused.value.audit.report
    assert page.startswith(f"{lake.uri}/{TABLE.path}/_validation/")
    assert b"Nothing was published" in lake.root.store.read(page.removeprefix(f"{lake.uri}/"))
    lake.compact(TABLE)
    assert previous_rows(lake, TABLE, mode, None) == 5


def test_a_partition_is_compared_with_itself(lake):
    for day, rows in (("a", 10), ("b", 2), ("b", 1)):
        admit(
            lake,
            TABLE,
            batch(rows, day),
            STEADY,
            mode=Mode.REPLACE_PARTITION,
            partition_by=("day",),
            partition={"day": day},
        )
    seen = {day: previous_rows(lake, TABLE, Mode.REPLACE_PARTITION, {"day": day}) for day in "abc"}
    assert seen == {"a": 10, "b": 1, "c": None}
