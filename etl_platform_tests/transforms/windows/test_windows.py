from __future__ import annotations

import math
import random
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from etl_platform.core.errors import PermanentError
from etl_platform.transforms.windows import Aggregate, WindowSpec, partials_sql
from etl_platform_tests.transforms.windows.reference import Batch, Event, answer
from etl_platform_tests.transforms.windows.streams import (
    DISTINCT,
    KINDS,
    Run,
    generate,
    spec,
    values_of,
)

SPAN = st.sampled_from([0, 3, 20, 90]).map(lambda s: timedelta(seconds=s))


@st.composite
def specs(draw: st.DrawFn) -> WindowSpec:
    kind = draw(st.sampled_from(["tumbling", "hopping", "session"]))
    options: dict[str, Any] = {
        "size": timedelta(seconds=draw(st.sampled_from([7, 30, 60]))),
        "out_of_orderness": draw(SPAN),
        "allowed_lateness": draw(SPAN),
        "idle_after": draw(st.sampled_from([None, timedelta(seconds=25)])),
        "late": draw(st.sampled_from(["dead_letter", "dead_letter", "update"])),
        "emit": draw(st.sampled_from(["watermark", "update"])),
        "keys": draw(st.sampled_from([("k",), ()])),
    }
    if kind == "hopping":
        options["every"] = timedelta(seconds=draw(st.sampled_from([2, 5, 7])))
    if options["late"] == "dead_letter":
        options["deduplicate"] = draw(st.sampled_from([None, None, DISTINCT]))
    return spec(kind, **options)


def check(run: Run, batches: list[Batch]) -> None:
    """The results of all batches are those of the reference."""
    keyed = bool(run.spec.keys)
    expected = answer(run.spec, batches if keyed else [_unkeyed(b) for b in batches])
    wanted = expected.final if run.spec.emit == "watermark" else expected.every
    found = run.results()
    assert {(r["s"], r["e"], r["k"] if keyed else None) for r in found} == set(wanted)
    assert len(found) == len(wanted)
    for row in found:
        cell = (row["s"], row["e"], row["k"] if keyed else None)
        values = values_of(wanted[cell])
        assert row["final"] == (cell in expected.final)
        for name in ("amount_q_p50", "amount_q_p95"):
            assert row[name] == pytest.approx(values.pop(name), rel=0.0100001)
        mean = values.pop("mean")
        assert row["mean"] == pytest.approx(mean, rel=1e-14, abs=1e-15)
        assert {name: row[name] for name in values} == values
    assert run.late() == expected.late


def _unkeyed(batch: Batch) -> Batch:
    from dataclasses import replace

    return replace(batch, events=tuple(replace(event, key=None) for event in batch.events))


def law(window: WindowSpec, seed: int, events: int, cuts: int) -> None:
    """Any order, any replay, any compaction: the reference's answer."""
    rng = random.Random(seed)
    batches = generate(seed, events, cuts, repeated=0.2 if window.deduplicate else 0.02)
    run = Run(window)
    run.arrive(batches)
    for batch in rng.sample(batches, k=len(batches)):
        run.materialise(batch)
    check(run, batches)
    before = run.checksum()
    for batch in rng.choices(batches, k=len(batches)):
        run.materialise(batch)
    assert run.checksum() == before
    bounds = sorted({0, *rng.choices(range(len(batches) + 1), k=2)})
    for first, stop in pairwise(bounds):
        run.compact(first, stop - 1)
        assert run.checksum() == before
    if bounds[-1] > 0:
        run.compact(0, bounds[-1] - 1)
        assert run.checksum() == before


@given(specs(), st.integers(0, 2**32), st.integers(1, 150), st.integers(1, 12))
@settings(max_examples=6, deadline=None, derandomize=True)
def test_results_are_those_of_all_events_on_time_in_whatever_order_batches_ran(
    window: WindowSpec, seed: int, events: int, cuts: int
) -> None:
    law(window, seed, events, cuts)


