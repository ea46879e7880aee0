"""What PostgreSQL's own counters give reason to do besides creating indexes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

    from etl_platform.sources.database.advice.catalogue import Catalogue

_COUNTERS = b"""
SELECT c.reltuples < 0 OR NOT EXISTS (SELECT FROM pg_catalog.pg_stats s
                                      WHERE s.schemaname = n.nspname AND s.tablename = c.relname),
       coalesce(t.n_mod_since_analyze, 0), coalesce(t.n_live_tup, 0)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_stat_user_tables t ON t.relid = c.oid
WHERE n.nspname = %s AND c.relname = %s
"""
_STALE = 0.2
_FEW = 1_000


def statistics_hints(
    session: psycopg.Connection[tuple[Any, ...]], catalogue: Catalogue
) -> Iterator[str]:
    """Tables that were never analysed, or that a fifth changed of since."""
    for table in catalogue.tables:
        found = session.execute(_COUNTERS, [table.id.schema, table.id.name]).fetchone()
        if found is None:
            continue
        missing, changed, rows = found
        name = table.id.full_name
        if missing:
            yield f"{name} has no statistics, the planner guesses its rows: run ANALYZE"
        elif changed > _FEW and changed > _STALE * rows:
            yield (
                f"{name} changed by {changed:,} rows since its statistics of {rows:,}: run ANALYZE"
            )
