"""A lake in a temporary folder."""

from __future__ import annotations

import pytest

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake

ORDERS = TableName("shop", "orders")


@pytest.fixture
def lake(settings: Settings) -> Lake:
    return Lake(settings=settings)
