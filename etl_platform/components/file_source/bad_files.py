"""Objects that could not be read: rows of ``<schema>.<table>__bad_files``, and an asset check."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.core.duck import read_parquet
from etl_platform.core.secrets import redact
from etl_platform.core.sessions import session
from etl_platform.sources.files.units import Outcome

if TYPE_CHECKING:
    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Lake, Receipt

CHECK = "bad_files"
"""Name of the asset check."""
_SHOWN = 20


def bad_files_spec(table: TableName) -> dg.AssetCheckSpec:
    """The check that warns of objects that are not in the table."""
    return dg.AssetCheckSpec(
        CHECK,
        asset=dg.AssetKey(table.key),
        description=f"Every object became rows; {table.bad_files} tells of those that did not.",
    )


def bad_files_result(table: TableName, ledger: Path | None) -> dg.AssetCheckResult:
    """What the check says of a ledger."""
    bad, shown = 0, list[tuple[str, str]]()
    if ledger is not None:
        with session() as con:
            source = read_parquet([str(ledger)])
            bad = con.execute(f"SELECT count(*) FROM {source} WHERE reason IS NOT NULL").fetchall()[
                0
            ][0]
            shown = con.execute(
                f"SELECT key, reason FROM {source} WHERE reason IS NOT NULL ORDER BY key "
                f"LIMIT {_SHOWN}"
            ).fetchall()
    value = dg.MetadataValue
    metadata: dict[str, dg.MetadataValue] = {"bad_files": value.int(bad)}
    if bad:
        lines = [f"{key}: {reason}"[:300] for key, reason in shown]
        metadata["first"] = value.text(redact("\n".join(lines)))
        metadata["table"] = value.text(table.bad_files.sql)
    return dg.AssetCheckResult(
        passed=not bad,
        asset_key=dg.AssetKey(table.key),
        check_name=CHECK,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
        description=f"{bad} objects are bad" if bad else None,
    )


def record_bad_files(
    lake: Lake, table: TableName, bad: Sequence[Outcome], run_id: str
) -> Receipt | None:
    """Add the objects that the table does not have yet, each version once. None without any.

    This is committed before the rows of the good ones: a crash between the two hides nothing, and
    the next load finds these there.
    """
    import pyarrow as pa

    from etl_platform.lakehouse import Mode

    if not bad:
        return None
    rows = pa.Table.from_pylist(
        [
            {
                "key": one.key,
                "etag": one.etag,
                "size_bytes": one.size_bytes,
                "reason": redact(one.reason or ""),
                "line": one.line,
                "_run_id": run_id,
            }
            for one in sorted(bad, key=lambda one: one.key)
        ],
        pa.schema(
            [
                ("key", pa.string()),
                ("etag", pa.string()),
                ("size_bytes", pa.int64()),
                ("reason", pa.string()),
                ("line", pa.int64()),
                ("_run_id", pa.string()),
            ]
        ),
    )
    target = table.bad_files
    with session(lake.settings) as con:
        con.register("bad_rows", rows)
        sql = "SELECT *, now()::TIMESTAMPTZ AS _quarantined_at FROM bad_rows"
        if lake.exists(target):
            sql += f" ANTI JOIN {lake.relation_sql(target)} AS known USING (key, etag)"
        staged = lake.stage(target, con.sql(sql))
    if not staged.files:
        return None
    with lake.discarding(staged):
        return lake.publish(staged, Mode.APPEND, run_id=run_id)
