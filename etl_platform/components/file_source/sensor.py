"""The sensor of one table of files: a listing beside the ledger becomes runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import dagster as dg

from etl_platform.components.assets import LAKE_KEY
from etl_platform.components.file_source.known_files import KnownFiles
from etl_platform.components.file_source.loading import FileTable
from etl_platform.components.file_source.requesting import WORK_TAG, run_key
from etl_platform.resources import LakeResource

if TYPE_CHECKING:
    from etl_platform.sources.files.discovery import Looked

Partitions = dg.TimeWindowPartitionsDefinition | dg.DynamicPartitionsDefinition


def file_sensor(declared: FileTable, partitions: Partitions | None) -> dg.SensorDefinition:
    """Lists the place, and requests a run when something is new, rewritten or gone.

    A run's key is the digest of what is to be done, so that the same work is requested once,
    however often it is seen; and again some time after its run failed. Tables in partitions get a
    run for each partition with news.
    """
    key, looking = dg.AssetKey(declared.table.key), declared.options.sensor

    def look(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        lake: LakeResource = getattr(context.resources, LAKE_KEY)
        store = declared.store(context.resources)
        with KnownFiles.open(lake.lake(), declared.table) as known:
            found = declared.look(store, known)
        told = f"{found.listed} objects, {found.bad} of them bad, {found.unsettled} too young"
        if not found.news and not found.gone:
            return dg.SkipReason(f"nothing is new: {told}")
        if partitions is None:
            name = run_key(context.instance, work := f"{declared.table}/{found.digest}")
            if name is None:
                return dg.SkipReason(f"requested before, and running or failed: {told}")
            run = dg.RunRequest(run_key=name, asset_selection=[key], tags={WORK_TAG: work})
            return dg.SensorResult(run_requests=[run])
        parts = dict(_parts(declared, found))
        new: list[str] = []
        if isinstance(partitions, dg.DynamicPartitionsDefinition):
            there = context.instance.get_dynamic_partitions(str(partitions.name))
            new = sorted(parts.keys() - set(there))
        else:
            outside = sorted(part for part in parts if not partitions.has_partition_key(part))
            for part in outside:
                del parts[part]
            if outside:
                context.log.warning(
                    "%s: objects of %s partitions before the first, or of periods that are not "
                    "over, such as %s", declared.table, len(outside), outside[0],
                )  # fmt: skip
        wanted = {part: f"{declared.table}/{part}/{digest}" for part, digest in parts.items()}
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=name,
                    partition_key=part,
                    asset_selection=[key],
                    tags={WORK_TAG: work},
                )
                for part, work in sorted(wanted.items())
                if (name := run_key(context.instance, work)) is not None
            ],
            dynamic_partitions_requests=[partitions.build_add_request(new)]
            if new and isinstance(partitions, dg.DynamicPartitionsDefinition)
            else [],
        )

    return dg.SensorDefinition(
        name=f"{declared.table.schema}_{declared.table.name}_files",
        description=f"Loads new objects `{declared.pattern}` into {declared.table}.",
        evaluation_fn=look,
        asset_selection=dg.AssetSelection.assets(key),
        minimum_interval_seconds=looking.every_s,
        default_status=looking.status,
        required_resource_keys={LAKE_KEY, *declared.resource_keys},
    )


def _parts(declared: FileTable, found: Looked) -> Iterator[tuple[str, str]]:
    """Each partition with something to do, and the digest of that."""
    partition = declared.options.partition
    assert partition is not None
    work: dict[str, list[str]] = {}
    for one in found.news:
        part = partition.part_of(one.info.key)
        work.setdefault(str(part), []).append(f"{one.info.key} {one.info.etag}")
    for entry in found.gone:
        if entry.part is not None:
            work.setdefault(entry.part, []).append(entry.key)
    for part, done in work.items():
        yield part, _digest(done)


def _digest(lines: Iterable[str]) -> str:
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()
