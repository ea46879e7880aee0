"""``etl promote``: a query becomes a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """[bold]Examples[/bold]

etl promote 42

etl promote 42 --to defs/marts/models/late_carriers.sql --description "Airlines by delay."
"""


def promote(
    history_id: Annotated[
        int,
        typer.Argument(metavar="HISTORY_ID", help="Its number in etl history.", show_default=False),
    ],
    to: Annotated[
        Path | None,
        typer.Option("--to", help="The .sql file in a folder of models; default: print it."),
    ] = None,
    description: Annotated[
        str | None, typer.Option("--description", help="What the table's rows are.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that exists.")] = False,
) -> None:
    """Write a query of the history as the file of a SQL model, with a contract.

    Bound values become literals. The contract demands the columns that identify a row, and expects
    no nulls where the query, run again now, had none.
    """
    from etl_platform.platform import Platform

    if to is not None and to.suffix != ".sql":
        raise typer.BadParameter(f"{to} is not a .sql file")
    if to is not None and to.exists() and not force:
        raise typer.BadParameter(f"{to} exists: --force replaces it")
    text = Platform.open().promote(history_id, description)
    if to is None:
        typer.echo(text, nl=False)
        return
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(text)
    typer.echo(f"{to} is a model now: dg check defs shows whether it fits", err=True)
