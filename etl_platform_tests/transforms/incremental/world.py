"""Three source tables that change at random, and models of many shapes over them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from etl_platform.core.duck import connect
from etl_platform.core.names import TableName
from etl_platform.lakehouse import Lake, Mode, Origin
from etl_platform.planner.parsing import parse
from etl_platform.planner.tables import tables_of
from etl_platform.transforms.incremental.refresh import Kind, Refresh, decide
from etl_platform.transforms.incremental.subject import Subject

ORDERS, CUSTOMERS, RATES = (TableName("src", name) for name in ("orders", "customers", "rates"))
_START = date(2026, 1, 1)

SHAPES: Mapping[str, str] = {
    "filter": "SELECT id, day, amount * 2 AS double FROM src.orders WHERE amount > 20",
    "every_column": "SELECT * FROM src.orders",
    "group": "SELECT customer, count(*) AS n, sum(amount) AS total FROM src.orders GROUP BY 1",
    "group_by_value": "SELECT date_trunc('month', moment) AS month, lower(note) AS note, "
    "max(id) AS id FROM src.orders GROUP BY ALL",
    "having": "SELECT customer, note FROM src.orders GROUP BY ALL HAVING count(*) > 1",
    "window": "SELECT id, customer, amount, sum(amount) OVER w AS so_far FROM src.orders "
    "WINDOW w AS (PARTITION BY customer ORDER BY moment, id, amount, note)",
    "latest": "SELECT id, day, customer, amount FROM src.orders "
    "QUALIFY row_number() OVER (PARTITION BY id "
    "ORDER BY moment DESC, amount, note, customer, day) = 1",
    "two_windows": "SELECT customer, day, id, count(*) OVER (PARTITION BY customer, day) AS a, "
    "max(amount) OVER (PARTITION BY day) AS b FROM src.orders",
    "inner_join": "SELECT o.id, o.customer, c.region, o.amount FROM src.orders o "
    "JOIN src.customers c USING (customer)",
    "left_join": "SELECT o.id, customer, c.region FROM src.orders o "
    "LEFT JOIN src.customers c USING (customer)",
    "right_join": "SELECT o.id, c.customer AS who, c.region FROM src.orders o "
    "RIGHT JOIN src.customers c ON o.customer = c.customer AND o.amount > 10",
    "full_join": "SELECT customer, count(o.id) AS n, min(c.region) AS region FROM src.orders o "
    "FULL JOIN src.customers c USING (customer) GROUP BY customer",
    "join_then_group": "WITH sold AS (SELECT o.day, c.region, o.amount FROM src.orders o "
    "LEFT JOIN src.customers c ON c.customer = o.customer) "
    "SELECT region, day, sum(amount) AS total FROM sold GROUP BY ALL",
    "self_join": "SELECT a.id, b.amount FROM src.orders a JOIN src.orders b "
    "ON a.id = b.id AND a.moment <= b.moment",
    "cte_twice": "WITH n AS (SELECT customer, count(*) AS n FROM src.orders GROUP BY ALL) "
    "SELECT a.customer, a.n, b.n AS same FROM n a LEFT JOIN n b USING (customer)",
    "union_all": "SELECT id AS k, note FROM src.orders UNION ALL "
    "SELECT customer, region FROM src.customers",
    "union": "SELECT customer, note FROM src.orders UNION "
    "SELECT customer, region FROM src.customers",
    "except": "SELECT customer FROM src.orders EXCEPT SELECT customer FROM src.customers",
    "intersect": "SELECT customer FROM src.orders INTERSECT ALL SELECT customer FROM src.customers",
    "distinct": "SELECT DISTINCT customer, day FROM src.orders",
    "distinct_on": "SELECT DISTINCT ON (customer) customer, id, amount FROM src.orders "
    "ORDER BY moment, id, amount, note, day",
    "as_of": "SELECT o.id, o.note, r.rate FROM src.orders o ASOF JOIN src.rates r "
    "ON o.note = r.note AND o.moment >= r.since",
    "as_of_left": "SELECT o.id, o.note AS n, o.moment, r.rate FROM src.orders o "
    "ASOF LEFT JOIN src.rates r ON o.note = r.note AND o.moment >= r.since",
    "semi_join": "SELECT id, customer FROM src.orders SEMI JOIN src.customers USING (customer)",
    "anti_join": "SELECT id, customer FROM src.orders ANTI JOIN src.customers USING (customer)",
    "unnest": "SELECT id, unnest([day, day + 1]) AS d FROM src.orders",
    "subquery": "SELECT id, amount, (SELECT max(amount) FROM src.orders) AS most FROM src.orders",
    "in_subquery": "SELECT customer, count(*) AS n FROM src.orders "
    "WHERE customer IN (SELECT customer FROM src.customers WHERE region = 'north') GROUP BY 1",
    "total": "SELECT count(*) AS n, sum(amount) AS total FROM src.orders",
    "window_of_all": "SELECT id, rank() OVER (ORDER BY amount, id) AS place FROM src.orders",
    "limit": "SELECT id, moment FROM src.orders ORDER BY moment, id, amount LIMIT 5",
    "failing_elsewhere": "SELECT CAST(note AS INTEGER) AS n, customer FROM src.orders "
    "WHERE regexp_full_match(note, '[0-9]+') GROUP BY ALL",
    "shadowed": "SELECT lower(note) AS note, o.note AS kept, "
    "count(*) OVER (PARTITION BY note) AS n FROM src.orders o",
}
"""Models by shape; some cannot be incremental, and are right all the same."""

PARTITIONED: Mapping[str, tuple[str, ...]] = {
    "filter": ("day",),
    "join_then_group": ("day",),
    "two_windows": ("day",),
    "distinct": ("day",),
}


def subject(shape: str) -> Subject:
    """The model of a shape."""
    parts = PARTITIONED.get(shape, ())
    return Subject(TableName("mart", shape), SHAPES[shape], incremental=True, partition_by=parts)


def decided(lake: Lake, model: Subject) -> Refresh:
    """What a run of a model would do now."""
    return decide(lake, model, {t: lake.snapshot(t) for t in tables_of(parse(model.sql))})


def publish(lake: Lake, model: Subject, refresh: Refresh) -> None:
    """Do it."""
    versions = {table: pin.version for table, pin in refresh.state.inputs.items()}
    with connect(lake.settings) as con:
        staged = lake.stage(model.table, refresh.rows(con), model.partition_by)
    lake.publish(
        staged,
        refresh.mode,
        replaced=refresh.replaced,
        annotations=Origin(versions, sql=model.sql).annotation(),
        annotate=refresh.annotate,
        schema_change="any" if refresh.mode is Mode.REPLACE else "evolve",
    )
    refresh.discard()


def renew(lake: Lake, model: Subject) -> tuple[Kind, str]:
    """One run of a model; what was done, and why."""
    refresh = decided(lake, model)
    if refresh.kind is not Kind.NOTHING:
        publish(lake, model, refresh)
    return refresh.kind, refresh.reason


def differences(lake: Lake, model: Subject) -> list[tuple[object, ...]]:
    """Rows of the table that its SQL does not give now, and the other way round."""
    with connect(lake.settings) as con:
        for table in tables_of(parse(model.sql)):
            con.execute(f"CREATE SCHEMA IF NOT EXISTS {table.schema}")
            con.execute(f"CREATE VIEW {table.sql} AS FROM {lake.relation_sql(table)}")
        con.execute(f"CREATE TEMP TABLE is_there AS FROM {lake.relation_sql(model.table)}")
        con.execute(f"CREATE TEMP TABLE expected AS {model.sql}")
        return con.execute(
            "(SELECT 'too much', * FROM (FROM is_there EXCEPT ALL FROM expected)) UNION ALL "
            "(SELECT 'missing', * FROM (FROM expected EXCEPT ALL FROM is_there))"
        ).fetchall()


@dataclass
class World:
    """The source tables, and their changes; the same seed gives the same ones."""

    lake: Lake
    seed: int
    extra: dict[TableName, int] = field(default_factory=dict[TableName, int])
    dice: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.lake.publish(self.lake.stage(ORDERS, self._orders(30)), Mode.REPLACE)
        self.lake.publish(self.lake.stage(CUSTOMERS, self._customers(6)), Mode.REPLACE)
        self.lake.publish(self.lake.stage(RATES, self._rates(6)), Mode.REPLACE)

    def change(self) -> str:
        """Do something to one of the tables; what it was."""
        table = self.dice.choice([ORDERS, ORDERS, ORDERS, CUSTOMERS, RATES])
        what: Callable[[TableName], None] = self.dice.choice(
            [
                *(self.insert, self.insert, self.update, self.delete, self.late, self.add_column),
                *(self.rewrite, self.compact, self.go_back),
            ]
        )
        what(table)
        return f"{what.__name__} {table}"

    def insert(self, table: TableName) -> None:
        """New rows, some of them for keys that there are."""
        self._append(table, self._rows(table, self.dice.randint(1, 4)))

    def late(self, table: TableName) -> None:
        """Rows of a day before all others."""
        self._append(table, self._rows(table, 2, day=-self.dice.randint(1, 60)))

    def add_column(self, table: TableName) -> None:
        """Rows with one more column."""
        self.extra[table] = self.extra.get(table, 0) + self.dice.randint(0, 1)
        self._append(table, self._rows(table, 1))

    def update(self, table: TableName) -> None:
        """Some rows get other values: their files are written again."""
        values = {
            ORDERS: "REPLACE (amount + 1 AS amount, (customer + 1) % 7 AS customer)",
            CUSTOMERS: "REPLACE (upper(region) AS region)",
            RATES: "REPLACE (rate + 1 AS rate)",
        }
        some = f"hash({_FIRST[table]}, {self.dice.randint(0, 99)}) % 5 = 0"
        self._rewritten(table, f"SELECT * {values[table]} FROM rows WHERE {some} "
                        f"UNION ALL FROM rows WHERE NOT coalesce({some}, false)")  # fmt: skip

    def delete(self, table: TableName) -> None:
        """Some rows go."""
        some = f"hash({_FIRST[table]}, {self.dice.randint(0, 99)}) % 6 > 0"
        self._rewritten(table, f"FROM rows WHERE {some}")

    def rewrite(self, table: TableName) -> None:
        """The same rows in another file."""
        self._rewritten(table, "FROM rows")

    def compact(self, table: TableName) -> None:
        """Small files become one."""
        self.lake.compact(table)

    def go_back(self, table: TableName) -> None:
        """The table is as it was a version before."""
        version = self.lake.version(table)
        if version > 2:
            self.lake.revert(table, version - 1)

    def _append(self, table: TableName, rows: pa.Table) -> None:
        self.lake.publish(self.lake.stage(table, rows), Mode.APPEND)

    def _rewritten(self, table: TableName, sql: str) -> None:
        with connect(self.lake.settings) as con:
            con.execute(f"CREATE VIEW rows AS FROM {self.lake.relation_sql(table)}")
            staged = self.lake.stage(table, con.sql(sql))
        self.lake.publish(staged, Mode.REPLACE)

    def _rows(self, table: TableName, count: int, day: int | None = None) -> pa.Table:
        if table == ORDERS:
            made = self._orders(count, day)
        else:
            made = self._customers(count) if table == CUSTOMERS else self._rates(count)
        present = self.lake.schema(table).names
        extras = {name for name in present if name.startswith("more_")}
        extras |= {f"more_{number}" for number in range(self.extra.get(table, 0))}
        for name in sorted(extras):
            made = made.append_column(
                name, pa.array([self._maybe(1) for _ in range(count)], pa.int64())
            )
        return made

    def _maybe(self, value: Any, share: float = 0.15) -> Any:
        return None if self.dice.random() < share else value

    def _orders(self, count: int, day: int | None = None) -> pa.Table:
        dice = self.dice
        days = [_START + timedelta(days=dice.randint(0, 40) if day is None else day)
                for _ in range(count)]  # fmt: skip
        return pa.table(
            {
                "id": pa.array([dice.randint(1, 60) for _ in days], pa.int64()),
                "day": pa.array(days, pa.date32()),
                "moment": pa.array(
                    [datetime(d.year, d.month, d.day, dice.randint(0, 23)) for d in days],
                    pa.timestamp("us"),
                ),
                "customer": pa.array([self._maybe(dice.randint(0, 7)) for _ in days], pa.int32()),
                "amount": pa.array(
                    [self._maybe(Decimal(dice.randint(0, 9000)) / 100) for _ in days],
                    pa.decimal128(10, 2),
                ),
                "note": pa.array([self._maybe(dice.choice("aAbBcé7")) for _ in days], pa.string()),
            }
        )

    def _customers(self, count: int) -> pa.Table:
        dice = self.dice
        return pa.table(
            {
                "customer": pa.array(
                    [self._maybe(dice.randint(0, 8)) for _ in range(count)], pa.int32()
                ),
                "region": pa.array(
                    [self._maybe(dice.choice(["north", "south", "é"])) for _ in range(count)],
                    pa.string(),
                ),
            }
        )

    def _rates(self, count: int) -> pa.Table:
        dice = self.dice
        hours = dice.sample(range(24 * 40), count)
        return pa.table(
            {
                "note": pa.array([self._maybe(dice.choice("aAbBcé")) for _ in hours], pa.string()),
                "since": pa.array(
                    [datetime(2025, 12, 20) + timedelta(hours=h, minutes=1) for h in hours],
                    pa.timestamp("us"),
                ),
                "rate": pa.array([dice.randint(1, 100_000) for _ in hours], pa.int64()),
            }
        )


_FIRST = {ORDERS: "id", CUSTOMERS: "region", RATES: "since"}
