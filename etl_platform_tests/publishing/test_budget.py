"""Events stay within 24 KiB, whatever a table looks like."""

from __future__ import annotations

import dagster as dg
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from etl_platform.core.names import TableName
from etl_platform.publishing.budget import (
    EVENT_BUDGET_BYTES,
    LEFT_OUT,
    Entry,
    fit,
    shorten_text,
    size_bytes,
)
from etl_platform.publishing.checks import table_value
from etl_platform.publishing.columns import columns_of, lineage_entry, schema_entry

TEXT = dg.MetadataValue.text


def total(metadata: dict[str, dg.MetadataValue]) -> int:
    return sum(size_bytes(value) for value in metadata.values())


def test_what_fits_is_left_as_it_is() -> None:
    entries = {"rows": Entry(dg.MetadataValue.int(3)), "text": Entry(TEXT("short"))}
    assert fit(entries) == {"rows": dg.MetadataValue.int(3), "text": TEXT("short")}


def test_a_table_of_a_thousand_columns_keeps_leading_columns_and_says_so() -> None:
    schema = pa.schema([(f"a_column_with_a_long_name_{n}", pa.int64()) for n in range(1000)])
    lineage = {name: [(TableName("shop", "orders"), name)] for name in schema.names}
    profile = "| column | nulls |\n" * 5000
    metadata = fit(
        {
            "dagster/row_count": Entry(dg.MetadataValue.int(1)),
            "dagster/column_schema": schema_entry(columns_of(schema, {})),
            "dagster/column_lineage": lineage_entry(lineage),
            "profile": Entry(
                dg.MetadataValue.md(profile), shorten_text(profile, dg.MetadataValue.md)
            ),
        }
    )
    assert total(metadata) < EVENT_BUDGET_BYTES
    columns = metadata["dagster/column_schema"].value
    assert isinstance(columns, dg.TableSchema)
    assert 50 < len(columns.columns) < 1000
    assert columns.columns[0].name == schema.names[0]
    assert metadata["dagster/row_count"].value == 1
    assert "dagster/column_schema" in str(metadata[LEFT_OUT].value)


@given(st.lists(st.text(max_size=30_000), min_size=1, max_size=8))
def test_texts_of_any_length_fit_and_the_first_is_shortened_last(texts: list[str]) -> None:
    entries = {str(n): Entry(TEXT(text), shorten_text(text, TEXT)) for n, text in enumerate(texts)}
    metadata = fit(entries)
    assert total(metadata) <= EVENT_BUDGET_BYTES
    kept = [name for name in entries if metadata.get(name) == entries[name].value]
    assert kept == list(entries)[: len(kept)]


def test_a_sample_shows_any_value_and_cuts_long_ones() -> None:
    entry = table_value(
        [{"id": 1, "tags": ["a"], "text": "x" * 500}, {"id": None, "tags": {}, "text": ""}]
    )
    table = entry.value
    assert isinstance(table, dg.TableMetadataValue)
    assert table.records[0].data["tags"] == "['a']"
    assert len(str(table.records[0].data["text"])) == 200
    assert [column.type for column in table.schema.columns] == ["int", "string", "string"]
