"""Statements on the metastore's tables, each in a transaction of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from etl_platform.metastore.engine import reachable
from etl_platform.metastore.records import Record

if TYPE_CHECKING:
    from sqlalchemy import Engine, Executable, Select

    from etl_platform.metastore.models import Base

RecordT = TypeVar("RecordT", bound=Record)


def insert(engine: Engine, model: type[Base], row: dict[str, Any]) -> None:
    """Add a row."""
    import sqlalchemy as sa

    execute(engine, sa.insert(model).values(row))


def upsert(engine: Engine, model: type[Base], row: dict[str, Any], key: tuple[str, ...]) -> None:
    """Add a row, or replace the one with the same key."""
    from sqlalchemy.dialects import postgresql, sqlite

    kind = postgresql if engine.dialect.name == "postgresql" else sqlite
    statement = kind.insert(model).values(row)
    changed = {name: value for name, value in row.items() if name not in key}
    execute(engine, statement.on_conflict_do_update(index_elements=key, set_=changed))


def execute(engine: Engine, statement: Executable) -> None:
    """Run a statement that gives no rows back."""
    with reachable(engine.url), engine.begin() as con:
        con.execute(statement)


def read(engine: Engine, query: Select[Any], record: type[RecordT]) -> list[RecordT]:
    """The models that a query selects, as records."""
    from sqlalchemy.orm import Session

    with reachable(engine.url), Session(engine) as session:
        return [record.model_validate(found) for found in session.scalars(query)]


def values(engine: Engine, query: Select[str]) -> list[str]:
    """The texts that a query of one column selects."""
    with reachable(engine.url), engine.connect() as con:
        return list(con.execute(query).scalars())


def rows(engine: Engine, query: Select[*tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows of a query of several columns."""
    with reachable(engine.url), engine.connect() as con:
        return [tuple(row) for row in con.execute(query)]


def number(engine: Engine, query: Select[int]) -> int:
    """The one number that a query selects."""
    with reachable(engine.url), engine.connect() as con:
        return con.execute(query).scalar_one()
