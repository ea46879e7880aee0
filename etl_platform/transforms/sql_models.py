"""A folder of ``.sql`` files, each one table; dependencies and columns come from the text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from sqlglot import Dialects, exp

from etl_platform.core.errors import ConfigError, PermanentError, UnknownName
from etl_platform.core.names import DEFAULT_SCHEMA, TableName
from etl_platform.planner.binding import Binder
from etl_platform.planner.columns import check_columns
from etl_platform.planner.functions import TABLE_FUNCTIONS
from etl_platform.planner.parsing import parse, place
from etl_platform.planner.qualification import DIALECT
from etl_platform.planner.rollups.declared import check_rollup
from etl_platform.planner.tables import Schema, check_tables, table_functions
from etl_platform.transforms.expressions import Macro, Variable, filled
from etl_platform.transforms.header import Header, read_header
from etl_platform.transforms.model import Model
from etl_platform.transforms.validity import with_validity

__all__ = ["Model", "load_models"]


@dataclass(frozen=True, slots=True)
class _Draft:
    table: TableName
    path: Path
    where: str
    text: str
    sql: str
    header: Header
    lines: Mapping[str, int]
    tree: exp.Query


def load_models(
    folder: Path | str,
    known: Schema,
    *,
    default_schema: str = DEFAULT_SCHEMA,
    variables: Mapping[str, Variable] | None = None,
    macros: Mapping[str, Macro] | None = None,
) -> tuple[Model, ...]:
    """Read every ``.sql`` file below a folder, inputs before the models that read them.

    A file's table is its path, ``flights/delays.sql`` being ``flights.delays``; a file directly in
    the folder lives in ``default_schema``; ``name:`` in the header overrules both. Nothing but the
    files is read: columns and types come from binding the SQL over empty tables.

    Args:
        folder: where the files are, nested at most one level unless they name themselves.
        known: tables that models may read besides each other: column to DuckDB type, or None
            where the columns are not known yet (then they cannot be checked).
        default_schema: schema of the files directly in the folder.
        variables: values that every model may use as ``$name``; a header's own come first.
        macros: functions that every model may call.

    Raises:
        UnknownName: a table, column or header option does not exist, with file, line, nearest name.
        ConfigError: a bad header or name, two files for one table, or models that form a cycle.
        QueryRefused: a file is not exactly one SELECT.
        PermanentError: the SQL is wrong in another way, with file, line and DuckDB's reason.
    """
    root = Path(folder)
    if not root.is_dir():
        raise ConfigError(f"there is no folder {str(root)!r} with SQL models")
    drafts: dict[TableName, _Draft] = {}
    for path in sorted(root.rglob("*.sql")):
        draft = _read(path, root, default_schema, variables or {}, macros or {})
        twin = drafts.get(draft.table)
        if twin is not None:
            raise ConfigError(
                f"{draft.where}: table {draft.table} is already made by {twin.where}",
                fix="rename one of the files, or give it another 'name:' in its header",
            )
        drafts[draft.table] = draft
    names = {*known, *drafts}
    inputs = {
        table: check_tables(draft.tree, names, where=draft.where) for table, draft in drafts.items()
    }
    schema: dict[TableName, Mapping[str, str] | None] = dict(known)
    models: list[Model] = []
    binder: Binder | None = None
    try:
        for table in _in_order(inputs, drafts):
            draft, reads = drafts[table], inputs[table]
            if draft.header.rollup is not None:
                check_rollup(draft.tree, schema, f"{draft.where}:{draft.lines['rollup']}")
            columns: dict[str, str] | None = None
            if any(schema[name] is None for name in reads):
                check_columns(draft.tree, schema, where=draft.where)
            else:
                binder = binder or Binder(schema)
                columns = binder.output_columns(draft.text, draft.tree, where=draft.where)
                _check_header_columns(draft, columns)
                if draft.header.materialization == "snapshot":
                    columns = with_validity(columns, draft.where)
            schema[table] = columns
            models.append(
                Model(
                    table=table,
                    path=draft.path,
                    sql=draft.sql,
                    inputs=tuple(sorted(reads)),
                    columns=columns,
                    header=draft.header,
                    input_columns={name: schema[name] for name in sorted(reads)},
                )
            )
    finally:
        if binder is not None:
            binder.close()
    return tuple(models)


def _read(
    path: Path,
    root: Path,
    default_schema: str,
    variables: Mapping[str, Variable],
    macros: Mapping[str, Macro],
) -> _Draft:
    where = str(path)
    text = path.read_text(encoding="utf-8")
    document = read_header(text, where)
    header = document.header
    known = {dialect.value for dialect in Dialects if dialect.value}
    if header.dialect not in known:
        spot = f"{where}:{document.lines['dialect']}"
        raise UnknownName("dialect", header.dialect, known, where=spot)
    # The whole file is parsed, header included, so that lines in errors are lines of the file.
    tree = parse(text, header.dialect, where=where)
    own = {
        name: Variable.parse(name, value, where=f"{where}:{document.lines['variables']}")
        for name, value in header.variables.items()
    }
    made = _filled(tree, text, {**variables, **own}, macros, where)
    for name, node in table_functions(made):
        if name not in TABLE_FUNCTIONS:
            raise PermanentError(
                f"{where}: a model may not read with {name}(): {node.sql(dialect='duckdb')}",
                valid=f"tables of the lake, and {', '.join(sorted(TABLE_FUNCTIONS))}",
                fix="declare the file or service as a source, and read its table",
            )
    sql, bound = document.sql, text
    if made is not tree or header.dialect != DIALECT:
        sql = bound = made.sql(dialect=DIALECT, pretty=True, comments=False)
    return _Draft(
        table=_table_of(path.relative_to(root), header, default_schema, where),
        path=path,
        where=where,
        text=bound,
        sql=sql,
        header=header,
        lines=document.lines,
        tree=made,
    )


def _filled(
    tree: exp.Query,
    text: str,
    variables: Mapping[str, Variable],
    macros: Mapping[str, Macro],
    where: str,
) -> exp.Query:
    """The tree with variables and macros in their places; the same one where there are none."""
    used = list(tree.find_all(exp.Parameter, exp.Placeholder))
    for parameter in used:
        if not parameter.name or not re.search(rf"\$\{{?{re.escape(parameter.name)}\b", text):
            raise PermanentError(
                f"{place(parameter, where)}: a model has no parameters, found "
                f"{parameter.sql(dialect='duckdb')}",
                fix="write the value into the SQL, or $name and 'variables' in the header",
            )
        if parameter.name not in variables:
            line = text[: text.index(f"${parameter.name}")].count("\n") + 1
            raise UnknownName("variable", parameter.name, variables, where=f"{where}:{line}")
    if not used and not any(call.name.lower() in macros for call in tree.find_all(exp.Anonymous)):
        return tree
    made = filled(tree, variables, macros, where=where)
    assert isinstance(made, exp.Query)
    return made


def _table_of(relative: Path, header: Header, default_schema: str, where: str) -> TableName:
    parts = relative.with_suffix("").parts
    if header.name is None and len(parts) > 2:
        raise ConfigError(
            f"{where}: a path of {len(parts)} parts does not say which table it is",
            valid="schema/table.sql, or table.sql directly in the folder",
            fix=f"move the file, or write 'name: {parts[-2]}.{parts[-1]}' into its header",
        )
    try:
        if header.name is not None:
            return TableName.parse(header.name)
        return TableName.from_key(parts if len(parts) == 2 else (default_schema, *parts))
    except ConfigError as error:
        raise ConfigError(f"{where}: {error.what}", valid=error.valid, fix=error.fix) from error


def _in_order(
    inputs: Mapping[TableName, set[TableName]], drafts: Mapping[TableName, _Draft]
) -> list[TableName]:
    """Models after the models that they read, alphabetical where that leaves a choice."""
    sorter = TopologicalSorter(
        {table: sorted(reads & drafts.keys()) for table, reads in sorted(inputs.items())}
    )
    try:
        return list(sorter.static_order())
    except CycleError as error:
        # graphlib lists each table before the one that reads it.
        cycle: list[TableName] = error.args[1][::-1]
        files = ", ".join(drafts[table].where for table in cycle[:-1])
        raise ConfigError(
            f"models read each other in a circle: {' -> '.join(t.sql for t in cycle)} ({files})",
            fix="take one of these references out of its model",
        ) from error


def _check_header_columns(draft: _Draft, columns: Mapping[str, str]) -> None:
    named = {
        "key": draft.header.key,
        "partition_by": draft.header.partition_by,
        "columns": tuple(draft.header.columns),
    }
    for option, names in named.items():
        for name in names:
            if name not in columns:
                raise UnknownName(
                    f"column in option '{option}'",
                    name,
                    columns,
                    where=f"{draft.where}:{draft.lines[option]}",
                )