@pytest.mark.parametrize("kind", ["tumbling", "hopping", "session"])
def test_an_eighth_of_the_events_late_by_minutes_is_where_the_policy_says(kind: str) -> None:
    options = {"out_of_orderness": timedelta(seconds=5), "allowed_lateness": timedelta(seconds=60)}
    if kind == "session":
        options["size"] = timedelta(seconds=8)
    batches = generate(7, 1_000, 12, late_share=0.125, late_s=240.0)
    refused, updating = Run(spec(kind, **options)), Run(spec(kind, **options, late="update"))
    for run in (refused, updating):
        run.arrive(batches)
        for batch in reversed(batches):
            run.materialise(batch)
        check(run, batches)
    late = refused.late()
    assert 25 < len(late) < 125
    assert updating.late() == set()
    if kind != "hopping":
        # A window that is final holds all its events but the late ones, and each is in one place.
        final = {(r["s"], r["e"], r["k"]) for r in refused.results()}
        everything = answer(refused.spec, batches)
        kept = sum(len(events) for events in everything.every.values())
        assert kept + len(late) == 1_000
        assert final


def test_a_session_is_final_only_when_no_event_on_time_can_join_it() -> None:
    run = Run(spec("session", emit="update", keys=()))
    moments = (30, 95, 70, 120, 240)
    batches = [
        Batch(n, n, (Event("0", n, second * 1_000_000, None, 1, Decimal(1), 0.5, "x"),))
        for n, second in enumerate(moments)
    ]
    run.arrive(batches)
    seen: list[list[tuple[int, int, bool]]] = []
    for batch in batches:
        run.materialise(batch)
        found = sorted((r["s"], r["e"], r["final"]) for r in run.results())
        seen.append([(s // 1_000_000, e // 1_000_000, final) for s, e, final in found])
    # At 95 s the session until 90 s is over, but an event of 70 s is still on time, and joins it.
    assert seen[1] == [(30, 90, False), (95, 155, False)]
    assert seen[2] == [(30, 155, False)]
    assert seen[4] == [(30, 180, True), (240, 300, False)]
    check(run, batches)


def test_windows_before_1970_have_the_same_bounds() -> None:
    size, every = timedelta(seconds=30), timedelta(seconds=20)
    run = Run(spec("hopping", size=size, every=every, emit="update"))
    old = Event("0", 0, -25_000_000, "a", 1, Decimal(1), 0.5, "x")
    run.arrive([Batch(0, 0, (old,))])
    run.materialise(Batch(0, 0, (old,)))
    assert [(r["s"], r["e"]) for r in run.results()] == [(-40_000_000, -10_000_000)]


def test_sums_of_floats_keep_every_special_value() -> None:
    aggregates = (
        Aggregate(name="total", function="sum", column="ratio"),
        Aggregate(name="mean", function="avg", column="ratio"),
        Aggregate(name="values", function="distinct", column="ratio"),
        Aggregate(name="q", function="quantiles", column="ratio", ranks=(0.5,)),
    )
    run = Run(spec(aggregates=aggregates, emit="update"))
    cases: dict[str, list[float]] = {
        "a": [0.1] * 10,
        "b": [math.inf, 1.0],
        "c": [math.inf, -math.inf],
        "d": [math.nan, 1.0],
        "e": [-1e300, 2.0],
        "f": [0.0, -0.0, -5.0],
    }
    events = tuple(
        Event("0", n, 0, key, 1, Decimal(1), value, "x")
        for n, (key, value) in enumerate((k, v) for k, vs in cases.items() for v in vs)
    )
    run.arrive([Batch(0, 0, events)])
    run.materialise(Batch(0, 0, events))
    found = {r["k"]: r for r in run.results()}
    assert found["a"]["total"] == pytest.approx(1.0, rel=1e-15)
    assert found["b"]["total"] == math.inf
    assert math.isnan(found["c"]["total"])
    assert math.isnan(found["d"]["mean"])
    assert found["e"]["total"] == -math.inf
    assert found["f"]["total"] == -5.0
    assert found["d"]["values"] == 2
    assert found["f"]["q_p50"] == 0.0


def test_distinct_values_and_quantiles_stay_within_their_errors() -> None:
    aggregates = (
        Aggregate(name="people", function="distinct", column="ident"),
        Aggregate(name="q", function="quantiles", column="ratio", ranks=(0.01, 0.5, 0.99)),
    )
    run = Run(spec(aggregates=aggregates, emit="update", keys=()))
    rng = random.Random(5)
    values = [rng.lognormvariate(3, 2) for _ in range(30_000)]
    batches = [
        Batch(n, 0, tuple(Event("0", n * 10_000 + i, 0, None, 1, Decimal(1), v, f"i{i}{n}")
                          for i, v in enumerate(values[n * 10_000 : (n + 1) * 10_000])))
        for n in range(3)
    ]  # fmt: skip
    run.arrive(batches)
    for batch in batches:
        run.materialise(batch)
    (found,) = run.results()
    assert found["people"] == pytest.approx(30_000, rel=0.073)
    ordered = sorted(values)
    for name, rank in (("q_p1", 0.01), ("q_p50", 0.5), ("q_p99", 0.99)):
        assert found[name] == pytest.approx(ordered[math.ceil(rank * 30_000) - 1], rel=0.0100001)


def test_compaction_leaves_a_row_for_each_pane_and_key_and_forgets_old_keys() -> None:
    window = spec(deduplicate=DISTINCT, out_of_orderness=timedelta(seconds=5))
    batches = generate(3, 1_500, 30, late_share=0.1, late_s=60.0, repeated=0.2)
    run = Run(window)
    run.arrive(batches)
    for batch in batches:
        run.materialise(batch)
    check(run, batches)
    before = run.checksum()
    (rows,) = run.con.execute("SELECT count(*) FROM partials").fetchall()
    run.compact(0, 14)
    assert run.checksum() == before
    run.compact(0, batches[-1].number)
    (fewer,) = run.con.execute(
        "SELECT count(*) FILTER (_id IS NULL), count(*) FILTER (_id IS NOT NULL) FROM partials"
    ).fetchall()
    assert run.checksum() == before
    assert rows[0] > 1_400
    assert fewer[0] <= (1_500 / 60 + 2) * 4
    assert fewer[1] < 200


def test_batches_after_one_that_is_not_finished_are_not_compacted() -> None:
    batches = generate(1, 50, 4)
    run = Run(spec())
    run.arrive(batches)
    for batch in (batches[0], batches[2]):
        run.materialise(batch)
    with pytest.raises(PermanentError, match="batch 1 is not finished"):
        run.compact(0, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"event_time": "amount"}, "event_time 'amount' is INTEGER"),
        ({"keys": ("nokey",)}, "unknown column of window"),
        ({"aggregates": (Aggregate(name="x", function="sum", column="k"),)}, "which is VARCHAR"),
    ],
)
def test_a_window_over_other_columns_than_there_are_is_refused(
    options: dict[str, Any], message: str
) -> None:
    wrong = spec().model_copy(update=options)
    with pytest.raises(PermanentError, match=message):
        partials_sql(wrong, "messages", KINDS, "0")


@pytest.mark.parametrize(
    "options",
    [
        {"size": timedelta(0)},
        {"every": timedelta(seconds=1)},
        {"late": "update", "deduplicate": DISTINCT},
        {"keys": ("n",)},
        {"keys": ("Upper",)},
        {"keys": ("final",)},
    ],
)
def test_impossible_windows_are_refused_where_they_are_declared(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        spec(**options)


@pytest.mark.stress
@given(specs(), st.integers(0, 2**32), st.integers(1, 1_500), st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_results_of_long_streams_are_those_of_all_events_on_time(
    window: WindowSpec, seed: int, events: int, cuts: int
) -> None:
    law(window, seed, events, cuts)
