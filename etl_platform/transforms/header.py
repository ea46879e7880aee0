"""The YAML comment at the top of a model's file: what the SQL itself cannot say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from etl_platform.core.errors import ConfigError, UnknownName

_HEADER = re.compile(r"\s*/\*(?P<yaml>.*?)\*/", re.DOTALL)
# libyaml's loader is about ten times as fast, which counts with hundreds of models.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Materialization: TypeAlias = Literal[
    "replace", "append", "upsert", "incremental", "snapshot", "view"
]


class RollupOptions(BaseModel):
    """How a model's groups may answer other aggregations; ``rollup: true`` is the default of all.

    Sums and means of floats depend on the order in which they are added: computed from groups,
    their last digits differ from those computed from rows. ``floats: approximate`` allows that.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    floats: Literal["exact", "approximate"] = "exact"


class Header(BaseModel):
    """Options of one model; every one is optional.

    ``contract``, ``schedule``, ``freshness``, ``anomalies`` and ``requires`` are kept as they are
    written: the component that makes an asset of the model reads them with the same rules as in its
    own YAML.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str | None = Field(default=None, description="schema.table instead of the path's.")
    description: str | None = None
    materialization: Materialization = "replace"
    key: tuple[str, ...] = Field(
        default=(), description="Columns that identify a row (upsert, incremental, snapshot)."
    )
    partition_by: tuple[str, ...] = ()
    columns: Mapping[str, str] = Field(default={}, description="Column name to description.")
    dialect: str = Field(default="duckdb", description="Of the SQL: any that sqlglot reads.")
    variables: Mapping[str, object] = Field(
        default={}, description="Values that the SQL uses as $name: value, or {type, value}."
    )
    contract: Mapping[str, object] | None = None
    owners: tuple[str, ...] = ()
    tags: Mapping[str, str] = {}
    group: str | None = None
    schedule: str | Mapping[str, object] | None = None
    automation: Literal["eager", "on_missing"] | None = None
    freshness: str | Mapping[str, object] | None = None
    profile: Literal["auto", "full", "basic", "off"] | None = None
    anomalies: Mapping[str, object] | None = None
    requires: Mapping[str, str] | None = None
    rollup: RollupOptions | None = Field(
        default=None, description="true, or {floats: approximate}: may answer other aggregations."
    )

    @field_validator("rollup", mode="before")
    @classmethod
    def _rollup_or_not(cls, value: object) -> object:
        if isinstance(value, bool):
            return {} if value else None
        return value

    @field_validator("key", "partition_by", "owners", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        if isinstance(value, str):
            return (value,)
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _key_goes_with_upsert(self) -> Header:
        kind = self.materialization
        if kind in ("upsert", "snapshot") and not self.key:
            raise ValueError(f"materialization {kind} needs 'key', the columns that identify a row")
        if self.key and kind in ("replace", "append", "view"):
            raise ValueError("'key' is only used by upsert, incremental and snapshot")
        if kind == "view" and self.partition_by:
            raise ValueError("a view has no files: leave out 'partition_by'")
        if self.rollup is not None and self.materialization != "replace":
            raise ValueError("a rollup is replaced as a whole: leave out 'materialization'")
        return self


@dataclass(frozen=True, slots=True)
class Document:
    """A model's file, taken apart.

    ``sql`` is the text after the header; ``lines`` maps each header option to its line in the file.
    """

    header: Header
    sql: str
    lines: Mapping[str, int]


def read_header(text: str, where: str) -> Document:
    """Split a file into header and SQL.

    A leading block comment that holds YAML options is the header; one that holds plain prose is an
    ordinary comment.

    Args:
        text: the whole file.
        where: the file's name, for error messages.

    Raises:
        ConfigError: the YAML is malformed or an option has a wrong value, with file and line.
        UnknownName: there is no such option, with file, line and the nearest one.
    """
    match = _HEADER.match(text)
    if match is None:
        return Document(Header(), _statement(text), {})
    before = text.count("\n", 0, match.start("yaml"))
    loader = _Loader(match["yaml"])
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line = before + (error.problem_mark.line if error.problem_mark else 0) + 1
        raise ConfigError(
            f"{where}:{line}: the header is not valid YAML: {error.problem}",
            fix="quote texts that contain ': ' or '#'; start an ordinary comment with --",
        ) from error
    if not isinstance(node, yaml.MappingNode):
        return Document(Header(), _statement(text), {})
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = before + key.start_mark.line + 1
        if key.value in lines:
            raise ConfigError(f"{where}:{line}: option {key.value!r} stands twice in the header")
        lines[str(key.value)] = line
    # Made of the node that gave the lines, so that the text is parsed once.
    values = loader.construct_document(node)
    try:
        header = Header.model_validate(values)
    except ValidationError as error:
        raise _explained(error, lines, where) from error
    return Document(header, _statement(text[match.end() :]), lines)


def _statement(text: str) -> str:
    # Without its semicolon, so that it can stand inside another statement.
    return text.strip().rstrip(";").rstrip()


def _explained(
    error: ValidationError, lines: Mapping[str, int], where: str
) -> ConfigError | UnknownName:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    option = path[0] if path else "materialization" if "materialization" in lines else "key"
    spot = f"{where}:{lines.get(option, 1)}"
    if first["type"] == "extra_forbidden":
        if len(path) > 1:
            return UnknownName(
                f"option of {option!r}", path[-1], RollupOptions.model_fields, where=spot
            )
        return UnknownName("header option", option, Header.model_fields, where=spot)
    message = first["msg"].removeprefix("Value error, ")
    if not path:
        return ConfigError(f"{spot}: {message}")
    return ConfigError(
        f"{spot}: option {'.'.join(path)!r}: {message}, got {first['input']!r}",
        valid=Header.model_fields[option].description,
    )
