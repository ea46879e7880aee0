"""Formatting changes how a model looks, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from etl_platform.core.duck import quote, sealed
from etl_platform.core.errors import ConfigError, EtlError, PermanentError, QueryRefused
from etl_platform.transforms.formatting import formatted
from etl_platform_tests.planner.tpch_schema import SCHEMA

TPCH = sorted((Path(__file__).parents[1] / "planner" / "tpch").glob("*.sql"))


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with sealed() as con:
        for table, columns in SCHEMA.items():
            fields = ", ".join(f"{quote(name)} {kind}" for name, kind in columns.items())
            con.execute(f"CREATE SCHEMA IF NOT EXISTS {table.schema}")
            con.execute(f"CREATE TABLE {table.sql} ({fields})")
        yield con


@pytest.mark.parametrize("path", TPCH, ids=lambda path: path.stem)
def test_duckdb_plans_the_same_for_a_formatted_query(
    con: duckdb.DuckDBPyConnection, path: Path
) -> None:
    text = path.read_text()
    made = formatted(text, str(path))
    assert formatted(made, str(path)) == made
    plans = [con.execute(f"EXPLAIN {sql}").fetchall() for sql in (text, made)]
    assert plans[0] == plans[1]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (
            """/*
key:   [a]
materialization: incremental
*/

select a,sum(b) as total -- of all
from shop.orders o where b>$least group by a;""",
            """/*
key:   [a]
materialization: incremental
*/
SELECT
  a,
  SUM(b) AS total /* of all */
FROM shop.orders AS o
WHERE
  b > $least
GROUP BY
  a
""",
        ),
        (
            "-- Prose before it\n-- stays.\nFROM t SELECT net(a) AS n, 'a''b' -- last\n",
            "-- Prose before it\n-- stays.\nSELECT\n  net(a) AS n,\n  'a''b' /* last */\nFROM t\n",
        ),
        (
            "/*\ndialect: bigquery\n*/\nselect safe_cast(a as int64) as a from `shop`.orders",
            "/*\ndialect: bigquery\n*/\nSELECT\n  SAFE_CAST(a AS INT64) AS a\nFROM `shop`.orders\n",
        ),
    ],
)
def test_headers_comments_and_dialects_stay(text: str, made: str) -> None:
    assert formatted(text, "m.sql") == made
    assert formatted(made, "m.sql") == made


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        (
            "SELECT count(*) FILTER (WHERE c > 1) /* inner */ FROM t",
            PermanentError,
            r"m\.sql cannot be formatted: the comment 'inner' would be lost",
        ),
        ("/*\nkye: a\n*/\nSELECT 1", EtlError, r"m\.sql:2.*kye.*"),
        ("/*\nkey: [a]\nkey: [b]\n*/\nSELECT 1", ConfigError, "stands twice"),
        ("SELECT 1;\nSELECT 2", QueryRefused, "found 2 statements"),
        ("-- one\n-- two\nSELECT 1 +", PermanentError, r"m\.sql:3"),
    ],
)
def test_what_cannot_be_printed_whole_is_left(text: str, kind: type[EtlError], why: str) -> None:
    with pytest.raises(kind) as error:
        formatted(text, "m.sql")
    assert re.search(why, str(error.value), re.DOTALL)
