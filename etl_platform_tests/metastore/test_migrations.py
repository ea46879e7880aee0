"""Migrations lead to the models and back, and leave nothing behind when they are killed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from etl_platform.metastore import Metastore, QueryRecord, engine, migrate
from etl_platform.metastore.models import Base

TABLES = {
    *("receipts", "audits", "profiles", "queries", "engine_decisions", "metric_points"),
    *("metric_feedback", "saved_queries", "stream_batches", "stream_states", "alembic_version"),
    *("alert_cursors", "incidents", "notices", "step_uses", "failures"),
}


@pytest.fixture
def database(url: str) -> Iterator[Engine]:
    Metastore.open(url).record_query(QueryRecord(sql="SELECT 1"))
    made = engine.create(engine.parse_url(url))
    yield made
    made.dispose()


def tables(database: Engine) -> set[str]:
    return set(inspect(database).get_table_names())


def test_the_newest_revision_is_the_one_that_the_code_asks_for() -> None:
    config = Config()
    config.set_main_option("script_location", "etl_platform.metastore:migrations")
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_migrating_gives_exactly_the_models(database: Engine) -> None:
    with database.connect() as con:
        assert compare_metadata(MigrationContext.configure(con), Base.metadata) == []


def test_down_removes_everything_and_up_creates_it_again(database: Engine, url: str) -> None:
    assert tables(database) == TABLES
    migrate.downgrade(database, "base")
    assert tables(database) == {"alembic_version"}
    migrate.upgrade(database)
    assert tables(database) == TABLES
    assert Metastore.open(url).queries() == []


def test_a_failed_migration_leaves_nothing_behind(
    database: Engine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.downgrade(database, "base")

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        # The last statement of the revision never happens.
        patch.setattr(MigrationContext, "_ensure_version_table", lambda *_, **__: None)
        patch.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", killed)
        with pytest.raises(Killed):
            migrate.upgrade(database)
    assert tables(database) == {"alembic_version"}
    assert Metastore.open(url).queries() == []


def test_an_up_to_date_metastore_keeps_its_rows(database: Engine, url: str) -> None:
    migrate.upgrade(database)
    assert [q.sql for q in Metastore.open(url).queries()] == ["SELECT 1"]
