"""The database that a sink writes to, as a Dagster resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

if TYPE_CHECKING:
    from etl_platform.sinks.database import DatabaseSink


class DatabaseSinkResource(dg.ConfigurableResource["DatabaseSinkResource"]):
    """A target database. ``url`` is a secret reference, or a URL that carries no password."""

    name: str = Field(description="Name of the database in logs and messages.")
    url: str = Field(
        description="env://NAME, file:///path, aws-secret://name#field, or a URL without password."
    )

    def sink(self) -> DatabaseSink:
        """The database; it is connected to when something is loaded.

        Raises:
            ConfigError: when ``url`` holds a literal password.
        """
        from etl_platform.sinks.database import DatabaseSink
        from etl_platform.sources.database import Database

        return DatabaseSink(Database(self.name, self.url))
