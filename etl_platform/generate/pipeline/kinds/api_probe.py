"""One resource of an API, looked at: how its pages follow each other, its key, what is personal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etl_platform.generate.pipeline.yaml_text import Yaml

if TYPE_CHECKING:
    from etl_platform.sources.api.messages import Transport
    from etl_platform.sources.api.pagination.protocol import Step
    from etl_platform.sources.api.records.reading import Page
    from etl_platform.sources.api.resources import ResourceOptions

_KEYS = re.compile(r"(?i)_?id|uuid|guid|key|code")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
_CHANGED = re.compile(r"(?i)updat|modif|chang")


@dataclass(frozen=True, slots=True)
class Probed:
    """What the first pages showed."""

    pagination: Mapping[str, Yaml]
    why: str
    key: str | None
    times: tuple[str, ...]
    personal: Mapping[str, str]
    records: int

    @property
    def changed(self) -> str | None:
        """A time that seems to change with the record."""
        return next((name for name in self.times if _CHANGED.search(name)), None)


def probe(transport: Transport, resource: ResourceOptions) -> Probed:
    """Ask for the first page, and where it leaves open how to go on, for one or two more.

    Raises:
        ApiRefused, ApiUnavailable, BadResponse: as the transport and the reader raise them.
    """
    from etl_platform.sources.api.pagination.detection import detect
    from etl_platform.sources.api.pagination.protocol import Step
    from etl_platform.sources.api.records.reading import JsonReader
    from etl_platform.sources.api.templates import RequestTemplate

    template = RequestTemplate(resource)
    reader = JsonReader(resource.select)

    def fetch(step: Step) -> Page:
        return reader.read(transport.send(template.build(step)))

    first = fetch(Step())
    found = detect(first, fetch)
    scheme: Any = found.scheme
    said: dict[str, Yaml] = scheme.model_dump(exclude_defaults=True, exclude_none=True)
    records = [json.loads(record) for record in first.records]
    return Probed(
        pagination={"type": scheme.type, **said},
        why=found.why,
        key=_key(records),
        times=_times(records),
        personal=_personal(records),
        records=len(records),
    )


def _key(records: Sequence[Mapping[str, object]]) -> str | None:
    """A field named like a key, whose values are there and differ."""
    if not records:
        return None
    for name in sorted(records[0], key=lambda one: one.lower() != "id"):
        if not _KEYS.fullmatch(name):
            continue
        values = [record.get(name) for record in records]
        plain = all(isinstance(one, (int, str)) and not isinstance(one, bool) for one in values)
        if plain and len(set(values)) == len(values):
            return name
    return None


def _times(records: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    names = dict.fromkeys(name for record in records for name in record)
    return tuple(
        name
        for name in names
        if (values := [r[name] for r in records if r.get(name) is not None])
        and all(isinstance(one, str) and _TIME.fullmatch(one) for one in values)
    )


def _personal(records: Sequence[Mapping[str, object]]) -> Mapping[str, str]:
    from etl_platform.quality.pii import classify

    found: dict[str, str] = {}
    for name in dict.fromkeys(name for record in records for name in record):
        values = [record.get(name) for record in records]
        texts = [one for one in values if isinstance(one, str)]
        kind = classify(name, "string", texts) if texts else None
        if kind is not None:
            found[name] = kind.value
    return found
