"""A result as a file: JSON, CSV, Parquet, Arrow, XLSX."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.core.json_values import plain
from etl_platform.query.results import Stored

if TYPE_CHECKING:
    from io import IOBase

    import polars as pl
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

_SLICE_ROWS = 65_536
_SHEET_ROWS = 1_048_575
_SHEET_COLUMNS = 16_384
_CELL_CHARACTERS = 32_767
_EXACT_DIGITS = 15
_FIRST_DATE = date(1900, 3, 1)
"""Excel takes 1900 for a leap year, so that earlier dates are shifted by a day."""


def _json(result: Stored, target: IO[bytes]) -> None:
    """One array with an object per row, a row a line."""
    first = True
    target.write(b"[")
    for frame in _slices(result):
        for row in frame.iter_rows(named=True):
            target.write(b"\n" if first else b",\n")
            target.write(json.dumps(plain(row), ensure_ascii=False).encode())
            first = False
    target.write(b"]\n")


def _csv(result: Stored, target: IO[bytes]) -> None:
    """RFC 4180 with a header; times ISO 8601, bytes hexadecimal, nested values as JSON."""
    import polars as pl

    def text(value: object) -> str | None:
        return None if value is None else json.dumps(plain(value), ensure_ascii=False)

    for number, frame in enumerate(_slices(result)):
        columns: list[pl.Series] = []
        for column in frame:
            if isinstance(column.dtype, pl.Datetime):
                shown = column.dt.to_string("iso:strict")
            elif isinstance(column.dtype, pl.Binary):
                shown = column.bin.encode("hex")
            elif column.dtype.is_nested() or column.dtype == pl.Object:
                texts = [text(v) for v in column.to_list()]
                shown = pl.Series(column.name, texts, dtype=pl.String)
            else:
                shown = column
            columns.append(shown)
        pl.DataFrame(columns).write_csv(target, include_header=number == 0)


def _parquet(result: Stored, target: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.write_table(result.table, target, compression="zstd")
    except pa.ArrowNotImplementedError as error:
        raise PermanentError(f"Parquet cannot hold the result: {error}") from error


def _arrow(result: Stored, target: IO[bytes]) -> None:
    """Arrow's IPC file format."""
    import pyarrow as pa

    with pa.ipc.new_file(cast("IOBase", target), result.table.schema) as writer:
        writer.write_table(result.table)


def _xlsx(result: Stored, target: IO[bytes]) -> None:
    """One sheet. What a cell cannot hold exactly (more than 15 digits, NaN, old dates) is text.

    Text is never taken for a formula or a link. Times with a zone are shown in UTC.
    """
    import xlsxwriter

    columns = result.table.schema.names
    if result.rows > _SHEET_ROWS or len(columns) > _SHEET_COLUMNS:
        raise PermanentError(
            f"a sheet cannot hold {result.rows:,} rows of {len(columns):,} columns",
            valid=f"{_SHEET_ROWS:,} rows below the header, {_SHEET_COLUMNS:,} columns",
            fix="aggregate, or export to csv or parquet",
        )
    options = {"constant_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"}
    with xlsxwriter.Workbook(target, options) as book:
        sheet = book.add_worksheet()
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        bold = book.add_format({"bold": True})
        for place, name in enumerate(columns):
            sheet.write_string(0, place, name, bold)
        row = 0
        for frame in _slices(result):
            for values in frame.iter_rows():
                row += 1
                for place, value in enumerate(values):
                    _cell(sheet, row, place, value, day)


def _cell(sheet: Worksheet, row: int, place: int, value: object, day: Format) -> None:
    match value:
        case None:
            return
        case bool():
            sheet.write_boolean(row, place, value)
        case int() if len(str(abs(value))) <= _EXACT_DIGITS:
            sheet.write_number(row, place, value)
        case float() if isfinite(value):
            sheet.write_number(row, place, value)
        case Decimal() if value.is_finite() and len(value.as_tuple().digits) <= _EXACT_DIGITS:
            sheet.write_number(row, place, float(value))
        case datetime() if value.date() >= _FIRST_DATE:
            shown = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
            sheet.write_datetime(row, place, shown)
        case date() if not isinstance(value, datetime) and value >= _FIRST_DATE:
            sheet.write_datetime(row, place, datetime(value.year, value.month, value.day), day)  # noqa: DTZ001 - a cell has no zone
        case _:
            found = plain(value)
            text = found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
            if isinstance(value, int | Decimal):
                text = str(value)
            if len(text) > _CELL_CHARACTERS:
                raise PermanentError(
                    f"row {row:,} has a text of {len(text):,} characters",
                    valid=f"at most {_CELL_CHARACTERS:,} in a cell",
                    fix="export to csv or parquet",
                )
            sheet.write_string(row, place, text)


FORMATS: Mapping[str, Callable[[Stored, IO[bytes]], None]] = {
    "json": _json,
    "csv": _csv,
    "parquet": _parquet,
    "arrow": _arrow,
    "xlsx": _xlsx,
}
"""Every format, named as the ending of its files."""
TEXT_FORMATS = frozenset({"json", "csv"})


def export(result: Stored, target: IO[bytes], form: str) -> None:
    """Write a result, slice by slice where the format allows.

    Raises:
        UnknownName: there is no such format.
        PermanentError: the format cannot hold the result, with the reason.
    """
    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    FORMATS[form](result, target)


def export_file(result: Stored, path: Path, form: str | None = None) -> None:
    """Write a result into a file, which is there only when it is whole.

    Args:
        path: replaced when it exists.
        form: one of :data:`FORMATS`; None takes the ending of the file's name.

    Raises:
        UnknownName: there is no such format.
        PermanentError: the format cannot hold the result, or the file cannot be written.
    """
    chosen = form or path.suffix.removeprefix(".").lower()
    if chosen not in FORMATS:
        raise UnknownName("format", chosen, FORMATS, where=str(path))
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as target:
            export(result, target, chosen)
        part.replace(path)
    except OSError as error:
        raise PermanentError(f"{path} cannot be written: {error.strerror}") from error
    finally:
        part.unlink(missing_ok=True)


def _slices(result: Stored) -> list[pl.DataFrame]:
    """The rows in pieces; one empty piece when there are none, so that columns are known."""
    return [result.frame(at, _SLICE_ROWS) for at in range(0, max(result.rows, 1), _SLICE_ROWS)]
