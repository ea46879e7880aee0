"""Every test of the metastore runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl_platform_tests.servers.postgres import PostgresDatabase


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new folder' / 'metastore.db'}"
    database: PostgresDatabase = request.getfixturevalue("postgres")
    return database.url
