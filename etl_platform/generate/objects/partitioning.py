"""Values of a partition, counted while keys go by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from etl_platform.generate.objects.model import Partition
from etl_platform.generate.objects.patterns import date_of

IN_NAMES = "date in the name"
"""Name of a partition that no folder names."""
_MOST_VALUES = 10_000
_STEPS = 100


@dataclass
class PartitionValues:
    """Different values, and their bounds even where they are too many to keep."""

    size_bytes: dict[str, int] = field(default_factory=dict[str, int])
    more: bool = False
    numbers: bool = True
    dates: bool = True
    low: str = ""
    high: str = ""

    def add(self, value: str, size_bytes: int) -> None:
        """Count an object of this value."""
        if value in self.size_bytes:
            self.size_bytes[value] += size_bytes
            return
        if not self.size_bytes:
            self.low = self.high = value
        self.numbers = self.numbers and value.isdecimal() and (value == "0" or value[0] != "0")
        self.dates = self.dates and date_of(value) == value
        if len(self.size_bytes) < _MOST_VALUES:
            self.size_bytes[value] = size_bytes
        else:
            self.more = True
        if self.numbers:
            self.low, self.high = min(self.low, value, key=int), max(self.high, value, key=int)
        else:
            self.low, self.high = min(self.low, value), max(self.high, value)

    def partition(self, name: str) -> Partition:
        """What is told of them."""
        kind = "int64" if self.numbers else "date32" if self.dates else "string"
        values = len(self.size_bytes)
        found = Partition(name, kind, values, self.more, self.low, self.high, hive=name != IN_NAMES)
        if self.more:
            return found
        if kind == "date32":
            places = [date.fromisoformat(one).toordinal() for one in self.size_bytes]
            first, last = min(places), max(places)
            sizes = _steps([one - first for one in places], self._sizes, last - first + 1)
            return found.with_sizes(sizes, missing_days=last - first + 1 - values)
        ordered = sorted(self.size_bytes, key=int if self.numbers else str)
        place = {value: at for at, value in enumerate(ordered)}
        return found.with_sizes(
            _steps([place[one] for one in self.size_bytes], self._sizes, values)
        )

    @property
    def _sizes(self) -> list[int]:
        return list(self.size_bytes.values())


def _steps(places: Sequence[int], sizes: Sequence[int], span: int) -> tuple[int, ...]:
    """Bytes along an axis of so many places, in at most 100 steps of equal length."""
    count = min(span, _STEPS)
    found = [0] * count
    for place, size in zip(places, sizes, strict=True):
        found[place * count // span] += size
    return tuple(found)
