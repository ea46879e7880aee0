"""What DuckDB itself says of its functions: which aggregate, which change from run to run."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

from etl_platform.core.duck import sealed

_CLOCK = frozenset({"current_date", "current_time", "current_timestamp", "localtime"}) | {
    "localtimestamp"
}
_HARMLESS = frozenset({"error"})
"""Volatile in DuckDB's catalogue so that it is not run ahead; it gives no value at all."""
_ARBITRARY = frozenset(
    {"any_value", "approx_quantile", "approx_top_k", "arbitrary", "array_agg", "first"}
    | {"group_concat", "last", "list", "listagg", "mode", "reservoir_quantile", "string_agg"}
)
"""Aggregates whose value depends on the order in which rows happen to arrive."""
_POSITIONAL = frozenset(
    {
        "row_number",
        "ntile",
        "lag",
        "lead",
        "first_value",
        "last_value",
        "nth_value",
        "first",
        "last",
    }
)
"""Window functions that mean nothing without an order."""


@cache
def _catalogue() -> tuple[frozenset[str], frozenset[str]]:
    with sealed() as con:
        rows = con.execute(
            "SELECT function_name, function_type, stability FROM duckdb_functions() "
            "WHERE function_type = 'aggregate' OR stability <> 'CONSISTENT'"
        ).fetchall()
    aggregates = frozenset(name for name, kind, _ in rows if kind == "aggregate")
    changing = frozenset(name for name, kind, _ in rows if kind != "aggregate")
    return aggregates, (changing | _CLOCK) - _HARMLESS


def volatile(sql: str) -> str | None:
    """A function in a text whose value changes though no table does; None when there is none.

    Looked for among the tokens, so that nothing which a parser renames is overlooked. A column of
    that name counts too unless it is quoted: too much is safe.

    >>> volatile("SELECT now() - started AS age FROM t"), volatile("SELECT 'now()' FROM t")
    ('now', None)
    """
    tokens = DuckDB().tokenize(sql)
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        name = token.text.lower()
        called = following is not None and following.text == "("
        if name in _CLOCK and token.token_type.name not in ("STRING", "IDENTIFIER"):
            return name
        if called and name in _catalogue()[1] and token.token_type.name != "STRING":
            return name
    return None


def names_of(call: exp.Func) -> Iterator[str]:
    """The names by which DuckDB may know a call."""
    if isinstance(call, exp.Anonymous):
        yield call.name.lower()
        return
    for name in (*call.sql_names(), call.sql(dialect="duckdb").partition("(")[0]):
        yield name.lower()


def aggregates(call: exp.Func) -> bool:
    """Whether a call makes one value of many rows, when it is no window."""
    return isinstance(call, exp.AggFunc) or any(name in _catalogue()[0] for name in names_of(call))


def arbitrary(call: exp.Func) -> bool:
    """Whether an aggregate's value depends on how rows happen to be ordered."""
    if call.find(exp.Order, exp.Ordered) is not None or isinstance(call.parent, exp.WithinGroup):
        return False
    return any(name in _ARBITRARY for name in names_of(call))


def positional(call: exp.Expr) -> bool:
    """Whether a window function's value is that of a place in an order."""
    while isinstance(call, exp.IgnoreNulls | exp.RespectNulls):
        call = call.this
    return isinstance(call, exp.Func) and any(name in _POSITIONAL for name in names_of(call))
