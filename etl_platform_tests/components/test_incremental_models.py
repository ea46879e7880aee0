"""Incremental models as assets: a run does what changed, says so, and says why when it does all."""

from __future__ import annotations

import dagster as dg

from etl_platform.core.names import TableName
from etl_platform.transforms.incremental.verify import verify
from etl_platform_tests.components.conftest import Project, Shop
from etl_platform_tests.components.test_database_source import failures, source
from etl_platform_tests.components.test_sql_models import models

BY_CUSTOMER = """/*
materialization: incremental
key: customer_id
anomalies: {metrics: [rows]}
*/
SELECT customer_id, sum(amount) AS total, count(*) AS orders FROM shop.orders GROUP BY ALL
"""
NAMES = "SELECT c.name, t.total FROM shop.customers c JOIN marts.totals t ON c.id = t.customer_id"


def told(result: dg.ExecuteInProcessResult, node: str = "marts__totals") -> dict[str, object]:
    assert result.success, failures(result)
    (event,) = result.asset_materializations_for_node(node)
    return {name: value.value for name, value in event.metadata.items()}


def totals(project: Project) -> dict[object, float]:
    rows = project.rows("marts.totals")
    return {row["customer_id"]: float(str(row["total"])) for row in rows}


def test_a_run_computes_what_changed_and_says_so(project: Project, shop: Shop) -> None:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", models())
    project.write("marts/totals.sql", BY_CUSTOMER)
    project.write("marts/names.sql", NAMES)
    project.refresh()
    first = told(project.materialize())
    assert (first["computed"], first["computed_because"]) == ("full refresh", "it is the first run")
    shop.execute("UPDATE orders SET amount = amount + 1 WHERE customer_id = 1")
    again = told(project.materialize())
    assert (again["computed"], again["computed_because"]) == (
        "affected keys",
        "1 values of customer_id in shop.orders changed",
    )
    assert again["rows_inserted"] == again["rows_deleted"] == 1
    assert totals(project) == {1: 42.5, 2: 20.0}
    assert project.check("marts/totals", "unique_customer_id") == "SUCCEEDED"

    # Nothing changed: no new version, whatever kind of model it is.
    result = project.materialize("marts/totals", "marts/names")
    for node, version in (("marts__totals", 1), ("marts__names", 1)):
        nothing = told(result, node)
        assert nothing["nothing_changed"] is True
        assert nothing["skipped"] == f"inputs and logic are those of version {version}"
    asked = project.materialize("marts/totals", tags={"etl/full_refresh": "true"})
    assert told(asked)["computed_because"] == "it was asked for"

    # A comment or another alias is no change; another expression is one.
    project.write("marts/totals.sql", BY_CUSTOMER.replace("FROM", "-- all\n FROM"))
    same = told(project.materialize("marts/totals"))["skipped"]
    assert same == "inputs and, but for its form, the logic are those of version 2"
    project.write("marts/totals.sql", BY_CUSTOMER.replace("sum(amount)", "sum(amount * 2)"))
    other = told(project.materialize("marts/totals", "marts/names"))
    assert (other["computed"], other["computed_because"]) == ("full refresh", "the logic changed")
    assert other["logic_changed_downstream"] == "marts/names: total"


def test_rows_that_a_contract_sets_aside_are_judged_with_all_others(
    project: Project, shop: Shop
) -> None:
    rule = "contract: {rules: [{rule: range, column: total, max: 50, action: quarantine}]}\n*/"
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", models())
    project.write("marts/totals.sql", BY_CUSTOMER.replace("*/", rule))
    project.refresh()
    assert project.materialize().success
    shop.execute("UPDATE orders SET amount = amount + 100 WHERE customer_id = 1")
    why = told(project.materialize())["computed_because"]
    assert why == "rule 'range_total' of the contract sets rows aside"
    assert totals(project) == {2: 20.0}


def test_a_snapshot_keeps_what_was_before(project: Project, shop: Shop) -> None:
    project.write("shop/defs.yaml", source())
    project.write("marts/defs.yaml", models())
    project.write(
        "marts/people.sql",
        "/*\nmaterialization: snapshot\nkey: id\n*/\nSELECT id, name FROM shop.customers",
    )
    project.write("marts/now.sql", "SELECT name FROM marts.people WHERE valid_to IS NULL")
    project.refresh()
    assert project.materialize().success
    shop.execute("UPDATE customers SET name = 'Augusta' WHERE id = 1")
    again = told(project.materialize(), "marts__people")
    assert (again["rows_inserted"], again["rows_deleted"]) == (2, 1)
    rows = sorted(project.rows("marts.people"), key=str)
    kept = {(row["name"], row["valid_to"] is None) for row in rows if row["id"] == 1}
    assert kept == {("Ada", False), ("Augusta", True)}
    assert {row["name"] for row in project.rows("marts.now")} == {"Augusta", "Grace"}
    assert told(project.materialize("marts/people"), "marts__people")["nothing_changed"] is True
    assert verify(project.lake, TableName("marts", "people")).equal
