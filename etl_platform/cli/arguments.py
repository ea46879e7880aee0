"""Arguments and options that several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName


def lake_table(text: str) -> str:
    """The SQL name of a table of the lake.

    Raises:
        typer.BadParameter: it cannot be one.
    """
    try:
        return TableName.parse(text).sql
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from None


def optional_table(text: str | None) -> str | None:
    """The SQL name of a table that may be left out."""
    return None if text is None else lake_table(text)


Table = Annotated[
    str,
    typer.Argument(
        metavar="TABLE",
        callback=lake_table,
        help="Name of a table: schema.name.",
        show_default=False,
    ),
]
AnyTable = Annotated[
    str,
    typer.Argument(metavar="TABLE", help="Name of a table: schema.name.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
DEFINITIONS = "etl_platform.definitions"
Module = Annotated[str, typer.Option("--module", "-m", help="The module that Dagster loads.")]
