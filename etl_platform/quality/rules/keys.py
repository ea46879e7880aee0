"""What rules over one or several key columns share: their YAML form and SQL."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, ConfigDict, Field

from etl_platform.core.duck import quote
from etl_platform.quality.rules.base import Rule, several


def _both_forms(schema: dict[str, Any]) -> None:
    """Let editors accept ``column: a`` beside ``columns: [a, b]``."""
    properties = schema["properties"]
    properties["column"] = {"type": "string", "description": "Name of the column, when it is one."}
    schema["required"] = [name for name in schema.get("required", ()) if name != "columns"]


class KeyRule(Rule):
    """A rule about one or several columns together; a row with a null among them is skipped."""

    model_config = ConfigDict(json_schema_extra=_both_forms)

    keys: Annotated[tuple[str, ...], BeforeValidator(several)] = Field(
        validation_alias=AliasChoices("columns", "column"),
        serialization_alias="columns",
        min_length=1,
        description="Names of the columns.",
    )

    @property
    def columns(self) -> tuple[str, ...]:
        return self.keys

    @property
    def key_sql(self) -> str:
        """The key of a row: a column, or a tuple of columns."""
        return as_tuple([quote(column) for column in self.keys])

    @property
    def complete_sql(self) -> str:
        """True for a row whose key has no null."""
        return " AND ".join(f"{quote(column)} IS NOT NULL" for column in self.keys)


def as_tuple(parts: list[str]) -> str:
    """SQL of a single value, or of a row of several."""
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"
