"""Failures beside those of the past: which one was the same, and what ended it."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etl_platform.metastore.records import FailureRecord

_VARIABLE = (
    (re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`"), " value "),
    (re.compile(r"\b\w+://\S+"), " address "),
    (re.compile(r"(?<!\w)[~.]{0,2}/[\w./\-]+"), " path "),
    (re.compile(r"\b[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\b", re.IGNORECASE), " id "),
    (re.compile(r"\b[\w-]+\.[\w.\-]+\b"), " name "),
    (re.compile(r"\d+(?:[.,:]\d+)*"), " number "),
)
_WORD = re.compile(r"[^\W\d_]{2,}")
_LIBRARIES = ("dagster", "duckdb", "polars", "etl-platform", "sqlalchemy")
_SAME_TYPE = 0.35
"""What it counts that two errors have the same type; the rest are the words of their messages."""
ALIKE = 0.5
"""From here on a past failure is worth telling."""


def signature(message: str) -> str:
    """The words of a message that stay the same from time to time, in their order.

    Quoted values, addresses, paths, identifiers, dotted names and numbers are left out: they tell
    which table or row, not what happened.
    """
    text = message.partition("\n")[0]
    for pattern, word in _VARIABLE:
        text = pattern.sub(word, text)
    return " ".join(_WORD.findall(text.lower()))


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What stood around a try.

    Attributes:
        inputs: version of each table of the lake that it reads.
        definition: changes with the asset's declaration, contract or code.
        libraries: their versions.
        config: changes with the run's configuration.
    """

    inputs: Mapping[str, int | None] = field(default_factory=dict[str, "int | None"])
    definition: str = ""
    libraries: Mapping[str, str] = field(default_factory=dict[str, str])
    config: str = ""

    def to_json(self) -> str:
        return json.dumps(
            {
                "inputs": dict(self.inputs),
                "definition": self.definition,
                "libraries": dict(self.libraries),
                "config": self.config,
            },
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, text: str) -> Circumstances:
        return cls(**json.loads(text))


def libraries() -> dict[str, str]:
    """Versions of what an asset's result may depend on."""
    found: dict[str, str] = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def difference(failure: FailureRecord, then: Circumstances, run_id: str, at: datetime) -> str:
    """What was different when it succeeded, as one sentence."""
    before = Circumstances.from_json(failure.circumstances)
    changed: list[str] = []
    if before.definition != then.definition:
        changed.append("the asset's declaration, contract or code was changed")
    if before.config != then.config:
        changed.append("the run had another configuration")
    for table in sorted({*before.inputs, *then.inputs}):
        old, new = before.inputs.get(table), then.inputs.get(table)
        if old != new:
            changed.append(f"{table} went from {_version(old)} to {_version(new)}")
    for name in sorted({*before.libraries, *then.libraries}):
        old_release, new_release = before.libraries.get(name), then.libraries.get(name)
        if old_release != new_release:
            changed.append(f"{name} {old_release} became {new_release}")
    later = _duration((at - failure.failed_at).total_seconds())
    if changed:
        return f"{'; '.join(changed)} ({later} later)"
    again = "a retry of the same run" if run_id == failure.run_id else "the same again"
    return (
        f"{again} succeeded {later} later: what it reads from outside changed, or the fault passed"
    )


def _version(number: int | None) -> str:
    return "not there" if number is None else f"version {number}"


def _duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


@dataclass(frozen=True, slots=True)
class Alike:
    """A past failure and how alike it is, from 0 to 1."""

    failure: FailureRecord
    score: float


def nearest(failure: FailureRecord, past: Sequence[FailureRecord], most: int = 3) -> list[Alike]:
    """The past failures most like this one, each cause told once, those with an end first among
    equals.

    Words count by how rare they are among all these messages (inverse document frequency), so that
    what every message says tells nothing.
    """
    others = [
        one
        for one in past
        if (one.run_id, one.asset, one.partition)
        != (failure.run_id, failure.asset, failure.partition)
    ]
    weights = _weights([failure, *others])
    scored = [Alike(one, round(_score(failure, one, weights), 3)) for one in others]
    scored.sort(
        key=lambda one: (one.score, one.failure.ended_at is not None, one.failure.failed_at),
        reverse=True,
    )
    found: list[Alike] = []
    told: set[tuple[str, str | None]] = set()
    for one in scored:
        kind = one.failure.signature, one.failure.resolution
        if one.score >= ALIKE and kind not in told:
            told.add(kind)
            found.append(one)
    return found[:most]


def _weights(records: Sequence[FailureRecord]) -> dict[str, float]:
    counts = Counter(word for one in records for word in set(one.signature.split()))
    return {word: math.log(1 + len(records) / count) for word, count in counts.items()}


def _score(one: FailureRecord, other: FailureRecord, weights: Mapping[str, float]) -> float:
    words, their = set(one.signature.split()), set(other.signature.split())
    union = sum(weights[word] for word in words | their)
    same = sum(weights[word] for word in words & their) / union if union else 1.0
    return _SAME_TYPE * (one.error_type == other.error_type) + (1 - _SAME_TYPE) * same
