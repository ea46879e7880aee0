"""Where Dagster keeps runs, events, schedules and ticks: SQLite, or PostgreSQL by environment.

``dagster.yaml`` can take values from the environment, but not the kind of storage; this class can.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster._config.config_schema import UserConfigSchema
from dagster._core.storage.base_storage import DagsterStorage
from dagster._serdes import ConfigurableClass, ConfigurableClassData

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

            home = os.environ.get("DAGSTER_HOME") or ".dagster"
            return DagsterSqliteStorage.from_local(str(Path(home).expanduser().absolute()))
        from dagster_postgres.storage import DagsterPostgresStorage

        from etl_platform.core.secrets import is_reference, resolve

        return DagsterPostgresStorage(_for_psycopg2(resolve(url) if is_reference(url) else url))


def _for_psycopg2(url: str) -> str:
    # Dagster sends NOTIFY with a parameter, which psycopg, SQLAlchemy 2.1's own choice, refuses.
    from sqlalchemy import make_url

    parsed = make_url(url).set(drivername="postgresql+psycopg2")
    return parsed.render_as_string(hide_password=False)
