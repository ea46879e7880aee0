"""The queries of the past over the tables of now: what they read and by what they filter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.planner.advice.suggestion import Asked
from etl_platform.planner.catalog import Catalog
from etl_platform.planner.conditions import Condition, columns_of, parameters_of
from etl_platform.planner.draft import Draft
from etl_platform.planner.parsing import parse
from etl_platform.planner.plan import Plan, TableInput
from etl_platform.planner.planning import plan
from etl_platform.planner.policy import TablePolicies
from etl_platform.planner.pruning import references_of
from etl_platform.planner.references import Reference
from etl_platform.planner.rules.pin import pin


@dataclass(frozen=True, slots=True)
class Use:
    """One query of the past, planned now.

    Attributes:
        inputs: the tables that it reads and sees as they are.
        places: of each of these, where it stands and by what its rows are chosen.
    """

    asked: Asked
    tree: exp.Query
    plan: Plan
    inputs: Mapping[TableName, TableInput]
    places: Mapping[TableName, Sequence[Reference]]

    def conditions(self, table: TableName, column: str) -> list[list[Condition]]:
        """For each place of a table the conditions on one column alone."""
        bound = self.asked.params if isinstance(self.asked.params, Mapping) else {}
        return [
            [
                condition
                for condition in place.conditions
                if columns_of(condition) == {column} and parameters_of(condition) <= set(bound)
            ]
            for place in self.places.get(table, ())
        ]

    @property
    def bound(self) -> Mapping[str, object]:
        """Named parameters."""
        return self.asked.params if isinstance(self.asked.params, Mapping) else {}


def workload(
    asked: Iterable[Asked], catalog: Catalog, policy: TablePolicies | None = None
) -> list[Use]:
    """Plan queries of the past; those that no longer can be planned are left out.

    Tables that a policy changes for the role are left out too.
    """
    found: list[Use] = []
    for one in asked:
        try:
            planned = plan(one.sql, catalog, params=one.params, policy=policy)
            tree = parse(one.sql)
            draft = pin(Draft(one.sql, tree, catalog, one.params, policy))
            places = references_of(draft)
        except EtlError:
            continue
        inputs = {t.table: t for t in planned.inputs if t.view_sql is None}
        found.append(Use(one, tree, planned, inputs, places))
    return found
