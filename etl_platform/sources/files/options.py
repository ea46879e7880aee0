"""What a definition may say of its files; whatever it leaves out is detected."""

from __future__ import annotations

import codecs
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from etl_platform.sources.stream.formats.columns import ColumnDeclaration

FormatName = Literal["csv", "ndjson", "json", "parquet", "avro", "xlsx"]
CompressionName = Literal["none", "gzip", "zstd", "bz2", "zip"]


class CsvOptions(BaseModel):
    """Delimited text (RFC 4180 where nothing else is said)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    quote: str | None = Field(
        default=None, max_length=1, description='Empty: quotes are ordinary characters. "" = none.'
    )
    escape: str | None = Field(
        default=None, max_length=1, description="Before a quote; default: quotes are doubled."
    )
    header: bool | None = Field(default=None, description="The first line names the columns.")
    skip: int = Field(default=0, ge=0, description="Lines before the header.")
    footer: int = Field(default=0, ge=0, le=100, description="Lines at the end that are no data.")
    null_values: tuple[str, ...] = Field(
        default=("",),
        description="Texts that mean null where they are not quoted. A quoted empty text is an "
        "empty text, and null in columns that hold no text.",
    )
    decimal: Literal[".", ","] = "."
    thousands: Literal["", ".", ",", " ", "'"] = ""
    trim: bool = Field(default=False, description="Take blanks off both ends of every value.")

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if self.thousands == self.decimal:
            raise ValueError("decimal and thousands are the same character")
        for one in (self.delimiter, self.quote, self.escape):
            if one is not None and ((one in "\r\n" and one) or not one.isascii()):
                raise ValueError(f"{one!r} cannot be a delimiter, quote or escape: ASCII only")
        if self.delimiter is not None and self.delimiter in (self.quote, self.escape):
            raise ValueError("delimiter and quote are the same character")
        return self


class JsonOptions(BaseModel):
    """One document with many records."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    select: str | None = Field(
        default=None, description="JSONPath of the records. Default: the only list."
    )
    max_bytes: int = Field(default=256 << 20, gt=0, description="A document is read as a whole.")


class XlsxOptions(BaseModel):
    """A workbook."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sheet: str | None = Field(default=None, description="Default: the only one.")
    skip: int = Field(default=0, ge=0, description="Rows before the header.")
    max_bytes: int = Field(default=256 << 20, gt=0, description="A workbook is read as a whole.")


class FileOptions(BaseModel):
    """How files are to be read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: FormatName | None = None
    compression: CompressionName | None = None
    encoding: str | None = Field(default=None, description="As Python names it, such as cp1252.")
    member: str | None = Field(default=None, description="Name of the file in a zip with several.")
    csv: CsvOptions = CsvOptions()
    json_: JsonOptions = Field(default=JsonOptions(), alias="json")
    xlsx: XlsxOptions = XlsxOptions()
    columns: dict[str, ColumnDeclaration] | None = Field(
        default=None,
        description="Columns and types; columns of the file that are not named here are refused.",
    )
    types: dict[str, ColumnDeclaration] = Field(
        default={}, description="Types of some columns; those of the others are found."
    )

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str | None) -> str | None:
        if encoding is None:
            return None
        try:
            return codecs.lookup(encoding).name
        except LookupError as error:
            raise ValueError(f"{encoding!r} is no encoding that Python knows") from error
