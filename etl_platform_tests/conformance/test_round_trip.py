"""``extract(load(x)) == x``: what is loaded into a database and read back is the same, row by row.

Where a database has no such type, ``RETURNS`` says as what a value comes back, and how: the value
itself is never another.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from etl_platform.core.errors import UnsupportedType
from etl_platform.core.settings import Settings
from etl_platform.lakehouse import Lake
from etl_platform.sinks.database import DatabaseSink, Load, LoadMode, Target
from etl_platform.sources.database import Database, Extraction, capabilities, extract
from etl_platform_tests.conformance.test_sources import table_of
from etl_platform_tests.sinks.database.targets import TARGETS, Warehouse, open_target
from etl_platform_tests.sinks.database.test_values import TYPES, without_infinity

Back = tuple[pa.DataType, Callable[[Any], Any]]
"""The type of what comes back, and what the database made of a value, undone."""

ROWS = st.lists(
    st.fixed_dictionaries({name: values | st.none() for name, (_, values) in TYPES.items()}),
    max_size=12,
)


def itself(value: Any) -> Any:
    return value


def in_utc(value: datetime) -> datetime:
    """An instant that came without its zone, which is UTC."""
    return value.replace(tzinfo=UTC)


_JSON = {name: (pa.string(), json.loads) for name in ("numbers", "words", "pair")}
_SMALL: Mapping[str, Back] = {"tiny": (pa.int16(), itself)}
RETURNS: Mapping[str, Mapping[str, Back]] = {
    "postgresql": {**_SMALL, "pair": (pa.string(), json.loads)},
    "mysql": {
        **_SMALL,
        **_JSON,
        "flag": (pa.int16(), bool),
        "instant": (pa.timestamp("us"), in_utc),
    },
    "sqlite": {
        **dict.fromkeys(("tiny", "small", "medium"), (pa.int64(), itself)),
        **_JSON,
        "single": (pa.float64(), itself),
        "exact": (pa.string(), Decimal),
    },
    "duckdb": _SMALL,
}
REFUSED = {"duckdb": {"pair"}}
"""Loaded, but not read without a declaration: a STRUCT has no lossless type in a source."""


@pytest.fixture(params=TARGETS)
def warehouse(
    request: pytest.FixtureRequest, settings: Settings, tmp_path: Path
) -> Iterator[Warehouse]:
    for database in open_target(request.param, request, tmp_path):
        sink = DatabaseSink(Database("warehouse", database.url))
        yield Warehouse(database, sink, Lake(settings.lake_uri, settings))


def without_negative_zero(row: dict[str, Any]) -> dict[str, Any]:
    """SQLite and MariaDB keep -0.0 as 0.0."""
    return {k: v + 0.0 if isinstance(v, float) else v for k, v in row.items()}


def round_trips(warehouse: Warehouse, examples: int) -> None:
    kind = warehouse.database.kind
    back, batches = RETURNS[kind], count()
    kept = {name: type_ for name, (type_, _) in TYPES.items() if name not in REFUSED.get(kind, ())}

    @bounded(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],  # each shrinking step would be another load
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(ROWS)
    def comes_back(generated: list[dict[str, Any]]) -> None:
        if kind == "mysql":
            generated = [without_infinity(row) for row in generated]
        if kind in ("mysql", "sqlite"):
            generated = [without_negative_zero(row) for row in generated]
        numbered = [
            {"n": n} | {name: row[name] for name in kept} for n, row in enumerate(generated)
        ]
        schema = pa.schema({"n": pa.int64(), **kept})
        rows = warehouse.rows(pa.Table.from_pylist(numbered, schema))
        load = Load(Target("types"), LoadMode.REPLACE, f"batch {next(batches)}")
        warehouse.sink.load(rows, load)
        source = Database("source", warehouse.database.url)
        extraction = Extraction(table=table_of(source, "types"))
        fit = [one.name for one in capabilities(source, extraction) if not one.degrades]
        assert fit
        for engine in fit:
            with extract(source, extraction, engine=engine) as reader:
                found = reader.read_all().sort_by("n")
            types = {name: back.get(name, (one, itself))[0] for name, one in kept.items()}
            assert {f.name: f.type for f in found.schema} == {"n": pa.int64(), **types}
            returned = [
                {
                    name: value if value is None else back.get(name, (None, itself))[1](value)
                    for name, value in row.items()
                }
                for row in found.to_pylist()
            ]
            # By their texts, so that 0.0 is not -0.0; as the lake keeps them, so that an instant
            # has the zone that Arrow gives it.
            expected = pa.Table.from_pylist(numbered, schema).to_pylist()
            for got, put in zip(returned, expected, strict=True):
                for name in put:
                    assert text_of(got[name]) == text_of(put[name]), (engine, name)
        source.close()

    comes_back()


def text_of(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def test_what_was_loaded_is_what_is_extracted(warehouse: Warehouse) -> None:
    round_trips(warehouse, 4)


@pytest.mark.stress
@pytest.mark.timeout(3600)
def test_what_was_loaded_is_what_is_extracted_for_hundreds_of_tables(
    warehouse: Warehouse,
) -> None:
    round_trips(warehouse, 200)


@pytest.mark.parametrize("warehouse", ["duckdb"], indirect=True)
def test_a_struct_of_duckdb_is_loaded_and_refused_as_a_source(warehouse: Warehouse) -> None:
    rows = warehouse.rows(pa.table({"n": [1], "pair": pa.array([{"a": 1, "b": "x"}])}))
    warehouse.sink.load(rows, Load(Target("types"), LoadMode.REPLACE, "a"))
    source = Database("source", warehouse.database.url)
    with pytest.raises(UnsupportedType, match="pair"):
        extract(source, Extraction(table=table_of(source, "types")))
    source.close()
