"""How many rows a SQLite plan visits: its lines are nested loops, the first is the outermost.

The lines' form: https://www.sqlite.org/eqp.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from sqlglot import exp

from etl_platform.sources.database.advice.model import Key

if TYPE_CHECKING:
    from etl_platform.sources.database.advice.model import Statement
    from etl_platform.sources.database.advice.quoting import Quoting
    from etl_platform.sources.database.advice.sqlite_counts import Counts
    from etl_platform.sources.database.advice.usage import Usage

_LINE = re.compile(
    r"(?P<how>SCAN|SEARCH) (?P<table>.+?)"
    r"(?: USING (?P<kind>AUTOMATIC (?:PARTIAL )?(?:COVERING )?INDEX|(?:COVERING )?INDEX|"
    r"INTEGER PRIMARY KEY|PRIMARY KEY)(?: (?P<index>[^(]+?))?(?: \((?P<terms>.*)\))?)?"
    r"(?: LEFT-JOIN)?"
)
# What SQLite itself assumes of a bound that it knows nothing of, and a guess for an expression.
_RANGE = 0.25
_EXPRESSION = 0.01
# A row that is looked up costs as much as this many that are read one after the other.
_LOOKUP = 4.0


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A line of EXPLAIN QUERY PLAN and the line that it belongs to."""

    id: int
    parent: int
    text: str

    @property
    def _match(self) -> re.Match[str] | None:
        return _LINE.fullmatch(self.text)

    @property
    def table(self) -> str | None:
        """The table's name in the statement; None where the line reads none."""
        return found["table"] if (found := self._match) else None

    @property
    def index(self) -> str | None:
        return found["index"] if (found := self._match) else None

    @property
    def terms(self) -> str | None:
        """What is searched for, for example ``a=? AND b>?``; None for a scan."""
        found = self._match
        return (found["terms"] or "") if found and found["how"] == "SEARCH" else None

    @property
    def automatic(self) -> bool:
        """Whether the index is made anew each time the statement runs."""
        return bool((found := self._match) and (found["kind"] or "").startswith("AUTOMATIC"))

    @property
    def looks_up(self) -> bool:
        """Whether each entry of an index is followed to its row in the table."""
        return bool((found := self._match) and found["kind"] == "INDEX")

    def shown(self, names: Mapping[str, str]) -> str:
        """The line with the names that new indexes are to have."""
        index = self.index
        if index is None or index not in names:
            return self.text
        return self.text.replace(index, names[index])


def visits(
    statement: Statement,
    plan: Sequence[PlanLine],
    uses: Sequence[Usage],
    counts: Counts,
    quoting: Quoting,
) -> float:
    """Rows that are visited, at the least 1. An estimate to compare plans of one statement by."""
    named = {use.alias.casefold(): use for use in uses}

    def level(parent: int) -> tuple[float, float]:
        total, loops = 0.0, 1.0
        for line in plan:
            if line.parent != parent:
                continue
            if line.table is None:
                total += loops if "TEMP B-TREE" in line.text else 0.0
                total += level(line.id)[0] * (loops if "CORRELATED" in line.text else 1.0)
                continue
            use = named.get(line.table.casefold())
            one = _UNKNOWN if use is None else _read(line, use, counts, quoting)
            total += one.once + loops * one.seen
            loops *= max(one.kept, 1e-6)
        return total, loops

    total, rows = level(0)
    limit = _early_end(statement, plan)
    return max(1.0, total if limit is None else total * min(1.0, limit / max(rows, 1e-6)))


def _early_end(statement: Statement, plan: Sequence[PlanLine]) -> int | None:
    """The LIMIT at which the loops end; None where every row has to be seen before."""
    tree = statement.tree
    limit = tree.args.get("limit")
    number = limit.expression if isinstance(limit, exp.Limit) else None
    if not isinstance(tree, exp.Select) or not isinstance(number, exp.Literal):
        return None
    gathers = tree.args.get("group") or tree.args.get("distinct")
    gathers = gathers or any(one.find(exp.AggFunc, exp.Window) for one in tree.expressions)
    sorts = any("TEMP B-TREE" in line.text and line.parent == 0 for line in plan)
    return None if gathers or sorts or not number.is_int else int(number.name)


@dataclass(frozen=True, slots=True)
class _Reading:
    """Rows visited by one turn of a loop, those kept of them, and rows read once before."""

    seen: float
    kept: float
    once: float = 0.0


_UNKNOWN = _Reading(1_000.0, 1_000.0)


def _read(line: PlanLine, use: Usage, counts: Counts, quoting: Quoting) -> _Reading:
    table = use.table
    rows = float(counts.rows(table.id))
    shares: dict[str, float] = {}
    for column, condition in use.literal:
        share = counts.matching(table.id, condition)
        shares[column.casefold()] = shares.get(column.casefold(), 1.0) * share
    dear = _LOOKUP if line.looks_up else 1.0
    if line.terms is None:
        return _Reading(rows * dear, rows * prod(shares.values()))
    if line.terms == "rowid=?":
        return _Reading(1.0, prod(shares.values()))
    seen, searched, joined = rows, set[str](), list[Key]()
    for term in line.terms.split(" AND "):
        name, operator = _term(term)
        if name.casefold() in shares:
            searched.add(name.casefold())
        elif operator != "=":
            seen *= _RANGE
        elif name in table.columns:
            joined.append(quoting.key(name))
        else:
            seen *= _EXPRESSION
    seen *= prod(shares[name] for name in searched)
    if joined:
        seen *= counts.per_key(table.id, tuple(dict.fromkeys(joined))) / max(rows, 1.0)
    kept = seen * prod(share for name, share in shares.items() if name not in searched)
    return _Reading(max(seen, 1.0) * dear, kept, rows if line.automatic else 0.0)


def _term(term: str) -> tuple[str, str]:
    """Name and operator of one comparison of a search."""
    found = re.match(r"\(?(<expr>|.*?)\)?([=<>]+)", term)
    return (found[1], found[2]) if found else (term, "=")
