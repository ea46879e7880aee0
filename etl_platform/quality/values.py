"""Values as a contract gives them, as a column's type means them, and as people read them."""

from __future__ import annotations

import math
import struct
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, TypeAlias

from etl_platform.core.duck import literal
from etl_platform.core.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

Scalar: TypeAlias = bool | int | float | Decimal | date | datetime | str
"""A value that YAML can hold. Dates and times may also be written as ISO 8601 text."""

JsonValue: TypeAlias = bool | int | float | str | None
_SHOWN_CHARACTERS = 200


def typed(value: Scalar, kind: pa.DataType, where: str) -> Scalar:
    """Read a contract's value as a value of a column's type, without rounding.

    Times without zone given for a UTC column are taken as UTC. A number with more digits after the
    point than the column keeps stays as it is: callers decide what that means.

    Args:
        value: what the contract says.
        kind: the column's lake type.
        where: names the rule, for the error.

    Raises:
        ConfigError: when the text is no value of that type.
    """
    from pyarrow import types as t

    try:
        if t.is_boolean(kind) and isinstance(value, bool):
            return value
        if isinstance(value, bool):
            raise ValueError("a truth value")
        if t.is_integer(kind) or t.is_decimal(kind):
            return _exact(value)
        if t.is_floating(kind) and not isinstance(value, date):
            number = float(value)
            return _float32(number) if t.is_float32(kind) else number
        if t.is_date(kind):
            return _date(value)
        if t.is_timestamp(kind):
            return _moment(value, utc=kind.tz is not None)
        if t.is_string(kind) and isinstance(value, str):
            return value
    except (ValueError, InvalidOperation, OverflowError):
        pass
    raise ConfigError(
        f"{where}: {value!r} is not a value of type {kind}",
        fix="write the value in the column's own type, for example 2013-01-31 for a date",
    )


def _exact(value: Scalar) -> Decimal:
    if isinstance(value, date):
        raise ValueError("a date is no number")
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError("not finite")
    return number


def _float32(value: float) -> float:
    # What a 32-bit column can hold: both engines then compare equal things.
    return struct.unpack("f", struct.pack("f", value))[0] if math.isfinite(value) else value


def _date(value: Scalar) -> date:
    if isinstance(value, datetime):
        raise ValueError("a time is no date")
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _moment(value: Scalar, *, utc: bool) -> datetime:
    if isinstance(value, datetime):
        moment = value
    elif isinstance(value, date):
        moment = datetime(value.year, value.month, value.day)  # noqa: DTZ001 the zone follows
    else:
        moment = datetime.fromisoformat(str(value))
    if utc:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    if moment.tzinfo is not None:
        raise ValueError("the column has no time zone")
    return moment


def sql_literal(value: object, kind: pa.DataType) -> str:
    """A DuckDB literal of exactly this value and type."""
    from etl_platform.core.types import duckdb_type

    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    text = value.isoformat(" ") if isinstance(value, datetime) else str(value)
    return f"CAST({literal(text)} AS {duckdb_type(kind)})"


def json_safe(value: object) -> JsonValue:
    """A value as JSON can hold it and people can read it; long text is cut, bytes become hex.

    Numbers that JSON or its readers would change (decimals, NaN, infinities, integers beyond 2^53)
    become text.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= 2**53 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return shortened("0x" + value[:_SHOWN_CHARACTERS].hex())
    return shortened(str(value))


def shortened(text: str, limit: int = _SHOWN_CHARACTERS) -> str:
    """Text of at most ``limit`` characters, with an ellipsis where something was left out."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
