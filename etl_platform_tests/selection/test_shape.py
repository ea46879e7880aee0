"""Tables are alike when their columns' families are, whatever their names and widths."""

from __future__ import annotations

from etl_platform.selection import shape_key


def test_names_order_and_widths_do_not_matter() -> None:
    one = shape_key(["int64", "decimal(15, 2)", "string", "timestamp[us, UTC]"])
    assert one == shape_key(["timestamp[us]", "large_string", "int16", "decimal(38, 10)"])
    assert one == "decimal:1 int:1 string:1 timestamp:1"


def test_the_number_of_columns_and_unknown_types_do() -> None:
    assert shape_key(["int64"]) != shape_key(["int64", "int64"])
    assert shape_key([None, ""]) == "other:2"
    assert shape_key([]) == ""
