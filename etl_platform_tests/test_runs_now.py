"""Runs that are under way, as they are seen while they are."""

from __future__ import annotations

import threading
import time

import dagster as dg

from etl_platform.runs_now import runs_now


def test_a_run_tells_what_it_is_at_until_it_ends(stored_instance: dg.DagsterInstance) -> None:
    begun, go = threading.Event(), threading.Event()

    @dg.asset
    def first() -> None: ...

    @dg.asset(deps=[first])
    def second() -> None:
        begun.set()
        assert go.wait(60)

    @dg.asset(deps=[second])
    def third() -> None: ...

    assert runs_now(stored_instance) == ()
    assets = [first, second, third]
    run = threading.Thread(
        target=dg.materialize, args=(assets,), kwargs={"instance": stored_instance}
    )
    run.start()
    try:
        assert begun.wait(60)
        [one] = runs_now(stored_instance)
        assert (one.steps, one.done, one.failed, one.at) == (3, 1, 0, ("second",))
        assert one.begun_s is not None
        assert one.begun_s <= time.time()
    finally:
        go.set()
        run.join()
    assert runs_now(stored_instance) == ()
