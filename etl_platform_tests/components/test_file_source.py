"""Files as assets: each version of an object once, rewritten, deleted and bad ones, partitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.sensor_definition import SensorExecutionData
from dagster._core.test_utils import create_run_for_test

from etl_platform.components.file_source import requesting
from etl_platform.components.file_source.component import FileSourceComponent
from etl_platform.core.names import TableName
from etl_platform.core.objects import LocalStore, ObjectStore
from etl_platform_tests.components.conftest import Project
from etl_platform_tests.components.test_api_source import failure, load_error, told
from etl_platform_tests.servers.s3 import S3Server

ORDERS = TableName("shop", "orders")


@dataclass(frozen=True)
class Place:
    """Where files are, and how a component is told of it."""

    store: ObjectStore
    attributes: Mapping[str, object]

    def put(self, **files: str) -> None:
        for name, text in files.items():
            self.store.put(f"orders/{name}.csv", text.encode())

    def delete(self, name: str) -> None:
        self.store.delete([f"orders/{name}.csv"])


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        folder = tmp_path / "files"
        return Place(LocalStore(folder), {"location": str(folder)})
    server: S3Server = request.getfixturevalue("s3_server")
    store = server.store("in")
    connection = {k: v for k, v in server.connection() if v is not None}
    return Place(store, {"location": store.uri, "connection": connection})


@pytest.fixture
def folder(tmp_path: Path) -> Place:
    folder = tmp_path / "files"
    return Place(LocalStore(folder), {"location": str(folder)})


def declare(project: Project, place: Place, **options: object) -> None:
    attributes = {
        "target_schema": "shop",
        **place.attributes,
        "retry": {"attempts": 0, "delay_s": 0},
        "files": {"orders": {"path": "orders/*.csv", "profile": "off", **options}},
    }
    component = {"type": "etl_platform.FileSourceComponent", "attributes": attributes}
    project.write("shop/defs.yaml", component)


def csv(*numbers: int, amount: str = "1.5") -> str:
    return "id,amount\n" + "".join(f"{n},{amount}\n" for n in numbers)


def ids(project: Project, table: str = "shop.orders") -> list[tuple[object, object]]:
    return sorted((row["id"], row["_file"]) for row in project.rows(table))


def run(project: Project, **config: bool) -> dict[str, object]:
    said = {"ops": {"shop__orders": {"config": config}}} if config else None
    result = project.materialize(config=said)
    assert result.success
    return told(result, "shop/orders")


def test_each_version_of_an_object_is_loaded_once(project: Project, place: Place) -> None:
    declare(project, place)
    place.put(a=csv(1, 2), b=csv(3))
    first = run(project)
    assert first | {"files_listed": 2, "files_loaded": 2, "files_bad": 0, "mode": "append"} == first
    assert ids(project) == [(1, "orders/a.csv"), (2, "orders/a.csv"), (3, "orders/b.csv")]
    version = project.lake.version(ORDERS)

    assert run(project)["unchanged"] == "no object is new"
    assert project.lake.version(ORDERS) == version
    assert project.check("shop/orders", "bad_files") == "SUCCEEDED"

    # New and rewritten ones; the rows of the latter take the place of those before.
    place.put(b=csv(30, 31), c=csv(4))
    second = run(project)
    assert second | {"files_loaded": 2, "files_rewritten": 1, "rows_deleted": 1} == second
    assert [n for n, _ in ids(project)] == [1, 2, 4, 30, 31]
    assert project.lake.version(ORDERS) == version + 1


def test_bad_objects_are_told_beside_the_others(project: Project, place: Place) -> None:
    declare(project, place)
    place.put(a=csv(1), b="id,amount\n1,2,3\n", c="", d=csv(2))
    first = run(project)
    assert first | {"files_loaded": 2, "files_bad": 2} == first
    assert [n for n, _ in ids(project)] == [1, 2]
    bad = {row["key"]: row for row in project.rows("shop.orders__bad_files")}
    assert bad.keys() == {"orders/b.csv", "orders/c.csv"}
    assert bad["orders/b.csv"]["line"] == 2
    assert "3 fields where 2 are expected" in str(bad["orders/b.csv"]["reason"])
    assert "empty (0 bytes)" in str(bad["orders/c.csv"]["reason"])
    assert project.check("shop/orders", "bad_files") == "FAILED"

    # Not tried again as they are, unless asked for; loaded once they are good.
    assert run(project)["files_known_to_be_bad"] == 2
    assert run(project, retry_bad=True)["files_bad"] == 2
    assert len(project.rows("shop.orders__bad_files")) == 2
    place.put(b=csv(5), c=csv(6))
    assert run(project)["files_loaded"] == 2
    assert [n for n, _ in ids(project)] == [1, 2, 5, 6]
    assert project.check("shop/orders", "bad_files") == "SUCCEEDED"

    # A good version stays until there is a better one.
    place.put(b="id,amount\n1\n")
    run(project)
    assert [n for n, _ in ids(project)] == [1, 2, 5, 6]
    place.put(b=csv(7))
    run(project)
    assert [n for n, _ in ids(project)] == [1, 2, 6, 7]


def test_rows_of_deleted_objects_stay_or_go(project: Project, folder: Place) -> None:
    folder.put(a=csv(1), b=csv(2), c=csv(3))
    declare(project, folder)
    run(project)
    folder.delete("a")
    assert run(project)["unchanged"] == "no object is new"
    declare(project, folder, deleted="remove")
    gone = run(project)
    assert gone | {"files_deleted": 1, "rows_deleted": 1, "files_loaded": 0} == gone
    assert [n for n, _ in ids(project)] == [2, 3]
    folder.delete("b")
    folder.delete("c")
    result = project.materialize()
    assert "nothing was removed" in failure(result)
    assert [n for n, _ in ids(project)] == [2, 3]


def test_rewritten_objects_can_be_added_or_refused(project: Project, folder: Place) -> None:
    folder.put(a=csv(1))
    declare(project, folder, rewritten="append")
    run(project)
    folder.put(a=csv(2))
    run(project)
    assert ids(project) == [(1, "orders/a.csv"), (2, "orders/a.csv")]
    declare(project, folder, rewritten="refuse")
    folder.put(a=csv(3), b=csv(4))
    run(project)
    assert [n for n, _ in ids(project)] == [1, 2, 4]
    (bad,) = project.rows("shop.orders__bad_files")
    assert "rewritten is refuse" in str(bad["reason"])


def test_columns_may_come_unless_they_are_frozen(project: Project, folder: Place) -> None:
    folder.put(a=csv(1))
    declare(project, folder)
    run(project)
    folder.put(b="id,amount,note\n2,2.5,x\n", c="id\n3\n", d="a,b\n1,2\n", e=csv(5, amount="x"))
    run(project)
    rows = {row["id"]: (row["amount"], row["note"]) for row in project.rows("shop.orders")}
    assert rows == {1: (1.5, None), 2: (2.5, "x"), 3: (None, None)}
    assert {row["key"] for row in project.rows("shop.orders__bad_files")} == {
        "orders/d.csv",
        "orders/e.csv",
    }
    declare(project, folder, schema_change="freeze")
    folder.put(f="id,amount,note,more\n6,1.5,x,y\n", g=csv(7))
    run(project)
    assert [n for n, _ in ids(project)] == [1, 2, 3, 7]
    reasons = {row["key"]: row["reason"] for row in project.rows("shop.orders__bad_files")}
    assert "more" in str(reasons["orders/f.csv"])


def test_values_of_new_columns_can_be_kept_apart(project: Project, folder: Place) -> None:
    folder.put(a=csv(1))
    declare(project, folder, schema_change="quarantine")
    run(project)
    folder.put(b="id,amount,note\n2,2.5,x\n3,3.5,\n")
    assert "+ note: string" in str(run(project)["schema_drift"])
    assert ids(project) == [(1, "orders/a.csv"), (2, "orders/b.csv"), (3, "orders/b.csv")]
    assert project.lake.schema(ORDERS).names == ["id", "amount", "_file"]
    (apart,) = project.rows("shop.orders__quarantine")
    assert apart | {"id": 2, "_file": "orders/b.csv", "_apart": '{"note":"x"}'} == apart


def test_nothing_is_published_where_bad_files_fail(project: Project, folder: Place) -> None:
    declare(project, folder, bad_files="fail")
    folder.put(a=csv(1), b="id,amount\n1\n")
    text = failure(project.materialize())
    assert "orders/b.csv: line 2: 1 fields" in text
    assert not project.lake.exists(ORDERS)


def test_a_run_takes_no_more_than_its_batch(project: Project, folder: Place) -> None:
    declare(project, folder, batch={"max_files": 2})
    folder.put(a=csv(1), b=csv(2), c=csv(3))
    assert run(project)["files_waiting"] == 1
    assert [n for n, _ in ids(project)] == [1, 2]
    assert "files_waiting" not in run(project)
    assert [n for n, _ in ids(project)] == [1, 2, 3]


def test_a_full_refresh_follows_what_is_there(project: Project, folder: Place) -> None:
    declare(project, folder)
    folder.put(a=csv(1), b=csv(2))
    run(project)
    folder.delete("a")
    folder.put(b="id,amount\nx,2\n", c="id,amount\ny,3\n")
    run(project, full_refresh=True)
    assert [n for n, _ in ids(project)] == ["x", "y"]
    assert run(project)["unchanged"] == "no object is new"


def tick(project: Project) -> SensorExecutionData:
    """What the table's sensor asks for now; groups are added as the daemon does it."""
    with project.defs() as defs:
        repository = defs.get_repository_def()
        stored = project.instance.is_persistent
        with dg.build_sensor_context(
            instance=project.instance,
            instance_ref=project.instance.get_ref() if stored else None,
            repository_def=repository,
            resources=repository.get_top_level_resources(),
        ) as context:
            told = repository.get_sensor_def("shop_orders_files").evaluate_tick(context)
    for request in told.dynamic_partitions_requests or ():
        assert isinstance(request, dg.AddDynamicPartitionsRequest)
        project.instance.add_dynamic_partitions(
            request.partitions_def_name, list(request.partition_keys)
        )
    return told


