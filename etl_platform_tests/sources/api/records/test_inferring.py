from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etl_platform.core.errors import SchemaMismatch
from etl_platform.sources.api.messages import BadResponse
from etl_platform.sources.api.records.decoding import decode
from etl_platform.sources.api.records.inferring import DigitsNeeded, columns_from, shape_of
from etl_platform.sources.api.records.shape import Shape
from etl_platform.sources.stream.formats.columns import Column
from etl_platform.sources.stream.formats.json import rest, single

NUMBERS = st.one_of(
    st.integers(-5, 5).map(str),
    st.integers(-(1 << 70), 1 << 70).map(str),
    st.sampled_from(["9223372036854775807", "9223372036854775808", "9007199254740993", "-0"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(-1000, 1000, places=2).map(str),
    st.sampled_from(["1e400", "1E2", "0.1", "12345678901234567890.12345", "1.10", "5e-324"]),
).map(single.Number)
NAMES = st.sampled_from(["a", "b", "ü", "type"])
TEXTS = st.text(st.characters(codec="utf-8"), max_size=4) | st.sampled_from(
    ["2024-01-01T00:00:00Z", "2024-01-01", '"', "\\", "[:1234567890123456789"]
)


def objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(NAMES, values, max_size=3).map(
        lambda found: single.Object(found.items())
    )


VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | objects(inner),
    max_leaves=6,
)
# Alike in kind, mostly, as records of an API are.
ALIKE = st.sampled_from([NUMBERS, TEXTS, st.booleans(), st.lists(NUMBERS, max_size=2),
                         objects(NUMBERS), objects(TEXTS), VALUES])  # fmt: skip


@st.composite
def record_sets(draw: st.DrawFn) -> list[bytes]:
    kinds = {name: draw(ALIKE) | st.none() for name in ("id", "a", "näme")}
    count = draw(st.integers(1, 6))
    found: list[bytes] = []
    for _ in range(count):
        names = draw(st.permutations(list(kinds)))[: draw(st.integers(0, 3))]
        record = single.Object((name, draw(kinds[name])) for name in names)
        found.append(rest.text_of(record).encode())
    return found


def resolved(
    parts: list[list[bytes]], known: pa.Schema | None = None, *, exactly: bool = False
) -> tuple[tuple[Column, ...], tuple[str, ...]] | str:
    shape = Shape(fields={})
    for part in parts:
        shape.join(shape_of(part, exactly=exactly))
    try:
        return columns_from(shape, (), known)
    except DigitsNeeded:
        return resolved(parts, known, exactly=True)
    except SchemaMismatch as error:
        return str(error)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(record_sets(), st.sets(st.integers(1, 5)))
def test_columns_are_the_same_however_records_come_in_pages(
    records: list[bytes], cuts: set[int]
) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(records)), len(records)]
    parts = [records[one:other] for one, other in itertools.pairwise(edges)]
    whole = resolved([records])
    assert resolved(parts) == whole
    assert resolved([records], exactly=True) == whole


@settings(max_examples=200, deadline=None, derandomize=True)
@given(record_sets())
def test_every_value_is_in_its_column_exactly_or_an_error_says_which_is_not(
    records: list[bytes],
) -> None:
    found = resolved([records])
    if isinstance(found, str):
        assert "field '" in found
        return
    columns, untyped = found
    rows = decode(records, columns, 1).to_pylist() if columns else [{} for _ in records]
    for record, row in zip(records, rows, strict=True):
        assert_same(single.parse(record), row, "", set(untyped))


def assert_same(sent: Any, got: Any, where: str, untyped: set[str]) -> None:
    if where in untyped:
        return
    if isinstance(sent, single.Object):
        assert isinstance(got, dict)
        for name, value in sent:
            assert_same(value, got.get(name), f"{where}.{name}" if where else name, untyped)
    elif isinstance(sent, list):
        assert len(sent) == len(got)
        for one, other in zip(sent, got, strict=True):
            assert_same(one, other, f"{where}[]", untyped)
    elif isinstance(sent, single.Number):
        assert type(got) in (int, float, Decimal)
        assert Decimal(sent) == Decimal(repr(got) if isinstance(got, float) else got)
    else:
        assert type(got) is type(sent)
        assert got == sent


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2"], "int64"),
        (["1", "2.5"], "double"),
        (["9223372036854775807"], "int64"),
        (["9223372036854775808"], "decimal128(38, 0)"),
        (["9007199254740993", "0.5"], "decimal128(38, 1)"),
        (["9007199254740992", "0.5"], "double"),
        (["0.1", "1.10"], "double"),
        (["0.1234567890123456789"], "decimal128(38, 19)"),
        (["1e3"], "double"),
        (["true", "null"], "bool"),
        (['"2024-01-01T00:00:00Z"'], "string"),
        (["[1, null]"], "list<element: int64>"),
        (['{"x": null, "y": [1.5]}'], "struct<y: list<element: double>>"),
    ],
)
def test_a_type_is_the_narrowest_that_holds_all_values(values: list[str], kind: str) -> None:
    records = [f'{{"v": {value}}}'.encode() for value in values]
    found = resolved([records])
    assert not isinstance(found, str), found
    assert [str(one.type) for one in found[0]] == [kind]


@pytest.mark.parametrize("values", [["null"], ["[]", "null"], ["{}"], ["[[]]"]])
def test_a_field_without_any_value_is_left_out_and_told(values: list[str]) -> None:
    records = [f'{{"id": 1, "v": {value}}}'.encode() for value in values]
    found = resolved([records])
    assert not isinstance(found, str)
    assert [one.name for one in found[0]] == ["id"]
    assert found[1] == ("v",)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (["1", '"1"'], "texts and numbers"),
        (["true", "1"], "true or false and numbers"),
        (["{}", "[]"], "objects and lists"),
        (["1e400"], "401 digits"),
        (["1" * 39], "39 digits"),
    ],
)
def test_values_without_one_exact_type_are_refused_with_the_way_out(
    values: list[str], told: str
) -> None:
    records = [f'{{"v": {value}}}'.encode() for value in values]
    found = resolved([records])
    assert isinstance(found, str)
    assert "'v'" in found
    assert told in found
    assert "json_text: [v]" in found


def test_a_name_that_occurs_twice_in_a_record_is_refused() -> None:
    with pytest.raises(BadResponse, match=r"field 'a\.b' 2 times"):
        shape_of([b'{"a": {"b": 1, "b": 2}}'])


def test_columns_keep_the_types_of_the_table_where_all_values_fit() -> None:
    known = pa.schema({"a": pa.float64(), "b": pa.decimal128(10, 2), "c": pa.string(),
                       "d": pa.struct({"x": pa.float64(), "z": pa.int64()})})  # fmt: skip
    records = [b'{"a": 1, "b": 2.5, "c": null, "d": {"x": 1}}']
    found = resolved([records], known)
    assert not isinstance(found, str)
    assert pa.schema([(one.name, one.type) for one in found[0]]) == known
    wider = resolved([[b'{"a": 9007199254740993, "b": 2.555}']], known)
    assert not isinstance(wider, str)
    assert [str(one.type) for one in wider[0]] == ["int64", "double"]
