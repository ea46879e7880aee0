"""What to read: a table or a query, whole, after a watermark, or within a window.

How no row is lost between incremental runs
-------------------------------------------
A run reads ``cursor >= watermark - lookback`` in **one statement on one snapshot**, without an
upper bound. The next watermark is the largest cursor value among the rows *delivered*, so it can
never pass a row that this run could have seen. Rows that tie with the watermark are read again, and
so are rows whose cursor is NULL: publishing with an upsert by ``Cursor.key`` makes that exact. A
clock (``now()``) as an upper bound would add nothing: the snapshot bounds the read already.

What a watermark cannot see is a transaction that was open when the snapshot was taken and commits
afterwards with an *older* cursor value. ``lookback`` covers it: make it longer than the source's
longest writing transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from etl_platform.core.errors import ConfigError
from etl_platform.sources.database.policy import TypePolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from etl_platform.sources.database.tables import SourceTable

Lookback: TypeAlias = timedelta | int | float | Decimal


@dataclass(frozen=True, slots=True)
class Cursor:
    """A column that only grows as rows are added or changed.

    Args:
        column: integer, decimal, float, date, timestamp or text.
        lookback: how far below the watermark every run reads again: a timedelta for dates and
            timestamps, a number for numbers, None for text or for none.
        key: the columns that identify a row, for the upsert that makes re-read rows exact.
    """

    column: str
    lookback: Lookback | None = None
    key: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        negative = (
            self.lookback < timedelta(0)
            if isinstance(self.lookback, timedelta)
            else self.lookback is not None and self.lookback < 0
        )
        if negative:
            raise ConfigError(
                f"lookback {self.lookback} of cursor {self.column!r} is negative",
                valid="zero or more: it is subtracted from the watermark",
            )


@dataclass(frozen=True, slots=True)
class Window:
    """Rows with ``start <= column < end``: one partition of a table partitioned by time.

    Neighbouring windows share no row and miss none; rows whose column is NULL are in no window.
    """

    column: str
    start: object
    end: object


@dataclass(frozen=True, slots=True)
class Extraction:
    """One read.

    Args:
        table: the table or view to read; or
        query: one SELECT in the database's dialect. ``:name`` is replaced by a bound parameter
            where ``params`` has that name; any other colon stays as it is.
        params: values of the query's parameters, bound by the driver, never formatted.
        cursor: the column that incremental reading follows.
        after: the watermark of the last run, as a value or as :func:`~.watermark.encode` wrote it;
            None reads everything.
        window: a part of the table.
        policy: for columns whose type has no lossless place in the lake.
        types: column name -> Arrow type text (see :mod:`.arrow_text`), overruling what is known.
        parallel: most connections that may read a whole table at once, on one snapshot; None lets
            its size and this process's processors decide, 1 never does. Engines and databases that
            cannot share a snapshot read with one connection. Several give rows in no order.
        ordered: rows come in the cursor's order, over one connection, so that a read which is cut
            off has delivered everything below the last value.

    Raises:
        ConfigError: the combination makes no sense.
    """

    table: SourceTable | None = None
    query: str | None = None
    params: Mapping[str, object] = field(default_factory=dict[str, object])
    cursor: Cursor | None = None
    after: object | None = None
    window: Window | None = None
    policy: TypePolicy = field(default_factory=TypePolicy)
    types: Mapping[str, str] = field(default_factory=dict[str, str])
    parallel: int | None = None
    ordered: bool = False

    def __post_init__(self) -> None:
        if (self.table is None) == (self.query is None):
            raise ConfigError("an extraction reads either a table or a query, not both or neither")
        if self.params and self.query is None:
            raise ConfigError("params belong to a query", fix="remove params, or write a query")
        if self.ordered and (self.cursor is None or self.parallel != 1):
            raise ConfigError(
                "an ordered extraction needs a cursor, and one connection", fix="set parallel: 1"
            )
        if self.after is not None and self.cursor is None:
            raise ConfigError("a watermark needs a cursor", fix="set cursor: to the column's name")
        if self.parallel is not None and self.parallel < 1:
            raise ConfigError(f"parallel: {self.parallel} connections", valid="1 or more")

    @property
    def where(self) -> str:
        """How messages name what is read."""
        return self.table.full_name if self.table is not None else "query"
