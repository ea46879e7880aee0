"""What an audit will do, as data: queries over the staged files and one step per rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from etl_platform.quality.binding import count_rows
from etl_platform.quality.contract import Contract
from etl_platform.quality.facts import Facts
from etl_platform.quality.profiles.rows import RowPlan
from etl_platform.quality.steps import Measured, PerRow, Step

WHERE = "where"
"""Marks measures that count the rows which meet a condition; no column is named so: a measure of a
column is never named like a condition, which stands in parentheses."""

_MOST_STREAMED = 64


@dataclass(frozen=True, slots=True)
class AuditPlan:
    """What is read row by row, once, beside the columns whose values are counted.

    Attributes:
        steps: how each rule is judged, in the contract's order, by rule name.
        measures: SQL aggregate by ``(column, measure)``; rules have ``("", rule name)``.
        rows: what is read row by row for the profile; rules on the same columns ride along.
    """

    relation: str
    steps: Mapping[str, Step]
    measures: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    rows: RowPlan | None = None

    @property
    def measure_sql(self) -> str | None:
        """One row with every measure, in order."""
        if not self.measures:
            return None
        return f"SELECT {', '.join(self.measures.values())} FROM {self.relation}"


def plan_audit(
    contract: Contract,
    facts: Facts,
    profile: Mapping[tuple[str, str], str],
    rows: RowPlan | None = None,
) -> AuditPlan:
    """Decide how each rule is judged.

    Args:
        profile: aggregates that the profile needs from the same scan.
        rows: what the profile reads row by row.
    """
    steps = {rule.name: rule.plan(facts) for rule in contract.rules}
    measures = {**profile, **rule_measures(contract, steps, facts)}
    if rows is not None:
        rows = replace(rows, bad=_riding(contract, steps, rows))
        measures = {key: sql for key, sql in measures.items() if not _rides(key, rows)}
    return AuditPlan(facts.relation, steps, measures, rows)


def _riding(contract: Contract, steps: Mapping[str, Step], rows: RowPlan) -> dict[str, str]:
    """Predicates that need no other column than those which the profile reads row by row."""
    read = set(rows.columns)
    found: dict[str, str] = {}
    for rule in contract.rules:
        step = steps[rule.name]
        if isinstance(step, PerRow) and rule.reads and read.issuperset(rule.reads):
            found[rule.name] = step.predicate
    return dict(list(found.items())[:_MOST_STREAMED])


def _rides(key: tuple[str, str], rows: RowPlan) -> bool:
    return key[0] == "" and key[1] in rows.bad


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
