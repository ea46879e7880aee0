"""``etl indexes``: which indexes a source database's own planner would use."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json

if TYPE_CHECKING:
    from etl_platform.sources.database.advice import Advice, Suggestion

EXAMPLES = """[bold]Examples[/bold]

etl indexes env://SHOP_URL "SELECT * FROM orders WHERE customer_id = 42"

etl indexes sqlite:////data/shop.db --file workload.sql --json | jq -r '.suggestions[].create'

etl indexes env://SHOP_COPY_URL --file workload.sql --build
"""
_BUILDS = {
    "postgresql": "indexes are built in transactions that are rolled back; "
    "meanwhile writers of their tables wait",
    "mysql": "whole tables are copied into temporary tables of this session and indexed there; "
    "nobody else sees them, and they go with the session",
    "sqlite": "nothing has to be built, SQLite's planner is asked on an empty copy in memory",
}


def indexes(
    uri: Annotated[
        str,
        typer.Argument(
            metavar="URI",
            help="A secret reference (env://NAME, file:///path, aws-secret://name#field), or a "
            "URL without a password: PostgreSQL, MariaDB or SQLite.",
            show_default=False,
        ),
    ],
    sql: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SQL",
            help="SELECTs in the database's own dialect; - reads them from standard input.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", exists=True, dir_okay=False, help="A workload: SELECTs ended by semicolons."
        ),
    ] = None,
    build: Annotated[
        bool,
        typer.Option(
            "--build",
            help="Really build indexes where the database cannot plan with imagined ones: best on "
            "a copy. Says first what that does; nothing of it stays.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Suggest indexes for queries on a source database, each verified by its own planner.

    The queries are never run, only explained, read only. PostgreSQL needs its extension hypopg for
    that, or --build; MariaDB needs --build. Costs are the planner's, with the other suggestions in
    place; a line with - is how a table was read, one with + how it would be.
    """
    from etl_platform.cli.printing import print_json
    from etl_platform.sources.database import Database, PoolSettings
    from etl_platform.sources.database.advice import advise

    workload = [sys.stdin.read() if text == "-" else text for text in sql or ()]
    if file is not None:
        workload.append(file.read_text(encoding="utf-8"))
    if not workload:
        raise typer.BadParameter("give SQL, --file or both")
    database = Database("source", uri, PoolSettings(statement_timeout_s=60))
    try:
        if build:
            typer.echo(f"--build: {_BUILDS.get(database.dialect.name, '')}", err=True)
        advice = advise(database, workload, build=build)
    finally:
        database.close()
    if as_json:
        print_json(asdict(advice))
    else:
        _show(advice)
    if advice.needs is not None:
        typer.secho("not verified: ", fg="red", bold=True, err=True, nl=False)
        typer.echo(advice.needs, err=True)
        raise typer.Exit(1)


def _show(advice: Advice) -> None:
    from etl_platform.cli.printing import printable

    for suggestion in advice.suggestions:
        _show_suggestion(suggestion)
    if not advice.suggestions and advice.needs is None:
        typer.echo("No index is worth its writes for these queries.")
    for hint in advice.hints:
        typer.echo(f"hint: {printable(hint)}")
    total = len(advice.statements)
    typer.echo(
        f"{total} quer{'y' if total == 1 else 'ies'} on {advice.database}; asked: "
        f"{advice.verified_by}; costs: {advice.cost_unit}",
        err=True,
    )


def _show_suggestion(suggestion: Suggestion) -> None:
    from etl_platform.cli.printing import printable, size

    typer.secho(printable(suggestion.create), bold=True)
    about = f"about {size(suggestion.size_bytes)}, " if suggestion.size_bytes else ""
    typer.echo(f"  {about}{suggestion.write_cost}")
    for gain in suggestion.gains:
        times = gain.cost_before / max(gain.cost_after, 1e-9)
        typer.echo(
            f"  query {gain.statement}: cost {gain.cost_before:,.1f} -> {gain.cost_after:,.1f} "
            f"({times:,.1f}x)"
        )
        for sign, lines in (("-", gain.accesses_before), ("+", gain.accesses_after)):
            for line in lines:
                typer.echo(f"    {sign} {printable(line)}")
    typer.echo()
