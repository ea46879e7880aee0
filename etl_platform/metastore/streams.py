"""The log of stream batches: what was cut, in order, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.metastore import access
from etl_platform.metastore.records import StreamBatchRecord, StreamStateRecord, now

if TYPE_CHECKING:
    from sqlalchemy import Engine, Select

    from etl_platform.metastore.models import StreamBatch, StreamState


@dataclass(frozen=True, slots=True)
class StreamLog:
    """Batches of all streams. A batch that is kept here is cut for ever: its messages belong to it
    and to no other.

    Every method raises :class:`~etl_platform.core.errors.TransientError` when the database does
    not answer.
    """

    engine: Engine

    def add(self, record: StreamBatchRecord) -> bool:
        """Keep a new batch; False when another process has cut one with the same number first."""
        from sqlalchemy.exc import IntegrityError

        try:
            access.insert(self.engine, _model(), record.model_dump())
        except IntegrityError:
            return False
        return True

    def newest(self, stream: str) -> StreamBatchRecord | None:
        """The batch that was cut last."""
        model = _model()
        query = self._of(stream).where(model.kind == "batch").order_by(model.number.desc())
        found = access.read(self.engine, query.limit(1), StreamBatchRecord)
        return found[0] if found else None

    def find(self, stream: str, key: str) -> StreamBatchRecord | None:
        """The batch or merged partition with a Dagster partition key."""
        found = access.read(
            self.engine, self._of(stream).where(_model().key == key), StreamBatchRecord
        )
        return found[0] if found else None

    def batches(
        self, stream: str, after: int = -1, limit: int | None = None
    ) -> list[StreamBatchRecord]:
        """What was cut after a number, merged or not, in order."""
        model = _model()
        query = self._of(stream).where(model.kind == "batch", model.number > after)
        query = query.order_by(model.number)
        return access.read(
            self.engine, query if limit is None else query.limit(limit), StreamBatchRecord
        )

    def partitions(self, stream: str) -> list[StreamBatchRecord]:
        """The partitions that the asset has now, oldest first: merged ones, and batches that were
        not merged."""
        model = _model()
        query = self._of(stream).where(model.merged_into.is_(None))
        return access.read(self.engine, query.order_by(model.number), StreamBatchRecord)

    def finish(self, stream: str, key: str, outcome: str) -> None:
        """Keep that the rows of a partition are published, and what they were (JSON).

        Doing it again keeps the time of the first.
        """
        import sqlalchemy as sa

        model = _model()
        statement = (
            sa.update(model)
            .where(model.stream == stream, model.key == key)
            .values(outcome=outcome, finished_at=sa.func.coalesce(model.finished_at, now()))
        )
        access.execute(self.engine, statement)

    def unfinished(self, stream: str) -> list[StreamBatchRecord]:
        """Partitions that were never published, oldest first."""
        return [one for one in self.partitions(stream) if one.finished_at is None]

    def members(self, stream: str, key: str) -> list[StreamBatchRecord]:
        """What was merged into a partition, oldest first."""
        query = self._of(stream).where(_model().merged_into == key).order_by(_model().number)
        return access.read(self.engine, query, StreamBatchRecord)

    def looked(self, state: StreamStateRecord) -> None:
        """Keep where a stream ends now; the newest look replaces the one before."""
        access.upsert(self.engine, _state(), state.model_dump(), key=("stream",))

    def state(self, stream: str) -> StreamStateRecord | None:
        """Where a stream ended when it was last looked at."""
        return next((one for one in self.states() if one.stream == stream), None)

    def states(self) -> list[StreamStateRecord]:
        """Every stream that was ever looked at, by name."""
        import sqlalchemy as sa

        query = sa.select(_state()).order_by(_state().stream)
        return access.read(self.engine, query, StreamStateRecord)

    def merge(self, merged: StreamBatchRecord, keys: Sequence[str]) -> None:
        """Keep, in one transaction, that a partition holds these others from now on.

        Calling it again for the same partition replaces its ranges.
        """
        import sqlalchemy as sa
        from sqlalchemy.dialects import postgresql, sqlite

        from etl_platform.metastore.engine import reachable

        model = _model()
        kind = postgresql if self.engine.dialect.name == "postgresql" else sqlite
        row = merged.model_dump()
        statement = kind.insert(model).values(row)
        changed = {name: value for name, value in row.items() if name not in ("stream", "key")}
        keep = statement.on_conflict_do_update(index_elements=("stream", "key"), set_=changed)
        gone = sa.update(model).where(model.stream == merged.stream, model.key.in_(keys))
        with reachable(self.engine.url), self.engine.begin() as con:
            con.execute(keep)
            con.execute(gone.values(merged_into=merged.key))

    def _of(self, stream: str) -> Select[StreamBatch]:
        import sqlalchemy as sa

        model = _model()
        return sa.select(model).where(model.stream == stream)


def _model() -> type[StreamBatch]:
    from etl_platform.metastore.models import StreamBatch

    return StreamBatch


def _state() -> type[StreamState]:
    from etl_platform.metastore.models import StreamState

    return StreamState
