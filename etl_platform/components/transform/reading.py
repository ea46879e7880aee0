"""The attributes of the component, with their lines, as tables that can be compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from etl_platform.components.lines import Lines
from etl_platform.components.transform.options import TransformTable, read_table
from etl_platform.core.errors import ConfigError
from etl_platform.core.names import TableName
from etl_platform.transforms.declared import DeclaredTable
from etl_platform.transforms.expressions import Macro, Variable
from etl_platform.transforms.header import Header
from etl_platform.transforms.pipeline import Declared, Written, tables_read
from etl_platform.transforms.rule_tables.files import read_beside
from etl_platform.transforms.segments import FrameFunction, load_function


@dataclass(frozen=True)
class Reading:
    """What stands in ``attributes``; every error names the file and the line.

    Attributes:
        folder: where the file and the files beside it are.
    """

    folder: Path
    target_schema: str
    tables: Mapping[str, Any]
    variables: Mapping[str, Any]
    macros: Mapping[str, str]
    python_steps: Mapping[str, str] = field(default_factory=dict[str, str])

    @cached_property
    def lines(self) -> Lines:
        return Lines(self.folder, tables=self.tables)

    @cached_property
    def options(self) -> Mapping[TableName, TransformTable]:
        """What is said about each table besides its steps."""
        return {name: table for name, (table, _) in self._tables.items()}

    @cached_property
    def declared(self) -> tuple[DeclaredTable, ...]:
        """The tables.

        Raises:
            UnknownName: there is no such option or type, with the nearest one.
            ConfigError: a name, value or option that cannot be.
        """
        variables = {
            name: Variable.parse(name, value, where=self.lines.at("variables", name))
            for name, value in self.variables.items()
        }
        macros = [
            Macro.parse(signature, body, where=self.lines.at("macros", signature))
            for signature, body in self.macros.items()
        ]
        by_name = {macro.name: macro for macro in macros}
        return tuple(
            self._declare(name, table, header, variables, by_name)
            for name, (table, header) in self._tables.items()
        )

    @cached_property
    def _functions(self) -> Mapping[str, FrameFunction]:
        return {
            name: load_function(path, self.lines.at("python_steps", name))
            for name, path in self.python_steps.items()
        }

    @cached_property
    def reads(self) -> frozenset[TableName]:
        """Tables of others that the steps name."""
        read = frozenset[TableName]().union(*(tables_read(one.declared) for one in self.declared))
        return read - self._tables.keys()

    @cached_property
    def _tables(self) -> Mapping[TableName, tuple[TransformTable, Header]]:
        return {
            self._named(name): read_table(name, value, self.lines)
            for name, value in self.tables.items()
        }

    def _named(self, name: str) -> TableName:
        try:
            return TableName(self.target_schema, name)
        except ConfigError as error:
            where = self.lines.at("tables", name)
            raise ConfigError(f"{where}: {error.what}", valid=error.valid, fix=error.fix) from None

    def _declare(
        self,
        name: TableName,
        table: TransformTable,
        header: Header,
        variables: Mapping[str, Variable],
        macros: Mapping[str, Macro],
    ) -> DeclaredTable:
        at = self.lines.at
        where = at("tables", name.name, "from")
        try:
            source = TableName.parse(table.from_)
        except ConfigError as error:
            raise ConfigError(f"{where}: from: {error.what}", valid="schema.table") from None
        steps = [
            Written(step, at(*path), self.lines.texts(*path))
            for number, step in enumerate(table.steps)
            for path in [("tables", name.name, "steps", number)]
        ]
        return DeclaredTable(
            Declared(name, source, steps, where, self._beside, variables, macros, self._functions),
            header,
            self.lines.path,
            {option: at("tables", name.name, option) for option in TransformTable.model_fields},
        )

    def _beside(self, name: str, where: str) -> str:
        return read_beside(self.folder, name, where)
