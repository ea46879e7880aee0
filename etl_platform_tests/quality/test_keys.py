from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.quality import Contract, audit
from etl_platform.quality import look as look_module

PLANES = TableName("flights", "planes")


@pytest.fixture(params=[8_192, 0], ids=["counted values", "row by row"])
def way(request, monkeypatch):
    monkeypatch.setattr(look_module, "_SMALL_ROWS", request.param)
    if not request.param:
        monkeypatch.setattr(look_module, "_MAX_PER_ROW_GROUP", 0)


@pytest.fixture
def planes(con):
    con.execute(
        "CREATE TABLE planes AS FROM (VALUES ('N1', 1), ('N2', 2), (NULL, 3)) t(tailnum, n)"
    )
    return lambda name: "planes" if name == PLANES else None


def one(con, staged, relation_of=lambda _: None, existing=None, **rule):
    contract = Contract.parse({"rules": [rule]})
    return audit(con, staged, contract, relation_of=relation_of, existing=existing)


def test_every_row_of_a_duplicated_key_is_bad_and_incomplete_keys_are_none(con, stage, way):
    table = pa.table({"a": [1, 1, 1, 2, None, None], "b": ["x", "x", "y", "x", "x", "x"]})
    (outcome,) = one(con, stage(table, 2), rule="unique", columns=["a", "b"]).outcomes
    assert outcome.failed_rows == 2
    assert outcome.sample == [{"a": 1, "b": "x"}] * 2


@pytest.mark.parametrize("columns", [["a"], ["a", "b"]])
def test_an_appended_key_may_not_be_in_the_table_already(con, stage, way, columns):
    con.execute(
        "CREATE TABLE kept AS SELECT * FROM (VALUES (1, 'x'), (9, 'z'), (NULL, 'x')) t(a, b)"
    )
    table = pa.table({"a": [1, 2, 3, None], "b": ["x", "x", "x", "x"]})
    found = one(con, stage(table), existing="kept", rule="unique", columns=columns)
    assert found.outcomes[0].sample == [{"a": 1, "b": "x"}]
    assert len(found.blocking) == 1


def test_a_key_column_that_the_table_does_not_have_yet_is_new_everywhere(con, stage):
    con.execute("CREATE TABLE kept AS SELECT 1 AS a")
    table = pa.table({"a": [1], "b": [2]})
    found = one(con, stage(table), existing="kept", rule="unique", columns=["a", "b"])
    assert found.outcomes[0].status == "passed"


def test_a_foreign_key_finds_the_rows_without_a_counterpart(con, stage, way, planes):
    table = pa.table({"tail": ["N1", "N3", "N3", None, "N2"]})
    (outcome,) = one(
        con,
        stage(table),
        planes,
        rule="foreign_key",
        column="tail",
        references="flights.planes.tailnum",
    ).outcomes
    assert (outcome.failed_rows, outcome.share) == (2, 0.4)
    assert outcome.sample == [{"tail": "N3"}] * 2
    assert con.execute(outcome.sql).fetchall() == [("N3",)] * 2


def test_a_foreign_key_of_several_columns_matches_them_together(con, stage, planes):
    table = pa.table({"tail": ["N1", "N1", None], "no": pa.array([1, 2, 7], pa.int64())})
    (outcome,) = one(
        con,
        stage(table),
        planes,
        rule="foreign_key",
        columns=["tail", "no"],
        references=["flights.planes.tailnum", "flights.planes.n"],
    ).outcomes
    assert outcome.sample == [{"tail": "N1", "no": 2}]


@pytest.mark.parametrize(("action", "blocks"), [("block", 1), ("quarantine", 1), ("warn", 0)])
def test_a_rule_that_could_not_run_is_never_green(con, stage, planes, action, blocks):
    found = one(
        con,
        stage(pa.table({"tail": ["N1"]})),
        planes,
        rule="foreign_key",
        column="tail",
        references="flights.plains.tailnum",
        action=action,
    )
    assert found.outcomes[0].status == "not_run"
    assert "flights.plains does not exist yet" in found.outcomes[0].reason
    assert len(found.blocking) == blocks


def test_a_reference_that_cannot_match_is_refused(con, stage, planes):
    staged = stage(pa.table({"tail": [1]}))
    with pytest.raises(ConfigError, match="they never match"):
        one(
            con,
            staged,
            planes,
            rule="foreign_key",
            column="tail",
            references="flights.planes.tailnum",
        )
    with pytest.raises(UnknownName, match=r"unknown column of flights\.planes 'tailnumb'"):
        one(
            con,
            staged,
            planes,
            rule="foreign_key",
            column="tail",
            references="flights.planes.tailnumb",
        )


def test_a_key_of_a_large_batch_is_checked_over_all_files(con, stage):
    rows = 30_000
    table = pa.table({"k": [*range(rows - 1), 5], "v": [0] * rows})
    found = one(con, stage(table, files=3), rule="unique", column="k")
    assert found.outcomes[0].sample == [{"k": 5, "v": 0}] * 2
    assert isinstance(con, duckdb.DuckDBPyConnection)
