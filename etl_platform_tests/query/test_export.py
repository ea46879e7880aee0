"""Every format keeps the values, or says that it cannot."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import openpyxl
import polars as pl
import pyarrow as pa
import pytest

from etl_platform.core.errors import PermanentError, UnknownName
from etl_platform.query.export import FORMATS, export, export_file
from etl_platform.query.results import Stored

AT = datetime(2024, 2, 29, 12, 30, 1, 250_000)
LONG = Decimal("12345678901234567.89")
ROWS = pa.table(
    {
        "id": [1, 2**60, None],
        "name": ["=1+1", 'say "é",\nthen go', None],
        "price": pa.array([Decimal("1.10"), LONG, None], pa.decimal128(20, 2)),
        "at": pa.array([AT, datetime(1, 1, 1), None], pa.timestamp("us")),
        "zoned": pa.array([AT, AT, None], pa.timestamp("us", "Etc/UTC")),
        "day": pa.array([date(2024, 2, 29), date(1899, 1, 1), None]),
        "share": [0.5, float("nan"), None],
        "raw": [b"\x00\xff", b"", None],
        "many": pa.array([[1, None], [], None], pa.list_(pa.int64())),
        "flag": [True, False, None],
    }
)  # fmt: skip
RESULT = Stored("x", ROWS)


def written(form: str, result: Stored = RESULT) -> bytes:
    target = io.BytesIO()
    export(result, target, form)
    return target.getvalue()


def test_parquet_and_arrow_give_the_same_rows_back() -> None:
    assert pl.read_parquet(io.BytesIO(written("parquet"))).equals(RESULT.frame())
    assert pl.read_ipc(io.BytesIO(written("arrow"))).equals(RESULT.frame())


def test_json_is_one_array_that_loses_no_digit() -> None:
    first, second, third = json.loads(written("json"))
    assert (first["id"], first["price"], first["raw"], first["many"]) == (1, 1.1, "00ff", [1, None])
    assert first["at"] == AT.isoformat()
    assert (second["id"], second["price"]) == (2**60, "12345678901234567.89")
    assert set(third.values()) == {None}


def test_csv_is_read_back_by_a_reader_of_csv() -> None:
    header, first, second, third = csv.reader(io.StringIO(written("csv").decode()))
    assert header == ROWS.schema.names
    assert dict(zip(header, first, strict=True)) == {
        "id": "1",
        "name": "=1+1",
        "price": "1.10",
        "at": "2024-02-29T12:30:01.250000",
        "zoned": "2024-02-29T12:30:01.250000+00:00",
        "day": "2024-02-29",
        "share": "0.5",
        "raw": "00ff",
        "many": "[1, null]",
        "flag": "true",
    }
    assert (second[1], second[2]) == ('say "é",\nthen go', "12345678901234567.89")
    assert third == [""] * len(header)


def test_a_sheet_holds_values_as_they_are_or_as_text_and_no_formula() -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(written("xlsx"))).active
    assert sheet is not None
    header, first, second = ([c.value for c in row] for row in sheet.iter_rows())
    assert header == ROWS.schema.names
    assert first == [1, "=1+1", 1.1, AT, AT, datetime(2024, 2, 29), 0.5, "00ff", "[1, null]", True]
    assert sheet["B2"].data_type != "f"
    assert second[0] == str(2**60)
    assert second[2] == "12345678901234567.89"
    assert second[3] == "0001-01-01T00:00:00"
    assert second[5:7] == ["1899-01-01", "nan"]


def test_a_sheet_that_would_be_cut_is_refused() -> None:
    with pytest.raises(PermanentError, match="cannot hold 1,048,576 rows"):
        written("xlsx", Stored("x", pa.table({"a": pa.nulls(1_048_576)})))
    with pytest.raises(PermanentError, match="text of 32,768 characters"):
        written("xlsx", Stored("x", pa.table({"a": ["x" * 32_768]})))


@pytest.mark.parametrize("form", FORMATS)
def test_no_rows_are_a_file_with_columns(form: str) -> None:
    empty = Stored("x", ROWS.slice(0, 0))
    text = written(form, empty)
    if form == "json":
        assert json.loads(text) == []
    elif form == "csv":
        assert text.decode().strip() == ",".join(ROWS.schema.names)
    elif form == "xlsx":
        sheet = openpyxl.load_workbook(io.BytesIO(text)).active
        assert sheet is not None
        assert sheet.max_row == 1
    else:
        read = pl.read_parquet if form == "parquet" else pl.read_ipc
        assert read(io.BytesIO(text)).schema == RESULT.frame().schema


def test_many_rows_are_written_in_order(tmp_path: Path) -> None:
    many = Stored("x", pa.table({"a": list(range(150_000))}))
    export_file(many, tmp_path / "many.csv")
    assert pl.read_csv(tmp_path / "many.csv")["a"].to_list() == list(range(150_000))
    assert len(json.loads(written("json", many))) == 150_000


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    kept = tmp_path / "out.xlsx"
    kept.write_text("as it was")
    with pytest.raises(PermanentError):
        export_file(Stored("x", pa.table({"a": ["x" * 40_000]})), kept)
    assert [path.name for path in tmp_path.iterdir()] == ["out.xlsx"]
    assert kept.read_text() == "as it was"
    with pytest.raises(PermanentError, match="cannot be written"):
        export_file(RESULT, tmp_path / "absent" / "x.csv")


def test_the_ending_says_the_format_unless_it_is_named(tmp_path: Path) -> None:
    export_file(RESULT, tmp_path / "a.data", "json")
    assert json.loads((tmp_path / "a.data").read_text())
    with pytest.raises(UnknownName, match="unknown format 'parqet'") as caught:
        export_file(RESULT, tmp_path / "a.parqet")
    assert caught.value.nearest == "parquet"
    assert AT.replace(tzinfo=UTC) == RESULT.frame()["zoned"][0]
