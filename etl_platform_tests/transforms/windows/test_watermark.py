from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from etl_platform.transforms.windows import BatchTimes, Progress, WatermarkRule, watermarks

TIMES: st.SearchStrategy[dict[str, int]] = st.dictionaries(
    st.integers(0, 2).map(str), st.integers(0, 1_000)
)


@st.composite
def streams(draw: st.DrawFn) -> list[BatchTimes]:
    found = draw(st.lists(st.tuples(st.integers(0, 50), TIMES), max_size=12))
    cut, batches = 0, list[BatchTimes]()
    for number, (later, newest) in enumerate(found):
        cut += later
        batches.append(BatchTimes(number, cut, newest))
    return batches


RULES = st.builds(WatermarkRule, st.integers(0, 100), st.none() | st.integers(1, 100))


@given(streams(), RULES, st.randoms())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_the_watermark_never_falls_and_does_not_depend_on_the_order_of_batches(
    batches: list[BatchTimes], rule: WatermarkRule, rng: random.Random
) -> None:
    found = watermarks(batches, rule)
    moments = [found.before_us[one.number] for one in batches]
    known = [moment for moment in moments if moment is not None]
    assert known == sorted(known)
    assert moments[: len(moments) - len(known)] == [None] * (len(moments) - len(known))
    assert watermarks(rng.sample(batches, k=len(batches)), rule) == found
    assert found.prefix.number == len(batches) - 1


@given(streams(), RULES, st.integers(0, 12))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_progress_goes_on_from_where_it_was_kept(
    batches: list[BatchTimes], rule: WatermarkRule, at: int
) -> None:
    begun = watermarks(batches[:at], rule).prefix
    found, whole = watermarks(batches[at:], rule, begun), watermarks(batches, rule)
    assert found.prefix == whole.prefix
    assert found.before_us == {n: whole.before_us[n] for n in found.before_us}


@given(streams(), RULES, st.sets(st.integers(0, 11)))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_batches_that_are_missing_never_make_an_event_late_too_early(
    batches: list[BatchTimes], rule: WatermarkRule, missing: set[int]
) -> None:
    without_idleness = WatermarkRule(rule.out_of_orderness_us)
    whole = watermarks(batches, without_idleness)
    some = watermarks([one for one in batches if one.number not in missing], without_idleness)
    gap = min((n for n in missing if n < len(batches)), default=len(batches))
    assert some.prefix.number == gap - 1
    assert all(some.before_us[n] == whole.before_us[n] for n in some.before_us if n <= gap)


def test_a_partition_that_says_nothing_holds_the_watermark_until_it_is_idle() -> None:
    batches = [
        BatchTimes(0, 0, {"0": 100, "1": 50}),
        BatchTimes(1, 10, {"0": 200}),
        BatchTimes(2, 20, {"0": 300}),
        BatchTimes(3, 30, {"0": 400, "1": 60}),
    ]
    assert watermarks(batches, WatermarkRule(5)).before_us == {0: None, 1: 45, 2: 45, 3: 45}
    found = watermarks(batches, WatermarkRule(5, idle_after_us=20))
    assert found.before_us == {0: None, 1: 45, 2: 45, 3: 295}
    assert found.prefix.watermark_us == 295


def test_before_the_first_batch_there_is_no_watermark() -> None:
    assert watermarks([], WatermarkRule()).prefix == Progress()
    assert watermarks([BatchTimes(1, 0, {"0": 5})], WatermarkRule()).prefix == Progress()
