"""Columns that change in the source: found before a row is read, with everyone downstream named."""

from __future__ import annotations

import dagster as dg
import pytest

from etl_platform.core.names import TableName
from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.components.test_database_source import failures, source
from etl_platform_tests.servers.mariadb import MariaDbDatabase
from etl_platform_tests.servers.postgres import PostgresDatabase

ORDERS = TableName("shop", "orders")


def declare(project: Project, schema_change: str, **options: object) -> None:
    declared = {"schema_change": schema_change, **options}
    project.write("shop/defs.yaml", source(tables={"orders": declared}))
    project.refresh()


def with_models(project: Project) -> None:
    """Two models downstream, one of the other; what they compute is known once they have run."""
    project.write("marts/defs.yaml", {"type": "etl_platform.SqlModelsComponent", "attributes": {}})
    project.write(
        "marts/spending.sql",
        "SELECT customer_id, sum(amount) AS spent FROM shop.orders GROUP BY customer_id",
    )
    project.write("marts/rich.sql", "SELECT customer_id AS who, spent * 2 AS twice FROM spending")


def told(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    assert result.success, failures(result)
    (event,) = result.asset_materializations_for_node("shop__orders")
    return {name: value.value for name, value in event.metadata.items()}


def columns(project: Project, table: TableName = ORDERS) -> dict[str, str]:
    return {field.name: str(field.type) for field in project.lake.schema(table)}


def test_freeze_refuses_before_reading_and_names_columns_and_everyone_downstream(
    project: Project, shop: Shop
) -> None:
    declare(project, "freeze")
    with_models(project)
    assert project.materialize().success
    shop.execute(
        "ALTER TABLE orders ADD COLUMN note TEXT",
        "ALTER TABLE orders DROP COLUMN customer_id",
        "ALTER TABLE orders RENAME COLUMN amount TO gone",
        "ALTER TABLE orders ADD COLUMN amount TEXT",
        "ALTER TABLE orders DROP COLUMN gone",
    )
    result = project.materialize()
    assert not result.success
    message = failures(result)
    assert "+ note: string, new in the source" in message
    assert "- customer_id: int64, no longer in the source" in message
    assert "~ amount: decimal128(10, 2), now string in the source" in message
    assert "main/spending: customer_id, spent" in message
    assert "main/rich: twice, who" in message
    assert "schema_change: evolve" in message
    observed = [e.asset_key for e in result.all_events if e.is_asset_observation]
    assert observed == [dg.AssetKey(["shop", "customers"])], "rows were counted"
    assert project.lake.version(ORDERS) == 0


def test_evolve_follows_new_columns_at_once_and_says_so(project: Project, shop: Shop) -> None:
    declare(project, "evolve")
    with_models(project)
    assert project.materialize().success
    shop.execute(
        "ALTER TABLE orders ADD COLUMN note TEXT",
        "INSERT INTO orders VALUES (4, 1, 40, '2024-01-03', 'wrapped')",
    )
    found = told(project.materialize())
    assert columns(project)["note"] == "string"
    assert {row["id"]: row["note"] for row in project.rows("shop.orders")}[4] == "wrapped"
    assert "+ note: string, new in the source" in str(found["schema_drift"])
    assert "main/spending (no column is computed from them" in str(found["schema_drift"])
    assert "+ note" in str(found["definitions_outdated"])
    assert "schema_drift" not in told(project.materialize())


def test_evolve_refuses_a_column_that_is_gone_before_reading(project: Project, shop: Shop) -> None:
    declare(project, "evolve")
    assert project.materialize("shop/orders").success
    shop.execute("ALTER TABLE orders DROP COLUMN amount")
    result = project.materialize("shop/orders")
    assert not result.success
    assert "- amount: decimal128(10, 2), no longer in the source" in failures(result)
    assert "schema_change: quarantine" in failures(result)
    # A full refresh that may take any columns follows, without a refresh of the definitions.
    state = source(tables={"orders": {"schema_change": "any"}})
    project.write("shop/defs.yaml", state)
    assert project.materialize("shop/orders").success
    assert "amount" not in columns(project)


def test_quarantine_keeps_new_columns_apart_and_loads_the_rest(
    project: Project, shop: Shop
) -> None:
    declare(project, "quarantine")
    with_models(project)
    assert project.materialize().success
    shop.execute(
        "ALTER TABLE orders ADD COLUMN note TEXT",
        "INSERT INTO orders VALUES (4, 1, 40, '2024-01-03', 'wrapped')",
        "ALTER TABLE orders DROP COLUMN customer_id",
    )
    found = told(project.materialize("shop/orders"))
    assert list(columns(project)) == ["id", "customer_id", "amount", "placed_at"]
    assert len(project.rows("shop.orders")) == 4
    assert {row["customer_id"] for row in project.rows("shop.orders")} == {None}
    (row,) = project.rows("shop.orders__quarantine")
    assert (row["id"], row["_rule"], row["_apart"]) == (4, "schema_change", '{"note":"wrapped"}')
    assert row["_reason"] == "column note (string) is new in the source: loaded without it"
    assert found["quarantined_rows"] == 1
    assert "- customer_id" in str(found["schema_drift"])


@pytest.mark.postgres
def test_quarantine_loads_values_that_fit_and_keeps_rows_whose_values_do_not(
    project: Project, postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", postgres.url)
    postgres.execute(
        "CREATE TABLE orders (id int PRIMARY KEY, n int, price numeric(6,2), at timestamp)",
        "INSERT INTO orders VALUES (1, 5, 1.5, '2024-01-01')",
    )
    rules = {"rules": [{"rule": "range", "column": "n", "min": 0, "action": "quarantine"}]}
    incremental = {"cursor": "at"}
    declare(project, "quarantine", incremental=incremental, contract=rules)
    assert project.materialize("shop/orders").success
    postgres.execute("INSERT INTO orders VALUES (9, -9, 9, '2024-01-02')")
    assert project.materialize("shop/orders").success  # the quarantine exists, without _apart
    postgres.execute(
        "ALTER TABLE orders ALTER n TYPE text, ALTER price TYPE numeric(12,4)",
        "ALTER TABLE orders ADD spot point",
        "INSERT INTO orders VALUES (2, '6', 2.5, '2024-01-03', NULL), "
        "(3, 'six', 3.25, '2024-01-03', NULL), (4, '7', 4.1234, '2024-01-03', NULL), "
        "(5, NULL, 5, '2024-01-03', '(1,2)'), (6, '-1', 6, '2024-01-03', NULL)",
    )
    assert project.materialize("shop/orders").success
    rows = {row["id"]: (row["n"], str(row["price"])) for row in project.rows("shop.orders")}
    assert rows == {1: (5, "1.50"), 2: (6, "2.50"), 5: (None, "5.00")}
    apart = {row["id"]: row for row in project.rows("shop.orders__quarantine")}
    assert sorted(str(key) for key in apart) == ["3", "4", "5", "6", "9"]
    assert apart[3]["_apart"] == '{"n":"six","price":null,"spot":null}'
    assert apart[4]["_apart"] == '{"n":null,"price":"4.1234","spot":null}'
    assert "this value does not fit decimal128(6, 2)" in str(apart[4]["_reason"])
    assert apart[5]["_apart"] == '{"n":null,"price":null,"spot":"(1,2)"}'
    assert apart[6]["_rule"] == "range_n"


def test_quarantine_cannot_do_without_key_or_cursor(project: Project, shop: Shop) -> None:
    declare(project, "quarantine", incremental={"cursor": "placed_at"})
    assert project.materialize("shop/orders").success
    shop.execute("ALTER TABLE orders DROP COLUMN placed_at")
    result = project.materialize("shop/orders")
    assert not result.success
    assert "any change but of the columns id, placed_at" in failures(result)


def test_a_partition_keeps_its_own_rows_apart(project: Project, shop: Shop) -> None:
    partition = {"column": "placed_at", "cadence": "daily", "start": "2024-01-01"}
    declare(project, "quarantine", partition=partition)
    assert project.materialize("shop/orders", partition="2024-01-01").success
    shop.execute("ALTER TABLE orders ADD COLUMN note TEXT", "UPDATE orders SET note = id")
    for day in ("2024-01-01", "2024-01-02", "2024-01-02"):
        assert project.materialize("shop/orders", partition=day).success
    assert len(project.rows("shop.orders")) == 3
    apart = {row["id"]: row["_partition"] for row in project.rows("shop.orders__quarantine")}
    assert apart == {1: "2024-01-01", 2: "2024-01-02", 3: "2024-01-02"}
    assert len(project.rows("shop.orders__quarantine")) == 3


def test_a_frozen_query_is_held_to_its_columns(project: Project, shop: Shop) -> None:
    query = {"sql": "SELECT * FROM orders", "schema_change": "freeze"}
    project.write("shop/defs.yaml", source(include=["none"], queries={"orders": query}))
    project.refresh()
    assert project.materialize("shop/orders").success
    shop.execute("ALTER TABLE orders ADD COLUMN note TEXT")
    result = project.materialize("shop/orders")
    assert not result.success
    assert "the columns of the query are no longer those of the table" in failures(result)


def test_a_table_that_is_gone_is_told_as_such(
    project: Project, mariadb: MariaDbDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", mariadb.url)
    mariadb.execute("CREATE TABLE orders (id int PRIMARY KEY, n int)")
    declare(project, "freeze")
    assert project.materialize("shop/orders").success
    mariadb.execute("ALTER TABLE orders MODIFY n bigint")
    assert "~ n: int32, now int64" in failures(project.materialize("shop/orders"))
    mariadb.execute("DROP TABLE orders")
    assert "orders no longer exists" in failures(project.materialize("shop/orders"))
