"""``etl replay-dead-letters``: decode again what was not understood, after a fix."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from etl_platform.cli.arguments import DEFINITIONS, Json, Module, Table

EXAMPLES = """[bold]Examples[/bold]

etl replay-dead-letters shop.clicks

etl replay-dead-letters shop.clicks --from-bytes
"""


def replay_dead_letters(
    table: Table,
    module: Module = DEFINITIONS,
    from_bytes: Annotated[
        bool,
        typer.Option(
            "--from-bytes",
            help="Decode the bytes that the dead letters kept, and do not ask the broker.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Read every partition of a stream that has dead letters again.

    Do it after a fix of the format or of the contract. Messages that are good now become rows,
    each once however often this is run; the others stay dead letters.

    The broker is asked first: the fix then holds for all messages of the partition. What it no
    longer has is made of the bytes that the dead letters kept.
    """
    from etl_platform.cli.definitions import definitions_of
    from etl_platform.cli.instances import open_instance
    from etl_platform.cli.printing import print_json, print_table
    from etl_platform.components.stream_source.replaying import Replay
    from etl_platform.core.names import TableName
    from etl_platform.platform import Platform

    lake = Platform.open().lake
    with open_instance() as instance:
        replay = Replay(definitions_of(module), instance, lake, TableName.parse(table), from_bytes)
        found = list(replay.run())
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        print_table(
            [
                ("partition", "left"),
                ("read from", "left"),
                ("dead letters", "right"),
                ("are rows now", "right"),
                ("left", "right"),
                ("error", "left"),
            ],
            [
                (o.partition, o.source, o.before, o.before - o.after, o.after, o.error)
                for o in found
            ],
            caption=f"{len(found)} partitions of {table} had dead letters",
        )
    if any(one.error is not None for one in found):
        raise typer.Exit(1)
