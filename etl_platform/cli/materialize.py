"""``etl materialize``: assets in one run and one process."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from etl_platform.cli.arguments import DEFINITIONS, Json, Module

if TYPE_CHECKING:
    from collections.abc import Iterable

    import dagster as dg

EXAMPLES = """[bold]Examples[/bold]

etl materialize 'key:"marts/flight_delays"+'

etl materialize 'group:"marts"' --json | jq '.[] | select(.error).table'

etl materialize 'key:"shop/events"' --partition 2024-02-29
"""
_SKIPPED = "not run: an asset that it reads failed"


@dataclass(slots=True)
class Made:
    """What a run did with one asset; ``error`` is None when it has a new version or needs none."""

    table: str
    rows: int | None = None
    version: int | None = None
    seconds: float | None = None
    passed: int = 0
    failed: int = 0
    error: str | None = None


def materialize(
    selection: Annotated[
        str,
        typer.Argument(metavar="[SELECTION]", help="Assets, in Dagster's selection syntax."),
    ] = "*",
    partition: Annotated[
        str | None,
        typer.Option("--partition", help="Partition of all selected assets.", show_default=False),
    ] = None,
    full: Annotated[
        bool, typer.Option("--full-refresh", help="Compute models in full, whatever changed.")
    ] = False,
    at_once: Annotated[
        int | None,
        typer.Option(
            "--at-once",
            min=1,
            help="How many models run side by side; default ETL_THREADS.",
            show_default=False,
        ),
    ] = None,
    module: Module = DEFINITIONS,
    as_json: Json = False,
) -> None:
    """Materialise assets in one run of Dagster, in this process.

    The run is one as any other: with the assets' checks, in the instance of DAGSTER_HOME, seen in
    the UI. Definitions are loaded once and all steps share the process, which for small tables
    takes less than half as long as dagster asset materialize. Models that do not need each other
    run side by side, within one memory limit.

    Exit status 1 when an asset failed or was not run because of one.
    """
    from dataclasses import asdict

    from etl_platform.cli.printing import print_json

    made = _run(module, selection, partition, full, at_once)
    if as_json:
        print_json([asdict(one) for one in made])
    else:
        _show(made)
    if any(one.error is not None for one in made):
        raise typer.Exit(1)


def _run(
    module: str, selection: str, partition: str | None, full: bool, at_once: int | None
) -> list[Made]:
    """Run the selected assets; in the order in which Dagster finished them.

    Raises:
        ConfigError: nothing is selected, or assets of different partitions are.
    """
    import dagster as dg

    from etl_platform.cli.definitions import definitions_of
    from etl_platform.cli.instances import open_instance
    from etl_platform.components.sql_models.running import FULL_REFRESH_TAG
    from etl_platform.core.errors import ConfigError
    from etl_platform.side_by_side import AT_ONCE, executed_by, side_by_side

    definitions = definitions_of(module)
    repository = definitions.get_repository_def()
    with warnings.catch_warnings():
        # Dagster's own parser uses a parameter of which Dagster warns.
        warnings.simplefilter("ignore", dg.BetaWarning)
        keys = dg.AssetSelection.from_string(selection).resolve(repository.asset_graph)
    if not keys:
        raise ConfigError(f"{selection!r} selects no asset", valid='for example key:"marts/*"')
    job = repository.get_implicit_job_def_for_assets(keys)
    if job is None:
        raise ConfigError(
            f"{selection!r} selects assets of different partitions",
            fix="run them one after the other",
        )
    stored = os.environ.get("DAGSTER_HOME")
    instance = open_instance() if stored else dg.DagsterInstance.ephemeral()
    with instance, executed_by(side_by_side):
        result = job.execute_in_process(
            instance=instance,
            asset_selection=list(keys),
            partition_key=partition,
            tags={
                **({FULL_REFRESH_TAG: "true"} if full else {}),
                **({AT_ONCE: str(at_once)} if at_once else {}),
            },
            # What happened is told at the end; every event is in the instance all the same.
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
        return _made(result.all_events, keys)


def _made(events: Iterable[dg.DagsterEvent], keys: Iterable[dg.AssetKey]) -> list[Made]:
    import dagster as dg

    from etl_platform.undone import reason, run_reason

    skipped = _SKIPPED
    found: dict[str, Made] = {}

    def of(key: dg.AssetKey) -> Made:
        name = ".".join(key.path)
        return found.setdefault(name, Made(name))

    steps = {"__".join(key.path): key for key in keys}
    for event in events:
        kind = event.event_type
        if kind is dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key is not None:
            one = of(event.asset_key)
            metadata = event.step_materialization_data.materialization.metadata
            one.rows = _whole(metadata.get("dagster/row_count"))
            one.version = _whole(metadata.get("version"))
        elif kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            one = of(check.asset_key)
            one.passed += check.passed
            one.failed += not check.passed
        elif kind is dg.DagsterEventType.STEP_SUCCESS and event.step_key in steps:
            of(steps[event.step_key]).seconds = event.step_success_data.duration_ms / 1000
        elif kind is dg.DagsterEventType.STEP_FAILURE and event.step_key in steps:
            of(steps[event.step_key]).error = reason(event)
        elif kind is dg.DagsterEventType.RUN_FAILURE and not found:
            skipped = f"not run: {run_reason(event)}"
    return [*found.values(), *(Made(n, error=skipped) for n in _names(steps) if n not in found)]


def _names(steps: dict[str, dg.AssetKey]) -> list[str]:
    return sorted(".".join(key.path) for key in steps.values())


def _whole(value: object) -> int | None:
    number = getattr(value, "value", None)
    return number if isinstance(number, int) else None


def _show(made: list[Made]) -> None:
    from etl_platform.cli.printing import few, print_table

    print_table(
        [
            ("table", "left"),
            ("rows", "right"),
            ("version", "right"),
            ("seconds", "right"),
            ("checks", "left"),
        ],
        [_line(one) for one in made],
    )
    tables: dict[str, list[str]] = {}
    for one in made:
        if one.error not in (None, _SKIPPED):
            tables.setdefault(one.error, []).append(one.table)
    for error, names in tables.items():
        typer.secho(f"\n{few(names)}: ", fg="red", err=True, nl=False)
        typer.echo(error, err=True)


def _line(one: Made) -> tuple[object, ...]:
    checks = [f"{one.passed} passed"] if one.passed else []
    checks += [f"{one.failed} failed"] if one.failed else []
    if one.error is not None:
        checks.append("not run" if one.error == _SKIPPED else "FAILED")
    seconds = None if one.seconds is None else f"{one.seconds:.2f}"
    return (one.table, one.rows, one.version, seconds, ", ".join(checks))
