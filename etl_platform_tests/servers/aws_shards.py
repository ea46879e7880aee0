"""Moto's Kinesis, made to behave as AWS documents it where streams depend on it.

As it comes moto copies messages from parents to children when shards are split or merged, goes on
writing to the parents, never ends a closed shard, counts positions from 1 in every shard, and wants
the stream's name beside a token that stands for it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from unittest.mock import patch

from moto.kinesis import models

PAGE_BYTES = 10 << 20
_SHARDS_OF_A_PAGE = 40
_numbers = count(1)


def _next_number() -> int:
    """56 digits that grow over all shards, with gaps."""
    return 49_590_338 * 10**48 + next(_numbers) * 7_919


class DocumentedShard(models.Shard):
    """Positions are large, a page has 10 MB at most, a closed shard has an end."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.made_at = _next_number()
        self.closed_at: int | None = None

    def put_record(self, partition_key: str, data: str, explicit_hash_key: str) -> str:
        number = _next_number()
        self.records[number] = models.Record(partition_key, data, number, explicit_hash_key)
        return str(number)

    def get_records(
        self, last_sequence_id: str, limit: int | None
    ) -> tuple[list[models.Record], int, int]:
        found: list[models.Record] = []
        last, size = int(last_sequence_id), 0
        later = [one for number, one in self.records.items() if number > last]
        for one in later[: limit or 10_000]:
            size += len(one.data) * 3 // 4
            if found and size > PAGE_BYTES:
                break
            found.append(one)
        if found:
            last = found[-1].sequence_number
        left = later[len(found) :]
        behind = max(1, int((left[-1].created_at - left[0].created_at) * 1000)) if left else 0
        return found, last, behind

    def to_json(self) -> dict[str, object]:
        body = super().to_json()
        body["SequenceNumberRange"] = {"StartingSequenceNumber": str(self.made_at)}
        if self.closed_at is not None:
            body["SequenceNumberRange"]["EndingSequenceNumber"] = str(self.closed_at)
        return body

    def close(self) -> None:
        self.closed_at = _next_number()

    def ended(self, last: int) -> bool:
        """Whether nothing can come after a position any more."""
        return self.closed_at is not None and last >= self.get_max_sequence_number()


class DocumentedStream(models.Stream):
    """Messages stay in the shard that they were written to; only open shards are written to."""

    def split_shard(self, shard_to_split: str, new_starting_hash_key: str) -> None:
        with _keeping(self.shards[shard_to_split]):
            super().split_shard(shard_to_split, new_starting_hash_key)

    def merge_shards(self, shard_to_merge: str, adjacent_shard_to_merge: str) -> None:
        first, second = self.shards[shard_to_merge], self.shards[adjacent_shard_to_merge]
        with _keeping(first), _keeping(second):
            super().merge_shards(shard_to_merge, adjacent_shard_to_merge)

    def get_shard_for_key(self, partition_key: str, explicit_hash_key: str) -> models.Shard | None:
        whole = self.shards
        self.shards = {name: one for name, one in whole.items() if one.is_open}
        try:
            return super().get_shard_for_key(partition_key, explicit_hash_key)
        finally:
            self.shards = whole


@contextmanager
def _keeping(shard: DocumentedShard) -> Iterator[None]:
    """Hide a shard's messages from moto while it is closed."""
    kept, shard.records = shard.records, OrderedDict()
    try:
        yield
    finally:
        shard.records = kept
    shard.close()


_moto_get_records = models.KinesisBackend.get_records


def _get_records(self, stream_arn, shard_iterator, limit):
    name, shard, _ = models.decompose_shard_iterator(shard_iterator)
    following, records, behind = _moto_get_records(self, stream_arn, shard_iterator, limit)
    last = int(models.decompose_shard_iterator(following)[2])
    # That a closed shard is at its end is told by the read that finds nothing more.
    ended = not records and self.describe_stream(stream_arn, name).shards[shard].ended(last)
    return None if ended else following, records, behind


def _list_shards(self, stream_arn, stream_name, limit, next_token):
    name, _, begin = (next_token or f"{stream_name or stream_arn}|0").partition("|")
    assert next_token is None or stream_name is None, "a token stands for the stream"
    stream = self.describe_stream(name if name.startswith("arn:") else None, name)
    end = int(begin) + min(limit, _SHARDS_OF_A_PAGE)
    shards = sorted(stream.shards.values(), key=lambda one: one.shard_id)
    return shards[int(begin) : end], f"{name}|{end}" if end < len(shards) else None


@contextmanager
def documented_kinesis() -> Iterator[None]:
    """While it lasts streams of moto are made in this way."""
    with (
        patch.object(models, "Shard", DocumentedShard),
        patch.object(models, "Stream", DocumentedStream),
        patch.object(models.KinesisBackend, "get_records", _get_records),
        patch.object(models.KinesisBackend, "list_shards", _list_shards),
    ):
        yield
