"""Tables declared as steps become models, inputs before what reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.planner.binding import Binder
from etl_platform.planner.tables import Schema
from etl_platform.transforms.header import Header
from etl_platform.transforms.model import Model
from etl_platform.transforms.pipeline import Compiled, Declared, compile_steps, tables_read
from etl_platform.transforms.validity import with_validity


@dataclass(frozen=True, slots=True)
class DeclaredTable:
    """A table as it was declared, and how it is to be kept.

    Attributes:
        path: the file that declares it.
        places: option to file and line.
    """

    declared: Declared
    header: Header
    path: Path
    places: Mapping[str, str]


def compile_tables(tables: Sequence[DeclaredTable], known: Schema) -> tuple[Model, ...]:
    """Compile every table, in the order in which they read each other.

    A table whose inputs have columns that nobody knows yet becomes a model without SQL and without
    columns: definitions load before a source was asked for the first time.

    Args:
        known: tables that may be read besides these.

    Raises:
        UnknownName: a table, column, step, option, function, type or variable does not exist, with
            file, line and the nearest one.
        ConfigError: options that contradict each other, or tables that read each other in a circle.
        PermanentError: whatever else is wrong with a step, with file and line.
    """
    by_name = {one.declared.table: one for one in tables}
    reads = {name: tables_read(one.declared) for name, one in by_name.items()}
    schema: dict[TableName, Mapping[str, str] | None] = {**known, **dict.fromkeys(by_name)}
    models: list[Model] = []
    binder: Binder | None = None
    try:
        for name in _in_order(by_name, reads):
            table = by_name[name]
            if reads[name] <= schema.keys() and any(schema[one] is None for one in reads[name]):
                models.append(_waiting(table, reads[name]))
                continue
            binder = binder or Binder(schema)
            compiled = compile_steps(table.declared, schema, binder)
            _check_named(table, compiled.columns)
            if table.header.materialization == "view":
                _check_view(table, compiled)
            columns = compiled.columns
            if table.header.materialization == "snapshot":
                columns = with_validity(columns, table.declared.where)
            schema[name] = columns
            models.append(
                Model(
                    table=name,
                    path=table.path,
                    sql=compiled.sql,
                    inputs=compiled.inputs,
                    columns=columns,
                    header=table.header,
                    input_columns={one: schema.get(one) for one in compiled.inputs},
                    guards=compiled.guards,
                    segments=compiled.segments,
                )
            )
    finally:
        if binder is not None:
            binder.close()
    return tuple(models)


def _waiting(table: DeclaredTable, reads: frozenset[TableName]) -> Model:
    return Model(
        table=table.declared.table,
        path=table.path,
        sql="",
        inputs=tuple(sorted(reads)),
        columns=None,
        header=table.header,
        input_columns=dict.fromkeys(sorted(reads)),
    )


def _check_named(table: DeclaredTable, columns: Mapping[str, str]) -> None:
    header = table.header
    named = {"key": header.key, "partition_by": header.partition_by, "columns": (*header.columns,)}
    for option, names in named.items():
        for name in names:
            if name not in columns:
                where = f"{table.places.get(option, table.declared.where)}: {option}"
                raise UnknownName("column", name, columns, where=where)


def _check_view(table: DeclaredTable, compiled: Compiled) -> None:
    """A view is computed by whoever reads it: nothing of it can run before."""
    where = table.places.get("materialization", table.declared.where)
    if compiled.segments:
        raise ConfigError(
            f"{where}: {table.declared.table} cannot be a view: it has a python step",
            fix="leave out 'materialization', or make a view of the table that this one makes",
        )
    if compiled.guards:
        raise ConfigError(
            f"{where}: {table.declared.table} cannot be a view: {compiled.guards[0][1]!r} has to "
            "be tested whenever its rows are computed",
            fix="leave out 'materialization', or what the step expects",
        )


def _in_order(
    by_name: Mapping[TableName, DeclaredTable], reads: Mapping[TableName, frozenset[TableName]]
) -> list[TableName]:
    sorter = TopologicalSorter(
        {name: sorted(read & by_name.keys()) for name, read in sorted(reads.items())}
    )
    try:
        return list(sorter.static_order())
    except CycleError as error:
        # graphlib lists each table before the one that reads it.
        cycle: list[TableName] = error.args[1][::-1]
        where = by_name[cycle[0]].declared.where
        raise ConfigError(
            f"{where}: tables read each other in a circle: {' -> '.join(t.sql for t in cycle)}",
            fix="take one of these references out of its steps",
        ) from error
