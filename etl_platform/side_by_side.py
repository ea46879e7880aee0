"""An executor of Dagster's: steps that allow it run side by side, in threads of one process.

``etl materialize`` uses it. A job of one's own can have it as ``executor_def=side_by_side``: for
tables that take less than a second each, a process per step costs more than the step. Only steps
tagged :data:`SIDE_BY_SIDE` run in threads; others run alone in the main thread, where a timeout and
an interrupt reach them.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.events import EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.compute_logs import create_compute_log_file_key
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.execute_plan import (
    _handle_compute_log_setup_error as setup_failed,  # pyright: ignore[reportPrivateUsage] # as Dagster's own in-process executor says it
)
from dagster._core.execution.plan.execute_plan import (
    _trigger_hook as hooks_of,  # pyright: ignore[reportPrivateUsage] # the same
)
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor

from etl_platform.core.settings import get_settings
from etl_platform.core.stopping import stop_all

if TYPE_CHECKING:
    from dagster._core.execution.context.system import (
        PlanExecutionContext,
        PlanOrchestrationContext,
        StepExecutionContext,
    )
    from dagster._core.execution.plan.active import ActiveExecution
    from dagster._core.execution.plan.plan import ExecutionPlan

SIDE_BY_SIDE = "etl/side_by_side"
"""Tag of an asset's step: ``true`` when it may run in a thread beside others."""
AT_ONCE = "etl/at_once"
"""Tag of a run: how many of its steps run at once, in place of ``ETL_THREADS``."""

_Told = tuple["StepExecutionContext", "dg.DagsterEvent | BaseException | None"]


class _SideBySide(InProcessExecutor):
    """Dagster's in-process executor, but for the steps that have the tag."""

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        keys = execution_plan.step_keys_to_execute
        about = EngineEventData.in_process(os.getpid(), keys)
        began = f"Executing steps side by side in process (pid: {os.getpid()})"
        yield dg.DagsterEvent.engine_event(plan_context, began, event_specific_data=about)
        yield from ExecuteRunWithPlanIterable(
            execution_plan=plan_context.execution_plan,
            iterator=_events,
            execution_context_manager=PlanExecutionContextManager(
                job=plan_context.job,
                retry_mode=plan_context.retry_mode,
                execution_plan=plan_context.execution_plan,
                run_config=plan_context.run_config,
                dagster_run=plan_context.dagster_run,
                instance=plan_context.instance,
                raise_on_error=plan_context.raise_on_error,
                output_capture=plan_context.output_capture,
                step_dependency_config=self.step_dependency_config,
            ),
        )
        ended = f"Finished steps in process (pid: {os.getpid()})"
        yield dg.DagsterEvent.engine_event(plan_context, ended, event_specific_data=about)


@dg.executor(name="side_by_side")
def side_by_side(_context: dg.InitExecutorContext) -> _SideBySide:
    """Run tagged steps in as many threads as ``ETL_THREADS`` says, in this process."""
    return _SideBySide(retries=RetryMode.ENABLED)


@contextmanager
def executed_by(executor: dg.ExecutorDefinition) -> Generator[None]:
    """Let ``execute_in_process`` use this executor: it takes none, whatever the job has."""
    from dagster._core.definitions import executor_definition, run_config
    from dagster._core.system_config import objects

    name = "execute_in_process_executor"
    places = (executor_definition, run_config, objects)
    before = executor_definition.execute_in_process_executor
    for place in places:
        setattr(place, name, executor)
    try:
        yield
    finally:
        for place in places:
            setattr(place, name, before)


def _events(
    job_context: PlanExecutionContext, execution_plan: ExecutionPlan
) -> Iterator[dg.DagsterEvent]:
    asked = job_context.dagster_run.tags.get(AT_ONCE)
    threads = max(1, int(asked) if asked else get_settings().threads)
    with (
        InstanceConcurrencyContext(job_context.instance, job_context.dagster_run) as claims,
        execution_plan.start(
            retry_mode=job_context.retry_mode,
            instance_concurrency_context=claims,
            step_dependency_config=job_context.step_dependency_config,
        ) as active,
        ExitStack() as logs,
        _threads(threads) as pool,
    ):
        yield from _captured(job_context, execution_plan, logs)
        yield from _steps(job_context, active, pool, threads)


def _captured(
    job: PlanExecutionContext, plan: ExecutionPlan, logs: ExitStack
) -> Iterator[dg.DagsterEvent]:
    """Keep what the process prints, as the log of all steps."""
    kept = job.instance.compute_log_manager
    key = kept.build_log_key_for_run(job.run_id, create_compute_log_file_key())
    steps = [step.key for step in plan.get_steps_to_execute_in_topo_order()]
    try:
        opened = logs.enter_context(kept.capture_logs(key))
    except Exception as error:  # noqa: BLE001 # of any store of logs; the run goes on without
        yield from setup_failed(job, (type(error), error, error.__traceback__))
    else:
        yield dg.DagsterEvent.capture_logs(job, steps, key, opened)


def _steps(
    job: PlanExecutionContext, active: ActiveExecution, pool: ThreadPoolExecutor, threads: int
) -> Iterator[dg.DagsterEvent]:
    told: SimpleQueue[_Told] = SimpleQueue()
    running: dict[str, list[dg.DagsterEvent]] = {}
    while not active.is_complete:
        step = active.get_next_step() if len(running) < threads else None
        yield from active.concurrency_event_iterator(job)
        if step is not None:
            context = job.for_step(step, active.get_known_state())
            running[step.key] = []
            if step.tags.get(SIDE_BY_SIDE) == "true":
                pool.submit(_run, context, told)
            else:
                _run(context, told)
        elif running:
            yield from _until_one_ends(job, active, told, running)
        else:
            active.sleep_til_ready()


def _until_one_ends(
    job: PlanExecutionContext,
    active: ActiveExecution,
    told: SimpleQueue[_Told],
    running: dict[str, list[dg.DagsterEvent]],
) -> Iterator[dg.DagsterEvent]:
    while True:
        context, event = told.get()
        events = running[context.step.key]
        if isinstance(event, BaseException):
            raise event
        if event is None:
            break
        events.append(event)
        yield event
        active.handle_event(event)
    active.verify_complete(job, context.step.key)
    del running[context.step.key]
    # What is skipped because of it counts among its events for hooks, as Dagster does it.
    for skipped in active.plan_events_iterator(job):
        events.append(skipped)
        yield skipped
    yield from hooks_of(context, events)


def _run(context: StepExecutionContext, told: SimpleQueue[_Told]) -> None:
    try:
        for event in dagster_event_sequence_for_step(context):
            told.put((context, event))
    except BaseException as error:  # noqa: BLE001 # raised again by whoever reads the queue
        told.put((context, error))
    else:
        told.put((context, None))


@contextmanager
def _threads(count: int) -> Generator[ThreadPoolExecutor]:
    """Threads that are told to stop, and waited for, when the run is interrupted."""
    pool = ThreadPoolExecutor(count, "etl-step")
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        stop_all()
        raise
    finally:
        pool.shutdown(wait=True)
