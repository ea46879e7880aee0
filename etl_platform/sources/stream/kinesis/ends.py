"""The ends of all shards of a stream, looked at side by side."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

from etl_platform.sources.stream.kinesis.client import Service, Shard
from etl_platform.sources.stream.kinesis.connecting import CONNECTIONS
from etl_platform.sources.stream.kinesis.shard_end import ShardLook, Tip
from etl_platform.sources.stream.protocol import PartitionEnd


class Looking:
    """Looks at shards; remembers those that were seen level."""

    def __init__(self, batch_span_s: float) -> None:
        self._span = timedelta(seconds=batch_span_s)
        self._tips: dict[str, Tip] = {}

    def ends(
        self,
        service: Service,
        shards: Mapping[str, Shard],
        after: Mapping[str, int],
        retention_s: float,
        deadline: float,
    ) -> dict[str, PartitionEnd]:
        """The ends of all shards.

        Raises:
            StreamUnavailable: the deadline passed.
        """
        self._tips = {name: tip for name, tip in self._tips.items() if name in shards}

        def look(shard: Shard) -> PartitionEnd:
            position = after.get(shard.name)
            one = ShardLook(service, shard, position, deadline, self._tips, self._span)
            found = one.look(retention_s)
            if not one.certain:
                uncertain.add(shard.name)
            return replace(found, parents=ancestors(shard.name, shards))

        uncertain: set[str] = set()
        with ThreadPoolExecutor(CONNECTIONS, "kinesis-ends") as pool:
            found = dict(zip(shards, pool.map(look, shards.values()), strict=True))
        for name, end in found.items():
            if uncertain.intersection(end.parents):
                # More may lie in a parent than was seen: nothing of its children is told yet.
                found[name] = PartitionEnd(None, after.get(name), None, end.parents, end.closed)
        return found


def ancestors(name: str, shards: Mapping[str, Shard]) -> tuple[str, ...]:
    """Shards that held the keys of this one before, as far as they are still there.

    >>> shards = {"a": Shard("a", (), True), "b": Shard("b", ("a",), True)}
    >>> ancestors("c", shards | {"c": Shard("c", ("b", "x"), False)})
    ('a', 'b')
    """
    found: set[str] = set()
    waiting = [name]
    while waiting:
        shard = shards.get(waiting.pop())
        for parent in shard.parents if shard is not None else ():
            if parent in shards and parent not in found:
                found.add(parent)
                waiting.append(parent)
    return tuple(sorted(found))
