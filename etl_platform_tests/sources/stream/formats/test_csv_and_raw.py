"""CSV records and messages as they are."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from etl_platform.sources.stream.formats import CsvFormat, RawFormat, StreamFormat
from etl_platform_tests.sources.stream.formats.messages import batch

COLUMNS: dict[str, Any] = {
    "id": {"type": "int64", "required": True},
    "name": "string",
    "amount": "decimal(10, 2)",
    "at": {"type": "timestamptz", "unit": "ms"},
    "ok": "bool",
}
POISON = {
    b"": "the message is empty",
    b"1,a": "2 values where 5 columns are declared",
    b"1,a,1,1,true,x": "6 values where 5",
    b'1,"a,1,1,true': "a quoted value is not closed",
    b"1,a,1,1,true\n2,b,1,1,true": "2 records in a message",
    b"x,a,1,1,true": "column 'id': 'x' is not an int64",
    b"0x1f,a,1,1,true": "column 'id': '0x1f'",
    b",a,1,1,true": "column 'id' is required",
    b"1,a,1.234,1,true": "column 'amount': '1.234'",
    b"1,a,1,soon,true": "column 'at': 'soon' is not a number of ms since 1970",
    b"1,a,1,1700000000000000000,true": "column 'at'",
    b"1,a,1,1,maybe": "column 'ok': 'maybe'",
    b"\xff,a,1,1,true": "byte 0xff at position 0 is not UTF-8",
}


def decoder(**options: Any) -> Any:
    return CsvFormat.model_validate({"columns": COLUMNS, **options}).decoder()


def test_records_become_typed_rows() -> None:
    values = [b'1,"x, ""y""",1.50,1700000000123,true', b'2,"a\nb",,,\r\n', b'3,"",,,', b"4,,,,"]
    got = decoder().decode(batch(values))
    assert got.rows.schema == decoder().schema(pa.int64())
    assert got.rows["name"].to_pylist() == ['x, "y"', "a\nb", "", None]
    assert got.rows["amount"].to_pylist() == [Decimal("1.50"), None, None, None]
    assert got.rows["at"][0].as_py() == datetime(2023, 11, 14, 22, 13, 20, 123000, UTC)


def test_delimiter_quote_and_null_are_options() -> None:
    got = decoder(delimiter="|", quote="'", null="NA").decode(batch([b"1|'a|''b'''|NA|NA|false"]))
    assert got.rows["name"].to_pylist() == ["a|'b'"]
    assert got.rows["amount"].to_pylist() == [None]


def test_poison_is_named_and_harms_no_record_beside_it() -> None:
    values = [value for poison in POISON for value in (poison, b"7,good,,,")]
    got = decoder().decode(batch(values))
    assert got.rows["name"].to_pylist() == ["good"] * len(POISON)
    reasons = dict(zip(got.rejected["value"].to_pylist(), got.rejected["reason"], strict=True))
    assert not [value for value, why in POISON.items() if why not in str(reasons[value])]


@settings(max_examples=60, deadline=None)
@example(['"""",', "1"])
@given(st.lists(st.text(alphabet='a1,"\n\r', max_size=8), max_size=6))
def test_a_record_is_read_alike_alone_and_among_others(texts: list[str]) -> None:
    values = [text.encode() for text in texts]
    form = CsvFormat.model_validate({"columns": {"a": "string", "b": "string"}, "source": False})
    together = form.decoder().decode(batch(values))
    alone = [form.decoder().decode(batch([value])) for value in values]
    assert together.rows.to_pylist() == [row for one in alone for row in one.rows.to_pylist()]
    reasons = [why for one in alone for why in one.rejected["reason"].to_pylist()]
    assert together.rejected["reason"].to_pylist() == reasons


def test_raw_messages_are_rows_of_bytes_or_text() -> None:
    values = [b"a", b"\xff", b""]
    assert RawFormat().decoder().decode(batch(values)).rows["value"].to_pylist() == values
    got = RawFormat(text=True, column="line").decoder().decode(batch(values))
    assert got.rows["line"].to_pylist() == ["a", ""]
    assert got.rejected["reason"].to_pylist() == ["byte 0xff at position 0 is not UTF-8"]


def test_the_format_chooses_the_options() -> None:
    adapter = TypeAdapter[StreamFormat](StreamFormat)
    assert isinstance(adapter.validate_python({"format": "raw"}), RawFormat)
    assert isinstance(adapter.validate_python({"format": "csv", "columns": COLUMNS}), CsvFormat)
    with pytest.raises(ValidationError, match="json"):
        adapter.validate_python({"format": "jsn"})
