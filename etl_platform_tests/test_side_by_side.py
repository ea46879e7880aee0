"""Steps in threads of one process: what Dagster promises of a run holds."""

from __future__ import annotations

import threading

import dagster as dg
import pytest

from etl_platform.side_by_side import AT_ONCE, SIDE_BY_SIDE, executed_by, side_by_side

TAGS = {SIDE_BY_SIDE: "true"}


def _run(instance: dg.DagsterInstance, *assets: dg.AssetsDefinition) -> dg.ExecuteInProcessResult:
    job = dg.Definitions(assets=list(assets)).resolve_implicit_global_asset_job_def()
    with executed_by(side_by_side):
        return job.execute_in_process(instance=instance, raise_on_error=False)


def test_tagged_steps_run_at_once_and_others_in_the_main_thread(
    memory_instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("etl_platform.side_by_side.get_settings", lambda: _Two())
    meeting, seen = threading.Barrier(2, timeout=60), dict[str, str]()

    @dg.asset(op_tags=TAGS)
    def one() -> None:
        meeting.wait()  # breaks unless the other is there too

    @dg.asset(op_tags=TAGS)
    def two() -> None:
        meeting.wait()

    @dg.asset(deps=[one, two])
    def after() -> None:
        seen["after"] = threading.current_thread().name

    result = _run(memory_instance, one, two, after)
    assert result.success
    assert seen == {"after": threading.main_thread().name}
    assert len(result.get_asset_materialization_events()) == 3
    stored = memory_instance.get_latest_materialization_event(dg.AssetKey("two"))
    assert stored is not None
    assert stored.run_id == result.run_id


class _Two:
    threads = 2


def test_a_run_says_how_many_steps_it_has_at_once(memory_instance: dg.DagsterInstance) -> None:
    running, most = 0, 0
    lock = threading.Lock()

    def body() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1

    assets = [dg.asset(name=f"a{n}", op_tags=TAGS)(lambda: body()) for n in range(5)]
    job = dg.Definitions(assets=assets).resolve_implicit_global_asset_job_def()
    with executed_by(side_by_side):
        result = job.execute_in_process(instance=memory_instance, tags={AT_ONCE: "1"})
    assert result.success
    assert most == 1


def test_what_follows_a_failure_is_not_run_and_the_rest_is(
    memory_instance: dg.DagsterInstance,
) -> None:
    ran: list[str] = []

    @dg.asset(op_tags=TAGS)
    def broken() -> None:
        raise dg.Failure("no such luck", allow_retries=False)

    @dg.asset(op_tags=TAGS, deps=[broken])
    def never() -> None:
        ran.append("never")

    @dg.asset(op_tags=TAGS, retry_policy=dg.RetryPolicy(max_retries=1))
    def second_time() -> None:
        ran.append("second_time")
        if len(ran) == 1:
            raise ValueError("once")

    result = _run(memory_instance, broken, never, second_time)
    assert not result.success
    assert ran == ["second_time", "second_time"]
    kinds = {(event.step_key, event.event_type_value) for event in result.all_events}
    assert {("broken", "STEP_FAILURE"), ("second_time", "STEP_UP_FOR_RETRY")} <= kinds
    assert ("second_time", "STEP_SUCCESS") in kinds
    assert ("never", "STEP_START") not in kinds
    run = memory_instance.get_run_by_id(result.run_id)
    assert run is not None
    assert run.status is dg.DagsterRunStatus.FAILURE


def test_an_interrupt_ends_the_run_and_no_thread_goes_on(
    memory_instance: dg.DagsterInstance,
) -> None:
    began, told = threading.Event(), threading.Event()

    @dg.asset(op_tags={**TAGS, "dagster/priority": "1"})
    def long() -> None:
        began.set()
        told.wait(60)

    @dg.asset
    def interrupted() -> None:
        began.wait(60)
        told.set()
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("etl_platform.side_by_side.get_settings", lambda: _Two())
        result = _run(memory_instance, long, interrupted)
    assert not result.success
    assert not [one for one in threading.enumerate() if one.name.startswith("etl-step")]


def test_a_job_has_it_as_its_executor() -> None:
    @dg.op
    def nothing() -> None: ...

    @dg.job(executor_def=side_by_side)
    def made() -> None:
        nothing()

    assert made.executor_def is side_by_side
