"""Row filters of policies: one condition over the table's columns, judged by DuckDB's parser."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from etl_platform.core.errors import ConfigError, QueryRefused
from etl_platform.query.read_only import check_read_only, parser, syntax_nodes, syntax_tree

_VALID = "one condition over columns and constants, such as country = 'DE' AND NOT deleted"
_PLAIN = frozenset({"CONJUNCTION", "COMPARISON", "OPERATOR", "BETWEEN", "COLUMN_REF", "CONSTANT"})
_MORE_THAN_A_ROW = ("SUBQUERY", "WINDOW", "STAR", "PARAMETER", "LAMBDA")
_LOGICAL = frozenset({"OPERATOR_NOT", "OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL"})
_NUMERIC = (
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
    "FLOAT", "DOUBLE", "DECIMAL",
)  # fmt: skip


def check_row_filter(text: str, where: str) -> None:
    """Refuse a filter that could mean more than a condition on one row, or change by itself.

    Args:
        text: DuckDB SQL.
        where: which policy, for the error.

    Raises:
        ConfigError: it cannot be parsed, is not one expression, has a subquery, aggregate or window
            or a function whose result depends on anything but its arguments.
    """
    try:
        check_read_only(f"SELECT {text}\n")
        check_read_only(f"SELECT 1 WHERE ({text}\n)")
        tree = syntax_tree(f"SELECT {text}\n")
    except QueryRefused as error:
        raise ConfigError(f"{where}: the row filter is refused: {error.what}", valid=_VALID) from (
            error
        )
    node: Mapping[str, Any] = tree["node"]
    parts = list(syntax_nodes(node["select_list"]))
    if (
        node["type"] != "SELECT_NODE"
        or len(node["select_list"]) != 1
        or node["select_list"][0].get("alias")
        or node["from_table"]["type"] != "EMPTY"
        or node["modifiers"]
        or any(node[part] for part in ("where_clause", "group_expressions", "having", "qualify"))
        or any(p.get("class") in _MORE_THAN_A_ROW for p in parts)
    ):
        raise ConfigError(f"{where}: the row filter is not one condition: {text!r}", valid=_VALID)
    for part in parts:
        name = str(part.get("function_name", "")).lower()
        if name and name not in _steady_functions():
            raise ConfigError(
                f"{where}: the row filter calls {name}(), which has not always the same result",
                valid=_VALID,
            )


def columns_of(text: str) -> list[str]:
    """The columns that a filter names, each once."""
    nodes = syntax_nodes(syntax_tree(f"SELECT {text}\n")["node"]["select_list"])
    named = [str(n["column_names"][0]) for n in nodes if n.get("class") == "COLUMN_REF"]
    return list(dict.fromkeys(named))


def visible_sql(text: str, columns: Mapping[str, str]) -> str:
    """The filter as SQL that does not fail, whatever the row holds.

    A cast that fails would tell a value of a row that nobody may see, so what could fail is
    tried, and a row on which it fails is hidden. Comparisons of a column with constants of
    its own type cannot fail, and left as they are they skip parts of files.
    """
    node: Mapping[str, Any] = syntax_tree(f"SELECT {text}\n")["node"]
    kinds = {name.lower(): kind for name, kind in columns.items()}
    plain = f"({text}\n)"
    return plain if _cannot_fail(node["select_list"][0], kinds) else f"TRY({plain})"


def _cannot_fail(node: Mapping[str, Any], kinds: Mapping[str, str]) -> bool:
    if node.get("class") not in _PLAIN:
        return False
    if node["class"] == "COLUMN_REF":
        return True
    if node["class"] == "CONJUNCTION" or node["type"] in _LOGICAL:
        return all(_cannot_fail(child, kinds) for child in node["children"])
    sides = [side for side in syntax_nodes(node) if "class" in side and side is not node]
    columns = [side for side in sides if side["class"] == "COLUMN_REF"]
    constants = [side for side in sides if side["class"] == "CONSTANT"]
    if len(columns) != 1 or len(columns) + len(constants) != len(sides):
        return False
    kind = kinds.get(str(columns[0]["column_names"][-1]).lower(), "")
    numeric = kind.upper().startswith(_NUMERIC)
    return all(
        constant["literal"]["kind"] == "STRING" if not numeric else True for constant in constants
    )


@cache
def _steady_functions() -> frozenset[str]:
    rows = (
        parser()
        .cursor()
        .execute(
            "SELECT lower(function_name) FROM duckdb_functions() WHERE function_type = 'scalar' "
            "GROUP BY ALL HAVING bool_and(stability = 'CONSISTENT')"
        )
    )
    return frozenset(name for (name,) in rows.fetchall())
