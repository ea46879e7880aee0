"""SQL models as assets: dependencies and columns from the text, rows through the gate."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

import dagster as dg
import pytest

from etl_platform.core.names import TableName
from etl_platform.platform import Platform
from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.components.test_database_source import failures, source

BY_CUSTOMER = """/*
description: What every customer spent.
columns: {total: Sum of all amounts}
contract:
  rules:
    - {rule: range, column: total, min: 0}
    - {rule: unique, columns: [name]}
*/
SELECT c.name, sum(o.amount) AS total, count(*) AS orders
FROM shop.orders AS o JOIN shop.customers AS c ON c.id = o.customer_id
GROUP BY c.name
"""


def models(**attributes: object) -> dict[str, object]:
    return {
        "type": "etl_platform.SqlModelsComponent",
        "attributes": {"target_schema": "marts", **attributes},
    }


def spec_of(defs: dg.Definitions, key: str) -> dg.AssetSpec:
    asset_key = dg.AssetKey.from_user_string(key)
    return defs.resolve_assets_def(asset_key).specs_by_key[asset_key]


def test_a_model_reads_what_sources_loaded_in_the_same_run(project: Project, shop: Shop) -> None:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", models())
    project.write("marts/by_customer.sql", BY_CUSTOMER)
    project.refresh()
    result = project.materialize()
    assert result.success, failures(result)
    totals = {row["name"]: float(str(row["total"])) for row in project.rows("marts.by_customer")}
    assert totals == {"Ada": 40.5, "Grace": 20}
    (event,) = result.asset_materializations_for_node("marts__by_customer")
    lineage = event.metadata["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    (dep,) = lineage.deps_by_column["total"]
    assert (dep.asset_key, dep.column_name) == (dg.AssetKey(["shop", "orders"]), "amount")
    assert event.metadata["input_versions"].value == "shop.customers@0, shop.orders@0"
    assert project.check("marts/by_customer", "unique_name") == "SUCCEEDED"
    origin = project.lake.origin(TableName("marts", "by_customer"))
    assert origin is not None
    assert origin.sql is not None
    assert origin.sql.startswith("SELECT c.name, sum")
    customers, orders = TableName("shop", "customers"), TableName("shop", "orders")
    assert origin.inputs == {customers: 0, orders: 0}
    assert origin.columns == {
        "name": ((customers, "name"),),
        "total": ((orders, "amount"),),
        "orders": (),
    }


def test_a_model_shows_dependencies_columns_and_text_before_it_runs(
    project: Project, shop: Shop
) -> None:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", models(defaults={"automation": "eager"}))
    project.write("marts/by_customer.sql", BY_CUSTOMER)
    project.refresh()
    with project.defs() as defs:
        spec = spec_of(defs, "marts/by_customer")
    assert {dep.asset_key.to_user_string() for dep in spec.deps} == {
        "shop/customers",
        "shop/orders",
    }
    columns = {column.name: column for column in spec.metadata["dagster/column_schema"].columns}
    assert list(columns) == ["name", "total", "orders"]
    assert columns["total"].description == "Sum of all amounts"
    assert spec.description == "What every customer spent."
    assert spec.automation_condition == dg.AutomationCondition.eager()
    files = [
        reference.file_path
        for reference in spec.metadata["dagster/code_references"].code_references
    ]
    assert any(file.endswith("by_customer.sql") for file in files)


def test_models_load_before_the_source_was_ever_asked(project: Project, shop: Shop) -> None:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", models())
    project.write("marts/by_customer.sql", BY_CUSTOMER)
    with project.defs() as defs:
        assert "dagster/column_schema" not in spec_of(defs, "marts/by_customer").metadata


@pytest.mark.parametrize(
    ("wrong", "right", "line"),
    [
        ("o.amont", "amount", 9),
        ("shop.ordrs", "shop.orders", 10),
        ("shp.orders", "shop.orders", 10),
    ],
)
def test_a_wrong_name_is_an_error_at_load_with_file_line_and_the_nearest(
    project: Project, shop: Shop, wrong: str, right: str, line: int
) -> None:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", models())
    original = "o.amount" if wrong == "o.amont" else "shop.orders"
    project.write("marts/by_customer.sql", BY_CUSTOMER.replace(original, wrong))
    project.refresh()
    with pytest.raises(Exception, match="Error while building") as error, project.defs():
        pass
    text = str(error.value.__cause__)
    assert f"by_customer.sql:{line}" in text
    assert f"did you mean '{right}'" in text


SQL_MODELS = """\
type: etl_platform.SqlModelsComponent
attributes:
  external_tables: {shop.orders: {amount: INTEGER}}
  variables:
    least: 15
    since: {type: DATE, value: "2024-01-01"}
  macros:
    # What is left of a price.
    net(price, tax): price / (1 + tax)
    twice(a): a * 2
