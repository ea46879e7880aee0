"""``etl verify``: whether tables of models are what their SQL gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json, lake_table

if TYPE_CHECKING:
    from etl_platform.transforms.incremental.verify import Verification

EXAMPLES = """[bold]Examples[/bold]

etl verify marts.carrier_performance

etl verify marts.totals marts.daily --json | jq '.[] | select(.equal | not)'
"""


def verify(
    tables: Annotated[
        list[str],
        typer.Argument(metavar="TABLE...", help="Tables of models.", show_default=False),
    ],
    as_json: Json = False,
) -> None:
    """Compute tables of models in full and compare them, row by row, with what there is.

    The SQL and the versions of its inputs are those that the table's newest commit names, so that
    it does not matter what has changed since. Nothing is written.

    Exit status 1 when a table differs, or cannot be computed again.
    """
    from etl_platform.cli.printing import print_json
    from etl_platform.core.names import TableName
    from etl_platform.platform import Platform
    from etl_platform.transforms.incremental.verify import verify as verify_table

    names = [TableName.parse(lake_table(text)) for text in tables]
    platform = Platform.open()
    found = [verify_table(platform.lake, name) for name in names]
    if as_json:
        print_json([_data(one) for one in found])
    else:
        for one in found:
            _show(one)
    if not all(one.equal for one in found):
        raise typer.Exit(1)


def _show(found: Verification) -> None:
    import sys

    from rich.console import Console

    from etl_platform.transforms.testing.rendering import difference_table, left_out

    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    inputs = ", ".join(f"{table}@{version}" for table, version in found.inputs.items())
    what = f"{found.table} version {found.version}: {found.rows:,} rows"
    if found.equal:
        console.print("[green]equal[/]   ", end="")
        console.print(f"{what} are what its SQL gives of {inputs or 'no table'}", markup=False)
        return
    console.print("[red]DIFFERS[/] ", end="")
    console.print(
        f"{what}, {found.missing:,} missing and {found.unexpected:,} too many beside what its SQL "
        f"gives of {inputs or 'no table'} (- its SQL, + the table)",
        markup=False,
    )
    console.print(difference_table(found.difference))
    if text := left_out(found.difference):
        console.print(text, markup=False)


def _data(found: Verification) -> dict[str, object]:
    names = found.difference.columns
    return {
        "table": found.table.sql,
        "version": found.version,
        "inputs": {table.sql: version for table, version in found.inputs.items()},
        "equal": found.equal,
        "rows": found.rows,
        "missing": found.missing,
        "unexpected": found.unexpected,
        "differences": [
            {
                "kind": line.kind,
                "sql": None
                if line.expected is None
                else dict(zip(names, line.expected, strict=True)),
                "table": None
                if line.actual is None
                else dict(zip(names, line.actual, strict=True)),
            }
            for line in found.difference.lines
        ],
    }
