"""Expectations of steps that are known to hold, because they held for the very same rows.

Versions of a table never change. A guard that reads lake tables alone therefore gives for the same
versions what it gave before: that it passed is kept in the commit of the rows which it let through.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from etl_platform.compute.duckdb_engine import run
from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.planner.parsing import parse
from etl_platform.planner.tables import tables_of
from etl_platform.transforms.incremental.functions import volatile
from etl_platform.transforms.incremental.state import Pin, State, digest

if TYPE_CHECKING:
    import duckdb

    from etl_platform.lakehouse.lake import Lake
    from etl_platform.transforms.model import Model


def proof(guard: str, pins: Mapping[TableName, Pin]) -> str | None:
    """Identify a guard together with everything that its answer follows from.

    Args:
        guard: a SELECT that must give no row.
        pins: the version of each lake table that the model reads.

    Returns:
        A digest of text and versions; None where the answer may differ all the same: it reads what
        a Python step made, or asks for the time or for chance.
    """
    read = sorted(tables_of(parse(guard)))
    if not all(table in pins for table in read) or volatile(guard) is not None:
        return None
    return digest(guard, *(f"{table.sql} {pins[table]}" for table in read))


def held_before(lake: Lake, model: Model) -> frozenset[str]:
    """The proofs in the commit of the newest version of a model's table."""
    current = lake.find(model.table) if model.guards else None
    state = None if current is None else State.of(current.annotations())
    return frozenset() if state is None else frozenset(state.held)


def check_guards(
    con: duckdb.DuckDBPyConnection,
    model: Model,
    relations: Mapping[TableName, str],
    pins: Mapping[TableName, Pin],
    known: frozenset[str] = frozenset(),
) -> tuple[str, ...]:
    """Check the expectations of a model's steps, but for those that are known to hold.

    Args:
        relations: by table, DuckDB SQL for after FROM with the rows of its pinned version.
        known: proofs of an earlier run.

    Returns:
        The proofs of this one, for its commit.

    Raises:
        PermanentError: the rows are not as a step expects them.
    """
    held: set[str] = set()
    for sql, meaning in model.guards:
        shown = proof(sql, pins)
        if shown is None or shown not in known:
            run(con, sql, relations.get)
            for row in con.execute(sql).fetchall():
                raise PermanentError(f"{meaning}: {row}")
        if shown is not None:
            held.add(shown)
    return tuple(sorted(held))
