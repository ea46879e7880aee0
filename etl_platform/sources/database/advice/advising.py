"""Advice for a workload: read the catalogue, ask the planner, say what is worth creating."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from etl_platform.core.errors import ConfigError
from etl_platform.sources.database.advice import mysql, postgresql, sqlite
from etl_platform.sources.database.advice.candidates import candidates
from etl_platform.sources.database.advice.catalogue import Catalogue
from etl_platform.sources.database.advice.choosing import Choosing
from etl_platform.sources.database.advice.model import (
    Advice,
    Index,
    Statement,
    StatementCost,
    Suggestion,
)
from etl_platform.sources.database.advice.quoting import Quoting
from etl_platform.sources.database.advice.statements import parse_workload
from etl_platform.sources.database.advice.usage import usages

if TYPE_CHECKING:
    from etl_platform.sources.database.advice.looking import Looking
    from etl_platform.sources.database.database import Database

_LOOK = {"mysql": mysql.look, "postgresql": postgresql.look, "sqlite": sqlite.look}


def advise(database: Database, workload: Iterable[str], *, build: bool = False) -> Advice:
    """Find indexes that the database's own planner would use for a workload.

    Nothing is executed but EXPLAIN and reads of the catalogue (and, in SQLite, counts of the
    columns' values); nothing is left behind.

    Args:
        database: PostgreSQL, MariaDB or SQLite.
        workload: SELECTs in the database's dialect; a text may hold several.
        build: build indexes where the database cannot plan with ones that do not exist, as
            :attr:`Advice.needs` describes it.

    Raises:
        ConfigError: another kind of database.
        QueryRefused: something in the workload is no SELECT that only reads.
        SourceUnavailable, PermanentError: what the database says.
    """
    kind = database.dialect.name
    if kind not in _LOOK:
        raise ConfigError(
            f"there is no index advice for databases of kind {kind!r}", valid=", ".join(_LOOK)
        )
    statements = parse_workload(workload, kind)
    with database.session() as connection:
        quoting = Quoting(kind, connection.dialect)
        with _LOOK[kind](database, connection, quoting, statements, build) as look:
            return _advice(database, look, quoting, statements)


def _advice(
    database: Database, look: Looking, quoting: Quoting, statements: Sequence[Statement]
) -> Advice:
    uses = [usages(statement, look.catalogue, quoting) for statement in statements]
    choosing = Choosing(look.planner, statements, uses)
    before = choosing.plans(())
    possible = dict.fromkeys(index for found in uses for index in candidates(found))
    needs = look.needs(tuple(possible)) if possible else None
    chosen = () if needs else choosing.choose()
    after = choosing.plans(chosen)
    return Advice(
        database=database.redacted,
        verified_by=look.verified_by,
        cost_unit=look.cost_unit,
        statements=tuple(
            StatementCost(one.number, one.text, old.cost, new.cost)
            for one, old, new in zip(statements, before, after, strict=True)
        ),
        suggestions=tuple(_suggestion(look, quoting, choosing, index, chosen) for index in chosen),
        hints=tuple(look.hints(uses, chosen)),
        needs=needs,
    )


def _suggestion(
    look: Looking, quoting: Quoting, choosing: Choosing, index: Index, chosen: Sequence[Index]
) -> Suggestion:
    name = quoting.index_name(index)
    return Suggestion(
        table=index.table.full_name,
        create=quoting.create(index, name, concurrently=quoting.kind == "postgresql") + ";",
        gains=choosing.gains(index, chosen),
        size_bytes=look.planner.size_bytes(index),
        write_cost=_write_cost(look.catalogue, index),
    )


def _write_cost(catalogue: Catalogue, index: Index) -> str:
    table = next(table for table in catalogue.tables if table.id == index.table)
    many = len(table.indexes)
    text = f"one more index to keep beside {many}" if many else "the table's first index to keep"
    if table.rows_written is not None:
        text += f"; {table.rows_written:,} rows were written since the server's counters began"
    return text
