"""Rules about columns that the profile reads row by row anyway are judged in that reading."""

from __future__ import annotations

import pyarrow as pa

from etl_platform.quality import Contract
from etl_platform.quality.audit import audit
from etl_platform.quality.facts import Facts, no_tables
from etl_platform.quality.plan import plan_audit
from etl_platform.quality.profiles.rows import RowPlan

ROWS = 20_000
TABLE = pa.table(
    {
        "id": pa.array(range(ROWS)),
        "note": pa.array([None if n % 7 == 0 else f"note {n:>{n % 30}}" for n in range(ROWS)]),
        "kind": pa.array([n % 3 for n in range(ROWS)]),
    }
)
RULES = [
    {"rule": "length", "column": "note", "max": 28, "action": "warn"},
    {"rule": "length", "column": "note", "name": "odd", "max": 20, "where": "id % 2 = 1"},
    {"rule": "length", "column": "note", "name": "first", "max": 20, "where": "kind = 0"},
    {"rule": "expression", "expression": "id >= 0", "name": "whole"},
]


def _plan(stage, sketched: tuple[str, ...]):
    staged = stage(TABLE)
    contract = Contract.model_validate({"rules": RULES})
    rows = RowPlan(staged.schema, sketched)
    return plan_audit(contract, Facts(staged), {}, rows)


def test_rules_ride_along_where_every_column_is_read_anyway(stage):
    plan = _plan(stage, ("id", "note"))
    assert plan.rows is not None
    assert set(plan.rows.columns) == {"id", "note", "kind"}  # kind: for the correlations
    assert set(plan.rows.bad) == {"length_note", "odd", "first", "whole"}
    assert not any(key[0] == "" for key in plan.measures)


def test_every_level_of_profile_finds_the_same_bad_rows(con, stage):
    staged = stage(TABLE, 3)
    contract = Contract.model_validate({"rules": RULES})
    found = {
        level: [
            (o.rule.name, o.status, o.failed_rows, o.checked_rows)
            for o in audit(con, staged, contract, relation_of=no_tables, level=level).outcomes
        ]
        for level in ("full", "basic", "off")
    }
    assert found["full"] == found["basic"] == found["off"]
    texts = TABLE["note"].to_pylist()
    long = [n for n, text in enumerate(texts) if text is not None and len(text) > 20]
    counts = {name: failed for name, _, failed, _ in found["full"]}
    assert counts["odd"] == sum(n % 2 for n in long) > 0
    assert counts["first"] == sum(n % 3 == 0 for n in long) > 0
    assert counts["whole"] == 0


def test_a_rule_on_a_column_that_the_profile_does_not_read_is_measured_beside_it(stage):
    plan = _plan(stage, ("id",))
    assert plan.rows is not None
    assert set(plan.rows.columns) == {"id", "kind"}
    assert set(plan.rows.bad) == {"whole"}
    assert ("", "length_note") in plan.measures
