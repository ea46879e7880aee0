"""``etl related``: what a column can be joined with."""

from __future__ import annotations

from typing import Annotated

import typer

from etl_platform.cli.arguments import Json

EXAMPLES = """[bold]Examples[/bold]

etl related nyc.flights.tailnum

etl related nyc.flights.dest --json | jq -r '.[] | select(.is_key).name'
"""


def related(
    column: Annotated[
        str, typer.Argument(metavar="COLUMN", help="Name of a column: schema.table.column.")
    ],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, best first.")] = 10,
    role: Annotated[str | None, typer.Option("--role", help="Look as this role.")] = None,
    as_json: Json = False,
) -> None:
    """Show columns that a column can be joined with: those that have its values, are of its type
    and mean the same.

    Values are compared by the hashes that profiles keep: no table is read. What a role may not
    query is not shown to it, and values of a table that it does not see whole are not compared.
    """
    from dataclasses import asdict

    from etl_platform.cli.printing import print_json, print_table
    from etl_platform.platform import Platform

    found = Platform.open().related(column, limit, role=role)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    print_table(
        [("score", "right"), ("column", "left"), ("why", "left")],
        [(f"{one.score:.2f}", one.name, one.why) for one in found],
        caption=None if found else f"nothing has values like {column}",
    )
