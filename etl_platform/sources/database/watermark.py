"""Values of cursor and window columns: as text, checked against the column, and less a lookback."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, TypeAlias

from etl_platform.core.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.database.extraction import Lookback
    from etl_platform.sources.database.policy import TargetColumn

Bound: TypeAlias = int | float | Decimal | date | datetime | str


def encode(value: Bound) -> str:
    """Write a watermark as text, exactly: ISO 8601 for dates and timestamps, digits for numbers."""
    if isinstance(value, date):  # includes datetime
        return value.isoformat()
    return repr(value) if isinstance(value, float) else str(value)


def bound_value(value: object, column: TargetColumn, where: str) -> Bound:
    """The value as the column's own kind, read from text where it is text.

    Raises:
        ConfigError: the column cannot be ordered, or the value is of another kind: a timestamp
            without time zone for a column with one, for example.
    """
    kind = _kind(column)
    if kind is None:
        raise ConfigError(
            f"{where}: column {column.name!r} ({column.source_type}) cannot be a cursor or window",
            valid="an integer, decimal, float, date, timestamp or text column",
        )
    try:
        found = _decode(value, kind) if isinstance(value, str) else value
    except (ValueError, InvalidOperation):
        found = None
    if kind is date and isinstance(found, datetime) and found.time() == datetime.min.time():
        found = found.date()
    if kind is Decimal and type(found) is int:
        found = Decimal(found)
    if isinstance(found, (int, float, Decimal, date, str)) and type(found) is kind:
        aware = getattr(column.type, "tz", None) is not None
        if not isinstance(found, datetime) or (found.tzinfo is not None) == aware:
            return found
    raise ConfigError(
        f"{where}: {value!r} is no bound for column {column.name!r} of type {column.type}",
        valid=_VALID[kind] + (", with time zone" if getattr(column.type, "tz", None) else ""),
    )


def less(bound: Bound, lookback: Lookback | None, column: TargetColumn, where: str) -> Bound | None:
    """The bound less the lookback; None when that is before the first date there is.

    Raises:
        ConfigError: the lookback's kind does not fit the column.
    """
    if not lookback:
        return bound
    try:
        if isinstance(lookback, timedelta):
            if isinstance(bound, datetime):
                return bound - lookback
            if isinstance(bound, date):
                return bound + (-lookback // timedelta(days=1)) * timedelta(days=1)
        elif isinstance(bound, Decimal):
            return bound - Decimal(str(lookback))
        elif isinstance(bound, int) and int(lookback) == lookback:
            return bound - int(lookback)
        elif isinstance(bound, float):
            return bound - float(lookback)
    except OverflowError:
        return None
    raise ConfigError(
        f"{where}: lookback {lookback!r} does not fit column {column.name!r} of type {column.type}",
        valid="a timedelta for dates and timestamps, a number for numbers, none for text",
    )


_VALID: dict[type, str] = {
    int: "an integer",
    float: "a float",
    Decimal: "a decimal",
    date: "a date (YYYY-MM-DD)",
    datetime: "a timestamp (ISO 8601)",
    str: "text",
}


def _kind(column: TargetColumn) -> type | None:
    import pyarrow as pa

    arrow: pa.DataType = column.type
    if column.as_text:
        return None
    if pa.types.is_integer(arrow):
        return int
    if pa.types.is_floating(arrow):
        return float
    if pa.types.is_decimal(arrow):
        return Decimal
    if pa.types.is_date32(arrow):
        return date
    if pa.types.is_timestamp(arrow):
        return datetime
    return str if pa.types.is_string(arrow) else None


def _decode(text: str, kind: type) -> object:
    if kind is datetime:
        return datetime.fromisoformat(text)
    if kind is date:
        return date.fromisoformat(text)
    return kind(text)
