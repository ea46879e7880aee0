"""What is to be written where, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from etl_platform.core.errors import ConfigError
from etl_platform.sinks.database import Rows, rows_of

if TYPE_CHECKING:
    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Lake

FileKind = Literal["parquet", "csv", "ndjson"]
Codec = Literal["none", "gzip", "zstd"]
_EXTENSIONS = {"parquet": "parquet", "csv": "csv", "ndjson": "ndjson"}
_CODECS = {"none": "", "gzip": ".gz", "zstd": ".zst"}


@dataclass(frozen=True, slots=True)
class Export:
    """One table as files.

    Args:
        folder: below the store's root; it belongs to this table alone.
        format: of the files.
        compression: default: zstd within Parquet, none around text.
        partition_by: columns whose values become folders (``day=2024-01-31``), not columns.
        delimiter: of CSV.
        file_bytes: about how large a file becomes before the next one is begun; files of a
            partition are not cut.
        grace: how long the files of a replaced version stay for those who still read them.

    Raises:
        ConfigError: the folder or the delimiter cannot be used.
    """

    folder: str
    format: FileKind = "parquet"
    compression: Codec | None = None
    partition_by: tuple[str, ...] = ()
    delimiter: str = ","
    file_bytes: int = 512 * 1024 * 1024
    grace: timedelta = timedelta(days=1)

    def __post_init__(self) -> None:
        if any(part in {"", ".", ".."} for part in self.folder.split("/")):
            raise ConfigError(f"{self.folder!r} is no folder", valid="names with / between them")
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n' or not self.delimiter.isascii():
            raise ConfigError(
                f"{self.delimiter!r} cannot delimit columns", valid="one ASCII character but quotes"
            )

    @property
    def codec(self) -> Codec:
        return self.compression or ("zstd" if self.format == "parquet" else "none")

    @property
    def extension(self) -> str:
        """How names of files end."""
        outside = "" if self.format == "parquet" else _CODECS[self.codec]
        return _EXTENSIONS[self.format] + outside


@dataclass(frozen=True, slots=True)
class TableVersion:
    """Rows of one version. ``content`` is the same for the same version of the same table only."""

    rows: Rows
    version: int
    content: str

    def signature(self, export: Export) -> str:
        """What decides how the files look: equal signatures need no second writing."""
        told = [
            self.content,
            self.rows.source,
            [[field.name, str(field.type)] for field in self.rows.schema],
            [export.format, export.codec, export.partition_by, export.delimiter],
            export.file_bytes,
        ]
        return sha256(json.dumps(told).encode()).hexdigest()


def table_version(
    lake: Lake,
    table: TableName,
    version: int | None = None,
    columns: dict[str, str] | None = None,
) -> TableVersion:
    """One version of a table (default: the newest).

    Args:
        columns: names in the files to names in the lake; default: all.

    Raises:
        UnknownName: there is no such table, version or column.
    """
    rows = rows_of(lake, table, version)
    at = lake.version(table) if rows.version is None else rows.version
    # Names of data files are never used twice, so that a table that was dropped and made again
    # is another one although its versions count from 0.
    names = sorted(file.path for file in lake.files(table, at))
    told = json.dumps([at, names, columns])
    content = sha256(told.encode()).hexdigest()
    return TableVersion(rows if columns is None else rows.renamed(columns), at, content)
