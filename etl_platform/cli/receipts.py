"""``etl receipts``: what was published."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from etl_platform.cli.arguments import AnyTable, Json, lake_table
from etl_platform.cli.sink_loads import InDatabase, show_loads

EXAMPLES = """[bold]Examples[/bold]

etl receipts flights.flights

etl receipts airlines --in env://WAREHOUSE_URL

etl receipts flights.flights --json | jq '.[] | select(.rows_deleted > 0)'
"""


def receipts(
    table: AnyTable,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")
    ] = 20,
    database: InDatabase = None,
    as_json: Json = False,
) -> None:
    """Show what each version of a table changed, newest first.

    Versions without a receipt were made by other tools or only changed the schema. With --in it is
    a table of another database, and what the loads into it changed.
    """
    if database is not None:
        show_loads(database, table, limit, as_json=as_json)
        return
    table = lake_table(table)
    from etl_platform.cli.printing import print_json, print_table, size
    from etl_platform.platform import Platform

    found = Platform.open().receipts(table, limit)
    if as_json:
        print_json([asdict(receipt) for receipt in found])
        return
    print_table(
        [
            ("version", "right"),
            ("published", "left"),
            ("mode", "left"),
            ("inserted", "right"),
            ("updated", "right"),
            ("deleted", "right"),
            ("rows", "right"),
            ("size", "right"),
            ("seconds", "right"),
            ("batch", "left"),
        ],
        [
            (
                r.version_after,
                r.committed_at.strftime("%Y-%m-%d %H:%M:%S") if r.committed_at else "",
                r.mode.value,
                r.rows_inserted,
                r.rows_updated,
                r.rows_deleted,
                r.rows_total,
                size(r.size_bytes),
                f"{r.seconds:.2f}",
                r.batch,
            )
            for r in found
        ],
        caption=f"put a version back with: etl revert {table} --to VERSION" if found else None,
    )
