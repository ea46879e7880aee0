"""Assets of a database, from YAML to rows in the lake, with real runs on a real instance."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from etl_platform.core.names import TableName
from etl_platform.lakehouse import External
from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.servers.postgres import PostgresDatabase

ORDERS = dg.AssetKey(["shop", "orders"])
POSITIVE = {"rules": [{"rule": "range", "column": "amount", "min": 0}]}
POSITIVE_NAME = "range_amount"


def source(**attributes: object) -> dict[str, object]:
    return {
        "type": "etl_platform.DatabaseSourceComponent",
        "attributes": {"url": "env://SHOP_URL", "target_schema": "shop", **attributes},
    }


def failures(result: dg.ExecuteInProcessResult) -> str:
    return "\n".join(
        str(event.step_failure_data.error.to_string())
        for event in result.get_step_failure_events()
        if event.step_failure_data.error
    )


def test_every_table_becomes_an_asset_with_its_rows(project: Project, shop: Shop) -> None:
    project.write("shop/defs.yaml", source())
    project.refresh()
    assert project.materialize().success
    assert [row["name"] for row in project.rows("shop.customers")] == ["Ada", "Grace"]
    assert len(project.rows("shop.orders")) == 3


def test_a_materialisation_tells_rows_columns_version_stages_and_profile(
    project: Project, shop: Shop
) -> None:
    project.write("shop/defs.yaml", source())
    project.refresh()
    result = project.materialize("shop/orders")
    (event,) = result.asset_materializations_for_node("shop__orders")
    metadata = event.metadata
    assert metadata["dagster/row_count"].value == 3
    assert metadata["source_row_count"].value == 3
    origin = project.lake.origin(TableName.parse("shop.orders"))
    assert origin is not None
    assert origin.source == External("shop", "sqlite", "orders")
    assert origin.source_columns == ("id", "customer_id", "amount", "placed_at")
    schema = metadata["dagster/column_schema"].value
    assert isinstance(schema, dg.TableSchema)
    assert [column.name for column in schema.columns] == [
        "id",
        "customer_id",
        "amount",
        "placed_at",
    ]
    assert metadata["version"].value == 0
    assert metadata["mode"].value == "replace"
    assert {"seconds/write", "seconds/audit", "seconds/publish", "size_bytes"} <= set(metadata)
    assert "amount" in str(metadata["profile"].value)
    (observation,) = [
        e.asset_observation_data.asset_observation
        for e in result.all_events
        if e.is_asset_observation
    ]
    assert observation.metadata["source_row_count"].value == 3


def test_an_asset_shows_keys_types_and_comments_before_it_is_loaded(
    project: Project, postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", postgres.url)
    postgres.execute(
        "CREATE TABLE customers (id int PRIMARY KEY)",
        "CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers)",
        "COMMENT ON TABLE orders IS 'What customers bought'",
        "COMMENT ON COLUMN orders.customer_id IS 'Who bought it'",
    )
    project.write(
        "shop/defs.yaml", source(defaults={"owners": ["team:sales"], "tags": {"pii": "no"}})
    )
    project.refresh()
    with project.defs() as defs:
        spec = defs.resolve_assets_def(ORDERS).specs_by_key[ORDERS]
    assert spec.description == "What customers bought"
    assert spec.metadata["primary_key"] == "id"
    assert spec.metadata["foreign_keys"] == "customer_id → shop.customers (id)"
    columns = {column.name: column for column in spec.metadata["dagster/column_schema"].columns}
    assert columns["customer_id"].description == "Who bought it"
    assert columns["id"].constraints.unique
    assert spec.kinds == {"postgres", "deltalake"}
    assert spec.owners == ["team:sales"]
    assert spec.tags["pii"] == "no"
    assert spec.group_name == "shop"


def test_definitions_load_without_state_secret_or_database(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    project.write("shop/defs.yaml", source(schedule={"cron": "0 6 * * *"}))
    with project.defs() as defs:
        assert list(defs.resolve_all_asset_keys()) == []
        dg.Definitions.validate_loadable(defs)
    assert "dg utils refresh-defs-state --defs-state-key 'DatabaseSource[shop]'" in caplog.text


def test_definitions_load_when_the_database_is_gone(
    project: Project, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("shop/defs.yaml", source())
    project.refresh()
    monkeypatch.delenv("SHOP_URL")
    shop.path.unlink()
    with project.defs() as defs:
        assert {key.to_user_string() for key in defs.resolve_all_asset_keys()} == {
            "shop/customers",
            "shop/orders",
        }
    result = project.materialize("shop/orders")
    assert not result.success
    assert "SHOP_URL" in failures(result)


def test_an_incremental_table_reads_only_what_changed_and_replaces_rows_by_key(
    project: Project, shop: Shop
) -> None:
    project.write(
        "shop/defs.yaml",
        source(tables={"orders": {"incremental": {"cursor": "placed_at", "lookback": "30m"}}}),
    )
    project.refresh()
    assert project.materialize("shop/orders").success
    shop.execute(
        "UPDATE orders SET amount = 31, placed_at = '2024-01-03 00:00:00' WHERE id = 3",
        "INSERT INTO orders VALUES (4, 2, 40, '2024-01-03 01:00:00')",
        # Older than the watermark: nothing may read it.
        "UPDATE orders SET amount = 99 WHERE id = 1",
    )
    result = project.materialize("shop/orders")
    assert result.success
    (event,) = result.asset_materializations_for_node("shop__orders")
    assert event.metadata["mode"].value == "upsert"
    assert event.metadata["source_row_count"].value == 2
    amounts = {row["id"]: float(str(row["amount"])) for row in project.rows("shop.orders")}
    assert amounts == {1: 10.5, 2: 20, 3: 31, 4: 40}

    config = {"ops": {"shop__orders": {"config": {"full_refresh": True}}}}
    assert project.materialize("shop/orders", config=config).success
    amounts = {row["id"]: float(str(row["amount"])) for row in project.rows("shop.orders")}
    assert amounts[1] == 99


def test_an_incremental_table_without_any_key_is_refused_at_load(
    project: Project, shop: Shop
) -> None:
    shop.execute("CREATE TABLE clicks (at TIMESTAMP)")
    project.write("shop/defs.yaml", source(tables={"clicks": {"incremental": {"cursor": "at"}}}))
    project.refresh()
    with pytest.raises(Exception, match="Error while building") as error, project.defs():
        pass
    assert "nothing identifies its rows" in str(error.value.__cause__)


def test_a_partitioned_table_reads_one_period_per_run_and_leaves_the_others(
    project: Project, shop: Shop
) -> None:
    partition = {"column": "placed_at", "cadence": "daily", "start": "2024-01-01"}
    project.write("shop/defs.yaml", source(tables={"orders": {"partition": partition}}))
    project.refresh()
    assert project.materialize("shop/orders", partition="2024-01-01").success
    result = project.materialize("shop/orders", partition="2024-01-02")
    (event,) = result.asset_materializations_for_node("shop__orders")
    assert event.partition == "2024-01-02"
    assert event.metadata["dagster/partition_row_count"].value == 2
    assert event.metadata["dagster/row_count"].value == 3
    shop.execute("DELETE FROM orders WHERE id = 2")
    assert project.materialize("shop/orders", partition="2024-01-02").success
    rows = {row["id"]: row["_partition"] for row in project.rows("shop.orders")}
    assert rows == {1: "2024-01-01", 3: "2024-01-02"}


def test_a_query_is_an_asset_with_its_parameters_bound(project: Project, shop: Shop) -> None:
    query = {
        "sql": "SELECT id, amount FROM orders WHERE amount > :least",
        "parameters": {"least": 15},
    }
    project.write("shop/defs.yaml", source(include=["none"], queries={"big_orders": query}))
    project.refresh()
    assert project.materialize("shop/big_orders").success
    assert [row["id"] for row in project.rows("shop.big_orders")] == [2, 3]
    origin = project.lake.origin(TableName.parse("shop.big_orders"))
    assert origin is not None
    assert (str(origin.source), origin.source_columns) == (
        "shop:query big_orders",
        ("id", "amount"),
    )


def test_a_blocking_rule_keeps_the_last_good_version_until_the_source_is_repaired(
    project: Project, shop: Shop
) -> None:
    project.write("shop/defs.yaml", source(tables={"orders": {"contract": POSITIVE}}))
    project.refresh()
    assert project.materialize("shop/orders").success
    assert project.check("shop/orders", POSITIVE_NAME) == "SUCCEEDED"

    shop.execute(*(f"INSERT INTO orders VALUES ({n}, 1, -{n}, '2024-01-04')" for n in (7, 8, 9)))
    result = project.materialize("shop/orders")
    assert not result.success
    message = failures(result)
    for told in ("shop.orders", POSITIVE_NAME, "3", "-7"):
        assert told in message
    assert project.check("shop/orders", POSITIVE_NAME) == "FAILED"
    assert not result.asset_materializations_for_node("shop__orders")
    assert not [e for e in result.all_events if e.is_step_up_for_retry]
    assert project.lake.version(TableName.parse("shop.orders")) == 0
    assert len(project.rows("shop.orders")) == 3

    shop.execute("DELETE FROM orders WHERE amount < 0")
    assert project.materialize("shop/orders").success
    assert project.check("shop/orders", POSITIVE_NAME) == "SUCCEEDED"


def test_a_quarantining_rule_publishes_the_good_rows_and_keeps_the_bad_ones_whole(
    project: Project, shop: Shop
) -> None:
    rule = {"rule": "range", "column": "amount", "min": 0, "action": "quarantine"}
    project.write("shop/defs.yaml", source(tables={"orders": {"contract": {"rules": [rule]}}}))
    project.refresh()
    shop.execute(*(f"INSERT INTO orders VALUES ({n}, 1, -{n}, '2024-01-04')" for n in (7, 8, 9)))
    result = project.materialize("shop/orders")
    assert result.success
    assert [row["id"] for row in project.rows("shop.orders")] == [1, 2, 3]
    rejected = project.rows("shop.orders__quarantine")
    assert sorted(int(str(row["id"])) for row in rejected) == [7, 8, 9]
    assert all(POSITIVE_NAME in str(row["_rule"]) and row["customer_id"] == 1 for row in rejected)
    (event,) = result.asset_materializations_for_node("shop__orders")
    assert event.metadata["quarantined_rows"].value == 3
    assert project.check("shop/orders", POSITIVE_NAME) == "FAILED"


def test_a_foreign_key_rule_loads_the_table_that_it_points_at_first(
    project: Project, shop: Shop
) -> None:
    rule = {
        "rule": "foreign_key",
        "column": "customer_id",
        "references": "shop.customers.id",
    }
    project.write("shop/defs.yaml", source(tables={"orders": {"contract": {"rules": [rule]}}}))
    project.refresh()
    with project.defs() as defs:
        spec = defs.resolve_assets_def(ORDERS).specs_by_key[ORDERS]
        assert [dep.asset_key for dep in spec.deps] == [dg.AssetKey(["shop", "customers"])]
    assert project.materialize().success


def test_a_rule_that_could_not_run_is_never_shown_as_passed(project: Project, shop: Shop) -> None:
    missing = {
        "rule": "foreign_key",
        "column": "customer_id",
        "references": "shop.customers.id",
        "action": "warn",
    }
    contract = {"rules": [missing, *POSITIVE["rules"]]}
    project.write("shop/defs.yaml", source(tables={"orders": {"contract": contract}}))
    project.refresh()
    # The customers were never loaded.
    result = project.materialize("shop/orders")
    assert result.success, failures(result)
    assert project.check("shop/orders", POSITIVE_NAME) == "SUCCEEDED"
    assert project.check("shop/orders", "foreign_key_customer_id") == "PLANNED"
    (event,) = result.asset_materializations_for_node("shop__orders")
    assert "foreign_key_customer_id" in str(event.metadata["checks_not_run"].value)


def test_a_contract_may_be_a_pandera_model_in_python(
    project: Project, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop_contracts.py").write_text(
        "import pandera.polars as pa\n\n"
        "class Customers(pa.DataFrameModel):\n"
        "    name: str = pa.Field(str_length={'min_value': 4})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    project.write(
        "shop/defs.yaml", source(tables={"customers": {"contract": "shop_contracts:Customers"}})
    )
    project.refresh()
    result = project.materialize("shop/customers")
    assert not result.success
    assert "Ada" in failures(result)


def test_a_transient_error_is_retried_and_a_permanent_one_is_not(
    project: Project, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("shop/defs.yaml", source(retry={"attempts": 2, "delay_s": 0}))
    project.refresh()
    # Nothing listens on port 1 of loopback: the server may come back.
    monkeypatch.setenv("SHOP_URL", "postgresql://nobody@127.0.0.1:1/shop")
    result = project.materialize("shop/orders")
    assert not result.success
    assert len([e for e in result.all_events if e.is_step_up_for_retry]) == 2
    # No such dialect: nothing changes by waiting.
    monkeypatch.setenv("SHOP_URL", "oracle://127.0.0.1/shop")
    result = project.materialize("shop/orders")
    assert not result.success
    assert not [e for e in result.all_events if e.is_step_up_for_retry]


def test_a_password_is_never_in_events_or_errors(
    project: Project, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("shop/defs.yaml", source(retry={"attempts": 0}))
    project.refresh()
    monkeypatch.setenv("SHOP_URL", "postgresql://nobody:hunter2@127.0.0.1:1/shop")
    result = project.materialize("shop/orders")
    logs = project.instance.all_logs(result.run_id)
    assert logs
    assert not any("hunter2" in entry.to_json() for entry in logs)


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"url": "postgresql://etl:secret@db/shop"}, "secret in clear text"),
        ({"schedule": {"cron": "every day"}}, "cron"),
        ({"tables": {"orders": {"contract": {"rules": [{"rule": "rnage"}]}}}}, "range"),
        ({"tables": {"orders": {"automation": "sometimes"}}}, "eager"),
        ({"defaults": {"freshness": {"fail_after": "soon"}}}, "not a duration"),
        ({"defaults": {"typo": 1}}, "typo"),
    ],
)
def test_a_wrong_declaration_is_refused_with_its_file_and_the_fix(
    project: Project, attributes: dict[str, object], told: str
) -> None:
    project.write("shop/defs.yaml", source(**attributes))
    with pytest.raises(Exception) as error, project.defs():
        pass
    text = "".join(str(e) for e in (error.value, error.value.__cause__))
    assert told in text
    assert "defs.yaml" in text
    assert "etl:secret" not in text


def test_a_rule_about_a_missing_column_is_refused_at_load_with_the_nearest(
    project: Project, shop: Shop
) -> None:
    contract = {"rules": [{"rule": "not_null", "column": "amont"}]}
    project.write("shop/defs.yaml", source(tables={"orders": {"contract": contract}}))
    project.refresh()
    with pytest.raises(Exception, match="Error while building") as error, project.defs():
        pass
    assert "did you mean 'amount'" in str(error.value.__cause__)


def test_options_of_a_table_that_does_not_exist_are_refused_with_the_nearest(
    project: Project, shop: Shop
) -> None:
    project.write("shop/defs.yaml", source(tables={"order": {"group": "x"}}))
    project.refresh()
    with pytest.raises(Exception, match="Error while building") as error, project.defs():
        pass
    assert "did you mean 'orders'" in str(error.value.__cause__)


def test_postgres_is_loaded_incrementally_and_by_period(
    project: Project, postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", postgres.url)
    postgres.execute(
        "CREATE TABLE events (id bigint PRIMARY KEY, at timestamptz NOT NULL, payload jsonb)",
        "INSERT INTO events VALUES (1, '2024-03-30 22:30+00', '{}')",
        "INSERT INTO events VALUES (2, '2024-03-31 12:00+00', '{}')",
        "CREATE TABLE orders (id int PRIMARY KEY, changed timestamptz, amount numeric(9, 2))",
        "INSERT INTO orders VALUES (1, '2024-01-01 00:00+00', 1.5), (2, '2024-01-02 00:00+00', 2)",
    )
    # Midnight in Berlin is 23:00 UTC the day before.
    partition = {
        "column": "at",
        "cadence": "daily",
        "start": "2024-03-30",
        "timezone": "Europe/Berlin",
    }
    tables = {
        "events": {"partition": partition, "unsupported": "string"},
        "orders": {"incremental": {"cursor": "changed"}},
    }
    project.write("shop/defs.yaml", source(tables=tables))
    project.refresh()
    for key in ("2024-03-30", "2024-03-31"):
        result = project.materialize("shop/events", partition=key)
        assert result.success, failures(result)
    days = {row["id"]: row["_partition"] for row in project.rows("shop.events")}
    assert days == {1: "2024-03-30", 2: "2024-03-31"}

    assert project.materialize("shop/orders").success
    postgres.execute(
        "UPDATE orders SET amount = 9, changed = '2024-01-03 00:00+00' WHERE id = 1",
        "INSERT INTO orders VALUES (3, '2024-01-04 00:00+00', 3)",
    )
    result = project.materialize("shop/orders")
    assert result.success, failures(result)
    amounts = {row["id"]: float(str(row["amount"])) for row in project.rows("shop.orders")}
    assert amounts == {1: 9, 2: 2, 3: 3}
