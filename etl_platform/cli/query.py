"""``etl query``: SQL over all tables."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = """[bold]Examples[/bold]

etl query "SELECT carrier, avg(dep_delay) FROM flights.flights GROUP BY ALL ORDER BY 2 DESC"

etl query "SELECT * FROM flights.planes" --limit 5

etl query - --json < report.sql | jq '.[0]'
"""


def query(
    sql: Annotated[
        str,
        typer.Argument(
            metavar="SQL", help="One SELECT; - reads it from standard input.", show_default=False
        ),
    ],
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=0, help="Rows to show in the table; 0 shows all.")
    ] = 100,
    role: Annotated[
        str | None,
        typer.Option("--role", help="Whose policies hold; default ETL_ROLE.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a read-only query over the newest version of every table.

    The SQL is DuckDB's; tables are schema.name. All tables are read at one moment, so what others
    publish meanwhile is not seen. JSON has every row, whatever the limit.
    """
    from etl_platform.cli.printing import print_json
    from etl_platform.platform import Platform

    text = sys.stdin.read() if sql == "-" else sql
    frame = Platform.open().query(text, role=role)
    if as_json:
        print_json(list(frame.iter_rows(named=True)))
    else:
        _show(frame, limit)


def _show(frame: pl.DataFrame, limit: int) -> None:
    from etl_platform.cli.printing import Align, print_table

    shown = frame.head(limit) if limit else frame
    columns: list[tuple[str, Align]] = [
        (name, "right" if dtype.is_numeric() else "left") for name, dtype in frame.schema.items()
    ]
    rows = f"{frame.height:,} row{'' if frame.height == 1 else 's'}"
    cut = f", the first {shown.height:,} shown (--limit 0 shows all)"
    print_table(columns, shown.iter_rows(), rows + (cut if shown.height < frame.height else ""))
