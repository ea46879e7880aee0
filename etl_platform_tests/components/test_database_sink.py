"""Tables of the lake loaded into a database by a component, as Dagster runs it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest
from pydantic import ValidationError

from etl_platform.components.database_sink.options import SinkOptions
from etl_platform.core.names import TableName
from etl_platform.lakehouse import Mode
from etl_platform.lakehouse.destinations import destinations_of
from etl_platform_tests.components.conftest import Project

ORDERS = TableName("shop", "orders")
ASSET = "warehouse/orders"


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "warehouse.db"
    monkeypatch.setenv("WAREHOUSE_URL", f"sqlite:///{path}")
    return path


def sink(**orders: object) -> Mapping[str, object]:
    return {
        "type": "etl_platform.DatabaseSinkComponent",
        "attributes": {
            "url": "env://WAREHOUSE_URL",
            "name": "warehouse",
            "tables": {"orders": {"source": "shop.orders", **orders}},
            "schedule": {"cron": "0 7 * * *"},
            "retry": {"attempts": 0},
        },
    }


def publish(project: Project, rows: Mapping[int, float], mode: Mode = Mode.REPLACE) -> None:
    table = pa.table({"id": pa.array(rows.keys(), pa.int64()), "amount": list(rows.values())})
    project.lake.publish(project.lake.stage(ORDERS, table), mode)


def stored(path: Path) -> list[tuple[object, ...]]:
    con = sqlite3.connect(path)
    found = con.execute("SELECT id, amount FROM orders ORDER BY id").fetchall()
    con.close()
    return found


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as con:
        con.execute(statement)
    con.close()


def test_definitions_load_without_target_and_secret(project: Project) -> None:
    project.write("sink/defs.yaml", sink(mode="upsert", key=["id"]))
    with project.defs() as defs:
        dg.Definitions.validate_loadable(defs)
        asset = defs.resolve_assets_def(dg.AssetKey(["warehouse", "orders"]))
        assert asset.asset_deps[asset.key] == {dg.AssetKey(["shop", "orders"])}
        assert {key.name for key in asset.check_keys} == {"fits_target", "reconciles"}
        assert defs.resolve_job_def("warehouse_refresh")
        assert defs.resolve_job_def("warehouse_revert")


def test_a_materialisation_loads_the_table_and_says_what_it_did(
    project: Project, warehouse: Path
) -> None:
    project.write("sink/defs.yaml", sink(mode="upsert", key=["id"]))
    publish(project, {1: 10.5, 2: 20.0})
    assert project.materialize(ASSET).success
    publish(project, {2: 21.0, 3: 30.0})
    result = project.materialize(ASSET)
    assert result.success
    assert stored(warehouse) == [(1, 10.5), (2, 21), (3, 30)]
    (event,) = result.asset_materializations_for_node("warehouse__orders")
    counts = [event.metadata[f"rows_{did}"].value for did in ("inserted", "updated", "deleted")]
    assert counts == [1, 1, 0]
    assert event.metadata["source_version"].value == 1
    assert "dagster/column_lineage" in event.metadata
    (known,) = destinations_of(project.lake.root, ORDERS)
    assert (str(known.target), known.target.kind) == ("warehouse:orders", "sqlite")
    assert (known.columns["amount"], known.version) == ("amount", 1)
    assert project.check(ASSET, "fits_target") == "SUCCEEDED"
    assert project.check(ASSET, "reconciles") == "SUCCEEDED"


def test_append_brings_what_was_appended_since_the_last_load(
    project: Project, warehouse: Path
) -> None:
    project.write("sink/defs.yaml", sink(mode="append"))
    publish(project, {1: 1.0})
    assert project.materialize(ASSET).success
    publish(project, {2: 2.0}, Mode.APPEND)
    publish(project, {3: 3.0}, Mode.APPEND)
    assert project.materialize(ASSET).success
    assert project.materialize(ASSET).success
    assert stored(warehouse) == [(1, 1.0), (2, 2.0), (3, 3.0)]
    publish(project, {4: 4.0})
    assert not project.materialize(ASSET).success
    assert stored(warehouse) == [(1, 1.0), (2, 2.0), (3, 3.0)]


def test_rows_that_do_not_fit_fail_the_check_and_nothing_is_sent(
    project: Project, warehouse: Path
) -> None:
    project.write("sink/defs.yaml", sink(mode="upsert", key=["id"]))
    publish(project, {1: float("nan")})
    assert not project.materialize(ASSET).success
    assert stored(warehouse) == []
    assert project.check(ASSET, "fits_target") == "FAILED"


def test_a_target_that_differs_fails_the_reconciliation_only(
    project: Project, warehouse: Path
) -> None:
    project.write("sink/defs.yaml", sink(mode="append", key=["id"]))
    publish(project, {1: 1.0, 2: 2.0})
    assert project.materialize(ASSET).success
    change(warehouse, "UPDATE orders SET amount = 9 WHERE id = 2")
    assert project.materialize(ASSET).success
    assert project.check(ASSET, "reconciles") == "FAILED"


def test_the_revert_job_takes_the_newest_load_back(project: Project, warehouse: Path) -> None:
    project.write("sink/defs.yaml", sink(keep_before="7d"))
    publish(project, {1: 1.0})
    assert project.materialize(ASSET).success
    publish(project, {2: 2.0})
    assert project.materialize(ASSET).success
    with project.defs() as defs:
        config = {"ops": {"warehouse_revert_load": {"config": {"table": "orders"}}}}
        job = defs.resolve_job_def("warehouse_revert")
        assert job.execute_in_process(run_config=config, instance=project.instance).success
    assert stored(warehouse) == [(1, 1.0)]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"mode": "upsert"}, "mode upsert needs a key"),
        ({"mode": "append", "keep_before": "7d"}, "can only be taken back by a key"),
        ({"contract": {"rules": []}}, "a contract belongs to the lake's table"),
        ({"keep_before": "soon"}, "'soon' is not a duration"),
    ],
)
def test_what_cannot_work_is_refused_when_definitions_load(
    options: Mapping[str, object], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        SinkOptions.model_validate({"source": "shop.orders", **options})
