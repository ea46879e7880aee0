"""What a run left undone, and a run that makes up for it.

The second run is one as Dagster's UI makes by "re-execute from failure": it belongs to the same
group, and a step that had committed before its process died does not commit twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import create_execution_plan, execute_run
from dagster._core.snap import snapshot_from_execution_plan

from etl_platform.core.errors import ConfigError
from etl_platform.lost_runs import end_lost_run, lost_run
from etl_platform.runs_to_resume import find_run
from etl_platform.side_by_side import executed_by, side_by_side
from etl_platform.undone import RESUMED_TAG, Part, progress, reason, steps_of

_TAKEN = ("dagster/partition", "dagster/asset_partition_range", "etl/")
"""Tags, or how they begin, that say what a run is about."""
_LEFT = ("etl/similar_failure", "etl/fixed_by")
"""Tags that say what became of it."""
_SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_ABOUT_THE_WORK = ("ops", "resources")

State = Literal["complete", "made", "failed", "not run"]


@dataclass(frozen=True, slots=True)
class Resumed:
    """An asset that the run was to make: made before, made now, or why not."""

    table: str
    state: State
    error: str | None = None


def resume(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    run: dg.DagsterRun,
    *,
    lost: bool = False,
) -> tuple[str | None, list[Resumed]]:
    """Run the assets that a run, and whatever resumed it before, has not made.

    Args:
        lost: take it as certain that nothing works on the run any more, and end it.

    Returns:
        The new run, None where nothing is left to do; and every asset of the old one.

    Raises:
        ConfigError: the run is under way, has no assets, or they are not defined any more.
    """
    if not run.is_finished:
        run = _ended(instance, run, lost=lost)
    before = progress(instance, run)
    if not before.planned:
        raise ConfigError(
            f"run {run.run_id} of {run.job_name} has no assets",
            fix="open it in Dagster's UI: Re-execute, From failure",
        )
    if not before.missing:
        return None, [Resumed(_name(part), "complete") for part in before.planned]
    new, errors = _execute(instance, definitions, run, before.missing)
    now = progress(instance, run)
    return new, [_outcome(part, before.done, now.done, errors) for part in before.planned]


def _ended(instance: dg.DagsterInstance, run: dg.DagsterRun, *, lost: bool) -> dg.DagsterRun:
    found = lost_run(instance, run)
    if not lost and found is None:
        raise ConfigError(
            f"run {run.run_id} is {run.status.value}",
            fix="wait for it or terminate it; if nothing works on it any more: --lost",
        )
    end_lost_run(instance, run, found.process if found else None)
    return find_run(instance, run.run_id)


def _outcome(
    part: Part, before: Collection[Part], now: Collection[Part], errors: Mapping[Part, str]
) -> Resumed:
    if part in before:
        return Resumed(_name(part), "complete")
    if part in now:
        return Resumed(_name(part), "made")
    error = errors.get(part)
    return Resumed(_name(part), "not run" if error is None else "failed", error)


def _name(part: Part) -> str:
    if isinstance(part, dg.AssetKey):
        return ".".join(part.path)
    return f"{'.'.join(part.asset_key.path)}: {part.name}"


def _execute(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    run: dg.DagsterRun,
    parts: Iterable[Part],
) -> tuple[str, dict[Part, str]]:
    """Run these parts as a continuation: the new run, and the error of each step that failed."""
    chosen = {part for part in parts if isinstance(part, dg.AssetKey)}
    checks = {part for part in parts if isinstance(part, dg.AssetCheckKey)}
    repository = definitions.get_repository_def()
    graph = repository.asset_graph
    unknown = chosen - graph.get_all_asset_keys() | checks - graph.asset_check_keys
    if unknown:
        raise ConfigError(
            f"not defined any more: {', '.join(sorted(map(_name, unknown)))}",
            fix="name the module that defines them with --module",
        )
    # A new version is judged anew, by the checks that are steps of their own too.
    checks |= graph.get_check_keys_for_assets(chosen)
    job = repository.get_implicit_job_def_for_assets(chosen)
    if job is None:
        raise ConfigError("the assets that are left have different partitions")
    root = run.root_run_id or run.run_id
    tags = {
        **{
            name: value
            for name, value in run.tags.items()
            if name.startswith(_TAKEN) and name not in _LEFT
        },
        "dagster/parent_run_id": run.run_id,
        "dagster/root_run_id": root,
        RESUMED_TAG: "true",
    }
    # Of what the run was told all but how it was executed.
    told = {name: said for name, said in run.run_config.items() if name in _ABOUT_THE_WORK}
    config = {**told, **_SILENT}
    with executed_by(side_by_side):
        subset = job.as_ephemeral_job({}, {}).get_subset(
            asset_selection=chosen, asset_check_selection=checks
        )
        plan = create_execution_plan(subset, run_config=config, tags=tags)
        # As `create_run_for_job`, which knows no selection of checks.
        new = instance.create_run(
            job_name=subset.name,
            run_id=None,
            run_config=config,
            status=None,
            tags=tags,
            root_run_id=root,
            parent_run_id=run.run_id,
            step_keys_to_execute=plan.step_keys_to_execute,
            execution_plan_snapshot=snapshot_from_execution_plan(
                plan, subset.get_job_snapshot_id()
            ),
            job_snapshot=subset.get_job_snapshot(),
            parent_job_snapshot=subset.get_parent_job_snapshot(),
            asset_selection=frozenset(chosen),
            asset_check_selection=frozenset(checks),
            resolved_op_selection=None,
            op_selection=None,
            remote_job_origin=None,
            job_code_origin=None,
            asset_graph=subset.asset_layer.asset_graph,
        )
        result = execute_run(InMemoryJob(subset), new, instance, raise_on_error=False)
    errors: dict[Part, str] = {}
    for event in result.all_events:
        if event.event_type is dg.DagsterEventType.STEP_FAILURE and event.step_key is not None:
            made = steps_of(instance, new).get(event.step_key, ())
            errors.update(dict.fromkeys(made, reason(event)))
    return new.run_id, errors
