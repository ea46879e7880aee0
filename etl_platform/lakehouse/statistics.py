"""Per-file statistics: from what DuckDB's ``COPY ... (RETURN_STATS)`` tells to what Delta stores.

The JSON form of the values follows the Delta protocol, section "Per-file Statistics".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from etl_platform.core.staged import ColumnStats, DataFile

if TYPE_CHECKING:
    import pyarrow as pa

_PREFIX_CHARACTERS = 32
_MAX_INDEXED_COLUMNS = 64


def parse_stats(raw: Mapping[str, Mapping[str, str]], schema: pa.Schema) -> dict[str, ColumnStats]:
    """Statistics of the top-level columns from DuckDB's text form.

    ``raw`` maps a quoted column path (``"a"."b"``) to ``null_count``, ``min``, ``max`` and more.
    """
    parsed: dict[str, ColumnStats] = {}
    for field in schema:
        stats = raw.get('"' + field.name.replace('"', '""') + '"')
        if stats is None:
            continue
        low, high = stats.get("min"), stats.get("max")
        exact = stats.get("min_is_exact") != "false" and stats.get("max_is_exact") != "false"
        parsed[field.name] = ColumnStats(
            null_count=int(stats["null_count"]) if "null_count" in stats else None,
            min=None if low is None else parse_value(low, field.type),
            max=None if high is None else parse_value(high, field.type),
            exact=exact,
            has_nan=stats.get("has_nan") == "true",
            size_bytes=int(stats.get("column_size_bytes", 0)),
        )
    return parsed


def parse_value(text: str, kind: pa.DataType) -> Any:
    """A statistics bound as a Python value; None for types that are not bounded (nested)."""
    from pyarrow import types as t

    if t.is_boolean(kind):
        return text in ("1", "true")
    if t.is_integer(kind):
        return int(text)
    if t.is_floating(kind):
        return float(text)
    if t.is_decimal(kind):
        return Decimal(text)
    if t.is_string(kind):
        return text
    if t.is_binary(kind):
        return bytes.fromhex(text)
    if t.is_date(kind):
        return _in_range(date.fromisoformat, text)
    if t.is_timestamp(kind):
        moment = _in_range(datetime.fromisoformat, text)
        return moment.astimezone(UTC) if moment is not None and kind.tz else moment
    return None


def _in_range(parse: Any, text: str) -> Any:
    # Years beyond Python's 1..9999 are legal in the lake; such a file simply has no bound.
    try:
        return parse(text)
    except ValueError:
        return None


def delta_stats(file: DataFile, schema: pa.Schema, partition_by: tuple[str, ...]) -> str:
    """The ``stats`` field of an Add action: numRecords, minValues, maxValues, nullCount.

    Bounds are given for the first 64 columns of comparable types; partition columns have theirs in
    the partition values. Strings are cut to 32 characters, the upper bound raised accordingly.
    """
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    indexed = [f for f in schema if f.name not in partition_by][:_MAX_INDEXED_COLUMNS]
    for field in indexed:
        stats = file.columns.get(field.name)
        if stats is None:
            continue
        if stats.null_count is not None and not _is_nested(field.type):
            nulls[field.name] = stats.null_count
        if stats.has_nan or not _is_bounded(field.type):
            continue
        smallest, largest = _lower(stats.min), _upper(stats.max)
        if smallest is not None and largest is not None:
            low[field.name], high[field.name] = smallest, largest
    return (
        f'{{"numRecords": {file.rows}, "minValues": {_object(low)}, '
        f'"maxValues": {_object(high)}, "nullCount": {_object(nulls)}}}'
    )


def _is_nested(kind: pa.DataType) -> bool:
    return kind.num_fields > 0


def _is_bounded(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return not (_is_nested(kind) or t.is_boolean(kind) or t.is_binary(kind))


def _lower(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_PREFIX_CHARACTERS]
    if isinstance(value, datetime):
        # Delta readers compare whole milliseconds, so the bound is widened to one.
        return _moment(value - timedelta(microseconds=value.microsecond % 1000))
    return _plain(value)


def _upper(value: Any) -> Any:
    if isinstance(value, str):
        return _raised(value)
    if isinstance(value, datetime):
        try:
            return _moment(value + timedelta(microseconds=-value.microsecond % 1000))
        except OverflowError:
            return None
    return _plain(value)


def _raised(text: str) -> str | None:
    """A short string that is at least ``text`` and every longer string with the same start."""
    if len(text) <= _PREFIX_CHARACTERS:
        return text
    prefix = text[:_PREFIX_CHARACTERS]
    for i in range(len(prefix) - 1, -1, -1):
        code = ord(prefix[i])
        if code < 0x10FFFF:
            following = 0xE000 if code == 0xD7FF else code + 1
            return prefix[:i] + chr(following)
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date):
        return value.isoformat()
    return value


def _moment(value: datetime) -> str:
    return value.replace(tzinfo=None).isoformat(timespec="milliseconds") + (
        "Z" if value.tzinfo else ""
    )


def _object(values: Mapping[str, Any]) -> str:
    """A JSON object in which a decimal keeps all its digits, which ``json`` itself cannot do."""
    pairs = (
        f"{json.dumps(name, ensure_ascii=False)}: "
        + (format(v, "f") if isinstance(v, Decimal) else json.dumps(v, ensure_ascii=False))
        for name, v in values.items()
    )
    return "{" + ", ".join(pairs) + "}"
