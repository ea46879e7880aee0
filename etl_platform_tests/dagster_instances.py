"""Instances of Dagster for runs within a test's own process, without what is the same for all.

Of a run of a small table most is otherwise spent on Dagster's own: it reads its hundred migrations
for each database that it makes, and describes every installed component for each load of
definitions. Neither changes while tests run, so each is done once per process; processes that tests
start do everything as they do for users.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import dagster as dg


@pytest.fixture(scope="session")
def dagster_once() -> Iterator[None]:
    """Migrations are read, and component types described, when first needed and never again."""
    from alembic.script import ScriptDirectory
    from dagster import Definitions
    from dagster.components.core import load_defs

    read = ScriptDirectory.from_config
    known: dict[str | None, ScriptDirectory] = {}

    def from_config(config):
        place = config.get_main_option("script_location")
        if place not in known:
            known[place] = read(config)
        return known[place]

    describe = functools.cache(functools.partial(load_defs.get_library_json_enriched_defs, None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScriptDirectory, "from_config", from_config)
        patch.setattr(
            load_defs,
            "get_library_json_enriched_defs",
            lambda tree: Definitions(metadata=describe().metadata, component_tree=tree),
        )
        yield


@pytest.fixture
def memory_instance(dagster_once: None) -> Iterator[dg.DagsterInstance]:
    """Runs and their events are kept in memory, which takes a quarter of the time of files."""
    from dagster import DagsterInstance

    with DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(scope="session")
def empty_home(dagster_once: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dagster home whose databases are made and empty."""
    from dagster import DagsterInstance

    home = tmp_path_factory.mktemp("dagster_home")
    with DagsterInstance.local_temp(str(home)):
        return home


@pytest.fixture
def stored_instance(
    empty_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dg.DagsterInstance]:
    """Runs and their events are kept in the files of a home that other processes may open."""
    from dagster import DagsterInstance

    home = shutil.copytree(empty_home, tmp_path / "dagster_home")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with DagsterInstance.local_temp(str(home)) as made:
        yield made
