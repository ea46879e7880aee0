"""``etl advise``: layouts and rollups that the queries of the past would have gained from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from etl_platform.cli.arguments import Json

EXAMPLES = """[bold]Examples[/bold]

etl advise

etl advise --limit 10000 --json | jq -r '.[] | select(.kind == "rollup") | .write'
"""


def advise(
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="How many queries, newest first.")
    ] = 1000,
    role: Annotated[
        str | None,
        typer.Option("--role", help="Whose policies hold; default ETL_ROLE.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Suggest how to lay out tables, and what rollups to keep, after the history of queries.

    partition and sort: the column by which the queries filter, with the share of the table's files
    that they would read; the planner then leaves out the others. rollup: an aggregation that many
    queries could be answered from, as the file of a SQL model to keep. Nothing is run: savings are
    estimated from profiles (profile: full), from the log, and from what the queries took. Each
    stands for itself; they do not add up.

    For one query see etl explain; for indexes of a source database etl indexes.
    """
    from etl_platform.cli.printing import print_json, printable, size
    from etl_platform.platform import Platform

    found = Platform.open().advise(limit, role)
    if as_json:
        print_json([asdict(one) | {"saved_bytes": one.saved_bytes} for one in found])
        return
    for one in found:
        typer.secho(printable(one.what), bold=True)
        typer.echo(
            f"  reads {size(one.bytes_then)} instead of {size(one.bytes_now)}, saves about "
            f"{one.seconds:.3g} s, over {one.queries} runs"
        )
        typer.echo(printable(f"  estimated: {one.how}"))
        for line in one.write.splitlines():
            typer.echo(f"  {line}")
        typer.echo()
    if not found:
        typer.echo("nothing would save much: too few queries, or tables without profiles", err=True)
