"""Objects whose columns are more, or wider, than the table's: who is told, and what goes on."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.components.downstream import drift_entry, drift_report
from etl_platform.components.setting_apart import SettingApart
from etl_platform.publishing.publish import PARTITION_COLUMN
from etl_platform.sources.database.drift import compare
from etl_platform.sources.files.agreement import FILE_COLUMN

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.core.names import TableName
    from etl_platform.lakehouse import Lake
    from etl_platform.sources.files.ingested import Ingested


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is published.

    Attributes:
        rows: in columns that the table can take.
        apart: a SELECT of rows for the quarantine; None where all rows go on.
        extra: of the materialisation.
    """

    rows: object
    apart: str | None
    extra: Mapping[str, dg.MetadataValue]


@contextmanager
def fitted(
    context: dg.AssetExecutionContext,
    lake: Lake,
    table: TableName,
    ingested: Ingested,
    schema: pa.Schema,
    known: pa.Schema | None,
    choice: str,
    part: str | None,
) -> Generator[Fitted]:
    """Tell of changed columns and everyone downstream of them; valid within the context.

    Args:
        schema: the columns that all objects are held to.
        known: the table's columns, without the platform's own; None where they do not matter.
        choice: with ``quarantine`` the table's columns stay: values of new columns, and rows that
            do not fit, are kept apart.
    """
    before = {} if known is None else {one.name: one.type for one in known}
    now = {one.name: one.type for one in schema}
    drift = compare(before, now) if known is not None else ()
    if drift:
        report = drift_report(context, drift, dg.AssetKey(table.key))
        context.log.warning(
            "%s: objects have other columns than the table, schema_change is %s:\n%s",
            table, choice, report,
        )  # fmt: skip
    if choice != "quarantine" or not drift:
        with ingested.rows(lake.settings, schema) as found:
            yield Fitted(found, None, drift_entry(drift))
        return
    rows = ingested.reader(schema)
    fields = {**before, FILE_COLUMN: rows.schema.field(FILE_COLUMN).type}
    constants = {} if part is None else {PARTITION_COLUMN: part}
    with SettingApart(table, fields, drift, constants).split(lake, rows) as (kept, apart):
        yield Fitted(kept, apart, drift_entry(drift))
