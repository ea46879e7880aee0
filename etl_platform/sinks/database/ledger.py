"""The table ``etl_batches`` in the target's own schema: which loads this target has had.

A load writes its line in the transaction that writes its rows: either both are there or neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from etl_platform.sinks.database.columns import quoted
from etl_platform.sinks.database.receipt import LoadReceipt

if TYPE_CHECKING:
    import sqlalchemy as sa

    from etl_platform.sinks.database.load import Load, Target
    from etl_platform.sinks.database.session import Session

NAME = "etl_batches"
_IDENTITY_LENGTH = 190  # what every database can index, in four bytes a character


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. Times are ISO 8601 in UTC; ``image`` is the before-image's table, if kept."""

    batch: str
    loaded_at: str
    receipt: LoadReceipt
    image: str | None
    image_until: str | None
    reverted_at: str | None


class Ledger:
    """The batches of one target; ``name`` is another table of the same form."""

    def __init__(self, target: Target, name: str = NAME) -> None:
        import sqlalchemy as sa

        self._identity = identity(target.name)
        self.table = sa.Table(
            name,
            sa.MetaData(),
            sa.Column("target", sa.String(_IDENTITY_LENGTH), primary_key=True),
            sa.Column("batch", sa.String(_IDENTITY_LENGTH), primary_key=True),
            sa.Column("loaded_at", sa.String(32), nullable=False),
            sa.Column("receipt", sa.Text),
            sa.Column("image", sa.String(64)),
            sa.Column("image_until", sa.String(32)),
            sa.Column("reverted_at", sa.String(32)),
            schema=quoted(target.schema) if target.schema is not None else None,
            # The database's own default may take "a" and "A" for one batch.
            mysql_charset="utf8mb4",
            mysql_collate="utf8mb4_bin",
        )
        self.target = target

    def create(self, session: Session) -> None:
        from sqlalchemy.schema import CreateTable

        session.execute(CreateTable(self.table, if_not_exists=True))

    def find(self, session: Session, batch: str) -> Entry | None:
        import sqlalchemy as sa

        found = session.rows(
            self._select().where(self.table.c.batch == sa.bindparam("batch", identity(batch)))
        )
        return _entry(found[0]) if found else None

    def newest(self, session: Session) -> Entry | None:
        """The last load that was not reverted."""
        found = session.rows(
            self._select()
            .where(self.table.c.reverted_at.is_(None))
            .order_by(self.table.c.loaded_at.desc(), self.table.c.batch.desc())
            .limit(1)
        )
        return _entry(found[0]) if found else None

    def recent(self, session: Session, limit: int) -> list[Entry]:
        """The last loads, newest first; those that were reverted too."""
        import sqlalchemy as sa

        c = self.table.c
        query = self._select().order_by(c.loaded_at.desc(), c.batch.desc())
        found = session.rows(query.limit(sa.bindparam("most", limit, sa.Integer())))
        return [_entry(row) for row in found]

    def claim(self, session: Session, load: Load) -> None:
        """Write the line first: another load of the same batch then waits, and finds it."""
        import sqlalchemy as sa

        c = self.table.c
        session.execute(
            sa.insert(self.table).values(
                {
                    c.target: sa.bindparam("target", self._identity),
                    c.batch: sa.bindparam("batch", identity(load.batch)),
                    c.loaded_at: sa.bindparam("loaded_at", now()),
                }
            )
        )

    def complete(
        self, session: Session, receipt: LoadReceipt, load: Load, image: str | None
    ) -> None:
        """Add what the load did to its line."""
        c = self.table.c
        kept = load.keep_before
        image_until = None if kept is None else _text(datetime.now(UTC) + kept)
        self._update(
            session,
            receipt.batch,
            {c.receipt: receipt.to_json(), c.image: image, c.image_until: image_until},
        )

    def mark_reverted(self, session: Session, batch: str) -> None:
        """Keep the line for the record under another name: the batch may be loaded again."""
        c, moment = self.table.c, now()
        renamed = identity(f"{batch} reverted {moment}")
        self._update(session, batch, {c.batch: renamed, c.reverted_at: moment, c.image: None})

    def expired(self, session: Session) -> list[str]:
        """Before-images whose time is over."""
        import sqlalchemy as sa

        c = self.table.c
        query = sa.select(c.image).where(
            c.target == sa.bindparam("target", self._identity),
            c.image.is_not(None),
            c.image_until < sa.bindparam("now", now()),
        )
        return [row[0] for row in session.rows(query)]

    def forget_image(self, session: Session, image: str) -> None:
        import sqlalchemy as sa

        c = self.table.c
        session.execute(
            sa.update(self.table)
            .values({c.image: sa.null()})
            .where(c.image == sa.bindparam("image", image))
        )

    def _update(
        self, session: Session, batch: str, values: dict[sa.Column[Any], str | None]
    ) -> None:
        import sqlalchemy as sa

        c = self.table.c
        bound = {
            column: sa.bindparam(f"new_{column.name}", value) if value is not None else sa.null()
            for column, value in values.items()
        }
        session.execute(
            sa.update(self.table)
            .values(bound)
            .where(
                c.target == sa.bindparam("old_target", self._identity),
                c.batch == sa.bindparam("old_batch", identity(batch)),
            )
        )

    def _select(self) -> sa.Select[*tuple[Any, ...]]:
        import sqlalchemy as sa

        c = self.table.c
        return sa.select(
            c.batch, c.loaded_at, c.receipt, c.image, c.image_until, c.reverted_at
        ).where(
            c.target == sa.bindparam("target", self._identity),
            c.receipt.is_not(None),
        )


def identity(text: str) -> str:
    """A text that the ledger's key can hold: long ones end with a digest of the whole."""
    if len(text) <= _IDENTITY_LENGTH:
        return text
    digest = sha256(text.encode()).hexdigest()
    return text[: _IDENTITY_LENGTH - len(digest) - 1] + "~" + digest


def now() -> str:
    """This moment, as the ledger writes it: sorts as text."""
    return _text(datetime.now(UTC))


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _entry(row: tuple[Any, ...]) -> Entry:
    batch, loaded_at, receipt, image, image_until, reverted_at = row
    return Entry(batch, loaded_at, LoadReceipt.from_json(receipt), image, image_until, reverted_at)
