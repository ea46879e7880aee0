"""``etl inspect``: what a database, a bucket or a folder offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json
from etl_platform.core.errors import ConfigError

if TYPE_CHECKING:
    from etl_platform.generate.inspection import CursorCandidate, RiskyColumn, TableInspection

EXAMPLES = """[bold]Examples[/bold]

etl inspect env://SHOP_URL

etl inspect sqlite:////data/shop.db

etl inspect env://SHOP_URL --schema sales --json | jq '.[] | select(.risky != [])'

etl inspect s3://bucket/incoming --region eu-central-1

etl inspect 's3://bucket/incoming/**/*.csv.gz' --json | jq '.tables[].columns'

etl inspect /data/incoming --html open

etl inspect /data/incoming --yaml > etl_platform/defs/incoming/defs.yaml
"""


def inspect(
    uri: Annotated[
        str,
        typer.Argument(
            metavar="URI",
            help="A database: a secret reference (env://NAME, file:///path, "
            "aws-secret://name#field), or a URL without a password. Files: s3://bucket/prefix, a "
            "path, file:///folder, or a glob of these.",
            show_default=False,
        ),
    ],
    schema: Annotated[
        list[str] | None,
        typer.Option("--schema", "-s", help="Only this schema; may be given several times."),
    ] = None,
    views: Annotated[bool, typer.Option("--views", help="Views as well as tables.")] = False,
    html: Annotated[
        str | None,
        typer.Option(metavar="FILE|open", help="Files: write a page, or open it."),
    ] = None,
    yaml: Annotated[
        bool, typer.Option("--yaml", help="Files: a component that loads them, to be kept.")
    ] = False,
    tables: Annotated[
        int, typer.Option(min=1, help="Files: how many tables are looked into, the largest first.")
    ] = 50,
    region: Annotated[str | None, typer.Option(help="Of the bucket.")] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(help="Of a bucket that is not AWS's own.")
    ] = None,
    aws_profile: Annotated[
        str | None, typer.Option("--profile", help="Of the AWS configuration files.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at a database, a bucket or a folder before it is declared.

    [bold]A database[/bold]: rows, sizes, keys, what to follow and what to beware of. Rows and sizes
    are the database's own estimates. Cursor candidates are columns that seem to grow with every
    change, or (+) with every new row only; * marks those without an index. Risky columns have no
    lossless type in the lake and need a declaration, which the list below the table names. Engines
    are those that keep every value; JSON says what keeps the others from it.

    [bold]Files[/bold]: all objects are listed, those that look like one table are grouped, and some
    of each are read: form, columns and how sure they are, in what files differ, quality, and an
    estimate of all rows (with two standard errors to both sides) and of the time to read them. A
    file:///path that holds nothing but a URL is a secret reference, everything else there is data.
    """
    from etl_platform.generate.objects.addresses import is_place

    if is_place(uri):
        _inspect_files(
            uri,
            {"region": region, "endpoint_url": endpoint_url, "profile": aws_profile},
            tables,
            html,
            for_databases=bool(schema) or views,
            as_json=as_json,
            as_yaml=yaml,
        )
        return
    if html or yaml or region or endpoint_url or aws_profile:
        raise ConfigError(
            "these options are for files",
            valid="--schema, --views and --json for a database",
        )
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


def _inspect_files(
    uri: str,
    connection: Mapping[str, str | None],
    tables: int,
    html: str | None,
    *,
    for_databases: bool,
    as_json: bool,
    as_yaml: bool,
) -> None:
    from etl_platform.cli.inspect_objects import show_objects

    if for_databases:
        raise ConfigError(
            f"{uri} means files, which have neither schemas nor views",
            valid="--html, --yaml, --tables, --region, --endpoint-url, --profile, --json",
        )
    show_objects(uri, connection, tables, html, as_json=as_json, as_yaml=as_yaml)


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
