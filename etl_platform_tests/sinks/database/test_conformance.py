"""The promises of every mode, kept by every database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from etl_platform.core.errors import ConfigError, PermanentError
from etl_platform.sinks.database import (
    GateViolation,
    History,
    Load,
    LoadMode,
    Scope,
    Target,
)
from etl_platform_tests.sinks.database.targets import Warehouse, order

ORDERS = Target("orders")
KEPT = timedelta(days=7)
EVERY_MODE = list(LoadMode)
DAYS = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, 5)]


def load(
    mode: LoadMode,
    batch: str,
    *,
    keep: timedelta | None = None,
    key: tuple[str, ...] = ("id",),
    moment: datetime | None = None,
    close_missing: bool = False,
) -> Load:
    return Load(
        ORDERS,
        mode,
        batch,
        key,
        keep,
        History(close_missing=close_missing),
        moment or datetime.now(UTC),
    )


def test_append_adds_rows(warehouse: Warehouse) -> None:
    warehouse.sink.load(warehouse.rows([order(1), order(2)]), load(LoadMode.APPEND, "a"))
    receipt = warehouse.sink.load(warehouse.rows([order(3)]), load(LoadMode.APPEND, "b"))
    assert (receipt.rows_inserted, receipt.rows_updated, receipt.rows_deleted) == (1, 0, 0)
    assert [row[0] for row in warehouse.orders()] == [1, 2, 3]


def test_replace_leaves_the_new_rows_only(warehouse: Warehouse) -> None:
    warehouse.sink.load(warehouse.rows([order(1), order(2)]), load(LoadMode.REPLACE, "a"))
    receipt = warehouse.sink.load(
        warehouse.rows([order(2, "Grace"), order(3), order(4)]), load(LoadMode.REPLACE, "b")
    )
    assert (receipt.rows_inserted, receipt.rows_deleted, receipt.rows_total) == (3, 2, 3)
    assert warehouse.orders() == [(2, "Grace", None), (3, "Ada", None), (4, "Ada", None)]


def test_replacing_by_no_rows_empties_the_table(warehouse: Warehouse) -> None:
    warehouse.sink.load(warehouse.rows([order(1)]), load(LoadMode.REPLACE, "a"))
    receipt = warehouse.sink.load(warehouse.rows([]), load(LoadMode.REPLACE, "b"))
    assert (receipt.rows_inserted, receipt.rows_deleted) == (0, 1)
    assert warehouse.orders() == []


def test_upsert_updates_by_key_and_adds_the_rest(warehouse: Warehouse) -> None:
    warehouse.sink.load(warehouse.rows([order(1), order(2)]), load(LoadMode.UPSERT, "a"))
    receipt = warehouse.sink.load(
        warehouse.rows([order(2, "Grace", ""), order(3)]), load(LoadMode.UPSERT, "b")
    )
    assert (receipt.rows_inserted, receipt.rows_updated, receipt.rows_deleted) == (1, 1, 0)
    assert warehouse.orders() == [(1, "Ada", None), (2, "Grace", ""), (3, "Ada", None)]


def test_delete_insert_replaces_whole_groups(warehouse: Warehouse) -> None:
    by_customer = ("customer",)
    warehouse.sink.load(
        warehouse.rows([order(1), order(2), order(3, "Grace")]),
        load(LoadMode.DELETE_INSERT, "a", key=by_customer),
    )
    receipt = warehouse.sink.load(
        warehouse.rows([order(9), order(8)]), load(LoadMode.DELETE_INSERT, "b", key=by_customer)
    )
    assert (receipt.rows_inserted, receipt.rows_deleted) == (2, 2)
    assert [row[0] for row in warehouse.orders()] == [3, 8, 9]


def test_scd2_closes_a_changed_version_and_adds_the_next(warehouse: Warehouse) -> None:
    first = [order(1), order(2), order(3)]
    warehouse.sink.load(warehouse.rows(first), load(LoadMode.SCD2, "a", moment=DAYS[0]))
    receipt = warehouse.sink.load(
        warehouse.rows([order(1), order(2, "Ada", "moved"), order(4)]),
        load(LoadMode.SCD2, "b", moment=DAYS[1], close_missing=True),
    )
    assert (receipt.rows_inserted, receipt.rows_updated, receipt.rows_deleted) == (2, 1, 1)
    versions = warehouse.database.query(
        "SELECT id, note, valid_to IS NULL FROM orders ORDER BY id, valid_from"
    )
    assert [(i, note, bool(current)) for i, note, current in versions] == [
        (1, None, True),
        (2, None, False),
        (2, "moved", True),
        (3, None, False),
        (4, None, True),
    ]
    unchanged = warehouse.sink.load(
        warehouse.rows([order(1), order(2, "Ada", "moved"), order(4)]),
        load(LoadMode.SCD2, "c", moment=DAYS[2], close_missing=True),
    )
    assert (unchanged.rows_inserted, unchanged.rows_updated, unchanged.rows_deleted) == (0, 0, 0)


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_the_same_batch_is_loaded_once(warehouse: Warehouse, mode: LoadMode) -> None:
    rows = warehouse.rows([order(1), order(2)])
    first = warehouse.sink.load(rows, load(mode, "a"))
    again = warehouse.sink.load(rows, load(mode, "a"))
    assert not first.skipped
    assert again == first.as_skipped()
    assert [row[0] for row in warehouse.orders()] == [1, 2]


@pytest.mark.parametrize("mode", EVERY_MODE)
def test_a_reverted_load_leaves_the_table_as_it_was(warehouse: Warehouse, mode: LoadMode) -> None:
    warehouse.sink.load(
        warehouse.rows([order(1), order(2, "Grace", "old"), order(3)]),
        load(mode, "a", moment=DAYS[0]),
    )
    before = warehouse.database.query("SELECT * FROM orders ORDER BY id")
    new = [order(4), order(5, "Grace")]
    if mode is not LoadMode.APPEND:
        new.append(order(2, "Grace", "new"))
    receipt = warehouse.sink.load(
        warehouse.rows(new), load(mode, "b", keep=KEPT, moment=DAYS[1], close_missing=True)
    )
    assert receipt.revertible
    assert warehouse.database.query("SELECT * FROM orders ORDER BY id") != before
    warehouse.sink.revert(ORDERS, "b")
    assert warehouse.database.query("SELECT * FROM orders ORDER BY id") == before
    newest = warehouse.sink.newest(ORDERS)
    assert newest is not None
    assert newest.batch == "a"
    again = warehouse.sink.load(warehouse.rows(new), load(mode, "b", moment=DAYS[2]))
    assert not again.skipped


def test_only_the_newest_load_with_a_before_image_can_be_reverted(warehouse: Warehouse) -> None:
    warehouse.sink.load(warehouse.rows([order(1)]), load(LoadMode.UPSERT, "a", keep=KEPT))
    warehouse.sink.load(warehouse.rows([order(2)]), load(LoadMode.UPSERT, "b"))
    with pytest.raises(PermanentError, match="not the newest load"):
        warehouse.sink.revert(ORDERS, "a")
    with pytest.raises(PermanentError, match="no before-image"):
        warehouse.sink.revert(ORDERS)
    assert [row[0] for row in warehouse.orders()] == [1, 2]


def test_a_before_image_goes_when_its_time_is_over(warehouse: Warehouse) -> None:
    at_once = timedelta(microseconds=1)
    warehouse.sink.load(warehouse.rows([order(1)]), load(LoadMode.UPSERT, "a", keep=at_once))
    with pytest.raises(PermanentError, match="no before-image"):
        warehouse.sink.revert(ORDERS, "a")


@pytest.mark.parametrize("mode", [LoadMode.UPSERT, LoadMode.SCD2])
def test_a_key_that_repeats_or_is_missing_is_refused(warehouse: Warehouse, mode: LoadMode) -> None:
    rows = warehouse.rows([order(1), order(1, "Grace"), {"customer": "nobody"}])
    with pytest.raises(GateViolation) as refused:
        warehouse.sink.load(rows, load(mode, "a"))
    reasons = [finding.reason for finding in refused.value.findings]
    assert reasons == ["the key allows no NULL", "1 keys occur more than once"]
    assert warehouse.orders() == []


def test_an_upsert_needs_an_index_that_recognises_rows(warehouse: Warehouse) -> None:
    warehouse.database.execute("CREATE TABLE orders (id bigint, customer text, note text)")
    with pytest.raises(ConfigError, match="no primary key or unique index on id"):
        warehouse.sink.load(warehouse.rows([order(1)]), load(LoadMode.UPSERT, "a"))


@pytest.mark.parametrize("mode", [m for m in EVERY_MODE if m is not LoadMode.SCD2])
def test_what_was_loaded_reconciles_and_what_was_changed_does_not(
    warehouse: Warehouse, mode: LoadMode
) -> None:
    rows = warehouse.rows([order(1), order(2, "Grace"), order(3, "Grace", "")])
    warehouse.sink.load(rows, load(mode, "a"))
    assert warehouse.sink.reconcile(rows, ORDERS).equal
    warehouse.database.execute("UPDATE orders SET note = NULL WHERE id = 3")
    found = warehouse.sink.reconcile(rows, ORDERS, Scope(by="customer"))
    assert (found.parts, found.differing_parts) == (2, 1)
    (difference,) = found.differences
    assert (difference.part, difference.differing) == ("Grace", ("note",))


def test_the_current_versions_reconcile_with_the_lake(warehouse: Warehouse) -> None:
    warehouse.sink.load(
        warehouse.rows([order(1), order(2)]), load(LoadMode.SCD2, "a", moment=DAYS[0])
    )
    rows = warehouse.rows([order(1), order(2, "Ada", "new")])
    warehouse.sink.load(rows, load(LoadMode.SCD2, "b", moment=DAYS[1]))
    assert warehouse.sink.reconcile(rows, ORDERS, Scope(history=History())).equal


def test_rows_that_only_the_target_has_are_no_difference_after_an_upsert(
    warehouse: Warehouse,
) -> None:
    warehouse.sink.load(warehouse.rows([order(1)]), load(LoadMode.UPSERT, "a"))
    rows = warehouse.rows([order(2)])
    warehouse.sink.load(rows, load(LoadMode.UPSERT, "b"))
    assert warehouse.sink.reconcile(rows, ORDERS, Scope(key=("id",))).equal
    assert not warehouse.sink.reconcile(rows, ORDERS).equal
