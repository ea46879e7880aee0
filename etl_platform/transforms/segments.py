"""Work between two statements of a model: a Python function from one Polars frame to another."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from etl_platform.core.duck import quote, read_parquet
from etl_platform.core.errors import ConfigError, PermanentError
from etl_platform.core.names import TableName
from etl_platform.core.types import duckdb_type, lake_type_of_duckdb

if TYPE_CHECKING:
    import duckdb
    import polars as pl

FrameFunction: TypeAlias = "Callable[..., pl.LazyFrame]"
"""Takes a lazy frame, and options by name; gives a lazy frame."""

BETWEEN = "between_steps"
"""The schema in which statements read what functions made; no table of the lake."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A function in the middle of a model.

    Attributes:
        table: the name by which later statements read what it makes.
        sql: the rows that it gets; reads tables of the lake and of earlier segments.
        function: what is called with them.
        options: further arguments.
        columns: what it has to make, with DuckDB types.
        where: file and line of the step.
    """

    table: TableName
    sql: str
    function: FrameFunction
    options: Mapping[str, str | int | float | bool | None]
    columns: Mapping[str, str]
    where: str

    @property
    def logic(self) -> str:
        """A text that is another one when the function, as it is written, is."""
        function = self.function
        name = f"{function.__module__}.{function.__qualname__}"
        try:
            source = inspect.getsource(function)
        except (OSError, TypeError):
            source = name
        return repr((self.sql, name, source, [*self.options.items()], [*self.columns.items()]))


def run_segments(
    segments: Sequence[Segment],
    con: duckdb.DuckDBPyConnection,
    bind: Callable[[str], duckdb.DuckDBPyRelation],
    folder: Path | None,
) -> dict[TableName, str]:
    """Call every function; its rows can be read in the session by the segment's name afterwards.

    Args:
        con: the session of the model.
        bind: a statement over the model's inputs as a relation of the session.
        folder: where rows are kept between statements, so that they need not fit into memory; None
            keeps them in memory, for a session that may not write.

    Returns:
        By name, DuckDB SQL for after FROM.

    Raises:
        PermanentError: a function gave something else than a frame with the declared columns.
    """
    made: dict[TableName, str] = {}
    for segment in segments:
        frame = _frame(segment, bind(segment.sql), folder)
        try:
            result = segment.function(frame, **segment.options)
            relation = _relation(segment, result, con, folder)
        except Exception as error:
            error.add_note(f"in the Python step at {segment.where}")
            raise
        _check(segment, con, relation)
        schema, name = quote(segment.table.schema), quote(segment.table.name)
        con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        con.execute(f"CREATE OR REPLACE VIEW {schema}.{name} AS SELECT * FROM {relation}")
        made[segment.table] = relation
    return made


def _frame(
    segment: Segment, relation: duckdb.DuckDBPyRelation, folder: Path | None
) -> pl.LazyFrame:
    import polars as pl

    if folder is None:
        return cast("pl.DataFrame", pl.from_arrow(relation.to_arrow_table())).lazy()
    path = folder / f"{segment.table.name}.in.parquet"
    relation.write_parquet(str(path))
    return pl.scan_parquet(path)


def _relation(
    segment: Segment, result: object, con: duckdb.DuckDBPyConnection, folder: Path | None
) -> str:
    import polars as pl

    if isinstance(result, pl.DataFrame):
        result = result.lazy()
    if not isinstance(result, pl.LazyFrame):
        raise PermanentError(
            f"{segment.where}: the function gave {type(result).__name__}", valid="a pl.LazyFrame"
        )
    if folder is not None:
        path = folder / f"{segment.table.name}.out.parquet"
        result.sink_parquet(path)
        return read_parquet([str(path)])
    name = f"{BETWEEN}_{segment.table.name}"
    con.register(name, result.collect().to_arrow())
    return quote(name)


def _check(segment: Segment, con: duckdb.DuckDBPyConnection, relation: str) -> None:
    found = con.sql(f"SELECT * FROM {relation}")
    kinds = {
        name: duckdb_type(lake_type_of_duckdb(kind, name))
        for name, kind in zip(found.columns, found.types, strict=True)
    }
    if kinds != dict(segment.columns):
        raise PermanentError(
            f"{segment.where}: the function gave the columns {_shown(kinds)}",
            valid=_shown(segment.columns),
            fix="cast in the function, or declare in 'columns' what it gives",
        )


def _shown(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


def load_function(path: str, where: str) -> FrameFunction:
    """Import a function by ``package.module.function``.

    Raises:
        ConfigError: there is no such module, or it has no such function.
    """
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name, None) if module else None
    except ImportError as error:
        raise ConfigError(f"{where}: {path!r} cannot be imported: {error}") from error
    if not inspect.isroutine(found):
        raise ConfigError(f"{where}: {path!r} is no function", valid="package.module.function")
    return found


def unbound(columns: Mapping[str, str]) -> str:
    """SQL for after FROM: no row of the columns."""
    parts = ", ".join(f"CAST(NULL AS {kind}) AS {quote(name)}" for name, kind in columns.items())
    return f"(SELECT {parts} WHERE false)"
