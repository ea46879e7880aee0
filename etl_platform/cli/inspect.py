"""``etl inspect``: what a database offers."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json

if TYPE_CHECKING:
    from etl_platform.generate.inspection import CursorCandidate, RiskyColumn, TableInspection

EXAMPLES = """[bold]Examples[/bold]

etl inspect env://SHOP_URL

etl inspect sqlite:////data/shop.db

etl inspect env://SHOP_URL --schema sales --json | jq '.[] | select(.risky != [])'
"""


def inspect(
    uri: Annotated[
        str,
        typer.Argument(
            metavar="URI",
            help="A secret reference (env://NAME, file:///path, aws-secret://name#field), or a "
            "URL without a password.",
            show_default=False,
        ),
    ],
    schema: Annotated[
        list[str] | None,
        typer.Option("--schema", "-s", help="Only this schema; may be given several times."),
    ] = None,
    views: Annotated[bool, typer.Option("--views", help="Views as well as tables.")] = False,
    as_json: Json = False,
) -> None:
    """Look at the tables of a database: rows, sizes, keys, what to follow and what to beware of.

    Rows and sizes are the database's own estimates. Cursor candidates are columns that seem to grow
    with every change, or (+) with every new row only; * marks those without an index. Risky columns
    have no lossless type in the lake and need a declaration, which the list below the table names.
    Engines are those that keep every value; JSON says what keeps the others from it.
    """
    from etl_platform.cli.printing import print_json
    from etl_platform.generate.inspection import inspect_database
    from etl_platform.sources.database import Database

    database = Database("source", uri)
    try:
        found = inspect_database(database, schema or None, views)
    finally:
        database.close()
    if as_json:
        print_json([asdict(table) for table in found])
    else:
        _show(found, database.redacted)


def _show(found: tuple[TableInspection, ...], where: str) -> None:
    from etl_platform.cli.printing import print_table, size

    print_table(
        [
            ("table", "left"),
            ("rows", "right"),
            ("size", "right"),
            ("columns", "right"),
            ("primary key", "left"),
            ("cursor candidates", "left"),
            ("risky columns", "left"),
            ("engines", "left"),
        ],
        [
            (
                table.name,
                table.estimated_rows,
                size(table.size_bytes),
                table.columns,
                ", ".join(table.primary_key),
                ", ".join(_marked(cursor) for cursor in table.cursors),
                ", ".join(column.column for column in table.risky),
                ", ".join(table.engines),
            )
            for table in found
        ],
        caption=f"{len(found)} table{'' if len(found) == 1 else 's'} in {where}; "
        "rows and sizes are estimates",
    )
    risky = [(table.name, column) for table in found for column in table.risky]
    if risky:
        typer.echo()
        print_table(
            [("table", "left"), ("column", "left"), ("type", "left"), ("risk", "left")],
            [_risk(name, column) for name, column in risky],
        )


def _marked(cursor: CursorCandidate) -> str:
    sees = "" if cursor.sees == "changes" else "+"
    return f"{cursor.column}{sees}{'' if cursor.indexed else '*'}"


def _risk(table: str, column: RiskyColumn) -> tuple[str, str, str, str]:
    return table, column.column, column.source_type, column.why
