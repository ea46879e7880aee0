"""``etl sla``: whether assets were there by the time at which they were expected."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import DEFINITIONS, Json, Module

if TYPE_CHECKING:
    from etl_platform.monitoring.sla import Kept

EXAMPLES = """[bold]Examples[/bold]

etl sla

etl sla --days 90 --html sla.html

etl sla --json | jq '.deadlines[] | select(.status == "missed")'
"""
_SHOWN = 20


def sla(
    days: Annotated[int, typer.Option(min=1, help="How far back deadlines are looked at.")] = 30,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page.", show_default=False)
    ] = None,
    module: Module = DEFINITIONS,
    as_json: Json = False,
) -> None:
    """Show for every asset with an SLA how often it was in time, and each deadline that it was
    not.

    [green]met[/green]: there by its deadline. [yellow]late[/yellow]: there after it.
    [red]missed[/red]: not there. Times are UTC.
    """

    from etl_platform.cli.definitions import definitions_of
    from etl_platform.cli.instances import open_instance
    from etl_platform.cli.printing import print_json
    from etl_platform.components.sla.gathering import kept
    from etl_platform.monitoring.sla import compliance, html_report

    graph = definitions_of(module).resolve_asset_graph()
    with open_instance() as instance:
        rows = kept(instance, graph, datetime.now(UTC), timedelta(days=days))
    if html is not None:
        html.write_text(html_report(rows), encoding="utf-8")
    if as_json:
        print_json(
            {
                "assets": [asdict(one) for one in compliance(rows)],
                "deadlines": [{**asdict(one), "late_s": one.late_s} for one in rows],
            }
        )
    else:
        _show(rows, days)


def _show(rows: list[Kept], days: int) -> None:
    from etl_platform.cli.printing import age, print_table
    from etl_platform.monitoring.sla import compliance

    print_table(
        [
            ("asset", "left"),
            ("in time", "right"),
            ("met", "right"),
            ("late", "right"),
            ("missed", "right"),
            ("latest by", "right"),
        ],
        [
            (
                one.asset,
                None if one.share is None else f"{one.share:.1%}",
                one.met,
                one.late,
                one.missed,
                age(one.worst_late_s),
            )
            for one in compliance(rows)
        ],
        caption=f"deadlines of the last {days} days"
        if rows
        else "no asset has an sla: docs/sla.md",
    )
    broken = [one for one in reversed(rows) if one.status in ("late", "missed")][:_SHOWN]
    if broken:
        print_table(
            [(name, "left") for name in ("asset", "partition", "expected by", "actual", "")],
            [
                (
                    one.asset,
                    one.partition,
                    f"{one.expected_by:%Y-%m-%d %H:%M}",
                    "" if one.actual is None else f"{one.actual:%Y-%m-%d %H:%M}",
                    one.status,
                )
                for one in broken
            ],
        )
