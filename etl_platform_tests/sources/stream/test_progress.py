"""Lag is what is not published: in batches that are not finished, or at the broker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from etl_platform.sources.stream.progress import (
    BatchOutcome,
    PartitionLag,
    SeenEnd,
    ends_from_json,
    ends_to_json,
    partition_lags,
    seen_ends,
)
from etl_platform.sources.stream.protocol import PartitionEnd, StreamEnds
from etl_platform.sources.stream.ranges import Range

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_lag_is_what_is_uncut_and_what_is_cut_but_not_published() -> None:
    ends = {"0": SeenEnd(99, NOON - MINUTE), "1": SeenEnd(9, None), "2": SeenEnd(None, None)}
    cut = (Range("0", 49, 79), Range("1", None, 9))
    lags = partition_lags(ends, cut, [cut[:1]], NOON)
    assert lags == (
        PartitionLag("0", 50, 60.0),
        PartitionLag("1", 0, 0.0),
        PartitionLag("2", 0, 0.0),
    )


def test_seconds_count_from_the_newest_of_what_is_known() -> None:
    ends = {"0": SeenEnd(99, NOON - 10 * MINUTE)}
    (lag,) = partition_lags(ends, (), [], NOON, {"0": NOON - MINUTE})
    assert lag == PartitionLag("0", 100, 60.0)
    (unknown,) = partition_lags({"0": SeenEnd(99, None)}, (), [], NOON)
    assert unknown.seconds is None


def test_positions_that_do_not_count_messages_give_no_rows() -> None:
    (lag,) = partition_lags({"s": SeenEnd(10**50, NOON)}, (), [], NOON, counted=False)
    assert lag == PartitionLag("s", None, 0.0)
    assert not lag.level


def test_a_look_keeps_when_a_partition_was_last_level() -> None:
    ends = StreamEnds({"0": PartitionEnd(0, 9), "1": PartitionEnd(0, 9)})
    before = {"0": SeenEnd(1, NOON - MINUTE), "1": SeenEnd(1, NOON - MINUTE)}
    lags = (PartitionLag("0", 0, 0.0), PartitionLag("1", 5, 1.0))
    seen = seen_ends(ends, before, lags, NOON)
    assert seen == {"0": SeenEnd(9, NOON), "1": SeenEnd(9, NOON - MINUTE)}
    assert ends_from_json(ends_to_json(seen)) == seen


def test_an_outcome_survives_its_text() -> None:
    outcome = BatchOutcome(10, 8, 2, 1_000, 0.5, {"0": NOON})
    assert BatchOutcome.from_json(outcome.to_json()) == outcome
    assert outcome.message_bytes == 100
