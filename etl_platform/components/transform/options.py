"""A table of steps as it is written in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from pydantic import ConfigDict, Field, ValidationError

from etl_platform.components.lines import Lines
from etl_platform.components.options import AssetOptions
from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.transforms.header import Header

_KEPT = ("materialization", "key", "partition_by", "columns", "rollup")


class TransformTable(AssetOptions):
    """Where rows come from, what is done to them, and how the result is kept."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)

    from_: str = Field(alias="from", description="The table that the first step reads.")
    steps: list[Any] = Field(default=[], description="Each one key, the step, with its options.")
    materialization: Any = Field(
        default="replace",
        description="replace, append, upsert, incremental, snapshot or view, as in SQL models.",
    )
    key: Any = Field(default=(), description="Columns that identify a row.")
    partition_by: Any = Field(default=(), description="Columns whose values are folders.")
    columns: Any = Field(default={}, description="Column name to description.")
    rollup: Any = Field(default=None, description="May answer other aggregations.")


def read_table(name: str, value: object, lines: Lines) -> tuple[TransformTable, Header]:
    """Read one entry of ``tables``.

    Raises:
        UnknownName: there is no such option, with file, line and the nearest one.
        ConfigError: an option is missing or has a wrong value.
    """
    if not isinstance(value, Mapping):
        raise ConfigError(
            f"{lines.at('tables', name)}: table {name!r} is {value!r}",
            valid="options: from, steps, ...",
        )
    written = cast("Mapping[str, Any]", value)
    try:
        table = TransformTable.model_validate(dict(written))
    except ValidationError as error:
        raise _explained(error, name, lines) from None
    try:
        header = Header.model_validate(
            {option: written[option] for option in _KEPT if option in written}
        )
    except ValidationError as error:
        raise _explained(error, name, lines) from None
    return table, header


def _explained(error: ValidationError, name: str, lines: Lines) -> ConfigError | UnknownName:
    first = error.errors()[0]
    path = list(first["loc"])
    where = lines.at("tables", name, *path)
    shown = ".".join(str(part) for part in path)
    if first["type"] == "extra_forbidden" and len(path) == 1:
        options = [one.alias or key for key, one in TransformTable.model_fields.items()]
        return UnknownName(f"option of table {name!r}", shown, options, where=where)
    if first["type"] == "missing":
        return ConfigError(f"{where}: table {name!r} needs {shown!r}", valid=f"{shown}: ...")
    message = first["msg"].removeprefix("Value error, ")
    option = f"option {shown!r}: " if shown else ""
    return ConfigError(
        f"{where}: table {name!r}: {option}{message}, got {first['input']!r}"
        if shown
        else f"{where}: table {name!r}: {message}"
    )
