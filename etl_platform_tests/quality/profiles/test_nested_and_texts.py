"""Lists, maps and structs; shapes of texts; what determines what."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_platform.quality import Profile
from etl_platform.quality.profiles.relations import dependencies, pair_keys
from etl_platform.quality.profiles.shapes import count_shapes, is_untidy, shape

NESTED = pa.table(
    {
        "tags": pa.array([["a", "b"], [], None, ["c"]], pa.list_(pa.string())),
        "person": pa.array(
            [{"name": "Ada", "age": None}, None, {"name": None, "age": 3}, {"name": "G", "age": 4}],
            pa.struct({"name": pa.string(), "age": pa.int64()}),
        ),
        "prices": pa.array(
            [[("a", 1)], [], None, [("b", 2), ("c", 3)]], pa.map_(pa.string(), pa.int64())
        ),
    }
)


@pytest.mark.parametrize("files", [1, 2])
def test_lists_and_maps_are_measured_by_length_and_structs_by_field(profiled, files):
    found: Profile = profiled(NESTED, files)
    for name, lengths in (("tags", [2, 0, 1]), ("prices", [1, 0, 2])):
        nested = found.column(name).nested
        assert nested is not None
        assert (nested.min_length, nested.max_length, nested.empty) == (0, 2, 1)
        assert nested.mean_length == sum(lengths) / 3
        assert found.column(name).nulls == 1
    person = found.column("person")
    assert person.nulls == 1
    assert person.nested is not None
    assert dict(person.nested.fields) == {"name": 2, "age": 2}  # rows without a value
    assert person.distinct is None


def test_nested_parts_merge_into_the_whole(profiled):
    whole, parts = profiled(NESTED), [profiled(NESTED.slice(n, 1)) for n in range(4)]
    merged = Profile.merge(parts)
    for name in NESTED.schema.names:
        assert merged.column(name) == whole.column(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AB-1234", "AA-9999"),
        ("Hello", "Aaaaa"),
        ("internal", "a+"),
        ("12345", "9+"),
        ("Äö 1", "Aa 9"),
        ("a\tb", "a a"),
        ("", ""),
        ("a-" * 50, "a-" * 19 + "a…"),
    ],
)
def test_a_shape_tells_classes_of_characters(text, expected):
    assert shape(text) == expected


@given(st.text(max_size=300))
def test_a_shape_is_short_and_shows_neither_letters_nor_digits_of_the_text(text):
    found = shape(text)
    assert len(found) <= 40
    assert not {c for c in found if c.isalnum()} - set("Aa9")


def test_shapes_are_counted_by_rows_and_untidy_texts_are_told():
    assert count_shapes([("ab", 3), ("cd", 2), ("A1", 1)]) == {"aa": 5, "A9": 1}
    assert [t for t in ("x", " x", "x ", "N/A", "none", "", "nothing") if is_untidy(t)] == [
        " x",
        "x ",
        "N/A",
        "none",
        "",
    ]


def test_the_profile_of_texts_lists_their_patterns(profiled):
    codes = [f"AB-{n:04d}" for n in range(90)] + ["unknown"] * 10
    text = profiled(pa.table({"code": codes})).column("code").text
    assert text is not None
    assert [(p.shape, p.rows) for p in text.patterns] == [("AA-9999", 90), ("a+", 10)]
    assert (text.looked_at, text.untidy, text.sampled) == (100, 10, False)


CITIES = pl.DataFrame(
    {
        "city": [f"city {n % 30}" for n in range(600)],
        "country": [f"country {n % 30 // 10}" for n in range(600)],
        "number": [n // 2 % 7 for n in range(600)],
        "constant": ["x"] * 600,
        "line": list(range(600)),
    }
)


def test_dependencies_hold_in_every_row_and_say_nothing_of_keys_and_constants():
    found = {(d.determinant, d.dependent) for d in dependencies(CITIES)}
    assert found == {("city", "country")}
    broken = CITIES.with_columns(
        country=pl.when(pl.col("line") == 599).then(pl.lit("elsewhere")).otherwise("country")
    )
    assert dependencies(broken) == []
    assert dependencies(CITIES.head(99)) == []  # too few to say


def test_null_is_a_value_that_a_dependency_must_keep():
    frame = CITIES.select("city", country=pl.when(pl.col("line") >= 30).then("country"))
    assert dependencies(frame) == []


def test_pairs_of_columns_are_keys_when_no_sampled_row_repeats_one(profiled):
    table = pa.table({"order": [n // 5 for n in range(500)], "line": [n % 5 for n in range(500)]})
    assert [key.columns for key in profiled(table).keys] == [("order", "line")]
    repeated = pa.concat_tables([table, table.slice(0, 1)])
    assert profiled(repeated).keys == ()
    assert pair_keys(pl.DataFrame(table.slice(0, 99)), (), 99) == []
