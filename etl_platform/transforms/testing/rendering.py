"""A test's outcome for people: which rows are missing, too many or otherwise."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from etl_platform.core.json_values import plain
from etl_platform.transforms.testing.comparing import Cells, Difference
from etl_platform.transforms.testing.running import Outcome

if TYPE_CHECKING:
    from rich.table import Table

_SHOWN_LINES = 20
_SHOWN_COLUMNS = 12
_PLAIN_WIDTH = 160


def difference_table(found: Difference) -> Table:
    """Rows of a difference: ``-`` was expected, ``+`` came; differing cells stand out.

    Of wide rows the columns that differ come first.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    places = _places(found)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    for place in places:
        table.add_column(Text(found.columns[place]), overflow="fold")

    def add(mark: str, cells: Cells, different: frozenset[int], color: str) -> None:
        style = "" if different else color
        shown = [
            Text(_shown(cells[i]), style=f"bold {color}" if i in different else style)
            for i in places
        ]
        table.add_row(Text(mark, style=color), *shown)

    for line in found.lines[:_SHOWN_LINES]:
        if line.expected is not None:
            add("-", line.expected, line.columns, "red")
        if line.actual is not None:
            add("+", line.actual, line.columns, "green")
    return table


def left_out(found: Difference) -> str:
    """What the table does not show, as a sentence; empty when it shows all."""
    lines, columns = len(found.lines) - _SHOWN_LINES, len(found.columns) - _SHOWN_COLUMNS
    parts = [f"{lines} more rows"] if lines > 0 else []
    parts += [f"{columns} more columns"] if columns > 0 else []
    return f"... and {' and '.join(parts)} not shown" if parts else ""


def as_text(outcome: Outcome) -> str:
    """The outcome as plain text, as pytest shows it."""
    from rich.console import Console

    out = StringIO()
    console = Console(file=out, width=_PLAIN_WIDTH, color_system=None)
    console.print(f"{outcome.test.spot()}: {outcome.table}: {outcome.test.name}", markup=False)
    console.print(outcome.message, markup=False, highlight=False)
    if outcome.difference is not None:
        console.print(difference_table(outcome.difference))
        console.print(left_out(outcome.difference), markup=False)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())


def as_data(outcome: Outcome) -> dict[str, object]:
    """The outcome for programs."""
    found = outcome.difference
    lines = found.lines if found else ()
    return {
        "table": outcome.table.sql,
        "test": outcome.test.name,
        "file": str(outcome.test.path),
        "line": outcome.test.line,
        "status": outcome.status,
        "message": outcome.message,
        "rows": [
            {
                "kind": line.kind,
                "expected": _named(found, line.expected),
                "actual": _named(found, line.actual),
                "columns": sorted(found.columns[i] for i in line.columns) if found else [],
            }
            for line in lines
        ],
    }


def _named(found: Difference | None, cells: Cells | None) -> dict[str, object] | None:
    if found is None or cells is None:
        return None
    return {name: plain(value) for name, value in zip(found.columns, cells, strict=True)}


def _places(found: Difference) -> list[int]:
    everywhere = range(len(found.columns))
    if len(found.columns) <= _SHOWN_COLUMNS:
        return list(everywhere)
    different = {place for line in found.lines for place in line.columns}
    ranked = sorted(everywhere, key=lambda place: place not in different)
    return ranked[:_SHOWN_COLUMNS]


def _shown(value: object) -> str:
    return "null" if value is None else str(plain(value))
