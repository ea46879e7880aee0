"""Tables of the lake exported as files by a component, as Dagster runs it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import dagster as dg
import pyarrow as pa
import pytest
from dagster.components import ScaffoldRequest
from dagster.components.core.component_tree import ComponentTreeException
from pydantic import ValidationError

from etl_platform.components.file_sink.options import FileOptions, S3Options
from etl_platform.components.file_sink.scaffolder import FileSinkParameters, FileSinkScaffolder
from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.core.objects import LocalStore
from etl_platform.lakehouse import Mode
from etl_platform.lakehouse.destinations import destinations_of
from etl_platform.resources import FilesResource
from etl_platform.sinks.files import read_manifest
from etl_platform_tests.components.conftest import Project

ORDERS = TableName("shop", "orders")
ASSET = "partner/orders"


def sink(folder: str, **orders: object) -> Mapping[str, object]:
    return {
        "type": "etl_platform.FileSinkComponent",
        "attributes": {
            "location": folder,
            "name": "partner",
            "tables": {"orders": {"source": "shop.orders", **orders}},
            "schedule": {"cron": "0 7 * * *"},
            "retry": {"attempts": 0},
        },
    }


def publish(project: Project, *amounts: float) -> None:
    table = pa.table({"id": pa.array(range(len(amounts)), pa.int64()), "amount": [*amounts]})
    project.lake.publish(project.lake.stage(ORDERS, table), Mode.REPLACE)


def test_a_materialisation_exports_the_version_and_says_what_it_did(
    project: Project, tmp_path: Path
) -> None:
    project.write(
        "sink/defs.yaml",
        sink(str(tmp_path / "out"), format="csv", columns={"price": "amount", "no": "id"}),
    )
    with project.defs() as defs:
        dg.Definitions.validate_loadable(defs)
        asset = defs.resolve_assets_def(dg.AssetKey(["partner", "orders"]))
        assert asset.asset_deps[asset.key] == {dg.AssetKey(["shop", "orders"])}
        assert defs.resolve_job_def("partner_refresh")
    publish(project, 10.5, 20)
    first = project.materialize(ASSET)
    assert first.success
    store = LocalStore(tmp_path / "out")
    manifest = read_manifest(store, "orders")
    assert manifest is not None
    assert manifest.run_id == first.run_id
    (file,) = manifest.files
    assert store.read(f"orders/{file.path}") == b"no,price\n0,10.5\n1,20.0\n"
    result = project.materialize(ASSET)
    assert result.success
    (event,) = result.asset_materializations_for_node("partner__orders")
    told = {name: event.metadata[name].value for name in ("files", "size_bytes", "skipped")}
    assert told == {
        "files": 1,
        "size_bytes": file.size_bytes,
        "skipped": "these files hold this version already",
    }
    assert event.metadata["dagster/row_count"].value == 2
    (known,) = destinations_of(project.lake.root, ORDERS)
    assert (str(known.target), known.columns["price"]) == ("partner:orders", "amount")
    assert project.check(ASSET, "fits_format") == "SUCCEEDED"
    assert project.check(ASSET, "files_complete") == "SUCCEEDED"
    publish(project, float("nan"))
    assert not project.materialize(ASSET).success
    assert project.check(ASSET, "fits_format") == "FAILED"
    assert read_manifest(store, "orders") == manifest


def test_a_bucket_is_reached_as_it_is_declared(project: Project) -> None:
    declared = dict(sink("s3://partner/exports"))
    keys = {"access_key_id": "env://KEY_ID", "secret_access_key": "env://KEY"}
    declared["attributes"] = {
        **cast("dict[str, object]", declared["attributes"]),
        "connection": {"region": "eu-central-1", **keys},
    }
    project.write("sink/defs.yaml", declared)
    with project.defs() as defs:
        resource = (defs.resources or {})["partner_exports"]
        assert isinstance(resource, FilesResource)
        assert resource.store().uri == "s3://partner/exports"
        assert resource.connection == {"region": "eu-central-1", **keys}


def test_what_is_scaffolded_loads(project: Project) -> None:
    request = ScaffoldRequest(
        type_name="etl_platform.FileSinkComponent",
        target_path=project.folder / "sink",
        scaffold_format="yaml",
        project_root=None,
        params=FileSinkParameters(source="shop.orders"),
    )
    request.target_path.mkdir()
    FileSinkScaffolder().scaffold(request)
    with project.defs() as defs:
        assert defs.resolve_assets_def(dg.AssetKey(["exports", "orders"]))


def test_what_cannot_be_exported_is_refused_when_definitions_load(
    project: Project, tmp_path: Path
) -> None:
    with pytest.raises(ValidationError, match="is not a duration"):
        FileOptions(source="shop.orders", keep_replaced="soon")
    with pytest.raises(ValidationError, match="is no folder"):
        FileOptions(source="shop.orders", folder="../elsewhere")
    with pytest.raises(EtlError) as refused:
        S3Options(access_key_id="AKIAIOSFODNN7EXAMPLE", secret_access_key="env://KEY")
    assert "AKIA" not in str(refused.value)
    twice = dict(sink(str(tmp_path)))
    twice["attributes"] = {
        "location": str(tmp_path),
        "name": "partner",
        "tables": {"a": {"source": "a.b", "folder": "x"}, "b": {"source": "a.b", "folder": "x"}},
    }
    project.write("sink/defs.yaml", twice)
    with pytest.raises(ComponentTreeException) as wrong, project.defs():
        pass
    assert "would both be folder 'x'" in str(wrong.value.__cause__)
