"""``python -m etl_platform_tests.sources.database.types_table``: write docs/types.md by running it.

Every type and value of the table is stored in a real database and read by every engine; what comes
out is compared with what must come out, exactly.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb

from etl_platform.core.errors import PermanentError
from etl_platform.selection import EngineFault
from etl_platform.sources.database import (
    Database,
    Extraction,
    SourceTable,
    TypePolicy,
    capabilities,
    extract,
    reflect,
)
from etl_platform_tests.servers.mariadb import MariaDbServer
from etl_platform_tests.servers.postgres import PostgresServer
from etl_platform_tests.sources.database import (
    test_duckdb,
    test_mysql,
    test_postgresql,
    test_sqlite,
)

FILE = Path(__file__).parents[3] / "docs" / "types.md"
WRONG = "**another value**"
_REFUSED = "refused, with its row"
_POLICY = TypePolicy(unconstrained_numeric="string", unsupported="string")
_INTRODUCTION = """# Types

Made by running it: `python -m etl_platform_tests.sources.database.types_table` stores every value
below in a real database and reads it with every engine, and a test compares this file with what it
finds.

* **Arrow type**: what the lake gets. *text* means that the type has no lossless place: reading it
  is an error until `unsupported: string` or `unconstrained_numeric: string` (or a type under
  `types:`) is declared, and then the database's own text arrives.
* **exact**: every value and every null came out as it went in.
* **left out**: the engine says beforehand that it would change values, and is not used for a table
  with such a column.
* **refused**: the value has no exact place in its column's type; the read fails and nothing is
  published. An engine that cannot name the row *gives up* and leaves the table to the general
  engine (`sqlalchemy`), which does.
