"""``etl engines``: which engine did which work, and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json, optional_table

if TYPE_CHECKING:
    from rich.text import Text

    from etl_platform.metastore import DecisionRecord

EXAMPLES = """[bold]Examples[/bold]

etl engines

etl engines shop.orders

etl engines --json | jq '.[] | select(.fell_back_from != null)'
"""


def engines(
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="[TABLE]",
            callback=optional_table,
            help="Only decisions about this table, the newest in full.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")
    ] = 20,
    as_json: Json = False,
) -> None:
    """Show which engine did which work, what was expected and what was measured.

    [green]done[/green]: measured, and evidence for the next choice. [yellow]engine_fault[/yellow]:
    the engine failed by its own fault, and another took over in the same run where there was one.
    [red]failed[/red]: by a fault of the source, or stopped. Nothing: the work goes on, or its
    process was killed.
    """
    from etl_platform.cli.printing import print_json
    from etl_platform.platform import Platform

    found = Platform.open().metastore.decisions.newest(table, limit)
    if as_json:
        print_json([_plain(record) for record in found])
        return
    _show(found)
    if table is not None and found:
        _explain(found[0])


def _plain(record: DecisionRecord) -> dict[str, object]:
    return {
        **record.model_dump(),
        "candidates": json.loads(record.candidates),
        "rejected": json.loads(record.rejected),
    }


def _show(found: list[DecisionRecord]) -> None:
    from etl_platform.cli.printing import print_table

    print_table(
        [
            ("decided", "left"),
            ("table", "left"),
            ("engine", "left"),
            ("outcome", "left"),
            ("rows", "right"),
            ("expected s", "right"),
            ("seconds", "right"),
            ("rows/s", "right"),
            ("why", "left"),
        ],
        [
            (
                one.decided_at.strftime("%Y-%m-%d %H:%M:%S"),
                one.table,
                one.engine,
                _coloured(one.outcome),
                one.rows,
                "" if one.predicted_s is None else f"{one.predicted_s:.2f}",
                "" if one.seconds is None else f"{one.seconds:.2f}",
                round(one.rows / one.seconds) if one.rows and one.seconds else None,
                one.reason,
            )
            for one in found
        ],
        caption=None if found else "no engine was chosen yet: materialise an asset of a database",
    )


def _explain(newest: DecisionRecord) -> None:
    from etl_platform.cli.printing import print_table

    typer.echo()
    candidates = [
        (
            one["engine"],
            f"{one['rows_per_s']:,.0f}",
            one["basis"],
            one["runs"],
            "",
        )
        for one in json.loads(newest.candidates)
    ]
    rejected = [(one["engine"], "", "", None, one["reason"]) for one in json.loads(newest.rejected)]
    print_table(
        [
            ("engine", "left"),
            ("rows/s expected", "right"),
            ("known from", "left"),
            ("runs", "right"),
            ("rejected, because it", "left"),
        ],
        [*candidates, *rejected],
    )


def _coloured(outcome: str | None) -> Text:
    from rich.text import Text

    colours = {"done": "green", "engine_fault": "yellow", "failed": "bold red"}
    return Text(outcome or "", style=colours.get(outcome or "", ""))
