"""Names of column types in contracts, and what they are to Arrow and Polars."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from etl_platform.core.errors import nearest

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

_NAMES = {
    "bool": "bool",
    "boolean": "bool",
    "int8": "int8",
    "tinyint": "int8",
    "int16": "int16",
    "smallint": "int16",
    "int32": "int32",
    "integer": "int32",
    "int64": "int64",
    "bigint": "int64",
    "float32": "float32",
    "real": "float32",
    "float64": "float64",
    "double": "float64",
    "string": "string",
    "str": "string",
    "text": "string",
    "varchar": "string",
    "binary": "binary",
    "blob": "binary",
    "date": "date",
    "date32": "date",
    "timestamp": "timestamp",
    "datetime": "timestamp",
    "timestamp[us]": "timestamp",
    "timestamptz": "timestamptz",
    "timestamp[us,utc]": "timestamptz",
    "timestamp[us,tz=utc]": "timestamptz",
}
_DECIMAL = re.compile(r"(?:decimal|decimal128|numeric)\((\d+)(?:,(\d+))?\)")
_LIST = re.compile(r"list[<\[](.*)[>\]]")
_MAX_DIGITS = 38


def canonical(text: str) -> str:
    """The one name of a type.

    >>> canonical("NUMERIC(15, 2)"), canonical("varchar"), canonical("list[bigint]")
    ('decimal(15,2)', 'string', 'list<int64>')

    Raises:
        ValueError: listing the valid names and the nearest one.
    """
    folded = text.lower().replace(" ", "")
    if folded in _NAMES:
        return _NAMES[folded]
    decimal = _DECIMAL.fullmatch(folded)
    if decimal:
        precision, scale = int(decimal[1]), int(decimal[2] or 0)
        if 0 < precision <= _MAX_DIGITS and scale <= precision:
            return f"decimal({precision},{scale})"
    inner = _LIST.fullmatch(folded)
    if inner:
        return f"list<{canonical(inner[1])}>"
    close = nearest(folded, [*_NAMES, "decimal(38,9)"])
    hint = f"; did you mean {close}?" if close else ""
    valid = ", ".join(dict.fromkeys(_NAMES.values()))
    raise ValueError(
        f"unknown type {text!r}{hint} (valid: {valid}, decimal(p,s) up to 38 digits, list<type>)"
    )


def arrow_type(name: str) -> pa.DataType:
    """The lake's Arrow type of a canonical name."""
    import pyarrow as pa

    inner = _LIST.fullmatch(name)
    if inner:
        return pa.list_(pa.field("element", arrow_type(inner[1])))
    decimal = _DECIMAL.fullmatch(name)
    if decimal:
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    special = {
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", "UTC"),
    }
    return special[name] if name in special else getattr(pa, "bool_" if name == "bool" else name)()


def name_of(kind: pa.DataType) -> str:
    """The canonical name of a lake type; for structs and maps Arrow's own text."""
    from pyarrow import types as t

    if t.is_list(kind):
        return f"list<{name_of(kind.value_type)}>"
    text = str(kind).replace(" ", "")
    special = {"date32[day]": "date", "double": "float64", "float": "float32"}
    try:
        return special.get(text) or canonical(text)
    except ValueError:
        return str(kind)


def polars_type(kind: pa.DataType) -> pl.DataType:
    """The Polars type that a column of this lake type has when it is read."""
    import polars as pl
    import pyarrow as pa

    frame = pl.DataFrame(pa.schema([pa.field("column", kind)]).empty_table())
    return frame.schema["column"]


def lake_type_of_polars(dtype: pl.DataType | type[pl.DataType], column: str) -> pa.DataType:
    """The lake's type for a Polars type, as data of that type arrives in the lake.

    Raises:
        UnsupportedType: when the lake has no lossless place for it.
    """
    import polars as pl

    from etl_platform.core.types import lake_type

    return lake_type(pl.DataFrame(schema={"column": dtype}).to_arrow().schema.field(0).type, column)
