"""Publishing 6,001,215 rows of lineitem from an Arrow stream.

``platform`` writes, audits with eight rules, profiles and commits; ``deltalake`` only writes and
commits, with the defaults of ``write_deltalake``.
"""

from __future__ import annotations

import shutil
import sys

from benchmarks.measure import DATA, Operation, child, compare, report
from benchmarks.tpch import source, stream

RULES: list[dict[str, object]] = [
    {"rule": "not_null", "column": "l_orderkey"},
    {"rule": "range", "column": "l_quantity", "min": 1, "max": 50},
    {"rule": "range", "column": "l_discount", "min": 0, "max": 0.1},
    {"rule": "set", "column": "l_returnflag", "values": ["A", "N", "R"]},
    {
        "rule": "set",
        "column": "l_shipmode",
        "values": ["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"],
    },
    {"rule": "regex", "column": "l_shipinstruct", "pattern": "[A-Z ]+"},
    {"rule": "range", "column": "l_shipdate", "min": "1992-01-01", "max": "1998-12-31"},
    {"rule": "length", "column": "l_comment", "min": 1, "max": 44},
]


def platform() -> Operation:
    import pandera.polars  # noqa: F401 # an import that the audit makes when it is first needed

    from etl_platform.core.names import TableName
    from etl_platform.core.settings import Settings
    from etl_platform.lakehouse import Lake
    from etl_platform.lakehouse.gate import admit
    from etl_platform.quality import Contract

    folder = (DATA / "publish_platform").absolute()
    shutil.rmtree(folder, ignore_errors=True)
    lake = Lake(settings=Settings(lake_uri=str(folder), memory_limit=512 * 1024 * 1024))

    def publish() -> dict[str, float]:
        contract = Contract.model_validate({"rules": RULES})
        admission = admit(lake, TableName("tpch", "lineitem"), stream("lineitem"), contract)
        assert admission.receipt.rows_total == 6_001_215
        assert all(outcome.status == "passed" for outcome in admission.audit.outcomes)
        return dict(admission.stages)

    return publish


def deltalake() -> Operation:
    from deltalake import write_deltalake

    folder = DATA / "publish_deltalake"
    shutil.rmtree(folder, ignore_errors=True)
    return lambda: write_deltalake(str(folder), stream("lineitem"))


def drain() -> Operation:
    def read() -> None:
        for _ in stream("lineitem"):
            pass

    return read


def main(runs: int) -> None:
    source("lineitem")
    figures = compare("publishing", ["deltalake", "platform", "drain"], runs)
    bars = {
        "platform": "at most 1.00 in time and memory",
        "drain": "reading the stream alone",
    }
    report("Publish lineitem SF1 from an Arrow stream", figures, "deltalake", bars)
    stages = figures["platform"].extra
    print("platform by stage:", ", ".join(f"{k} {v:.2f} s" for k, v in stages.items()))


if __name__ == "__main__":
    child({"platform": platform, "deltalake": deltalake, "drain": drain}[sys.argv[1]])
