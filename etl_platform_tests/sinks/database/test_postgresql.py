"""What only PostgreSQL does: empty tables exchanged, additions counted by its session."""

from __future__ import annotations

import pyarrow as pa
import pytest

from etl_platform.sinks.database import Load, LoadMode, Target
from etl_platform_tests.sinks.database.targets import Warehouse, order

MANY = 60_000
on_postgres = pytest.mark.parametrize(
    "warehouse", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


def many(start: int = 0) -> pa.Table:
    ids = pa.array(range(start, start + MANY), pa.int64())
    return pa.table({"id": ids, "note": pa.array(["x"] * MANY)})


@on_postgres
@pytest.mark.parametrize("mode", [LoadMode.APPEND, LoadMode.UPSERT, LoadMode.DELETE_INSERT])
def test_a_large_first_load_keeps_what_the_empty_table_declares(
    warehouse: Warehouse, mode: LoadMode
) -> None:
    warehouse.database.execute(
        "CREATE TABLE orders (id bigint PRIMARY KEY, note text CHECK (note <> ''), "
        "made int DEFAULT 7)",
        "CREATE INDEX by_note ON orders (note)",
    )
    receipt = warehouse.sink.load(
        warehouse.rows(many()), Load(Target("orders"), mode, "first", ("id",))
    )
    assert (receipt.rows_inserted, receipt.rows_deleted) == (MANY, 0)
    found = warehouse.database.query("SELECT count(*), min(made), max(id) FROM orders")
    assert found == [(MANY, 7, MANY - 1)]
    indexes = warehouse.database.query(
        "SELECT indexname FROM pg_indexes WHERE tablename = 'orders' ORDER BY 1"
    )
    assert indexes == [("by_note",), ("orders_pkey",)]
    with pytest.raises(Exception, match="violates check constraint"):
        warehouse.database.execute("INSERT INTO orders VALUES (-1, '')")


@on_postgres
def test_a_large_append_leaves_the_rows_that_are_there(warehouse: Warehouse) -> None:
    append = [Load(Target("orders"), LoadMode.APPEND, batch, ("id",)) for batch in "ab"]
    warehouse.sink.load(
        warehouse.rows([order(-1)]).renamed({"id": "id", "note": "note"}), append[0]
    )
    receipt = warehouse.sink.load(warehouse.rows(many()), append[1])
    assert receipt.rows_inserted == MANY
    assert warehouse.database.query("SELECT count(*) FROM orders") == [(MANY + 1,)]


@on_postgres
@pytest.mark.parametrize("watched", [False, True])
def test_only_the_rows_of_the_load_are_counted_as_added(
    warehouse: Warehouse, watched: bool
) -> None:
    upsert = [Load(Target("orders"), LoadMode.UPSERT, batch, ("id",)) for batch in "ab"]
    warehouse.sink.load(warehouse.rows([order(1), order(2)]), upsert[0])
    if watched:
        # A trigger that adds a row of its own for each one that is added.
        warehouse.database.execute(
            "CREATE FUNCTION shadow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF NEW.id < 100 THEN INSERT INTO orders VALUES (NEW.id + 100); END IF; "
            "RETURN NULL; END $$",
            "CREATE TRIGGER shadow AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION shadow()",
        )
    receipt = warehouse.sink.load(
        warehouse.rows([order(2, "Grace"), order(3), order(4)]), upsert[1]
    )
    assert (receipt.rows_inserted, receipt.rows_updated) == (2, 1)
    assert len(warehouse.orders()) == (6 if watched else 4)
