"""``etl moved``: the lake lies somewhere else than it did."""

from __future__ import annotations

from typing import Annotated

import typer

from etl_platform.cli.arguments import Json

EXAMPLES = """[bold]Examples[/bold]

etl moved /srv/etl/lake

ETL_LAKE_URI=s3://warehouse/lake etl moved /srv/etl/lake
"""


def moved(
    old: Annotated[
        str,
        typer.Argument(
            metavar="OLD", help="ETL_LAKE_URI as it was: an absolute path, or s3://bucket/prefix."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Say that the lake which was at OLD is at ETL_LAKE_URI now.

    Receipts, audits, profiles and histories of metrics name the lake that they tell of. After a
    backup was restored at another place, or a lake was copied, they have to name that. Tables are
    not touched.
    """
    from etl_platform.cli.printing import print_json
    from etl_platform.platform import Platform

    platform = Platform.open()
    records = platform.metastore.lake_moved(old, platform.lake.uri)
    if as_json:
        print_json({"from": old, "to": platform.lake.uri, "records": records})
    else:
        typer.echo(f"{records:,} records are of {platform.lake.uri} now")
