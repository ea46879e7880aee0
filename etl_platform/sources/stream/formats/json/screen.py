"""Which messages may be parsed together, found in one pass of SQL over a whole batch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from etl_platform.core.duck import literal, quote

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from etl_platform.sources.stream.formats.columns import Column

DEEPEST = 200
"""Structures within structures that a message may have."""
_VALUE = "try(decode(value))"
_WHOLE = ("BIGINT", "UBIGINT")
_NUMBERS = (*_WHOLE, "HUGEINT", "DOUBLE")
# One object per message makes parsing them joined by line breaks safe: none can swallow the next.
# DuckDB's parser takes NaN and trailing commas, Arrow's takes NaN: RFC 8259 knows neither.
_SOUND = rf"""
    json_valid(v) AND starts_with(v, '{{') AND NOT contains(v, 'NaN') AND NOT contains(v, 'Inf')
    AND CASE WHEN strlen(v) <= {DEEPEST} THEN true
        ELSE NOT regexp_matches(v, '([\[{{][^\]}}]*){{{DEEPEST}}}') END
"""
# Numbers that a double may not hold are written differently by SQL functions that copy objects.
_COPIED_EXACTLY = """
    AND NOT regexp_matches(v, '[0-9.][0-9.eE+-]{15}')
    AND len(json_keys(v)) = len(list_distinct(json_keys(v)))
"""


def sound(
    con: duckdb.DuckDBPyConnection, values: pa.Array[Any], *, rest: bool = False
) -> pa.Array[Any]:
    """True for each value that is a JSON object without anything that needs a closer look.

    Args:
        rest: whether ``rest.of_sound`` is to be asked, too.
    """
    condition = _SOUND + (
        f"AND CASE WHEN json_valid(v) THEN true {_COPIED_EXACTLY} END" if rest else ""
    )
    condition = f"coalesce({condition}, false)"
    return _each(con, values, condition)


def doubtful(
    con: duckdb.DuckDBPyConnection,
    values: pa.Array[Any],
    columns: tuple[Column, ...],
    *,
    repeated: bool,
) -> pa.Array[Any]:
    """True for each sound value that Arrow's parser may refuse: mostly those that it does.

    Only looked for when some were refused: what is missed here is found by halving.

    Args:
        repeated: whether a name stands twice in some of them.
    """
    import pyarrow as pa

    places = _places(columns)
    tests = [r"regexp_matches(v, ',\s*[}\]]')"]
    if repeated:
        tests.append("len(json_keys(v)) <> len(list_distinct(json_keys(v)))")
    tests += [
        f"coalesce(kinds[{number}] NOT IN ('NULL', {', '.join(map(literal, kinds))}), false)"
        for number, kinds in enumerate(places.values(), 1)
    ]
    numbers = {path: number for number, path in enumerate(places, 1)}
    counted = filter(_is_counted, columns)
    tests += [_unfit(column, f"kinds[{numbers[column.path]}]") for column in counted]
    pointers = ", ".join(literal(_pointer(path)) for path in places)
    structure = literal(json.dumps(_structure(columns), ensure_ascii=False))
    con.register("messages", pa.table({"value": values}))
    answer = con.sql(
        f"SELECT coalesce({' OR '.join(tests)}, true) FROM "
        f"(SELECT v, json_type(v, [{pointers}]) AS kinds, from_json(v, {structure}) AS found FROM "
        f"(SELECT {_VALUE} AS v FROM messages))"
    )
    return answer.to_arrow_table().column(0).combine_chunks()


def key_lists(con: duckdb.DuckDBPyConnection, values: pa.Array[Any]) -> list[tuple[list[str], int]]:
    """The different lists of names at the top of sound values, and how often each occurs."""
    import pyarrow as pa

    con.register("messages", pa.table({"value": values}))
    found = con.execute(
        f"SELECT any_value(json_keys(v)), count(*) FROM (SELECT {_VALUE} AS v FROM messages) "
        "GROUP BY CAST(json_keys(v) AS VARCHAR)"
    )
    return found.fetchall()


def _each(con: duckdb.DuckDBPyConnection, values: pa.Array[Any], condition: str) -> pa.Array[Any]:
    import pyarrow as pa

    con.register("messages", pa.table({"value": values}))
    answer = con.sql(f"SELECT {condition} FROM (SELECT {_VALUE} AS v FROM messages)")
    return answer.to_arrow_table().column(0).combine_chunks()


def _places(columns: tuple[Column, ...]) -> dict[tuple[str, ...], tuple[str, ...]]:
    """What DuckDB may call the value at each path that a column reads, or reads through."""
    from pyarrow import types as t

    from etl_platform.sources.stream.formats.conversion import written_type

    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for column in columns:
        for length in range(1, len(column.path)):
            found[column.path[:length]] = ("OBJECT",)
        written = written_type(column)
        if t.is_struct(written):
            kinds = ("OBJECT",)
        elif t.is_list(written):
            kinds = ("ARRAY",)
        elif t.is_string(written):
            kinds = ("VARCHAR",)
        elif t.is_boolean(written):
            kinds = ("BOOLEAN",)
        elif t.is_decimal(written):
            kinds = (*_NUMBERS, "VARCHAR")
        else:
            kinds = _WHOLE if t.is_integer(written) else _NUMBERS
        found[column.path] = kinds
    return found


def _pointer(path: tuple[str, ...]) -> str:
    """RFC 6901."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in path)


def _is_counted(column: Column) -> bool:
    """Whether the kind of a value alone does not say that it has a place in the column."""
    from pyarrow import types as t

    from etl_platform.sources.stream.formats.conversion import written_type

    written = written_type(column)
    return t.is_integer(written) or t.is_decimal(written)


_Tree = dict[str, "_Tree | str"]


def _structure(columns: tuple[Column, ...]) -> _Tree:
    """Of the values whose kind does not tell, and never empty, which DuckDB would refuse."""
    from pyarrow import types as t

    from etl_platform.core.types import duckdb_type
    from etl_platform.sources.stream.formats.conversion import written_type

    tree: _Tree = {}
    for column in filter(_is_counted, columns):
        at = tree
        for name in column.path[:-1]:
            inner = at.setdefault(name, {})
            assert isinstance(inner, dict)  # no path leads through another's value
            at = inner
        written = written_type(column)
        at[column.path[-1]] = duckdb_type(written) if t.is_integer(written) else "JSON"
    return tree or {columns[0].path[0]: "JSON"}


def _unfit(column: Column, kind: str) -> str:
    from pyarrow import types as t

    from etl_platform.core.types import duckdb_type
    from etl_platform.sources.stream.formats.conversion import written_type

    found = ".".join(["found", *map(quote, column.path)])
    written = written_type(column)
    if not t.is_decimal(written):
        return f"({found} IS NULL AND coalesce({kind} <> 'NULL', false))"
    text = f"CAST({found} AS VARCHAR)"
    finer = f"regexp_matches({text}, '[.][0-9]{{{written.scale + 1}}}')"
    number = f"trim({text}, '\"')"
    fits = f"TRY_CAST({number} AS {duckdb_type(written)}) IS NOT NULL AND NOT {finer}"
    return f"coalesce({text} <> 'null' AND NOT coalesce({fits}, false), false)"
