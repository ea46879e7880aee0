"""What a batch looks like: counts, nulls, distinct values, bounds, means, frequent values."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from etl_platform.quality.values import JsonValue, shortened

_BLOCKS = " ▏▎▍▌▋▊▉█"
_BAR_CHARACTERS = 5
_SHOWN_COLUMNS = 50
_SHOWN_VALUE = 24


class ColumnProfile(BaseModel):
    """One column of a batch.

    Attributes:
        dtype: the lake type's name.
        nulls: number of null rows.
        distinct: number of distinct non-null values; exact or a HyperLogLog estimate whose standard
            error is 3.5 % (see ``distinct_exact``). None for nested columns.
        min: smallest non-null value, NaN left out, as JSON can hold it; None for nested, binary and
            all-null columns.
        max: largest value, likewise.
        bounds_exact: False when min and max are shortened text that only bounds the values.
        mean: of numbers (NaN left out) and truth values (share of true); None for other types and
            when not finite.
        top: frequent values with their exact numbers of rows, most frequent first. Of a column with
            many distinct values only values that fill at least 1 % of a sample are counted.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    dtype: str
    nulls: int
    distinct: int | None = None
    distinct_exact: bool = False
    min: JsonValue = None
    max: JsonValue = None
    bounds_exact: bool = True
    mean: float | None = None
    top: tuple[tuple[JsonValue, int], ...] = ()


class Profile(BaseModel):
    """A batch of rows, as staged; ``size_bytes`` is that of the Parquet files."""

    model_config = ConfigDict(frozen=True)

    rows: int
    size_bytes: int
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile:
        """The profile of one column; KeyError when there is none of that name."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def to_json(self) -> str:
        return self.model_dump_json()

    @classmethod
    def from_json(cls, text: str) -> Profile:
        return cls.model_validate_json(text)

    def summary_markdown(self, max_columns: int = _SHOWN_COLUMNS) -> str:
        """A table with one line per column; bars show the share of nulls and of the top value."""
        lines = [
            f"{self.rows:,} rows, {len(self.columns):,} columns, {_bytes(self.size_bytes)}",
            "",
            "| column | type | nulls | distinct | min | max | mean | most frequent |",
            "|---|---|---|---|---|---|---|---|",
            *(self._line(column) for column in self.columns[:max_columns]),
        ]
        hidden = len(self.columns) - max_columns
        if hidden > 0:
            lines.append(f"\nand {hidden:,} more columns")
        return "\n".join(lines)

    def _line(self, column: ColumnProfile) -> str:
        top = ""
        if column.top:
            value, count = column.top[0]
            top = f"{_bar(count, self.rows)} {_cell(value)}"
        distinct = ""
        if column.distinct is not None:
            distinct = f"{'' if column.distinct_exact else '~'}{column.distinct:,}"
        bound = "" if column.bounds_exact else "…"
        cells = (
            _cell(column.name),
            column.dtype,
            _bar(column.nulls, self.rows),
            distinct,
            _cell(column.min) + bound,
            _cell(column.max) + bound,
            "" if column.mean is None else f"{column.mean:,.6g}",
            top,
        )
        return "| " + " | ".join(cells) + " |"


def _bar(part: int, whole: int) -> str:
    if not part or not whole:
        return ""
    eighths = max(1, round(part / whole * _BAR_CHARACTERS * 8))
    full, rest = divmod(eighths, 8)
    share = part / whole
    percent = "<0.1 %" if share < 0.001 else f"{share:.1%}".replace("%", " %")
    return "█" * full + (_BLOCKS[rest] if rest else "") + " " + percent


def _cell(value: JsonValue) -> str:
    if value is None:
        return ""
    text = shortened(str(value), _SHOWN_VALUE)
    for special in "\\|`*<>[]":
        text = text.replace(special, "\\" + special)
    return " ".join(text.split()) or "(blank)"


def _bytes(size: int) -> str:
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
        amount /= 1024
    return f"{amount:,.1f} TiB"
