from __future__ import annotations

import pickle

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_platform.core.errors import ConfigError
from etl_platform.quality import Contract, ContractViolation, audit

NOBODY = lambda _: None  # noqa: E731
HOSTILE = ['a"b', "sp ace", "日本", "select", "broken_0", "it's", "a\\b", "x;--"]


def rules(*given, action="quarantine"):
    return Contract.parse({"rules": [{"action": action, **rule} for rule in given]})


def test_rejected_rows_are_whole_and_say_every_rule_they_break(con, stage):
    table = pa.table(
        {"id": [1, 2, 3, 4], "n": [5, 99, None, 200], "t": ["a", "a", "toolong", "toolong"]}
    )
    contract = rules(
        {"rule": "range", "column": "n", "max": 50},
        {"rule": "not_null", "column": "n"},
        {"rule": "length", "column": "t", "max": 3},
        {"rule": "unique", "column": "id"},
    )
    found = audit(con, stage(table, 2), contract, relation_of=NOBODY)
    assert [o.rule.name for o in found.quarantining] == ["range_n", "not_null_n", "length_t"]
    assert found.blocking == ()
    rejected = con.execute(found.rejected_sql + " ORDER BY id")
    assert [c[0] for c in rejected.description] == ["id", "n", "t", "_rule", "_reason"]
    rows = rejected.fetchall()
    assert [row[3] for row in rows] == ["range_n", "not_null_n,length_t", "range_n,length_t"]
    assert rows[0][4] == "n is at most 50, here n = 99"
    assert "n is never null, here n = null; t has at most 3 characters" in rows[1][4]
    assert con.execute(found.kept_sql).fetchall() == [(1, 5, "a")]


def test_duplicates_and_orphans_can_be_quarantined(con, stage):
    con.execute("CREATE TABLE planes AS SELECT 'N1' AS tailnum")
    table = pa.table({"id": [1, 1, 2, 3], "tail": ["N1", "N1", "N9", "N1"]})
    contract = rules(
        {"rule": "unique", "column": "id"},
        {"rule": "foreign_key", "column": "tail", "references": "f.planes.tailnum"},
    )
    found = audit(con, stage(table), contract, relation_of=lambda _: "planes")
    assert con.execute(found.kept_sql).fetchall() == [(3, "N1")]
    assert con.execute(found.rejected_sql).fetchall()[0][2] == "unique_id"


def test_nothing_to_quarantine_leaves_the_staged_files_as_they_are(con, stage):
    contract = rules({"rule": "range", "column": "n", "max": 50})
    found = audit(con, stage(pa.table({"n": [1]})), contract, relation_of=NOBODY)
    assert (found.kept_sql, found.rejected_sql) == (None, None)


def test_a_table_with_the_platforms_own_columns_cannot_be_quarantined(con, stage):
    contract = rules({"rule": "not_null", "column": "_rule"})
    with pytest.raises(ConfigError, match="column '_rule' is written to the quarantine table"):
        audit(con, stage(pa.table({"_rule": [1]})), contract, relation_of=NOBODY)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-5, 5)),
            st.one_of(st.none(), st.text("ab'\n\"é", max_size=4)),
        ),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from(HOSTILE),
)
def test_kept_and_rejected_rows_are_a_partition_of_the_batch(con, stage, data, name):
    table = pa.table(
        {
            "row": range(len(data)),
            name: pa.array([n for n, _ in data], pa.int64()),
            "t": pa.array([t for _, t in data], pa.string()),
        }
    )
    contract = rules(
        {"rule": "range", "column": name, "min": -2, "max": 2},
        {"rule": "regex", "column": "t", "pattern": "[ab']*"},
        {"rule": "unique", "columns": [name, "t"]},
        {"rule": "not_null", "column": "t"},
    )
    found = audit(con, stage(table), contract, relation_of=NOBODY)
    if found.rejected_sql is None:
        assert all(outcome.status == "passed" for outcome in found.outcomes)
        return
    rejected = con.execute(found.rejected_sql).fetchall()
    kept = con.execute(found.kept_sql).fetchall()
    assert sorted(row[0] for row in rejected + kept) == list(range(len(data)))
    for outcome in found.outcomes:
        assert (
            sum(outcome.rule.name in row[-2].split(",") for row in rejected) == outcome.failed_rows
        )


def test_a_violation_names_table_rule_count_rows_and_next_step(con, stage):
    contract = rules(
        {"rule": "range", "column": "delay", "min": -120, "max": 2000},
        {"rule": "row_count", "min": 10},
        {"rule": "set", "column": "origin", "values": ["JFK"], "action": "warn"},
        action="block",
    )
    table = pa.table({"origin": ["EWR", "JFK", "LGA", "JFK"], "delay": [99999, 1, 99998, -999]})
    error = ContractViolation(audit(con, stage(table), contract, relation_of=NOBODY))
    text = str(error)
    assert text.startswith("shop.orders: nothing was published, 2 rules of the contract not met")
    assert "range_delay (delay is between -120 and 2000): broken by 3 of 4 rows" in text
    assert '{"delay": 99999, "origin": "EWR"}' in text
    assert "row_count (has at least 10 rows): has 4 rows" in text
    assert "set_origin" not in text
    assert "next step: repair the rows" in text
    assert str(pickle.loads(pickle.dumps(error))) == text
