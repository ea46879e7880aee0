"""Run a unit test: the model's own SQL over the given rows, in a session that reaches nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from etl_platform.core.duck import quote, sealed
from etl_platform.core.errors import ConfigError, EtlError, PermanentError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.core.types import duckdb_type, lake_type_of_duckdb
from etl_platform.planner.refusals import message
from etl_platform.transforms.segments import run_segments
from etl_platform.transforms.testing.clock import stop_clock
from etl_platform.transforms.testing.comparing import Cells, Difference, compare
from etl_platform.transforms.testing.spec import Row, UnitTest, Value

if TYPE_CHECKING:
    import duckdb

    from etl_platform.transforms.model import Model

_KEPT_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a test.

    Attributes:
        status: ``failed``: the rows are not those expected; ``error``: the model or the test could
            not be run at all.
        message: why, one line or more; empty when passed.
        difference: of a test that failed by its rows.
    """

    test: UnitTest
    table: TableName
    status: Literal["passed", "failed", "error"]
    message: str = ""
    difference: Difference | None = None


def run_test(model: Model, test: UnitTest) -> Outcome:
    """Run one test of a model; nothing is raised, what went wrong is in the outcome."""
    try:
        if model.asked:
            raise ConfigError(
                f"{model.table} asks {model.asked[0].source}, which a test does not",
                fix="test the table that its steps before 'enrich' make, and the one behind it",
            )
        with sealed() as con:
            con.execute("SET errors_as_json = true")
            stop_clock(con, test.now)
            _give(con, model, test)
            try:
                names, kinds, rows = _made(con, model)
            except EtlError as error:
                return _refused(model, test, error)
            if test.expect.error is not None:
                text = f"the model made {len(rows)} rows where an error was expected: "
                return Outcome(test, model.table, "failed", text + repr(test.expect.error))
            return _judged(con, model, test, dict(zip(names, kinds, strict=True)), rows)
    except EtlError as error:
        return Outcome(test, model.table, "error", str(error))


def _refused(model: Model, test: UnitTest, error: EtlError) -> Outcome:
    wanted = test.expect.error
    if wanted is None:
        return Outcome(test, model.table, "error", str(error))
    if wanted in str(error):
        return Outcome(test, model.table, "passed")
    text = f"an error with {wanted!r} was expected, this one came:\n{error}"
    return Outcome(test, model.table, "failed", text)


def _give(con: duckdb.DuckDBPyConnection, model: Model, test: UnitTest) -> None:
    """Make the inputs as tables with the given rows.

    Raises:
        UnknownName: the model does not read a given table, or it lacks a given column.
        ConfigError: a value is none of its column's type; columns are not known.
    """
    for table, rows in test.given.items():
        if table not in model.inputs:
            inputs = [one.sql for one in model.inputs]
            line = rows[0].line if rows else None
            raise UnknownName(f"input of {model.table}", table.sql, inputs, where=test.spot(line))
    for table in model.inputs:
        columns = model.input_columns[table]
        if columns is None:
            raise ConfigError(
                f"{test.spot()}: the columns of {table}, which {model.table} reads, are not known",
                fix="ask the source for them: dg utils refresh-defs-state",
            )
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {quote(table.schema)}")
        name = f"{quote(table.schema)}.{quote(table.name)}"
        fields = ", ".join(f"{quote(column)} {kind}" for column, kind in columns.items())
        con.execute(f"CREATE TABLE {name} ({fields})")
        rows = test.given.get(table, ())
        values = _typed(con, rows, columns, tuple(columns), test, table.sql)
        if values:
            marks = ", ".join("?" for _ in columns)
            con.executemany(f"INSERT INTO {name} VALUES ({marks})", [list(row) for row in values])


def _made(con: duckdb.DuckDBPyConnection, model: Model) -> tuple[list[str], list[str], list[Cells]]:
    """Names, types as the lake keeps them, and rows of what the model makes.

    Raises:
        PermanentError: DuckDB refuses the rows, or they are not what a step expects.
    """
    import duckdb

    try:
        for query, meaning in model.guards:
            found = con.execute(query).fetchall()
            if found:
                raise PermanentError(f"{meaning}: {found[0]!r}")
        run_segments(model.segments, con, con.sql, None)
        relation = con.sql(model.sql)
        names = list(relation.columns)
        kinds = [
            duckdb_type(lake_type_of_duckdb(kind, name))
            for name, kind in zip(names, relation.types, strict=True)
        ]
        parts = ", ".join(
            f"CAST({quote(name)} AS {kind})" for name, kind in zip(names, kinds, strict=True)
        )
        rows = relation.query("made", f"SELECT {parts} FROM made LIMIT {_KEPT_ROWS}")
        return names, kinds, [] if rows is None else rows.fetchall()
    except duckdb.Error as error:
        raise PermanentError(f"{model.path}: {message(error)}") from error


def _judged(
    con: duckdb.DuckDBPyConnection,
    model: Model,
    test: UnitTest,
    made: Mapping[str, str],
    rows: Sequence[Cells],
) -> Outcome:
    expect = test.expect
    named = expect.columns or tuple(
        dict.fromkeys(name for row in expect.rows for name in row.values)
    )
    for name in expect.columns:
        _check(name, made, test, test.line, model.table.sql)
    # Whether any row came is all that a test without rows asks.
    columns = named or tuple(made)
    expected = _typed(con, expect.rows, made, columns, test, model.table.sql)
    places = [list(made).index(column) for column in columns]
    actual = [tuple(row[place] for place in places) for row in rows]
    found = compare(columns, expected, actual, ordered=expect.ordered)
    if not found.lines:
        return Outcome(test, model.table, "passed")
    text = f"{len(expected)} rows expected, {len(actual)} came, {found.same} as expected"
    return Outcome(test, model.table, "failed", text, found)


def _typed(
    con: duckdb.DuckDBPyConnection,
    rows: Iterable[Row],
    kinds: Mapping[str, str],
    columns: Sequence[str],
    test: UnitTest,
    table: str,
) -> list[Cells]:
    """Rows as values of the columns' types, null where a row does not name a column.

    Raises:
        UnknownName: there is no such column.
        ConfigError: a value is none of the column's type.
    """
    typed: list[Cells] = []
    for row in rows:
        for name in row.values:
            _check(name, kinds, test, row.line, table)
        typed.append(
            tuple(
                _cast(
                    con, row.values.get(name), kinds[name], f"{table}.{name}", test.spot(row.line)
                )
                for name in columns
            )
        )
    return typed


def _check(name: str, kinds: Mapping[str, str], test: UnitTest, line: int, table: str) -> None:
    if name not in kinds:
        raise UnknownName(f"column of {table}", name, kinds, where=test.spot(line))


def _cast(
    con: duckdb.DuckDBPyConnection, value: Value, kind: str, column: str, where: str
) -> object:
    import duckdb

    if value is None:
        return None
    try:
        found = con.execute(f"SELECT CAST(? AS {kind})", [_parameter(value)]).fetchall()
    except duckdb.Error as error:
        raise ConfigError(f"{where}: {column} is {kind}, got {value!r}") from error
    return found[0][0]


def _parameter(value: Value) -> object:
    """Lists and mappings as Python has them, which DuckDB binds as lists and structs."""
    if isinstance(value, tuple):
        return [_parameter(one) for one in value]
    if isinstance(value, Mapping):
        return {key: _parameter(one) for key, one in value.items()}
    return value
