# ruff: noqa: E501 - one case, one line
"""Declared steps as assets: checked when definitions load, one SELECT in a run."""

from __future__ import annotations

import dagster as dg
import pytest

from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.components.test_database_source import failures, source
from etl_platform_tests.components.test_sql_models import spec_of

YAML = """\
type: etl_platform.TransformComponent
attributes:
  target_schema: marts
  variables: {least: 15}
  macros:
    net(amount): CAST(amount / 1.25 AS DECIMAL(10, 2))
  defaults: {automation: eager}
  tables:
    big:
      from: marts.named
      steps:
        - filter: amount > $least
        - rules:
            column: size
            from: sizes.csv
            default: normal
    named:
      from: shop.orders
      description: Orders with the customer's name.
      columns: {customer: Who ordered.}
      contract:
        rules:
          - {rule: unique, columns: [id]}
      steps:
        - join: {table: shop.customers, on: {customer_id: id}, expect: many_to_one, columns: {name: customer}}
        - derive: {net: net(amount)}
        - drop: [customer_id, placed_at]
"""
SIZES = "when,then,why\namount >= 30,large,agreed 2024\n"


@pytest.fixture
def declared(project: Project, shop: Shop) -> Project:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", YAML)
    project.write("marts/sizes.csv", SIZES)
    return project


def test_steps_run_over_what_sources_loaded_and_over_each_other(declared: Project) -> None:
    declared.refresh()
    with declared.defs() as defs:
        spec = spec_of(defs, "marts/named")
        reads = {dep.asset_key.to_user_string() for dep in spec.deps}
        columns = {c.name: c for c in spec.metadata["dagster/column_schema"].columns}
    assert reads == {"shop/orders", "shop/customers"}
    assert list(columns) == ["id", "amount", "customer", "net"]
    assert columns["customer"].description == "Who ordered."
    assert columns["net"].type == "DECIMAL(10,2)"
    assert spec.automation_condition == dg.AutomationCondition.eager()
    result = declared.materialize()
    assert result.success, failures(result)
    rows = [
        (row["id"], row["customer"], float(str(row["net"])), row["size"])
        for row in declared.rows("marts.big")
    ]
    assert sorted(rows) == [(2, "Grace", 16.0, "normal"), (3, "Ada", 24.0, "large")]
    assert declared.check("marts/named", "unique_id") == "SUCCEEDED"
    (event,) = result.asset_materializations_for_node("marts__named")
    lineage = event.metadata["dagster/column_lineage"].value
    assert isinstance(lineage, dg.TableColumnLineage)
    (dep,) = lineage.deps_by_column["customer"]
    assert (dep.asset_key, dep.column_name) == (dg.AssetKey(["shop", "customers"]), "name")


def test_rows_that_a_join_would_multiply_stop_the_run(declared: Project, shop: Shop) -> None:
    declared.write("marts/defs.yaml", YAML.replace("{customer_id: id}", "{customer_id: kind}"))
    shop.execute("ALTER TABLE customers ADD COLUMN kind INTEGER DEFAULT 1")
    declared.refresh()
    result = declared.materialize("shop/orders", "shop/customers", "marts/named")
    assert not result.success
    assert "defs.yaml:25: join" in str(failures(result))


def test_an_expectation_that_held_is_checked_again_once_its_table_changed(
    declared: Project, shop: Shop
) -> None:
    joined = YAML.replace("on: {customer_id: id}", "on: {customer_id: kind}")
    declared.write("marts/defs.yaml", joined)
    shop.execute("ALTER TABLE customers ADD COLUMN kind INTEGER")
    shop.execute("UPDATE customers SET kind = id")
    declared.refresh()
    tables = ("shop/orders", "shop/customers", "marts/named")
    first = declared.materialize(*tables)
    assert first.success, failures(first)
    shop.execute("UPDATE orders SET amount = amount + 1")
    second = declared.materialize("shop/orders", "marts/named")
    assert second.success, failures(second)
    shop.execute("UPDATE customers SET kind = 1")
    third = declared.materialize(*tables)
    assert not third.success
    assert "occurs more than once there" in str(failures(third))


def test_tables_load_before_the_source_was_ever_asked(declared: Project) -> None:
    with declared.defs() as defs:
        assert "dagster/column_schema" not in spec_of(defs, "marts/big").metadata


def test_sql_models_read_the_tables_of_steps_and_steps_those_of_models(declared: Project) -> None:
    declared.write("sql/defs.yaml", {"type": "etl_platform.SqlModelsComponent"})
    declared.write(
        "sql/top/spent.sql", "SELECT customer, sum(net) AS net FROM marts.named GROUP BY 1"
    )
    declared.write(
        "more/defs.yaml",
        {
            "type": "etl_platform.TransformComponent",
            "attributes": {
                "target_schema": "more",
                "tables": {"rich": {"from": "top.spent", "steps": [{"filter": "net > 20"}]}},
            },
        },
    )
    declared.refresh()
    with declared.defs() as defs:
        spec = spec_of(defs, "more/rich")
    assert [c.name for c in spec.metadata["dagster/column_schema"].columns] == ["customer", "net"]


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("amount > $least", "amnt > $least", ("defs.yaml:12: filter", "'amnt'", "'amount'")),
        ("shop.customers", "shop.custmers", ("defs.yaml:25: join", "'shop.custmers'", "'shop.customers'")),
        ("      steps:\n        - join", "      stps:\n        - join", ("defs.yaml:24:", "'stps'", "'steps'")),
    ],
)  # fmt: skip
def test_a_wrong_name_is_an_error_at_load_with_file_line_and_the_nearest(
    declared: Project, right: str, wrong: str, said: tuple[str, ...]
) -> None:
    declared.write("marts/defs.yaml", YAML.replace(right, wrong))
    declared.refresh()
    with pytest.raises(Exception, match="Error while building") as error, declared.defs():
        pass
    chain = str(error.value) + str(error.value.__cause__)
    assert all(text in chain for text in said), chain
