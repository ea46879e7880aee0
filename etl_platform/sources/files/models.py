"""What is known of a file, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etl_platform.core.objects import ObjectInfo, ObjectStore
from etl_platform.sources.files.options import CompressionName, FileOptions, FormatName

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class FileSample:
    """The first bytes of an object, and where the others are.

    Attributes:
        head: as stored (compressed); the whole object where ``len(head) == info.size_bytes``.
    """

    store: ObjectStore
    info: ObjectInfo
    head: bytes

    @property
    def uri(self) -> str:
        """The object's address."""
        return f"{self.store.uri}/{self.info.key}"


@dataclass(frozen=True, slots=True)
class CsvDialect:
    """How delimited text is written.

    Attributes:
        quote: empty where quotes are ordinary characters.
        escape: empty where quotes within quotes are doubled.
        line_end: ``\\n`` (with or without ``\\r``), or ``\\r`` alone.
        skip: lines before the header.
    """

    delimiter: str
    quote: str = '"'
    escape: str = ""
    header: bool = True
    line_end: str = "\n"
    skip: int = 0
    footer: int = 0


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How a file is to be read: detected, or declared.

    Attributes:
        encoding: of texts, as Python names it; ``utf-8`` with or without a byte order mark.
        dialect: of CSV.
        member: the file in a zip.
        names: columns as the file names them (CSV), or ``column_1``... where it has no header.
        confidence: 0 to 1; 1 for what was declared or is certain from the content.
        reasons: what the choice follows from.
        questions: what only a declaration can answer; reading refuses a format with any.
    """

    format: FormatName
    compression: CompressionName
    encoding: str = "utf-8"
    dialect: CsvDialect | None = None
    member: str | None = None
    names: tuple[str, ...] = ()
    confidence: float = 1.0
    reasons: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    options: FileOptions = field(default_factory=FileOptions)


@dataclass(frozen=True, slots=True)
class Inferred:
    """Columns that hold the sample exactly.

    Attributes:
        confidence: by column, 0 to 1, that the rest of the file fits: 1 where the type is declared
            or the file itself states it, else 1 - 1 / (values + 1), and 0 without any value.
        notes: by column, what it might be once somebody says so (dates, thousands, null spellings).
        rows: of the sample.
    """

    schema: pa.Schema
    confidence: dict[str, float]
    notes: dict[str, str]
    rows: int
