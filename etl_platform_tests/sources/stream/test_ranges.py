"""Ranges of positions: what follows what, and what their union holds."""

from __future__ import annotations

import pytest

from etl_platform.core.errors import PermanentError
from etl_platform.sources.stream.ranges import Range, following, from_json, to_json, union

LARGE = 49590338271490256608559692538361571095921575989136588898


def test_ranges_come_back_from_json_whatever_their_size() -> None:
    ranges = (Range("0", None, 9, 10), Range("shardId-000000000001", LARGE, LARGE + 7))
    ranges += (Range("shardId-000000000002", LARGE, LARGE + 9, first=LARGE + 2),)
    assert from_json(to_json(ranges)) == ranges


def test_what_follows_is_everything_after_the_last_position() -> None:
    found = following({"0": 4, "1": 7}, {"0": 9, "1": 7, "2": 0})
    assert found == (Range("0", 4, 9), Range("2", None, 0))


def test_consecutive_batches_are_one_range_of_each_partition() -> None:
    first = (Range("0", None, 4, 5), Range("1", 2, 9, 7))
    second = (Range("0", 4, 10, 6), Range("2", None, 0))
    expected = (Range("0", None, 10, 11), Range("1", 2, 9, 7), Range("2", None, 0))
    assert union([first, second]) == expected


def test_a_union_begins_with_the_first_message_of_its_first_batch_that_has_any() -> None:
    batches = [(Range("s", 5, 5),), (Range("s", 5, 90, first=7),), (Range("s", 90, 99, first=95),)]
    assert union(batches) == (Range("s", 5, 99, first=7),)
    unknown = [(Range("s", 5, 90),), (Range("s", 90, 99, first=95),)]
    assert union(unknown) == (Range("s", 5, 99),)


def test_batches_that_leave_messages_out_have_no_union() -> None:
    with pytest.raises(PermanentError, match="does not follow"):
        union([(Range("0", None, 4),), (Range("0", 5, 10),)])


def test_a_range_cannot_end_before_it_begins() -> None:
    with pytest.raises(PermanentError, match="before its beginning"):
        Range("0", 5, 4)
