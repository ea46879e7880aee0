"""``etl revert``: put an earlier version back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from etl_platform.cli.arguments import AnyTable, Json, lake_table
from etl_platform.cli.sink_loads import InDatabase, revert_load

EXAMPLES = """[bold]Examples[/bold]

etl receipts flights.flights

etl revert flights.flights --to 3

etl receipts airlines --in env://WAREHOUSE_URL

etl revert airlines --in env://WAREHOUSE_URL
"""


def revert(
    table: AnyTable,
    to: Annotated[
        int | None,
        typer.Option(
            "--to", min=0, metavar="VERSION", help="The version to put back.", show_default=False
        ),
    ] = None,
    database: InDatabase = None,
    batch: Annotated[
        str | None,
        typer.Option("--batch", help="With --in: the load to undo.", show_default="the newest one"),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make an earlier version of a table the newest one.

    Nothing is lost: the versions in between stay in the history, and a revert can be reverted.
    Watermarks come back too, so the next incremental run extracts again what was taken away.

    With --in it is a table of a database that a sink loads: the rows that its newest load changed
    are put back as they were, if the sink keeps them (keep_before).
    """
    if (to is None) == (database is None):
        raise typer.BadParameter("give either --to VERSION or --in URI", param_hint="--to")
    if database is not None:
        revert_load(database, table, batch, as_json=as_json)
        return
    assert to is not None
    table = lake_table(table)
    from etl_platform.cli.printing import print_json
    from etl_platform.platform import Platform

    receipt = Platform.open().revert(table, to)
    if as_json:
        print_json(asdict(receipt))
    else:
        typer.echo(
            f"{table} is as it was at version {to}, now version {receipt.version_after}: "
            f"{receipt.rows_total:,} rows"
        )
