"""A partitioned table, filtered by everything but its partition."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from etl_platform.planner.lint.finding import Finding, Statement, finding

CODE = "partition-filter"


def partition_filter(statement: Statement) -> Iterator[Finding]:
    """Rows of a partitioned table are chosen, but not by its partition, and all files are read.

    Does not apply to statements that want the whole table, where a join bounds the partition, or
    where the bounds of files have left out some.
    """
    for block in statement.blocks:
        for alias, item in block.items.items():
            table = statement.known(item.table)
            if table is None or not table.partition_by or table.files_total < 2:
                continue
            named = {
                column.name.lower()
                for condition in block.conditions()
                for column in condition.find_all(exp.Column)
                if column.table == alias
            }
            own = [c for c in block.conditions() if block.aliases(c) == frozenset({alias})]
            if (
                own
                and not named & set(table.partition_by)
                and table.files_read == table.files_total
            ):
                by = ", ".join(table.partition_by)
                yield finding(
                    CODE,
                    "note",
                    item.node,
                    f"all {table.files_total} files of {table.name} are read: it is partitioned by "
                    f"{by}, and no condition is on it",
                    f"add a condition on {table.partition_by[0]} where one follows from the others",
                )
