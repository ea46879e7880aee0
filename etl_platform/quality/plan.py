"""What an audit will do, as data: queries over the staged files and one step per rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from etl_platform.core.duck import quote
from etl_platform.quality.binding import count_rows
from etl_platform.quality.contract import Contract
from etl_platform.quality.facts import Facts
from etl_platform.quality.look import is_countable
from etl_platform.quality.steps import Measured, PerRow, Step
from etl_platform.quality.values import sql_literal

if TYPE_CHECKING:
    import pyarrow as pa

WHERE = "where"
"""Marks measures that count the rows which meet a condition; no column is named so: a measure of a
column is never named like a condition, which stands in parentheses."""


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """Each column is read at most once: its values are counted, or it is measured row by row.

    Attributes:
        steps: how each rule is judged, in the contract's order, by rule name.
        counted: columns whose values are counted.
        measures: SQL aggregate by ``(column, measure)``; rules have ``("", rule name)``.
    """

    relation: str
    steps: Mapping[str, Step]
    counted: tuple[str, ...]
    measures: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    @property
    def measure_sql(self) -> str | None:
        """One row with every measure, in order."""
        if not self.measures:
            return None
        return f"SELECT {', '.join(self.measures.values())} FROM {self.relation}"


def plan_audit(contract: Contract, facts: Facts, frequent: Mapping[str, list[object]]) -> AuditPlan:
    """Decide how each rule and each statistic is found.

    Args:
        frequent: values to count exactly in columns that are not counted as a whole.
    """
    steps = {rule.name: rule.plan(facts) for rule in contract.rules}
    measures: dict[tuple[str, str], str] = {}
    names = [f.name for f in facts.staged.schema]
    if facts.rows:
        for column in names:
            if column not in facts.counted:
                measures |= _measures(facts, column, frequent.get(column, []))
            elif facts.nulls(column) is None:
                measures[column, "present"] = f"count({quote(column)})"
    measures |= rule_measures(contract, steps, facts)
    counted = tuple(column for column in names if column in facts.counted)
    return AuditPlan(facts.relation, steps, counted, measures)


def rule_measures(
    contract: Contract, steps: Mapping[str, Step], facts: Facts
) -> dict[tuple[str, str], str]:
    """The aggregates by which rules are judged, by ``("", rule name and number)``.

    Beside the bad rows of a conditional rule stands the number of rows that it is about:
    ``(WHERE, condition)``.
    """
    found: dict[tuple[str, str], str] = {}
    for rule in contract.rules:
        step = steps[rule.name]
        if isinstance(step, Measured):
            for i, aggregate in enumerate(step.aggregates):
                found["", f"{rule.name} {i}"] = aggregate
        elif isinstance(step, PerRow) and facts.rows:
            found["", rule.name] = f"count_if({step.predicate})"
        condition = rule.condition
        if condition is not None and facts.rows:
            found[WHERE, condition.sql] = count_rows(condition.sql)
    return found


def _measures(facts: Facts, column: str, frequent: list[object]) -> dict[tuple[str, str], str]:
    kind = facts.kind(column)
    value = quote(column)
    found: dict[tuple[str, str], str] = {}
    if facts.nulls(column) is None:
        found[column, "present"] = f"count({value})"
    if _is_nested(kind):
        return found
    found[column, "distinct"] = f"approx_count_distinct({value})"
    if not is_countable(kind):
        return found
    number = f" FILTER (WHERE NOT isnan({value}))" if _is_float(kind) else ""
    if facts.bounds(column) is None:
        found[column, "min"] = f"min({value}){number}"
        found[column, "max"] = f"max({value}){number}"
    if _is_number(kind):
        # Sums of wide decimals leave DuckDB's 128 bits.
        wide = getattr(kind, "precision", 0) > 18
        found[column, "mean"] = f"avg({value}{'::DOUBLE' if wide else ''}){number}"
    for i, frequent_value in enumerate(frequent):
        found[column, f"top {i}"] = f"count_if({value} = {sql_literal(frequent_value, kind)})"
    return found


def _is_nested(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return t.is_nested(kind)


def _is_float(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return t.is_floating(kind)


def _is_number(kind: pa.DataType) -> bool:
    from pyarrow import types as t

    return t.is_floating(kind) or t.is_integer(kind) or t.is_decimal(kind)
