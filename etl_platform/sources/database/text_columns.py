"""Arrow columns of the database's text -> typed columns, exact or refused with the row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl_platform.sources.database.conversion import refusal

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.sources.database.policy import TargetColumn

_WIDEST_PRECISION = 76


def cast_text(text: pa.Array[Any], target: pa.DataType) -> pa.Array[Any]:
    """Parse a column; raises ``ArrowInvalid`` where a value does not fit exactly.

    Decimals go through 256 bits: straight to 128 Arrow wraps around when it rescales.
    """
    import pyarrow as pa

    if isinstance(target, pa.Decimal128Type):
        return text.cast(pa.decimal256(_WIDEST_PRECISION, target.scale)).cast(target)
    return text.cast(target)


def refuse_unfit(text: pa.Array[Any], column: TargetColumn, where: str, first_row: int) -> None:
    """Raise for the first value that does not parse; return when all do.

    Raises:
        PermanentError: names table, column, row (counted from 1) and value.
    """
    import pyarrow as pa

    if _problem(text, column) is None:
        return
    for position, value in enumerate(text, start=first_row):
        found = _problem(pa.array([value.as_py()], pa.string()), column)
        if found is not None:
            raise refusal(value.as_py(), column, where, position, found)


def _problem(text: pa.Array[Any], column: TargetColumn) -> str | None:
    import pyarrow as pa

    try:
        cast_text(text, column.type)
    except pa.ArrowInvalid as error:
        return str(error)
    return None
