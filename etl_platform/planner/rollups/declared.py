"""Whether a model's SELECT can be a rollup, asked when the model is loaded."""

from __future__ import annotations

from sqlglot import exp

from etl_platform.core.errors import ConfigError
from etl_platform.planner.rollups.reasons import NotUsable
from etl_platform.planner.rollups.shape import read_rollup
from etl_platform.planner.tables import Schema, table_name, table_references

_CHANGING_TYPES = (
    *(exp.Rand, exp.Randn, exp.Uuid, exp.CurrentUser),
    *(exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime),
)
_CHANGING = frozenset(
    {"now", "today", "random", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "get_current_time"}
    | {"transaction_timestamp", "current_localtimestamp", "current_localtime", "version", "age"}
)
_FORM = "SELECT keys, aggregates FROM tables [JOIN .. ON ..] [WHERE ..] GROUP BY keys"


def check_rollup(tree: exp.Query, columns: Schema, where: str) -> None:
    """Refuse a model that could not answer other aggregations.

    Aggregates that cannot be computed from those of finer groups (a median, a count of distinct
    values) are fine as columns: they answer only where the groups are the same.

    Args:
        tree: the model's SELECT, parsed.
        columns: of the tables that it reads; with None for one of them names are not looked up.
        where: file and line of the header's option.

    Raises:
        ConfigError: it has no GROUP BY, or something that makes its rows more than the groups of
            its tables (LIMIT, HAVING, DISTINCT, windows, the clock, subqueries, outer joins).
    """
    reason = _reason(tree, columns)
    if reason is not None:
        raise ConfigError(
            f"{where}: option 'rollup': {reason}",
            valid=_FORM,
            fix="change the SELECT, or leave out 'rollup' and keep it as a table like any other",
        )


def _reason(tree: exp.Query, columns: Schema) -> str | None:
    if not isinstance(tree, exp.Select):
        return "the model is not one SELECT"
    told = {
        "DISTINCT": tree.args.get("distinct"),
        "LIMIT": tree.args.get("limit") or tree.args.get("offset"),
        "HAVING": tree.args.get("having"),
        "QUALIFY": tree.args.get("qualify"),
        "a window": tree.find(exp.Window),
        "WITH": tree.args.get("with_"),
        "a subquery": next((n for n in tree.find_all(exp.Select) if n is not tree), None),
        "an outer join": next((j for j in tree.args.get("joins") or () if j.side), None),
    }
    for name, found in told.items():
        if found:
            return f"the model has {name}"
    for call in tree.find_all(exp.Func):
        name = call.name if isinstance(call, exp.Anonymous) else call.sql_name()
        if isinstance(call, _CHANGING_TYPES) or name.lower() in _CHANGING:
            return f"{call.sql(dialect='duckdb')} is not the same in every run"
    if tree.args.get("group") is None:
        return "the model has no GROUP BY"
    tables = {name for node in table_references(tree) if (name := table_name(node)) is not None}
    known = {table: columns[table] for table in tables if table in columns}
    if any(names is None for names in known.values()):
        return None
    lower = {t: frozenset(n.lower() for n in names or ()) for t, names in known.items()}
    try:
        read_rollup(tree, lower.get)
    except NotUsable as reason:
        return reason.reason
    return None
