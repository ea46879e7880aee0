"""Every step gives what a reference in plain Python gives, whatever the rows are."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_platform.core.duck import quote, sealed
from etl_platform.core.names import TableName
from etl_platform.planner.binding import Binder
from etl_platform.transforms.pipeline import Compiled, Declared, Written, compile_steps
from etl_platform.transforms.segments import run_segments
from etl_platform.transforms.steps import STEPS
from etl_platform_tests.transforms.steps.cases import (
    BEFORE,
    CASES,
    OUTSIDE,
    UNIQUE_OTHERS,
    Case,
    Rows,
    plain,
)
from etl_platform_tests.transforms.steps.frames import doubled

ROWS, OTHERS = TableName("s", "rows"), TableName("s", "others")
SCHEMA: dict[TableName, dict[str, str]] = {
    ROWS: {
        "id": "BIGINT",
        "k": "VARCHAR",
        "n": "BIGINT",
        "d": "DECIMAL(10,2)",
        "at": "TIMESTAMP",
        "tz": "TIMESTAMP WITH TIME ZONE",
        "tags": "VARCHAR[]",
        "s": 'STRUCT("a" INTEGER, "b" VARCHAR)',
        "q1": "INTEGER",
        "q2": "INTEGER",
    },
    OTHERS: {"k": "VARCHAR", "since": "TIMESTAMP", "v": "DOUBLE"},
}
_TEXTS = st.sampled_from([None, "a", "b-c", "b-c-d", "é", "", " ", "7", "1.5", "日本-語", "a\n'b"])
_KEYS = st.one_of(st.sampled_from(["a", "b-c"]), _TEXTS)
_START = datetime(2024, 3, 30, 12)
# Across the night in which clocks change; some often, so that gaps are hit exactly.
_HOURS = st.one_of(st.sampled_from([0, 6, 12, 42, 48]), st.integers(0, 60))
_TIMES = _HOURS.map(lambda hours: _START + timedelta(hours=hours))
_DECIMALS = st.one_of(
    st.integers(-200, 200).map(Decimal),
    st.decimals(-999, 999, places=2, allow_nan=False, allow_infinity=False),
)


def _or_none(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


_ROW = st.fixed_dictionaries(
    {
        "k": _KEYS,
        "n": _or_none(st.integers(-3, 5)),
        "d": _or_none(_DECIMALS),
        "at": _or_none(_TIMES),
        "tz": _or_none(_TIMES.map(lambda at: at.replace(tzinfo=UTC))),
        "tags": _or_none(st.lists(_KEYS, max_size=3)),
        "s": _or_none(st.fixed_dictionaries({"a": _or_none(st.integers(0, 3)), "b": _KEYS})),
        "q1": _or_none(st.integers(0, 9)),
        "q2": _or_none(st.integers(0, 9)),
    }
)
_OTHER = st.fixed_dictionaries(
    {"k": _KEYS, "since": _or_none(_TIMES), "v": _or_none(st.sampled_from([0.0, 1.5, -2.25]))}
)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    with sealed() as con:
        con.execute("CREATE SCHEMA s")
        yield con


@pytest.fixture(scope="module", autouse=True)
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    file = tmp_path_factory.mktemp("outside") / "values.db"
    with closing(sqlite3.connect(file)) as db, db:
        db.execute("CREATE TABLE values_of (key TEXT, value DOUBLE)")
        db.executemany("INSERT INTO values_of VALUES (?, ?)", OUTSIDE.items())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OUTSIDE_URL", f"sqlite:///{file}")
        yield


def _compiled(case: Case, kind: str) -> Compiled:
    steps = [*BEFORE.get(kind, []), case.step]
    binder = Binder(SCHEMA)
    declared = Declared(
        TableName("s", "made"),
        ROWS,
        [Written(step, f"defs.yaml:{line}") for line, step in enumerate(steps, 3)],
        "defs.yaml:1",
        lambda name, _: name,
        functions={"doubled": doubled},
    )
    try:
        return compile_steps(declared, SCHEMA, binder)
    finally:
        binder.close()


def _fill(con: duckdb.DuckDBPyConnection, table: TableName, rows: Rows) -> None:
    fields = ", ".join(f"{quote(name)} {kind}" for name, kind in SCHEMA[table].items())
    con.execute(f"CREATE OR REPLACE TABLE s.{table.name} ({fields})")
    if rows:
        given_rows = pa.table(
            {name: pa.array([row[name] for row in rows]) for name in SCHEMA[table]}
        )
        con.register("given_rows", given_rows)
        con.execute(f"INSERT INTO s.{table.name} BY NAME SELECT * FROM given_rows")
        con.unregister("given_rows")


def _counted(rows: Rows) -> Counter[tuple[tuple[str, Any], ...]]:
    return Counter(tuple((name, plain(value)) for name, value in row.items()) for row in rows)


def test_every_kind_of_step_has_cases() -> None:
    assert CASES.keys() == STEPS.keys()


@pytest.mark.parametrize(
    ("kind", "case"),
    [
        pytest.param(kind, case, id=f"{kind}-{number}")
        for kind, cases in CASES.items()
        for number, case in enumerate(cases)
    ],
)
def test_step_does_what_its_reference_does(
    con: duckdb.DuckDBPyConnection, kind: str, case: Case
) -> None:
    compiled = _compiled(case, kind)

    @settings(
        max_examples=150 if kind == "asof_join" else 25,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(rows=st.lists(_ROW, max_size=12), others=st.lists(_OTHER, max_size=8))
    def check(rows: Rows, others: Rows) -> None:
        numbered = [{"id": number, **row} for number, row in enumerate(rows)]
        if kind == "lookup":
            others = list({other["k"]: other for other in others}.values())
        elif kind in UNIQUE_OTHERS:
            others = list({(other["k"], other["since"]): other for other in others}.values())
        if case.step == {"deduplicate": {}}:
            numbered = [{**row, "id": row["id"] // 2} for row in numbered + numbered]
        _fill(con, ROWS, numbered)
        _fill(con, OTHERS, others)
        run_segments(compiled.segments, con, con.sql, None)
        for guard, message in compiled.guards:
            assert con.execute(guard).fetchall() == [], message
        relation = con.sql(compiled.sql)
        found = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
        assert relation.columns == list(compiled.columns)
        expected = [
            {name: row[name] for name in relation.columns}
            for row in case.reference(numbered, others)
        ]
        assert _counted(found) == _counted(expected)

    check()
