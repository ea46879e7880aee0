"""What a parsed expression consists of, node by node, against the closed lists."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from etl_platform.core.errors import QueryRefused, UnknownName
from etl_platform.transforms.expressions.allowed import (
    AGGREGATES,
    FUNCTIONS,
    LARGEST,
    NODES,
    SIZED,
    WINDOWS,
    why_refused,
)
from etl_platform.transforms.expressions.text import shown
from etl_platform.transforms.expressions.types import check_cast

DEEPEST = 100
MOST_NODES = 2_000
_SYNTAX = (exp.Case, exp.If, exp.Cast, exp.TryCast, exp.Connector, exp.Array, exp.Struct)
"""What sqlglot counts among functions though it is written in another way."""
_AROUND = (exp.Filter, exp.IgnoreNulls, exp.RespectNulls)
_CALL = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\(")


@dataclass(slots=True)
class Check:
    """One expression under inspection; the sizes that it names multiply as calls are met."""

    text: str
    columns: Collection[str]
    where: str
    kind: str
    macros: Collection[str]
    _size: float = 1
    _folded: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._folded = {name.lower(): name for name in self.columns}

    def tree(self, tree: exp.Expr) -> None:
        """Look at every node.

        Raises:
            UnknownName: a column, field, function or type does not exist.
            QueryRefused: anything else that may not stand there.
        """
        for nodes, (node, depth) in enumerate(_walk(tree), start=1):
            if depth > DEEPEST or nodes > MOST_NODES:
                raise self._refused(
                    f"{shown(self.text)} is too large",
                    valid=f"at most {MOST_NODES:,} parts, nested at most {DEEPEST} deep",
                    fix="split it into several steps",
                )
            self._node(node)

    def _node(self, node: exp.Expr) -> None:
        if isinstance(node, exp.Query | exp.Table | exp.Subquery | exp.Exists):
            raise self._refused(
                f"an expression may not read other tables: {_sql(node)}",
                fix="use a join or lookup step",
            )
        if not isinstance(node, NODES):
            raise self._refused(
                f"{_sql(node)} ({type(node).__name__}) is not allowed in an expression",
                valid="operators, CASE, casts, and functions of values",
            )
        match node:
            case exp.Star() if not isinstance(node.parent, exp.Count):
                raise self._refused("* is only allowed in count(*)", fix="name the columns")
            case exp.Column():
                self._column(node)
            case exp.Dot():
                self._attribute(node)
            case exp.Window() if self.kind != "window":
                raise self._refused(
                    f"a window function is not allowed here: {_sql(node)}",
                    fix="use a window step",
                )
            case exp.Cast() | exp.TryCast():
                check_cast(node.to, where=self.where)
            case exp.Func():
                self._function(node)
            case _:
                pass

    def _column(self, node: exp.Column) -> None:
        # a.b is the field b of the struct a: the first part is the column.
        if node.find(exp.Star) is not None:
            return  # Refused when the walk comes to it.
        name, *path = [part.name for part in node.parts]
        for part in path:
            if part.startswith("__"):
                raise self._refused(
                    f"{_sql(node)} looks up an attribute", valid="column, or struct_column.field"
                )
        if _is_lambda_argument(node, name):
            return
        if name.lower() not in self._folded:
            raise UnknownName("column", name, self.columns, where=self.where)
        if path and isinstance(self.columns, Mapping):
            known = self._folded[name.lower()]
            self._field(known, str(self.columns[known]), path)

    def _field(self, name: str, kind: str, path: list[str]) -> None:
        for part in path:
            fields = _fields(kind)
            if fields is None:
                raise self._refused(
                    f"column {name!r} of type {kind} has no attribute {part!r}",
                    valid="column, or struct_column.field",
                )
            found = {field.lower(): field for field in fields}.get(part.lower())
            if found is None:
                raise UnknownName(f"field of {name!r}", part, fields, where=self.where)
            name, kind = f"{name}.{found}", fields[found]

    def _attribute(self, node: exp.Dot) -> None:
        # A field of what a call or subscript gives; DuckDB knows whether there is one.
        right, left = node.expression, node.this
        plain = isinstance(right, exp.Identifier) and not right.name.startswith("__")
        if not plain or isinstance(left, exp.Literal | exp.Identifier):
            raise self._refused(
                f"{_sql(node)} looks up an attribute or method",
                valid="struct_column.field; functions are written name(value)",
            )

    def _function(self, node: exp.Func) -> None:
        if isinstance(node, _SYNTAX):
            return
        names = _names(node)
        if not any(name in FUNCTIONS for name in names):
            why = why_refused(names[0])
            if why is not None:
                raise self._refused(
                    f"{names[0]}() is not allowed in an expression", valid=f"not this one: {why}"
                )
            raise UnknownName("function", names[0], FUNCTIONS | set(self.macros), where=self.where)
        called = names[0]
        inside: exp.Expr | None = node.parent
        while isinstance(inside, _AROUND):
            inside = inside.parent
        windowed = self.kind == "window" and isinstance(inside, exp.Window)
        if any(name in WINDOWS for name in names) and not windowed:
            raise self._refused(
                f"{called}() needs rows in an order", fix="use a window step, with OVER"
            )
        if self.kind == "row" and (
            isinstance(node, exp.AggFunc) or any(name in AGGREGATES for name in names)
        ):
            raise self._refused(
                f"{called}() is computed from many rows", fix="use an aggregate step"
            )
        if called == "age" and len(list(node.iter_expressions())) < 2:
            raise self._refused(
                "age() of one moment asks the clock", valid="age(later, earlier), with a variable"
            )
        if called == "list_aggregate":
            self._aggregate_of_list(node)
        if any(name in SIZED for name in names):
            self._sized(node, called)

    def _aggregate_of_list(self, node: exp.Func) -> None:
        name = [*node.iter_expressions()][1:2]
        if not name or not (isinstance(name[0], exp.Literal) and name[0].is_string):
            raise self._refused("list_aggregate() needs the name of an aggregate as text")
        if name[0].name.lower() not in AGGREGATES:
            raise UnknownName("aggregate", name[0].name, AGGREGATES, where=self.where)

    def _sized(self, node: exp.Func, name: str) -> None:
        numbers = [*node.iter_expressions()][1:2]
        number = numbers[0] if numbers else exp.null()
        while isinstance(number, exp.Paren | exp.Cast | exp.Neg):
            number = number.this
        if isinstance(number, exp.Literal) and not number.is_string:
            self._size *= max(1.0, float(number.this))
            if self._size <= LARGEST:
                return
        raise self._refused(
            f"{name}() may make a value of any size: {_sql(node)}",
            valid=f"a number that stands in the text; all of one expression multiply to at most "
            f"{LARGEST:,}",
        )

    def _refused(
        self, what: str, *, valid: str | None = None, fix: str | None = None
    ) -> QueryRefused:
        return QueryRefused(f"{self.where}: {what}", valid=valid, fix=fix)


def _walk(tree: exp.Expr) -> Iterator[tuple[exp.Expr, int]]:
    """Every node with its depth, without recursion: the text decides how deep it is."""
    stack = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        stack += [(child, depth + 1) for child in node.iter_expressions()]


def _names(node: exp.Func) -> tuple[str, ...]:
    """What a call may be known as, beginning with the name that DuckDB will read."""
    if isinstance(node, exp.Anonymous):
        return (node.name.lower(),)
    written = _CALL.match(node.sql(dialect="duckdb"))
    if written is not None:
        return (written[1].lower(),)
    return tuple(name.lower() for name in node.sql_names())


def _is_lambda_argument(node: exp.Expr, name: str) -> bool:
    above = node.parent
    while above is not None:
        if isinstance(above, exp.Lambda) and name in {one.name for one in above.expressions}:
            return True
        above = above.parent
    return False


def _fields(kind: str) -> dict[str, str] | None:
    """The fields of a struct's type text; None for another type."""
    if not kind.upper().startswith("STRUCT(") or not kind.endswith(")"):
        return None
    struct = exp.DataType.build(kind, dialect="duckdb")
    return {part.name: part.args["kind"].sql(dialect="duckdb") for part in struct.expressions}


def _sql(node: exp.Expr) -> str:
    return shown(node.sql(dialect="duckdb"))
