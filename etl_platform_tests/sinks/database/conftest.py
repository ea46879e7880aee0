"""Every test that asks for a warehouse runs on every database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform.sinks.database import DatabaseSink
from etl_platform.sources.database import Database
from etl_platform_tests.sinks.database.targets import TARGETS, Warehouse, open_target


@pytest.fixture(params=TARGETS)
def warehouse(
    request: pytest.FixtureRequest, settings: Settings, tmp_path: Path
) -> Iterator[Warehouse]:
    for database in open_target(request.param, request, tmp_path):
        sink = DatabaseSink(Database("warehouse", database.url))
        yield Warehouse(database, sink, Lake(settings.lake_uri, settings))
