"""APIs as assets: incremental, in periods, lists as tables, drift, and what a run tells."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from etl_platform.components.api_source.component import ApiSourceComponent
from etl_platform.components.api_source.loading import CURSOR_NOTE
from etl_platform.core.names import TableName
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.servers.graphql import TOKEN, graphql_server
from etl_platform_tests.servers.orders import OrdersApi, Record, orders_api
from etl_platform_tests.servers.soap import PASSWORD, soap_server

ORDERS = {"path": "/orders", "primary_key": ["id"], "profile": "off"}
BY_UPDATE = {"cursor": "updated_at", "param": "updated_since"}
CURSOR = {"type": "cursor", "next": "$.next", "param": "after"}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[OrdersApi]:
    with orders_api() as made:
        made.orders = {n: order(n) for n in range(1, 9)}
        monkeypatch.setenv("SHOP_API", made.url)
        yield made


def order(number: int, at: str = "2024-01-0", **more: object) -> Record:
    return {"id": number, "amount": number * 1.5, "updated_at": f"{at}{number}T00:00:00Z", **more}


def declare(project: Project, **resources: object) -> None:
    attributes = {
        "target_schema": "shop",
        "connection": {"base_url": "env://SHOP_API", "retry": {"attempts": 1}},
        "retry": {"attempts": 0, "delay_s": 0},
        "resources": resources,
    }
    component = {"type": "etl_platform.ApiSourceComponent", "attributes": attributes}
    project.write("shop/defs.yaml", component)


def told(result: dg.ExecuteInProcessResult, key: str) -> dict[str, object]:
    asset = dg.AssetKey.from_user_string(key)
    for event in result.get_asset_materialization_events():
        if event.asset_key == asset:
            metadata = event.materialization.metadata
            return {name: value.value for name, value in metadata.items()}
    return {}


def failures(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    """What each failed step says."""
    return {
        str(event.step_key): event.step_failure_data.error_display_string
        for event in result.all_events
        if event.is_step_failure
    }


def failure(result: dg.ExecuteInProcessResult) -> str:
    (text,) = failures(result).values()
    return text


def load_error(project: Project) -> str:
    """Everything that is said when the definitions do not load."""
    with pytest.raises(Exception) as refused, project.defs():
        pass
    said, error = [], refused.value
    while error is not None:
        said.append(str(error))
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return "\n".join(said)


def ids(project: Project, table: str) -> list[object]:
    return sorted(row["id"] for row in project.rows(table))  # type: ignore[type-var]


def test_an_incremental_resource_asks_for_what_changed_and_replaces_it(
    project: Project, api: OrdersApi
) -> None:
    declare(project, orders={**ORDERS, "incremental": BY_UPDATE, "pagination": CURSOR})
    first = project.materialize()
    assert first.success
    assert told(first, "shop/orders") | {"requests": 3, "pages": 3, "records": 8} == told(
        first, "shop/orders"
    )
    assert told(first, "shop/orders")["pagination"] == "cursor: declared"
    table = TableName("shop", "orders")
    assert project.lake.annotation(table, CURSOR_NOTE) == "2024-01-08T00:00:00Z"

    api.orders[2] = order(2, "2024-02-0", amount=99.5)
    api.orders[9] = order(9, "2024-02-0")
    api.asked.clear()
    second = project.materialize()
    assert second.success
    assert told(second, "shop/orders")["read_since"] == "2024-01-08T00:00:00Z"
    assert list(api.asked) == ["/orders?updated_since=2024-01-08T00%3A00%3A00Z"]
    rows = {row["id"]: row["amount"] for row in project.rows("shop.orders")}
    assert rows == {n: n * 1.5 for n in range(1, 10)} | {2: 99.5}

    # A full refresh drops what the API no longer has.
    assert project.lake.annotation(table, CURSOR_NOTE) == "2024-02-09T00:00:00Z"
    api.orders = {n: order(n) for n in (1, 2)}
    config = {"ops": {"shop__orders": {"config": {"full_refresh": True}}}}
    assert project.materialize(config=config).success
    assert ids(project, "shop.orders") == [1, 2]


def test_pages_of_a_run_that_failed_are_not_asked_for_again(
    project: Project, api: OrdersApi
) -> None:
    declare(project, orders={**ORDERS, "incremental": BY_UPDATE, "pagination": CURSOR})
    api.answered_before_break = 2
    failed = project.materialize()
    assert "400" in failure(failed)
    assert not project.lake.exists(TableName("shop", "orders"))
    api.answered_before_break = -1
    done = project.materialize()
    assert done.success
    assert told(done, "shop/orders")["pages_from_earlier_attempt"] == 2
    assert told(done, "shop/orders")["requests"] == 1
    assert set(api.asked.values()) == {1}
    assert ids(project, "shop.orders") == list(range(1, 9))


def test_after_rows_were_refused_the_api_is_asked_again(project: Project, api: OrdersApi) -> None:
    api.page, api.orders = 100, {1: order(1, amount=-1.0)}
    rules = {"rules": [{"rule": "range", "column": "amount", "min": 0}]}
    declare(project, orders={**ORDERS, "contract": rules, "pagination": {"type": "none"}})
    assert "range_amount" in failure(project.materialize())
    api.orders = {1: order(1)}
    assert project.materialize().success
    assert api.asked.total() == 2


def test_lists_become_tables_whose_rows_follow_their_record(
    project: Project, api: OrdersApi
) -> None:
    api.page = 100
    for number, one in api.orders.items():
        one["lines"] = [{"sku": f"s{number}", "n": n} for n in range(number % 3)]
    rules = {"rules": [{"rule": "range", "column": "n", "min": 0}]}
    resource = {
        **ORDERS,
        "incremental": BY_UPDATE,
        "nested": "explode",
        "children": {"lines": {"contract": rules}},
    }
    declare(project, orders=resource)
    assert project.materialize().success
    assert project.check("shop/orders__lines", "range_n") == "SUCCEEDED"
    lines = {(row["_parent_id"], row["_index_lines"]) for row in project.rows("shop.orders__lines")}
    assert lines == {(n, i) for n in range(1, 9) for i in range(n % 3)}
    assert "lines" not in project.lake.schema(TableName("shop", "orders")).names

    # A list that got shorter loses its rows here; those of other records stay.
    api.orders[8] = {**order(8, "2024-02-0"), "lines": [{"sku": "new", "n": 0}]}
    assert project.materialize().success
    after = {(row["_parent_id"], row["sku"]) for row in project.rows("shop.orders__lines")}
    assert {sku for parent, sku in after if parent == 8} == {"new"}
    assert len(project.rows("shop.orders__lines")) == len(lines) - 1

    kept, api.orders = api.orders, {}
    nothing = project.materialize()
    assert nothing.success
    assert told(nothing, "shop/orders")["records"] == 0
    assert len(project.rows("shop.orders__lines")) == len(lines) - 1
    cursor = project.lake.annotation(TableName("shop", "orders"), CURSOR_NOTE)
    assert cursor == "2024-02-08T00:00:00Z"

    api.orders = {**kept, 8: {**order(8, "2024-03-0"), "notes": [{"text": "x"}]}}
    refused = failure(project.materialize())
    assert "children does not name: notes" in refused


def test_periods_are_asked_for_one_by_one(project: Project, api: OrdersApi) -> None:
    api.sales = [{"id": n, "day": f"2024-01-0{n}"} for n in (1, 2, 3)]
    declare(
        project,
        sales={
            "path": "/sales",
            "params": {"from": "{window.start}", "to": "{window.end}"},
            "partition": {"cadence": "daily", "start": "2024-01-01", "format": "%Y-%m-%d"},
        },
    )
    # Of the fourth there is nothing.
    for day in ("2024-01-02", "2024-01-04"):
        assert project.materialize(partition=day).success
    assert ids(project, "shop.sales") == [2]
    assert "/sales?from=2024-01-02&to=2024-01-03" in api.asked


def test_an_answer_that_did_not_change_publishes_nothing(project: Project, api: OrdersApi) -> None:
    api.settings = [{"id": 1, "value": "a"}]
    rules = {"rules": [{"rule": "unique", "column": "id"}]}
    resource = {"path": "/settings", "conditional": True, "contract": rules}
    declare(project, settings={**resource, "pagination": {"type": "none"}})
    assert project.materialize().success
    same = project.materialize()
    assert same.success
    assert told(same, "shop/settings")["unchanged"] == "not modified since the last load"
    assert api.statuses[304] == 1
    table = TableName("shop", "settings")
    assert len(project.lake.history(table)) == 1


def test_records_with_other_columns_are_treated_as_declared(
    project: Project, api: OrdersApi
) -> None:
    api.page = 100
    choices = ("evolve", "freeze", "quarantine", "any")
    declare(project, **{choice: {**ORDERS, "schema_change": choice} for choice in choices})
    assert project.materialize().success
    api.orders = {n: order(n) for n in (1, 2)}
    api.orders[2]["note"] = "new"
    added = failures(project.materialize())
    api.orders = {1: order(1, amount="3.0"), 2: order(2, amount="much")}
    retyped = failures(project.materialize())

    assert set(added) == {"shop__freeze"}
    assert "+ note: string" in added["shop__freeze"]
    assert len(project.rows("shop.freeze")) == 8
    assert set(retyped) == {"shop__freeze", "shop__evolve"}
    assert "~ amount: double, now string" in retyped["shop__evolve"]
    assert [row["note"] for row in project.rows("shop.evolve")] == [None, "new"]
    assert [row["amount"] for row in project.rows("shop.any")] == ["3.0", "much"]
    assert [row["amount"] for row in project.rows("shop.quarantine")] == [3.0]
    assert "note" not in project.rows("shop.quarantine")[0]
    (apart,) = project.rows("shop.quarantine__quarantine")
    assert (apart["id"], apart["_rule"]) == (2, "schema_change")


def test_definitions_load_without_the_api_and_tell_what_is_wrong(project: Project) -> None:
    declare(project, orders={**ORDERS, "incremental": BY_UPDATE}, lines={"path": "/lines"})
    with project.defs() as defs:
        keys = {spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()}
    assert keys == {"shop/orders", "shop/lines"}
    for wrong, says in (
        ({"path": "/x", "incremental": BY_UPDATE}, "declare primary_key"),
        ({"path": "/x", "graphql": {"query": "{a}"}}, "one of path, graphql and soap"),
        ({"path": "/x", "parent": {"resource": "order"}}, "did you mean 'orders'"),
        ({"path": "/x", "pagination": {"type": "pages"}}, "page_number"),
    ):
        declare(project, orders=ORDERS, lines=wrong)
        assert says in load_error(project)


def test_a_credential_in_the_definition_is_refused_and_not_repeated(project: Project) -> None:
    auth = {"type": "bearer", "token": "literal-token-nobody-may-see"}
    attributes = {
        "target_schema": "shop",
        "connection": {"base_url": "https://api.example.com", "auth": auth},
        "resources": {"orders": ORDERS},
    }
    component = {"type": "etl_platform.ApiSourceComponent", "attributes": attributes}
    project.write("shop/defs.yaml", component)
    said = load_error(project)
    assert "env://" in said
    assert "nobody-may-see" not in said


def test_what_is_scaffolded_loads_as_it_is(project: Project) -> None:
    project.sandbox.scaffold_component(
        component_cls=ApiSourceComponent,
        defs_path="crm",
        scaffold_params={"base_url": "https://crm.example.com", "resource": "contacts"},
    )
    with project.defs() as defs:
        (spec,) = defs.resolve_all_asset_specs()
    assert spec.key == dg.AssetKey(["main", "contacts"])


def test_queries_of_graphql_and_operations_of_soap_are_resources_like_any_other(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = """query($first: Int!, $after: String, $since: String) {
      readings(first: $first, after: $after, since: $since) {
        pageInfo {hasNextPage endCursor} nodes: edges {node {id station updatedAt humidity}}
      }
    }"""
    sensors = {
        "graphql": {
            "query": query,
            "variables": {"first": 10, "since": "{since}"},
            "partial": "accept",
        },
        "primary_key": ["id"],
        "incremental": {"cursor": "updatedAt"},
    }
    stations = {
        "soap": {"wsdl": "/weather?wsdl", "operation": "GetReadings"},
        "select": "$.reading",
        "primary_key": ["id"],
        "types": {"amount": "decimal(38, 20)", "at": "timestamptz"},
        "pagination": {"type": "page_number", "total_records": "$.total", "size": 10},
        "contract": {"rules": [{"rule": "not_null", "column": "amount"}]},
    }
    with graphql_server() as (graphql, asked), soap_server() as (soap, _):
        for name, url, auth, resource in (
            ("sensors", graphql, {"type": "bearer", "token": "env://A_TOKEN"}, sensors),
            (
                "stations",
                soap,
                {"type": "basic", "username": "soap", "password": "env://A_PASSWORD"},
                stations,
            ),
        ):
            attributes = {
                "target_schema": name,
                "connection": {"base_url": url, "auth": auth},
                "defaults": {"profile": "off"},
                "resources": {"readings": resource},
            }
            component = {"type": "etl_platform.ApiSourceComponent", "attributes": attributes}
            project.write(f"{name}/defs.yaml", component)
        monkeypatch.setenv("A_TOKEN", TOKEN)
        monkeypatch.setenv("A_PASSWORD", PASSWORD)
        first = project.materialize()
        assert first.success
        before = asked.requests
        assert project.materialize("sensors/readings").success
        assert asked.requests == before + 1
    assert ids(project, "sensors.readings") == list(range(1, 26))
    assert len(project.rows("stations.readings")) == 25
    assert told(first, "sensors/readings")["errors_accepted"] == (
        "readings.nodes.2.node.humidity: the sensor of reading 13 is broken (1 answers)"
    )
    assert told(first, "sensors/readings")["pagination"] == "connection: declared"
