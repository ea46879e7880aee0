"""Which candidates are worth their writes: asked of the database's planner, never guessed.

First each statement is planned with all of its candidates, and those that the plan uses are kept.
Then indexes are taken away again while no statement gets noticeably dearer: what is left is used,
and needed beside the others. The search follows Chaudhuri and Narasayya, "An Efficient, Cost-Driven
Index Selection Tool for Microsoft SQL Server" (VLDB 1997), from the other end: taking away sees
pairs of indexes that only help together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from etl_platform.sources.database.advice.candidates import candidates, covering
from etl_platform.sources.database.advice.model import Explained, Gain, Index, Statement

if TYPE_CHECKING:
    from etl_platform.sources.database.advice.usage import Usage

WORTH = 1.25
"""A statement has to become cheaper by this factor for an index to be suggested."""
COVERING_WORTH = 1.5
"""What carrying further columns has to save, because it makes the index larger."""
COVERING_SHARE = 0.02
"""And as a share of what the statement costs without any new index."""


class WhatIf(Protocol):
    """The database's planner, told of indexes that nobody else can see."""

    def explain(
        self, statements: Sequence[Statement], indexes: Iterable[Index]
    ) -> tuple[Explained, ...]:
        """Plans in the order of the statements. An index that cannot exist is left out."""
        ...

    def size_bytes(self, index: Index) -> int | None:
        """The size that an index which was explained would have."""
        ...


class Choosing:
    """One search over a workload."""

    def __init__(
        self, planner: WhatIf, statements: Sequence[Statement], uses: Sequence[Sequence[Usage]]
    ) -> None:
        self._planner, self._statements, self._uses = planner, statements, uses
        self._plans: dict[tuple[int, frozenset[Index]], Explained] = {}

    def plans(self, indexes: Iterable[Index]) -> tuple[Explained, ...]:
        """Plans of all statements; each is asked for once per set of indexes on its own tables."""
        have = tuple(dict.fromkeys(indexes))
        keys = [
            (number, frozenset(index for index in have if index.table in self._tables(number)))
            for number in range(len(self._statements))
        ]
        missing = [key for key in keys if key not in self._plans]
        if missing:
            explained = self._planner.explain([self._statements[n] for n, _ in missing], have)
            self._plans.update(zip(missing, explained, strict=True))
        return tuple(self._plans[key] for key in keys)

    def choose(self) -> tuple[Index, ...]:
        """The indexes to suggest, in the order in which the statements want them."""
        wanted: dict[Index, None] = {}
        for number, uses in enumerate(self._uses):
            possible = candidates(uses)
            if not possible:
                continue
            (plan,) = self._planner.explain([self._statements[number]], possible)
            wanted.update((index, None) for index in possible if index in plan.used | plan.wanted)
        return self._needed(self._covered(self._needed(list(wanted))))

    def gains(self, index: Index, chosen: Sequence[Index]) -> tuple[Gain, ...]:
        """What each statement that uses the index would lose without it, the others in place."""
        without = self.plans(other for other in chosen if other != index)
        return tuple(
            Gain(
                statement.number,
                old.cost,
                new.cost,
                tuple(line for line in old.accesses if line not in new.accesses),
                tuple(line for line in new.accesses if line not in old.accesses),
            )
            for statement, old, new in zip(
                self._statements, without, self.plans(chosen), strict=True
            )
            if index in new.used
        )

    def _needed(self, wanted: Iterable[Index]) -> tuple[Index, ...]:
        indexes: list[Index] = list(wanted)
        while indexes:
            current = self.plans(indexes)
            wanted_by = {index for plan in current for index in (*plan.used, *plan.wanted)}
            if any(index not in wanted_by for index in indexes):
                indexes = [index for index in indexes if index in wanted_by]
                continue
            used = {index for plan in current for index in plan.used}
            disputed = [index for index in indexes if index not in used]
            if disputed:  # one at a time: without the widest the plans may agree on another
                widest = max(disputed, key=_width)
                indexes = [index for index in indexes if index != widest]
                continue
            worth = {index: self._worth(index, indexes, current) for index in indexes}
            least = min(indexes, key=lambda index: worth[index])
            if worth[least] >= WORTH:
                break
            indexes = [index for index in indexes if index != least]
        return tuple(indexes)

    def _worth(self, index: Index, indexes: list[Index], current: Sequence[Explained]) -> float:
        """By which factor the statement that loses most gets dearer without the index."""
        without = self.plans(other for other in indexes if other != index)
        return max(
            (old.cost / max(new.cost, 1e-9) for old, new in zip(without, current, strict=True)
             if index in new.used), default=0.0,
        )  # fmt: skip

    def _covered(self, chosen: tuple[Index, ...]) -> tuple[Index, ...]:
        """With the columns that a statement reads besides, where that saves reading the table."""
        for index in chosen:
            plain = self.plans(chosen)
            for uses, before in zip(self._uses, plain, strict=True):
                wider = covering(index, uses) if index in before.used else None
                if wider is None:
                    continue
                swapped = tuple(wider if one == index else one for one in chosen)
                after = self.plans(swapped)
                if self._pays(wider, plain, after):
                    chosen = swapped
                    break
        return chosen

    def _pays(self, wider: Index, plain: Sequence[Explained], after: Sequence[Explained]) -> bool:
        pairs = list(zip(plain, after, self.plans(()), strict=True))
        saves = any(
            wider in new.used
            and old.cost >= COVERING_WORTH * new.cost
            and old.cost - new.cost >= COVERING_SHARE * bare.cost
            for old, new, bare in pairs
        )
        return saves and all(new.cost <= old.cost * 1.05 for old, new, _ in pairs)

    def _tables(self, number: int) -> frozenset[object]:
        return frozenset(use.table.id for use in self._uses[number])


def _width(index: Index) -> int:
    return len(index.keys) + len(index.include)
