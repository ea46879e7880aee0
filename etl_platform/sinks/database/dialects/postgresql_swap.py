"""Replacing a PostgreSQL table by a twin: readers wait for a rename instead of a load.

The twin is filled without indexes and gets them afterwards, which is much faster than keeping them
up to date. Whatever is tied to the old table itself (views, foreign keys that point at it,
triggers, policies, grants, partitions, sequences) would stay with it: such tables are not swapped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etl_platform.sinks.database.dialects.base import Swap
from etl_platform.sinks.database.dialects.postgresql_session import relation_text
from etl_platform.sinks.database.load import Target

if TYPE_CHECKING:
    from etl_platform.sinks.database.session import Session

# One row with the table's schema if nothing is tied to it; the current user has to own it.
_FREE = """
SELECT n.nspname::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(:relation) AND c.relkind = 'r' AND c.relpersistence = 'p'
  AND c.relacl IS NULL AND NOT c.relrowsecurity AND NOT c.relispartition AND NOT c.relhasrules
  AND NOT c.relhassubclass AND c.reloptions IS NULL AND c.relreplident = 'd'
  AND c.relowner = (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = c.oid)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE c.oid IN (h.inhrelid, h.inhparent))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid
                  AND a.attnum > 0 AND (a.attacl IS NOT NULL OR a.attidentity <> ''))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_publication_rel r WHERE r.prrelid = c.oid)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_statistic_ext x WHERE x.stxrelid = c.oid)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.refobjid = c.oid AND d.deptype IN ('n', 'a', 'i')
                    AND d.classid IN ('pg_catalog.pg_rewrite'::regclass,
                                      'pg_catalog.pg_policy'::regclass,
                                      'pg_catalog.pg_proc'::regclass)
                     OR d.refobjid = c.oid AND d.deptype = 'a'
                    AND d.classid = 'pg_catalog.pg_class'::regclass
                    AND (SELECT relkind FROM pg_catalog.pg_class WHERE oid = d.objid) = 'S')
"""
# Definitions are split where the names end, by the very text that PostgreSQL puts before it.
_INDEXES = """
SELECT quote_ident(i.relname), x.indisprimary, k.oid IS NOT NULL,
       CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END,
       substr(pg_get_indexdef(i.oid), 1 + length(format('CREATE %sINDEX %I ON %I.%I ',
              CASE WHEN x.indisunique THEN 'UNIQUE ' ELSE '' END,
              i.relname, n.nspname, c.relname))),
       CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END
       || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END, x.indisclustered
FROM pg_catalog.pg_index x
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class c ON c.oid = x.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = i.oid AND k.contype IN ('p', 'u', 'x')
WHERE x.indrelid = to_regclass(:relation) ORDER BY i.oid
"""
_UNTWINNABLE = """
SELECT count(*) FROM pg_catalog.pg_constraint
WHERE conrelid = to_regclass(:relation) AND contype IN ('f', 'x')
"""


@dataclass(frozen=True, slots=True)
class _Index:
    """An index of the old table; ``name`` and ``twin`` are quoted, ``tail`` begins at USING."""

    name: str
    twin: str
    primary: bool
    constraint: bool
    unique: str
    tail: str
    deferrable: str


@dataclass(frozen=True)
class PostgresSwap(Swap):
    """Names are quoted texts."""

    twin: Target
    schema: str
    old: str
    indexes: tuple[_Index, ...]

    def finish(self, session: Session, keep_as: str | None, kind_column: str) -> None:
        """Index the twin, and exchange the tables under an exclusive lock.

        An index can only have the old one's name once that is renamed or gone.
        """
        twin = f"{self.schema}.{_quote(session, self.twin.name)}"
        for index in self.indexes:
            session.run(f"CREATE {index.unique}INDEX {index.twin} ON {twin} {index.tail}")
            if index.constraint:
                kind = "PRIMARY KEY" if index.primary else "UNIQUE"
                session.run(
                    f"ALTER TABLE {twin} ADD CONSTRAINT {index.twin} {kind} "
                    f"USING INDEX {index.twin}{index.deferrable}",
                )
        table = f"{self.schema}.{self.old}"
        session.run(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        if keep_as is None:
            session.run(f"DROP TABLE {table}")
        else:
            for index in self.indexes:
                if index.constraint:
                    session.run(f"ALTER TABLE {table} DROP CONSTRAINT {index.name}")
                else:
                    session.run(f"DROP INDEX {self.schema}.{index.name}")
            # A constant default fills a column without writing a row.
            session.run(
                f"ALTER TABLE {table} ADD COLUMN {_quote(session, kind_column)} varchar(3) "
                "DEFAULT 'was'",
            )
            session.run(f"ALTER TABLE {table} RENAME TO {_quote(session, keep_as)}")
        session.run(f"ALTER TABLE {twin} RENAME TO {self.old}")
        for index in self.indexes:
            session.run(f"ALTER INDEX {self.schema}.{index.twin} RENAME TO {index.name}")


def prepare_swap(session: Session, target: Target, stage_name: str) -> PostgresSwap | None:
    """Make an empty twin of a table that can be swapped; None for one that cannot."""
    import sqlalchemy as sa

    quote = session.dialect.identifier_preparer.quote_identifier
    relation = relation_text(target, session.dialect)
    free = session.rows(sa.text(_FREE).bindparams(relation=relation))
    if not free or session.scalar(sa.text(_UNTWINNABLE).bindparams(relation=relation)):
        return None
    schema = quote(free[0][0])
    found = session.rows(sa.text(_INDEXES).bindparams(relation=relation))
    indexes: list[_Index] = []
    for position, (name, primary, constraint, unique, tail, deferrable, clustered) in enumerate(
        found
    ):
        if clustered or not tail.startswith("USING "):
            return None
        twin = quote(f"{stage_name}_{position}")
        indexes.append(_Index(name, twin, primary, constraint, unique, tail, deferrable))
    session.run(
        f"CREATE TABLE {schema}.{quote(stage_name)} (LIKE {schema}.{quote(target.name)} "
        "INCLUDING ALL EXCLUDING INDEXES)",
    )
    twin_target = Target(stage_name, free[0][0])
    return PostgresSwap(twin_target, schema, quote(target.name), tuple(indexes))


def _quote(session: Session, name: str) -> str:
    return session.dialect.identifier_preparer.quote_identifier(name)
