"""SQLAlchemy's types -> Arrow types of the lake, or the reason why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl_platform.sources.database import arrow_text

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

    from etl_platform.sources.database.tables import Problem

# Types that are text in everything but name: their text form is their value.
_TEXT_NAMES = frozenset({"INET", "CIDR", "MACADDR", "MACADDR8", "BIT"})


def arrow_text_of(sa_type: TypeEngine[Any]) -> tuple[str | None, Problem | None]:
    """The Arrow type as text, or None and the problem.

    Integers keep their width, ``REAL`` is float32 and every other float float64, ``numeric(p, s)``
    is decimal(p, s) up to 38 digits, timestamps are microseconds, UUID, JSON, enums, network
    addresses and bit strings are their text, arrays of one dimension are lists.
    """
    from sqlalchemy import types as sa
    from sqlalchemy.dialects import postgresql as pg

    match sa_type:
        case pg.DOMAIN():
            return arrow_text_of(sa_type.data_type)
        case sa.ARRAY() | pg.ARRAY():
            return _list_of(sa_type)
        case sa.Boolean():
            return "bool", None
        case sa.SmallInteger():
            return "int16", None
        case sa.BigInteger() | pg.OID():
            return "int64", None
        case sa.Integer():
            return "int32", None
        case sa.REAL():
            return "float32", None
        case sa.Float():
            return "float64", None
        case sa.Numeric():
            return _decimal(sa_type.precision, sa_type.scale)
        case sa.DateTime():
            return ("timestamp[us, UTC]" if sa_type.timezone else "timestamp[us]"), None
        case sa.Date():
            return "date32", None
        case sa.LargeBinary() | sa.BINARY() | sa.VARBINARY():
            return "binary", None
        case sa.String() | sa.Uuid() | sa.JSON():
            return "string", None
        case _ if sa_type.__visit_name__ in _TEXT_NAMES:
            return "string", None
        case _:
            return None, "unsupported"


def _list_of(array: object) -> tuple[str | None, Problem | None]:
    inner, problem = arrow_text_of(getattr(array, "item_type"))  # noqa: B009  # two unrelated classes
    return (None if inner is None else f"list<{inner}>"), problem


def _decimal(precision: int | None, scale: int | None) -> tuple[str | None, Problem | None]:
    """PostgreSQL allows a scale below 0 and above the precision: both widen to an exact decimal."""
    if precision is None:
        return None, "unconstrained_numeric"
    digits = scale or 0
    if digits < 0:
        precision, digits = precision - digits, 0
    precision = max(precision, digits)
    if precision > arrow_text.MAX_PRECISION:
        return None, "unsupported"
    return f"decimal({precision}, {digits})", None
