"""Lint: what in a statement is probably not meant, or does more work than it has to."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from etl_platform.core.errors import EtlError
from etl_platform.core.names import TableName
from etl_platform.planner.advice.blocks import blocks
from etl_platform.planner.advice.knowledge import TableKnowledge, schema_of
from etl_platform.planner.lint.cartesian_join import cartesian_join
from etl_platform.planner.lint.fan_out import fan_out
from etl_platform.planner.lint.finding import Finding, Lint, Severity, Statement
from etl_platform.planner.lint.hidden_column import hidden_column
from etl_platform.planner.lint.idle_order import idle_order
from etl_platform.planner.lint.implicit_cast import implicit_cast
from etl_platform.planner.lint.not_in_null import not_in_null
from etl_platform.planner.lint.null_comparison import null_comparison
from etl_platform.planner.lint.outer_join_undone import outer_join_undone
from etl_platform.planner.lint.partition_filter import partition_filter
from etl_platform.planner.lint.union_distinct import union_distinct
from etl_platform.planner.lint.unordered_limit import unordered_limit
from etl_platform.planner.lint.wide_star import wide_star
from etl_platform.planner.qualification import qualify

LINTS: tuple[Lint, ...] = (
    null_comparison,
    not_in_null,
    cartesian_join,
    fan_out,
    outer_join_undone,
    implicit_cast,
    hidden_column,
    partition_filter,
    unordered_limit,
    idle_order,
    union_distinct,
    wide_star,
)
"""Every lint, in the order in which findings are listed: what may be wrong before what is slow."""


def lint(tree: exp.Query, known: Mapping[TableName, TableKnowledge]) -> tuple[Finding, ...]:
    """What every lint finds in a statement.

    Args:
        tree: parsed, as it was written; not changed.
        known: every table that it names.
    """
    try:
        found = tuple(blocks(qualify(tree, schema_of(known))))
    except EtlError:
        found = ()  # names that only DuckDB can resolve: what needs them is not looked for
    statement = Statement(tree, found, known)
    return tuple(finding for one in LINTS for finding in one(statement))


__all__ = ["LINTS", "Finding", "Lint", "Severity", "lint"]
