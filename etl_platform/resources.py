"""Dagster resources: thin wrappers that open the platform's parts when a run first needs them.

Nothing is connected to and no secret is read while definitions load.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import dagster as dg
from pydantic import Field, PrivateAttr

from etl_platform.core.errors import SecretError
from etl_platform.core.secrets import (
    SecretRef,
    SecretReference,
    SecretScheme,
    is_reference,
    resolve,
    use_client,
)
from etl_platform.core.settings import Settings, get_settings

if TYPE_CHECKING:
    from etl_platform.core.objects import ObjectStore
    from etl_platform.core.secrets import SecretsClient
    from etl_platform.lakehouse import Lake
    from etl_platform.metastore import Metastore
    from etl_platform.sources.api.messages import Transport
    from etl_platform.sources.api.options import ConnectionOptions
    from etl_platform.sources.database import Database
    from etl_platform.sources.stream import Stream

_OPENING = Lock()
"""Steps side by side ask for the same records at once."""


class SecretsResource(dg.ConfigurableResource["SecretsResource"]):
    """AWS Secrets Manager, for every ``aws-secret://`` reference of the process that defines it.

    Defining it is enough: no asset has to require it. Its fields are those of dagster-aws's
    ``SecretsManagerResource``, which makes the client; without it boto3's own configuration holds.
    Where several are defined, the last one counts.
    """

    region_name: str | None = Field(default=None, description="Region of the secrets.")
    endpoint_url: str | None = Field(
        default=None, description="A VPC endpoint, or a server that is not AWS's own."
    )
    profile_name: str | None = Field(
        default=None, description="Profile of the AWS configuration files; it may assume a role."
    )
    max_attempts: int = Field(default=5, ge=1, description="Tries of each request.")
    aws_access_key_id: SecretReference | None = Field(
        default=None, description="env:// or file:// reference; default: AWS's chain."
    )
    aws_secret_access_key: SecretReference | None = Field(
        default=None, description="env:// or file:// reference."
    )
    aws_session_token: SecretReference | None = Field(
        default=None, description="env:// or file:// reference."
    )

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        use_client(self.client)

    def client(self) -> SecretsClient:
        """A boto3 client; its own keys are read now.

        Raises:
            SecretError: a reference to a key does not resolve, or is one to AWS itself.
        """
        # 1.1 s: never while definitions load.
        from dagster_aws.secretsmanager import SecretsManagerResource

        keys = (self.aws_access_key_id, self.aws_secret_access_key, self.aws_session_token)
        key_id, key, token = (None if one is None else resolve(_not_aws(one)) for one in keys)
        warnings.filterwarnings("ignore", "Class `SecretsManagerResource`")  # it is in beta
        made = SecretsManagerResource(
            region_name=_given(self.region_name),
            endpoint_url=_given(self.endpoint_url),
            profile_name=_given(self.profile_name),
            max_attempts=self.max_attempts,
            aws_access_key_id=key_id,
            aws_secret_access_key=key,
            aws_session_token=token,
        ).get_client()
        return cast("SecretsClient", made)


def _given(value: str | None) -> str | None:
    return value.get_value() if isinstance(value, dg.EnvVar) else value


def _not_aws(reference: str) -> str:
    if SecretRef.parse(reference).scheme is SecretScheme.AWS:
        raise SecretError(
            f"{reference} cannot open Secrets Manager itself", valid="env:// or file://"
        )
    return reference


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
        with _OPENING:
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


class ApiResource(dg.ConfigurableResource["ApiResource"]):
    """An API. All runs of a machine share its limits, which go by its name."""

    name: str = Field(description="Name of the API in logs, records and limits.")
    connection: dict[str, Any] = Field(
        description="base_url, auth, limits, retry; secrets as references."
    )

    _transport: Any = PrivateAttr(default=None)

    def options(self) -> ConnectionOptions:
        """What is declared about it.

        Raises:
            ConfigError: the connection is not one.
        """
        from etl_platform.sources.api.declared import as_connection

        return as_connection(self.connection, self.name)

    def transport(self) -> Transport:
        """What sends its requests; it connects when first used."""
        if self._transport is None:
            from etl_platform.sources.api.transport import open_transport

            self._transport = open_transport(self.name, self.options())
        return self._transport


class FilesResource(dg.ConfigurableResource["FilesResource"]):
    """A folder or a bucket. ``connection`` says who asks, its secrets as references."""

    location: str = Field(
        description="A folder, s3://bucket/prefix, or a secret reference to one of these."
    )
    connection: dict[str, Any] = Field(
        default={}, description="Region, endpoint_url, profile, keys as references."
    )

    _store: Any = PrivateAttr(default=None)

    def store(self, client: Callable[[], Any] | None = None) -> ObjectStore:
        """The objects below the location; it connects when first used.

        Args:
            client: gives a boto3 client that was made elsewhere; default: as the connection says.

        Raises:
            ConfigError: the location is none, or the connection has unknown fields.
            SecretError: the reference to the location does not resolve.
        """
        if self._store is None:
            from etl_platform.core.objects import S3Connection, open_store
            from etl_platform.core.objects.connection import GivenClient

            place = resolve(self.location) if is_reference(self.location) else self.location
            how = S3Connection.model_validate(self.connection)
            self._store = open_store(place, how if client is None else GivenClient(client))
        return self._store
