"""The log of engine decisions: what was chosen and why, and how it went."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from etl_platform.metastore import access
from etl_platform.metastore.records import DecisionRecord, now

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Engine, Select

    from etl_platform.metastore.models import EngineDecision


@dataclass(frozen=True, slots=True)
class DecisionLog:
    """Decisions and their outcomes, newest first wherever several are read.

    Every method raises :class:`~etl_platform.core.errors.TransientError` when the database does
    not answer.
    """

    engine: Engine

    def add(self, record: DecisionRecord) -> None:
        """Keep a decision whose work has not ended."""
        from etl_platform.metastore.models import EngineDecision

        access.insert(self.engine, EngineDecision, record.model_dump())

    def finish(
        self,
        decision_id: str,
        outcome: str,
        *,
        rows: int,
        seconds: float,
        peak_bytes: int | None = None,
        error: str | None = None,
        finished_at: datetime | None = None,
    ) -> None:
        """Keep how the work ended; a second call for the same decision changes nothing."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import EngineDecision

        access.execute(
            self.engine,
            sa.update(EngineDecision)
            .where(EngineDecision.decision_id == decision_id, EngineDecision.outcome.is_(None))
            .values(
                outcome=outcome,
                rows=rows,
                seconds=seconds,
                peak_bytes=peak_bytes,
                error=error,
                finished_at=finished_at or now(),
            ),
        )

    def newest(self, table: str | None = None, limit: int = 50) -> list[DecisionRecord]:
        """The newest decisions, of one table or of all."""
        query = self._query(limit)
        if table is not None:
            query = query.where(_model().table == table)
        return access.read(self.engine, query, DecisionRecord)

    def of_table(
        self, task: str, source: str, table: str, size_class: str, limit: int = 100
    ) -> list[DecisionRecord]:
        """What ended for a table at a size."""
        model = _model()
        return self._ended(
            limit,
            model.task == task,
            model.source == source,
            model.table == table,
            model.size_class == size_class,
        )

    def of_shape(
        self, task: str, source: str, shape_key: str, size_class: str, limit: int = 100
    ) -> list[DecisionRecord]:
        """What ended for tables of a shape at a size."""
        model = _model()
        return self._ended(
            limit,
            model.task == task,
            model.source == source,
            model.shape_key == shape_key,
            model.size_class == size_class,
        )

    def of_engine(self, task: str, kind: str, engine: str, limit: int = 20) -> list[DecisionRecord]:
        """What an engine ended last on a kind of source."""
        model = _model()
        return self._ended(limit, model.task == task, model.kind == kind, model.engine == engine)

    def of_engines(
        self, task: str, kind: str, table: str, limit: int = 200
    ) -> list[DecisionRecord]:
        """What any engine ended last for a table of a kind of source, at any size."""
        model = _model()
        return self._ended(limit, model.task == task, model.kind == kind, model.table == table)

    def count(self, table: str) -> int:
        """How many decisions were made about a table."""
        import sqlalchemy as sa

        model = _model()
        # No further condition: this is the count of an index's entries.
        query = sa.select(sa.func.count()).select_from(model).where(model.table == table)
        return access.number(self.engine, query)

    def in_flight(self, source: str, since: datetime) -> list[DecisionRecord]:
        """What was decided for a source since a time and has not ended."""
        model = _model()
        query = self._query(1_000).where(
            model.source == source, model.outcome.is_(None), model.decided_at >= since
        )
        return access.read(self.engine, query, DecisionRecord)

    def _ended(self, limit: int, *conditions: ColumnElement[bool]) -> list[DecisionRecord]:
        query = self._query(limit).where(_model().outcome.is_not(None), *conditions)
        return access.read(self.engine, query, DecisionRecord)

    def _query(self, limit: int) -> Select[EngineDecision]:
        import sqlalchemy as sa

        model = _model()
        return sa.select(model).order_by(model.id.desc()).limit(limit)


def _model() -> type[EngineDecision]:
    from etl_platform.metastore.models import EngineDecision

    return EngineDecision
