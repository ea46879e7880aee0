"""``etl test``: the unit tests of models."""

# ruff: noqa: PT028 - the command is called test and is none of pytest's
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from etl_platform.components.model_tests import TestedModel
    from etl_platform.transforms.testing.running import Outcome

EXAMPLES = """[bold]Examples[/bold]

etl test

etl test marts.carrier_performance defs/marts/models/worst_days.test.yaml

etl test --json | jq '.[] | select(.status != "passed") | .message'
"""


def test(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TABLE|FILE]...",
            help="Models or files of tests; default all.",
            show_default=False,
        ),
    ] = None,
    project: Annotated[
        Path, typer.Option("--project", help="A folder of the Dagster project.")
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Run the unit tests of models: given these rows of their inputs, are theirs as expected?

    The tests of a model stand beside it, in NAME.test.yaml. They run in memory, by the same DuckDB
    and the same text as the model's own runs, with a clock that stands still; no data, database or
    secret is needed. pytest finds the same files.

    Exit status 1 when a test fails, 2 when a test or a model cannot be read or there is no test.
    """
    from etl_platform.cli.printing import print_json
    from etl_platform.components.model_tests import project_models, with_tests
    from etl_platform.core.errors import EtlError
    from etl_platform.transforms.testing.rendering import as_data
    from etl_platform.transforms.testing.running import run_test

    try:
        chosen = _chosen(with_tests(project_models(project.absolute())), names or [])
    except EtlError as error:
        typer.secho("error: ", fg="red", bold=True, err=True, nl=False)
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    outcomes = [run_test(one.model, test) for one in chosen for test in one.tests]
    if as_json:
        print_json([as_data(one) for one in outcomes])
    else:
        _show(outcomes)
    if not outcomes:
        typer.echo("no tests: write NAME.test.yaml beside a model", err=True)
        raise typer.Exit(2)
    if any(one.status == "error" for one in outcomes):
        raise typer.Exit(2)
    if any(one.status == "failed" for one in outcomes):
        raise typer.Exit(1)


def _chosen(found: Sequence[TestedModel], names: list[str]) -> list[TestedModel]:
    """The named ones.

    Raises:
        UnknownName: no tested model and no file of tests is called so.
    """
    from etl_platform.core.errors import UnknownName

    if not names:
        return list(found)
    chosen: list[TestedModel] = []
    for name in names:
        path = Path(name).absolute()
        hits = [one for one in found if one.model.table.sql == name or one.path == path]
        if not hits:
            raise UnknownName("tested model", name, [one.model.table.sql for one in found])
        chosen += [one for one in hits if one not in chosen]
    return chosen


def _place(path: Path) -> Path:
    """From the working directory on, where the file is below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _show(outcomes: Sequence[Outcome]) -> None:
    import sys

    from rich.console import Console

    from etl_platform.transforms.testing.rendering import difference_table, left_out

    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False)
    marks = {"passed": "[green]passed[/]", "failed": "[red]FAILED[/]", "error": "[red]ERROR[/] "}
    for one in outcomes:
        console.print(f"{marks[one.status]}  ", end="")
        console.print(f"{one.table}: {one.test.name}", markup=False)
        if one.status == "passed":
            continue
        console.print(f"  {_place(one.test.path)}:{one.test.line}", markup=False, soft_wrap=True)
        console.print(f"  {one.message}", markup=False, soft_wrap=True)
        if one.difference is not None:
            console.print(difference_table(one.difference))
            if text := left_out(one.difference):
                console.print(text, markup=False)
        console.print()
    count = {status: sum(one.status == status for one in outcomes) for status in marks}
    parts = [f"{number} {status}" for status, number in count.items() if number]
    console.print(", ".join(parts))
