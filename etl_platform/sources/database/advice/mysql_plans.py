"""MariaDB's plans as tables: what each row says, and how many rows the plan examines.

The columns: https://mariadb.com/kb/en/explain/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pymysql

    from etl_platform.sources.database.advice.model import Index
    from etl_platform.sources.database.advice.usage import Usage

# A row that is looked up costs as much as this many that are read one after the other.
_LOOKUP = 4.0
_HISTOGRAMS = """
SELECT lower(column_name) FROM mysql.column_stats
WHERE db_name = %s AND table_name = %s AND histogram IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One row of EXPLAIN: how one table of one SELECT is read."""

    select: int
    kind: str
    table: str | None
    access: str
    keys: tuple[str, ...]
    rows: float
    filtered: float
    extra: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> PlanRow:
        """From a row by the column's names."""
        return cls(
            select=int(row["id"] or 0),
            kind=str(row["select_type"]),
            table=row["table"],
            access=str(row["type"] or ""),
            keys=tuple(re.split("[,|]", row["key"])) if row["key"] else (),
            rows=float(str(row["rows"] or 1).split(" ")[0]),
            filtered=float(row.get("filtered") or 100.0) / 100.0,
            extra=str(row["Extra"] or ""),
        )

    @property
    def looks_up(self) -> bool:
        """Whether entries of a secondary index are followed to the rows."""
        return bool(self.keys) and self.keys != ("PRIMARY",) and "Using index" not in self.extra

    def shown(self, names: Mapping[str, str]) -> str:
        by = " and ".join(names.get(key, key) for key in self.keys)
        return f"{self.access} on {self.table}" + (f" by {by}" if by else "")


def examined(plan: Sequence[PlanRow]) -> float:
    """Rows that the nested loops of all SELECTs examine; dependent ones once for each row outside,
    at the least 1."""
    total, outer = 0.0, 1.0
    for number, select in enumerate(dict.fromkeys(row.select for row in plan)):
        loops, seen = 1.0, 0.0
        mine = [row for row in plan if row.select == select]
        for row in mine:
            seen += loops * row.rows * (_LOOKUP if row.looks_up else 1.0)
            loops *= max(row.rows * row.filtered, 1e-6)
        if any("filesort" in row.extra for row in mine):
            seen += loops
        if number == 0:
            outer = max(loops, 1.0)
        dependent = any(row.kind.startswith(("DEPENDENT SUB", "UNCACHEABLE")) for row in mine)
        total += seen * (outer if dependent else 1.0)
    return max(1.0, total)


def hints(
    session: pymysql.connections.Connection[Any],
    uses: Sequence[Sequence[Usage]],
    chosen: Sequence[Index],
) -> Iterator[str]:
    """Columns that filter a joined table, with values that the planner knows nothing of."""
    import pymysql

    joined = [use for found in uses if len(found) > 1 for use in found if use.literal]
    told: set[tuple[str, str]] = set()
    for use in joined:
        table = use.table.id
        first = {index.columns[0].lower() for index in use.table.indexes if index.columns}
        first |= {str(key.column).lower() for one in chosen if one.table == table
                  for key in one.keys}  # fmt: skip
        try:
            with session.cursor() as cursor:
                cursor.execute(_HISTOGRAMS, (table.schema, table.name))
                known = {str(name) for (name,) in cursor.fetchall()}
        except pymysql.err.MySQLError:
            return  # MySQL has another table for them, and not everybody may read MariaDB's
        for column, _ in use.literal:
            if column.lower() in known | first or (table.full_name, column) in told:
                continue
            told.add((table.full_name, column))
            yield (
                f"{table.full_name}.{column} filters a join and has neither index nor histogram: "
                f"ANALYZE TABLE ... PERSISTENT FOR COLUMNS ({column}) INDEXES () tells the planner"
            )
