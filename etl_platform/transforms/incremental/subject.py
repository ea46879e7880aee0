"""A model as far as its runs are concerned: what its rows follow from besides its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.core.names import TableName
from etl_platform.lakehouse.lake import Lake
from etl_platform.quality import Contract
from etl_platform.transforms.incremental.state import Pin, digest

if TYPE_CHECKING:
    from etl_platform.transforms.model import Model


@dataclass(frozen=True)
class Subject:
    """A model as far as runs of it are concerned.

    Attributes:
        sql: one SELECT in DuckDB's dialect.
        incremental: whether it is worth looking for less than everything.
        options: whatever else its rows follow from, as a text: key, contract, Python steps.
        obstacle: why it has to be computed in full whatever the SQL is; None when it need not.
        where: the file of the SQL, for error messages.
    """

    table: TableName
    sql: str
    incremental: bool
    key: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    options: str = ""
    obstacle: str | None = None
    where: str | None = None

    @property
    def text(self) -> str:
        """Digest of all that is written."""
        return digest(self.sql, self.key, self.partition_by, self.options)


def subject_of(model: Model, contract: Contract, lake: Lake) -> Subject:
    """A model that is kept under a contract.

    The contract counts as logic: rows are judged anew when it changes, or when a table does that
    one of its rules refers to.
    """
    referenced = {other for rule in contract.rules for other in rule.references} - {model.table}
    pins = {table.sql: lake.find(table) for table in sorted(referenced)}
    rules = contract.model_dump_json(warnings=False, fallback=_name)
    aside = [rule.name for rule in contract.rules if rule.action == "quarantine"]
    obstacle = f"rule {aside[0]!r} of the contract sets rows aside" if aside else None
    if model.segments:
        obstacle = "a Python step may look at all rows"
    return Subject(
        table=model.table,
        sql=model.sql,
        incremental=model.materialization == "incremental",
        key=model.key,
        partition_by=model.partition_by,
        options=digest(
            model.materialization,
            rules,
            *(segment.logic for segment in model.segments),
            *(f"{name}: {Pin.of(found) if found else None}" for name, found in pins.items()),
        ),
        obstacle=obstacle,
        where=str(model.path),
    )


def _name(value: object) -> str:
    """What a contract holds that is no plain value, such as a function, by its name."""
    return str(getattr(value, "__qualname__", type(value).__qualname__))
