"""Where a project refers to secrets: its settings, the YAML of its components, its resources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from etl_platform.core.errors import ConfigError
from etl_platform.core.secrets import check_no_literal_secret, is_reference

if TYPE_CHECKING:
    from yaml import Node

    from etl_platform.core.settings import Settings


@dataclass(slots=True)
class SecretUse:
    """A reference and the places that use it.

    Attributes:
        reference: as it is written; empty where a credential stands there itself.
        places: ``setting ETL_MASK_KEY``, ``defs/shop/defs.yaml:4``, ``resource shop_database``.
        refused: what is wrong with a credential that stands there itself.
    """

    reference: str
    places: list[str] = field(default_factory=list[str])
    refused: str | None = None


def in_settings(settings: Settings, environment: Mapping[str, str]) -> Iterator[SecretUse]:
    """References among the settings, and in what Dagster's own storage is told."""
    from etl_platform.instance_storage import POSTGRES_URL

    for name in type(settings).model_fields:
        value: object = getattr(settings, name)
        if isinstance(value, str) and is_reference(value):
            yield SecretUse(value, [f"setting ETL_{name.upper()}"])
    if is_reference(environment.get(POSTGRES_URL, "")):
        yield SecretUse(environment[POSTGRES_URL], [f"setting {POSTGRES_URL}"])


def in_yaml(folder: Path) -> Iterator[SecretUse]:
    """References, and literal credentials of URLs, in every YAML file below a folder."""
    import yaml

    for path in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]):
        shown = path.relative_to(folder.parent)
        try:
            documents = list(yaml.compose_all(path.read_text(encoding="utf-8")))
        except yaml.YAMLError as error:
            # The error quotes what it could not read.
            mark = getattr(error, "problem_mark", None)
            line = "" if mark is None else f":{mark.line + 1}"
            raise ConfigError(f"{shown}{line} is not YAML") from None
        for line, text in _scalars(documents):
            place = f"{shown}:{line}"
            if is_reference(text):
                yield SecretUse(text.strip(), [place])
                continue
            try:
                # A text of several words is a description or SQL: no URL.
                if "://" in text and len(text.split()) == 1:
                    check_no_literal_secret(text)
            except ConfigError as error:
                yield SecretUse("", [place], refused=f"{error.what}; {error.fix}")


def in_resources(resources: Mapping[str, object]) -> Iterator[SecretUse]:
    """References in the fields of resources, nested ones included."""
    for key, resource in resources.items():
        for text in _texts(resource):
            if is_reference(text):
                yield SecretUse(text.strip(), [f"resource {key}"])


def merged(uses: Iterable[SecretUse]) -> list[SecretUse]:
    """Each reference once with all its places, in the order in which they were found."""
    found: dict[tuple[str, str | None], SecretUse] = {}
    for use in uses:
        known = found.setdefault((use.reference, use.refused), SecretUse(use.reference))
        known.refused = use.refused
        known.places += [place for place in use.places if place not in known.places]
    return list(found.values())


def _scalars(nodes: Sequence[Node | None]) -> Iterator[tuple[int, str]]:
    import yaml

    for node in nodes:
        if isinstance(node, yaml.ScalarNode):
            yield node.start_mark.line + 1, str(node.value)
        elif isinstance(node, yaml.SequenceNode):
            yield from _scalars(node.value)
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                yield from _scalars((key, value))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _texts(getattr(value, name))
    elif isinstance(value, Mapping):
        for inner in cast("Mapping[object, object]", value).values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple | set | frozenset):
        for inner in cast("Iterable[object]", value):
            yield from _texts(inner)
