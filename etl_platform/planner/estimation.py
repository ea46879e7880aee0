"""What a plan will cost: a formula over files, corrected by what past queries took."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Protocol

from sqlglot import exp

from etl_platform.metastore.records import QueryRecord
from etl_platform.planner.plan import Estimate, TableInput
from etl_platform.planner.tables import table_name, table_references
from etl_platform.planner.weakening import conjuncts

_START_S = 0.03
_BYTES_PER_S = 400e6
_ROWS_PER_S = 20e6
_EQUAL, _OTHER = 0.1, 0.4
_GROUPED = 0.1
_RECENT = 100
_REFRESHED_AFTER = 50


class PastRuns(Protocol):
    """What earlier queries took; the metastore's history is one."""

    def runs(self, key: str, limit: int = 20) -> Sequence[QueryRecord]:
        """Runs of the plan of a key, newest first."""
        ...

    def newest(self, limit: int = 50, *, status: str | None = None) -> Sequence[QueryRecord]:
        """The newest statements first."""
        ...


class Corrections:
    """Seconds as they were, where the formula only knows bytes. One serves many plans.

    A plan that ran before is expected to take the median of what it took; others what the formula
    says, times the median ratio by which it was wrong lately on this machine.
    """

    def __init__(self, past: PastRuns) -> None:
        self._past = past
        self._ratio = 1.0
        self._asked = 0

    def seconds(self, key: str, formula_s: float) -> float:
        """What a plan is expected to take, in seconds."""
        before = [run.seconds for run in self._past.runs(key, 5)]
        if before:
            return statistics.median(before)
        if self._asked % _REFRESHED_AFTER == 0:
            self._ratio = self._wrong_by()
        self._asked += 1
        return formula_s * self._ratio

    def _wrong_by(self) -> float:
        ratios = [
            run.seconds / formula_seconds(run.scanned_bytes, 0, 0)
            for run in self._past.newest(_RECENT, status="ok")
            if run.scanned_bytes and not run.cached
        ]
        return statistics.median(ratios) if ratios else 1.0


def estimate(
    tree: exp.Query,
    inputs: Sequence[TableInput],
    key: str,
    corrections: Corrections | None = None,
) -> Estimate:
    """Rows of the result, bytes of the files that are read, and seconds."""
    size_bytes = sum(table.size_bytes for table in inputs)
    rows = {table.table.sql: table.rows for table in inputs}
    scanned = [rows.get(_name(node), 0) for node in table_references(tree)]
    seconds = formula_seconds(size_bytes, sum(scanned), _steps(tree))
    if corrections is not None:
        seconds = corrections.seconds(key, seconds)
    return Estimate(rows=round(_rows(tree, rows)), size_bytes=size_bytes, seconds=seconds)


def formula_seconds(size_bytes: int | None, rows: int, steps: int) -> float:
    """Seconds without history: starting, reading, and each row through each join or grouping."""
    return _START_S + (size_bytes or 0) / _BYTES_PER_S + rows * (1 + steps) / _ROWS_PER_S


def _steps(tree: exp.Query) -> int:
    return sum(1 for _ in tree.find_all(exp.Join, exp.Group, exp.Window, exp.Order))


def _name(node: exp.Table) -> str:
    table = table_name(node)
    return "" if table is None else table.sql


def _rows(query: exp.Expr, rows: Mapping[str, int]) -> float:
    """Rows of a query; the largest input carries a join, and filters keep a share each."""
    if isinstance(query, exp.Subquery):
        return _limited(query, _rows(query.this, rows))
    if isinstance(query, exp.SetOperation):
        sides = [_rows(side, rows) for side in (query.this, query.expression)]
        found = sum(sides) if isinstance(query, exp.Union) else sides[0]
        return _limited(query, found)
    if not isinstance(query, exp.Select):
        return 1
    from_ = query.args.get("from_")
    items = [] if from_ is None else [from_.this]
    items += [join.this for join in query.args.get("joins") or ()]
    found = float(max((_item_rows(item, rows) for item in items), default=1))
    where = query.args.get("where")
    for predicate in conjuncts(where.this if where is not None else None):
        kept = _EQUAL if isinstance(predicate, exp.EQ) else _OTHER
        joins = all(
            isinstance(side, exp.Column)
            for side in (predicate.this, predicate.args.get("expression"))
        )
        found *= 1 if joins else kept
    if query.args.get("group") is not None:
        found = max(1.0, found * _GROUPED)
    elif any(p.find(exp.AggFunc) and not p.find(exp.Window) for p in query.selects):
        found = 1
    return _limited(query, max(found, 1.0))


def _item_rows(item: exp.Expr, rows: Mapping[str, int]) -> float:
    if isinstance(item, exp.Table):
        return rows.get(_name(item), 1)
    return _rows(item, rows)


def _limited(query: exp.Query, found: float) -> float:
    limit = query.args.get("limit")
    value = limit.expression if isinstance(limit, exp.Limit) else None
    return (
        min(found, float(value.name)) if isinstance(value, exp.Literal) and value.is_int else found
    )
