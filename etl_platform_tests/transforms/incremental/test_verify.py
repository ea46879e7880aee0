"""A model's table is compared with what its SQL gives of the versions that its commit names."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from etl_platform.cli.app import app
from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake, Mode, Origin
from etl_platform.lakehouse.origin import STATE
from etl_platform.transforms.incremental.subject import Subject
from etl_platform.transforms.incremental.verify import verify
from etl_platform_tests.transforms.incremental.world import ORDERS, renew

TOTALS = TableName("mart", "totals")
SQL = "SELECT k, sum(v) AS total, count(*) AS n FROM src.orders GROUP BY k"


def rows(k: list[str | None], v: list[float]) -> pa.Table:
    return pa.table({"k": pa.array(k, pa.string()), "v": pa.array(v, pa.float64())})


@pytest.fixture
def lake(settings: Settings) -> Lake:
    lake = Lake(settings=settings)
    lake.publish(lake.stage(ORDERS, rows(["a", "b", None], [0.1, 0.2, 0.3])))
    renew(lake, Subject(TOTALS, SQL, incremental=True))
    return lake


def tamper(lake: Lake, table: pa.Table) -> None:
    """Other rows under the same claim of where they come from."""
    notes = lake.snapshot(TOTALS).annotations()
    lake.publish(lake.stage(TOTALS, table), Mode.REPLACE, annotations=notes)


def test_a_table_equals_its_sql_on_the_versions_of_its_commit(lake: Lake) -> None:
    lake.publish(lake.stage(ORDERS, rows(["a", None], [0.7, 0.1])), Mode.APPEND)
    found = verify(lake, TOTALS)
    assert (found.equal, found.rows, found.inputs) == (True, 3, {ORDERS: 0})
    renew(lake, Subject(TOTALS, SQL, incremental=True))
    found = verify(lake, TOTALS)
    assert (found.equal, found.version, found.inputs) == (True, 1, {ORDERS: 1})


def test_rows_that_differ_are_told_in_pairs(lake: Lake) -> None:
    wrong = pa.table(
        {"k": ["a", "b", "x", None], "total": [0.1, 0.25, 1, 0.1 + 0.2], "n": [1, 1, 1, 1]}
    )
    tamper(lake, wrong)
    found = verify(lake, TOTALS)
    # The last digits of a sum of floats are no difference.
    assert (found.missing, found.unexpected) == (1, 2)
    kinds = {line.kind: (line.expected, line.actual) for line in found.difference.lines}
    assert kinds == {
        "differs": (("b", 0.2, 1), ("b", 0.25, 1)),
        "unexpected": (None, ("x", 1.0, 1)),
    }


def test_what_cannot_be_computed_again_is_said(lake: Lake) -> None:
    with pytest.raises(PermanentError, match="does not say which SQL"):
        verify(lake, ORDERS)
    renew(lake, Subject(TOTALS, "SELECT k, now() AS at FROM src.orders", incremental=True))
    with pytest.raises(PermanentError, match="now gives something else in each run"):
        verify(lake, TOTALS)


def test_the_command_prints_the_rows_and_fails(lake: Lake) -> None:
    told = CliRunner().invoke(app, ["verify", "mart.totals"])
    assert told.exit_code == 0, told.output
    said = "mart.totals version 0: 3 rows are what its SQL gives of src.orders@0"
    assert said in told.output
    tamper(lake, pa.table({"k": ["a", "b"], "total": [0.1, 0.2], "n": [1, 2]}))
    told = CliRunner().invoke(app, ["verify", "mart.totals"])
    assert told.exit_code == 1
    assert "2 missing and 1 too many" in told.output
    told = CliRunner().invoke(app, ["verify", "mart.totals", "--json"])
    (found,) = json.loads(told.stdout)
    assert (found["equal"], found["missing"], found["unexpected"]) == (False, 2, 1)
    assert {"kind": "differs", "sql": {"k": "b", "total": 0.2, "n": 1},
            "table": {"k": "b", "total": 0.2, "n": 2}} in found["differences"]  # fmt: skip


def test_another_batch_takes_the_claim_away(lake: Lake) -> None:
    lake.publish(lake.stage(TOTALS, lake.scan(TOTALS).head(1)), Mode.APPEND)
    assert STATE not in lake.snapshot(TOTALS).annotations()
    assert Origin.of(lake.snapshot(TOTALS).annotations()) is None
    kind, why = renew(lake, Subject(TOTALS, SQL, incremental=True))
    assert (kind, why) == ("full refresh", "the table has rows that this model did not make")
    assert verify(lake, TOTALS).equal
