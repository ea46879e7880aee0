"""Lists of a resource's records as tables of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.components.api_source.drift import ColumnPolicy, as_reader
from etl_platform.components.api_source.metadata import not_judged
from etl_platform.components.assets import Event
from etl_platform.components.downstream import drift_entry
from etl_platform.components.options import AssetOptions
from etl_platform.core.duck import quote
from etl_platform.core.errors import SchemaMismatch
from etl_platform.core.names import TableName
from etl_platform.core.sessions import session
from etl_platform.publishing.anomaly_checks import with_anomalies
from etl_platform.publishing.publish import PARTITION_COLUMN, Publication, publish

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.quality import Contract
    from etl_platform.resources import LakeResource
    from etl_platform.sources.api.extraction import Extraction

_PARENT = "_parent_"


@dataclass(frozen=True, slots=True)
class ChildTableOf:
    """One list, or list within a list, as one table.

    Attributes:
        lists: names of the lists that lead to it, joined by ``__``.
        system, kind: where the records are from.
        key: the columns that identify a record of the resource.
    """

    table: TableName
    lists: str
    options: AssetOptions
    contract: Contract
    system: str
    kind: str
    key: tuple[str, ...]
    choice: str

    def publish(
        self,
        context: dg.AssetExecutionContext,
        resource: LakeResource,
        found: Extraction,
        mode: str,
        batch: str,
    ) -> Iterator[Event]:
        """Publish what the extraction has of it.

        After an incremental read, the rows of records that were read take the place of those that
        these records had: an element that is gone from its list is gone here.
        """
        from etl_platform.lakehouse import External, Mode, Origin

        lake = resource.lake()
        own = next((one for one in found.tables if one.name == self.lists), None)
        if (own is None and not lake.exists(self.table)) or (
            mode == "upsert" and not found.records
        ):
            context.log.info("%s: no record has any element", self.table)
            yield from not_judged(context, dg.AssetKey(self.table.key))
            return
        partition = context.partition_key if context.has_partition_key else None
        policy = ColumnPolicy(
            table=self.table,
            choice=self.choice,
            replaces=mode == "replace",
            key=(),
            own=frozenset() if partition is None else frozenset({PARTITION_COLUMN}),
            constants={} if partition is None else {PARTITION_COLUMN: partition},
        )
        with ExitStack() as stack:
            rows: object
            apart, extra, names = None, dict[str, dg.MetadataValue](), list[str]()
            if own is None:
                rows = policy.nothing(lake)
            else:
                drift = policy.check(context, lake, own.schema)
                rows, apart = stack.enter_context(policy.rows(lake, own, drift))
                extra, names = drift_entry(drift), list(own.schema.names)
            if mode == "upsert" and lake.exists(self.table):
                con = stack.enter_context(session(lake.settings))
                con.register("new_rows", as_reader(rows))
                con.register("read_records", _keys(found.tables[0].reader(), self.key))
                kept = " AND ".join(f"old.{quote(_PARENT + n)} = read.{quote(n)}" for n in self.key)
                rows = con.sql(
                    f"SELECT * FROM {lake.relation_sql(self.table)} old WHERE NOT EXISTS "
                    f"(FROM read_records read WHERE {kept}) UNION ALL BY NAME FROM new_rows"
                )
            publication = Publication(
                table=self.table,
                contract=self.contract,
                mode=Mode.REPLACE if mode == "upsert" else Mode(mode),
                partition=partition,
                schema_change="any" if policy.follows else "evolve",
                profile=self.options.profile,
                origin=Origin(
                    source=External(self.system, self.kind, self.table.name),
                    source_columns=tuple(names),
                ),
                extra=extra,
                apart=apart,
                # The same run may have published other pages, before it failed at the records.
                batch=f"{batch}/{found.records} records until {found.cursor}",
                asset=dg.AssetKey(self.table.key),
            )
            yield from with_anomalies(
                context,
                self.table,
                self.options.watch,
                publish(context, resource, rows, publication),
                dg.AssetKey(self.table.key),
            )


def _keys(records: pa.RecordBatchReader, key: tuple[str, ...]) -> pa.Table:
    import pyarrow as pa

    columns = list(key)
    schema = pa.schema([records.schema.field(name) for name in columns])
    return pa.Table.from_batches((batch.select(columns) for batch in records), schema)


def check_children(table: TableName, children: Sequence[ChildTableOf], found: Extraction) -> None:
    """Refuse lists that are not declared: their rows would be lost.

    Raises:
        SchemaMismatch: naming them.
    """
    declared = {one.lists for one in children}
    new = [one.name for one in found.tables if one.name and one.name not in declared]
    if new:
        raise SchemaMismatch(
            f"{table}: the records have lists of objects that children does not name: "
            f"{', '.join(new)}; nothing was published",
            valid=", ".join(sorted(declared)) or "no children",
            fix="declare them in children, or nested: keep",
        )
