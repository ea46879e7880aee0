"""A snapshot's next rows: what is new, what ended, all else as it was."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from etl_platform.core.duck import literal, quote, read_parquet
from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.core.settings import Settings
from etl_platform.lakehouse.log import Snapshot
from etl_platform.lakehouse.replacing import Keys, ReplacedKeys
from etl_platform.transforms.validity import KIND, VALID_FROM, VALID_TO

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Versions:
    """Rows to add, and those whose place they take: one commit ends rows and begins others.

    ``replaced`` is None where there is no table yet.
    """

    rows: duckdb.DuckDBPyRelation
    replaced: ReplacedKeys | None

    def discard(self) -> None:
        """Remove what was kept on disk for the run."""
        for keys in self.replaced.sets if self.replaced is not None else ():
            Path(keys.uri).unlink(missing_ok=True)


def versions(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    table: TableName,
    key: Sequence[str],
    rows: duckdb.DuckDBPyRelation,
    current: Snapshot | None,
    now: datetime | None = None,
) -> Versions:
    """Compare what a model gives now with the rows of its table that have not ended.

    A row that is otherwise than before ends, and begins again as it is now; one that is gone ends.
    Values are compared exactly, nulls being equal. A column that is new is null in what was before.

    Args:
        con: the session of ``rows``; they are computed in it, once.
        key: columns that identify a row of the model.
        now: the moment of the change, by default this one; if the newest change is later, then
            just after that.

    Raises:
        PermanentError: the key is null or not unique, or the table is no snapshot.
    """
    moment = (now or datetime.now(UTC)).astimezone(UTC).isoformat()
    at = f"{literal(moment)}::{KIND}"
    columns = ", ".join(map(quote, key))
    con.execute("DROP TABLE IF EXISTS temp.given")
    rows.create_view("given_rows", replace=True)
    con.execute("CREATE TEMP TABLE given AS FROM given_rows")
    _check_key(con, table, key)
    begins = f"{at} AS {VALID_FROM}, NULL::{KIND} AS {VALID_TO}"
    if current is None:
        return Versions(con.sql(f"SELECT *, {begins} FROM given"), None)
    if not {VALID_FROM, VALID_TO} <= set(current.schema.names):
        raise PermanentError(
            f"{table} was made without {VALID_FROM} and {VALID_TO}: it is no snapshot",
            fix="give the model another name, or drop the table",
        )
    stored = current.relation_sql()
    con.execute(f"CREATE OR REPLACE TEMP TABLE was AS FROM {stored} WHERE {VALID_TO} IS NULL")
    newest = con.execute(f"SELECT max({VALID_FROM}) FROM {stored}").fetchall()[0][0]
    if newest is not None:
        at = f"greatest({at}, {literal(newest.isoformat())}::{KIND} + INTERVAL 1 MICROSECOND)"
        begins = f"{at} AS {VALID_FROM}, NULL::{KIND} AS {VALID_TO}"
    plain = f"SELECT * EXCLUDE ({VALID_FROM}, {VALID_TO}) FROM was"
    # Both sides get the columns of both, so that a column that came or went is a change as well.
    sides = {
        "a": f"(FROM given) UNION ALL BY NAME ({plain} WHERE false)",
        "b": f"(FROM given WHERE false) UNION ALL BY NAME ({plain})",
    }
    a, b = sides["a"], sides["b"]
    file = Path(settings.temp_dir) / f"keys-{uuid.uuid4().hex}.parquet"
    con.execute(
        f"COPY (SELECT DISTINCT {columns}, NULL::{KIND} AS {VALID_TO} FROM "
        f"(((FROM ({a})) EXCEPT ALL (FROM ({b}))) UNION ALL ((FROM ({b})) EXCEPT ALL (FROM ({a}))))"
        f") TO {literal(str(file))} (FORMAT parquet)"
    )
    changed = read_parquet([str(file)])
    ended = (
        f"SELECT was.* REPLACE ({at} AS {VALID_TO}) FROM was SEMI JOIN {changed} AS k "
        f"USING ({columns})"
    )
    begun = f"SELECT given.*, {begins} FROM given SEMI JOIN {changed} AS k USING ({columns})"
    gone = ReplacedKeys((Keys((*key, VALID_TO), str(file), nulls=True),))
    return Versions(con.sql(f"({ended}) UNION ALL BY NAME ({begun})"), gone)


def _check_key(con: duckdb.DuckDBPyConnection, table: TableName, key: Sequence[str]) -> None:
    columns = ", ".join(map(quote, key))
    nulls = " OR ".join(f"{quote(name)} IS NULL" for name in key)
    wrong = con.execute(
        f"SELECT {columns}, count(*) FROM given GROUP BY ALL HAVING count(*) > 1 OR {nulls} LIMIT 3"
    ).fetchall()
    if wrong:
        examples = "; ".join(f"{row[:-1]} x{row[-1]}" for row in wrong)
        raise PermanentError(
            f"{table}: the key ({', '.join(key)}) is null or not unique: {examples}",
            fix="name the columns that tell rows apart, or take one row of each in the SQL",
        )
