"""One model, understood: what it reads, what it makes, how it is to be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.planner.lineage import ColumnRef, output_lineage
from etl_platform.planner.parsing import parse
from etl_platform.planner.qualification import qualify
from etl_platform.planner.tables import Schema
from etl_platform.transforms.enrichment.asked import Asked, asked_by
from etl_platform.transforms.header import Header, Materialization
from etl_platform.transforms.segments import Segment


@dataclass(frozen=True)
class Model:
    """One ``.sql`` file or one declared table, understood.

    Attributes:
        table: the table that the model makes.
        path: the file that says so.
        sql: the SELECT, without the header; that of all steps for a declared table.
        inputs: the tables that it reads, sorted.
        columns: its columns in order with DuckDB type texts as the lake keeps them; None when an
            input's columns are not known yet, so that nothing could be checked.
        header: everything that the file's header, or the table's options, say.
        input_columns: the columns of the inputs, as they were known when the model was loaded.
        guards: each a SELECT that must give no row over the same versions of the inputs, with what
            it means when it does.
        segments: functions whose rows ``sql`` and the guards read, in the order of their calls.
    """

    table: TableName
    path: Path
    sql: str
    inputs: tuple[TableName, ...]
    columns: Mapping[str, str] | None
    header: Header
    input_columns: Schema = field(repr=False)
    guards: tuple[tuple[str, str], ...] = ()
    segments: tuple[Segment, ...] = ()

    @property
    def materialization(self) -> Materialization:
        return self.header.materialization

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that identify a row; empty unless the materialization is upsert."""
        return self.header.key

    @property
    def partition_by(self) -> tuple[str, ...]:
        return self.header.partition_by

    @property
    def description(self) -> str | None:
        return self.header.description

    @property
    def column_descriptions(self) -> Mapping[str, str]:
        return self.header.columns

    @property
    def contract(self) -> Mapping[str, object] | None:
        """The header's contract as it is written, None without one."""
        return self.header.contract

    @property
    def tags(self) -> Mapping[str, str]:
        return self.header.tags

    @cached_property
    def asked(self) -> tuple[Asked, ...]:
        """What is asked of databases outside of the lake while the model runs."""
        found = (asked_by(segment) for segment in self.segments)
        return tuple(one for one in found if one is not None)

    @cached_property
    def lineage(self) -> Mapping[str, tuple[ColumnRef, ...]]:
        """For each output column the base columns of its inputs, see :mod:`planner.lineage`.

        Computed when first asked for: loading hundreds of models does not need it. Empty when only
        DuckDB can tell the columns (``COLUMNS(...)``, some forms of PIVOT, unknown inputs behind a
        star), so that what is here is never a guess.
        """
        where = str(self.path)
        try:
            qualified = qualify(parse(self.sql, where=where), self.input_columns, where=where)
            traced = output_lineage(qualified, self.input_columns)
        except PermanentError:
            return {}
        if self.columns is None:
            if qualified.is_star:
                return {}
            return {name: tuple(sorted(refs)) for name, refs in traced}
        names = [*self.columns]
        if self.materialization == "snapshot":
            names = names[:-2]  # when a row was so is nothing that an input says
        if len(traced) != len(names):
            return {}
        # By position: DuckDB names an expression without alias in its own way.
        return {name: tuple(sorted(refs)) for name, (_, refs) in zip(names, traced, strict=True)}
