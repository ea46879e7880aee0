"""Types of columns that are written as text: the narrowest that gives every text of a sample back.

Dates count only as ISO 8601: ``03/04/2024`` is text, and a note says so. So do leading zeros,
thousands, decimal commas, ``NULL`` and ``yes``: what they mean is for a declaration to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from etl_platform.sources.database.arrow_text import MAX_PRECISION
from etl_platform.sources.files.formats.csv.parsing import (
    BOOLEAN,
    DECIMAL,
    FLOAT,
    INTEGER,
    column_of,
    not_empty,
    plain_numbers,
)
from etl_platform.sources.files.options import CsvOptions
from etl_platform.sources.stream.formats.columns import Column

if TYPE_CHECKING:
    import pyarrow as pa

_NULLS = ("NULL", "null", "NA", "N/A", "n/a", "NaN", "nan", "None", "none", "\\N", "-", "#N/A", "?")
_LOOKS: tuple[tuple[str, str], ...] = (
    (
        r"^\d{1,2}[/.-]\d{1,2}[/.-](\d{4}|\d{2})([ T].*)?$",
        "looks like dates, of which day and month are not certain: declare the type with format",
    ),
    (r"^\d{4}[/.]\d{1,2}[/.]\d{1,2}", "looks like dates that are not ISO 8601: declare format"),
    (r"^-?\d{1,3}(,\d{3})+(\.\d+)?$", "looks like numbers: csv: {thousands: ','}"),
    (r"^-?\d{1,3}(\.\d{3})*,\d+$", "looks like numbers: csv: {decimal: ','}"),
    (r"^-?0\d+$", "digits with leading zeros stay text"),
    (r"^\s*-?\d+(\.\d+)?\s*$", "numbers with blanks or leading zeros: csv: {trim: true}"),
    (r"(?i)^(yes|no|y|n|t|f)$", "looks like yes and no, and stays text"),
    (r"^-?\d+(\.\d+)?\s?%$", "percentages stay text"),
)


def type_of(texts: pa.Array[Any], options: CsvOptions) -> tuple[pa.DataType, str | None]:
    """The type, and what else the column might be."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if options.trim:
        texts = pc.utf8_trim_whitespace(texts)
    values = texts.filter(not_empty(texts))
    if len(values) == 0:
        return pa.string(), "no values in the sample"
    kind = _exact(values, options)
    if kind is not None:
        return kind, None
    return pa.string(), _note(values, options)


def _all(values: pa.Array[Any], form: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.all(pc.match_substring_regex(values, form)).as_py())


def _exact(values: pa.Array[Any], options: CsvOptions) -> pa.DataType | None:
    """The narrowest type that holds the texts; None where only text does."""
    import pyarrow as pa

    if _all(values, BOOLEAN):
        return pa.bool_()
    numbers = plain_numbers(values, options)
    candidates: list[pa.DataType] = []
    if _all(numbers, INTEGER):
        candidates = [pa.int64(), pa.decimal128(MAX_PRECISION, 0)]
    elif _all(numbers, FLOAT):
        candidates = [pa.float64()]
        if _all(numbers, DECIMAL):
            candidates.append(pa.decimal128(MAX_PRECISION, _places(numbers)))
    elif _all(values, r"^\d{4}-\d{2}-\d{2}$"):
        candidates = [pa.date32()]
    elif _all(values, r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?$"):
        candidates = [pa.timestamp("us")]
    elif _all(values, r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:?\d{2})$"):
        candidates = [pa.timestamp("us", "UTC")]
    for kind in candidates:
        if column_of(values, Column("", kind, ("",)), options)[1] is None:
            return kind
    return None


def _places(values: pa.Array[Any]) -> int:
    import pyarrow.compute as pc

    behind: Any = pc.replace_substring_regex(values, r"^[^.]*\.?", "")
    return min(int(pc.max(pc.binary_length(behind)).as_py()), MAX_PRECISION)


def _note(values: pa.Array[Any], options: CsvOptions) -> str | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    spelled = pc.is_in(values, pa.array(_NULLS))
    some = values.filter(spelled)
    if 0 < len(some) < len(values):
        rest = values.filter(pc.invert(spelled))
        kind = _exact(rest, options)
        if kind is not None:
            found = ", ".join(sorted({str(one) for one in some.to_pylist()}))
            return f"{kind} but for {found}: csv: {{null_values: ['', {found}]}}"
    for form, note in _LOOKS:
        if _all(values, form):
            return note
    number = pc.match_substring_regex(values, FLOAT)
    share = pc.mean(number.cast(pa.float64())).as_py()
    return f"{share:.0%} are numbers, the rest is not" if share > 0.5 else None