---
type: etl_platform.SqlModelsComponent
attributes: {folder: other}
"""


@pytest.mark.parametrize(
    ("right", "wrong", "line", "what"),
    [
        ("type: DATE", "type: DAT", 6, r"variable 'since'.*'DAT'.*did you mean 'DATE'"),
        ('value: "2024-01-01"', "value: soon", 6, "variable 'since'"),
        ("net(price, tax)", "net(price, price)", 9, "net"),
        ("twice(a): a * 2", "sum(a): a * 2", 10, "there is a function 'sum' already"),
    ],
)
def test_a_wrong_variable_or_macro_is_told_with_file_and_line(
    project: Project, right: str, wrong: str, line: int, what: str
) -> None:
    assert SQL_MODELS.count(right) == 1
    file = project.write("marts/defs.yaml", SQL_MODELS.replace(right, wrong))
    project.write("marts/m.sql", "SELECT net(amount, 1) AS n FROM shop.orders")
    project.write("marts/other/n.sql", "SELECT 1 AS n")
    with pytest.raises(Exception, match="Error while building") as error, project.defs():
        pass
    text = str(error.value.__cause__)
    assert text.startswith(f"{file}:{line}: ")
    assert re.search(what, text, re.DOTALL)


def test_folders_of_models_know_each_others_columns(project: Project, shop: Shop) -> None:
    project.write("shop/defs.yaml", source())
    project.write("staging/defs.yaml", models(target_schema="staging"))
    project.write("staging/paid.sql", "SELECT id, amount FROM shop.orders")
    project.write("marts/defs.yaml", models())
    project.write("marts/total.sql", "SELECT sum(amount) AS total FROM staging.paid")
    project.refresh()
    assert project.materialize().success
    assert float(str(project.rows("marts.total")[0]["total"])) == 60.5
    project.write("marts/total.sql", "SELECT sum(amout) AS total FROM staging.paid")
    with pytest.raises(Exception, match="Error while building") as error, project.defs():
        pass
    assert "did you mean 'amount'" in str(error.value.__cause__)


def test_a_blocking_rule_of_a_model_keeps_the_last_good_version(
    project: Project, shop: Shop
) -> None:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", models())
    project.write("marts/by_customer.sql", BY_CUSTOMER)
    project.refresh()
    assert project.materialize().success
    shop.execute("UPDATE orders SET amount = -100 WHERE id = 2")
    result = project.materialize()
    assert not result.success
    assert project.check("marts/by_customer", "range_total") == "FAILED"
    assert project.check("marts/by_customer", "unique_name") == "SUCCEEDED"
    assert min(float(str(r["total"])) for r in project.rows("marts.by_customer")) == 20


def test_append_and_upsert_models_add_to_what_is_there(project: Project, shop: Shop) -> None:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", models())
    project.write(
        "marts/log.sql", "/*\nmaterialization: append\n*/\nSELECT id, amount FROM shop.orders"
    )
    project.write(
        "marts/latest.sql",
        "/*\nmaterialization: upsert\nkey: id\n*/\nSELECT id, amount FROM shop.orders",
    )
    project.refresh()
    assert project.materialize().success
    shop.execute("UPDATE orders SET amount = 11 WHERE id = 1", "DELETE FROM orders WHERE id = 2")
    assert project.materialize().success
    assert len(project.rows("marts.log")) == 5
    latest = {row["id"]: float(str(row["amount"])) for row in project.rows("marts.latest")}
    assert latest == {1: 11, 2: 20, 3: 30}


def test_changing_a_models_columns_changes_the_replaced_table(project: Project, shop: Shop) -> None:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", models())
    project.write("marts/ids.sql", "SELECT id, amount FROM shop.orders")
    project.refresh()
    assert project.materialize().success
    project.write("marts/ids.sql", "SELECT CAST(id AS VARCHAR) AS id FROM shop.orders")
    assert project.materialize().success
    assert {"id": "1"} in project.rows("marts.ids")


def test_a_model_over_a_table_without_data_says_what_to_do(project: Project, shop: Shop) -> None:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", models())
    project.write("marts/ids.sql", "SELECT id FROM shop.orders")
    project.refresh()
    result = project.materialize("marts/ids")
    assert not result.success
    assert "materialise shop/orders first" in failures(result)


def test_a_model_reads_a_python_assets_table_by_its_bare_key(project: Project) -> None:
    project.write("marts/defs.yaml", models(external_tables={"rates": {"rate": "DOUBLE"}}))
    project.write("marts/doubled.sql", "SELECT rate * 2 AS rate FROM rates")
    project.write(
        "python/assets.py",
        "import dagster as dg\nimport polars as pl\n\n"
        "@dg.asset(io_manager_key='lake_io_manager')\n"
        "def rates() -> pl.DataFrame:\n    return pl.DataFrame({'rate': [1.5]})\n",
    )
    result = project.materialize()
    assert result.success, failures(result)
    assert project.rows("marts.doubled") == [{"rate": 3.0}]


def test_a_model_that_is_a_rollup_answers_queries_until_its_inputs_change(
    project: Project, shop: Shop
) -> None:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", models())
    project.write(
        "marts/by_day.sql",
        "/*\nrollup: true\n*/\nSELECT customer_id, date_trunc('day', placed_at) AS day, "
        "sum(amount) AS amount, count(*) AS orders FROM shop.orders GROUP BY ALL",
    )
    project.refresh()
    assert project.materialize().success
    sql = (
        "SELECT date_trunc('month', placed_at) AS month, sum(amount) AS total "
        "FROM shop.orders GROUP BY month"
    )
    platform = Platform(project.lake.settings)
    planned = platform.plan(sql)
    assert [t.table.sql for t in planned.inputs] == ["marts.by_day"]
    found = platform.query(sql)
    assert found.rows() == [(datetime(2024, 1, 1), Decimal("60.50"))]
    shop.execute("INSERT INTO orders VALUES (4, 1, 100, '2024-01-03 10:00:00')")
    assert project.materialize("shop/orders").success
    stale = platform.plan(sql)
    assert [t.table.sql for t in stale.inputs] == ["shop.orders"]
    why = "rollup marts.by_day was made of shop.orders version 0, now 1"
    assert why in [rule.why for rule in stale.rules]
    assert platform.query(sql)["total"].to_list() == [Decimal("160.50")]
    assert project.materialize("marts/by_day").success
    assert [t.table.sql for t in platform.plan(sql).inputs] == ["marts.by_day"]
    again = platform.query(sql)
    assert (again.schema, again["total"].to_list()) == (found.schema, [Decimal("160.50")])
