"""Declared steps to one SELECT: each step a CTE, whose columns and types are known at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from sqlglot import exp

from etl_platform.core.errors import ConfigError, EtlError, PermanentError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.planner.binding import Binder
from etl_platform.planner.parsing import parse
from etl_platform.planner.tables import Schema, tables_of
from etl_platform.transforms.expressions import Macro, Variable
from etl_platform.transforms.segments import BETWEEN, FrameFunction, Segment, unbound
from etl_platform.transforms.steps import STEPS, Guard, Step, StepContext
from etl_platform.transforms.steps.base import SOURCE, Outside, column, lake_table, select


@dataclass(frozen=True, slots=True)
class Written:
    """A step as it stands in YAML.

    Attributes:
        value: a mapping with the step's name as its only key.
        where: file and line.
        texts: every text in it with its own file and line, to tell where a name stands.
    """

    value: Mapping[str, Any]
    where: str
    texts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Declared:
    """A table as steps.

    Attributes:
        source: the table whose rows the first step gets.
        read_file: the text of a file beside the YAML, by its name and who asks.
        functions: what Python steps may call.
    """

    table: TableName
    source: TableName
    steps: Sequence[Written]
    where: str
    read_file: Callable[[str, str], str]
    variables: Mapping[str, Variable] = field(default_factory=dict[str, Variable])
    macros: Mapping[str, Macro] = field(default_factory=dict[str, Macro])
    functions: Mapping[str, FrameFunction] = field(default_factory=dict[str, FrameFunction])


@dataclass(frozen=True, slots=True)
class Compiled:
    """Steps as one statement.

    Attributes:
        sql: in DuckDB's dialect, formatted.
        inputs: every table that it reads, sorted.
        columns: its columns in order with DuckDB types.
        guards: each a SELECT of its own that must give no row, with what it means.
        segments: what has to be done before, in order: ``sql`` and guards read what it makes.
    """

    sql: str
    tree: exp.Query
    inputs: tuple[TableName, ...]
    columns: Mapping[str, str]
    guards: tuple[tuple[str, str], ...]
    segments: tuple[Segment, ...] = ()


def read_step(written: Written) -> tuple[str, Step]:
    """The name and the options of a step.

    Raises:
        UnknownName: there is no such step or option, with the nearest.
        ConfigError: an option has a wrong value.
    """
    value = written.value
    if not isinstance(value, Mapping) or len(value) != 1:  # pyright: ignore[reportUnnecessaryIsInstance] # of a user
        raise ConfigError(
            f"{written.where}: a step is one name with its options, got {value!r}",
            valid=", ".join(STEPS),
        )
    name, options = next(iter(value.items()))
    if name not in STEPS:
        raise UnknownName("step", str(name), STEPS, where=written.where)
    kind = STEPS[name]
    try:
        return name, kind.of(options)
    except ValidationError as error:
        raise _explained(error, name, kind, written.where) from None


def tables_read(declared: Declared) -> frozenset[TableName]:
    """The tables that steps name, as far as the steps can be read."""
    found = {declared.source}
    for written in declared.steps:
        try:
            _, step = read_step(written)
            found |= {TableName.parse(text) for text in step.tables()}
        except EtlError:
            continue  # Compiling explains what is wrong with it.
    return frozenset(found)


def compile_steps(declared: Declared, schema: Schema, binder: Binder) -> Compiled:
    """Build one SELECT of all steps; each is bound, so that its columns and types are DuckDB's.

    Args:
        schema: columns of the tables that the steps may read.
        binder: over the same schema.

    Raises:
        UnknownName: of a table, column, step, option, function or variable, with its place and
            the nearest.
        ConfigError: options that contradict each other.
        PermanentError: what DuckDB refuses, with the step's place.
    """

    def columns_of(table: TableName, where: str) -> Mapping[str, str]:
        if table not in schema:
            raise UnknownName("table", table.sql, (one.sql for one in schema), where=where)
        columns = schema[table]
        if columns is None:
            raise PermanentError(
                f"{where}: the columns of {table} are not known yet",
                fix="refresh the state of its source (dg utils refresh-defs-state), or declare "
                "them in external_tables",
            )
        return columns

    columns = dict(columns_of(declared.source, f"{declared.where}: from"))
    first = select((column(name) for name in columns), lake_table(declared.source))
    ctes: list[tuple[str, exp.Query]] = [("rows_in", first)]
    guards: list[tuple[str, str]] = []
    segments: list[Segment] = []
    for number, written in enumerate(declared.steps, 1):
        try:
            name, step = read_step(written)
            where = f"{written.where}: {name}"
            between = TableName(BETWEEN, f"{declared.table.name}_{number}")
            context = StepContext(
                where,
                columns,
                columns_of,
                declared.variables,
                declared.macros,
                declared.read_file,
                declared.functions,
                between,
            )
            built = step.build(context)
        except UnknownName as error:
            raise _on_its_line(error, written) from None
        before = ctes[-1][0]
        guards += [_guard(guard, ctes, before, where) for guard in built.guards]
        if built.outside is not None:
            segments.append(_segment(built.outside, between, ctes, where))
            # What comes after reads what the function made, and nothing from before it.
            ctes = []
        ctes.append((f"{name}_{number}", _reading(built.tree, before)))
        columns = _bound(binder, _whole(ctes), where, segments)
    tree = _whole(ctes)
    sql = tree.sql(dialect="duckdb", pretty=True)
    # Read again, so that what is analysed is what runs.
    parsed = parse(sql)
    if not declared.steps:
        columns = _bound(binder, parsed, declared.where)
    inputs = tables_of(parsed)
    for text in (*(text for text, _ in guards), *(segment.sql for segment in segments)):
        inputs |= tables_of(parse(text))
    inputs -= {segment.table for segment in segments}
    return Compiled(sql, parsed, tuple(sorted(inputs)), columns, tuple(guards), tuple(segments))


def _on_its_line(error: UnknownName, written: Written) -> UnknownName:
    """The same error, with the line of the text that holds the name instead of the step's."""
    word = re.compile(rf"(?<!\w){re.escape(error.name)}(?!\w)")
    for text, where in written.texts:
        if word.search(text) and error.what.startswith(f"{written.where}: "):
            said = error.what.removesuffix(f": unknown {error.kind} {error.name!r}")
            place = where + said.removeprefix(written.where)
            return UnknownName(error.kind, error.name, error.known, where=place)
    return error


