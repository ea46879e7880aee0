"""What Dagster's event log says of runs, assets and checks, as signals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

import dagster as dg
from dagster._core.events.log import EventLogEntry

from etl_platform.components.alerts.advice import Advisor
from etl_platform.core.inert import plain
from etl_platform.monitoring.alerts import Advice, Severity, Signal
from etl_platform.publishing.failure_memory import FIXED_TAG, SIMILAR_TAG
from etl_platform.undone import reason

_TYPES = (
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
)
_OF_A_RUN = {
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
}
_AT_ONCE = 1000
# Numbers of events are given before their transactions end: one may appear after a higher one.
_OVERLAP = timedelta(seconds=10)
_HISTORY, _LEAST_HISTORY = 30, 5
_MESSAGE = 1000


@dataclass(frozen=True, slots=True)
class Events:
    """The log since a cursor; reading an event twice is harmless."""

    instance: dg.DagsterInstance
    advisor: Advisor

    def newest(self) -> int:
        """The cursor of now."""
        return self.instance.event_log_storage.get_maximum_record_id() or 0

    def since(self, cursor: int, now: datetime) -> tuple[list[Signal], int]:
        """Signals of the events after a cursor, and the next cursor."""
        found: dict[int, EventLogEntry] = {}
        # A kind of which there are more is read on from where it stopped, and so are the others.
        end: int | None = None
        for kind in _TYPES:
            read = self.instance.event_log_storage.get_logs_for_all_runs_by_log_id(
                after_cursor=cursor, dagster_event_type=kind, limit=_AT_ONCE
            )
            found.update(read)
            if len(read) == _AT_ONCE:
                end = min(end or max(read), max(read))
        signals: list[Signal] = []
        settled = cursor
        for number, entry in sorted(found.items()):
            if end is not None and number > end:
                break
            signals.extend(self._signals(entry))
            if end is not None or now - _time(entry) > _OVERLAP:
                settled = number
        return signals, settled

    def _signals(self, entry: EventLogEntry) -> Iterator[Signal]:
        match entry.dagster_event_type:
            case dg.DagsterEventType.ASSET_MATERIALIZATION:
                yield self._made(entry)
            case dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                yield from self._checked(entry)
            case dg.DagsterEventType.RUN_SUCCESS:
                yield from self._succeeded(entry)
            case dg.DagsterEventType.RUN_FAILURE:
                yield from self._failed(entry)
            case _:
                pass

    def _made(self, entry: EventLogEntry) -> Signal:
        event = entry.get_dagster_event()
        assert event.asset_key is not None
        return Signal(
            kind="run_failure",
            at=_time(entry),
            bad=False,
            message=f"materialised by run {entry.run_id}",
            asset=event.asset_key.to_user_string(),
            partition=event.partition,
            run_id=entry.run_id,
        )

    def _checked(self, entry: EventLogEntry) -> Iterator[Signal]:
        told = entry.get_dagster_event().asset_check_evaluation_data
        blocked = _action(told) == "block"
        if told.check_name.startswith("anomaly_"):
            kind = "anomaly"
        else:
            kind = "check_blocked" if blocked else "check_failed"
        severity: Severity = "error" if told.severity == dg.AssetCheckSeverity.ERROR else "warn"
        outcome = "passed" if told.passed else "failed"
        yield Signal(
            kind=kind,
            at=_time(entry),
            bad=not told.passed,
            message=f"{told.check_name}: {plain(told.description or outcome)}"[:_MESSAGE],
            severity=severity,
            asset=told.asset_key.to_user_string(),
            partition=told.partition,
            name=told.check_name,
            run_id=entry.run_id,
            advice=self.advisor.advise(kind, told.asset_key, entry.run_id),
        )

    def _failed(self, entry: EventLogEntry) -> Iterator[Signal]:
        run = self.instance.get_run_by_id(entry.run_id)
        if run is None or run.tags.get("dagster/will_retry") == "true":
            return
        at = _time(entry)
        failure = _Failure.of(self.instance, run)
        for asset, partition, message in failure.assets:
            yield Signal(
                kind="run_failure",
                at=at,
                bad=True,
                message=message[:_MESSAGE],
                asset=asset.to_user_string(),
                partition=partition or run.tags.get("dagster/partition"),
                run_id=run.run_id,
                advice=self._like_before(
                    self.advisor.advise("run_failure", asset, run.run_id), run
                ),
            )
        if not failure.assets and not failure.refused:
            yield Signal(
                kind="run_failure",
                at=at,
                bad=True,
                message=(failure.message or entry.user_message or "the run failed")[:_MESSAGE],
                partition=run.tags.get("dagster/partition"),
                name=run.job_name,
                run_id=run.run_id,
                advice=self.advisor.advise("run_failure", None, run.run_id),
            )

    @staticmethod
    def _like_before(advice: Advice, run: dg.DagsterRun) -> Advice:
        """With what ended the same failure before, which the failing step has found."""
        before, ended = run.tags.get(SIMILAR_TAG), run.tags.get(FIXED_TAG)
        if before is None or ended is None:
            return advice
        told = f"; a failure like this, of run {before[:8]}, ended when {ended}; see etl why"
        return advice.model_copy(update={"next_step": (advice.next_step or "") + told})

    def _succeeded(self, entry: EventLogEntry) -> Iterator[Signal]:
        run = self.instance.get_run_by_id(entry.run_id)
        if run is None:
            return
        yield Signal(
            kind="run_failure",
            at=_time(entry),
            bad=False,
            message=f"run {run.run_id} succeeded",
            partition=run.tags.get("dagster/partition"),
            name=run.job_name,
            run_id=run.run_id,
        )
        yield from self._duration(run, _time(entry))

    def _duration(self, run: dg.DagsterRun, at: datetime) -> Iterator[Signal]:
        """How long a run took beside the same work before."""
        same = dg.RunsFilter(job_name=run.job_name, statuses=[dg.DagsterRunStatus.SUCCESS])
        own: float | None = None
        earlier: list[float] = []
        for record in self.instance.get_run_records(same, limit=_HISTORY):
            other = record.dagster_run
            if record.start_time is None or record.end_time is None:
                continue
            if other.run_id == run.run_id:
                own = record.end_time - record.start_time
            elif other.asset_selection == run.asset_selection and record.end_time < at.timestamp():
                earlier.append(record.end_time - record.start_time)
        if own is None or len(earlier) < _LEAST_HISTORY:
            return
        usual = max(median(earlier), 1.0)
        assets = sorted(run.asset_selection or ())
        name = run.job_name
        if name.startswith("__ASSET_JOB") and assets:
            name = ", ".join(key.to_user_string() for key in assets)[:200]
        yield Signal(
            kind="slow_run",
            at=at,
            bad=True,
            message=f"{own:.0f} s; usual are {usual:.0f} s (median of {len(earlier)} runs)",
            severity="warn",
            name=name,
            run_id=run.run_id,
            value=own / usual,
            advice=self.advisor.advise(
                "slow_run", assets[0] if len(assets) == 1 else None, run.run_id
            ),
        )


@dataclass(frozen=True, slots=True)
class _Failure:
    """What a failed run did not make, with the reason; ``refused`` says that checks tell it."""

    assets: tuple[tuple[dg.AssetKey, str | None, str], ...]
    refused: bool
    message: str | None

    @classmethod
    def of(cls, instance: dg.DagsterInstance, run: dg.DagsterRun) -> _Failure:
        planned: dict[tuple[dg.AssetKey, str | None], str | None] = {}
        made: set[tuple[dg.AssetKey, str | None]] = set()
        refused: set[dg.AssetKey] = set()
        errors: dict[str, str] = {}
        for entry in instance.all_logs(run.run_id, of_type=_OF_A_RUN):
            event = entry.get_dagster_event()
            match event.event_type:
                case dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED:
                    told = event.asset_materialization_planned_data
                    planned[told.asset_key, told.partition] = event.step_key
                case dg.DagsterEventType.ASSET_MATERIALIZATION:
                    assert event.asset_key is not None
                    made.add((event.asset_key, event.partition))
                case dg.DagsterEventType.STEP_FAILURE:
                    assert event.step_key is not None
                    errors[event.step_key] = reason(event)
                case _:
                    check = event.asset_check_evaluation_data
                    if not check.passed and _action(check) == "block":
                        refused.add(check.asset_key)
        missing = [one for one in planned if one not in made and one[0] not in refused]
        # What stands behind a failed step was skipped: that step is the incident. A run that died
        # without a word failed everything that it did not make.
        failed = [one for one in missing if planned[one] in errors] if errors else missing
        return cls(
            tuple(
                (asset, partition, errors.get(planned[asset, partition] or "", "the run died"))
                for asset, partition in failed
            ),
            bool(refused),
            next(iter(errors.values()), None),
        )


def _action(told: object) -> str | None:
    metadata = getattr(told, "metadata", {})
    value = metadata.get("action")
    return value.text if isinstance(value, dg.TextMetadataValue) else None


def _time(entry: EventLogEntry) -> datetime:
    return datetime.fromtimestamp(entry.timestamp, UTC)
