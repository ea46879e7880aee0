"""A plan in the making: what the rules hand to each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from sqlglot import exp

from etl_platform.core.names import TableName
from etl_platform.core.staged import DataFile
from etl_platform.core.types import duckdb_type
from etl_platform.planner.catalog import Catalog
from etl_platform.planner.plan import Applied
from etl_platform.planner.policy import TablePolicies
from etl_platform.planner.references import Reference

if TYPE_CHECKING:
    from etl_platform.lakehouse.log import Snapshot

Params: TypeAlias = Mapping[str, object] | Sequence[object] | None
"""Values for ``$name`` (a mapping) or ``?`` (a sequence)."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The statement and its inputs, as far as the rules have come.

    Attributes:
        sql: what will run, in DuckDB's dialect; ``tree`` is the same, parsed, and is not changed.
        snapshots: the pinned version of every table that the statement reads.
        files: the files to read of a table, where a rule left some out.
        references: where the tables stand in the statement, once a rule has looked.
        applied: what the rules did so far.
    """

    sql: str
    tree: exp.Query
    catalog: Catalog
    params: Params = None
    policy: TablePolicies | None = None
    snapshots: Mapping[TableName, Snapshot] = field(default_factory=dict[TableName, "Snapshot"])
    files: Mapping[TableName, tuple[DataFile, ...]] = field(
        default_factory=dict[TableName, tuple[DataFile, ...]]
    )
    references: Mapping[TableName, Sequence[Reference]] | None = None
    applied: tuple[Applied, ...] = ()

    def files_of(self, table: TableName) -> tuple[DataFile, ...]:
        """The files of a table that are still to be read."""
        kept = self.files.get(table)
        return self.snapshots[table].files if kept is None else kept

    @property
    def bound(self) -> Mapping[str, object]:
        """The parameters by the names that the tree has for them."""
        if isinstance(self.params, Mapping):
            return self.params
        return {str(i): value for i, value in enumerate(self.params or (), 1)}

    def columns(self, table: TableName) -> Mapping[str, str]:
        """A table's columns with their DuckDB types, in order."""
        return {f.name: duckdb_type(f.type) for f in self.snapshots[table].schema}

    def view_sql(self, table: TableName, relation_sql: str) -> str | None:
        """What the policy puts in the place of a table, if anything."""
        if self.policy is None:
            return None
        return self.policy.view_sql(table, relation_sql, self.columns(table))

    def unchanged(self, rule: str, why: str) -> Draft:
        """The same draft, with the reason why a rule does not apply."""
        return replace(self, applied=(*self.applied, Applied(rule, changed=False, why=why)))

    def pinned(self, rule: str, why: str, snapshots: Mapping[TableName, Snapshot]) -> Draft:
        """The draft over exactly these versions."""
        return replace(
            self, snapshots=snapshots, applied=(*self.applied, Applied(rule, changed=True, why=why))
        )

    def pruned(self, rule: str, why: str, files: Mapping[TableName, tuple[DataFile, ...]]) -> Draft:
        """The draft reading only these files of some tables."""
        return replace(
            self,
            files={**self.files, **files},
            applied=(*self.applied, Applied(rule, changed=True, why=why)),
        )


PlanRule: TypeAlias = Callable[[Draft], Draft]
"""Takes a draft, gives one that returns the same rows, with one more entry in ``applied``."""
