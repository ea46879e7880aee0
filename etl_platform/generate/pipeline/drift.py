"""Three versions of a document's values -> one: what was generated, what people made of it, what
would be generated now.

What only one side changed is taken from that side. What both changed stays as people have it, and
is named. A contract's rules are the same rule by kind and columns, wherever they stand in the list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from etl_platform.generate.pipeline.yaml_text import At, Yaml, flow


class _Absent(Enum):
    ABSENT = "absent"


ABSENT: Final = _Absent.ABSENT
Maybe: TypeAlias = "Yaml | _Absent"


@dataclass(frozen=True, slots=True)
class Conflict:
    """A place that people and the source both changed, or that people changed and is gone there."""

    path: str
    at: At
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {'.'.join(self.at) or 'the whole file'}: {self.why}"


def merged(
    base: Maybe, ours: Maybe, new: Maybe, path: str, at: At, conflicts: list[Conflict]
) -> Maybe:
    """The value that is to stand at ``at``; conflicts are added to the list."""
    if ours == new or new == base:
        return ours
    if ours == base:
        return new
    if isinstance(ours, Mapping) and isinstance(new, Mapping):
        before = base if isinstance(base, Mapping) else {}
        return _mappings(before, ours, new, path, at, conflicts)
    if isinstance(ours, list) and isinstance(new, list):
        return _lists(base if isinstance(base, list) else [], ours, new, path, at, conflicts)
    conflicts.append(Conflict(path, at, _why(base, ours, new)))
    return ours


def identity(item: Yaml) -> str:
    """What makes an item of a list the same item after a change."""
    if isinstance(item, Mapping) and "rule" in item:
        columns = item.get("columns", item.get("column"))
        if isinstance(columns, str):
            columns = [columns]
        return json.dumps([item["rule"], item.get("name"), columns], default=str)
    return json.dumps(item, default=str, sort_keys=True)


def _mappings(
    base: Mapping[str, Yaml],
    ours: Mapping[str, Yaml],
    new: Mapping[str, Yaml],
    path: str,
    at: At,
    conflicts: list[Conflict],
) -> dict[str, Yaml]:
    found: dict[str, Yaml] = {}
    for key in dict.fromkeys((*ours, *new)):
        value = merged(
            base.get(key, ABSENT),
            ours.get(key, ABSENT),
            new.get(key, ABSENT),
            path,
            (*at, key),
            conflicts,
        )
        if not isinstance(value, _Absent):
            found[key] = value
    return found


def _lists(
    base: Sequence[Yaml],
    ours: Sequence[Yaml],
    new: Sequence[Yaml],
    path: str,
    at: At,
    conflicts: list[Conflict],
) -> list[Yaml]:
    before, mine, news = ({identity(one): one for one in items} for items in (base, ours, new))
    return list(_mappings(before, mine, news, path, at, conflicts).values())


def _why(base: Maybe, ours: Maybe, new: Maybe) -> str:
    if isinstance(new, _Absent):
        return "the source no longer has it, and it was edited here: kept, remove it by hand"
    if isinstance(ours, _Absent):
        return f"it was removed here; the source now says {_short(new)}"
    if isinstance(base, _Absent):
        return f"it was added here as {_short(ours)}; the source says {_short(new)}"
    return f"kept as {_short(ours)}; the source changed it from {_short(base)} to {_short(new)}"


def _short(value: Maybe) -> str:
    text = "nothing" if isinstance(value, _Absent) else flow(value)
    return text if len(text) <= 120 else text[:119] + "…"
