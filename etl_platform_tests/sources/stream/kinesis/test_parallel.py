"""Several iterators as one: each in its own order, errors told, threads gone afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest

from etl_platform.sources.stream.kinesis.parallel import interleaved


def numbers(source: int, count: int) -> Iterator[tuple[int, int]]:
    for number in range(count):
        yield source, number


@pytest.mark.parametrize("threads", [1, 3, 10])
def test_each_source_keeps_its_order(threads: int) -> None:
    found = list(interleaved([partial(numbers, source, 200) for source in range(7)], threads))
    assert len(found) == 1_400
    for source in range(7):
        assert [number for one, number in found if one == source] == list(range(200))


def test_the_first_error_is_raised_and_a_caller_that_stops_leaves_no_thread() -> None:
    def failing() -> Iterator[tuple[int, int]]:
        yield 0, 0
        raise LookupError("broken")

    before = threading.active_count()
    with pytest.raises(LookupError, match="broken"):
        list(interleaved([failing, partial(numbers, 1, 10**9), partial(numbers, 2, 10**9)], 2))
    reading = interleaved([partial(numbers, source, 10**9) for source in range(4)], 3)
    next(reading)
    reading.close()  # type: ignore[attr-defined] - a generator
    assert threading.active_count() == before
