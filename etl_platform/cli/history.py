"""``etl history``: what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json

if TYPE_CHECKING:
    from etl_platform.query.parameters import Parameter
    from etl_platform.query.saved import SavedQuery

EXAMPLES = """[bold]Examples[/bold]

etl history --limit 5

etl history --status refused

etl history --saved

etl history --json | jq '.[] | select(.seconds > 10) | .sql'
"""
_SHOWN = 100


def history(
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")
    ] = 20,
    status: Annotated[
        str | None,
        typer.Option("--status", help="Only ok, refused, failed or cancelled ones."),
    ] = None,
    role: Annotated[str | None, typer.Option("--role", help="Only those of a role.")] = None,
    saved: Annotated[
        bool, typer.Option("--saved", help="The saved queries and their parameters instead.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what was asked, newest first, refusals included.

    The number of a query is what etl promote takes. cached says that the rows were those of an
    earlier query on the same data.
    """
    from etl_platform.cli.printing import print_json, print_table
    from etl_platform.platform import Platform

    platform = Platform.open()
    if saved:
        _show_saved(platform.saved_queries.all(), as_json=as_json)
        return
    found = platform.history(limit, status=status, role=role)
    if as_json:
        print_json([one.model_dump() for one in found])
        return
    print_table(
        [
            ("id", "right"),
            ("asked", "left"),
            ("status", "left"),
            ("rows", "right"),
            ("seconds", "right"),
            ("", "left"),
            ("role", "left"),
            ("query", "left"),
        ],
        [
            (
                str(one.id),
                one.started_at.strftime("%Y-%m-%d %H:%M:%S"),
                one.status,
                one.rows,
                f"{one.seconds:.3f}",
                "cached" if one.cached else "",
                one.role,
                _short(one.sql),
            )
            for one in found
        ],
        caption="make a query a table with: etl promote ID --to FILE" if found else None,
    )


def _show_saved(found: list[SavedQuery], *, as_json: bool) -> None:
    from dataclasses import asdict

    from etl_platform.cli.printing import print_json, print_table

    if as_json:
        print_json([asdict(one) for one in found])
        return
    print_table(
        [("name", "left"), ("parameters", "left"), ("query", "left")],
        [
            (f"@{one.name}", ", ".join(map(_declared, one.parameters)), _short(one.sql))
            for one in found
        ],
    )


def _declared(parameter: Parameter) -> str:
    default = "" if parameter.default is None else f"={parameter.default}"
    return f"{parameter.name}:{parameter.type}{default}"


def _short(sql: str) -> str:
    line = " ".join(sql.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."
