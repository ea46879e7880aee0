"""Indexes that ``etl indexes`` suggests for PostgreSQL: TPC-H SF1, queries before and after.

The database is the benchmark's own, with the primary keys of the TPC-H specification (section 1.4).
Each query is run without the suggested indexes, then with them; medians, in milliseconds.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from benchmarks.measure import DATA
from benchmarks.tpch import source

if TYPE_CHECKING:
    import psycopg

    Session = psycopg.Connection[tuple[Any, ...]]

_KEYS = {
    "lineitem": "l_orderkey, l_linenumber",
    "orders": "o_orderkey",
    "customer": "c_custkey",
    "part": "p_partkey",
}
_KINDS = {"BIGINT": "bigint", "INTEGER": "int", "DATE": "date", "VARCHAR": "text"}
_QUERIES = {
    "parts of a brand and container": """
SELECT sum(l_extendedprice) FROM lineitem JOIN part ON p_partkey = l_partkey
WHERE p_brand = 'Brand#23' AND p_container = 'MED BOX'""",
    "orders of a customer by phone": """
SELECT c_name, o_orderkey, o_totalprice, sum(l_quantity) FROM customer
JOIN orders ON o_custkey = c_custkey JOIN lineitem ON l_orderkey = o_orderkey
WHERE c_phone = '25-989-741-2988' GROUP BY 1, 2, 3""",
    "lines shipped on a day": """
SELECT l_shipmode, count(*) FROM lineitem
WHERE l_shipdate = DATE '1995-03-15' AND l_quantity < 5 GROUP BY 1""",
    "the ten dearest orders": "SELECT * FROM orders ORDER BY o_totalprice DESC LIMIT 10",
    "finished orders, half of all": "SELECT * FROM orders WHERE o_orderstatus = 'F'",
    "an order by its key": "SELECT * FROM orders WHERE o_orderkey = 7",
}


def main(runs: int) -> None:
    import psycopg

    from etl_platform.sources.database import Database
    from etl_platform.sources.database.advice import advise
    from etl_platform_tests.servers import postgres

    folder = (DATA / "indexes").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    large = {"shared_buffers": "1GB", "max_wal_size": "4GB", "log_statement": "none"}
    shown = Table(title="PostgreSQL, TPC-H SF1: suggested indexes", title_justify="left")
    for heading in ("query", "advice s", "before ms", "after ms", "times", "cost times", "indexes"):
        shown.add_column(heading, justify="left" if heading in ("query", "indexes") else "right")
    with (
        postgres.serving(folder, **large) as server,
        psycopg.connect(server.url(), autocommit=True) as session,
    ):
        _fill(session)
        database = Database("bench", server.url())
        for name, query in _QUERIES.items():
            started = time.perf_counter()
            advice = advise(database, [query], build=True)
            took = time.perf_counter() - started
            before = _median_ms(session, query, runs)
            made = [_create(session, one.create) for one in advice.suggestions]
            after = _median_ms(session, query, runs) if made else before
            for index in made:
                session.execute(f"DROP INDEX {index}".encode())
            (cost,) = advice.statements
            row = f"{took:.1f}", f"{before:.2f}", f"{after:.2f}", f"{before / after:.1f}"
            shown.add_row(
                name, *row, f"{cost.cost_before / cost.cost_after:.1f}", "\n".join(made) or "none"
            )
        database.close()
    Console(width=150).print(shown)


def _fill(session: Session) -> None:
    import duckdb

    found = session.execute("SELECT to_regclass('part')").fetchone()
    if found is not None and found[0] is not None:
        return
    csv = DATA / "indexes.csv"
    for table, key in _KEYS.items():
        file = source(table)
        described = duckdb.execute(f"DESCRIBE FROM '{file}'").fetchall()
        columns = ", ".join(
            f"{name} {_KINDS.get(kind) or kind.replace('DECIMAL', 'numeric')}"
            for name, kind, *_ in described
        )
        session.execute(f"DROP TABLE IF EXISTS {table}".encode())
        session.execute(f"CREATE TABLE {table} ({columns})".encode())
        duckdb.sql(f"COPY (FROM '{file}') TO '{csv}' (FORMAT csv, HEADER false)")
        statement = f"COPY {table} FROM STDIN (FORMAT csv)".encode()
        with session.cursor().copy(statement) as copy, csv.open("rb") as text:
            while block := text.read(1 << 22):
                copy.write(block)
        csv.unlink()
        session.execute(f"ALTER TABLE {table} ADD PRIMARY KEY ({key})".encode())
        session.execute(f"VACUUM (FREEZE, ANALYZE) {table}".encode())


def _create(session: Session, create: str) -> str:
    session.execute(create.encode())
    found = session.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'i' ORDER BY oid DESC LIMIT 1"
    ).fetchone()
    return "" if found is None else str(found[0])


def _median_ms(session: Session, query: str, runs: int) -> float:
    taken: list[float] = []
    for turn in range(runs + 1):
        started = time.perf_counter()
        session.execute(query.encode()).fetchall()
        if turn:
            taken.append((time.perf_counter() - started) * 1_000)
    return statistics.median(taken)
