"""Sums over everything that the metastore remembers, for counters that never fall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.metastore import access

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(frozen=True, slots=True)
class Published:
    """What all publications of a table in one mode changed, and how long they took."""

    table: str
    mode: str
    count: int
    inserted: int
    updated: int
    deleted: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Decided:
    """How often an engine was chosen for a kind of work, by outcome (``open`` while it goes on)."""

    task: str
    engine: str
    outcome: str
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Asked:
    """How many queries ended in a way, from stored results or not, and how long they took."""

    status: str
    cached: bool
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Used:
    """What all steps of an asset took together, and the most memory that one's process had."""

    asset: str
    steps: int
    failed: int
    seconds: float
    cpu_s: float
    peak_memory_bytes: int
    read_bytes: int
    written_bytes: int


class Totals:
    """Sums, each by one statement; removing old records makes them begin anew."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def published(self, lake: str) -> list[Published]:
        """By table and mode."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import Receipt as Model

        query = (
            sa.select(
                Model.table,
                Model.mode,
                sa.func.count(),
                sa.func.sum(Model.rows_inserted),
                sa.func.sum(Model.rows_updated),
                sa.func.sum(Model.rows_deleted),
                sa.func.sum(Model.seconds),
            )
            .where(Model.lake == lake)
            .group_by(Model.table, Model.mode)
        )
        return [
            Published(str(t), str(m), int(n), int(i), int(u), int(d), float(s))
            for t, m, n, i, u, d, s in access.rows(self.engine, query)
        ]

    def decided(self) -> list[Decided]:
        """By kind of work, engine and outcome."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import EngineDecision as Model

        query = sa.select(
            Model.task, Model.engine, Model.outcome, sa.func.count(), sa.func.sum(Model.seconds)
        ).group_by(Model.task, Model.engine, Model.outcome)
        return [
            Decided(str(t), str(e), str(o or "open"), int(n), float(s or 0))
            for t, e, o, n, s in access.rows(self.engine, query)
        ]

    def asked(self) -> list[Asked]:
        """By status and whether the rows came from a stored result."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import Query as Model

        query = sa.select(
            Model.status, Model.cached, sa.func.count(), sa.func.sum(Model.seconds)
        ).group_by(Model.status, Model.cached)
        return [
            Asked(str(s), bool(c), int(n), float(t))
            for s, c, n, t in access.rows(self.engine, query)
        ]

    def used(self) -> list[Used]:
        """By asset."""
        import sqlalchemy as sa

        from etl_platform.metastore.models import StepUse as Model

        query = sa.select(
            Model.asset,
            sa.func.count(),
            sa.func.sum(sa.case((Model.succeeded, 0), else_=1)),
            sa.func.sum(Model.seconds),
            sa.func.sum(Model.cpu_s),
            sa.func.max(Model.peak_memory_bytes),
            sa.func.sum(Model.read_bytes),
            sa.func.sum(Model.written_bytes),
        ).group_by(Model.asset)
        return [
            Used(str(a), int(n), int(f), float(s), float(c), int(p), int(r), int(w))
            for a, n, f, s, c, p, r, w in access.rows(self.engine, query)
        ]
