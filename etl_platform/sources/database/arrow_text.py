"""Arrow types of the lake as text, so that a reflected table survives a round trip through JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from etl_platform.core.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

VALID = (
    "bool, int8, int16, int32, int64, float32, float64, string, binary, date32, "
    "timestamp[us], timestamp[us, UTC], decimal(p, s) with p <= 38, list<...>"
)
_PLAIN = ("int8", "int16", "int32", "int64", "float32", "float64", "string", "binary", "date32")
_DECIMAL = re.compile(r"decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)")
_LIST = re.compile(r"list<(.+)>")
MAX_PRECISION = 38


def to_text(arrow: pa.DataType) -> str:
    """Write a type as :func:`from_text` reads it.

    >>> import pyarrow as pa
    >>> to_text(pa.list_(pa.decimal128(10, 2)))
    'list<decimal(10, 2)>'
    """
    import pyarrow as pa

    if pa.types.is_decimal128(arrow):
        return f"decimal({arrow.precision}, {arrow.scale})"
    if pa.types.is_list(arrow):
        return f"list<{to_text(arrow.value_type)}>"
    if pa.types.is_timestamp(arrow):
        return "timestamp[us, UTC]" if arrow.tz else "timestamp[us]"
    return {"float": "float32", "double": "float64", "date32[day]": "date32"}.get(
        str(arrow), str(arrow)
    )


def from_text(text: str) -> pa.DataType:
    """Read one of the types that database columns can have.

    Raises:
        ConfigError: the text names no such type.
    """
    import pyarrow as pa

    compact = text.strip()
    if compact in _PLAIN:
        return pa.type_for_alias(compact)
    if compact == "bool":
        return pa.bool_()
    if compact.replace(" ", "") == "timestamp[us]":
        return pa.timestamp("us")
    if compact.replace(" ", "") == "timestamp[us,UTC]":
        return pa.timestamp("us", "UTC")
    if (decimal := _DECIMAL.fullmatch(compact)) is not None:
        precision, scale = int(decimal[1]), int(decimal[2])
        if 0 < precision <= MAX_PRECISION and scale <= precision:
            return pa.decimal128(precision, scale)
    if (items := _LIST.fullmatch(compact)) is not None:
        return pa.list_(from_text(items[1]))
    raise ConfigError(f"{text!r} is not a column type of the lake", valid=VALID)
