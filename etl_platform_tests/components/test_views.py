"""Views: models without rows of their own, read by queries and by other models."""

from __future__ import annotations

import json
import re

import pytest
from dagster.components.core.component_tree import ComponentTreeException

from etl_platform import Platform
from etl_platform.core.errors import ConfigError, PermanentError, QueryRefused
from etl_platform.core.names import TableName
from etl_platform.transforms.incremental.verify import verify
from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.components.test_database_source import failures, source
from etl_platform_tests.components.test_incremental_models import told
from etl_platform_tests.components.test_sql_models import models

LARGE = """/*
materialization: view
contract: {rules: [{rule: not_null, column: id}]}
*/
SELECT id, customer_id, amount, id::HUGEINT AS ids FROM shop.orders WHERE amount > $least
-- the last line is a comment"""
NAMED = """/*
materialization: view
*/
SELECT name, marts.large.amount FROM marts.large JOIN shop.customers c ON c.id = customer_id"""
BY_CUSTOMER = """/*
materialization: incremental
key: customer_id
*/
SELECT customer_id, sum(amount) AS total FROM marts.large AS l GROUP BY ALL"""


@pytest.fixture
def loaded(project: Project, shop: Shop) -> Project:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", models(variables={"least": 15}))
    project.write("marts/large.sql", LARGE)
    project.write("marts/named.sql", NAMED)
    project.write("marts/totals.sql", BY_CUSTOMER)
    project.refresh()
    result = project.materialize()
    assert result.success, failures(result)
    return project


def asked(project: Project, sql: str, role: str | None = None) -> list[tuple[object, ...]]:
    return Platform(project.lake.settings).query(sql, role=role).rows()


def test_a_view_is_read_as_its_select_over_the_tables_as_they_are(
    loaded: Project, shop: Shop
) -> None:
    query = "SELECT name, sum(amount) FROM marts.named GROUP BY ALL ORDER BY ALL"
    assert [(n, float(str(a))) for n, a in asked(loaded, query)] == [("Ada", 30.0), ("Grace", 20.0)]
    plan = Platform(loaded.lake.settings).plan(query)
    assert [str(one.table) for one in plan.inputs] == ["shop.customers", "shop.orders"]
    assert plan.rules[0].rule == "views"
    # The view stays as it is, and its rows are those of now.
    shop.execute("INSERT INTO orders VALUES (4, 2, 80, '2024-01-03 10:00:00')")
    assert loaded.materialize("shop/orders").success
    assert [(n, float(str(a))) for n, a in asked(loaded, query)] == [
        ("Ada", 30.0),
        ("Grace", 100.0),
    ]
    # Types are the lake's: of a HUGEINT it has decimals, in a view as in a table.
    (column,) = [f for f in loaded.lake.schema(TableName("marts", "large")) if f.name == "ids"]
    assert str(column.type) == "decimal128(38, 0)"
    sql = "SELECT typeof(ids) FROM marts.large LIMIT 1"
    assert asked(loaded, sql) == [("DECIMAL(38,0)",)]


def test_a_model_over_a_view_is_renewed_by_the_keys_that_changed_below_the_view(
    loaded: Project, shop: Shop
) -> None:
    shop.execute("UPDATE orders SET amount = amount + 1 WHERE customer_id = 2")
    result = loaded.materialize()
    again = told(result)
    assert again["computed_because"] == "1 values of customer_id in shop.orders changed"
    assert str(again["views"]).startswith("marts.large@")
    assert verify(loaded.lake, TableName("marts", "totals")).equal
    # Another view is another logic of what reads it.
    loaded.write("marts/defs.yaml", models(variables={"least": 25}))
    assert told(loaded.materialize("marts/large", "marts/totals"))["computed_because"] == (
        "the logic changed"
    )
    assert {row["customer_id"] for row in loaded.rows("marts.totals")} == {1}


def test_a_view_keeps_no_rows_and_tells_how_many_there_were_where_rules_saw_them(
    loaded: Project,
) -> None:
    snapshot = loaded.lake.snapshot(TableName("marts", "large"))
    assert (snapshot.files, snapshot.view is not None) == ((), True)
    with pytest.raises(PermanentError, match=r"marts\.large is a view"):
        loaded.rows("marts.large")
    assert loaded.check("marts/large", "not_null_id") == "SUCCEEDED"
    nothing = told(loaded.materialize("marts/large"), "marts__large")
    assert nothing["nothing_changed"] is True
    assert "dagster/row_count" not in nothing
    tree = Platform(loaded.lake.settings).lineage("marts.totals.total", down=False)
    assert {("marts.large", "amount"), ("shop.orders", "amount")} <= {
        (edge.from_table, edge.from_column) for edge in tree.edges
    }


