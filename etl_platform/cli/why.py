"""``etl why``: what failed in a run, and what ended the same before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import Json

if TYPE_CHECKING:
    from etl_platform.metastore import Metastore
    from etl_platform.metastore.records import FailureRecord
    from etl_platform.monitoring.failures import Alike

EXAMPLES = """[bold]Examples[/bold]

etl why

etl why 0f6bd1ae

etl why --json | jq '.[].alike[0].failure.resolution'
"""


def why(
    run_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN_ID]",
            help="A run, or the first letters of its id; the newest that failed if none is given.",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what failed in a run, the next step, and which past failures were like it, with what
    ended them.

    Every failed try of an asset is remembered with the versions of its inputs, its declaration and
    the libraries; the next success of the same asset says what differed.
    """
    from etl_platform.cli.printing import print_json
    from etl_platform.monitoring.failures import nearest
    from etl_platform.platform import Platform

    metastore = Platform.open().metastore
    failures = _of_run(metastore, run_id)
    past = metastore.failures.newest()
    found = [(one, nearest(one, past)) for one in failures]
    if as_json:
        print_json(
            [
                {
                    **one.model_dump(mode="json"),
                    "alike": [
                        {"score": other.score, "failure": other.failure.model_dump(mode="json")}
                        for other in alike
                    ],
                }
                for one, alike in found
            ]
        )
        return
    for failure, alike in found:
        _show(failure, alike)


def _of_run(metastore: Metastore, run_id: str | None) -> list[FailureRecord]:
    """The newest try of each asset that failed in a run.

    Raises:
        UnknownName: no failure of such a run is remembered.
    """
    from etl_platform.core.errors import UnknownName

    newest = metastore.failures.newest()
    runs = list(dict.fromkeys(one.run_id for one in newest))
    matching = [run for run in runs if run.startswith(run_id or "")]
    if not matching:
        raise UnknownName("failed run", run_id or "", runs[:20])
    found: dict[tuple[str, str], FailureRecord] = {}
    for one in metastore.failures.of_run(matching[0]):
        found.setdefault((one.asset, one.partition), one)
    return list(found.values())


def _show(failure: FailureRecord, alike: list[Alike]) -> None:
    from etl_platform.cli.printing import printable

    where = failure.asset + (f" [{failure.partition}]" if failure.partition else "")
    typer.secho(where, bold=True, nl=False)
    typer.echo(f"  failed {failure.failed_at:%Y-%m-%d %H:%M} UTC in run {failure.run_id}")
    typer.echo(f"  {failure.error_type}: {printable(failure.message)}")
    if failure.advice and failure.advice not in failure.message:
        typer.echo(f"  next step: {printable(failure.advice)}")
    if failure.resolution:
        typer.secho("  ended: ", fg="green", nl=False)
        typer.echo(f"{failure.resolution} (run {failure.ended_by_run})")
    if not alike:
        typer.echo("  nothing like it is remembered")
    for one in alike:
        other = one.failure
        typer.secho(f"  {one.score:.0%} like ", fg="cyan", nl=False)
        typer.echo(f"{other.asset} on {other.failed_at:%Y-%m-%d %H:%M}, run {other.run_id}")
        typer.echo(f"    ended: {other.resolution or 'not yet'}")
    typer.echo(f"  once the cause is mended: etl resume {failure.run_id}\n")
