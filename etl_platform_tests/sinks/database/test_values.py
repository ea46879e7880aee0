"""Every value arrives as it is in the lake, or the gate names it before anything is sent."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_platform.core.errors import SchemaMismatch
from etl_platform.sinks.database import GateViolation, Load, LoadMode, Target
from etl_platform_tests.sinks.database.targets import Warehouse, order

TYPES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "flag": (pa.bool_(), st.booleans()),
    "tiny": (pa.int8(), st.integers(-(2**7), 2**7 - 1)),
    "small": (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    "medium": (pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    "big": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "single": (pa.float32(), st.floats(width=32, allow_nan=False)),
    "double": (pa.float64(), st.floats(allow_nan=False)),
    "money": (pa.decimal128(12, 2), st.decimals(-(10**9), 10**9, places=2)),
    "exact": (pa.decimal128(38, 9), st.decimals(-(10**28), 10**28, places=9)),
    "text": (pa.string(), st.text(st.characters(exclude_characters="\0", codec="utf-8"))),
    "bytes": (pa.binary(), st.binary()),
    "day": (pa.date32(), st.dates(date(1, 1, 1), date(9999, 12, 31))),
    "moment": (pa.timestamp("us"), st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))),
    "instant": (
        pa.timestamp("us", "UTC"),
        st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC)),
    ),
    "numbers": (pa.list_(pa.int64()), st.lists(st.integers(-(2**63), 2**63 - 1) | st.none())),
    "words": (pa.list_(pa.string()), st.lists(st.text("ab,\"'\\{} é") | st.none())),
    "pair": (
        pa.struct([("a", pa.int64()), ("b", pa.string())]),
        st.fixed_dictionaries({"a": st.integers(0, 9), "b": st.text('xy"\\é') | st.none()}),
    ),
}
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in TYPES.items()])
ROW = st.fixed_dictionaries({name: values | st.none() for name, (_, values) in TYPES.items()})


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(ROW, min_size=1, max_size=20))
def test_what_is_read_back_is_what_was_loaded(
    warehouse: Warehouse, generated: list[dict[str, Any]]
) -> None:
    if warehouse.database.kind == "mysql":
        generated = [without_infinity(row) for row in generated]
    rows = warehouse.rows(pa.Table.from_pylist(generated, SCHEMA))
    batch = json.dumps([repr(row) for row in generated])
    warehouse.sink.load(rows, Load(Target("types"), LoadMode.REPLACE, batch))
    found = warehouse.sink.reconcile(rows, Target("types"))
    assert found.equal, found


def without_infinity(row: dict[str, Any]) -> dict[str, Any]:
    """MariaDB has no infinity; that the gate refuses one has a test of its own."""
    return {k: None if isinstance(v, float) and math.isinf(v) else v for k, v in row.items()}


GATE: list[tuple[str, pa.DataType, list[Any], str]] = [
    # declared type of the target, lake type, values of which the second does not fit, reason
    ("varchar(3)", pa.string(), ["abc", "äöüß"], "longer than the 3 characters"),
    ("smallint", pa.int64(), [1, 40_000], "not exactly a smallint"),
    ("numeric(6,2)", pa.decimal128(9, 3), [Decimal("1.230"), Decimal("1.235")], "not exactly"),
    ("numeric(6,2)", pa.decimal128(9, 2), [Decimal("1.23"), Decimal("12345.67")], "not exactly"),
    ("real", pa.float64(), [0.5, 0.1], "not exactly a real"),
    ("date", pa.timestamp("us"), [datetime(2024, 1, 1), datetime(2024, 1, 1, 1)], "not exactly"),
    ("timestamp(3)", pa.timestamp("us"), [datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 0, 0, 1)],
     "more than 3 digits of a second"),
    ("integer", pa.string(), ["7", "seven"], "not exactly a integer"),
    ("text", pa.string(), ["a", "a\0b"], "a character NUL"),
    ("text NOT NULL", pa.string(), ["", None], "allows no NULL"),
]  # fmt: skip


@pytest.mark.parametrize(("declared", "kind", "values", "reason"), GATE)
@pytest.mark.parametrize(
    "warehouse", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
def test_a_value_that_the_column_cannot_hold_is_named_and_nothing_is_sent(
    warehouse: Warehouse, declared: str, kind: pa.DataType, values: list[Any], reason: str
) -> None:
    warehouse.database.execute(f"CREATE TABLE narrow (id bigint PRIMARY KEY, v {declared})")
    rows = warehouse.rows(pa.table({"id": [1, 2], "v": pa.array(values, kind)}))
    with pytest.raises(GateViolation) as refused:
        warehouse.sink.load(rows, Load(Target("narrow"), LoadMode.UPSERT, "a", ("id",)))
    (finding,) = refused.value.findings
    assert (finding.column, finding.rows) == ("v", 1)
    assert reason in finding.reason
    assert "id='2'" in finding.samples[0]
    assert warehouse.database.query("SELECT * FROM narrow") == []
    fitting = warehouse.rows(pa.table({"id": [1], "v": pa.array(values[:1], kind)}))
    warehouse.sink.load(fitting, Load(Target("narrow"), LoadMode.UPSERT, "b", ("id",)))
    assert len(warehouse.database.query("SELECT * FROM narrow")) == 1


@pytest.mark.parametrize("warehouse", ["sqlite"], indirect=True)
def test_what_sqlite_would_change_silently_is_refused(warehouse: Warehouse) -> None:
    rows = warehouse.rows(pa.table({"id": [1, 2], "v": [math.inf, math.nan]}))
    with pytest.raises(GateViolation, match="NaN, which SQLite stores as NULL"):
        warehouse.sink.load(rows, Load(Target("t"), LoadMode.APPEND, "a"))


@pytest.mark.parametrize(
    "warehouse", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
@pytest.mark.parametrize("mode", LoadMode)
def test_columns_of_other_types_are_cast_by_the_server(
    warehouse: Warehouse, mode: LoadMode
) -> None:
    warehouse.database.execute(
        "CREATE TYPE mood AS ENUM ('glad', 'sad')",
        "CREATE TABLE odd (id uuid, m mood, j jsonb, n numeric, made int GENERATED ALWAYS AS (1) "
        "STORED, valid_from timestamptz, valid_to timestamptz)",
        "CREATE UNIQUE INDEX ON odd (id)" if mode is LoadMode.UPSERT else "SELECT 1",
    )
    value = {
        "id": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "m": "sad",
        "j": '{"a": 1}',
        "n": Decimal("1.5"),
    }
    rows = warehouse.rows(pa.Table.from_pylist([value]))
    kept = timedelta(days=1)
    warehouse.sink.load(rows, Load(Target("odd"), mode, "a", ("id",), kept))
    warehouse.sink.load(rows, Load(Target("odd"), mode, "b", ("id",), kept))
    count = 2 if mode is LoadMode.APPEND else 1
    stored = warehouse.database.query("SELECT id::text, m::text, j::text, n FROM odd")
    assert stored == [tuple(value.values())] * count
    warehouse.sink.revert(Target("odd"))


def test_columns_that_are_missing_on_one_side_are_named(warehouse: Warehouse) -> None:
    warehouse.database.execute(
        "CREATE TABLE orders (id bigint, customer text, must text NOT NULL, "
        "may text DEFAULT 'x' NOT NULL)"
    )
    with pytest.raises(SchemaMismatch) as refused:
        warehouse.sink.load(
            warehouse.rows([order(1)]), Load(Target("orders"), LoadMode.APPEND, "a")
        )
    assert "no column 'note'" in str(refused.value)
    assert "column 'must' allows no NULL" in str(refused.value)
    assert "'may' allows" not in str(refused.value)


@pytest.mark.parametrize("mode", LoadMode)
@pytest.mark.parametrize(
    "name",
    [
        'x"; DROP TABLE victim; --',
        "O'Brien %s :v $1 {} \\ é",
        "select `; DROP TABLE victim; /*\n# %% \\'",
    ],
)
def test_hostile_names_and_values_are_only_names_and_values(
    warehouse: Warehouse, mode: LoadMode, name: str
) -> None:
    warehouse.database.execute("CREATE TABLE victim (id int)", "INSERT INTO victim VALUES (7)")
    target = Target(name)
    column = f"{name} c"
    kept = timedelta(days=1)
    rows = warehouse.rows(pa.table({"id": [1], column: [name]}))
    warehouse.sink.load(rows, Load(target, mode, f"{name} 1", ("id",), kept))
    changed = warehouse.rows(pa.table({"id": [2], column: [name]}))
    warehouse.sink.load(changed, Load(target, mode, f"{name} 2", ("id",), kept))
    warehouse.sink.revert(target, f"{name} 2")
    quoted = '"' + name.replace('"', '""') + '"'
    quoted_column = '"' + column.replace('"', '""') + '"'
    assert warehouse.database.query(f"SELECT id, {quoted_column} FROM {quoted}") == [(1, name)]
    assert warehouse.sink.reconcile(rows, target).equal or mode is LoadMode.SCD2
    assert warehouse.database.query("SELECT * FROM victim") == [(7,)]
    # A server's log shows each statement where it begins.
    begun = r"(?:statement: |execute [^:]*: |Query\s)\s*DROP TABLE victim"
    assert re.findall(begun, warehouse.database.statements) == []