def _segment(
    outside: Outside, table: TableName, ctes: Sequence[tuple[str, exp.Query]], where: str
) -> Segment:
    tree = _whole([*ctes, ("", _reading(outside.tree, ctes[-1][0]))])
    sql = tree.sql(dialect="duckdb", pretty=True)
    return Segment(table, sql, outside.function, outside.options, outside.columns, where)


def _bound(
    binder: Binder, tree: exp.Query, where: str, segments: Sequence[Segment] = ()
) -> dict[str, str]:
    made = {segment.table: segment.columns for segment in segments}
    for node in list(tree.find_all(exp.Table)) if made else ():
        columns = made.get(TableName(node.db, node.name)) if node.db else None
        if columns is not None:
            empty = parse(f"SELECT * FROM {unbound(columns)}").find(exp.Subquery)
            node.replace(empty or node)
    sql = tree.sql(dialect="duckdb")
    try:
        return binder.output_columns(sql, parse(sql), where=where)
    except UnknownName:
        raise
    except PermanentError as error:
        # Places in the generated text mean nothing to whoever wrote the step.
        reason = error.what.removeprefix(where).split(": ", 1)[-1]
        raise PermanentError(f"{where}: {reason}", valid=error.valid, fix=error.fix) from None


def _whole(ctes: Sequence[tuple[str, exp.Query]]) -> exp.Query:
    *before, (_, last) = ctes
    tree = last.copy()
    inner = tree.args.get("with_")
    if inner is not None:
        raise AssertionError("a step brings no WITH of its own")
    for name, query in before:
        # DuckDB would keep the rows of a CTE otherwise where it is read twice.
        tree = tree.with_(name, query.copy(), materialized=False, copy=False)
    return tree


def _reading(tree: exp.Query, before: str) -> exp.Query:
    copy = tree.copy()
    for table in list(copy.find_all(exp.Table)):
        if table.name == SOURCE and not table.db:
            table.this.replace(exp.to_identifier(before))
    return copy


def _guard(
    guard: Guard, ctes: Sequence[tuple[str, exp.Query]], before: str, where: str
) -> tuple[str, str]:
    reads = any(one.name == SOURCE and not one.db for one in guard.tree.find_all(exp.Table))
    tree = _reading(guard.tree, before)
    if reads:
        tree = _whole([*ctes, ("", tree)])
    limited = exp.Select().select("*").from_(tree.subquery("wrong")).limit(1)
    return limited.sql(dialect="duckdb", pretty=True), f"{where}: {guard.message}"


def _explained(
    error: ValidationError, name: str, kind: type[Step], where: str
) -> ConfigError | UnknownName:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    options = [one.alias or field_name for field_name, one in kind.model_fields.items()]
    if first["type"] == "extra_forbidden" and len(path) == 1:
        return UnknownName(f"option of {name}", path[-1], options, where=where)
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        return ConfigError(
            f"{where}: {name} needs {path[-1]!r}", valid=f"options {', '.join(options)}"
        )
    return ConfigError(
        f"{where}: {name}: {'.'.join(path)}: {message}, got {first['input']!r}",
        valid=f"options {', '.join(options)}",
    )
