"""A plan with everything that can be told of it before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from etl_platform.planner.advice.estimates import operators
from etl_platform.planner.advice.knowledge import knowledge
from etl_platform.planner.advice.operators import Operator
from etl_platform.planner.catalog import Catalog
from etl_platform.planner.lint import Finding, lint
from etl_platform.planner.parsing import parse
from etl_platform.planner.plan import Applied, Plan

_LEFT_OUT = (
    "what it left out of {tables} is not told: rows that the role may not see have a say in it"
)
_HIDDEN: Mapping[str, object] = {
    "relation_sql": None,
    "uris": None,
    "files_total": None,
    "rows": None,
    "size_bytes": None,
    "view_sql": None,
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a query would do, and what is to be said about it.

    Attributes:
        operators: its steps, with the rows that each is expected to hand on.
        rules: what each rule of the planner did.
        findings: of lint.
    """

    plan: Plan
    operators: Operator
    rules: tuple[Applied, ...]
    findings: tuple[Finding, ...]

    @property
    def policed(self) -> tuple[str, ...]:
        """The tables of which a policy changes what is seen."""
        return tuple(t.table.sql for t in self.plan.inputs if t.view_sql is not None)

    def as_data(self) -> dict[str, object]:
        """Everything as plain values, tables by their SQL names.

        Of a table that a policy changes there is nothing but name and version: its files, their
        rows and the policy itself tell of what the role does not see.
        """
        plain: dict[str, object] = asdict(self.plan)
        inputs: list[dict[str, object]] = []
        for table in self.plan.inputs:
            row: dict[str, object] = asdict(table)
            row["table"] = table.table.sql
            if table.view_sql is not None:
                row.update(_HIDDEN)
            inputs.append(row)
        return plain | {
            "inputs": inputs,
            "rules": [asdict(rule) for rule in self.rules],
            "operators": asdict(self.operators),
            "findings": [asdict(one) for one in self.findings],
        }


def explanation(plan: Plan, catalog: Catalog) -> Explanation:
    """Explain a plan; profiles and the log are read, no row is.

    Args:
        plan: made over the same catalog.
        catalog: where profiles and bounds are.
    """
    known = knowledge(catalog, plan.inputs)
    written = parse(plan.text, plan.dialect)
    policed = [t.table.sql for t in plan.inputs if t.view_sql is not None]
    hidden = _LEFT_OUT.format(tables=", ".join(policed))
    rules = tuple(
        Applied(rule.rule, changed=False, why=hidden)
        if policed and rule.rule.startswith("prune")
        else rule
        for rule in plan.rules
    )
    return Explanation(plan, operators(written, known), rules, lint(written, known))