"""


@dataclass(frozen=True)
class Case:
    """A column type with values as SQL, and what must come out; None where reading must fail."""

    type: str
    literals: tuple[str, ...]
    expected: tuple[object, ...] | None


def _quoted(kind: str, *texts: str) -> tuple[str, ...]:
    return tuple("'" + text.replace("'", "''") + f"'::{kind}" for text in texts)


def _postgresql() -> list[Case]:
    cases = [
        Case(kind, _quoted(kind, *literals), tuple(expected))
        for kind, (_, literals, expected) in test_postgresql.TYPES.items()
    ]
    texts = {
        "numeric": ("1.50", "NaN", "-0.0000000000001"),
        "interval": ("1 mon 2 days 03:00:00",),
        "time": ("04:05:06.789",),
        "timetz": ("04:05:06+02",),
        "int4range": ("[1,10)", "empty"),
        "pair": ("(1,x)",),
        "point": ("(1,2)",),
    }
    cases += [Case(kind, _quoted(kind, *text), text) for kind, text in texts.items()]
    cases.append(Case("money", _quoted("money", "1234.56"), ("$1,234.56",)))
    unfit = {
        "numeric(10,2)": "NaN", "date": "infinity", "timestamp": "0044-03-15 00:00:00 BC",
        "timestamptz": "20240-01-01 00:00:00+00", "integer[]": "{{1,NULL},{2,3}}",
    }  # fmt: skip
    cases += [Case(kind, _quoted(kind, text), None) for kind, text in unfit.items()]
    cases.append(Case("date", _quoted("date", "0044-03-15 BC"), None))
    cases.append(Case("timestamp", _quoted("timestamp", "-infinity"), None))
    return cases


def _mariadb() -> list[Case]:
    cases = [
        Case(kind, tuple(literals), tuple(expected))
        for kind, (_, literals, expected) in test_mysql.TYPES.items()
    ]
    big = "9" * 35 + "." + "1" * 30
    cases += [
        Case(
            "time(6)", ("'-838:59:59'", "'800:00:00.5'"), ("-838:59:59.000000", "800:00:00.500000")
        ),
        Case("decimal(65,30)", (big, "0"), (big, "0." + "0" * 30)),
        Case("date", ("'0000-00-00'",), None),
        Case("date", ("'2024-02-00'",), None),
        Case("datetime", ("'0000-00-00'",), None),
        Case("timestamp null", ("'0000-00-00'",), None),
    ]
    return cases


def _duckdb() -> list[Case]:
    cases = [
        Case(kind, tuple(literals), tuple(expected))
        for kind, (_, literals, expected) in test_duckdb.TYPES.items()
    ]
    cases += [
        Case("TIME", ("'01:02:03.5'",), ("01:02:03.5",)),
        Case("TIMETZ", ("'01:02:03+02'",), ("01:02:03+02",)),
        Case("INTERVAL", ("INTERVAL 3 MONTH",), ("3 months",)),
        Case("STRUCT(a INTEGER)", ("{'a': 1}",), ("{'a': 1}",)),
        Case("MAP(VARCHAR, INTEGER)", ("MAP {'a': 1}",), ("{a=1}",)),
        Case("UNION(a INTEGER, b VARCHAR)", ("1",), ("1",)),
        Case("INTEGER[][]", ("[[1], NULL]",), ("[[1], NULL]",)),
        Case("HUGEINT", ("'170141183460469231731687303715884105727'",), None),
        Case("DATE", ("'infinity'",), None),
        Case("DATE", ("'0044-03-15 (BC)'",), None),
        Case("TIMESTAMP", ("'20240-01-01'",), None),
        Case("TIMESTAMP_NS", ("'2024-01-01 00:00:00.123456789'",), None),
    ]
    return cases


def _sqlite() -> list[Case]:
    con = sqlite3.connect(":memory:")
    cases = [
        Case(
            kind,
            tuple(con.execute("SELECT quote(?)", (value,)).fetchone()[0] for value in stored),
            tuple(expected),
        )
        for kind, (_, stored, expected) in test_sqlite.TYPES.items()
        if float("inf") not in stored  # SQL has no word for it
    ]
    con.close()
    cases += [
        Case("INTEGER", ("'many'",), None),
        Case("INTEGER", ("1.5",), None),
        Case("DATE", ("'yesterday'",), None),
        Case("TEXT", ("x'00ff'",), None),
    ]
    return cases


def section(
    title: str, database: Database, cases: Sequence[Case], execute: Callable[[str], object]
) -> str:
    """Store the cases in a database, one table each, read them, and tell as Markdown."""
    for number, case in enumerate(cases):
        execute(f"CREATE TABLE t{number} (n integer, v {case.type})")
        rows = enumerate((*case.literals, "NULL"))
        values = ", ".join(f"({row}, {literal})" for row, literal in rows)
        execute(f"INSERT INTO t{number} VALUES {values}")
    tables = {table.name: table for table in reflect(database)}
    first = Extraction(table=tables["t0"], policy=_POLICY)
    engines = [one.name for one in capabilities(database, first)]
    lines = [f"## {title}", "", "| type | values | Arrow type | " + " | ".join(engines) + " |"]
    lines.append("|---|---|---|" + "---|" * len(engines))
    for number, case in enumerate(cases):
        table = tables[f"t{number}"]
        found = [_outcome(database, table, engine, case) for engine in engines]
        shown = ", ".join(f"`{_short(literal.partition('::')[0])}`" for literal in case.literals)
        arrow = table.column("v").arrow_type or "*text*"
        lines.append(f"| {case.type} | {shown} | {arrow} | " + " | ".join(found) + " |")
    return "\n".join(lines) + "\n"


def _outcome(database: Database, table: SourceTable, engine: str, case: Case) -> str:
    wanted = Extraction(table=table, policy=_POLICY)
    (told,) = [one for one in capabilities(database, wanted) if one.name == engine]
    if told.degrades:
        return f"left out: {told.degrades[0].why}"
    try:
        read = extract(database, wanted, engine=engine).read_all().sort_by("n")
    except PermanentError:
        return WRONG if case.expected is not None else _REFUSED
    except EngineFault:
        return WRONG if case.expected is not None else "gives up"
    if case.expected is None:
        return WRONG
    return "exact" if _plain(read["v"].to_pylist()) == _plain([*case.expected, None]) else WRONG


def _plain(value: object) -> str:
    """A value as text that tells 0.0 from -0.0, but not one zone named UTC from another."""
    if isinstance(value, list):
        return str([_plain(item) for item in value])
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    return str(value.normalize()) if isinstance(value, Decimal) else repr(value)


def _short(literal: str, most: int = 44) -> str:
    # A table's cell holds neither line breaks nor bars.
    literal = literal.replace("\n", "\\n").replace("|", "\\|")
    return literal if len(literal) <= most else literal[: most - 1] + "…"


def table(postgres: PostgresServer, mariadb: MariaDbServer, folder: Path) -> str:
    """The whole document. The servers get a database ``types`` each, dropped afterwards."""
    parts = [_INTRODUCTION]
    with postgres.connect() as session:
        session.execute("CREATE DATABASE types_table")
    with postgres.connect("types_table") as session:
        session.execute("CREATE TYPE mood AS ENUM ('so-so', 'it''s')")
        session.execute("CREATE DOMAIN price AS numeric(6,2) CHECK (VALUE >= 0)")
        session.execute("CREATE TYPE pair AS (a int, b text)")
        database = Database("pg", postgres.url("types_table"))
        parts.append(
            section("PostgreSQL", database, _postgresql(), lambda s: session.execute(s.encode()))
        )
        database.close()
    with postgres.connect() as session:
        session.execute("DROP DATABASE types_table WITH (FORCE)")
    mariadb.execute("CREATE DATABASE types_table")
    database = Database("maria", mariadb.url("types_table"))
    lenient = "SET sql_mode = ''", "SET time_zone = '+00:00'"
    parts.append(
        section(
            "MariaDB and MySQL", database, _mariadb(),
            lambda s: mariadb.execute(*lenient, s, database="types_table"),
        )
    )  # fmt: skip
    database.close()
    mariadb.execute("DROP DATABASE types_table")
    lite = folder / "types.db"
    with sqlite3.connect(lite, isolation_level=None) as file:
        parts.append(
            section("SQLite", Database("lite", f"sqlite:///{lite}"), _sqlite(), file.execute)
        )
    file.close()
    duck = folder / "types.duckdb"
    statements: list[str] = []

    def collect(statement: str) -> None:
        statements.append(statement)

    class _Written(Database):
        """Filled just before it is first read: DuckDB has either readers or a writer."""

        def engine(self):
            if statements:
                with duckdb.connect(duck) as con:
                    con.execute("SET TimeZone = 'UTC'")
                    for statement in statements:
                        con.execute(statement)
                statements.clear()
            return super().engine()

    database = _Written("duck", f"duckdb:///{duck}")
    parts.append(section("DuckDB", database, _duckdb(), collect))
    database.close()
    return "\n".join(parts)


def main() -> None:
    from etl_platform_tests.servers import mariadb, postgres

    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / name for name in ("postgres", "mariadb", "files")]
        Path(folder).chmod(0o755)
        for place in places:
            place.mkdir()
        with (
            postgres.serving(places[0]) as pg,
            mariadb.serve(places[1], mariadb.SETTINGS) as maria,
        ):
            FILE.write_text(table(pg, maria, places[2]), encoding="utf-8")


if __name__ == "__main__":
    main()
