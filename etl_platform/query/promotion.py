"""A query of the history as the file of a SQL model, with a contract that its result meets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from etl_platform.core.duck import literal
from etl_platform.core.errors import PermanentError
from etl_platform.metastore.records import PastQuery
from etl_platform.query.parameters import Params, replayed
from etl_platform.query.read_only import syntax_nodes, syntax_tree

if TYPE_CHECKING:
    import polars as pl

_KEY_COLUMNS = 3


def check_promotable(past: PastQuery) -> None:
    """Refuse what cannot be a model.

    Raises:
        PermanentError: the query failed, or ran under a role's policies, which a model does not
            know: it would show what the role may not see.
    """
    if past.status != "ok":
        raise PermanentError(f"query {past.id} was {past.status}", valid="a query that succeeded")
    if past.role is not None:
        raise PermanentError(
            f"query {past.id} ran as role {past.role!r}, and a model reads whole tables",
            fix="run it without a role, then promote that",
        )


def model_text(past: PastQuery, result: pl.DataFrame, description: str | None = None) -> str:
    """The text of a model: a header with description and contract, and the query.

    Bound values become literals. The contract demands (block) the smallest leading combination of
    columns that differs in every row, and expects (warn) no nulls where there were none.

    Args:
        past: a query that succeeded.
        result: its rows.
        description: of the table; default: which query it was.

    Raises:
        PermanentError: a bound value has no literal, or a column has no name of its own.
    """
    import yaml

    sql = inlined(past.sql, replayed(past.params)).strip().rstrip(";").rstrip()
    header: dict[str, object] = {
        "description": description or f"Query {past.id} of {past.started_at:%Y-%m-%d}.",
        "contract": {"rules": list(_rules(result))},
    }
    written = yaml.safe_dump(header, sort_keys=False, allow_unicode=True, width=100)
    if "*/" in written:
        raise PermanentError(
            "a name or the description holds '*/', which ends a header",
            fix="name the column otherwise with AS",
        )
    return f"/*\n{written}*/\n{sql}\n"


def inlined(sql: str, params: Params) -> str:
    """The text with each parameter replaced by its value as a literal."""
    text = sql.encode()
    values = dict(params) if hasattr(params, "keys") else dict(enumerate(params or (), 1))  # pyright: ignore[reportArgumentType, reportCallIssue] - a mapping has keys
    known = {str(name): value for name, value in values.items()}
    places = [n for n in syntax_nodes(syntax_tree(sql)) if n.get("type") == "VALUE_PARAMETER"]
    for node in sorted(places, key=lambda n: n["query_location"], reverse=True):
        begin = int(node["query_location"])
        end = begin + int(node["query_location_length"])
        text = text[:begin] + _literal(known[str(node["identifier"])]).encode() + text[end:]
    return text.decode()


def _literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return f"({value})" if value < 0 else str(value)
        case float():
            return f"{literal(repr(value))}::DOUBLE"
        case str():
            return literal(value)
        case datetime():
            kind = "TIMESTAMP" if value.tzinfo is None else "TIMESTAMPTZ"
            return f"{kind} {literal(value.isoformat(sep=' '))}"
        case date():
            return f"DATE {literal(value.isoformat())}"
        case bytes():
            return f"from_hex({literal(value.hex())})"
        case _:
            raise PermanentError(f"a parameter of type {type(value).__name__} has no literal")


def _rules(result: pl.DataFrame) -> Iterator[dict[str, object]]:
    key = _key(result)
    if key:
        yield (
            {"rule": "unique", "column": key[0]}
            if len(key) == 1
            else {"rule": "unique", "columns": key}
        )
    if result.height:
        for column in result:
            if not column.null_count():
                yield {
                    "rule": "not_null",
                    "column": column.name,
                    "action": "block" if column.name in key else "warn",
                }


def _key(result: pl.DataFrame) -> list[str]:
    if result.height < 2:
        return []
    for name in result.columns:
        if not result[name].dtype.is_nested() and result[name].n_unique() == result.height:
            return [name]
    for count in range(2, min(_KEY_COLUMNS, result.width) + 1):
        columns = result.columns[:count]
        if any(result[name].dtype.is_nested() for name in columns):
            return []
        if result.select(columns).n_unique() == result.height:
            return columns
    return []
