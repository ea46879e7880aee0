"""The step of a user's own function over Polars lazy frames."""

from __future__ import annotations

import inspect

from pydantic import Field
from sqlglot import exp

from etl_platform.core.errors import UnknownName
from etl_platform.transforms.expressions.types import data_type, type_text
from etl_platform.transforms.steps.base import (
    Built,
    Outside,
    Step,
    StepContext,
    aliased,
    column,
    lake_table,
    select,
)
from etl_platform.transforms.steps.constants import Scalar


class Python(Step):
    """The rows that a registered function makes of the rows before it, as Polars lazy frames."""

    function: str = Field(description="A name among python_steps.")
    columns: dict[str, str] = Field(description="What it gives: column to type.", min_length=1)
    options: dict[str, Scalar] = Field(default={}, description="Further arguments by name.")

    def build(self, context: StepContext) -> Built:
        function = context.functions.get(self.function)
        if function is None:
            raise UnknownName(
                "Python step", self.function, context.functions, where=f"{context.where}: function"
            )
        try:
            inspect.signature(function).bind(None, **self.options)
        except TypeError as error:
            raise context.fail(
                f"{self.function} cannot be called so: {error}",
                valid=f"{self.function}{inspect.signature(function)}",
            ) from None
        columns = {
            name: type_text(kind, where=f"{context.where}: columns.{name}")
            for name, kind in self.columns.items()
        }
        # What DuckDB has in between may be wider than what the lake and Polars have.
        given = select(
            aliased(exp.cast(column(name), data_type(kind, where=context.where)), name)
            for name, kind in context.columns.items()
        )
        made = select((column(name) for name in columns), lake_table(context.between))
        return Built(made, outside=Outside(given, function, self.options, columns))
