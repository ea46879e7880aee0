"""Values for a query's parameters: typed, written as text, read back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from etl_platform.core.errors import ConfigError, PermanentError, UnknownName

Params: TypeAlias = Mapping[str, object] | Sequence[object] | None
"""Values for ``$name`` (a mapping) or ``?`` (a sequence)."""

_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("not true or false")
    return text.lower() == "true"


def _timestamp(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


TYPES: Mapping[str, Callable[[str], object]] = {
    "text": str,
    "integer": int,
    "decimal": Decimal,
    "float": float,
    "boolean": _boolean,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": _timestamp,
    "bytes": bytes.fromhex,
}
"""Every type that a parameter can have, and how its text is read. Times are ISO 8601 (timestamptz
without an offset is UTC), bytes hexadecimal."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a saved query.

    Attributes:
        name: as in ``$name``.
        type: one of :data:`TYPES`.
        default: its text; a parameter without one has to be given.
    """

    name: str
    type: str
    default: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"{self.name!r} cannot be the name of a parameter",
                valid="lower-case letters, digits and _",
            )
        if self.type not in TYPES:
            raise UnknownName("type", self.type, TYPES, where=f"parameter {self.name}")
        if self.default is not None:
            self.read(self.default)

    @classmethod
    def parse(cls, text: str) -> Parameter:
        """``name:type`` or ``name:type=default``.

        Raises:
            ConfigError: the text has another form, or the default is not of the type.
        """
        declared, given, default = text.partition("=")
        name, colon, kind = declared.partition(":")
        if not colon:
            raise ConfigError(f"{text!r} declares no type", valid="NAME:TYPE or NAME:TYPE=DEFAULT")
        return cls(name, kind, default if given else None)

    def read(self, text: str) -> object:
        """The value that a text means.

        Raises:
            PermanentError: it is not of the type.
        """
        try:
            return TYPES[self.type](text)
        except (ValueError, InvalidOperation) as error:
            raise PermanentError(
                f"parameter {self.name}: {text!r} is not of type {self.type}"
            ) from error


def bind(parameters: Iterable[Parameter], given: Mapping[str, str]) -> dict[str, object]:
    """A value for every parameter, from texts and defaults.

    Raises:
        UnknownName: a text is given for something that is no parameter.
        PermanentError: a parameter has neither text nor default, or a text is not of its type.
    """
    declared = {parameter.name: parameter for parameter in parameters}
    for name in given:
        if name not in declared:
            raise UnknownName("parameter", name, declared)
    values: dict[str, object] = {}
    for name, parameter in declared.items():
        text = given.get(name, parameter.default)
        if text is None:
            raise PermanentError(
                f"parameter {name} ({parameter.type}) has no value", fix=f"pass {name}=VALUE"
            )
        values[name] = parameter.read(text)
    return values


def declared_json(parameters: Iterable[Parameter]) -> str:
    """Declarations as the metastore keeps them."""
    return json.dumps([asdict(parameter) for parameter in parameters])


def declared(text: str) -> tuple[Parameter, ...]:
    """:func:`declared_json` read back."""
    return tuple(Parameter(**row) for row in json.loads(text))


def recorded(params: Params) -> str:
    """Bound values as a JSON list of ``[name or null, type, text]``.

    A value of a type that is not in :data:`TYPES` is recorded as ``other``, with its ``repr``.
    """
    if params is None:
        return "[]"
    named = params.items() if isinstance(params, Mapping) else ((None, value) for value in params)
    return json.dumps([[name, *_text(value)] for name, value in named])


def replayed(text: str) -> dict[str, object] | list[object] | None:
    """:func:`recorded` values, to run the query again.

    Raises:
        PermanentError: one of them was of a type that cannot be read back.
    """
    rows: list[tuple[str | None, str, str]] = json.loads(text)
    if not rows:
        return None
    values: list[tuple[str | None, object]] = []
    for name, kind, written in rows:
        if kind not in TYPES and kind != "null":
            raise PermanentError(f"a parameter was {written}, which cannot be read back")
        values.append((name, None if kind == "null" else TYPES[kind](written)))
    if values[0][0] is None:
        return [value for _, value in values]
    return {str(name): value for name, value in values}


def _text(value: object) -> tuple[str, str]:
    match value:
        case None:
            return "null", ""
        case bool():
            return "boolean", str(value).lower()
        case str():
            return "text", value
        case int():
            return "integer", str(value)
        case float():
            return "float", repr(value)
        case Decimal():
            return "decimal", str(value)
        case datetime():
            return ("timestamp" if value.tzinfo is None else "timestamptz"), value.isoformat()
        case date():
            return "date", value.isoformat()
        case bytes():
            return "bytes", value.hex()
        case _:
            return "other", repr(value)[:1000]
