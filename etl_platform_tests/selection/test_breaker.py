"""An engine that keeps failing by its own fault rests, and gets another chance."""

from __future__ import annotations

from collections.abc import Sequence

from etl_platform.metastore import Metastore
from etl_platform.selection import Capabilities, Decision, Measurement, Selector
from etl_platform_tests.selection.conftest import Clock, Place, done, fault


def offers(place: Place) -> Sequence[Capabilities]:
    return [place.engine("broken", prior=9e6), place.engine("sure", prior=1e3)]


def chosen(selector: Selector, place: Place, table: str = "shop.lineitem") -> Decision:
    return selector.choose(place.work(table=table), offers(place))


def test_two_faults_in_a_row_rest_an_engine_for_the_table_and_say_so(
    metastore: Metastore, place: Place, clock: Clock
) -> None:
    selector = Selector(metastore, clock=clock)
    for _ in range(2):
        decision = chosen(selector, place)
        assert decision.engine == "broken"
        fault(selector, decision)
    decision = chosen(selector, place)
    assert decision.engine == "sure"
    assert decision.rejected[0].reason == (
        "failed 2 times in a row on this table by its own fault, rests until 2024-02-29 13:00 UTC; "
        "last: it panicked"
    )
    assert chosen(selector, place, "shop.orders").engine == "broken"


def test_a_rest_ends_with_one_trial_and_grows_when_that_fails(
    metastore: Metastore, place: Place, clock: Clock
) -> None:
    selector = Selector(metastore, clock=clock)
    for _ in range(2):
        fault(selector, chosen(selector, place))
    clock.advance(minutes=59)
    assert chosen(selector, place).engine == "sure"
    clock.advance(minutes=1)
    trial = chosen(selector, place)
    assert trial.engine == "broken"
    fault(selector, trial)
    clock.advance(hours=3, minutes=59)
    assert chosen(selector, place).engine == "sure"
    clock.advance(minutes=1)
    done(selector, chosen(selector, place), 9e6)
    fault(selector, chosen(selector, place))
    # The success in between counts: this is the first fault again.
    assert chosen(selector, place).engine == "broken"


def test_three_faults_on_different_tables_rest_an_engine_for_the_kind(
    metastore: Metastore, place: Place, clock: Clock
) -> None:
    selector = Selector(metastore, clock=clock)
    for table in ("shop.a", "shop.b", "shop.c"):
        decision = chosen(selector, place, table)
        assert decision.engine == "broken"
        fault(selector, decision)
    decision = chosen(selector, place, "shop.d")
    assert decision.engine == "sure"
    assert f"3 times in a row on {place.name}" in decision.rejected[0].reason


def test_faults_on_one_table_alone_say_nothing_about_others(
    metastore: Metastore, place: Place, clock: Clock
) -> None:
    selector = Selector(metastore, clock=clock)
    for _ in range(5):
        fault(selector, chosen(selector, place))
        clock.advance(days=8)
    assert chosen(selector, place, "shop.orders").engine == "broken"


def test_failures_of_the_source_are_not_the_engines(
    metastore: Metastore, place: Place, clock: Clock
) -> None:
    selector = Selector(metastore, clock=clock)
    for _ in range(5):
        decision = chosen(selector, place)
        assert decision.engine == "broken"
        selector.record(decision, Measurement(0, 0.1, error="connection refused"))


def test_a_pinned_engine_does_not_rest(metastore: Metastore, place: Place, clock: Clock) -> None:
    selector = Selector(metastore, clock=clock)
    for _ in range(3):
        decision = selector.choose(place.work(pinned="broken"), offers(place))
        assert decision.engine == "broken"
        fault(selector, decision)
