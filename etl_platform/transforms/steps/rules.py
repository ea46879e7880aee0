"""The step of a rule table: the first condition that is true decides."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from sqlglot import exp

from etl_platform.transforms.expressions.types import data_type
from etl_platform.transforms.rule_tables import Rule, check_rules, rules_from_csv
from etl_platform.transforms.rule_tables.table import MOST, Outcome
from etl_platform.transforms.steps.base import Built, Step, StepContext, aliased, column, select


class Rules(Step):
    """A new column by ordered rules, from YAML or a CSV file with the columns when and then."""

    column: str = Field(description="The new column.")
    rules: list[Rule] = Field(default=[], description="Conditions in order, each with an outcome.")
    from_: str | None = Field(default=None, alias="from", description="A CSV file beside this one.")
    default: Outcome = Field(
        default=None, description="Where no condition is true; null if it is said."
    )
    hit: Literal["first", "unique"] = Field(
        default="first", description="unique: no row may fulfil two conditions."
    )
    type: str | None = Field(default=None, description="Of the outcome; default: VARCHAR of a CSV.")

    def build(self, context: StepContext) -> Built:
        context.new([self.column], "column")
        if bool(self.rules) == (self.from_ is not None):
            raise context.fail("rules need either 'rules' or 'from'")
        if self.from_ is not None:
            placed = rules_from_csv(context.read_file(self.from_, context.where), self.from_)
        else:
            placed = [(f"rules[{number}]", rule) for number, rule in enumerate(self.rules)]
        if not 0 < len(placed) <= MOST:
            raise context.fail(f"{len(placed):,} rules", valid=f"1 to {MOST:,}")
        conditions = [
            (place, context.expression(rule.when, f"{place}: when")) for place, rule in placed
        ]
        check_rules(
            conditions,
            context.columns,
            default="default" in self.model_fields_set,
            unique=self.hit == "unique",
            where=context.where,
        )
        case = exp.Case()
        for (_, condition), (_, rule) in zip(conditions, placed, strict=True):
            case = case.when(condition, self._outcome(rule.then, context), copy=False)
        if self.default is not None:
            case = case.else_(self._outcome(self.default, context), copy=False)
        return Built(
            select([*(column(name) for name in context.columns), aliased(case, self.column)])
        )

    def _outcome(self, value: Outcome, context: StepContext) -> exp.Expr:
        kind = self.type or ("VARCHAR" if self.from_ is not None else None)
        node = exp.convert(value)
        if kind is None:
            return node
        return exp.cast(node, data_type(kind, where=f"{context.where}: type"))
