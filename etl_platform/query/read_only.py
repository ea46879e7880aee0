"""Is a text one SELECT that reads nothing but tables? Asked of the parser that would run it.

DuckDB hands out its own syntax tree, so there is no second grammar that could understand a text in
another way than the engine does: comments, quoting and odd characters need no rules here. What may
occur is listed; everything else is refused, so a construct of a later DuckDB is refused until
somebody has looked at it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from etl_platform.core.duck import sealed
from etl_platform.core.errors import QueryRefused
from etl_platform.planner.functions import (
    INTERNAL_PREFIX,
    SCALAR_FUNCTIONS_REFUSED,
    SYSTEM_SCHEMAS,
    TABLE_FUNCTIONS,
)
from etl_platform.planner.parsing import place_of_byte

if TYPE_CHECKING:
    import duckdb

_Node: TypeAlias = Mapping[str, Any]
_QUERY_NODES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
_TABLE_NODES = frozenset(
    {"BASE_TABLE", "JOIN", "SUBQUERY", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "PIVOT"}
)
_NOWHERE = 2**64 - 1
_MAX_CHARACTERS = 250_000
"""Planning a longer text can take seconds, and nothing limits those."""
_VALID = "exactly one SELECT over tables of the lake"


def check_read_only(sql: str) -> None:
    """Refuse everything but one SELECT that computes from tables and its own constants.

    Allowed are joins, CTEs, set operations, windows, PIVOT with listed values, VALUES, bound
    parameters and calls such as ``range`` in FROM. Whether the tables exist is not asked here.

    Raises:
        QueryRefused: several statements; DDL, DML, COPY, ATTACH, PRAGMA, SET and the like, also
            inside a CTE; a function that reads files, the network, settings or the catalogue; a
            file as a table; text that DuckDB cannot parse. With line and column where known.
    """
    for node in syntax_nodes(syntax_tree(sql)):
        _check(node, sql)


def syntax_tree(sql: str) -> _Node:
    """The text as DuckDB's own tree.

    Raises:
        QueryRefused: it is not exactly one SELECT, or longer than 250,000 characters.
    """
    if len(sql) > _MAX_CHARACTERS:
        raise QueryRefused(
            f"SQL: the text has {len(sql)} characters",
            valid=f"at most {_MAX_CHARACTERS} characters",
            fix="bind long lists as parameters, or publish them as a table",
        )
    statements = _statements(sql)
    if len(statements) != 1:
        raise QueryRefused(f"SQL: found {len(statements)} statements", valid=_VALID)
    return statements[0]


def _statements(sql: str) -> list[_Node]:
    import duckdb

    try:
        row = parser().cursor().execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
        answer: dict[str, Any] = json.loads(row[0]) if row else {}
    except (duckdb.Error, RecursionError, UnicodeEncodeError) as error:
        raise QueryRefused(f"SQL: cannot be parsed: {error}", valid=_VALID) from error
    if not answer.get("error"):
        return answer["statements"]
    if answer.get("error_type") == "not implemented":
        kinds = _kinds(sql)
        raise QueryRefused(
            f"SQL: {kinds} is not a SELECT",
            valid=_VALID,
            fix="list the values of a PIVOT, as in PIVOT t ON c IN (1, 2) USING sum(x), inside "
            "FROM ( ... )"
            if kinds == "MULTI"
            else None,
        )
    position = answer.get("position")
    spot = place_of_byte(sql, int(position)) if position is not None else "SQL"
    raise QueryRefused(f"{spot}: {answer.get('error_message')}", valid=_VALID)


def _kinds(sql: str) -> str:
    import duckdb

    try:
        return ", ".join(s.type.name for s in parser().cursor().extract_statements(sql))
    except duckdb.Error as error:
        raise QueryRefused(f"SQL: cannot be parsed: {error}", valid=_VALID) from error
    except ValueError:
        # The parser knows kinds of statements for which Python's client has no name.
        return "this statement"


def syntax_nodes(root: object) -> Iterator[_Node]:
    """Every object in a tree, in no particular order, the root included."""
    pending: list[object] = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _check(node: _Node, sql: str) -> None:
    kind = node.get("type")
    if "function_name" in node:
        _check_function(node, sql)
    if not isinstance(kind, str) or "class" in node:
        return
    if kind.endswith("_NODE") and kind not in _QUERY_NODES:
        word = kind.removesuffix("_QUERY_NODE").removesuffix("_NODE")
        raise QueryRefused(f"{_spot(node, sql)}: {word} inside a SELECT", valid=_VALID)
    if not kind.endswith("_NODE") and "sample" in node and kind not in _TABLE_NODES:
        word = str(node.get("show_type") or kind)
        raise QueryRefused(f"{_spot(node, sql)}: {word} is not a table", valid=_VALID)
    if kind == "BASE_TABLE":
        _check_table(node, sql)
    if kind == "TABLE_FUNCTION":
        name = str(node["function"].get("function_name", "")).lower()
        if name not in TABLE_FUNCTIONS:
            raise QueryRefused(
                f"{_spot(node, sql)}: {name}() may not be read from",
                valid=f"tables of the lake, and {', '.join(sorted(TABLE_FUNCTIONS))}",
            )


def _check_table(node: _Node, sql: str) -> None:
    """The engine's catalogue holds the text of every view, row filters of policies included."""
    schema, name = str(node["schema_name"]).lower(), str(node["table_name"]).lower()
    if schema in SYSTEM_SCHEMAS or (schema in ("", "main") and name in _system_tables()):
        raise QueryRefused(
            f"{_spot(node, sql)}: unknown table {f'{schema}.{name}' if schema else name!r}",
            valid="tables of the lake",
        )


def _check_function(node: _Node, sql: str) -> None:
    path: list[str] = (node.get("qualified_name") or {}).get("path") or []
    for name in (str(node["function_name"]), *path[-1:]):
        if name.lower() in SCALAR_FUNCTIONS_REFUSED or name.lower().startswith(INTERNAL_PREFIX):
            raise QueryRefused(
                f"{_spot(node, sql)}: {name.lower()}() is not available in queries",
                valid="functions of columns, constants and parameters",
            )


def _spot(node: _Node, sql: str) -> str:
    location = node.get("query_location", _NOWHERE)
    return (
        place_of_byte(sql, location) if isinstance(location, int) and location < _NOWHERE else "SQL"
    )


@cache
def _system_tables() -> frozenset[str]:
    rows = parser().cursor().execute("SELECT lower(view_name) FROM duckdb_views() WHERE internal")
    return frozenset(name for (name,) in rows.fetchall())


@cache
def parser() -> duckdb.DuckDBPyConnection:
    """A session that only parses; each call takes a cursor, so threads can share it."""
    con = sealed()
    con.execute("SET lock_configuration = true")
    return con
