"""How the objects of one table get to the lake: read, judged and published in one commit."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.components.assets import LAKE_KEY, Event
from etl_platform.components.file_source.bad_files import bad_files_result, record_bad_files
from etl_platform.components.file_source.drift import fitted
from etl_platform.components.file_source.known_files import KnownFiles
from etl_platform.components.file_source.metadata import load_metadata, look_metadata, not_judged
from etl_platform.components.file_source.options import FileTableOptions
from etl_platform.components.file_source.reckoning import Reckoning, reckon, was_loaded
from etl_platform.components.timing import parse_duration
from etl_platform.core.errors import PermanentError
from etl_platform.core.names import TableName
from etl_platform.metastore.records import now
from etl_platform.publishing.publish import PARTITION_COLUMN, Publication, publish
from etl_platform.resources import FilesResource, LakeResource

if TYPE_CHECKING:
    import pyarrow as pa

    from etl_platform.core.objects import ObjectInfo, ObjectStore
    from etl_platform.lakehouse import Lake
    from etl_platform.quality import Contract
    from etl_platform.sources.files.discovery import Looked
    from etl_platform.sources.files.units import Outcome, Units

FULL_REFRESH = "full_refresh"
RETRY_BAD = "retry_bad"
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class FileTable:
    """One pattern of keys as one table, decided when definitions load.

    Attributes:
        files_key: resource key of the place of files.
        s3_key: resource key of a ``dagster_aws.s3.S3Resource`` that makes its client.
    """

    table: TableName
    options: FileTableOptions
    contract: Contract
    files_key: str
    source_name: str
    s3_key: str | None = None

    @property
    def pattern(self) -> str:
        """Which keys are meant."""
        assert self.options.path is not None
        return self.options.path

    @property
    def resource_keys(self) -> frozenset[str]:
        """The resources that :meth:`store` takes."""
        return frozenset({self.files_key} | ({self.s3_key} if self.s3_key else set()))

    def store(self, resources: object) -> ObjectStore:
        """The place of files, by the resources of a run or of a sensor."""
        place: FilesResource = getattr(resources, self.files_key)
        if self.s3_key is None:
            return place.store()
        # Dagster hands out what the resource makes: the client, not the resource.
        client = getattr(resources, self.s3_key)
        return place.store(lambda: client)

    def listing(self, store: ObjectStore, part: str | None = None) -> Iterator[ObjectInfo]:
        """The objects that are meant, in order; those of one partition, or of any."""
        from etl_platform.sources.files.globs import glob

        meant, partition = glob(self.pattern), self.options.partition
        for info in store.list(meant.prefix):
            if meant.matches(info.key):
                of = None if partition is None else partition.part_of(info.key)
                if partition is None or (of is not None and part in (None, of)):
                    yield info

    def look(
        self,
        store: ObjectStore,
        known: KnownFiles,
        part: str | None = None,
        *,
        anew: bool = False,
        again: bool = False,
    ) -> Looked:
        """What is to be loaded.

        Args:
            part: only objects of one partition, and all of these.
            anew: everything is, whatever was loaded.
            again: also what was found bad.
        """
        from etl_platform.sources.files.discovery import Limits, look
        from etl_platform.sources.files.ledger import read_ledger

        options = self.options
        # What replaces everything has to be everything.
        whole = anew or part is not None
        parts = options.partition is not None
        most = Limits(options.batch.max_files, int(options.batch.max_mb * 1e6))
        settle = options.settle and parse_duration(options.settle)
        return look(
            self.listing(store, part),
            () if whole else read_ledger(known.path),
            limits=Limits(1 << 62, 1 << 62) if whole or parts else most,
            settled_before=now() - settle if settle else None,
            again=again,
            # A partition is replaced by what its objects are now.
            removes=parts or options.deleted == "remove",
        )

    def run(self, context: dg.AssetExecutionContext) -> Iterator[Event]:
        """Load what is new and what was written again, and remove what is gone, in one commit.

        The commit names the ledger that tells of all this: whatever is killed before it, the next
        run finds the same work, and takes what was read whole. A partition is loaded anew.

        Raises:
            PermanentError: no object could be read, or one could not and ``bad_files`` is ``fail``.
            ConcurrentWrite: another run loaded objects meanwhile.
            StoreUnavailable: the store does not answer.
        """
        from etl_platform.sources.files.units import Units

        resource: LakeResource = getattr(context.resources, LAKE_KEY)
        lake = resource.lake()
        store, part = self.store(context.resources), _part(context)
        anew = part is None and _config(context, FULL_REFRESH)
        place = f"{self.table}" if part is None else f"{self.table}/{part}"
        with KnownFiles.open(lake, self.table) as known:
            looked = self.look(store, known, part, anew=anew, again=_config(context, RETRY_BAD))
            if (
                not looked.news
                and not looked.gone
                and (part is None or not lake.exists(self.table))
            ):
                yield from self._nothing(context, known, looked)
                return
            if not looked.listed and part is None:
                raise PermanentError(
                    f"{self.table}: {store.uri} holds no object that {self.pattern} means, and "
                    f"{len(looked.gone)} were loaded from there: nothing was removed",
                    fix="see that the place is reachable; with deleted: keep its rows stay",
                )
            state = f"{known.state} {self.options.read} {self.options.schema_change}"
            folder = Path(lake.settings.temp_dir) / "files"
            with Units.open(folder, place, state) as units:
                yield from self._load(context, store, known, looked, units, part, anew=anew)
                units.remove()

    def _load(
        self,
        context: dg.AssetExecutionContext,
        store: ObjectStore,
        known: KnownFiles,
        looked: Looked,
        units: Units,
        part: str | None,
        *,
        anew: bool,
    ) -> Iterator[Event]:
        from etl_platform.sources.files.agreement import Agreement
        from etl_platform.sources.files.ingestion import Ingestion

        begun, options, lake = time.perf_counter(), self.options, known.lake
        rewritten = options.rewritten or "replace"
        before = None if anew else self._columns(lake)
        columns = Agreement(before, grows=options.schema_change != "freeze")
        read = [
            one.info
            for one in looked.news
            if not (rewritten == "refuse" and was_loaded(one.before))
        ]
        ingested = Ingestion(store, options.file_options, columns, units).run(read)
        reckoning = reckon(looked, ingested, rewritten, part)
        if not reckoning.entries and not reckoning.gone and part is None:
            yield from self._nothing(context, known, looked)
            return
        self._tell_bad(context, lake, reckoning.bad)
        if columns.schema is None:
            raise PermanentError(
                f"{self.table}: none of {len(reckoning.bad)} objects can be read, so there are no "
                "columns to make a table of",
                fix=f"see {self.table.bad_files} for the reasons",
            )
        publication = self._publication(
            known, reckoning, columns.schema, f"{units.name}/{reckoning.digest}", part, anew=anew
        )
        extra = load_metadata(looked, ingested, reckoning, time.perf_counter() - begun)
        resource: LakeResource = getattr(context.resources, LAKE_KEY)
        schema, choice = columns.schema, options.schema_change or "evolve"
        with fitted(context, lake, self.table, ingested, schema, before, choice, part) as found:
            publication = replace(publication, extra={**extra, **found.extra}, apart=found.apart)
            yield from publish(context, resource, found.rows, publication)
        yield bad_files_result(self.table, known.newest)

    def _tell_bad(
        self, context: dg.AssetExecutionContext, lake: Lake, bad: Sequence[Outcome]
    ) -> None:
        shown = "\n".join(f"{one.key}: {one.why}" for one in bad[:_SHOWN])
        if bad and self.options.bad_files == "fail":
            raise PermanentError(
                f"{self.table}: {len(bad)} objects are bad, and nothing was published:\n{shown}",
                fix="have them written again, or set bad_files: quarantine",
            )
        record_bad_files(lake, self.table, bad, context.run.run_id)
        if bad:
            context.log.warning("%s: %s objects are bad:\n%s", self.table, len(bad), shown)

    def _publication(
        self,
        known: KnownFiles,
        reckoning: Reckoning,
        schema: pa.Schema,
        batch: str,
        part: str | None,
        *,
        anew: bool,
    ) -> Publication:
        from etl_platform.lakehouse import External, Mode, Origin

        replaced = rejected_before = None
        if anew:
            mode = Mode.REPLACE
        elif part is not None:
            mode = Mode.REPLACE_PARTITION
        else:
            replaced = reckoning.replaced(known.folder)
            mode = Mode.APPEND if replaced is None else Mode.REPLACE_ROWS
            if self.options.rewritten != "append":
                rejected_before = reckoning.rejected_before(known.folder)

        def annotate(before: Mapping[str, str]) -> Mapping[str, str]:
            if anew:
                return known.anew(reckoning.entries)
            if part is not None:
                return known.follow_in_part(before, reckoning.entries, part)
            return known.follow(before, reckoning.entries, reckoning.gone)

        return Publication(
            table=self.table,
            contract=self.contract,
            mode=mode,
            partition=part,
            replaced=replaced,
            rejected_before=rejected_before,
            annotate=annotate,
            schema_change="any" if anew else "evolve",
            profile=self.options.profile,
            origin=Origin(
                source=External(self.source_name, "files", self.pattern),
                source_columns=tuple(schema.names),
            ),
            batch=batch,
        )

    def _nothing(
        self, context: dg.AssetExecutionContext, known: KnownFiles, looked: Looked
    ) -> Iterator[Event]:
        """Tell that there was nothing to load; readers keep the version they have."""
        why = "no object is new" if looked.listed else "there is no object yet"
        if looked.news:
            why = "what was new was written again meanwhile, and is left to the next run"
        context.log.info("%s: %s", self.table, why)
        unchanged = dg.MetadataValue.text(why)
        yield dg.MaterializeResult(metadata={**look_metadata(looked), "unchanged": unchanged})
        yield bad_files_result(self.table, known.path)
        yield from not_judged(context)

    def _columns(self, lake: Lake) -> pa.Schema | None:
        """The table's columns, without the platform's own."""
        import pyarrow as pa

        from etl_platform.sources.files.agreement import FILE_COLUMN

        if not lake.exists(self.table):
            return None
        own = {FILE_COLUMN, PARTITION_COLUMN}
        return pa.schema([one for one in lake.schema(self.table) if one.name not in own])


def _part(context: dg.AssetExecutionContext) -> str | None:
    return context.partition_key if context.has_partition_key else None


def _config(context: dg.AssetExecutionContext, name: str) -> bool:
    config = context.op_execution_context.op_config
    return bool(config and config.get(name))
