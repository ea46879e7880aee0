"""Whether numbers mean the same in two Avro schemas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from etl_platform.sources.stream.formats.avro.schema import (
    AvroSchema,
    Json,
    full_name,
    logical_type,
    space_within,
)

_PARTS = {"array": "items", "map": "values"}


def disagreement(writer: AvroSchema, reader: AvroSchema) -> str | None:
    """A field whose number would silently mean something else, which Avro's own rules let pass.

    Resolution compares the types beneath logical types only: milliseconds would be read as
    microseconds, and days as a count. Fields within records, arrays and maps are compared, too.
    """
    pair = _Comparison(writer, reader)
    return next(pair.differences("", _At(writer.definition), _At(reader.definition)), None)


@dataclass(frozen=True, slots=True)
class _At:
    """A type and the namespace in which its names are meant."""

    kind: Json
    space: str = ""


@dataclass(frozen=True, slots=True)
class _Comparison:
    writer: AvroSchema
    reader: AvroSchema
    seen: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def differences(self, where: str, written: _At, read: _At) -> Iterator[str]:
        """What differs in a field and within it, each told as a sentence."""
        theirs = list(_alternatives(written, self.writer.names))
        ours = list(_alternatives(read, self.reader.names))
        meant, wanted = _meanings(theirs), _meanings(ours)
        if meant != wanted:
            yield f"field {where!r} is written as {_told(meant)} and read as {_told(wanted)}"
            return
        for one, its_space in theirs:
            for other, other_space in ours:
                if one["type"] != other["type"]:
                    continue
                part = _PARTS.get(one["type"])
                if part is not None:
                    inner = _At(one[part], its_space), _At(other[part], other_space)
                    yield from self.differences(where, *inner)
                elif one["type"] == "record":
                    yield from self._of_fields(where, one, its_space, other, other_space)

    def _of_fields(
        self,
        where: str,
        written: dict[str, Any],
        their_space: str,
        read: dict[str, Any],
        our_space: str,
    ) -> Iterator[str]:
        pair = full_name(written["name"], their_space), full_name(read["name"], our_space)
        if pair in self.seen:
            return
        self.seen.add(pair)
        fields = {one["name"]: one["type"] for one in written["fields"]}
        for one in read["fields"]:
            names = (one["name"], *one.get("aliases", ()))
            found = next((name for name in names if name in fields), None)
            if found is not None:
                inner = f"{where}.{found}" if where else found
                theirs, ours = _At(fields[found], their_space), _At(one["type"], our_space)
                yield from self.differences(inner, theirs, ours)


def _alternatives(at: _At, names: dict[str, Json]) -> Iterator[tuple[dict[str, Any], str]]:
    """What a type can be: definitions with the namespaces within them; plain types are none."""
    kind = at.kind
    if isinstance(kind, list):
        for one in kind:
            yield from _alternatives(_At(one, at.space), names)
    elif isinstance(kind, dict):
        if isinstance(kind["type"], dict | list):
            yield from _alternatives(_At(kind["type"], at.space), names)
        else:
            yield kind, space_within(kind, at.space)
    else:
        full = full_name(kind, at.space)
        if full in names:
            space = full.rpartition(".")[0]
            yield from _alternatives(_At(names[full], space), names)


def _meanings(found: list[tuple[dict[str, Any], str]]) -> frozenset[str]:
    meant = {logical_type(kind): kind for kind, _ in found}
    meant.pop("", None)
    return frozenset(
        f"decimal of scale {kind.get('scale', 0)}" if logical == "decimal" else logical
        for logical, kind in meant.items()
    )


def _told(meaning: frozenset[str]) -> str:
    return " or ".join(sorted(meaning)) or "a type without logical type"
