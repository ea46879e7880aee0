"""Dagster resources: thin wrappers that open the platform's parts when a run first needs them.

Nothing is connected to and no secret is read while definitions load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, PrivateAttr

from etl_platform.core.settings import Settings, get_settings

if TYPE_CHECKING:
    from etl_platform.lakehouse import Lake
    from etl_platform.metastore import Metastore
    from etl_platform.sources.database import Database
    from etl_platform.sources.stream import Stream


class LakeResource(dg.ConfigurableResource["LakeResource"]):
    """The lake and the platform's own records; without arguments where the environment says."""

    lake_uri: str | None = Field(
        default=None, description="Root of the lake; default ETL_LAKE_URI, else .etl/lake."
    )
    metastore_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL or secret reference of the platform's records; "
        "default ETL_METASTORE_URL, else SQLite in .etl/.",
    )

    # Any: pydantic would have to import the type while definitions load.
    _metastore: Any = PrivateAttr(default=None)

    def settings(self) -> Settings:
        """The process's settings with what this resource overrides."""
        overrides = {
            name: value
            for name, value in (
                ("lake_uri", self.lake_uri),
                ("metastore_url", self.metastore_url),
            )
            if value is not None
        }
        if not overrides:
            return get_settings()
        return Settings.model_validate({**get_settings().model_dump(), **overrides})

    def lake(self) -> Lake:
        """Open the lake: no table is read yet."""
        from etl_platform.lakehouse import Lake

        settings = self.settings()
        return Lake(settings.lake_uri, settings)

    def metastore(self) -> Metastore:
        """Open the platform's records, creating or migrating them when needed; once per process."""
        if self._metastore is None:
            from etl_platform.metastore import Metastore

            self._metastore = Metastore.open(self.settings().metastore_url)
        return self._metastore


class DatabaseResource(dg.ConfigurableResource["DatabaseResource"]):
    """A source database. ``url`` is a secret reference, or a URL that carries no password."""

    name: str = Field(description="Name of the source in logs and records.")
    url: str = Field(
        description="env://NAME, file:///path, aws-secret://name#field, or a URL without password."
    )

    _database: Any = PrivateAttr(default=None)

    def database(self) -> Database:
        """The database; its engine connects when first used.

        Raises:
            ConfigError: when ``url`` holds a literal password.
        """
        if self._database is None:
            from etl_platform.sources.database import Database

            self._database = Database(self.name, self.url)
        return self._database


class StreamResource(dg.ConfigurableResource["StreamResource"]):
    """A broker. ``connection`` says where it is and who asks, its secrets as references."""

    kind: str = Field(description="kafka or kinesis.")
    connection: dict[str, Any] = Field(description="As the kind of broker takes it.")

    _streams: Any = PrivateAttr(default=None)

    def stream(self, topic: str) -> Stream:
        """A topic or stream by its name; it connects when first used.

        Raises:
            ConfigError: the connection is not one for this kind of broker.
        """
        if self._streams is None:
            self._streams = {}
        if topic not in self._streams:
            from etl_platform.sources.stream.brokers import open_stream

            self._streams[topic] = open_stream(self.kind, self.connection, topic)
        return self._streams[topic]