def test_a_rule_that_blocks_keeps_the_view_that_there_is(loaded: Project) -> None:
    before = loaded.lake.snapshot(TableName("marts", "large")).view
    broken = LARGE.replace("SELECT id,", "SELECT NULLIF(id, 3) AS id,")
    loaded.write("marts/large.sql", broken)
    assert not loaded.materialize("marts/large").success
    assert loaded.lake.snapshot(TableName("marts", "large")).view == before


def test_a_view_may_not_hide_a_table_and_a_table_may_take_its_place(
    project: Project, shop: Shop
) -> None:
    import polars as pl

    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", models())
    project.write("marts/people.sql", "/*\nmaterialization: view\n*/\nFROM shop.customers")
    project.refresh()
    assert project.materialize("shop/customers").success
    table = TableName("marts", "people")
    project.lake.publish(project.lake.stage(table, pl.DataFrame({"other": [1]})))
    failed = project.materialize("marts/people")
    assert "cannot become a view" in failures(failed)
    project.write("marts/people.sql", "FROM shop.customers")
    assert project.materialize("marts/people").success
    # What the model itself made may go.
    project.write("marts/people.sql", "/*\nmaterialization: view\n*/\nFROM shop.customers")
    assert project.materialize("marts/people").success
    assert project.lake.snapshot(table).view is not None
    project.write("marts/people.sql", "SELECT name FROM shop.customers")
    assert project.materialize("marts/people").success
    assert sorted(str(row["name"]) for row in project.rows("marts.people")) == ["Ada", "Grace"]


def test_a_role_sees_of_a_view_what_it_sees_of_its_tables(loaded: Project) -> None:
    policies = {
        "roles": {
            "all": {"tables": {"*": {}}},
            "some": {"tables": {"*": {}, "shop.customers": {"masks": {"name": "redact"}}}},
            "view": {"tables": {"marts.*": {}}},
            "part": {"tables": {"*": {}, "marts.named": {"hide": ["name"]}}},
            "none": {"tables": {"shop.*": {}}},
        }
    }
    file = loaded.folder / "policies.json"
    file.write_text(json.dumps(policies))
    platform = Platform.open(loaded.lake.settings, policies=str(file))
    query = "SELECT DISTINCT name FROM marts.named ORDER BY ALL"
    assert platform.query(query, role="all").rows() == [("Ada",), ("Grace",)]
    assert {"Ada", "Grace"}.isdisjoint(platform.query(query, role="some")["name"].to_list())
    for role, why in (
        ("view", "may not read shop"),
        ("part", "is a view, and the policy"),
        ("none", r"may not read marts\.named"),
    ):
        with pytest.raises(QueryRefused, match=why):
            platform.query(query, role=role)


STEPS = """\
type: etl_platform.TransformComponent
attributes:
  target_schema: marts
  tables:
    big:
      from: shop.orders
      materialization: view
      {option}
      steps:
        - {step}
"""
JOIN = (
    "join: {{table: shop.customers, on: {{customer_id: id}}, expect: {expect}, "
    "columns: {{name: who}}}}"
)


def test_declared_steps_may_be_a_view(project: Project, shop: Shop) -> None:
    project.write("shop/defs.yaml", source())
    many = JOIN.format(expect="many_to_many")
    project.write("marts/defs.yaml", STEPS.format(step=many, option="description: Who ordered."))
    project.refresh()
    result = project.materialize()
    assert result.success, failures(result)
    assert asked(project, "SELECT who FROM marts.big ORDER BY id") == [
        ("Ada",),
        ("Grace",),
        ("Ada",),
    ]


@pytest.mark.parametrize(
    ("step", "option", "why"),
    [
        (
            JOIN.format(expect="many_to_one"),
            "tags: {}",
            r"defs\.yaml:7: .* cannot be a view: .*join with",
        ),
        ("filter: id > 1", "key: [id]", r"defs\.yaml:.*'key' is only used by"),
        ("filter: id > 1", "partition_by: [id]", "leave out 'partition_by'"),
        ("filter: id > 1", "anomalies: {metrics: [rows]}", "leave out 'anomalies'"),
        (
            "filter: id > 1",
            "contract: {rules: [{rule: not_null, column: id, action: quarantine}]}",
            "sets rows aside, which a view cannot",
        ),
    ],
)
def test_what_a_view_cannot_keep_is_refused_when_definitions_load(
    project: Project, shop: Shop, step: str, option: str, why: str
) -> None:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", STEPS.format(step=step, option=option))
    project.refresh()
    with pytest.raises(ComponentTreeException) as error, project.defs():
        pass
    assert isinstance(error.value.__cause__, ConfigError)
    assert re.search(why, str(error.value.__cause__))
