"""``etl explain``: what a query would read, and why."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from etl_platform.cli.arguments import Json

EXAMPLES = """[bold]Examples[/bold]

etl explain "SELECT carrier, avg(dep_delay) FROM flights.flights WHERE month = 2 GROUP BY ALL"

etl explain - --json < report.sql | jq '.inputs[0].uris'
"""


def explain(
    sql: Annotated[
        str,
        typer.Argument(
            metavar="SQL", help="One SELECT; - reads it from standard input.", show_default=False
        ),
    ],
    role: Annotated[
        str | None,
        typer.Option("--role", help="Whose policies hold; default ETL_ROLE.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what etl query would do with a query, without running it.

    For each table: the version, and how many of its files are left to read. For each rule of the
    planner: what it did (*), or why it did nothing (-). Then the rows, bytes and seconds that are
    expected.
    """
    from etl_platform.platform import Platform

    plan = Platform.open().plan(sys.stdin.read() if sql == "-" else sql, role=role)
    typer.echo(plan.as_json() if as_json else plan.explain())
