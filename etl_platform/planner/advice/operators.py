"""The operators of a query as a tree, with the rows that each is expected to hand on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from etl_platform.planner.advice.values import Values, years


@dataclass(frozen=True, slots=True)
class Operator:
    """One step of a query.

    Attributes:
        kind: scan, filter, join, aggregate, ...
        detail: of what, on what, by what.
        rows: that it is expected to hand on; None where a policy hides how many there are.
        tables: the lake tables below it, each as often as it is read there.
    """

    kind: str
    detail: str
    rows: int | None
    tables: tuple[str, ...]
    children: tuple[Operator, ...] = ()

    def walk(self) -> Iterator[Operator]:
        """This operator and all below."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Rows:
    """An intermediate result: its operator, how many rows, and what its columns hold.

    ``columns`` are by alias of FROM and lower-case name; of a query's result the alias is empty.
    """

    operator: Operator
    count: float
    columns: Mapping[tuple[str, str], Values]
    known: bool = True

    def values(self, alias: str, name: str) -> Values | None:
        """What is known of a column; None for one of somewhere else."""
        return self.columns.get((alias, name.lower()))

    def then(self, kind: str, detail: str, count: float, *others: Rows) -> Rows:
        """What comes out of one more operator over these rows (and others)."""
        sides = (self, *others)
        known = all(side.known for side in sides)
        columns = {key: value for side in sides for key, value in side.columns.items()}
        count = max(count, 0.0)
        operator = Operator(
            kind,
            detail,
            rounded(count) if known else None,
            tuple(sorted(name for side in sides for name in side.operator.tables)),
            tuple(side.operator for side in sides),
        )
        biggest = max(side.count for side in sides)
        left = {key: value.among(count, biggest) for key, value in columns.items()}
        return Rows(operator, count, left if count < biggest else columns, known)

    def named(self, alias: str) -> Rows:
        """The result of a query as an item of FROM."""
        columns = {(alias, name): values for (_, name), values in self.columns.items()}
        return Rows(self.operator, self.count, columns, self.known)


def rounded(count: float) -> int:
    """Expected rows as a whole number; what is surely not empty has at least one."""
    return max(1, round(count)) if count > 0.01 else 0


def groups(keys: list[exp.Expr], rows: Rows) -> float:
    """How many groups the rows make: the distinct values of the keys, at most one per row."""
    count = 1.0
    for key in keys:
        count *= distinct(key, rows)
    return max(1.0, min(count, rows.count))


_PARTS: dict[type[exp.Expr], float] = {
    exp.Month: 12,
    exp.Day: 31,
    exp.Hour: 24,
    exp.Quarter: 4,
    exp.DayOfWeek: 7,
}


def distinct(node: exp.Expr, rows: Rows) -> float:
    """How many values an expression has: at most as many as its columns."""
    if type(node) is exp.Column:
        found = rows.values(node.table, node.name)
        known = found.distinct if found is not None else None
        return known if known is not None else max(1.0, rows.count**0.5)
    if type(node) in _PARTS:
        return _PARTS[type(node)]
    if isinstance(node, exp.Year) or (isinstance(node, exp.Extract) and node.name == "YEAR"):
        found = [rows.values(c.table, c.name) for c in node.find_all(exp.Column)]
        return years(found[0]) if len(found) == 1 and found[0] is not None else 10.0
    if isinstance(node, exp.Case):
        return len(node.args["ifs"]) + 1.0
    count = 1.0
    for column in dict.fromkeys(node.find_all(exp.Column)):
        count *= distinct(column, rows)
    return count
