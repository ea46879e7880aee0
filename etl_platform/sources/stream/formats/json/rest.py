"""Fields that no column reads, kept as a text of JSON with their numbers as they were written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import literal
from etl_platform.sources.stream.formats.json.single import Number, Object

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

REST = "_rest"


def of_sound(
    con: duckdb.DuckDBPyConnection, values: pa.Array[Any], known: frozenset[str]
) -> pa.Array[Any]:
    """For each sound value the object without its known fields, null where nothing is left."""
    import pyarrow as pa

    con.register("messages", pa.table({"value": values}))
    without = literal(json.dumps(dict.fromkeys(sorted(known)), ensure_ascii=False))
    found = con.sql(
        f"SELECT nullif(CAST(json_merge_patch(decode(value), {without}) AS VARCHAR), '{{}}') "
        "FROM messages"
    )
    return found.to_arrow_table().column(0).combine_chunks().cast(pa.string())


def of_one(message: Object, known: frozenset[str]) -> str | None:
    """The same of one message."""
    left = [(name, value) for name, value in message if name not in known]
    return text_of(Object(left)) if left else None


def text_of(value: Any) -> str:
    """JSON of a value as ``single.parse`` gives it."""
    if isinstance(value, Object):
        inner = (f"{json.dumps(name, ensure_ascii=False)}:{text_of(one)}" for name, one in value)
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ",".join(text_of(one) for one in value) + "]"
    return str(value) if isinstance(value, Number) else json.dumps(value, ensure_ascii=False)
