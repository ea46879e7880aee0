"""``etl explain``: what a query would read and do, and what it did."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from etl_platform.cli.arguments import Json

EXAMPLES = """[bold]Examples[/bold]

etl explain "SELECT carrier, avg(dep_delay) FROM flights.flights WHERE month = 2 GROUP BY ALL"

etl explain --analyze "SELECT carrier, count(*) FROM flights.flights GROUP BY ALL"

etl explain - --json < report.sql | jq '.inputs[0].uris, .findings[].message'
"""


def explain(
    sql: Annotated[
        str,
        typer.Argument(
            metavar="SQL", help="One SELECT; - reads it from standard input.", show_default=False
        ),
    ],
    analyze: Annotated[
        bool, typer.Option("--analyze", help="Run it, and show what each operator did.")
    ] = False,
    role: Annotated[
        str | None,
        typer.Option("--role", help="Whose policies hold; default ETL_ROLE.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what etl query would do with a query, without running it.

    First the operators as a tree, each with the rows that it is expected to hand on, from profiles
    and the files' statistics; a scan tells how many files are left to read. Then, for each rule of
    the planner, what it did (*) or why it did nothing (-), and what looks unintended in the query
    or makes it slower than it has to be, with the place (line:column) and what to write instead,
    and the partitioning or sort order by which it would read least; etl advise looks at all queries
    of the past.

    With --analyze the query is run as etl query runs it: with the same limits and policies, and
    recorded in the history. The tree is then DuckDB's, with rows and processor time of each
    operator. Where a policy changes what you see of a table, only totals are told.
    """
    from etl_platform.cli.explain_views import (
        as_data,
        show_estimates,
        show_findings,
        show_layouts,
        show_measured,
        show_rules,
    )
    from etl_platform.cli.printing import print_json
    from etl_platform.planner.advice.suggestion import Asked
    from etl_platform.platform import Platform

    text = sys.stdin.read() if sql == "-" else sql
    tool = Platform.open().query_tool
    found = tool.explain(text, role=role)
    measured = tool.ask(text, role=role, analyze=True).measured if analyze else None
    asked = Asked(text, seconds=found.plan.estimate.seconds)
    layouts = [one for one in tool.advise([asked], role, 1) if one.kind != "rollup"]
    if as_json:
        print_json(as_data(found, measured) | {"suggestions": [asdict(one) for one in layouts]})
        return
    if measured is None:
        show_estimates(found)
    else:
        show_measured(found, measured)
    plan = found.plan
    show_rules(found.rules, plan.sql if plan.sql != plan.text else None)
    show_findings(found.findings)
    show_layouts(layouts)
