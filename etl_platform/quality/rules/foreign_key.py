"""foreign_key: every key has its row in another table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from etl_platform.core.duck import quote
from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.types import duckdb_type
from etl_platform.quality.facts import Facts
from etl_platform.quality.rules.base import several
from etl_platform.quality.rules.keys import KeyRule, as_tuple
from etl_platform.quality.steps import NotRun, PerValue, Query, Settled, Step

_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DECIMAL", "FLOAT", "DOUBLE")


class ForeignKeyRule(KeyRule):
    """Every key exists in another table of the lake; a key with a null is skipped.

    ``references`` names the other column as ``schema.table.column``, one per column of the key.
    While the other table does not exist the rule cannot run, and a blocking rule blocks.
    """

    rule: Literal["foreign_key"] = "foreign_key"

    targets: Annotated[tuple[str, ...], BeforeValidator(several)] = Field(
        validation_alias=AliasChoices("references", "targets"),
        serialization_alias="references",
        min_length=1,
        description="The referenced columns, each as schema.table.column.",
    )

    @field_validator("targets")
    @classmethod
    def _one_table(cls, targets: tuple[str, ...]) -> tuple[str, ...]:
        tables: set[str] = set()
        for target in targets:
            table, dot, column = target.rpartition(".")
            if not dot or not column:
                raise PydanticCustomError(
                    "reference",
                    "reference '{target}' is not of the form schema.table.column",
                    {"target": target},
                )
            try:
                tables.add(TableName.parse(table).sql)
            except ConfigError as error:
                raise PydanticCustomError(
                    "reference",
                    "reference '{target}': {why}",
                    {"target": target, "why": error.what},
                ) from error
        if len(tables) > 1:
            raise PydanticCustomError("reference", "all references must name the same table")
        return targets

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if len(self.targets) != len(self.keys):
            raise PydanticCustomError(
                "unpaired", "a foreign_key rule needs as many references as columns"
            )
        return self

    @property
    def target(self) -> TableName:
        """The table that holds the keys."""
        return TableName.parse(self.targets[0].rpartition(".")[0])

    @property
    def references(self) -> tuple[TableName, ...]:
        return (self.target,)

    @property
    def target_columns(self) -> tuple[str, ...]:
        """The referenced columns, one per key column."""
        return tuple(target.rpartition(".")[2] for target in self.targets)

    def demand(self) -> str:
        targets = ", ".join(self.target_columns)
        return f"{'is' if len(self.keys) == 1 else 'are'} in {self.target} ({targets})"

    def plan(self, facts: Facts) -> Step:
        relation = facts.relation_of(self.target)
        if relation is None:
            return NotRun(f"table {self.target} does not exist yet; materialise it first")
        self._check_target(facts, facts.columns_of(relation))
        if facts.rows == 0:
            return Settled()
        bad = self.violation(facts)
        if len(self.keys) == 1 and self.keys[0] in facts.counted and self.where is None:
            return PerValue(self.keys[0], bad)
        return Query(f"SELECT count(*) FROM {facts.relation} WHERE {bad}")

    def violation(self, facts: Facts) -> str:
        relation = facts.relation_of(self.target)
        target = as_tuple([f"r.{quote(column)}" for column in self.target_columns])
        return self.within(
            f"({self.complete_sql} AND NOT coalesce("
            f"{self.key_sql} IN (SELECT {target} FROM {relation} AS r), false))"
        )

    def _check_target(self, facts: Facts, columns: Mapping[str, str]) -> None:
        for key, target in zip(self.keys, self.target_columns, strict=True):
            where = f"contract of {facts.staged.table}, rule {self.name}"
            if target not in columns:
                raise UnknownName(f"column of {self.target}", target, columns, where=where)
            own = duckdb_type(facts.kind(key))
            if _family(own) != _family(columns[target]):
                raise ConfigError(
                    f"{where}: {key} has type {own}, {self.target}.{target} has type "
                    f"{columns[target]}; they never match",
                    fix="cast one of them where it is loaded",
                )


def _family(duckdb_text: str) -> str:
    return "NUMBER" if duckdb_text.startswith(_NUMBERS) else duckdb_text.partition("(")[0]
