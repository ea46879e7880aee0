"""A stream of keys becomes groups, in memory that does not grow with the number of keys."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Self

from etl_platform.core.objects import ObjectInfo
from etl_platform.generate.objects.model import LeftAside, Partition
from etl_platform.generate.objects.partitioning import IN_NAMES, PartitionValues
from etl_platform.generate.objects.patterns import KeyPattern, date_of, pattern_of

DRAWN = 10
"""Objects of each group that are drawn at random."""
_MOST_GROUPS = 2_000
_MOST_STEMS = 100


@dataclass
class Group:
    """Objects of one pattern: counted all, kept some."""

    pattern: KeyPattern
    first: ObjectInfo
    last: ObjectInfo
    newest: ObjectInfo
    oldest: ObjectInfo
    smallest: ObjectInfo
    objects: int = 0
    size_bytes: int = 0
    drawn: list[ObjectInfo] = field(default_factory=list[ObjectInfo])
    extensions: set[str] = field(default_factory=set[str])
    values: dict[str, PartitionValues] = field(default_factory=dict[str, PartitionValues])

    @classmethod
    def of(cls, pattern: KeyPattern, info: ObjectInfo) -> Self:
        """A group before its first object is counted."""
        return cls(pattern, info, info, info, info, info)

    def add(self, info: ObjectInfo, pattern: KeyPattern, chance: random.Random) -> None:
        """Count an object; it is among the drawn ones with the same chance as every other."""
        self.objects += 1
        self.size_bytes += info.size_bytes
        self.last = info
        self.extensions.add(pattern.written)
        if info.modified > self.newest.modified:
            self.newest = info
        if info.modified < self.oldest.modified:
            self.oldest = info
        if info.size_bytes < self.smallest.size_bytes:
            self.smallest = info
        # Vitter, Random Sampling with a Reservoir (1985), algorithm R.
        if len(self.drawn) < DRAWN:
            self.drawn.append(info)
        elif (at := int(chance.random() * self.objects)) < DRAWN:
            self.drawn[at] = info
        for name, value in pattern.hive:
            self.values.setdefault(name, PartitionValues()).add(value, info.size_bytes)
        if not pattern.hive and (day := date_of(info.key)) is not None:
            self.values.setdefault(IN_NAMES, PartitionValues()).add(day, info.size_bytes)

    def to_look_at(self) -> list[ObjectInfo]:
        """Those drawn, then the ends of the list, the newest and the smallest."""
        ends = (self.first, self.last, self.newest, self.smallest)
        return list({info.key: info for info in (*self.drawn, *ends)}.values())

    def partitions(self) -> tuple[Partition, ...]:
        return tuple(values.partition(name) for name, values in self.values.items())


@dataclass
class Listing:
    """All objects of a place, by what their keys have in common."""

    groups: list[Group]
    aside: list[LeftAside]
    objects: int
    size_bytes: int


def group(objects: Iterable[ObjectInfo], seed: int = 0) -> Listing:
    """Read a listing once.

    A folder with more than 100 files that differ in more than numbers becomes one group of them;
    groups beyond 2,000 are counted only.
    """
    chance = random.Random(seed)
    groups: dict[str, Group] = {}
    stems: dict[tuple[str, str], int] = defaultdict(int)
    aside: dict[str, LeftAside] = {}
    total = size = 0
    for info in objects:
        total += 1
        size += info.size_bytes
        if (reason := _no_data(info)) is not None:
            _put_aside(aside, reason, info)
            continue
        pattern = pattern_of(info.key)
        found = groups.get(pattern.text)
        if found is None:
            kind = (pattern.folder, pattern.extension)
            if stems[kind] >= _MOST_STEMS:
                pattern = replace(pattern, stem="*")
                if stems[kind] == _MOST_STEMS:
                    _collapse(groups, pattern, chance)
                    stems[kind] += 1
                found = groups.get(pattern.text)
            else:
                stems[kind] += 1
        if found is None:
            if len(groups) >= _MOST_GROUPS:
                _put_aside(aside, f"more than {_MOST_GROUPS:,} patterns of keys", info)
                continue
            found = groups[pattern.text] = Group.of(pattern, info)
        found.add(info, pattern, chance)
    ordered = sorted(groups.values(), key=lambda one: (-one.size_bytes, one.pattern.text))
    return Listing(ordered, list(aside.values()), total, size)


def _collapse(groups: dict[str, Group], into: KeyPattern, chance: random.Random) -> None:
    """Single files of a folder become one group."""
    alone = [
        text
        for text, one in groups.items()
        if one.objects == 1
        and (one.pattern.folder, one.pattern.extension) == (into.folder, into.extension)
    ]
    for text in alone:
        info = groups.pop(text).first
        if into.text not in groups:
            groups[into.text] = Group.of(into, info)
        groups[into.text].add(info, pattern_of(info.key), chance)


def _no_data(info: ObjectInfo) -> str | None:
    parts = info.key.split("/")
    if "_delta_log" in parts:
        return "log of a Delta table: its other files belong to several versions"
    if any(part.startswith(("_", ".")) for part in parts):
        return "names that begin with _ or . (markers, logs, drafts)"
    if info.size_bytes == 0:
        return "empty objects"
    return None


def _put_aside(aside: dict[str, LeftAside], reason: str, info: ObjectInfo) -> None:
    before = aside.get(reason) or LeftAside(reason, 0, 0, info.key)
    aside[reason] = replace(
        before, objects=before.objects + 1, size_bytes=before.size_bytes + info.size_bytes
    )
