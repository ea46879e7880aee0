"""How commands show data: a table for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import typer

from etl_platform.core.json_values import plain

if TYPE_CHECKING:
    from rich.text import Text

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_CONTROL = (
    {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
    | {
        ord("\n"): "\\n",
        ord("\t"): "\\t",
    }
    | {
        # What turns the direction of writing or begins a line shows other text than there is.
        code: f"\\u{code:04x}"
        for code in (
            0x61C,
            0x200B,
            0x200E,
            0x200F,
            *range(0x2028, 0x202F),
            *range(0x2060, 0x2070),
            0xFEFF,
        )
    }
)
_NAMED = 4
Align = Literal["left", "right"]


def few(names: Sequence[str]) -> str:
    """The first names of many."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def print_json(value: object) -> None:
    """Print one JSON document.

    Values are written as :func:`etl_platform.core.json_values.plain` says; what is no printable
    character is escaped, so that no text steers a terminal.
    """
    text = json.dumps(plain(value), ensure_ascii=False, indent=None)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
    typer.echo(text)


def print_table(
    columns: Sequence[tuple[str, Align]],
    rows: Iterable[Sequence[object]],
    caption: str | None = None,
) -> None:
    """Print rows as a table: numbers grouped, empty cells for None, control characters escaped."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, align in columns:
        table.add_column(Text(printable(name)), justify=align, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    # Whoever reads a pipe wants whole values, not the width of a terminal that is not there.
    console = Console(width=None if sys.stdout.isatty() else 10_000, soft_wrap=False)
    console.print(table)
    if caption:
        typer.echo(caption, err=True)


def printable(value: object) -> str:
    """The value as text on one line; nothing in it can steer the terminal."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return str(value).translate(_CONTROL)


def size(size_bytes: int | None) -> str:
    """Bytes in powers of 1000: ``1.5 MB``."""
    if size_bytes is None:
        return ""
    amount = float(size_bytes)
    for unit in _UNITS:
        if amount < 1000 or unit == _UNITS[-1]:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def age(seconds: float | None) -> str:
    """Seconds in the largest unit that fits: ``5 min``, ``3 h``, ``2 d``."""
    if seconds is None:
        return ""
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _cell(value: object) -> Text:
    from rich.text import Text

    if isinstance(value, Text):
        return value
    return Text(f"{value:,}" if type(value) is int else printable(value))
