"""Casts that keep the value or say that they cannot: DuckDB's own round and cut."""

from __future__ import annotations

from sqlglot import exp

from etl_platform.transforms.steps.base import column

_INTEGERS = (
    *("TINYINT", "SMALLINT", "INTEGER", "INT", "BIGINT", "HUGEINT"),
    *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT"),
)
_WHOLE = exp.DataType.build("DECIMAL(38, 18)", dialect="duckdb")
_T = exp.DType
_SIGNED = {_T.TINYINT: 8, _T.SMALLINT: 16, _T.INT: 32, _T.BIGINT: 64, _T.INT128: 128}
_UNSIGNED = {_T.UTINYINT: 8, _T.USMALLINT: 16, _T.UINT: 32, _T.UBIGINT: 64, _T.UINT128: 128}
_MANTISSA = {_T.FLOAT: 24, _T.DOUBLE: 53}
"""Bits: every whole number up to two to this is a value of the type."""
_DIGITS = {_T.FLOAT: 6, _T.DOUBLE: 15}
"""Decimals with so many digits come back from the type; see :func:`never_loses`."""


def never_loses(from_type: str, to_type: exp.DataType) -> bool:
    """Whether the types alone say that every value can be had in the other one, and back.

    A DECIMAL of 15 digits is a whole number n below 1e15 over a power of ten. DuckDB divides the
    two as DOUBLE, where both are exact (n < 2**53, the power < 1e22), so that the quotient is off
    by at most a part in 2**53; times the power again that is at most 2 * 1e15 / 2**53 = 0.23 of
    the last digit, with the rounding of the product, and rounding gives n. FLOAT in the same way:
    2 * 1e6 / 2**24 = 0.12, the power < 1e10.
    """
    old, target = exp.DataType.build(from_type, dialect="duckdb"), to_type.this
    if old == to_type:
        return True
    if old.this in _SIGNED or old.this in _UNSIGNED:
        # One bit of a signed type is the sign.
        bits = _UNSIGNED.get(old.this) or _SIGNED[old.this] - 1
        if target in _MANTISSA:
            return bits <= _MANTISSA[target]
        if target in _UNSIGNED:
            return old.this in _UNSIGNED and bits <= _UNSIGNED[target]
        if target in _SIGNED:
            return bits < _SIGNED[target]
        if target is _T.DECIMAL:
            whole, _ = _digits(to_type)
            return 2**bits < 10**whole
    if old.this is _T.DECIMAL:
        whole, fraction = _digits(old)
        if target is _T.DECIMAL:
            return whole <= _digits(to_type)[0] and fraction <= _digits(to_type)[1]
        return target in _DIGITS and whole + fraction <= _DIGITS[target]
    return old.this is _T.FLOAT and target is _T.DOUBLE


def _digits(kind: exp.DataType) -> tuple[int, int]:
    """How many digits a DECIMAL has before the point and after it."""
    width, scale = (int(one.name) for one in kind.expressions)
    return width - scale, scale


def fits(name: str, from_type: str, to_type: exp.DataType) -> exp.Expr:
    """Whether a column's value can be had in another type without a loss; null of a null."""
    cast = exp.TryCast(this=column(name), to=to_type.copy())
    there = cast.is_(exp.null()).not_()
    same = _comes_back(name, from_type, cast, to_type)
    return there if same is None else exp.and_(there, same, copy=False)


def cast_exactly(name: str, from_type: str, to_type: exp.DataType, *, fail: bool) -> exp.Expr:
    """The column in another type; a value that does not fit is an error, or null."""
    if never_loses(from_type, to_type):
        return exp.Cast(this=column(name), to=to_type.copy())
    cast: exp.Expr = exp.TryCast(this=column(name), to=to_type.copy())
    if not fail and _comes_back(name, from_type, cast, to_type) is None:
        return cast
    node = exp.case().when(fits(name, from_type, to_type), cast)
    if not fail:
        return node
    kind = to_type.sql("duckdb")
    said = exp.Literal.string(f"column {name}: not exactly a {kind}: ")
    value = exp.DPipe(this=said, expression=exp.cast(column(name), "VARCHAR"))
    refused = exp.cast(exp.func("error", value), to_type.copy())
    return node.when(column(name).is_(exp.null()).not_(), refused)


def _comes_back(
    name: str, from_type: str, cast: exp.Expr, to_type: exp.DataType
) -> exp.Expr | None:
    """The condition beyond "can be cast" for nothing to be lost; None where casting says it all."""
    target = to_type.sql("duckdb").upper()
    old = column(name)
    if from_type.startswith("VARCHAR"):
        if target in _INTEGERS or target.startswith("DECIMAL"):
            # '1.5' would become 2. What is too large for this comparison has been refused before.
            exact = exp.TryCast(this=old, to=_WHOLE.copy())
            return exp.func("coalesce", exact.eq(cast.copy()), exp.true())
        if target == "DATE":
            exact = exp.TryCast(this=old, to=exp.DataType.build("TIMESTAMP", dialect="duckdb"))
            return exp.func("coalesce", exact.eq(cast.copy()), exp.true())
        if target.startswith("TIMESTAMP") and "TZ" not in target and "ZONE" not in target:
            # DuckDB forgets the offset of '2024-01-31 12:00+02'. Sessions are in UTC.
            zoned = exp.TryCast(this=old, to=exp.DataType.build("TIMESTAMPTZ", dialect="duckdb"))
            local = exp.cast(zoned, "TIMESTAMP", dialect="duckdb")
            return exp.func("coalesce", local.eq(cast.copy()), exp.true())
        return None
    if target in ("VARCHAR", "TEXT", from_type.upper()):
        return None
    if from_type in _INTEGERS and target in _INTEGERS:
        return None
    number = from_type.startswith(("DECIMAL", "FLOAT", "DOUBLE")) or from_type in _INTEGERS
    if number or from_type.startswith(("TIMESTAMP", "TIME")):
        back = exp.TryCast(this=cast.copy(), to=exp.DataType.build(from_type, dialect="duckdb"))
        return exp.func("coalesce", back.eq(old), exp.false())
    return None
