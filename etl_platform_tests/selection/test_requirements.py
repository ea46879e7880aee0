"""Engines that may not do a piece of work are refused, each with its reason."""

from __future__ import annotations

import pytest

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.metastore import Metastore
from etl_platform.selection import Capabilities, Degradation, NoEngine, Selector
from etl_platform_tests.selection.conftest import Clock, Place, done

NAN = Degradation("price", "numeric without precision holds NaN: rounds to 10 decimals")


@pytest.mark.parametrize(
    ("declared", "asked", "told"),
    [
        ({"kinds": frozenset({"mysql"})}, {}, "works on mysql, not on"),
        ({"degrades": (NAN,)}, {}, "would degrade 'price': numeric without precision holds NaN"),
        ({"lossless": False}, {}, "does not keep every value"),
        ({"lossless": None}, {}, "cannot tell whether it would keep every value"),
        ({"streaming": False}, {"needs_streaming": True}, "holds all rows in memory"),
        ({"connections": 4}, {"connection_budget": 3}, "needs 4 connections, 3 of 3 are free"),
    ],
)
def test_an_engine_that_cannot_do_the_work_is_refused(
    metastore: Metastore,
    place: Place,
    declared: dict[str, object],
    asked: dict[str, object],
    told: str,
) -> None:
    offered = [place.engine("fast", prior=9e6, **declared), place.engine("sure", prior=1e3)]
    decision = Selector(metastore).choose(place.work(**asked), offered)
    assert decision.engine == "sure"
    (rejected,) = decision.rejected
    assert rejected.engine == "fast"
    assert told in rejected.reason


def test_an_engine_that_needs_no_streaming_may_hold_everything(
    metastore: Metastore, place: Place
) -> None:
    offered = [place.engine("fast", prior=9e6, streaming=False), place.engine("sure")]
    assert Selector(metastore).choose(place.work(), offered).engine == "fast"


def test_when_none_may_the_error_names_each_with_its_reason(
    metastore: Metastore, place: Place
) -> None:
    offered = [place.engine("a", degrades=(NAN,)), place.engine("b", kinds=frozenset({"mysql"}))]
    with pytest.raises(NoEngine, match="no engine can read") as raised:
        Selector(metastore).choose(place.work(), offered)
    assert "a: would degrade 'price'" in str(raised.value)
    assert "b: works on mysql" in str(raised.value)


def test_a_pinned_engine_is_used_although_it_is_slower(metastore: Metastore, place: Place) -> None:
    offered = [place.engine("fast", prior=9e6), place.engine("slow", prior=1e3)]
    decision = Selector(metastore).choose(place.work(pinned="slow"), offered)
    assert (decision.engine, decision.reason) == ("slow", "pinned")
    assert [(one.engine, one.reason) for one in decision.rejected] == [("fast", "slow is pinned")]


def test_a_pin_does_not_allow_loss(metastore: Metastore, place: Place) -> None:
    offered = [place.engine("fast", degrades=(NAN,)), place.engine("sure")]
    with pytest.raises(NoEngine, match="remove the pin engine: fast"):
        Selector(metastore).choose(place.work(pinned="fast"), offered)


def test_a_pin_to_an_engine_that_is_not_there_names_the_nearest(
    metastore: Metastore, place: Place
) -> None:
    with pytest.raises(UnknownName, match="did you mean 'copy'"):
        Selector(metastore).choose(place.work(pinned="coppy"), [place.engine("copy")])


def test_an_engine_that_took_too_much_memory_for_a_table_is_refused_there(
    metastore: Metastore, place: Place
) -> None:
    selector = Selector(metastore, recheck_share=0)
    offered = [place.engine("fast", prior=150_000.0), place.engine("sure")]
    done(selector, selector.choose(place.work(), offered), 200_000.0, peak_bytes=1_200_000_000)
    done(selector, selector.choose(place.work(), offered), 100_000.0, peak_bytes=100_000_000)
    assert selector.choose(place.work(), offered).engine == "fast"
    decision = selector.choose(place.work(memory_limit_bytes=400_000_000), offered)
    assert decision.engine == "sure"
    assert decision.rejected[0].reason == "took 1,200 MB before, the limit is 400 MB"


def test_connections_in_use_are_not_given_twice(
    metastore: Metastore, place: Place, clock: Clock
) -> None:
    selector = Selector(metastore, clock=clock)
    work = place.work(connection_budget=5)
    offered = [place.engine("parallel", prior=9e6, connections=4), place.engine("single")]
    first = selector.choose(work, offered)
    second = selector.choose(work, offered)
    assert (first.engine, second.engine) == ("parallel", "single")
    assert second.rejected[0].reason == "needs 4 connections, 1 of 5 are free"
    done(selector, first, 1e6)
    done(selector, second, 1e5)
    third = selector.choose(work, offered)
    assert third.engine == "parallel"
    # Its process was killed: nobody ever ends it.
    clock.advance(hours=7)
    assert selector.choose(work, offered).engine == "parallel"


def test_work_is_spread_over_engines_of_equal_speed(metastore: Metastore, place: Place) -> None:
    selector = Selector(metastore, recheck_share=0)
    offered = [place.engine("a"), place.engine("b")]
    for speed in (100_000.0, 95_000.0):
        done(selector, selector.choose(place.work(), offered), speed)
    first = selector.choose(place.work(), offered)
    second = selector.choose(place.work(), offered)
    assert {first.engine, second.engine} == {"a", "b"}
    assert second.reason == "as fast as a within a tenth, with less in flight"


def test_of_engines_of_equal_speed_the_one_with_less_memory_is_used(
    metastore: Metastore, place: Place
) -> None:
    selector = Selector(metastore, recheck_share=0)
    offered = [place.engine("a"), place.engine("b")]
    for speed, peak in ((100_000.0, 900), (95_000.0, 100)):
        done(selector, selector.choose(place.work(), offered), speed, peak_bytes=peak)
    decision = selector.choose(place.work(), offered)
    assert decision.engine == "b"
    assert decision.reason == "as fast as a within a tenth, with less memory"


def test_a_declaration_that_makes_no_sense_is_refused_where_it_is_made() -> None:
    with pytest.raises(ConfigError, match="0 connections"):
        Capabilities("a", frozenset(), lossless=True, streaming=True, connections=0)