def asked(project: Project) -> dict[str, str | None]:
    """The key of each run that the sensor asks for, and its partition."""
    return {str(one.run_key): one.partition_key for one in tick(project).run_requests or ()}


def test_a_sensor_asks_once_for_what_is_new(project: Project, folder: Place) -> None:
    declare(project, folder, batch={"max_files": 2})
    assert not asked(project)
    folder.put(a=csv(1), b=csv(2), c=csv(3))
    (first,) = asked(project)
    assert list(asked(project)) == [first]
    run(project)
    # The third object did not fit the batch.
    (second,) = asked(project)
    assert second != first
    run(project)
    assert not asked(project)
    folder.put(a="id,amount\n1\n")
    (third,) = asked(project)
    assert third not in (first, second)
    run(project)
    assert not asked(project)


def test_work_whose_run_failed_is_asked_for_again(
    project: Project, folder: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(project, folder)
    folder.put(a=csv(1))
    (request,) = list(tick(project).run_requests or ())
    status = dg.DagsterRunStatus

    def ended(how: dg.DagsterRunStatus) -> None:
        create_run_for_test(project.instance, "load", status=how, tags=request.tags)

    ended(status.STARTED)
    assert not asked(project)
    ended(status.FAILURE)
    assert not asked(project)
    monkeypatch.setattr(requesting, "FIRST_WAIT_S", 0.0)
    assert list(asked(project)) == [f"{request.run_key}/3"]
    ended(status.SUCCESS)
    # It was undone.
    assert list(asked(project)) == [f"{request.run_key}/4"]
    for _ in range(3):
        ended(status.FAILURE)
    assert not asked(project)


@pytest.mark.stored_instance
def test_objects_of_a_group_are_a_partition(project: Project, folder: Place) -> None:
    declare(project, folder, path="orders/**/*.csv", partition={"match": "region=([^/]+)/"})
    folder.put(**{"region=north/a": csv(1), "region=south/a": csv(2), "region=south/b": csv(3)})
    folder.put(nowhere=csv(4))
    assert sorted(asked(project).values()) == ["north", "south"]  # type: ignore[type-var]
    for part in ("north", "south"):
        assert project.materialize(partition=part).success
    assert not asked(project)
    rows = {(row["id"], row["_partition"]) for row in project.rows("shop.orders")}
    assert rows == {(1, "north"), (2, "south"), (3, "south")}

    # A partition is what its objects are now; the others stay as they are.
    folder.put(**{"region=south/a": csv(20), "region=south/c": ""})
    folder.delete("region=south/b")
    assert list(asked(project).values()) == ["south"]
    assert project.materialize(partition="south").success
    assert not asked(project)
    assert [n for n, _ in ids(project)] == [1, 20]
    assert project.check("shop/orders", "bad_files") == "FAILED"
    folder.delete("region=south/a")
    folder.delete("region=south/c")
    assert project.materialize(partition="south").success
    assert [n for n, _ in ids(project)] == [1]
    assert project.check("shop/orders", "bad_files") == "SUCCEEDED"


def test_objects_of_a_day_are_a_partition(project: Project, folder: Place) -> None:
    partition = {
        "match": r"orders/(\d{8})",
        "format": "%Y%m%d",
        "cadence": "daily",
        "start": "2024-01-01",
    }
    declare(project, folder, partition=partition)
    folder.put(**{"20240102-a": csv(1), "20240103": csv(2), "20231231": csv(3), "xy": csv(4)})
    assert sorted(asked(project).values()) == ["2024-01-02", "2024-01-03"]  # type: ignore[type-var]
    assert project.materialize(partition="2024-01-02").success
    assert list(asked(project).values()) == ["2024-01-03"]
    assert ids(project) == [(1, "orders/20240102-a.csv")]


def test_definitions_load_without_the_place(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    declare(project, Place(LocalStore("/nowhere"), {"location": "env://NO_SUCH_PLACE"}))
    with project.defs() as defs:
        (spec,) = defs.resolve_all_asset_specs()
    assert spec.key == dg.AssetKey(["shop", "orders"])
    for wrong, says in (
        ({"path": "/orders/*.csv"}, "no pattern of keys"),
        ({"read": {"csv": {"delimiter": "ab"}}}, "csv.delimiter"),
        ({"read": {"types": {"a": "int63"}}}, "int63"),
        ({"settle": "5 parsecs"}, "not a duration"),
        ({"partition": {"match": "x"}}, "0 groups"),
        ({"partition": {"match": "(x)"}, "deleted": "keep"}, "replaced by what its objects are"),
        ({"batch": {"max_files": 0}}, "above zero"),
    ):
        declare(project, Place(LocalStore("/nowhere"), {"location": "/nowhere"}), **wrong)
        assert says in load_error(project)
    secret = {"access_key_id": "env://KEY_ID", "secret_access_key": "literal-nobody-may-see"}
    place = Place(LocalStore("/nowhere"), {"location": "s3://x", "connection": secret})
    declare(project, place)
    said = load_error(project)
    assert "env://ITS_NAME" in said
    assert "nobody-may-see" not in said


def test_a_resource_of_the_project_can_make_the_client(
    project: Project, s3_server: S3Server
) -> None:
    store = s3_server.store("in")
    store.put("orders/a.csv", csv(1).encode())
    declare(project, Place(store, {"location": store.uri, "s3_resource": "landing"}))
    project.write(
        "landing.py",
        "import os\n"
        "import dagster as dg\n"
        "from dagster_aws.s3 import S3Resource\n"
        "@dg.definitions\n"
        "def resources() -> dg.Definitions:\n"
        "    return dg.Definitions(resources={'landing': S3Resource(\n"
        f"        endpoint_url={s3_server.aws.address!r}, region_name='eu-central-1',\n"
        "        aws_access_key_id=os.environ['TEST_AWS_KEY_ID'],\n"
        "        aws_secret_access_key=os.environ['TEST_AWS_SECRET_KEY'])})\n",
    )
    run(project)
    assert ids(project) == [(1, "orders/a.csv")]


def test_what_is_scaffolded_loads_as_it_is(project: Project) -> None:
    project.sandbox.scaffold_component(
        component_cls=FileSourceComponent,
        defs_path="landing",
        scaffold_params={"location": "/data", "table": "planes", "path": "planes/*.csv"},
    )
    with project.defs() as defs:
        (spec,) = defs.resolve_all_asset_specs()
    assert spec.key == dg.AssetKey(["main", "planes"])
