"""What DuckDB says about a statement, with the place in the text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from etl_platform.core.errors import PermanentError
from etl_platform.planner.parsing import place_of_byte

if TYPE_CHECKING:
    import duckdb

_SHOWN_LINES = 6
_BIND = "EXPLAIN "


def refusal(
    con: duckdb.DuckDBPyConnection,
    sql: str,
    error: duckdb.Error,
    *,
    where: str | None = None,
    params: object = None,
) -> PermanentError:
    """DuckDB's error as one of the platform's, with ``file:line:column`` when DuckDB tells it.

    A relation's error lacks the place; binding the statement once more with EXPLAIN, which runs
    nothing, gives it, in a session with ``errors_as_json``.

    Args:
        con: the session that refused the statement.
        sql: the statement as its author wrote it.
        error: what DuckDB raised.
        where: the file that the text comes from.
        params: the values that were bound.
    """
    import duckdb

    found = _details(error)
    spot = where or "SQL"
    try:
        con.execute(_BIND + sql, params)
    except duckdb.Error as located:
        found = _details(located)
        position = int(found.get("position", -1)) - len(_BIND)
        if position >= 0:
            spot = place_of_byte(sql, position, where)
    first, *rest = found["exception_message"].strip().splitlines()
    hints = [line.strip() for line in rest if line.strip()]
    return PermanentError(f"{spot}: {first}", valid="; ".join(hints[:_SHOWN_LINES]) or None)


def message(error: Exception) -> str:
    """The text of a DuckDB error, whichever form it came in."""
    return _details(error)["exception_message"]


def _details(error: Exception) -> Mapping[str, str]:
    """``errors_as_json`` puts an object after the error's kind; not every error has one."""
    text = str(error)
    start = text.find("{")
    if start >= 0:
        try:
            found = json.loads(text[start:])
        except json.JSONDecodeError:
            found = None
        if isinstance(found, dict) and "exception_message" in found:
            return found
    return {"exception_message": text}
