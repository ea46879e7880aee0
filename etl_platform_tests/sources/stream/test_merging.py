"""Which batches become one partition, and what ranges that has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from etl_platform.sources.stream.merging import Mergeable, joined, passes, plan_merges
from etl_platform.sources.stream.ranges import Range

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


def batch(number: int, minutes: int, *, rows: int | None = 10, incarnation: str = "a") -> Mergeable:
    ranges = (Range("0", number * 10 - 1 if number else None, number * 10 + 9, 10),)
    cut_at = MIDNIGHT + timedelta(minutes=minutes)
    return Mergeable(f"b{number}", number, number, ranges, incarnation, cut_at, rows)


def keys(partitions: list[Mergeable], hours: float, **options: object) -> dict[str, list[str]]:
    found = plan_merges(partitions, MIDNIGHT + timedelta(hours=hours), **options)  # pyright: ignore[reportArgumentType]
    return {merge.key: [one.key for one in merge.members] for merge in found}


def test_batches_of_an_hour_that_is_over_become_one() -> None:
    batches = [batch(0, 5), batch(1, 50), batch(2, 61), batch(3, 62)]
    assert keys(batches, 1.9) == {}
    assert keys(batches, 2.5) == {"20260301-00-hour-000000-000001": ["b0", "b1"]}


def test_the_longest_period_that_is_over_takes_all() -> None:
    batches = [batch(0, 5), batch(1, 61), batch(2, 24 * 60 + 5)]
    assert keys(batches, 25.5) == {"20260301-day-000000-000001": ["b0", "b1"]}
    assert keys(batches, 24 * 40) == {"202603-month-000000-000002": ["b0", "b1", "b2"]}


def test_a_batch_that_is_not_published_and_a_new_incarnation_separate() -> None:
    batches = [
        *(batch(0, 1), batch(1, 2), batch(2, 3, rows=None)),
        *(batch(3, 4), batch(4, 5), batch(5, 6, incarnation="b"), batch(6, 7, incarnation="b")),
    ]
    assert [*keys(batches, 3).values()] == [["b0", "b1"], ["b3", "b4"], ["b5", "b6"]]


def test_a_merged_partition_is_bounded_and_one_alone_stays() -> None:
    batches = [batch(number, number) for number in range(5)]
    assert [*keys(batches, 3, max_rows=20).values()] == [["b0", "b1"], ["b2", "b3"]]


def test_a_merged_partition_takes_a_late_neighbour_under_a_new_key() -> None:
    first = Mergeable("20260301-00-hour-000000-000001", 0, 1, (), "a", MIDNIGHT, 20)
    (merge,) = plan_merges([first, batch(2, 5)], MIDNIGHT + timedelta(hours=3))
    assert merge.key == "20260301-00-hour-000000-000002"


def test_ranges_that_touch_are_joined_and_gaps_stay() -> None:
    parts = [
        (Range("0", None, 9, 10), Range("1", None, 4, 5)),
        (Range("0", 9, 19, 10), Range("1", 4, 4, 0)),
        (Range("0", 99, 109, 10), Range("1", 50, 59, None)),
    ]
    assert joined(parts) == (
        *(Range("0", None, 19, 20), Range("0", 99, 109, 10)),
        *(Range("1", None, 4, 5), Range("1", 50, 59, None)),
    )


def test_each_pass_reads_a_partition_once_and_nothing_empty() -> None:
    ranges = (Range("0", None, 9), Range("0", 99, 109), Range("1", 4, 4), Range("2", None, 1))
    assert passes(ranges) == (
        (Range("0", None, 9), Range("2", None, 1)),
        (Range("0", 99, 109),),
    )
