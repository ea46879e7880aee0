"""The proof of a table: its SQL run in full on the input versions that its rows follow from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from etl_platform.compute.duckdb_engine import run
from etl_platform.core.duck import quote
from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.core.sessions import session
from etl_platform.core.types import duckdb_type
from etl_platform.lakehouse.lake import Lake
from etl_platform.lakehouse.log import Snapshot
from etl_platform.lakehouse.origin import Origin
from etl_platform.lakehouse.receipt import Mode
from etl_platform.planner.parsing import parse
from etl_platform.transforms.incremental.state import Pin, State
from etl_platform.transforms.segments import BETWEEN
from etl_platform.transforms.testing.comparing import Difference, compare
from etl_platform.transforms.validity import VALID_FROM, VALID_TO

if TYPE_CHECKING:
    import duckdb

_SHOWN = 100
"""Rows of each kind that are fetched to be shown."""
_FLOATS = ("FLOAT", "DOUBLE")


@dataclass(frozen=True, slots=True)
class Verification:
    """A table beside what its SQL gives.

    Attributes:
        version: of the table.
        inputs: the versions that were read.
        rows: of the table.
        missing, unexpected: rows that the SQL gives and the table lacks, and the other way round.
        difference: some of these rows, in pairs that are most alike.
    """

    table: TableName
    version: int
    inputs: Mapping[TableName, int]
    rows: int
    missing: int
    unexpected: int
    difference: Difference

    @property
    def equal(self) -> bool:
        return not self.missing and not self.unexpected


def verify(lake: Lake, table: TableName) -> Verification:
    """Compute a model's table in full, in memory, and compare it with what there is.

    Reads what its own newest commit says: the SQL, and the versions of the inputs. Rows are
    compared as often as each occurs; floats within a relative 1e-9, since a sum of them depends on
    the order of its parts; all else exactly. Nothing is written to the lake.

    Raises:
        UnknownName: there is no such table.
        PermanentError: it is no model's, or not one that its inputs alone decide, or an input can
            no longer be read at its version.
    """
    snapshot = lake.snapshot(table)
    annotations = snapshot.annotations()
    origin, state = Origin.of(annotations), State.of(annotations)
    receipt = snapshot.history(1)[0].receipt
    upserted = receipt is not None and receipt.mode is Mode.UPSERT
    if origin is None or origin.sql is None or state is None or upserted:
        raise PermanentError(
            f"{table} version {snapshot.version} does not say which SQL and which versions made it",
            valid="tables of models, but for those that append or upsert",
            fix="materialise the model once more, then verify",
        )
    if any(one.db == BETWEEN for one in parse(origin.sql).find_all(exp.Table)):
        raise PermanentError(
            f"{table} cannot be computed again: a Python step made rows that its SQL reads"
        )
    if state.volatile is not None:
        raise PermanentError(
            f"{table} cannot be computed again: {state.volatile} gives something else in each run"
        )
    relations = {t: _input(lake, table, t, pin).relation_sql() for t, pin in state.inputs.items()}
    with session(lake.settings) as con:
        computed = run(con, origin.sql, relations.get, where=table.sql)
        kinds = {field.name: duckdb_type(field.type) for field in snapshot.schema}
        there = f"SELECT * FROM {snapshot.relation_sql()}"
        if VALID_TO in kinds and VALID_TO not in computed.columns:
            # Of a snapshot, what is so now; what was before cannot be computed any more.
            there += f" WHERE {VALID_TO} IS NULL"
            kinds = {n: kind for n, kind in kinds.items() if n not in (VALID_FROM, VALID_TO)}
        _check_columns(table, kinds, computed.columns)
        columns = ", ".join(
            f"CAST({quote(n)} AS {kind}) AS {quote(n)}" for n, kind in kinds.items()
        )
        names = ", ".join(map(quote, kinds))
        con.execute(f"CREATE TEMP TABLE stored AS SELECT {names} FROM ({there})")
        con.execute(f"CREATE TEMP TABLE computed AS SELECT {columns} FROM ({origin.sql})")
        con.execute("CREATE TEMP TABLE missing AS FROM computed EXCEPT ALL FROM stored")
        _drop_set_aside(con, lake.find(table.quarantine), kinds)
        con.execute("CREATE TEMP TABLE unexpected AS FROM stored EXCEPT ALL FROM computed")
        floats = [name for name, kind in kinds.items() if kind in _FLOATS]
        if floats:
            _drop_close(con, [name for name in kinds if name not in floats], floats)
        missing, unexpected = _count(con, "missing"), _count(con, "unexpected")
        lacking, too_much = (
            con.execute(
                f"SELECT {', '.join(map(quote, kinds))} FROM {side} LIMIT {_SHOWN}"
            ).fetchall()
            for side in ("missing", "unexpected")
        )
    return Verification(
        table,
        snapshot.version,
        {t: pin.version for t, pin in state.inputs.items()},
        snapshot.rows,
        missing,
        unexpected,
        compare(list(kinds), lacking, too_much, ordered=False),
    )


def _input(lake: Lake, table: TableName, name: TableName, pin: Pin) -> Snapshot:
    found = lake.snapshot(name, pin.version)
    if Pin.of(found) != pin:
        raise PermanentError(
            f"{table} was made of another table that was called {name}: that one is gone",
            fix="materialise the model once more, then verify",
        )
    return found


def _check_columns(table: TableName, kinds: Mapping[str, str], computed: Sequence[str]) -> None:
    there, given = {n.lower() for n in kinds}, {n.lower() for n in computed}
    if there != given:
        raise PermanentError(
            f"{table} has the columns {sorted(there)}, its SQL gives {sorted(given)}",
            fix="materialise the model once more, then verify",
        )


def _drop_set_aside(
    con: duckdb.DuckDBPyConnection, quarantine: Snapshot | None, kinds: Mapping[str, str]
) -> None:
    """Rows that a contract has set aside are not missing."""
    if quarantine is None or not kinds.keys() <= set(quarantine.schema.names):
        return
    columns = ", ".join(f"CAST({quote(n)} AS {kind}) AS {quote(n)}" for n, kind in kinds.items())
    con.execute(
        "CREATE OR REPLACE TEMP TABLE missing AS FROM missing EXCEPT ALL "
        f"SELECT {columns} FROM {quarantine.relation_sql()}"
    )


def _drop_close(
    con: duckdb.DuckDBPyConnection, exact: Sequence[str], floats: Sequence[str]
) -> None:
    """Take pairs of rows out of both sides that differ by the last digits of floats alone."""
    parts = f"PARTITION BY {', '.join(map(quote, exact))}" if exact else ""
    order = ", ".join(map(quote, floats))
    for side in ("missing", "unexpected"):
        con.execute(
            f"CREATE TEMP TABLE numbered_{side} AS "
            f'SELECT *, row_number() OVER ({parts} ORDER BY {order}) AS "#" FROM {side}'
        )
    same = [f"a.{c} IS NOT DISTINCT FROM b.{c}" for c in map(quote, [*exact, "#"])]
    close = [
        f"(a.{c} IS NOT DISTINCT FROM b.{c} OR abs(a.{c} - b.{c}) <= "
        f"greatest(1e-9 * greatest(abs(a.{c}), abs(b.{c})), 1e-12))"
        for c in map(quote, floats)
    ]
    condition = " AND ".join([*same, *close])
    for side, other in (("missing", "unexpected"), ("unexpected", "missing")):
        con.execute(
            f"CREATE OR REPLACE TEMP TABLE {side} AS SELECT a.* FROM numbered_{side} AS a "
            f"WHERE NOT EXISTS (FROM numbered_{other} AS b WHERE {condition})"
        )


def _count(con: duckdb.DuckDBPyConnection, side: str) -> int:
    return int(con.execute(f"SELECT count(*) FROM {side}").fetchall()[0][0])
