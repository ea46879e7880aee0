"""Random queries over the flights lake: valid, of few rows, and with one right answer.

Joins of every kind, derived tables, CTEs, correlated and plain subqueries, aggregates, windows and
set operations, with predicates in every place where one may stand. Whatever depends on the order
in which rows arrive is left out: no LIMIT without a complete ORDER BY, no sum of floats, no window
without peers.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from sqlglot import exp

from etl_platform.core.names import TableName
from etl_platform_tests.planner.flights import (
    AIRLINES,
    AIRPORTS,
    FLIGHTS,
    PLANES,
    SCHEMA,
    WEATHER,
)

_JOINS: tuple[tuple[TableName, TableName, tuple[tuple[str, str], ...]], ...] = (
    (FLIGHTS, AIRLINES, (("carrier", "carrier"),)),
    (FLIGHTS, PLANES, (("tailnum", "tailnum"),)),
    (FLIGHTS, AIRPORTS, (("dest", "faa"),)),
    (FLIGHTS, AIRPORTS, (("origin", "faa"),)),
    (FLIGHTS, WEATHER, (("origin", "origin"), ("time_hour", "time_hour"))),
    (FLIGHTS, FLIGHTS, (("tailnum", "tailnum"), ("month", "month"), ("day", "day"))),
    (WEATHER, AIRPORTS, (("origin", "faa"),)),
)
_VALUES: dict[str, tuple[object, ...]] = {
    "int": (-20, 0, 1, 5, 30, 120, 1999, 2004),
    "text": ("EWR", "UA", "N1", ""),
    "float": (-5.5, 0, 10.0, 32, 40.7, 61.5, 88.25),
    "time": ("2013-01-01 05:00:00", "2013-03-10", "2013-06-30 23:00:00", "2013-11-05 12:00:00"),
    "date": ("2013-01-15", "2013-05-01", "2013-08-01", "2013-12-31"),
    "month": (0, 1, 2, 3, 5, 6, 7, 9, 11, 12),
    "day": (1, 2, 8, 15, 20, 28, 30, 31),
    "dep_time": (500, 900, 1234, 1700, 2100),
    "dep_delay": (-10, -3, 0, 5, 30, 120),
    "arr_delay": (-30, -10, 0, 12, 45, 200),
    "distance": (200, 502, 760, 1089, 1400, 2475),
    "carrier": ("9E", "AA", "B6", "DL", "EV", "MQ", "UA", "US", "WN", "zz"),
    "tailnum": ("N1", "N3", "N5", "N725MQ", "N9"),
    "origin": ("EWR", "JFK", "LGA", "LGB"),
    "dest": ("ATL", "BOS", "DEN", "LAX", "MIA", "ORD", "SFO"),
    "faa": ("ATL", "BOS", "EWR", "JFK", "LAX", "SFO"),
    "alt": (5, 13, 300, 1026, 5431),
    "tzone": ("America/New_York", "America/Chicago"),
    "year": (1985, 1999, 2004, 2012),
    "manufacturer": ("AIRBUS", "BOEING", "EMBRAER"),
    "model": ("A320-232", "737-824", "EMB-145LR"),
    "seats": (2, 20, 55, 149, 200, 379),
}
"""Values to compare with, by column, else by kind."""
_TYPES = {"time": "TIMESTAMP", "date": "DATE"}
_COMPARISONS = (exp.EQ, exp.NEQ, exp.LT, exp.GTE, exp.LT, exp.LTE, exp.GT, exp.GTE)
_SETS = ("UNION", "UNION ALL", "INTERSECT", "EXCEPT")


@dataclass(frozen=True)
class Output:
    """A column that an expression can use, the kind of its values, and where some are listed."""

    expression: exp.Expr
    kind: str
    values: str


class Generator:
    """A stream of queries; one seed gives the same ones every time."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._aliases = 0

    def sql(self) -> str:
        """The next query, in DuckDB's dialect."""
        self._aliases = 0
        return self.query().sql(dialect="duckdb")

    def query(self) -> exp.Query:
        """The next query as a tree."""
        tree: exp.Query
        if self._chance(0.15):
            kinds = [self._pick(("int", "text", "time")) for _ in range(self._rng.randint(1, 3))]
            left, right = (
                f"SELECT * FROM ({self._select(1, kinds).sql('duckdb')}) AS side" for _ in range(2)
            )
            tree = exp.maybe_parse(f"{left} {self._pick(_SETS)} {right}", dialect="duckdb")
        else:
            tree = self._select(2)
        if self._chance(0.25):
            text = f"SELECT * FROM ({tree.sql('duckdb')}) AS ordered ORDER BY ALL LIMIT 20"
            tree = exp.maybe_parse(text, dialect="duckdb")
        return tree

    def _select(self, depth: int, kinds: list[str] | None = None) -> exp.Select:
        select, columns = self._from(depth)
        for _ in range(self._pick((0, 1, 1, 2))):
            select = select.where(self._predicate(columns, depth), copy=False)
        if kinds is None and self._chance(0.4):
            return self._aggregated(select, columns, depth)
        outputs = [self._of_kind(columns, kind) for kind in kinds or self._kinds(columns)]
        if kinds is None and self._chance(0.3):
            outputs.append(self._window(columns))
        named = [o.expression.as_(f"c{i}") for i, o in enumerate(outputs)]
        select = select.select(*named, copy=False)
        return select.distinct(copy=False) if self._chance(0.15) else select

    def _aggregated(self, select: exp.Select, columns: list[Output], depth: int) -> exp.Select:
        groups = [self._pick(columns).expression.copy() for _ in range(self._rng.randint(0, 2))]
        measures = [self._aggregate(columns) for _ in range(self._rng.randint(1, 3))]
        named = [e.as_(f"c{i}") for i, e in enumerate((*groups, *measures))]
        select = select.select(*named, copy=False)
        if groups:
            select = select.group_by(*(group.copy() for group in groups), copy=False)
        if self._chance(0.3):
            rule = self._pick(("count(*) > 1", "count(*) BETWEEN 2 AND 90", "count(*) <> 3"))
            select = select.having(rule, dialect="duckdb", copy=False)
            if groups and self._chance(0.5):
                select = select.having(
                    exp.Not(this=exp.Is(this=groups[0].copy(), expression=exp.null())), copy=False
                )
        return select

    def _aggregate(self, columns: list[Output]) -> exp.Expr:
        chosen = self._pick(columns)
        text = chosen.expression.sql("duckdb")
        options = [
            "count(*)",
            f"count({text})",
            f"count(DISTINCT {text})",
            f"min({text})",
            f"max({text})",
        ]
        if chosen.kind == "int":
            options += [f"sum({text})", f"sum({text})", f"count(*) FILTER (WHERE {text} > 3)"]
        return exp.maybe_parse(self._pick(options), dialect="duckdb")

    def _window(self, columns: list[Output]) -> Output:
        inside, by, order = (self._pick(columns).expression.sql("duckdb") for _ in range(3))
        call = self._pick(
            ("rank()", "dense_rank()", "count(*)", f"min({inside})", f"max({inside})")
        )
        text = f"{call} OVER (PARTITION BY {by} ORDER BY {order})"
        return Output(exp.maybe_parse(text, dialect="duckdb"), "int", "int")

    def _from(self, depth: int) -> tuple[exp.Select, list[Output]]:
        """SELECT without a list, and the columns that it can use."""
        roll = self._rng.random()
        if depth > 0 and roll < 0.3:
            kinds = [self._pick(("int", "text", "time")) for _ in range(self._rng.randint(2, 4))]
            inner = self._select(depth - 1, kinds)
            for i, projection in enumerate(inner.selects):
                projection.set("alias", exp.to_identifier(f"k{i}"))
            name = self._alias()
            columns = [
                Output(exp.column(f"k{i}", table=name), kind, _pool(inner.selects[i], kind))
                for i, kind in enumerate(kinds)
            ]
            if roll < 0.12:
                select = exp.select().from_(name).with_(name, inner, dialect="duckdb")
                if self._chance(0.4):
                    return self._twice(select, name, columns)
                return select, columns
            return exp.select().from_(inner.subquery(name)), columns
        left, right, keys = self._pick(_JOINS)
        if self._chance(0.3):
            left, right, keys = right, left, tuple((b, a) for a, b in keys)
        name = self._alias()
        select = exp.select().from_(exp.to_table(left.sql, alias=name))
        columns = self._columns(left, name)
        if self._chance(0.55):
            select, columns = self._joined(select, columns, name, right, keys, depth)
        return select, columns

    def _twice(
        self, select: exp.Select, name: str, columns: list[Output]
    ) -> tuple[exp.Select, list[Output]]:
        """A CTE joined with itself on its first column, few rows of it on one side."""
        other = self._alias()
        text = f"{name}.k0 = {other}.k0 AND {other}.k1 = {name}.k1"
        select = select.join(exp.to_table(name, alias=other), on=text, dialect="duckdb")
        outputs = [
            Output(exp.column(c.expression.name, table=other), c.kind, c.values) for c in columns
        ]
        # Duplicates of both keys multiply: a distinct answer keeps the result small.
        return select.distinct(), [*columns, *outputs]

    def _joined(
        self,
        select: exp.Select,
        columns: list[Output],
        name: str,
        right: TableName,
        keys: tuple[tuple[str, str], ...],
        depth: int,
    ) -> tuple[exp.Select, list[Output]]:
        other = self._alias()
        side = self._pick(("", "", "", "LEFT", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI"))
        theirs = self._columns(right, other)
        on = [exp.column(a, table=name).eq(exp.column(b, table=other)) for a, b in keys]
        if self._chance(0.4):
            # FULL and ANTI take any condition too, as long as an equality stands beside it.
            on.append(self._predicate([*columns, *theirs], 0))
        target: exp.Expr = exp.to_table(right.sql, alias=other)
        if depth > 0 and self._chance(0.25):
            inner = exp.select("*").from_(exp.to_table(right.sql, alias="t"))
            inner = inner.where(self._predicate(self._columns(right, "t"), 0))
            target = inner.subquery(other)
        select = select.join(target, on=exp.and_(*on), join_type=side or "INNER")
        return select, columns if side in ("SEMI", "ANTI") else [*columns, *theirs]

    def _predicate(self, columns: list[Output], depth: int) -> exp.Expr:
        roll = self._rng.random()
        if roll < 0.1:
            return exp.and_(self._predicate(columns, depth), self._predicate(columns, depth))
        if roll < 0.2:
            return exp.paren(
                exp.or_(self._predicate(columns, depth), self._predicate(columns, depth))
            )
        if roll < 0.26:
            return exp.Not(this=exp.paren(self._predicate(columns, depth)))
        if depth > 0 and roll < 0.42:
            return self._subquery(columns)
        return self._atom(self._pick(columns), columns)

    def _atom(self, chosen: Output, columns: list[Output]) -> exp.Expr:
        column, kind, pool = chosen.expression.copy(), chosen.kind, chosen.values
        roll = self._rng.random()
        if roll < 0.08:
            return exp.Is(this=column, expression=exp.null())
        if roll < 0.14:
            return exp.Not(this=exp.Is(this=column, expression=exp.null()))
        if roll < 0.22:
            other = self._of_kind(columns, kind)
            return self._pick(_COMPARISONS)(this=column, expression=other.expression)
        if roll < 0.36:
            low, high = sorted((self._value(pool, kind) for _ in range(2)), key=_in_order)
            return exp.Between(this=column, low=low, high=high)
        if roll < 0.5:
            values = [self._value(pool, kind) for _ in range(self._rng.randint(1, 4))]
            if self._chance(0.1):
                values.append(exp.null())
            found = exp.In(this=column, expressions=values)
            return exp.Not(this=found) if self._chance(0.2) else found
        if kind == "text" and roll < 0.62:
            pattern = self._pick(("N%", "E%R", "%A", "9_", "J%", "BOE%"))
            return exp.Like(this=column, expression=exp.Literal.string(pattern))
        if kind == "time" and roll < 0.75:
            text = self._pick(("CAST({0} AS DATE)", "date_trunc('month', {0})"))
            form = exp.maybe_parse(text.format(column.sql("duckdb")), dialect="duckdb")
            return self._pick(_COMPARISONS)(this=form, expression=self._value("date", "date"))
        if kind == "int" and roll < 0.7:
            column = exp.maybe_parse(f"{column.sql('duckdb')} + 1", dialect="duckdb")
        sides = (column, self._value(pool, kind))
        left, right = sides if self._chance(0.85) else sides[::-1]
        return self._pick(_COMPARISONS)(this=left, expression=right)

    def _subquery(self, columns: list[Output]) -> exp.Expr:
        left, right, keys = self._pick(_JOINS)
        mine, theirs = keys[0]
        name = self._alias()
        inner = exp.select().from_(exp.to_table(right.sql, alias=name))
        outputs = self._columns(right, name)
        inner = inner.where(self._predicate(outputs, 0))
        kind = SCHEMA[left][mine]
        outer = self._of_kind(columns, kind).expression
        roll = self._rng.random()
        if roll < 0.35:
            found = exp.In(
                this=outer, query=inner.select(exp.column(theirs, table=name)).subquery()
            )
        elif roll < 0.7:
            linked = inner.where(exp.column(theirs, table=name).eq(outer)).select("1")
            found = exp.Exists(this=linked)
        else:
            call = self._pick(("max", "min"))
            text = f"{call}({name}.{theirs})"
            return self._pick(_COMPARISONS)(
                this=outer, expression=inner.select(text, dialect="duckdb").subquery()
            )
        return exp.Not(this=found) if self._chance(0.3) else found

    def _columns(self, table: TableName, name: str) -> list[Output]:
        return [Output(exp.column(c, table=name), kind, c) for c, kind in SCHEMA[table].items()]

    def _kinds(self, columns: list[Output]) -> list[str]:
        return [self._pick(columns).kind for _ in range(self._rng.randint(1, 4))]

    def _of_kind(self, columns: list[Output], kind: str) -> Output:
        fitting = [column for column in columns if column.kind == kind]
        if not fitting:
            return Output(self._value(kind, kind), kind, kind)
        chosen = self._pick(fitting)
        return Output(chosen.expression.copy(), kind, chosen.values)

    def _value(self, values: str, kind: str) -> exp.Expr:
        value = self._pick(_VALUES.get(values, _VALUES[kind]))
        if kind in _TYPES:
            return exp.cast(exp.Literal.string(str(value)), _TYPES[kind])
        return exp.convert(value)

    def _alias(self) -> str:
        self._aliases += 1
        return f"t{self._aliases}"

    def _chance(self, share: float) -> bool:
        return self._rng.random() < share

    def _pick(self, options):
        return self._rng.choice(options)


def _pool(projection: exp.Expr, kind: str) -> str:
    """Where values of an output are listed: under the column's name, if it is one."""
    column = projection.unalias()
    return column.name if isinstance(column, exp.Column) else kind


def _in_order(value: exp.Expr) -> tuple[float, str]:
    text = value.find(exp.Literal).name
    return (float(value.to_py()) if value.is_number else 0.0, text)
