"""A clock that stands still, for DuckDB sessions of tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

_MOMENTS = ("now", "get_current_timestamp", "transaction_timestamp")
_DAYS = ("current_date", "today")
_TIMES = ("get_current_time", "current_localtime")


def stop_clock(con: duckdb.DuckDBPyConnection, now: datetime) -> None:
    """Let every function that asks for the time answer with one moment, in UTC.

    They become macros of the session, which DuckDB finds before its own functions; keywords such
    as ``CURRENT_TIMESTAMP`` are calls of them. ``age`` of one moment counts from the same day's
    midnight, as DuckDB's does.
    """
    moment = now.astimezone(UTC).replace(tzinfo=None)
    stamp, day, clock = moment.isoformat(sep=" "), moment.date(), moment.time().isoformat()
    macros = {
        **dict.fromkeys(_MOMENTS, f"TIMESTAMPTZ '{stamp}+00'"),
        **dict.fromkeys(_DAYS, f"DATE '{day}'"),
        **dict.fromkeys(_TIMES, f"TIME '{clock}'"),
        "current_localtimestamp": f"TIMESTAMP '{stamp}'",
    }
    for name, value in macros.items():
        con.execute(f"CREATE MACRO {name}() AS {value}")
    con.execute(
        f"CREATE MACRO age(moment) AS system.main.age(TIMESTAMP '{day}', moment), "
        "(later, earlier) AS system.main.age(later, earlier)"
    )
