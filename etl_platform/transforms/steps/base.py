"""What a step is: options that become one SELECT over the relation before it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict
from sqlglot import exp

from etl_platform.core.errors import ConfigError, UnknownName
from etl_platform.core.names import TableName
from etl_platform.transforms.expressions import Kind, Macro, Variable, expression
from etl_platform.transforms.segments import FrameFunction

SOURCE = "source_rows"
"""The name by which a step's SELECT reads the rows before it."""


@dataclass(frozen=True, slots=True)
class Guard:
    """What has to hold for a step's result to be right: a SELECT that must give no row.

    Attributes:
        tree: reads the lake's tables, and the rows before the step as :data:`SOURCE`.
        message: what it means when there is one; the row is shown behind it.
    """

    tree: exp.Query
    message: str


@dataclass(frozen=True, slots=True)
class Outside:
    """What is not done by SQL: a function of the rows that a SELECT over :data:`SOURCE` gives."""

    tree: exp.Query
    function: FrameFunction
    options: Mapping[str, str | int | float | bool | None]
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Built:
    """A step as SQL: reads :data:`SOURCE` and any tables of the lake.

    With ``outside`` it reads what that makes as :attr:`StepContext.between`.
    """

    tree: exp.Query
    guards: tuple[Guard, ...] = ()
    outside: Outside | None = None


@dataclass(frozen=True, slots=True)
class StepContext:
    """What a step may ask while it is built.

    Attributes:
        where: file and line of the step, and its name.
        columns: the columns before the step, in order, with DuckDB types.
        table_columns: the columns of a table of the lake.
        functions: what a Python step may call.
        between: the name by which the step reads what it has made outside of SQL.
    """

    where: str
    columns: Mapping[str, str]
    table_columns: Callable[[TableName, str], Mapping[str, str]]
    variables: Mapping[str, Variable]
    macros: Mapping[str, Macro]
    read_file: Callable[[str, str], str]
    functions: Mapping[str, FrameFunction]
    between: TableName

    def expression(
        self,
        text: str,
        option: str,
        *,
        kind: Kind = "row",
        columns: Collection[str] | None = None,
    ) -> exp.Expr:
        """A user's expression over the columns before the step (or over ``columns``)."""
        return expression(
            text,
            self.columns if columns is None else columns,
            where=f"{self.where}: {option}",
            kind=kind,
            variables=self.variables,
            macros=self.macros,
        )

    def known(self, names: Iterable[str], option: str) -> list[str]:
        """Names of columns before the step, as they are written there.

        Raises:
            UnknownName: with the nearest.
        """
        return self.among(names, self.columns, option)

    def among(self, names: Iterable[str], columns: Collection[str], option: str) -> list[str]:
        """Names of the given columns, as they are written there."""
        folded = {name.lower(): name for name in columns}
        found: list[str] = []
        for name in names:
            if name.lower() not in folded:
                raise UnknownName("column", name, columns, where=f"{self.where}: {option}")
            found.append(folded[name.lower()])
        return found

    def new(self, names: Iterable[str], option: str) -> None:
        """Refuse names that columns have already, or that occur twice.

        Raises:
            ConfigError: naming the column.
        """
        folded = {name.lower() for name in self.columns}
        for name in names:
            if name.lower() in folded:
                raise ConfigError(
                    f"{self.where}: {option}: there is a column {name!r} already",
                    fix="give the new one another name, or drop or rename the old one before",
                )
            folded.add(name.lower())

    def fail(self, what: str, *, valid: str | None = None, fix: str | None = None) -> ConfigError:
        """An error that names the step's place."""
        return ConfigError(f"{self.where}: {what}", valid=valid, fix=fix)


class Step(BaseModel, ABC):
    """One kind of step; its fields are the options as they are written in YAML.

    ``short`` is the field that a value stands for which is no mapping of options.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    short: ClassVar[str | None] = None

    @classmethod
    def of(cls, value: Any) -> Self:
        """Read the value behind the step's name."""
        if isinstance(value, Mapping):
            # YAML reads the key ``on`` as true.
            value = {"on" if key is True else key: one for key, one in value.items()}
        names = {one.alias or name for name, one in cls.model_fields.items()}
        spelled = isinstance(value, Mapping) and (
            # With a mapping behind the field's own name, another name is a mistake.
            value.keys() <= names or isinstance(value.get(cls.short), dict | list)
        )
        if cls.short is not None and not spelled:
            return cls.model_validate({cls.short: value})
        return cls.model_validate(value)

    def tables(self) -> tuple[str, ...]:
        """The tables that the step reads besides the rows before it, as they are written."""
        return ()

    @abstractmethod
    def build(self, context: StepContext) -> Built:
        """The step as SQL.

        Raises:
            UnknownName: of a column, table, function or variable, with the nearest.
            ConfigError: options that contradict each other or the columns.
            QueryRefused: an expression that may not be.
        """


def name_of(name: str) -> exp.Identifier:
    """An identifier, quoted."""
    return exp.to_identifier(name, quoted=True)


def column(name: str, table: str | None = None) -> exp.Column:
    """A column by its name, which is a name whatever it looks like."""
    return exp.column(name_of(name), table=table)


def aliased(node: exp.Expr, name: str) -> exp.Expr:
    """``node AS name``."""
    return exp.alias_(node, name_of(name), copy=False)


def source(alias: str | None = None) -> exp.Table:
    """The rows before the step."""
    return exp.table_(SOURCE, alias=alias)


def lake_table(table: TableName, alias: str | None = None) -> exp.Table:
    """A table of the lake, to stand after FROM."""
    return exp.table_(name_of(table.name), db=name_of(table.schema), alias=alias)


def select(items: Iterable[exp.Expr], from_: exp.Expr | None = None) -> exp.Select:
    """``SELECT items FROM source``."""
    return exp.Select().select(*items, copy=False).from_(from_ or source(), copy=False)


def all_of(*items: exp.Expr) -> exp.Expr:
    """The conditions joined by AND."""
    return exp.and_(*items, copy=False)


def ordered(terms: Iterable[str], context: StepContext, option: str) -> list[exp.Ordered]:
    """``["placed_at desc", "id"]`` as terms of ORDER BY; nulls come last."""
    found: list[exp.Ordered] = []
    for term in terms:
        name, _, direction = term.strip().partition(" ")
        if direction.strip().lower() not in ("", "asc", "desc"):
            raise context.fail(
                f"{option}: {term!r} is no order", valid="column, column asc, column desc"
            )
        (known,) = context.known([name], option)
        found.append(
            exp.Ordered(
                this=column(known), desc=direction.strip().lower() == "desc", nulls_first=False
            )
        )
    return found


def parse_table(text: str, context: StepContext, option: str) -> TableName:
    """A table as it is written in a step."""
    try:
        return TableName.parse(text)
    except ConfigError as error:
        raise context.fail(f"{option}: {error.what}", valid="schema.table") from None
