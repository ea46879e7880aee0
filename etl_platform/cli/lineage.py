"""``etl lineage``: where columns come from, and what is made of them."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json

if TYPE_CHECKING:
    from rich.tree import Tree

    from etl_platform.planner.lineage import LineageGraph
    from etl_platform.planner.lineage.tree import Branch

EXAMPLES = """[bold]Examples[/bold]

etl lineage marts.flight_delays.dep_delay_min

etl lineage nyc.flights --down

etl lineage marts.worst_days --html lineage.html

etl lineage marts.worst_days --json | jq -r '.edges[] | "\\(.from_table).\\(.from_column)"'
"""


def lineage(
    name: Annotated[
        str,
        typer.Argument(
            metavar="TABLE[.COLUMN]",
            help="A table, schema.name, or one of its columns.",
            show_default=False,
        ),
    ],
    up: Annotated[bool, typer.Option("--up", help="Only what it comes from.")] = False,
    down: Annotated[bool, typer.Option("--down", help="Only what is made of it.")] = False,
    depth: Annotated[
        int | None,
        typer.Option("--depth", min=1, help="How many tables away.", show_default="all"),
    ] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", help="Write a picture.", dir_okay=False)
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page.", dir_okay=False)
    ] = None,
    mermaid: Annotated[bool, typer.Option("--mermaid", help="Print a Mermaid flowchart.")] = False,
    as_json: Json = False,
) -> None:
    """Show which columns a column is computed from, and which are computed from it, over all
    tables between the databases that are read and those that are written.

    Every table carries its own lineage, recorded with the version that was published last: it is
    what happened, not what the definitions say now. Values are followed, not rows: columns that
    only filter, join or group are no lineage, and count(*) comes from no column.
    """
    from etl_platform.cli.printing import print_json
    from etl_platform.planner.lineage import mermaid as chart
    from etl_platform.planner.lineage import picture
    from etl_platform.platform import Platform

    both = up == down
    graph = Platform.open().lineage(name, up=up or both, down=down or both, depth=depth)
    for path, draw in ((svg, picture.svg), (html, picture.html)):
        if path is not None:
            path.write_text(draw(graph), encoding="utf-8")
            typer.echo(f"{path}: {len(graph.nodes)} tables, {len(graph.edges)} lines", err=True)
    if as_json:
        print_json(asdict(graph))
    elif mermaid:
        typer.echo(chart.mermaid(graph), nl=False)
    elif svg is None and html is None:
        _show(graph, up=up or both, down=down or both)


def _show(graph: LineageGraph, *, up: bool, down: bool) -> None:
    from rich.console import Console
    from rich.text import Text
    from rich.tree import Tree

    from etl_platform.cli.printing import printable
    from etl_platform.planner.lineage.tree import branches, heading, nothing

    node = graph.node(graph.table)
    title = heading(node) if graph.column is None else f"{graph.table}.{graph.column}"
    tree = Tree(Text(printable(title), style="bold"))
    for wanted, word in ((up, "comes from"), (down, "goes into")):
        if not wanted:
            continue
        found = branches(graph, up=word == "comes from")
        said = word if found else nothing(graph, up=word == "comes from")
        if said is not None:
            part = tree.add(Text(said, style="dim"))
            for branch in found:
                _add(part, branch)
    Console(width=None if sys.stdout.isatty() else 10_000).print(tree)


def _add(tree: Tree, branch: Branch) -> None:
    from rich.text import Text

    from etl_platform.cli.printing import printable

    text = Text(printable(branch.text))
    for note in branch.notes:
        text.append("\n" + printable(note), style="dim")
    below = tree.add(text)
    for one in branch.below:
        _add(below, one)
