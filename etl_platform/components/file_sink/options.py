"""What may be declared about the tables that are exported."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, field_validator, model_validator

from etl_platform.components.sinking import SentOptions
from etl_platform.components.timing import Declaration, parse_duration
from etl_platform.core.errors import EtlError
from etl_platform.core.objects import S3Connection
from etl_platform.core.secrets import SecretRef
from etl_platform.sinks.files.export import Export


class S3Options(Declaration):
    """How the bucket is reached, and as whom; what is not given, AWS's own configuration says."""

    region: str | None = Field(default=None, description="Region of the bucket.")
    endpoint_url: str | None = Field(default=None, description="A server that is not AWS's own.")
    profile: str | None = Field(default=None, description="Profile of the AWS configuration.")
    access_key_id: str | None = Field(default=None, description="Reference to the key's id.")
    secret_access_key: str | None = Field(default=None, description="Reference to the key.")
    session_token: str | None = Field(
        default=None, description="Reference to the token of a temporary key."
    )

    @field_validator("access_key_id", "secret_access_key", "session_token")
    @classmethod
    def _reference(cls, value: str | None) -> str | None:
        # Not a ValueError: pydantic's own report would repeat what was written here.
        if value is not None:
            SecretRef.parse(value)
        return value

    @model_validator(mode="after")
    def _whole(self) -> S3Options:
        self.connection()
        return self

    def connection(self) -> S3Connection:
        return S3Connection.model_validate(self.model_dump())


class FileOptions(SentOptions):
    """One table as files."""

    format: Literal["parquet", "csv", "ndjson"] = Field(
        default="parquet", description="CSV holds no structures; NDJSON holds all but maps."
    )
    compression: Literal["none", "gzip", "zstd"] | None = Field(
        default=None, description="Default: zstd within Parquet, none around text."
    )
    partition_by: list[str] = Field(
        default=[],
        description="Columns whose values become folders: text, integer, boolean or date.",
        examples=[["country", "day"]],
    )
    delimiter: str = Field(default=",", description="Between the columns of CSV.")
    folder: str | None = Field(
        default=None, description="Below the component's location; default: the table's name."
    )
    file_mb: int = Field(default=512, description="About how large a file becomes, in MB.")
    keep_replaced: str = Field(
        default="1d",
        description="How long files of a replaced version stay for those who still read them.",
        examples=["7d"],
    )

    @model_validator(mode="after")
    def _possible(self) -> FileOptions:
        # Bounds in the annotation are not accepted by Dagster's resolution of YAML.
        if self.file_mb < 1:
            raise ValueError("file_mb is one or more")
        parse_duration(self.keep_replaced)
        try:
            self.export("table")
        except EtlError as error:
            raise ValueError(str(error)) from error
        return self

    @property
    def grace(self) -> timedelta:
        return parse_duration(self.keep_replaced)

    def export(self, name: str) -> Export:
        """The same as the sink takes it.

        Args:
            name: the folder, where none is declared.

        Raises:
            ConfigError: folder or delimiter cannot be used.
        """
        return Export(
            folder=self.folder or name,
            format=self.format,
            compression=self.compression,
            partition_by=tuple(self.partition_by),
            delimiter=self.delimiter,
            file_bytes=self.file_mb * 1_000_000,
            grace=self.grace,
        )
