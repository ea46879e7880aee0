"""``platform.audit``: every query and refusal, as a table like any other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.metastore.records import PastQuery, now
from etl_platform.planner.catalog import Catalog, Rollup

if TYPE_CHECKING:
    import polars as pl

    from etl_platform.lakehouse.lake import Lake
    from etl_platform.lakehouse.log import Snapshot
    from etl_platform.metastore.history import QueryHistory
    from etl_platform.quality import Profile

AUDIT = TableName("platform", "audit")
_NEWEST = "newest_query"
_PAGE = 20_000
_MANY_FILES = 50
_LATE = timedelta(seconds=10)
"""How long a number may be missing before it is taken for one that nobody will use: records
become visible when their transaction ends, not in the order of their numbers."""


@dataclass(frozen=True, slots=True)
class AuditedCatalog:
    """A catalog with the platform's records as one more table."""

    catalog: Catalog
    audit: AuditTable

    def names(self) -> Collection[TableName]:
        return [*self.catalog.names(), AUDIT]

    def snapshot(self, table: TableName) -> Snapshot:
        return self.audit.snapshot() if table == AUDIT else self.catalog.snapshot(table)

    def rollups(self) -> tuple[Rollup, ...]:
        return self.catalog.rollups()

    def profile(self, table: TableName) -> Profile | None:
        return None if table == AUDIT else self.catalog.profile(table)


class AuditTable:
    """The history of queries, copied when it is asked for into a Delta table of its own.

    The metastore stays the truth: the copy lives in the spill folder, only grows by what came
    since, and may be deleted at any time. Being a table, it is pinned, pruned and subject to
    policies as every other.

    Args:
        history: where queries are recorded.
        settings: of the lake; ``temp_dir`` holds the copy.
    """

    def __init__(self, history: QueryHistory, settings: Settings) -> None:
        self._history = history
        identity = sha256(str(history.engine.url).encode()).hexdigest()[:16]
        self._folder = Path(settings.temp_dir) / "records" / identity
        self._settings = settings.model_copy(update={"lake_uri": str(self._folder)})

    def snapshot(self) -> Snapshot:
        """The newest version, with every query that had ended when this was called.

        Columns: ``id`` BIGINT, ``started_at`` TIMESTAMPTZ, ``role``, ``status`` (``ok``,
        ``refused``, ``failed``, ``cancelled``), ``sql``, ``params`` (JSON), ``tables`` (JSON:
        table to version), ``rows`` BIGINT, ``seconds`` DOUBLE, ``scanned_bytes`` BIGINT, ``cached``
        BOOLEAN, ``error``.
        """
        from etl_platform.lakehouse.lake import Lake
        from etl_platform.lakehouse.receipt import Mode

        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lake = Lake(self._settings.lake_uri, self._settings)
        if not lake.exists(AUDIT):
            lake.publish(lake.stage(AUDIT, _frame([])), batch="created")
        while True:
            newest = int(lake.annotation(AUDIT, _NEWEST) or 0)
            found = tuple(_settled(self._history.after(newest, _PAGE), newest))
            if not found:
                break
            # Another process may copy the same: whoever is second with a batch changes nothing.
            lake.publish(
                lake.stage(AUDIT, _frame(found)),
                Mode.APPEND,
                batch=f"after-{newest}",
                annotations={_NEWEST: str(found[-1].id)},
            )
        self._tidy(lake)
        return lake.snapshot(AUDIT)

    def _tidy(self, lake: Lake) -> None:
        if len(lake.files(AUDIT)) > _MANY_FILES:
            lake.compact(AUDIT)
            lake.vacuum(AUDIT, orphans_older_than_hours=1, history_older_than_hours=1)


def _settled(records: Sequence[PastQuery], newest: int) -> Iterator[PastQuery]:
    for record in records:
        ended = record.started_at + timedelta(seconds=record.seconds)
        if record.id != newest + 1 and now() - ended < _LATE:
            return
        newest = record.id
        yield record


def _frame(records: Sequence[PastQuery]) -> pl.DataFrame:
    import polars as pl

    schema = {
        "id": pl.Int64,
        "started_at": pl.Datetime("us", "UTC"),
        "role": pl.String,
        "status": pl.String,
        "sql": pl.String,
        "params": pl.String,
        "tables": pl.String,
        "rows": pl.Int64,
        "seconds": pl.Float64,
        "scanned_bytes": pl.Int64,
        "cached": pl.Boolean,
        "error": pl.String,
    }
    rows = [record.model_dump(include=set(schema)) for record in records]
    return pl.DataFrame(rows, schema=schema)
