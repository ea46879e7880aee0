"""What a model's newest rows were made from, as its next run compares it with the world.

It stands in the commit of the rows: there is no moment at which one of the two is there without the
other, and a revert brings back the state that belongs to the rows of its version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from etl_platform.core.names import TableName
from etl_platform.lakehouse.log import Snapshot
from etl_platform.lakehouse.origin import STATE


@dataclass(frozen=True, slots=True)
class Pin:
    """One version of a table, and which table: one that is made again has another identity."""

    version: int
    identity: str

    @classmethod
    def of(cls, snapshot: Snapshot) -> Pin:
        return cls(snapshot.version, str(snapshot.delta.metadata().id))


@dataclass(frozen=True, slots=True)
class State:
    """What a model's rows follow from.

    Attributes:
        inputs: every table that was read.
        text: digest of the model as it is written, options included.
        logic: digest of what it means, see :mod:`etl_platform.transforms.incremental.logic`; None
            where that is not known.
        volatile: a function that gives something else in each run, None when there is none.
        held: the expectations of its steps that were found to hold, see
            :mod:`etl_platform.transforms.incremental.held`.
    """

    inputs: Mapping[TableName, Pin]
    text: str
    logic: str | None = None
    volatile: str | None = None
    held: tuple[str, ...] = ()

    def annotation(self) -> dict[str, str]:
        """The form kept in the Delta commit."""
        inputs = {t.sql: [pin.version, pin.identity] for t, pin in sorted(self.inputs.items())}
        body = [inputs, self.text, self.logic, self.volatile, *([self.held] if self.held else ())]
        return {STATE: json.dumps(body)}

    @classmethod
    def of(cls, annotations: Mapping[str, str]) -> Self | None:
        """The state among a version's annotations; None when its rows are of another origin."""
        text = annotations.get(STATE)
        if text is None:
            return None
        inputs, written, logic, unsteady, *held = json.loads(text)
        pins = {TableName.parse(t): Pin(*pin) for t, pin in inputs.items()}
        return cls(pins, written, logic, unsteady, tuple(held[0]) if held else ())


def digest(*parts: object) -> str:
    """A short digest of texts and of what prints the same whenever it is equal."""
    return sha256("\x00".join(map(str, parts)).encode()).hexdigest()[:32]
