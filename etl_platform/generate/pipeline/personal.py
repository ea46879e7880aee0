"""Which columns of a database hold personal data, from a few values of each, in few round trips."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from etl_platform.core.errors import PermanentError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select

    from etl_platform.sources.database import Database, SourceTable

_ROWS = 20
_CHARACTERS = 200
_TOGETHER = 100


@dataclass(frozen=True, slots=True)
class Personal:
    """``kinds``: table's full name -> column -> kind. ``missed``: tables not judged, and why."""

    kinds: Mapping[str, Mapping[str, str]]
    missed: int
    why: str = ""


def personal_columns(
    database: Database, tables: Sequence[SourceTable], budget_s: float
) -> Personal:
    """Judge the text columns of all tables by twenty rows of each.

    PostgreSQL is asked for a hundred tables at a time without waiting for answers in between, so
    that the network's latency counts twice, not two hundred times.

    Raises:
        SourceUnavailable: as :meth:`Database.session`.
    """
    wanted = [(table, texts) for table in tables if (texts := _texts(table))]
    kinds: dict[str, Mapping[str, str]] = {}
    ends = time.monotonic() + budget_s
    done = 0
    together = _TOGETHER if database.dialect.name == "postgresql" else 1
    try:
        with database.session() as connection:
            while done < len(wanted) and time.monotonic() < ends:
                part = wanted[done : done + together]
                for (table, texts), rows in zip(part, _sampled(connection, part), strict=True):
                    found = _judged(texts, rows)
                    if found:
                        kinds[table.full_name] = found
                done += len(part)
    except PermanentError as error:
        # A table that may be described but not read: it is loaded by somebody else, or not at all.
        return Personal(kinds, len(wanted) - done, f"the database refused: {error.what}")
    return Personal(kinds, len(wanted) - done, "out of time")


def _texts(table: SourceTable) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns if column.arrow_type == "string")


def _judged(texts: Sequence[str], rows: Sequence[Sequence[object]]) -> Mapping[str, str]:
    from etl_platform.quality.pii import classify

    found: dict[str, str] = {}
    for number, name in enumerate(texts):
        kind = classify(name, "string", [row[number] for row in rows])
        if kind is not None:
            found[name] = kind.value
    return found


def _sampled(
    connection: Connection, part: Sequence[tuple[SourceTable, tuple[str, ...]]]
) -> list[Sequence[Sequence[object]]]:
    statements = [_statement(table, texts) for table, texts in part]
    if connection.dialect.name != "postgresql":
        return [[tuple(row) for row in connection.execute(one)] for one in statements]
    import psycopg

    driver = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    answers: list[Sequence[Sequence[object]]] = []
    with driver.pipeline():
        cursors: list[psycopg.Cursor[Any]] = []
        for one in statements:
            compiled = one.compile(
                dialect=connection.dialect, compile_kwargs={"literal_binds": True}
            )
            cursor = driver.cursor()
            cursor.execute(compiled.string.encode().replace(b"%%", b"%"))
            cursors.append(cursor)
        answers.extend(cursor.fetchall() for cursor in cursors)
    return answers


def _statement(table: SourceTable, texts: Sequence[str]) -> Select[Any]:
    import sqlalchemy as sa

    from etl_platform.sources.database.statements import from_table

    columns = [
        sa.func.substr(sa.cast(sa.column(name), sa.String()), 1, _CHARACTERS).label(f"c{number}")
        for number, name in enumerate(texts)
    ]
    return sa.select(*columns).select_from(from_table(table)).limit(_ROWS)
