"""What loading needs to know about one kind of database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from etl_platform.core.types import duckdb_type

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa
    from sqlalchemy import URL
    from sqlalchemy.types import TypeEngine

    from etl_platform.sinks.database.columns import TargetColumn, TargetTable
    from etl_platform.sinks.database.ledger import Ledger
    from etl_platform.sinks.database.load import Load, Target
    from etl_platform.sinks.database.modes import Work
    from etl_platform.sinks.database.session import Session
    from etl_platform.sources.database.dialects.base import Fault

Refusal = tuple[str, str]
"""Why a value is refused, and the DuckDB condition that finds such values."""


class TargetDialect(ABC):
    """One kind of database. Stateless: everything comes as an argument."""

    name: str
    transactional_ddl = True
    """Whether creating a table is undone by a rollback."""

    @property
    @abstractmethod
    def driver_errors(self) -> tuple[type[Exception], ...]:
        """Base classes of what the driver raises."""

    @abstractmethod
    def connect(self, url: URL, connect_timeout_s: int) -> Session:
        """Open a connection of its own."""

    @abstractmethod
    def judge(self, error: BaseException) -> Fault:
        """Whether a retry can help, and the next step."""

    @abstractmethod
    def new_type(self, lake: pa.DataType, *, in_key: bool) -> TypeEngine[Any]:
        """The type of a column that is created for a lake type; every value fits in."""

    @abstractmethod
    def describe(self, session: Session, target: Target) -> TargetTable | None:
        """The table as it is now, without columns that cannot be written; None if there is none."""

    @abstractmethod
    def upsert(self, work: Work) -> int:
        """Add the stage's rows; where the key is there, set the other columns.

        Returns:
            The number of rows that were added.
        """

    def differs(
        self, column: sa.ColumnElement[Any], value: sa.ColumnElement[Any]
    ) -> sa.ColumnElement[bool]:
        """Whether the target's value is another one; NULL is a value."""
        return column.is_distinct_from(value)

    def encode(self, sql: str, lake: pa.DataType, column: TargetColumn) -> str:
        """DuckDB SQL that gives the value as it is sent, NULL where it cannot be."""
        import pyarrow as pa

        if column.wire is None or column.wire == lake:
            return sql
        if is_nested(lake) and pa.types.is_string(column.wire):
            return f"CAST(to_json({sql}) AS VARCHAR)"
        return f"TRY_CAST({sql} AS {duckdb_type(column.wire)})"

    def decode(self, sql: str, lake: pa.DataType, column: TargetColumn) -> str | None:
        """DuckDB SQL that gives the lake's value back from a sent one; None: surely the same."""
        import pyarrow as pa

        if column.wire is None or column.wire == lake:
            return None
        if is_nested(lake) and pa.types.is_string(column.wire):
            return f"TRY_CAST(CAST({sql} AS JSON) AS {duckdb_type(lake)})"
        return f"TRY_CAST({sql} AS {duckdb_type(lake)})"

    def refusals(self, sql: str, lake: pa.DataType, column: TargetColumn) -> list[Refusal]:
        """Values that survive the way there and are still not stored as they are."""
        del sql, lake, column
        return []

    def take_turn(self, session: Session, ledger: Ledger) -> None:
        """Wait for other loads of this target, and complete what a killed one left undone.

        For databases where a load needs more than one transaction.
        """
        del session, ledger

    def create_stage(self, session: Session, stage: sa.Table, key: tuple[str, ...]) -> None:
        """Make a temporary table; ``key`` are the columns that it will be searched by."""
        from sqlalchemy.schema import CreateTable

        del key
        session.execute(CreateTable(stage))

    def drop_stage(self, session: Session, stage: sa.Table) -> None:
        from sqlalchemy.schema import DropTable

        session.execute(DropTable(stage))

    def lock(self, session: Session, table: sa.Table) -> None:
        """Keep other writers from the table until the transaction ends."""
        del session, table

    def settle(self, session: Session, table: sa.Table, key: tuple[str, ...]) -> None:
        """Make a table that was just filled quick to look up by key."""
        del session, table, key

    def swap(self, session: Session, target: Target, stage_name: str) -> Swap | None:
        """Prepare a replacement by exchanging tables; None where rows have to be moved."""
        del session, target, stage_name
        return None

    def rename(self, session: Session, load: Load, ledger: Ledger) -> Rename | None:
        """Prepare a replacement where exchanging tables ends a transaction; None as above."""
        del session, load, ledger
        return None


class Rename(ABC):
    """A new, empty twin of a table, and a ledger of its own for the load's line.

    Both are filled in one transaction that nobody sees the effects of. One statement then renames
    both, so that either the twin is the table and the line valid, or neither.
    """

    twin: Target
    ledger: Ledger

    @abstractmethod
    def finish(self, session: Session, keep_as: str | None) -> None:
        """Give the twin the table's place; the old one becomes the before-image ``keep_as``."""


class Swap(ABC):
    """A new, empty twin of a table, to be filled and then to take its place."""

    twin: Target

    @abstractmethod
    def finish(self, session: Session, keep_as: str | None, kind_column: str) -> None:
        """Give the twin its indexes and the table's place.

        The old table is dropped, or becomes the before-image ``keep_as``, whose further column
        ``kind_column`` says ``was`` of every row.
        """


def is_nested(lake: pa.DataType) -> bool:
    """Lists, structs and maps."""
    import pyarrow as pa

    return pa.types.is_nested(lake)
