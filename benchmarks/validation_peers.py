"""The eight rules of :mod:`benchmarks.validation` in Soda and Great Expectations.

Each runs in an environment of its own, which is made when it is missing, and imports nothing of the
platform.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from benchmarks.measure import Operation
from benchmarks.peers import peers_python
from benchmarks.tpch import source

MODES = ["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"]
_CHECKS = f"""
checks for lineitem:
  - missing_count(l_orderkey) = 0
  - invalid_count(l_quantity) = 0:
      valid min: 1
      valid max: 49
  - invalid_count(l_discount) = 0:
      valid min: 0
      valid max: 0.1
  - invalid_count(l_returnflag) = 0:
      valid values: [A, N, R]
  - invalid_count(l_shipmode) = 0:
      valid values: [{", ".join(MODES)}]
  - invalid_count(l_shipinstruct) = 0:
      valid regex: ^[A-Z ]+$
  - failed rows:
      name: l_shipdate
      fail condition: l_shipdate < date '1992-01-01' or l_shipdate > date '1998-12-31'
  - invalid_count(l_comment) = 0:
      valid min length: 1
      valid max length: 44
"""


def soda_python() -> Path:
    """The Python that has Soda."""
    return peers_python("soda-core-duckdb", name="peers-soda")


def great_expectations_python() -> Path:
    """The Python that has Great Expectations."""
    return peers_python("great_expectations", "pyarrow", name="peers-gx")


def soda() -> Operation:
    """Over a DuckDB view of the file; each failing check's rows are sampled."""
    import duckdb
    from soda.scan import Scan  # pyright: ignore[reportMissingImports] # only in its environment

    path = source("lineitem")

    def validate() -> dict[str, float]:
        con = duckdb.connect()
        con.execute(f"CREATE VIEW lineitem AS SELECT * FROM '{path}'")
        scan = Scan()
        scan.disable_telemetry()
        scan.add_duckdb_connection(con)
        scan.set_data_source_name("duckdb")
        scan.add_sodacl_yaml_str(_CHECKS)
        scan.execute()
        failed = scan.get_checks_fail()
        assert len(failed) == 1, scan.get_logs_text()
        return {"failed": failed[0].check_value}

    return validate


def great_expectations() -> Operation:
    """Over a loaded pandas frame, which is part of what is timed; failing values are listed."""
    import great_expectations as gx  # pyright: ignore[reportMissingImports] # only in its environment
    import great_expectations.expectations as expect  # pyright: ignore[reportMissingImports] # as above
    import pyarrow.parquet  # noqa: F401 # not what is measured

    from benchmarks.pandas_frame import lineitem_frame

    first, last = map(datetime.fromisoformat, ("1992-01-01", "1998-12-31"))
    rules = [
        expect.ExpectColumnValuesToNotBeNull(column="l_orderkey"),
        expect.ExpectColumnValuesToBeBetween(column="l_quantity", min_value=1, max_value=49),
        expect.ExpectColumnValuesToBeBetween(column="l_discount", min_value=0, max_value=0.1),
        expect.ExpectColumnValuesToBeInSet(column="l_returnflag", value_set=["A", "N", "R"]),
        expect.ExpectColumnValuesToBeInSet(column="l_shipmode", value_set=MODES),
        expect.ExpectColumnValuesToMatchRegex(column="l_shipinstruct", regex="^[A-Z ]+$"),
        expect.ExpectColumnValuesToBeBetween(column="l_shipdate", min_value=first, max_value=last),
        expect.ExpectColumnValueLengthsToBeBetween(column="l_comment", min_value=1, max_value=44),
    ]

    def validate() -> dict[str, float]:
        context = gx.get_context(mode="ephemeral")
        asset = context.data_sources.add_pandas("frames").add_dataframe_asset("lineitem")
        batch = asset.add_batch_definition_whole_dataframe("all")
        suite = context.suites.add(gx.ExpectationSuite(name="rules", expectations=rules))
        definition = gx.ValidationDefinition(name="validation", data=batch, suite=suite)
        frame = {"dataframe": lineitem_frame()}
        found = context.validation_definitions.add(definition).run(
            batch_parameters=frame, result_format="BASIC"
        )
        failed = [result for result in found.results if not result.success]
        assert len(failed) == 1, failed
        return {"failed": failed[0].result["unexpected_count"]}

    return validate
