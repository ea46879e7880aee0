"""Some messages of a stream -> how they are decoded: format, columns, what is personal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from etl_platform.generate.pipeline.yaml_text import Yaml

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)")
_MOST_INT64 = (1 << 63) - 1


@dataclass(frozen=True)
class Sampled:
    """``decode`` as a stream's options take it, and what is to be known of it."""

    decode: Mapping[str, Yaml]
    personal: Mapping[str, str]
    notes: tuple[str, ...]
    told: tuple[str, ...]


def sampled(values: Sequence[bytes], partitions: int) -> Sampled:
    """Find the columns of JSON objects; anything else is kept as its bytes.

    Whole numbers are int64, other numbers float64, texts that are all times with an offset
    timestamptz. What is an object, a list, or now of one kind and now of another stays in the text
    ``_rest``, as does every field that comes later.
    """
    records = [one for one in map(_record, values) if one is not None]
    size = f"{len(values):,} messages of {partitions} partitions looked at"
    if not values:
        return Sampled(
            {"format": "raw"}, {}, (f"{size}: declare format and columns when there are some",),
            ("the stream is empty: messages are kept as their bytes until columns are declared",),
        )  # fmt: skip
    if len(records) < len(values) * 0.9:
        confluent = all(value[:1] == b"\x00" for value in values)
        told = (
            "messages begin as Avro of a schema registry does: declare format: avro, its registry"
            if confluent
            else "messages are no JSON objects: they are kept as their bytes"
        )
        return Sampled({"format": "raw"}, {}, (size,), (told,))
    columns, kept = _columns(records)
    notes = [size]
    if len(records) < len(values):
        notes.append(f"{len(values) - len(records)} of them are no JSON objects")
    if kept:
        notes.append(f"in _rest, as JSON: {', '.join(kept)}")
    personal = _personal(records, columns)
    if personal:
        listed = ", ".join(f"{name} ({kind})" for name, kind in personal.items())
        notes.append(f"personal data: {listed}")
    if not columns:
        return Sampled({"format": "raw"}, personal, tuple(notes), ())
    decode: dict[str, Yaml] = {"format": "json", "columns": columns, "rest": True}
    return Sampled(decode, personal, tuple(notes), ())


def _record(value: bytes) -> Mapping[str, object] | None:
    try:
        found: object = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return cast("Mapping[str, object]", found) if isinstance(found, dict) else None


def _columns(records: Sequence[Mapping[str, object]]) -> tuple[dict[str, Yaml], list[str]]:
    columns: dict[str, Yaml] = {}
    kept: list[str] = []
    taken: set[str] = set()
    for name in dict.fromkeys(name for record in records for name in record):
        values = [record[name] for record in records if record.get(name) is not None]
        kind = _kind(values)
        if kind is None or not _NAME.fullmatch(name) or name.lower() in taken:
            kept.append(name)
            continue
        taken.add(name.lower())
        columns[name] = kind
    return columns, kept


def _kind(values: Sequence[object]) -> str | None:
    if not values:
        return None
    if all(isinstance(one, bool) for one in values):
        return "bool"
    if any(isinstance(one, bool) for one in values):
        return None
    if all(isinstance(one, int) and -_MOST_INT64 <= one <= _MOST_INT64 for one in values):
        return "int64"
    if all(isinstance(one, (int, float)) for one in values):
        return "float64"
    if all(isinstance(one, str) for one in values):
        return "timestamptz" if all(_TIME.fullmatch(str(one)) for one in values) else "string"
    return None


def _personal(
    records: Sequence[Mapping[str, object]], columns: Mapping[str, Yaml]
) -> Mapping[str, str]:
    from etl_platform.quality.pii import classify

    found: dict[str, str] = {}
    for name, kind in columns.items():
        if kind == "string":
            verdict = classify(name, "string", [record.get(name) for record in records])
            if verdict is not None:
                found[name] = verdict.value
    return found
