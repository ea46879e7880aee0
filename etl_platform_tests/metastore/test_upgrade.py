"""A metastore of the first schema is brought forward with its rows, by whoever opens it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.metastore import Metastore, QueryRecord, engine, migrate
from etl_platform.metastore.models import Base

OLD = Path(__file__).with_name("revision_0001.sql")
WHEN = "2026-01-02T03:04:05+00:00"


@pytest.fixture
def old(tmp_path: Path) -> str:
    """The URL of a metastore that the first release made."""
    path = tmp_path / "metastore.db"
    with sqlite3.connect(path) as session:
        session.executescript(OLD.read_text())
    session.close()
    return f"sqlite:///{path}"


def test_rows_of_the_first_schema_are_there_after_the_upgrade(old: str) -> None:
    opened = Metastore.open(old)
    (receipt,) = opened.receipts("shop.orders")
    assert (receipt.rows_total, receipt.checksum) == (3, "3:42")
    assert receipt.published_at.isoformat() == WHEN
    audit = opened.last_audit("shop.orders", "/srv/lake")
    assert audit is not None
    assert audit.audited_at.isoformat() == WHEN
    assert [profile.profile for profile in opened.profiles("shop.orders", lake="/srv/lake")]
    assert [(query.sql, query.status) for query in opened.queries()] == [("SELECT 1", "ok")]


def test_the_upgraded_schema_is_that_of_a_new_metastore(old: str) -> None:
    Metastore.open(old).record_query(QueryRecord(sql="SELECT 2"))
    made = engine.create(engine.parse_url(old))
    assert migrate.current_revision(made) == migrate.HEAD
    with made.connect() as con:
        assert compare_metadata(MigrationContext.configure(con), Base.metadata) == []
    assert set(inspect(made).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    made.dispose()


def test_a_metastore_of_a_newer_release_is_refused_and_not_touched(old: str) -> None:
    made = engine.create(engine.parse_url(old))
    with made.begin() as con:
        con.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(PermanentError, match="9999"):
        Metastore.open(old)
    assert migrate.current_revision(made) == "9999"
    made.dispose()


def test_records_follow_a_lake_that_moved(old: str) -> None:
    opened = Metastore.open(old)
    assert opened.lake_moved("/srv/lake", "s3://warehouse/lake") == 3
    assert opened.last_audit("shop.orders", "s3://warehouse/lake") is not None
    assert opened.last_audit("shop.orders", "/srv/lake") is None
    with pytest.raises(UnknownName, match="s3://warehouse/lake"):
        opened.lake_moved("/srv/lake", "/elsewhere")


def test_records_of_two_lakes_are_not_put_together(old: str) -> None:
    opened = Metastore.open(old)
    opened.record_audit("shop.orders", 0, None, "[]", lake="/other")
    with pytest.raises(PermanentError, match="already"):
        opened.lake_moved("/srv/lake", "/other")
