"""A small lake whose tables tell where their columns come from."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from etl_platform.core.names import TableName
from etl_platform.lakehouse import External, Lake, Origin
from etl_platform.lakehouse.destinations import Destination, note_destination

ORDERS, CUSTOMERS = TableName("shop", "orders"), TableName("shop", "customers")
RATES, SPENT = TableName("shop", "rates"), TableName("marts", "spent")
COUNT = TableName("marts", "count")


def publish(lake: Lake, table: TableName, columns: Sequence[str], origin: Origin | None) -> None:
    staged = lake.stage(table, pa.table({column: [1] for column in columns}))
    notes = None if origin is None else origin.annotation()
    lake.publish(staged, annotations=notes, schema_change="any")


def read(table: str, *columns: str) -> Origin:
    return Origin(source=External("erp", "postgresql", f"public.{table}"), source_columns=columns)


def fill(lake: Lake) -> None:
    """``erp -> shop.orders, shop.customers -> marts.spent -> marts.count, warehouse``."""
    publish(lake, RATES, ["day", "rate"], None)
    publish(lake, ORDERS, ["id", "amount"], read("orders", "id", "amount"))
    publish(lake, ORDERS, ["id", "amount", "at"], read("orders", "id", "amount", "at"))
    publish(lake, CUSTOMERS, ["name", "e.mail"], read("customers", "name", "e.mail"))
    publish(
        lake,
        SPENT,
        ["name", "total", "n"],
        Origin(
            {ORDERS: 1, CUSTOMERS: 0, RATES: 0},
            {
                "name": ((CUSTOMERS, "name"),),
                "total": ((ORDERS, "amount"), (RATES, "rate")),
                "n": (),
            },
            "SELECT 1",
        ),
    )
    warehouse = External("warehouse", "mariadb", "spent")
    note_destination(lake.root, SPENT, Destination(warehouse, {"who": "name", "sum": "total"}, 0))
    publish(lake, COUNT, ["n"], Origin({SPENT: 0}, {"n": ()}, "SELECT 1"))
