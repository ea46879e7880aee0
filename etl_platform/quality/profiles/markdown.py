"""A profile as a table in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from etl_platform.core.inert import one_line
from etl_platform.quality.values import JsonValue, shortened

if TYPE_CHECKING:
    from etl_platform.quality.profile import ColumnProfile, Profile

_BLOCKS = " ▏▎▍▌▋▊▉█"
_BAR_CHARACTERS = 5
_SHOWN_VALUE = 24


def summary_markdown(profile: Profile, max_columns: int) -> str:
    """One line per column, at most ``max_columns``."""
    score = "" if profile.score is None else f", quality {profile.score.total:.0f} of 100"
    lines = [
        f"{profile.rows:,} rows, {len(profile.columns):,} columns, {_bytes(profile.size_bytes)}"
        + score,
        "",
        "| column | type | nulls | distinct | min | max | mean | most frequent |",
        "|---|---|---|---|---|---|---|---|",
        *(_line(column, profile.rows) for column in profile.columns[:max_columns]),
    ]
    hidden = len(profile.columns) - max_columns
    if hidden > 0:
        lines.append(f"\nand {hidden:,} more columns")
    return "\n".join(lines)


def _line(column: ColumnProfile, rows: int) -> str:
    top = ""
    if column.top:
        value, count = column.top[0]
        top = f"{_bar(count, rows)} {_cell(value)}"
    distinct = ""
    if column.distinct is not None:
        distinct = f"{'' if column.distinct_exact else '~'}{column.distinct:,}"
    bound = "" if column.bounds_exact else "…"
    cells = (
        _cell(column.name),
        _inert(column.dtype) + (f", {column.pii}" if column.pii else ""),
        _bar(column.nulls, rows),
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
    return _inert(shortened(str(value), _SHOWN_VALUE)) or "(blank)"


def _inert(text: str) -> str:
    """One line that is shown as it is written, whoever wrote it: also types name fields."""
    shown = one_line(text)
    for special in "\\|`*<>[]":
        shown = shown.replace(special, "\\" + special)
    return shown


def _bytes(size: int) -> str:
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
        amount /= 1024
    return f"{amount:,.1f} TiB"
