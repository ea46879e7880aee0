"""Avro schemas (specification 1.12): the lake's types for them, and what is refused beforehand."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from etl_platform.core.errors import ConfigError, UnsupportedType

if TYPE_CHECKING:
    import pyarrow as pa

Json = dict[str, Any] | list[Any] | str
"""A schema as JSON has it: a name, a union or a definition."""
_PLAIN = {
    "boolean": "bool_",
    "int": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "bytes": "binary",
    "string": "string",
    "fixed": "binary",
    "enum": "string",
}
_AS_WRITTEN = frozenset({"uuid", "time-millis", "time-micros", "duration"})
"""Logical types that the lake keeps as what they annotate: text, numbers, bytes."""
_TIMES = frozenset({"timestamp-millis", "timestamp-micros"})
_LOCAL = frozenset({"local-timestamp-millis", "local-timestamp-micros"})


@dataclass(frozen=True, slots=True)
class AvroSchema:
    """A schema that fastavro has parsed, beside its own text."""

    definition: Json
    parsed: Any
    names: dict[str, Json]


def schema_of(text: str | Json, where: str, references: tuple[AvroSchema, ...] = ()) -> AvroSchema:
    """Parse a schema.

    Args:
        text: JSON text, or what it says.
        where: what messages call it.
        references: schemas whose names it uses.

    Raises:
        ConfigError: it is no Avro schema of a record.
    """
    import fastavro
    from fastavro.schema import SchemaParseException, UnknownType

    try:
        definition = json.loads(text) if isinstance(text, str) else text
        definition = _kept(definition)
        named: dict[str, Any] = {}
        names: dict[str, Json] = {}
        for one in references:
            fastavro.parse_schema(cast("Any", one.definition), named_schemas=named)
            names |= one.names
        parsed = fastavro.parse_schema(definition, named_schemas=named)
    except (SchemaParseException, UnknownType, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{where} is no Avro schema: {error}") from error
    _collect(definition, "", names)
    if not isinstance(definition, dict) or definition.get("type") != "record":
        raise ConfigError(f"{where} is not a record", valid="a schema of type record")
    _refuse_weightless(definition, names, where)
    return AvroSchema(definition, parsed, names)


def arrow_schema(schema: AvroSchema) -> pa.Schema:
    """The columns that records of this schema become.

    Raises:
        UnsupportedType: for unions of several types, decimals above 38 digits and recursion.
    """
    import pyarrow as pa

    definition = cast("dict[str, Any]", schema.definition)
    space = space_within(definition, "")
    fields = [
        pa.field(f["name"], _arrow(f["type"], schema.names, space, f["name"], ()))
        for f in definition["fields"]
    ]
    return pa.schema(fields)


def _arrow(
    kind: Json, names: dict[str, Json], space: str, column: str, inside: tuple[str, ...]
) -> pa.DataType:
    import pyarrow as pa

    if isinstance(kind, str) and kind not in _PLAIN:
        full = full_name(kind, space)
        if full in inside:
            raise UnsupportedType(f"column {column!r}: {full} contains itself")
        if full not in names:
            raise _refused(column, kind)
        kind = names[full]
    if isinstance(kind, str):
        return getattr(pa, _PLAIN[kind])()
    if isinstance(kind, list):
        present = [one for one in kind if one != "null"]
        if len(present) != 1:
            raise _refused(column, json.dumps(kind))
        return _arrow(present[0], names, space, column, inside)
    inner = kind["type"]
    logical = logical_type(kind)
    if logical == "decimal":
        if kind["precision"] > 38:
            raise _refused(column, f"decimal({kind['precision']})")
        return pa.decimal128(kind["precision"], kind.get("scale", 0))
    if logical == "date":
        return pa.date32()
    if logical in _TIMES:
        return pa.timestamp("us", "UTC")
    if logical in _LOCAL:
        return pa.timestamp("us")
    if inner == "array":
        item = _arrow(kind["items"], names, space, f"{column}[]", inside)
        return pa.list_(pa.field("element", item))
    if inner == "map":
        return pa.map_(pa.string(), _arrow(kind["values"], names, space, f"{column}{{}}", inside))
    if inner == "record":
        within = (*inside, full_name(kind["name"], space_within(kind, space)))
        deeper = space_within(kind, space)
        return pa.struct(
            [
                pa.field(
                    f["name"], _arrow(f["type"], names, deeper, f"{column}.{f['name']}", within)
                )
                for f in kind["fields"]
            ]
        )
    return _arrow(inner, names, space, column, inside)


def logical_type(kind: dict[str, Any]) -> str:
    """The logical type that the lake has a type for; empty where there is none."""
    logical = kind.get("logicalType", "")
    known = {"decimal", "date", *_TIMES, *_LOCAL}
    return logical if logical in known else ""


def _kept(kind: Any) -> Any:
    """The same schema without the logical types that the lake keeps as they are written."""
    if isinstance(kind, list):
        return [_kept(one) for one in kind]
    if isinstance(kind, dict):
        strip = kind.get("logicalType") in _AS_WRITTEN
        return {
            key: value if key in ("default", "symbols", "aliases") else _kept(value)
            for key, value in kind.items()
            if not (strip and key == "logicalType")
        }
    return kind


def _collect(kind: Json, space: str, names: dict[str, Json]) -> None:
    if isinstance(kind, list):
        for one in kind:
            _collect(one, space, names)
    elif isinstance(kind, dict):
        inner = space_within(kind, space)
        if kind["type"] in ("record", "enum", "fixed"):
            names[full_name(kind["name"], inner)] = kind
        for field in kind.get("fields", ()):
            _collect(field["type"], inner, names)
        for part in ("items", "values", "type"):
            if isinstance(kind.get(part), dict | list):
                _collect(kind[part], inner, names)


def _refuse_weightless(kind: Json, names: dict[str, Json], where: str) -> None:
    """An array of what takes no bytes: a message of ten bytes could hold a billion of them."""
    if isinstance(kind, list):
        for one in kind:
            _refuse_weightless(one, names, where)
    elif isinstance(kind, dict):
        if kind["type"] == "array" and _weightless(kind["items"], names):
            raise ConfigError(f"{where}: an array of null or of records without fields")
        for field in kind.get("fields", ()):
            _refuse_weightless(field["type"], names, where)
        for part in ("items", "values", "type"):
            if isinstance(kind.get(part), dict | list):
                _refuse_weightless(kind[part], names, where)


def _weightless(kind: Json, names: dict[str, Json]) -> bool:
    if isinstance(kind, str):
        found = names.get(kind)
        return kind == "null" or (found is not None and _weightless(found, {}))
    if isinstance(kind, list):
        return False
    if kind["type"] == "record":
        return all(_weightless(field["type"], names) for field in kind["fields"])
    return kind["type"] == "null" or (kind["type"] == "fixed" and kind.get("size") == 0)


def space_within(kind: dict[str, Any], outer: str) -> str:
    """The namespace of the names in a definition."""
    name = str(kind.get("name", ""))
    return name.rpartition(".")[0] if "." in name else str(kind.get("namespace", outer))


def full_name(name: str, space: str) -> str:
    """A name as other namespaces know it."""
    return name if "." in name or not space else f"{space}.{name}"


def _refused(column: str, kind: str) -> UnsupportedType:
    return UnsupportedType(
        f"column {column!r} has the Avro type {kind}, which the lake cannot keep without loss",
        valid="records, arrays, maps, enums, fixed, plain types, a union of null and one of them",
        fix="read with a schema (schema:) that leaves the field out",
    )
