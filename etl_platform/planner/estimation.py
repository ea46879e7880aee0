"""What a plan will cost: a formula over files, corrected by what past queries took."""

from __future__ import annotations

import statistics
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from sqlglot import exp

from etl_platform.metastore.records import QueryRecord
from etl_platform.planner.plan import Estimate, TableInput
from etl_platform.planner.tables import table_name
from etl_platform.planner.weakening import conjuncts

_START_S = 0.02
_BYTES_PER_S = 800e6
_EQUAL, _OTHER = 0.1, 0.4
_GROUPED = 0.1
_LATELY = 200


class PastRuns(Protocol):
    """What earlier queries took; the metastore's history is one."""

    def runs(self, key: str, limit: int = 20) -> Sequence[QueryRecord]:
        """Runs of the plan of a key, newest first."""
        ...

    def newest(self, limit: int = 50, *, status: str | None = None) -> Sequence[QueryRecord]:
        """The newest statements first."""
        ...


@dataclass(frozen=True, slots=True)
class _Run:
    seconds: float
    size_bytes: int

    @property
    def wrong_by(self) -> float:
        return self.seconds / formula_seconds(self.size_bytes)


class Corrections:
    """Seconds as they were, where the formula only knows bytes. One serves many plans.

    A plan that ran before is expected to take the median of what it took; a text that ran on other
    versions of its tables what it took last, in proportion to the bytes; others what the formula
    says, times the median ratio by which it was wrong lately on this machine.
    """

    def __init__(self, past: PastRuns) -> None:
        self._past = past
        self._lately: OrderedDict[tuple[str | None, str], _Run] | None = None
        self._lock = Lock()

    def seconds(self, key: str, text: str, role: str | None, size_bytes: int) -> float:
        """What a plan is expected to take.

        Args:
            key: of the plan.
            text: as it was asked, and by which role.
            size_bytes: of the files that it reads.
        """
        before = [run.seconds for run in self._past.runs(key, 5)]
        if before:
            return statistics.median(before)
        formula_s = formula_seconds(size_bytes)
        with self._lock:
            lately = self._runs()
            same = lately.get((role, text))
            if same is not None:
                return formula_s * same.wrong_by
            ratios = [run.wrong_by for run in lately.values()]
        return formula_s * (statistics.median(ratios) if ratios else 1)

    def learn(self, run: QueryRecord) -> None:
        """Take note of a run that has just been recorded."""
        with self._lock:
            self._learn(self._runs(), run)

    def _runs(self) -> OrderedDict[tuple[str | None, str], _Run]:
        if self._lately is None:
            self._lately = OrderedDict()
            for run in reversed(self._past.newest(_LATELY, status="ok")):
                self._learn(self._lately, run)
        return self._lately

    @staticmethod
    def _learn(lately: OrderedDict[tuple[str | None, str], _Run], run: QueryRecord) -> None:
        if run.status != "ok" or run.cached or not run.scanned_bytes:
            return
        asked = (run.role, run.sql)
        lately[asked] = _Run(run.seconds, run.scanned_bytes)
        lately.move_to_end(asked)
        if len(lately) > _LATELY:
            lately.popitem(last=False)


def estimate(tree: exp.Query, inputs: Sequence[TableInput], seconds: float) -> Estimate:
    """Rows of the result, bytes of the files that are read, and the seconds as they are given."""
    rows = {table.table.sql: table.rows for table in inputs}
    size_bytes = sum(table.size_bytes for table in inputs)
    return Estimate(rows=round(_rows(tree, rows)), size_bytes=size_bytes, seconds=seconds)


def formula_seconds(size_bytes: int) -> float:
    """Seconds without history: starting and reading.

    Joins and groupings are left out on purpose: over the queries of TPC-H and their plans, steps
    times rows explains no more of the seconds than bytes alone do.
    """
    return _START_S + size_bytes / _BYTES_PER_S


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
