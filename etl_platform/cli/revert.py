"""``etl revert``: put an earlier version back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from etl_platform.cli.arguments import Json, Table

EXAMPLES = """[bold]Examples[/bold]

etl receipts flights.flights

etl revert flights.flights --to 3
"""


def revert(
    table: Table,
    to: Annotated[
        int,
        typer.Option(
            "--to", min=0, metavar="VERSION", help="The version to put back.", show_default=False
        ),
    ],
    as_json: Json = False,
) -> None:
    """Make an earlier version of a table the newest one.

    Nothing is lost: the versions in between stay in the history, and a revert can be reverted.
    Watermarks come back too, so the next incremental run extracts again what was taken away.
    """
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
