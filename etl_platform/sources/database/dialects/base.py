"""What reading needs to know about one kind of database beyond what SQLAlchemy knows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import (
        URL,
        ColumnElement,
        Connection,
        CursorResult,
        Engine,
        FromClause,
        Inspector,
    )
    from sqlalchemy.types import TypeEngine

    from etl_platform.sources.database.policy import TargetColumn
    from etl_platform.sources.database.statements import ReadPlan
    from etl_platform.sources.database.tables import SourceColumn
    from etl_platform.sources.database.watermark import Bound


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Connections kept and waited for. Times in seconds."""

    size: int = 4
    overflow: int = 4
    connect_timeout_s: int = 10
    statement_timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the system tables of one schema say and SQLAlchemy's inspector does not.

    ``declared`` maps (table, column) to the type in the database's own words. ``hidden`` names
    tables that repeat rows of others (the partitions of a partitioned table).
    """

    declared: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    estimated_rows: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Fault:
    """A driver's error, judged: whether a retry can help, and the next step."""

    transient: bool
    fix: str | None = None


class Dialect(ABC):
    """One kind of database. Stateless: everything comes as an argument."""

    name: str

    @property
    @abstractmethod
    def driver_errors(self) -> tuple[type[Exception], ...]:
        """Base classes of what the driver itself raises."""

    @abstractmethod
    def create_engine(self, url: URL, pool: PoolSettings) -> Engine:
        """An engine that has not connected yet and whose errors never show parameters."""

    @abstractmethod
    def start(self, connection: Connection, pool: PoolSettings) -> Connection:
        """Begin a read-only transaction on one snapshot, with the statement timeout."""

    def start_on(self, connection: Connection, pool: PoolSettings, snapshot: str) -> Connection:
        """As :meth:`start`, on the snapshot that another transaction exported."""
        raise NotImplementedError(f"{self.name} cannot share a snapshot between connections")

    def stopping(self, connection: Connection) -> Callable[[], None]:
        """What stops the statement that runs on a connection, from another thread.

        Closing the socket is not enough: servers notice only when they write.
        """
        driver: Any = connection.connection.driver_connection
        return driver.interrupt  # SQLite and DuckDB, which run in this process

    def stop_named(self, connection: Connection, application: str) -> None:
        """Stop the statements of all connections of this user that go by a name."""
        raise NotImplementedError(f"{self.name} gives connections no names")

    @abstractmethod
    def schemas(self, inspector: Inspector) -> list[str | None]:
        """The schemas that hold people's tables; ``[None]`` where there are none."""

    @abstractmethod
    def catalog(self, connection: Connection, schema: str | None) -> Catalog:
        """Read the system tables of a schema."""

    def column_name(self, reflected: str) -> str:
        """The column's name, where SQLAlchemy gives it as it is written in SQL."""
        return reflected

    @abstractmethod
    def column_type(self, reflected: TypeEngine[Any], declared: str) -> TypeEngine[Any] | None:
        """The SQLAlchemy type that a column's values really have; None when only they can tell."""

    @abstractmethod
    def probe(
        self, connection: Connection, query: FromClause, params: Mapping[str, object]
    ) -> tuple[SourceColumn, ...]:
        """The columns of a query, without running it to its end."""

    @abstractmethod
    def judge(self, error: BaseException) -> Fault:
        """Judge one of :attr:`driver_errors`."""

    def observe(
        self, connection: Connection, source: FromClause, columns: list[str]
    ) -> Mapping[str, str | None]:
        """Arrow types as text of columns that nothing declares, from values; None: cannot tell."""
        del connection, source
        return dict.fromkeys(columns)

    def before_read(self, connection: Connection) -> None:
        """Prepare the driver's cursor of the statement that streams rows."""
        del connection

    def abandon(self, connection: Connection, result: CursorResult[Any]) -> None:
        """Close a streamed result before its end, or after its connection was lost."""
        del connection
        result.close()

    def expression(self, column: ColumnElement[Any], target: TargetColumn) -> ColumnElement[Any]:
        """What to select so that the value arrives without loss."""
        del target
        return column

    def connection_options(self, pool: PoolSettings) -> Mapping[str, str]:
        """URL options that make a driver's own connection read only and as patient as ours."""
        del pool
        return {}

    def standalone(
        self, connection: Connection, plan: ReadPlan, as_text: Callable[[TargetColumn], bool]
    ) -> str:
        """The plan's statement as text with its values quoted, for a driver that only takes text.

        Columns for which ``as_text`` holds are selected as the server's own text.
        """
        raise NotImplementedError(f"{self.name} has no driver that takes only text")

    def at_least(
        self, column: ColumnElement[Any], bound: Bound, target: TargetColumn
    ) -> ColumnElement[bool]:
        """``column >= bound``, exactly as the values are ordered in the lake."""
        return column >= _bind(bound, target)

    def below(
        self, column: ColumnElement[Any], bound: Bound, target: TargetColumn
    ) -> ColumnElement[bool]:
        """``column < bound``, exactly as the values are ordered in the lake."""
        return column < _bind(bound, target)


def _bind(bound: Bound, target: TargetColumn) -> ColumnElement[Any]:
    """A bound parameter with the column's type, so that an index on the column stays usable.

    Text is sent untyped: the server then takes it as whatever the column is (uuid, enum).
    """
    import sqlalchemy as sa
    from sqlalchemy.types import NullType

    from etl_platform.sources.database import arrow_text

    kinds: dict[str, TypeEngine[Any]] = {
        "float32": sa.Double(),
        "float64": sa.Double(),
        "date32": sa.Date(),
        "timestamp[us]": sa.DateTime(),
        "timestamp[us, UTC]": sa.DateTime(timezone=True),
        "string": NullType(),
    }
    text = arrow_text.to_text(target.type)
    kind = kinds.get(text) or (sa.Numeric() if text.startswith("decimal") else sa.BigInteger())
    return sa.bindparam("etl_bound", bound, type_=kind, unique=True)
