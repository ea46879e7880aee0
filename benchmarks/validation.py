"""Judging eight rules on TPC-H lineitem, with the rows that fail.

``platform`` audits the generated file as it stands (no profile beyond what rules need, no writer's
statistics), counts and samples the failing rows; ``sql`` does the same in one hand-written
statement of DuckDB and one for the rows of each broken rule; ``pandera`` and ``gx`` (Great
Expectations) load a frame and validate it; ``soda`` looks at the file through DuckDB. One rule
is broken on purpose: a quantity above 49 (2 % of the rows).
"""

from __future__ import annotations

import sys

from benchmarks.measure import Operation, child, compare, report
from benchmarks.tpch import source
from benchmarks.validation_peers import (
    MODES,
    great_expectations,
    great_expectations_python,
    soda,
    soda_python,
)

_RULES: list[dict[str, object]] = [
    {"rule": "not_null", "column": "l_orderkey"},
    {"rule": "range", "column": "l_quantity", "min": 1, "max": 49},
    {"rule": "range", "column": "l_discount", "min": 0, "max": 0.1},
    {"rule": "set", "column": "l_returnflag", "values": ["A", "N", "R"]},
    {"rule": "set", "column": "l_shipmode", "values": MODES},
    {"rule": "regex", "column": "l_shipinstruct", "pattern": "[A-Z ]+"},
    {"rule": "range", "column": "l_shipdate", "min": "1992-01-01", "max": "1998-12-31"},
    {"rule": "length", "column": "l_comment", "min": 1, "max": 44},
]
_BAD = {
    "l_orderkey": "l_orderkey IS NULL",
    "l_quantity": "l_quantity NOT BETWEEN 1 AND 49",
    "l_discount": "l_discount NOT BETWEEN 0 AND 0.1",
    "l_returnflag": "l_returnflag NOT IN ('A', 'N', 'R')",
    "l_shipmode": f"l_shipmode NOT IN ({', '.join(map(repr, MODES))})",
    "l_shipinstruct": "NOT regexp_full_match(l_shipinstruct, '[A-Z ]+')",
    "l_shipdate": "l_shipdate NOT BETWEEN DATE '1992-01-01' AND DATE '1998-12-31'",
    "l_comment": "length(l_comment) NOT BETWEEN 1 AND 44",
}


def platform() -> Operation:
    import pandera.polars  # noqa: F401 # an import that the audit makes when it is first needed
    import pyarrow.parquet as pq

    from etl_platform.core.duck import connect
    from etl_platform.core.names import TableName
    from etl_platform.core.settings import Settings
    from etl_platform.core.staged import DataFile, Staged
    from etl_platform.core.types import lake_schema
    from etl_platform.quality import Contract, audit

    path = source("lineitem")
    file = pq.ParquetFile(path)
    rows, schema = file.metadata.num_rows, lake_schema(file.schema_arrow)
    staged = Staged(
        TableName("tpch", "lineitem"),
        schema,
        (DataFile(path.name, str(path), rows, path.stat().st_size, {}, {}),),
    )
    settings = Settings(memory_limit=512 * 1024 * 1024)

    def validate() -> dict[str, float]:
        contract = Contract.model_validate({"rules": _RULES})
        with connect(settings) as con:
            found = audit(con, staged, contract, relation_of=lambda _: None, level="off")
        broken = [outcome for outcome in found.outcomes if outcome.status == "failed"]
        assert [(o.rule.name, len(o.sample)) for o in broken] == [("range_l_quantity", 10)]
        return {"failed": broken[0].failed_rows}

    return validate


def sql() -> Operation:
    from etl_platform.core.duck import connect
    from etl_platform.core.settings import Settings

    path, settings = source("lineitem"), Settings(memory_limit=512 * 1024 * 1024)

    def validate() -> dict[str, float]:
        counts = ", ".join(f"count_if({bad})" for bad in _BAD.values())
        with connect(settings) as con:
            found = con.execute(f"SELECT {counts} FROM '{path}'").fetchall()[0]
            for failed, bad in zip(found, _BAD.values(), strict=True):
                if failed:
                    con.execute(f"SELECT * FROM '{path}' WHERE {bad} LIMIT 10").fetchall()
        return {"failed": sum(found)}

    return validate


def pandera_frame() -> Operation:
    from datetime import date
    from decimal import Decimal

    import pandera.polars as pandera
    import polars as pl
    from pandera.errors import SchemaErrors

    check, column = pandera.Check, pandera.Column
    schema = pandera.DataFrameSchema(
        {
            "l_orderkey": column(nullable=False),
            "l_quantity": column(checks=check.in_range(Decimal(1), Decimal(49))),
            "l_discount": column(checks=check.in_range(Decimal(0), Decimal("0.1"))),
            "l_returnflag": column(checks=check.isin(["A", "N", "R"])),
            "l_shipmode": column(checks=check.isin(MODES)),
            "l_shipinstruct": column(checks=check.str_matches("^[A-Z ]+$")),
            "l_shipdate": column(checks=check.in_range(date(1992, 1, 1), date(1998, 12, 31))),
            "l_comment": column(checks=check.str_length(1, 44)),
        }
    )
    path = source("lineitem")

    def validate() -> dict[str, float]:
        try:
            schema.validate(pl.read_parquet(path), lazy=True)
        except SchemaErrors as error:
            return {"failed": len(error.failure_cases)}
        return {"failed": 0}

    return validate


def main(runs: int) -> None:
    source("lineitem")
    elsewhere = {"soda": soda_python(), "gx": great_expectations_python()}
    variants = ["sql", "platform", "pandera", *elsewhere]
    figures = compare("validation", variants, runs, elsewhere)
    bars = {"platform": "at most 1.30 in time, 500 MB"}
    report("Eight rules on lineitem SF1, one of them broken", figures, "sql", bars)
    print("failed rows:", {name: int(figure.extra["failed"]) for name, figure in figures.items()})


if __name__ == "__main__":
    variants = {
        "platform": platform,
        "sql": sql,
        "pandera": pandera_frame,
        "soda": soda,
        "gx": great_expectations,
    }
    child(variants[sys.argv[1]])
