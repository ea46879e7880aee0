"""Columns of Python values -> Arrow arrays, a column at a time, exact or refused.

pyarrow alone is too lenient for this: it cuts 1.5 to 1 for an integer column, takes bytes as text
and wraps decimals of more than 38 digits. Therefore the kinds of values in a column are looked at
first (``set(map(type, ...))`` runs in C), and only kinds without loss are handed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import PermanentError

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.database.policy import TargetColumn

_MAX_TEXT_DIGITS = 38
_SHOWN = 100


class _Unfit(ValueError):
    """Values of a kind that the target type cannot hold exactly."""


def to_array(
    values: Sequence[Any], column: TargetColumn, *, where: str, first_row: int
) -> pa.Array[Any]:
    """Convert one column of a batch.

    Args:
        values: as the driver gave them.
        column: name and target type.
        where: the table's name, for messages.
        first_row: position of the first value in the whole read, counted from 1.

    Raises:
        PermanentError: a value does not fit; names table, column, row and value.
    """
    failures = _failures()
    try:
        return _exact(values, column)
    except failures as error:
        reason = str(error)
    for position, value in enumerate(values, start=first_row):
        try:
            _exact([value], column)
        except failures as error:
            raise refusal(value, column, where, position, str(error)) from None
    raise PermanentError(f"{where}: column {column.name!r} does not convert: {reason}")


def _failures() -> tuple[type[Exception], ...]:
    import pyarrow as pa

    return (pa.ArrowException, _Unfit, TypeError, ArithmeticError, UnicodeError)


def _exact(values: Sequence[Any], column: TargetColumn) -> pa.Array[Any]:
    import pyarrow as pa

    target = column.type
    kinds: set[type] = set(map(type, values)) - {type(None)}
    if not kinds:
        return pa.array(values, target)
    if pa.types.is_string(target):
        if column.as_text and kinds <= {str, int, float}:
            return pa.array([v if v is None else str(v) for v in values], target)
        return _direct(values, target, kinds, {str})
    if pa.types.is_integer(target):
        return _direct(values, target, kinds, {int})
    if pa.types.is_floating(target):
        return _direct(values, target, kinds, {float, int})
    if isinstance(target, pa.Decimal128Type):
        return _decimals(values, target, kinds)
    if pa.types.is_temporal(target):
        return _direct(values, pa.string(), kinds, {str}).cast(target)
    if pa.types.is_boolean(target):
        return _booleans(values, kinds)
    if pa.types.is_binary(target):
        return _direct(values, target, kinds, {bytes})
    if isinstance(target, pa.ListType):
        return _lists(values, target, kinds)
    raise _Unfit(f"no conversion to {target}")


def _direct(
    values: Sequence[Any], target: pa.DataType, kinds: set[type], allowed: set[type]
) -> pa.Array[Any]:
    import pyarrow as pa

    if not kinds <= allowed:
        raise _Unfit(f"expected {' or '.join(sorted(kind.__name__ for kind in allowed))}")
    return pa.array(values, target)


def _booleans(values: Sequence[Any], kinds: set[type]) -> pa.Array[Any]:
    import pyarrow as pa

    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if not set(values) <= {0, 1, None} or kinds != {int}:
        raise _Unfit("expected 0 or 1")
    return pa.array(values, pa.int8()).cast(pa.bool_())


def _decimals(
    values: Sequence[Any], target: pa.Decimal128Type[Any, Any], kinds: set[type]
) -> pa.Array[Any]:
    """A float stands for the shortest decimal that reads back as the same float."""
    import pyarrow as pa

    if not kinds <= {int, float, Decimal, str}:
        raise _Unfit("expected a number")
    # Through 256 bits: straight to 128 Arrow wraps around when it rescales.
    wide = pa.decimal256(2 * _MAX_TEXT_DIGITS, target.scale)
    if kinds == {float}:
        # Arrow writes floats as repr() does: the shortest text that reads back the same.
        return pa.array(values, pa.float64()).cast(pa.string()).cast(wide).cast(target)
    texts = values if kinds == {str} else [v if v is None else str(v) for v in values]
    if max(len(text) for text in texts if text is not None) > _MAX_TEXT_DIGITS:
        # Arrow's own cast of longer texts wraps around silently; of Decimals it does not.
        return pa.array([None if text is None else Decimal(text) for text in texts], target)
    return pa.array(texts, pa.string()).cast(wide).cast(target)


def _lists(values: Sequence[Any], target: pa.ListType[Any], kinds: set[type]) -> pa.Array[Any]:
    """One-dimensional arrays: the items are converted as one column of their own."""
    import pyarrow as pa

    from etl_platform.sources.database.policy import TargetColumn

    if kinds != {list}:
        raise _Unfit("expected an array")
    items = [item for value in values if value is not None for item in value]
    inner = _exact(items, TargetColumn("item", target.value_type, "", nullable=True))
    offsets: list[int | None] = []
    end = 0
    for value in values:
        offsets.append(None if value is None else end)
        end += 0 if value is None else len(value)
    offsets.append(end)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), inner, type=target)


def refusal(
    value: object, column: TargetColumn, where: str, position: int, reason: str
) -> PermanentError:
    """The error for a value that has no exact place, with its row counted from 1."""
    shown = repr(value)
    if len(shown) > _SHOWN:
        shown = shown[:_SHOWN] + "..."
    return PermanentError(
        f"{where}: column {column.name!r} ({column.source_type}), row {position}: "
        f"the value {shown} ({type(value).__name__}) is not exactly a {column.type}: "
        + reason.splitlines()[0],
        fix=f"repair the value in the source, or declare types: {{{column.name}: string}}, "
        "or read the table with a query that converts it",
    )
