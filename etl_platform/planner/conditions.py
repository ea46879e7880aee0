"""Conditions on the columns of one table that bounds of their values can decide.

Whether a file may hold a row that fulfils one is asked of DuckDB itself, with the bounds in the
place of the column, so that casts, literals, time zones and the order of texts mean what they mean
in the query. That is sound where the expression around the column never falls while it rises.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from etl_platform.core.duck import literal, quote

COLUMN = "__column__"
"""Stands for the column in the text of a form."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The SQL that stands for what is known of a column in a file."""

    low: str
    high: str
    nulls: str
    rows: str = "rows"


BoundsOf: TypeAlias = Callable[[str], Bounds]


@dataclass(frozen=True, slots=True)
class Compare:
    """``form op constant``; ``form`` has the column's name where ``__column__`` stands.

    ``parameters`` are the names that ``constant`` mentions as ``$name``.
    """

    column: str
    form: str
    operator: str
    constant: str
    parameters: tuple[str, ...] = ()

    def sql(self) -> str:
        """The condition itself."""
        return f"({_put(self.form, quote(self.column))} {self.operator} {self.constant})"

    def may(self, bounds_of: BoundsOf) -> str:
        """SQL that is not true only when no row of a file can fulfil the condition."""
        bounds = bounds_of(self.column)
        low, high = _put(self.form, bounds.low), _put(self.form, bounds.high)
        constant = self.constant
        outside = {
            "=": f"{low} > {constant} OR {high} < {constant}",
            "<": f"{low} >= {constant}",
            "<=": f"{low} > {constant}",
            ">": f"{high} <= {constant}",
            ">=": f"{high} < {constant}",
            "<>": f"{low} = {constant} AND {high} = {constant}",
        }[self.operator]
        return f"(({outside}) IS NOT TRUE AND ({_all_null(bounds)}) IS NOT TRUE)"


@dataclass(frozen=True, slots=True)
class StartsWith:
    """The text column begins with ``prefix``."""

    column: str
    prefix: str

    def sql(self) -> str:
        """The condition itself."""
        return f"starts_with({quote(self.column)}, {literal(self.prefix)})"

    def may(self, bounds_of: BoundsOf) -> str:
        """See :meth:`Compare.may`: cutting texts to one length keeps their order."""
        bounds, prefix = bounds_of(self.column), literal(self.prefix)
        length = len(self.prefix)
        outside = f"{bounds.low}[1:{length}] > {prefix} OR {bounds.high} < {prefix}"
        return f"(({outside}) IS NOT TRUE AND ({_all_null(bounds)}) IS NOT TRUE)"


@dataclass(frozen=True, slots=True)
class Null:
    """The column is null, or, ``negated``, is not."""

    column: str
    negated: bool

    def sql(self) -> str:
        """The condition itself."""
        return f"({quote(self.column)} IS {'NOT ' if self.negated else ''}NULL)"

    def may(self, bounds_of: BoundsOf) -> str:
        """See :meth:`Compare.may`."""
        bounds = bounds_of(self.column)
        outside = _all_null(bounds) if self.negated else f"{bounds.nulls} = 0"
        return f"(({outside}) IS NOT TRUE)"


@dataclass(frozen=True, slots=True)
class Both:
    """Every part holds."""

    parts: tuple[Condition, ...]

    def sql(self) -> str:
        """The condition itself."""
        return "(" + " AND ".join(part.sql() for part in self.parts) + ")"

    def may(self, bounds_of: BoundsOf) -> str:
        """See :meth:`Compare.may`."""
        return "(" + " AND ".join(part.may(bounds_of) for part in self.parts) + ")"


@dataclass(frozen=True, slots=True)
class Either:
    """At least one part holds."""

    parts: tuple[Condition, ...]

    def sql(self) -> str:
        """The condition itself."""
        return "(" + " OR ".join(part.sql() for part in self.parts) + ")"

    def may(self, bounds_of: BoundsOf) -> str:
        """See :meth:`Compare.may`."""
        return "(" + " OR ".join(part.may(bounds_of) for part in self.parts) + ")"


Condition: TypeAlias = Compare | StartsWith | Null | Both | Either


def rejects_null(condition: Condition) -> bool:
    """Whether a row of nulls, as an outer join makes it, fails the condition."""
    if isinstance(condition, Null):
        return condition.negated
    if isinstance(condition, Both):
        return any(rejects_null(part) for part in condition.parts)
    if isinstance(condition, Either):
        return all(rejects_null(part) for part in condition.parts)
    return True


def parameters_of(condition: Condition) -> set[str]:
    """The parameters that a condition mentions."""
    if isinstance(condition, Both | Either):
        return set[str]().union(*(parameters_of(part) for part in condition.parts))
    return set(condition.parameters) if isinstance(condition, Compare) else set()


def columns_of(condition: Condition) -> set[str]:
    """The columns that a condition is about."""
    if isinstance(condition, Both | Either):
        return set[str]().union(*(columns_of(part) for part in condition.parts))
    return {condition.column}


def _put(form: str, name: str) -> str:
    return form.replace(COLUMN, name)


def _all_null(bounds: Bounds) -> str:
    return f"{bounds.nulls} >= {bounds.rows}"
