"""The log of alerts: incidents, and the outbox of notices, decided in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from etl_platform.metastore import access
from etl_platform.metastore.alert_records import (
    AlertCursorRecord,
    IncidentRecord,
    NoticeRecord,
    NoticeState,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


@dataclass(frozen=True, slots=True)
class AlertLog:
    """What is wrong, and who has to be told.

    Every method raises :class:`~etl_platform.core.errors.TransientError` when the database does
    not answer.
    """

    engine: Engine

    def cursor(self, alerts: str) -> AlertCursorRecord:
        """How far a set of alerts has looked; an empty cursor before its first decision."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import AlertCursor

        query = sa.select(AlertCursor).where(AlertCursor.alerts == alerts)
        found = access.read(self.engine, query, AlertCursorRecord)
        return found[0] if found else AlertCursorRecord(alerts=alerts)

    def newest(self, alerts: str, subjects: Iterable[str]) -> dict[str, IncidentRecord]:
        """The newest incident of each subject that ever had one, open or not."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import Incident

        found: dict[str, IncidentRecord] = {}
        wanted = sorted(set(subjects))
        # SQLite takes a bounded number of parameters.
        for start in range(0, len(wanted), 500):
            query = (
                sa.select(Incident)
                .where(Incident.alerts == alerts, Incident.subject.in_(wanted[start : start + 500]))
                .order_by(Incident.opened_at)
            )
            for one in access.read(self.engine, query, IncidentRecord):
                earlier = found.get(one.subject)
                if earlier is None or earlier.recovered_at is not None:
                    found[one.subject] = one
        return found

    def incidents(
        self, *, alerts: str | None = None, still_open: bool = True, limit: int = 1000
    ) -> list[IncidentRecord]:
        """Incidents, the newest first; those that are open, or all."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import Incident

        query = sa.select(Incident).order_by(Incident.opened_at.desc(), Incident.id).limit(limit)
        if still_open:
            query = query.where(Incident.recovered_at.is_(None))
        if alerts is not None:
            query = query.where(Incident.alerts == alerts)
        return access.read(self.engine, query, IncidentRecord)

    def notices(
        self, *, alerts: str | None = None, state: NoticeState | None = None, limit: int = 1000
    ) -> list[NoticeRecord]:
        """Notices in the order in which they were decided."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import Notice

        query = sa.select(Notice).order_by(Notice.created_at, Notice.id).limit(limit)
        if alerts is not None:
            query = query.where(Notice.alerts == alerts)
        if state is not None:
            query = query.where(Notice.state == state)
        return access.read(self.engine, query, NoticeRecord)

    def decide(
        self,
        before: AlertCursorRecord,
        after: AlertCursorRecord,
        incidents: Sequence[IncidentRecord],
        notices: Sequence[NoticeRecord],
    ) -> bool:
        """Keep a decision and what has to be sent for it: all of it, or nothing.

        Args:
            before: the cursor that the decision was made from.
            after: the cursor from now on.
            notices: new ones, and waiting ones that got more items.

        Returns:
            False when another process decided meanwhile, or began to send one of the notices:
            nothing was kept, and the decision has to be made again.
        """
        from sqlalchemy.exc import IntegrityError

        from etl_platform.metastore.engine import reachable

        try:
            with (
                reachable(self.engine.url),
                self.engine.connect() as con,
                con.execution_options(sqlite_begin="IMMEDIATE").begin() as transaction,
            ):
                kept = _move(con, before, after) and all(_put(con, one) for one in notices)
                if not kept:
                    transaction.rollback()
                    return False
                for incident in incidents:
                    _keep(con, incident)
                return True
        except IntegrityError:
            return False

    def due(self, alerts: str, moment: datetime) -> list[str]:
        """Waiting notices that may be sent now and that nobody else is sending, oldest first."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import Notice

        free = sa.or_(Notice.claimed_until.is_(None), Notice.claimed_until <= moment)
        query = sa.select(Notice.id).where(
            Notice.alerts == alerts, Notice.state == "waiting", Notice.due_at <= moment, free
        )
        return access.values(self.engine, query.order_by(Notice.created_at, Notice.id))

    def claim(self, notice_id: str, moment: datetime, until: datetime) -> NoticeRecord | None:
        """Take a notice for sending; None when another process took it first."""
        import sqlalchemy as sa

        from etl_platform.metastore.engine import reachable
        from etl_platform.metastore.models import Notice

        free = sa.or_(Notice.claimed_until.is_(None), Notice.claimed_until <= moment)
        take = (
            sa.update(Notice)
            .where(Notice.id == notice_id, Notice.state == "waiting", free)
            .values(attempts=Notice.attempts + 1, claimed_until=until)
        )
        with reachable(self.engine.url), self.engine.begin() as con:
            if con.execute(take).rowcount != 1:
                return None
        query = sa.select(Notice).where(Notice.id == notice_id)
        return access.read(self.engine, query, NoticeRecord)[0]

    def finish(
        self, notice_id: str, state: NoticeState, *, moment: datetime, error: str | None = None
    ) -> None:
        """Keep that a notice was sent, or that nobody will send it."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import Notice

        values = {"state": state, "sent_at": moment, "claimed_until": None, "error": error}
        access.execute(
            self.engine, sa.update(Notice).where(Notice.id == notice_id).values(**values)
        )

    def put_off(self, notice_id: str, until: datetime, error: str) -> None:
        """Keep that a notice could not be sent, and when to try again."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import Notice

        values = {"due_at": until, "claimed_until": None, "error": error}
        access.execute(
            self.engine, sa.update(Notice).where(Notice.id == notice_id).values(**values)
        )

    def prune(self, before: datetime, *, dry_run: bool = False) -> tuple[int, int]:
        """Forget incidents that ended and notices that were done with before a moment.

        The newest incident of a subject stays: rules look at it to know what is new.

        Returns:
            How many incidents and notices; with ``dry_run`` those that would be forgotten.
        """
        import sqlalchemy as sa
        from sqlalchemy.orm import aliased

        from etl_platform.metastore.engine import reachable
        from etl_platform.metastore.models import Incident, Notice

        later = aliased(Incident)
        same = sa.and_(later.alerts == Incident.alerts, later.subject == Incident.subject)
        newer = sa.exists().where(same, later.opened_at > Incident.opened_at)
        ended = (Incident, sa.and_(Incident.recovered_at < before, newer))
        done = (Notice, sa.and_(Notice.state != "waiting", Notice.created_at < before))
        counts: list[int] = []
        with reachable(self.engine.url), self.engine.begin() as con:
            for model, old in (ended, done):
                ids = list(con.execute(sa.select(model.id).where(old)).scalars())
                counts.append(len(ids))
                for start in range(0, 0 if dry_run else len(ids), 500):
                    batch = ids[start : start + 500]
                    con.execute(sa.delete(model).where(model.id.in_(batch)))
        return counts[0], counts[1]


