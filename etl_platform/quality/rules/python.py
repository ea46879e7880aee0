"""python: a function that returns the bad rows."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator
from pydantic_core import PydanticCustomError

from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import Rule, identifier, several
from etl_platform.quality.steps import ByFunction, Settled, Step

if TYPE_CHECKING:
    import polars as pl


class PythonRule(Rule):
    """A Python function of the contract's author returns no row; each that it returns is bad.

    It takes a ``polars.LazyFrame`` of the staged rows (those that meet ``where``) and returns a
    lazy or eager frame. It is imported when the contract is read, and runs with the rights of the
    process: unlike SQL, it is not confined.
    """

    rule: Literal["python"] = "python"
    can_quarantine = False

    function: str = Field(description="package.module:function, LazyFrame in, bad rows out.")
    given: Annotated[tuple[str, ...], BeforeValidator(several)] = Field(
        default=(),
        alias="columns",
        description="Columns that the function is given; all when not said.",
    )

    @field_validator("function")
    @classmethod
    def _importable(cls, place: str) -> str:
        module, colon, name = place.partition(":")
        try:
            found = getattr(import_module(module), name) if colon else None
        except (ImportError, AttributeError, ValueError) as error:
            raise PydanticCustomError(
                "function",
                "there is no function at '{place}': {why}",
                {"place": place, "why": str(error)},
            ) from error
        if not callable(found):
            raise PydanticCustomError(
                "function",
                "'{place}' is not a function (valid: package.module:function)",
                {"place": place},
            )
        return place

    @property
    def called(self) -> Callable[[pl.LazyFrame], pl.LazyFrame | pl.DataFrame]:
        """The function."""
        module, _, name = self.function.partition(":")
        return getattr(import_module(module), name)

    @property
    def columns(self) -> tuple[str, ...]:
        return self.given

    def default_name(self) -> str:
        return f"{self.kind}_{identifier(self.function.rpartition(':')[2])}"

    def demand(self) -> str:
        return f"no row is returned by {self.function}"

    def _sentence(self) -> str:
        return self.demand() if self.where is None else f"{self.demand()}, where {self.where}"

    def plan(self, facts: Facts) -> Step:
        return ByFunction() if facts.rows else Settled()
