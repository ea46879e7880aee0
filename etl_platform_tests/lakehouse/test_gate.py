"""Write, audit, publish: what readers see before and after a batch meets its contract."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode
from etl_platform.lakehouse.gate import Admission, admit
from etl_platform.metastore import Metastore
from etl_platform.quality import Contract, ContractViolation
from etl_platform_tests.lakehouse.conftest import ORDERS, stored_files


@pytest.fixture
def metastore(settings: Settings) -> Metastore:
    return Metastore.open(settings.metastore_url)


def contract(action: str) -> Contract:
    return Contract.model_validate(
        {
            "rules": [
                {"rule": "range", "column": "price", "min": 0, "action": action},
                {"rule": "not_null", "column": "id"},
            ]
        }
    )


def batch(prices: list[float], start: int = 1) -> pa.Table:
    ids = list(range(start, start + len(prices)))
    return pa.table({"id": ids, "price": prices, "note": [f"n{i}" for i in ids]})


def visible(lake: Lake, table: TableName = ORDERS) -> list[dict[str, Any]]:
    return lake.scan(table).sort("id").collect().to_dicts()


def test_a_blocking_rule_publishes_nothing_and_says_what_is_wrong(
    lake: Lake, metastore: Metastore
) -> None:
    admit(lake, ORDERS, batch([1.0, 2.0]), contract("block"))
    with pytest.raises(ContractViolation) as caught:
        admit(lake, ORDERS, batch([5.0, -1.0, -2.0, -3.0]), contract("block"), metastore=metastore)
    message = str(caught.value)
    for part in ("shop.orders", "range_price", "3 of 4 rows", "-2.0", "next step"):
        assert part in message
    assert [row["price"] for row in visible(lake)] == [1.0, 2.0]
    assert lake.version(ORDERS) == 0
    assert stored_files(lake, ORDERS) == {file.path for file in lake.files(ORDERS)}
    audit = metastore.last_audit("shop.orders")
    assert audit is not None
    assert audit.version is None


def test_after_the_source_is_repaired_the_same_load_goes_through(lake: Lake) -> None:
    with pytest.raises(ContractViolation):
        admit(lake, ORDERS, batch([-1.0]), contract("block"))
    assert not lake.exists(ORDERS)
    admission = admit(lake, ORDERS, batch([1.0]), contract("block"))
    assert admission.receipt.version_after == 0
    assert [o.status for o in admission.audit.outcomes] == ["passed", "passed"]


def test_a_quarantining_rule_keeps_whole_rows_aside_with_the_reason(lake: Lake) -> None:
    admission = admit(
        lake, ORDERS, batch([1.0, -1.0, 2.0, -2.0, -3.0]), contract("quarantine"), run_id="run-7"
    )
    assert [row["price"] for row in visible(lake)] == [1.0, 2.0]
    kept = visible(lake, ORDERS.quarantine)
    assert [(row["id"], row["price"], row["note"]) for row in kept] == [
        (2, -1.0, "n2"),
        (4, -2.0, "n4"),
        (5, -3.0, "n5"),
    ]
    assert {row["_rule"] for row in kept} == {"range_price"}
    assert {row["_run_id"] for row in kept} == {"run-7"}
    assert all(row["_reason"] for row in kept)
    assert admission.quarantine is not None
    assert admission.quarantine.rows_inserted == 3
    assert admission.audit.profile.rows == 2
    assert admission.audit.profile.column("price").min == 1.0
    assert stored_files(lake, ORDERS) == {file.path for file in lake.files(ORDERS)}


def test_a_clean_replacement_empties_the_quarantine(lake: Lake) -> None:
    admit(lake, ORDERS, batch([1.0, -1.0]), contract("quarantine"))
    admit(lake, ORDERS, batch([1.0, 3.0]), contract("quarantine"))
    assert visible(lake, ORDERS.quarantine) == []
    assert len(visible(lake)) == 2


def test_a_retried_append_adds_neither_rows_nor_quarantined_rows_twice(lake: Lake) -> None:
    def load() -> Admission:
        return admit(
            lake,
            ORDERS,
            batch([1.0, -1.0]),
            contract("quarantine"),
            mode=Mode.APPEND,
            batch="run-1",
        )

    load()
    assert load().receipt.skipped
    assert len(visible(lake)) == 1
    assert len(visible(lake, ORDERS.quarantine)) == 1


def test_an_append_resumed_after_its_commit_is_not_judged_against_its_own_rows(lake: Lake) -> None:
    unique = Contract.model_validate({"rules": [{"rule": "unique", "columns": ["id"]}]})
    for _ in range(2):
        admission = admit(lake, ORDERS, batch([1.0, 2.0]), unique, mode=Mode.APPEND, batch="run-1")
    assert admission.receipt.skipped
    assert len(visible(lake)) == 2


def test_a_warning_publishes_every_row_and_is_remembered(lake: Lake, metastore: Metastore) -> None:
    admission = admit(lake, ORDERS, batch([1.0, -1.0]), contract("warn"), metastore=metastore)
    assert len(visible(lake)) == 2
    assert admission.audit.outcomes[0].status == "failed"
    assert metastore.receipts("shop.orders")[0].rows_total == 2
    profile = metastore.profile("shop.orders")
    assert profile is not None
    assert profile.version == 0


def test_uniqueness_of_an_append_is_judged_with_the_rows_that_are_there(lake: Lake) -> None:
    unique = Contract.model_validate({"rules": [{"rule": "unique", "columns": ["id"]}]})
    admit(lake, ORDERS, batch([1.0]), unique, mode=Mode.APPEND)
    with pytest.raises(ContractViolation):
        admit(lake, ORDERS, batch([2.0]), unique, mode=Mode.APPEND)


def test_a_foreign_key_to_a_table_that_is_missing_blocks_instead_of_passing(lake: Lake) -> None:
    rules = [{"rule": "foreign_key", "column": "id", "references": "shop.customers.id"}]
    with pytest.raises(ContractViolation, match="not run"):
        admit(lake, ORDERS, batch([1.0]), Contract.model_validate({"rules": rules}))


def test_the_watermark_is_committed_with_the_rows(lake: Lake) -> None:
    none = Contract()
    admit(lake, ORDERS, batch([1.0, 2.0]), none, mode=Mode.UPSERT, key=("id",), watermark="id")
    assert lake.annotation(ORDERS, "watermark:id") == "2"
    empty = batch([1.0]).slice(0, 0)
    admit(lake, ORDERS, empty, none, mode=Mode.UPSERT, key=("id",), watermark="id")
    assert lake.annotation(ORDERS, "watermark:id") == "2"


def test_a_partition_value_that_the_data_lacks_becomes_a_column(lake: Lake) -> None:
    admit(
        lake,
        ORDERS,
        batch([1.0]),
        contract("block"),
        mode=Mode.REPLACE_PARTITION,
        partition_by=("day",),
        partition={"day": "2024-01-01"},
    )
    assert visible(lake)[0]["day"] == "2024-01-01"
