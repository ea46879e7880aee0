"""``etl resume``: what a run left undone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import DEFINITIONS, Json, Module

if TYPE_CHECKING:
    from etl_platform.resuming import Resumed

EXAMPLES = """[bold]Examples[/bold]

etl resume --last

etl resume 0f6bd1ae

etl resume 0f6bd1ae --json | jq '.assets[] | select(.state == "failed")'
"""


def resume(
    run_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN_ID]",
            help="A run, or the first letters of its id, or a backfill; the newest run that is not "
            "complete if none is given.",
            show_default=False,
        ),
    ] = None,
    last: Annotated[
        bool, typer.Option("--last", help="The newest run that is not complete: the default.")
    ] = False,
    lost: Annotated[
        bool,
        typer.Option("--lost", help="Nothing works on the run any more: end it first."),
    ] = False,
    module: Module = DEFINITIONS,
    as_json: Json = False,
) -> None:
    """Run what a run left undone: assets and checks that failed, and those that were not run.

    What the run, an earlier resume of it or any later run has made stays as it is; when that is
    everything, nothing runs and the command says so. The new run is one as Dagster's UI makes by
    "re-execute from failure": it belongs to the same group of runs, and what a step had committed
    before it failed is not committed twice.

    Of a backfill each run that failed, was cancelled or lost its process is resumed, one after the
    other; a partition for which no run was begun is left to the backfill itself.

    A run that is still under way is refused. Where its process was killed on this machine, that is
    seen, and the run is ended as failed; where runs work on other machines, --lost says so.

    Exit status 1 when something is still undone.
    """
    from dataclasses import asdict

    from etl_platform.cli.printing import print_json

    if last and run_id is not None:
        raise typer.BadParameter("a RUN_ID, or --last")
    all_done = _resume(run_id, module, lost=lost)
    if as_json:
        said = [
            {"resumed": one.run_id, "run": one.new, "assets": [asdict(made) for made in one.assets]}
            for one in all_done
        ]
        print_json(said if len(said) > 1 else said[0])
    else:
        for one in all_done:
            _show(one.run_id, one.new, one.assets)
    if any(made.state in ("failed", "not run") for one in all_done for made in one.assets):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Done:
    """A run, the one that resumed it, None where nothing was left, and its assets."""

    run_id: str
    new: str | None
    assets: list[Resumed]


def _resume(run_id: str | None, module: str, *, lost: bool) -> list[_Done]:

    from etl_platform.cli.definitions import definitions_of
    from etl_platform.cli.instances import open_instance
    from etl_platform.resuming import resume
    from etl_platform.runs_to_resume import runs_to_resume

    with open_instance() as instance:
        runs = runs_to_resume(instance, run_id)
        definitions = definitions_of(module)
        return [_Done(run.run_id, *resume(instance, definitions, run, lost=lost)) for run in runs]


def _show(told: str, new: str | None, assets: list[Resumed]) -> None:
    from etl_platform.cli.printing import print_table

    rows = [(one.table, one.state) for one in assets]
    caption = f"run {told}: everything is complete, nothing was run"
    if new is not None:
        caption = f"run {new} resumed {told}"
    print_table([("table", "left"), ("state", "left")], rows, caption=caption)
    for one in assets:
        if one.error is not None:
            typer.secho(f"\n{one.table}: ", fg="red", err=True, nl=False)
            typer.echo(one.error, err=True)
