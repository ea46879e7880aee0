"""Declared columns of a payload: names, types and where their values are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from etl_platform.core.errors import ConfigError
from etl_platform.sources.database import arrow_text

if TYPE_CHECKING:
    import pyarrow as pa

Unit = Literal["s", "ms", "us", "ns"]
_NAMES = {
    "date": "date32",
    "timestamp": "timestamp[us]",
    "timestamptz": "timestamp[us, UTC]",
    "double": "float64",
    "float": "float32",
    "boolean": "bool",
}


class ColumnSpec(BaseModel):
    """One column: ``amount: decimal(10, 2)`` is short for ``amount: {type: decimal(10, 2)}``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str | None = Field(
        default=None, description=f"One of {arrow_text.VALID}, date, timestamp, timestamptz."
    )
    fields: dict[str, ColumnDeclaration] | None = Field(
        default=None, description="Instead of a type: the fields of a structure."
    )
    items: ColumnDeclaration | None = Field(
        default=None, description="Instead of a type: what a list holds."
    )
    required: bool = Field(default=False, description="A message without a value is rejected.")
    path: str | None = Field(
        default=None,
        description="Where in the message the value is, names joined by dots. "
        "Default: a field of the column's name.",
        examples=["payload.user.id"],
    )
    unit: Unit | None = Field(
        default=None, description="The timestamp is a number of these since 1970."
    )
    format: str | None = Field(
        default=None,
        description="The timestamp or date is text of this form (strptime). Default: ISO 8601.",
        examples=["%d/%m/%Y %H:%M:%S"],
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(one is not None for one in (self.type, self.fields, self.items)) != 1:
            raise ValueError("a column has either a type, or fields, or items")
        inner = [*(self.fields or {}).values(), *([self.items] if self.items else [])]
        if any(one.path is not None for one in inner):
            raise ValueError("a path is for a column, not for what is within one")
        if self.type is not None:
            _named(self.type)
        temporal = self.type is not None and "time" in _NAMES.get(self.type, self.type)
        dated = temporal or (self.type is not None and self.type.startswith("date"))
        if self.unit is not None and not temporal:
            raise ValueError(f"unit: {self.unit} is for timestamps, not for {self.type}")
        if self.format is not None and not dated:
            raise ValueError(f"format: {self.format} is for timestamps and dates")
        if self.unit is not None and self.format is not None:
            raise ValueError("a timestamp has a unit or a format, not both")
        return self


def _spec(declared: object) -> object:
    return {"type": declared} if isinstance(declared, str) else declared


ColumnDeclaration = Annotated[ColumnSpec, BeforeValidator(_spec)]
ColumnSpec.model_rebuild()


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the decoders use it.

    Attributes:
        type: the lake's Arrow type.
        path: names that lead to the value from the top of the message.
        fields: of a structure.
        items: of a list.
    """

    name: str
    type: pa.DataType
    path: tuple[str, ...]
    required: bool = False
    unit: Unit | None = None
    format: str | None = None
    fields: tuple[Column, ...] = ()
    items: Column | None = None


def columns_of(declared: dict[str, ColumnSpec]) -> tuple[Column, ...]:
    """The declared columns with their Arrow types.

    Raises:
        ConfigError: a path leads through another column's value, or there is no column at all.
    """
    if not declared:
        raise ConfigError("columns: none is declared", fix="name the fields that become columns")
    found = tuple(_column(name, spec) for name, spec in declared.items())
    leaves = [one.path for one in found]
    for path in leaves:
        if leaves.count(path) > 1 or any(path[:n] in leaves for n in range(1, len(path))):
            raise ConfigError(
                f"columns: two of them read {'.'.join(path)!r} or a part of it",
                fix="give one of them another path",
            )
    return found


def _column(name: str, spec: ColumnSpec) -> Column:
    import pyarrow as pa

    path = tuple((spec.path or name).split(".")) if spec.path else (name,)
    if spec.fields is not None:
        fields = tuple(_column(one, inner) for one, inner in spec.fields.items())
        kind = pa.struct([pa.field(one.name, one.type) for one in fields])
        return Column(name, kind, path, spec.required, fields=fields)
    if spec.items is not None:
        items = _column("element", spec.items)
        kind = pa.list_(pa.field("element", items.type))
        return Column(name, kind, path, spec.required, items=items)
    kind = _named(str(spec.type))
    if pa.types.is_list(kind):
        items = _column("element", ColumnSpec(type=arrow_text.to_text(kind.value_type)))
        kind = pa.list_(pa.field("element", items.type))
        return Column(name, kind, path, spec.required, items=items)
    return Column(name, kind, path, spec.required, spec.unit, spec.format)


def _named(text: str) -> pa.DataType:
    try:
        return arrow_text.from_text(_NAMES.get(text.strip(), text))
    except ConfigError as error:
        raise ValueError(str(error)) from error
