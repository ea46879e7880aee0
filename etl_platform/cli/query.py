"""``etl query``: SQL over all tables."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json

if TYPE_CHECKING:
    import polars as pl

    from etl_platform.platform import Platform
    from etl_platform.query.results import Page
    from etl_platform.query.tool import Answer

EXAMPLES = """[bold]Examples[/bold]

etl query "SELECT carrier, avg(dep_delay) FROM flights.flights GROUP BY ALL ORDER BY 2 DESC"

etl query "SELECT * FROM flights.planes" --limit 5

etl query - --json < report.sql | jq '.[0]'

etl query "SELECT * FROM flights.planes" --output planes.xlsx --timeout 60

etl query 'SELECT * FROM flights.planes WHERE seats > $least' --param least:integer=300

etl query 'SELECT * FROM flights.planes WHERE seats > $least' --param least:integer=300 --save big

etl query @big --param least=400
"""
_Limit = Annotated[
    int,
    typer.Option("--limit", "-n", min=0, help="Rows of a page of the table; 0 shows all."),
]


def query(
    sql: Annotated[
        str | None,
        typer.Argument(
            metavar="SQL",
            help="One SELECT; - reads it from standard input; @NAME is a saved one.",
            show_default=False,
        ),
    ] = None,
    limit: _Limit = 100,
    cursor: Annotated[
        str | None,
        typer.Option("--cursor", help="Show the page after the one that named it, instead of SQL."),
    ] = None,
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", help="NAME:TYPE=VALUE for $NAME; NAME=VALUE is text."),
    ] = None,
    save: Annotated[
        str | None,
        typer.Option("--save", help="Keep it as @NAME with its parameters; do not run it."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write json, csv, parquet, arrow or xlsx to a file."),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", "-f", help="Of --output, or of standard output without it."),
    ] = None,
    timeout_s: Annotated[
        float | None, typer.Option("--timeout", min=0, help="Seconds after which it is stopped.")
    ] = None,
    max_rows: Annotated[
        int | None, typer.Option("--max-rows", min=0, help="Rows that the result may have.")
    ] = None,
    max_memory: Annotated[
        str | None, typer.Option("--max-memory", help="Memory it may take, such as 2GiB.")
    ] = None,
    max_scan: Annotated[
        str | None, typer.Option("--max-scan", help="Size of the files it may read, such as 2GiB.")
    ] = None,
    role: Annotated[
        str | None,
        typer.Option("--role", help="Whose policies hold; default ETL_ROLE.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a read-only query over the newest version of every table.

    The SQL is DuckDB's; tables are schema.name. All tables are read at one moment, so what others
    publish meanwhile is not seen. The same question on the same data is answered from the kept
    result. JSON and files have every row, whatever the limit. Ctrl-C stops the query.
    """
    from etl_platform.platform import Platform

    platform = Platform.open()
    if (sql is None) == (cursor is None):
        raise typer.BadParameter("give either SQL or --cursor")
    if cursor is not None:
        page = platform.query_tool.page(cursor, limit or 10**9, role)
        _show(page, as_json=as_json)
        return
    text = sys.stdin.read() if sql == "-" else str(sql)
    if save is not None:
        _save(platform, save, text, param or [])
        return
    from etl_platform.planner.policy import Limits

    limits = Limits(max_rows, timeout_s, _bytes(max_memory), _bytes(max_scan))
    text, values = _bound(platform, text, param or [])
    with _bar() as progress:
        answer = platform.query_tool.ask(text, values, role, limits=limits, progress=progress)
    if output is not None:
        from etl_platform.query.export import export_file

        export_file(answer.result, output, form)
        typer.echo(f"{answer.result.rows:,} rows in {output}", err=True)
    elif form is not None:
        _print_as(answer, form)
    elif as_json:
        from etl_platform.cli.printing import print_json

        print_json(list(answer.result.frame().iter_rows(named=True)))
    else:
        _show(answer.result.page(limit or max(answer.result.rows, 1)))


def _save(platform: Platform, name: str, sql: str, declared: list[str]) -> None:
    from etl_platform.query.parameters import Parameter

    platform.saved_queries.save(name, sql, [Parameter.parse(text) for text in declared])
    typer.echo(f"saved: run it with etl query @{name}", err=True)


def _bound(platform: Platform, text: str, given: list[str]) -> tuple[str, dict[str, object] | None]:
    from etl_platform.query.parameters import Parameter, bind

    for one in given:
        if "=" not in one:
            raise typer.BadParameter(f"{one!r} has no value: NAME=VALUE or NAME:TYPE=VALUE")
    if text.startswith("@"):
        saved = platform.saved_queries.get(text[1:])
        pairs = (one.partition("=") for one in given)
        return saved.sql, bind(saved.parameters, {n.partition(":")[0]: v for n, _, v in pairs})
    typed = [
        one if ":" in one.partition("=")[0] else one.replace("=", ":text=", 1) for one in given
    ]
    return text, bind([Parameter.parse(one) for one in typed], {}) or None


def _bytes(text: str | None) -> int | None:
    from pydantic import ByteSize, TypeAdapter, ValidationError

    if text is None:
        return None
    try:
        return TypeAdapter(ByteSize).validate_python(text)
    except ValidationError:
        raise typer.BadParameter(f"{text!r} is no size: 500MB, 2GiB") from None


@contextmanager
def _bar() -> Generator[Callable[[float], None] | None]:
    """A progress bar on a terminal's standard error; nothing in a pipe."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeElapsedColumn

    columns = (BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("query", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _print_as(answer: Answer, form: str) -> None:
    from etl_platform.query.export import TEXT_FORMATS, export

    if form not in TEXT_FORMATS and sys.stdout.isatty():
        raise typer.BadParameter(f"{form} is not for a terminal: use --output")
    export(answer.result, sys.stdout.buffer, form)


def _show(page: Page, *, as_json: bool = False) -> None:
    from etl_platform.cli.printing import Align, print_json, print_table

    frame: pl.DataFrame = page.frame
    caption = f"{page.rows_total:,} row{'' if page.rows_total == 1 else 's'}"
    if frame.height < page.rows_total:
        which = "the first" if page.first == 0 else f"from row {page.first + 1:,}"
        caption += f", {which} {frame.height:,} shown (--limit 0 shows all)"
    if page.cursor is not None:
        caption += f"\nnext page: etl query --cursor {page.cursor}"
    if as_json:
        print_json(list(frame.iter_rows(named=True)))
        typer.echo(caption, err=True)
        return
    columns: list[tuple[str, Align]] = [
        (name, "right" if dtype.is_numeric() else "left") for name, dtype in frame.schema.items()
    ]
    print_table(columns, frame.iter_rows(), caption)
