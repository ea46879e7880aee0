"""Where Dagster keeps runs, events, schedules and ticks: SQLite, or PostgreSQL by environment.

``dagster.yaml`` can take values from the environment, but not the kind of storage; this class can.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster._config.config_schema import UserConfigSchema
from dagster._core.storage.base_storage import DagsterStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData

if TYPE_CHECKING:
    from dagster_postgres.storage import DagsterPostgresStorage
    from sqlalchemy import URL

POSTGRES_URL = "ETL_DAGSTER_PG_URL"


class InstanceStorage(DagsterStorage, ConfigurableClass):
    """Chooses Dagster's own storage when an instance is loaded; never instantiated itself.

    With ``ETL_DAGSTER_PG_URL`` set (a URL, or a secret reference to one) everything is kept in that
    PostgreSQL database. Else in SQLite below ``DAGSTER_HOME``, or below ``.dagster`` in the working
    directory when Dagster made up a temporary home.
    """

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(  # pyright: ignore[reportIncompatibleMethodOverride] - so do Dagster's own
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> DagsterStorage:
        """Make the storage.

        Raises:
            SecretError: when the reference in ``ETL_DAGSTER_PG_URL`` does not resolve.
        """
        url = os.environ.get(POSTGRES_URL)
        if not url:
            from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

            from etl_platform.event_log import EventLog

            home = os.environ.get("DAGSTER_HOME") or ".dagster"
            storage = DagsterSqliteStorage.from_local(str(Path(home).expanduser().absolute()))
            log = storage.event_log_storage
            # Dagster's storage of all three parts takes no class for one of them.
            setattr(storage, "_event_log_storage", EventLog(getattr(log, "_base_dir")))  # noqa: B009,B010
            return storage
        from dagster_postgres.storage import DagsterPostgresStorage

        from etl_platform.core.secrets import is_reference

        storage = DagsterPostgresStorage(_for_psycopg2(url).render_as_string(hide_password=False))
        if is_reference(url):
            _follow(storage, url)
        return storage


def _follow(storage: DagsterPostgresStorage, reference: str) -> None:
    """Every connection of Dagster's storage is a new one: each reads the reference again."""
    from etl_platform.metastore.engine import follow

    for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
        follow(getattr(part, "_engine"), lambda: _for_psycopg2(reference))  # noqa: B009


def _for_psycopg2(url: str) -> URL:
    """The URL, or what the reference holds now.

    Dagster sends NOTIFY with a parameter, which psycopg, SQLAlchemy 2.1's own choice, refuses.
    """
    from sqlalchemy import make_url

    from etl_platform.core.secrets import is_reference, resolve

    text = resolve(url) if is_reference(url) else url
    return make_url(text).set(drivername="postgresql+psycopg2")
