"""Before-images: a table beside the target with the rows that a load changed or removed.

A row of it is either one as it was (``was``) or the key of one that the load added (``new``). To
revert a load, the target's rows with any of these keys are deleted and the old ones inserted.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from etl_platform.sinks.database.columns import TargetColumn, sql_table
from etl_platform.sinks.database.load import LoadMode, Target

if TYPE_CHECKING:
    import sqlalchemy as sa

    from etl_platform.sinks.database.load import Load
    from etl_platform.sinks.database.session import Session

KIND = "etl_kind"
_WAS, _NEW = "was", "new"


@dataclass(frozen=True)
class Image:
    """The before-image of one load. ``key`` is empty where the whole table was replaced."""

    session: Session
    table: sa.Table
    columns: tuple[str, ...]
    key: tuple[str, ...]

    def add_rows(self, rows: sa.Select[Any]) -> int:
        """Keep rows of the target."""
        return self._add(rows, self.columns, _WAS)

    def add_keys(self, rows: sa.Select[Any]) -> int:
        """Note the keys of rows that are about to be added."""
        import sqlalchemy as sa

        source = rows.subquery("etl_added")
        keys = sa.select(*(source.c[name] for name in self.key)).distinct()
        return self._add(keys, self.key, _NEW)

    def put_back(self, target: sa.Table) -> tuple[int, int]:
        """Undo the load; returns rows deleted and rows inserted."""
        import sqlalchemy as sa

        delete = sa.delete(target)
        if self.key:
            same = sa.and_(*(target.c[name] == self.table.c[name] for name in self.key))
            matching = sa.select(sa.literal_column("1")).select_from(self.table).where(same)
            delete = delete.where(sa.exists(matching.correlate(target)))
        deleted = self.session.execute(delete)
        rows = sa.select(*(self.table.c[name] for name in self.columns)).where(
            self.table.c[KIND] == sa.literal_column(f"'{_WAS}'")
        )
        inserted = self.session.execute(
            sa.insert(target).from_select([target.c[name] for name in self.columns], rows)
        )
        return deleted, inserted

    def _add(self, rows: sa.Select[Any], names: tuple[str, ...], kind: str) -> int:
        import sqlalchemy as sa

        into = [self.table.c[name] for name in names] + [self.table.c[KIND]]
        return self.session.execute(
            sa.insert(self.table).from_select(
                into, rows.add_columns(sa.literal_column(f"'{kind}'").label(KIND))
            )
        )


def image_name(load: Load) -> str:
    """The table that holds a load's before-image: the same for every attempt."""
    digest = sha256(f"{load.target.name}\n{load.batch}".encode()).hexdigest()
    return f"etl_before_{digest[:24]}"


def open_image(
    session: Session,
    target: Target,
    mode: LoadMode,
    name: str,
    columns: tuple[TargetColumn, ...],
    key: tuple[str, ...],
) -> Image:
    """The image by its name; see :func:`create_image` for making it."""
    whole = mode is LoadMode.REPLACE
    kinds = (*columns, TargetColumn(KIND, "varchar(3)", None))
    table = sql_table(Target(name, target.schema), kinds)
    return Image(session, table, tuple(c.name for c in columns), () if whole else key)


def create_image(image: Image) -> None:
    """Make the empty table: the target's columns without its constraints.

    One that is there belongs to an attempt that failed, or to a load that was reverted.
    """
    from sqlalchemy.schema import CreateTable, DropTable

    image.session.execute(DropTable(image.table, if_exists=True))
    image.session.execute(CreateTable(image.table))


def drop_image(session: Session, target: Target, name: str) -> None:
    """Remove an image by its name, if it is there."""
    from sqlalchemy.schema import DropTable

    session.execute(DropTable(sql_table(Target(name, target.schema), ()), if_exists=True))
