"""custom: a Python check of a pandera schema that has no SQL form."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticOmit

from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import Rule, identifier
from etl_platform.quality.steps import ByPandera, Settled, Step


class CustomRule(Rule):
    """A pandera ``Check`` that only Python can run; comes from a pandera schema, never from YAML.

    Attributes:
        column: the checked column, None for a check of whole rows.
        pandera_check: the ``pandera.Check``.
        given: the columns that the check is given.
    """

    rule: Literal["custom"] = "custom"
    can_quarantine = False
    can_be_conditional = False

    column: str | None = None
    pandera_check: Any = Field(exclude=True, repr=False)
    given: tuple[str, ...] = Field(default=())

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        raise PydanticOmit  # not writable in YAML, so no editor shall offer it

    @property
    def columns(self) -> tuple[str, ...]:
        return self.given

    def default_name(self) -> str:
        return "_".join(
            filter(None, ("custom", self.column and identifier(self.column), self._label))
        )

    @property
    def _label(self) -> str:
        return identifier(self.pandera_check.name or "check")

    def demand(self) -> str:
        return f"passes the Python check {self.pandera_check.error or self.pandera_check.name}"

    def plan(self, facts: Facts) -> Step:
        return ByPandera(self.columns) if facts.rows else Settled()
