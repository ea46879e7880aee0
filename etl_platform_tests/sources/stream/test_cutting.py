"""Batches are cut from ends alone: bounded, fair, and whatever is lost is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from etl_platform.sources.stream.cutting import Cut, CutLimits, LastCut, cut
from etl_platform.sources.stream.protocol import PartitionEnd, StreamEnds
from etl_platform.sources.stream.ranges import Range

ALL = CutLimits()


def ends(incarnation: str = "", **latest: int | None) -> StreamEnds:
    """Partitions ``p0``, ``p1`` ... that hold everything up to their last position."""
    return StreamEnds(
        {name: PartitionEnd(None if at is None else 0, at) for name, at in latest.items()},
        incarnation,
    )


def after(made: Cut | None) -> LastCut:
    assert made is not None
    return LastCut(made.ranges, made.incarnation)


def taken(**through: int) -> LastCut:
    return LastCut(tuple(Range(name, None, at) for name, at in through.items()))


def test_a_first_batch_takes_every_partition_from_its_beginning() -> None:
    made = cut(ends(p0=9, p1=4, p2=None), None, ALL)
    assert made is not None
    assert made.ranges == (Range("p0", None, 9, 10), Range("p1", None, 4, 5))
    assert not made.more
    assert made.notes == ()


def test_the_next_batch_begins_where_the_last_ended_and_names_partitions_without_news() -> None:
    made = cut(ends(p0=9, p1=7, p2=0), taken(p0=9, p1=4), ALL)
    assert made is not None
    assert made.ranges == (Range("p0", 9, 9, 0), Range("p1", 4, 7, 3), Range("p2", None, 0, 1))


def test_without_news_there_is_no_batch() -> None:
    assert cut(ends(p0=9), taken(p0=9), ALL) is None
    assert cut(ends(p0=None), None, ALL) is None


def test_latest_begins_after_what_there_is_and_keeps_that_place() -> None:
    made = cut(ends(p0=9, p1=None), None, ALL, start="latest")
    assert made is not None
    assert not made.holds_messages
    following = cut(ends(p0=11, p1=0), after(made), ALL, start="latest")
    assert following is not None
    assert following.ranges == (Range("p0", 9, 11, 2), Range("p1", None, 0, 1))


def test_an_empty_stream_read_from_latest_loses_nothing_that_comes_later() -> None:
    made = cut(ends(p0=None), None, ALL, start="latest")
    following = cut(ends(p0=2), after(made), ALL, start="latest")
    assert following is not None
    assert following.ranges == (Range("p0", None, 2, 3),)


def test_rows_are_shared_fairly_and_nothing_is_left_unused() -> None:
    made = cut(ends(p0=9, p1=999, p2=999), None, CutLimits(max_rows=100))
    assert made is not None
    assert [one.estimate for one in made.ranges] == [10, 45, 45]
    assert made.more


def test_bytes_bound_a_batch_by_what_messages_weighed_before() -> None:
    made = cut(ends(p0=999), None, CutLimits(max_bytes=1_000, message_bytes=100.0))
    assert made is not None
    assert made.ranges == (Range("p0", None, 9, 10),)
    huge = cut(ends(p0=999), None, CutLimits(max_bytes=1_000, message_bytes=1e9))
    assert huge is not None
    assert huge.ranges == (Range("p0", None, 0, 1),)


def test_a_batch_that_is_not_full_waits_for_its_age() -> None:
    limits = CutLimits(max_rows=10, max_age_s=60)
    assert cut(ends(p0=5), taken(p0=0), limits, waited_s=59) is None
    assert cut(ends(p0=5), taken(p0=0), limits, waited_s=60) is not None
    assert cut(ends(p0=50), taken(p0=0), limits, waited_s=1) is not None


def test_children_wait_until_their_parents_are_taken() -> None:
    there = StreamEnds(
        {
            "parent": PartitionEnd(0, 99, closed=True),
            "child": PartitionEnd(0, 9, parents=("parent", "expired")),
        }
    )
    first = cut(there, None, ALL)
    assert first is not None
    assert first.ranges == (Range("parent", None, 99, 100),)
    assert first.more
    second = cut(there, after(first), ALL)
    assert second is not None
    assert second.ranges == (Range("child", None, 9, 10), Range("parent", 99, 99, 0))


def test_what_retention_took_is_told_exactly_and_reading_goes_on_behind_it() -> None:
    there = StreamEnds({"p0": PartitionEnd(100, 199), "p1": PartitionEnd(0, 9)})
    made = cut(there, taken(p0=9, p1=9), ALL)
    assert made is not None
    assert made.ranges == (Range("p0", 99, 199, 100), Range("p1", 9, 9, 0))
    assert made.notes == (
        "partition p0: retention removed 90 positions (10 to 99) before they were read",
    )


def test_a_partition_that_retention_emptied_is_told_once() -> None:
    there = StreamEnds({"p0": PartitionEnd(None, 99)})
    made = cut(there, taken(p0=9), ALL)
    assert made is not None
    assert not made.holds_messages
    assert "90 positions (10 to 99)" in made.notes[0]
    assert cut(there, after(made), ALL) is None


def test_a_stream_that_is_first_seen_late_begins_at_its_earliest_message() -> None:
    made = cut(StreamEnds({"p0": PartitionEnd(100, 199)}), None, ALL)
    assert made is not None
    assert made.ranges == (Range("p0", 99, 199, 100),)
    assert made.notes == ()


def test_a_stream_that_was_made_again_is_read_anew_and_that_is_told() -> None:
    before = LastCut((Range("p0", None, 99),), "first")
    made = cut(ends("second", p0=150), before, ALL)
    assert made is not None
    assert made.ranges == (Range("p0", None, 150, 151),)
    assert "made again" in made.notes[0]
    assert cut(ends("second", p0=150), after(made), ALL) is None


def test_a_stream_that_was_made_again_and_is_empty_is_told_too() -> None:
    made = cut(ends("second", p0=None), LastCut((Range("p0", None, 99),), "first"), ALL)
    assert made is not None
    assert made.ranges == ()
    assert "made again" in made.notes[0]


def test_without_incarnation_an_end_before_what_was_read_means_made_again() -> None:
    made = cut(ends(p0=5), taken(p0=99), ALL)
    assert made is not None
    assert made.ranges == (Range("p0", None, 5, 6),)


def test_an_end_that_goes_back_in_the_same_incarnation_waits() -> None:
    last = LastCut((Range("p0", None, 99),), "same")
    assert cut(ends("same", p0=50), last, ALL) is None


def test_a_partition_that_is_not_told_keeps_its_place() -> None:
    made = cut(ends(p1=5), taken(p0=99, p1=0), ALL)
    assert made is not None
    following = cut(ends(p0=101, p1=5), after(made), ALL)
    assert following is not None
    assert following.ranges[0] == Range("p0", 99, 101, 2)


def test_positions_that_do_not_count_messages_are_taken_to_the_end() -> None:
    limits = CutLimits(max_rows=10, max_age_s=60, counted=False)
    there = StreamEnds({"shard": PartitionEnd(10**50, 10**55)})
    assert cut(there, LastCut((Range("shard", None, 10**49),)), limits, waited_s=1) is None
    made = cut(there, LastCut((Range("shard", None, 10**49),)), limits, waited_s=60)
    assert made is not None
    assert made.ranges == (Range("shard", 10**49, 10**55, first=10**50),)


def test_a_backlog_is_cut_where_the_look_says_and_then_only_after_another_look() -> None:
    limits = CutLimits(max_age_s=60, counted=False)
    there = StreamEnds({"a": PartitionEnd(100, 900, until=500), "b": PartitionEnd(30, 40)})
    made = cut(there, LastCut((Range("a", None, 7),)), limits, waited_s=1)
    assert made is not None
    assert made.ranges == (Range("a", 7, 500, first=100), Range("b", None, 40, first=30))
    assert made.more
    assert cut(there, after(made), limits, waited_s=100) is None
    later = StreamEnds({"a": PartitionEnd(501, 900), "b": PartitionEnd(None, 40)})
    rest = cut(later, after(made), limits, waited_s=100)
    assert rest is not None
    assert rest.ranges == (Range("a", 500, 900, first=501), Range("b", 40, 40, 0))


def test_a_shard_that_is_past_retention_is_forgotten_and_told_once() -> None:
    limits = CutLimits(counted=False)
    last = LastCut((Range("a", None, 7), Range("b", None, 9)))
    there = StreamEnds({"b": PartitionEnd(None, 9)})
    made = cut(there, last, limits)
    assert made is not None
    assert made.ranges == (Range("b", 9, 9, 0),)
    assert not made.holds_messages
    assert "if it held messages after 7, they are lost" in made.notes[0]
    assert cut(there, after(made), limits) is None


def test_a_loss_that_cannot_be_excluded_is_told_once() -> None:
    limits = CutLimits(counted=False)
    there = StreamEnds({"a": PartitionEnd(50, 90, gap_possible=True)})
    made = cut(there, LastCut((Range("a", None, 7),)), limits)
    assert made is not None
    assert "nobody can tell whether messages between it and 50 were lost" in made.notes[0]
    assert cut(there, after(made), limits) is None


@given(
    steps=st.lists(st.lists(st.integers(0, 40), min_size=3, max_size=3), min_size=1, max_size=8),
    rows=st.integers(1, 25),
)
def test_batches_hold_every_position_once_whatever_the_limits(
    steps: list[list[int]], rows: int
) -> None:
    limits = CutLimits(max_rows=rows)
    total, last = [0, 0, 0], None
    seen: list[tuple[str, int]] = []
    for grown in steps:
        total = [one + more for one, more in zip(total, grown, strict=True)]
        latest = {f"p{i}": n - 1 if n else None for i, n in enumerate(total)}
        there = ends("", **latest)
        while (made := cut(there, last, limits)) is not None:
            taken_now = [
                (one.partition, at)
                for one in made.ranges
                for at in range((-1 if one.after is None else one.after) + 1, one.through + 1)
            ]
            assert 0 < len(taken_now) <= rows
            seen += taken_now
            last = after(made)
    assert sorted(seen) == [(f"p{i}", at) for i, n in enumerate(total) for at in range(n)]