def _move(con: Connection, before: AlertCursorRecord, after: AlertCursorRecord) -> bool:
    import sqlalchemy as sa

    from etl_platform.metastore.models import AlertCursor

    values = {"cursor": after.cursor, "version": before.version + 1, "decided_at": after.decided_at}
    if before.version == 0:
        con.execute(sa.insert(AlertCursor).values(alerts=after.alerts, **values))
        return True
    same = (AlertCursor.alerts == before.alerts, AlertCursor.version == before.version)
    return con.execute(sa.update(AlertCursor).where(*same).values(**values)).rowcount == 1


def _put(con: Connection, notice: NoticeRecord) -> bool:
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql, sqlite

    from etl_platform.metastore.models import Notice

    kind = postgresql if con.dialect.name == "postgresql" else sqlite
    statement = kind.insert(Notice).values(notice.model_dump())
    statement = statement.on_conflict_do_update(
        index_elements=("id",),
        set_={"items": notice.items},
        where=sa.and_(Notice.attempts == 0, Notice.state == "waiting"),
    )
    return con.execute(statement).rowcount == 1


def _keep(con: Connection, incident: IncidentRecord) -> None:
    from sqlalchemy.dialects import postgresql, sqlite

    from etl_platform.metastore.models import Incident

    kind = postgresql if con.dialect.name == "postgresql" else sqlite
    row = incident.model_dump()
    changed = {name: value for name, value in row.items() if name != "id"}
    statement = kind.insert(Incident).values(row)
    con.execute(statement.on_conflict_do_update(index_elements=("id",), set_=changed))
