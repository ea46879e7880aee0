"""What a run was to make, and what of it is made by now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluation,
    AssetCheckEvaluationPlanned,
)
from dagster_shared.error import SerializableErrorInfo

RESUMED_TAG = "dagster/is_asset_resume_retry"
_CONTINUES = (RESUMED_TAG, "dagster/is_resume_retry")
_PARTITION = "dagster/partition"
_RANGE = "dagster/asset_partition_range_start"
_TOLD = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_SUCCESS,
}
_LOOKED_AT = 20

Part = dg.AssetKey | dg.AssetCheckKey
"""An asset, or a check that is a step of its own."""


@dataclass(slots=True)
class Progress:
    """The parts that a run was to make, in the order of its plan, and those that are made."""

    planned: list[Part]
    done: set[Part] = field(default_factory=set[Part])

    @property
    def missing(self) -> list[Part]:
        return [part for part in self.planned if part not in self.done]


def progress(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Progress:
    """What the run was to make, and what it, a run that resumed it, or a later one has made.

    A step that ended well is done, also where it had nothing to say about one of its assets. An
    asset of which a blocking check failed is not: neither it nor the check holds.
    """
    runs = _continuations(instance, run)
    steps = steps_of(instance, run)
    found = Progress([part for parts in steps.values() for part in parts])
    for one in runs:
        for entry in instance.all_logs(one.run_id, of_type=_TOLD):
            event = entry.dagster_event
            if event is None or event.step_key is None:
                continue
            if event.event_type is dg.DagsterEventType.STEP_SUCCESS:
                found.done.update(steps.get(event.step_key, ()))
            elif _refuses(event.event_specific_data):
                found.done.discard(event.asset_check_evaluation_data.asset_key)
    found.done.update(_made_later(instance, run, found.missing, {one.run_id for one in runs}))
    return found


def steps_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, list[Part]]:
    """The parts that each step of a run makes; checks only of steps that make no asset."""
    assets: dict[str, list[Part]] = {}
    checks: dict[str, list[Part]] = {}
    for entry in instance.all_logs(run.run_id, of_type=_TOLD):
        event = entry.dagster_event
        if event is None or event.step_key is None:
            continue
        about = event.event_specific_data
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
            if event.asset_key is not None:
                assets.setdefault(event.step_key, []).append(event.asset_key)
        elif isinstance(about, AssetCheckEvaluationPlanned):
            checks.setdefault(event.step_key, []).append(about.asset_check_key)
    return {**assets, **{step: parts for step, parts in checks.items() if step not in assets}}


def _refuses(about: object) -> bool:
    return (
        isinstance(about, AssetCheckEvaluation)
        and about.blocking is True
        and not about.passed
        and about.severity is dg.AssetCheckSeverity.ERROR
    )


def is_continuation(run: dg.DagsterRun) -> bool:
    """Whether a run makes up for what another left undone."""
    return any(run.tags.get(tag) == "true" for tag in _CONTINUES)


def _continuations(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Sequence[dg.DagsterRun]:
    """The run and those that resumed it, or one of these, oldest first."""
    root = run.root_run_id or run.run_id
    group = instance.get_runs(dg.RunsFilter(tags={"dagster/root_run_id": root}))
    found, ids = [run], {run.run_id}
    for one in reversed(list(group)):
        if is_continuation(one) and one.parent_run_id in ids and one.run_id not in ids:
            found.append(one)
            ids.add(one.run_id)
    return found


def _made_later(
    instance: dg.DagsterInstance, run: dg.DagsterRun, missing: Sequence[Part], known: set[str]
) -> set[Part]:
    """Those that a run of its own has made since this one was begun.

    Not of a run over a range of partitions: another one may have made some of them.
    """
    record = instance.get_run_record_by_id(run.run_id)
    if record is None or _RANGE in run.tags:
        return set()
    begun = record.start_time or record.create_timestamp.timestamp()
    partition = run.tags.get(_PARTITION)
    found: set[Part] = set()
    for part in missing:
        if isinstance(part, dg.AssetKey):
            made = instance.fetch_materializations(
                dg.AssetRecordsFilter(
                    asset_key=part,
                    asset_partitions=None if partition is None else [partition],
                    after_timestamp=begun,
                ),
                limit=_LOOKED_AT,
            ).records
            if any(one.run_id not in known for one in made):
                found.add(part)
    return found


def reason(event: dg.DagsterEvent) -> str:
    """What failed a step: what its user said of it, else the message of the innermost error."""
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    return _innermost(data.error)


def run_reason(event: dg.DagsterEvent) -> str:
    """What failed a run before or beside its steps, such as a resource that did not start."""
    return _innermost(event.job_failure_data.error)


def _innermost(error: SerializableErrorInfo | None) -> str:
    while error is not None and error.cause is not None:
        error = error.cause
    return "failed" if error is None else error.message.strip()
