"""A lake in a temporary folder."""

from __future__ import annotations

import pytest

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake

ORDERS = TableName("shop", "orders")


def stored_files(lake: Lake, table: TableName) -> set[str]:
    """The data files of a table, whichever version they are of, by their paths in its folder."""
    below = f"{table.path}/"
    paths = {one.key.removeprefix(below) for one in lake.root.store.list(below)}
    return {path for path in paths if not path.startswith("_")}


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings=settings)
