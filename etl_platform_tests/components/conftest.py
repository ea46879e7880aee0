"""A Dagster project in a folder of its own, its instance, and a SQLite shop as its source."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster.components.testing.utils import DefsFolderSandbox, create_defs_folder_sandbox

from etl_platform.core.settings import Settings
from etl_platform.io_manager import LakeIOManager
from etl_platform.lakehouse import Lake
from etl_platform.resources import LakeResource


@dataclass(frozen=True)
class Project:
    """Components as YAML and SQL files, loaded and run as Dagster does it."""

    sandbox: DefsFolderSandbox
    instance: dg.DagsterInstance
    lake: Lake

    @property
    def folder(self) -> Path:
        return self.sandbox.defs_folder_path

    def write(self, path: str, content: str | Mapping[str, object]) -> Path:
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else yaml.safe_dump(dict(content))
        target.write_text(text)
        return target

    def refresh(self) -> None:
        """What ``dg utils refresh-defs-state`` does."""
        with self.sandbox.build_component_tree() as tree:
            for component in tree.get_all_components(dg.StateBackedComponent):
                asyncio.run(component.refresh_state(self.sandbox.project_root))

    @contextmanager
    def defs(self) -> Iterator[dg.Definitions]:
        lake = LakeResource()
        resources = {
            "lake": lake,
            "lake_io_manager": LakeIOManager(lake=lake, retry_delay_s=0),
        }
        with self.sandbox.build_all_defs() as found:
            yield dg.Definitions.merge(found, dg.Definitions(resources=resources))

    def materialize(
        self,
        *keys: str,
        partition: str | None = None,
        config: Mapping[str, object] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Run assets (all without keys); the result tells, nothing is raised."""
        with self.defs() as defs:
            job = defs.resolve_implicit_global_asset_job_def()
            selection = [dg.AssetKey.from_user_string(key) for key in keys] or None
            return job.execute_in_process(
                instance=self.instance,
                asset_selection=selection,
                partition_key=partition,
                run_config=config,
                tags=dict(tags or {}),
                raise_on_error=False,
            )

    def check(self, key: str, name: str) -> str:
        """The status that Dagster shows for a check: its last execution's."""
        check = dg.AssetCheckKey(dg.AssetKey.from_user_string(key), name)
        records = self.instance.event_log_storage.get_asset_check_execution_history(check, limit=1)
        return records[0].status.value if records else "NEVER"

    def rows(self, table: str) -> list[dict[str, object]]:
        from etl_platform.core.names import TableName

        return self.lake.scan(TableName.parse(table)).collect().to_dicts()


@pytest.fixture
def instance(request: pytest.FixtureRequest) -> dg.DagsterInstance:
    """In memory, but for tests that are marked ``stored_instance``."""
    stored = request.node.get_closest_marker("stored_instance") is not None
    return request.getfixturevalue("stored_instance" if stored else "memory_instance")


@pytest.fixture
def project(settings: Settings, instance: dg.DagsterInstance) -> Iterator[Project]:
    with create_defs_folder_sandbox() as sandbox:
        yield Project(sandbox, instance, Lake(settings.lake_uri, settings))


@dataclass(frozen=True)
class Shop:
    """A SQLite database with customers and their orders."""

    path: Path

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def execute(self, *statements: str) -> None:
        with sqlite3.connect(self.path) as con:
            for statement in statements:
                con.execute(statement)
        con.close()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop(tmp_path / "shop.db")
    made.execute(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL)",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, "
        "customer_id INTEGER REFERENCES customers (id), "
        "amount NUMERIC(10, 2) NOT NULL, placed_at TIMESTAMP NOT NULL)",
        "INSERT INTO customers VALUES (1, 'Ada'), (2, 'Grace')",
        "INSERT INTO orders VALUES (1, 1, 10.5, '2024-01-01 08:00:00'), "
        "(2, 2, 20, '2024-01-02 09:00:00'), (3, 1, 30, '2024-01-02 10:00:00')",
    )
    monkeypatch.setenv("SHOP_URL", made.url)
    return made
