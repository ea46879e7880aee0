"""What windows have to know of each batch: a small table beside the partial aggregates.

One row for each batch and stream partition that it holds events of, one without a partition for a
batch that holds none::

    _batch             BIGINT   number of the batch
    _source_partition  VARCHAR
    newest_us          BIGINT   largest event time that is not too far ahead, microseconds since
                                1970 UTC
    oldest_us          BIGINT   smallest event time
    timeless           BIGINT   rows that no window takes: without event time, too far ahead
    cut_us             BIGINT   when the batch was cut
    declared           VARCHAR  digest of how the window was declared
    enriched           BIGINT   version of the table that the rows were joined to
    _partition         VARCHAR  Dagster partition

It is committed after the partial aggregates of its batch, and says that they are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from etl_platform.core.duck import literal
from etl_platform.metastore.records import StreamBatchRecord
from etl_platform.sources.stream.ranges import from_json
from etl_platform.transforms.windows.ahead import ahead_sql, left_out_sql
from etl_platform.transforms.windows.enrichment import Enrichment
from etl_platform.transforms.windows.numbering import NUMBER, cut_us
from etl_platform.transforms.windows.partials import event_time_us
from etl_platform.transforms.windows.spec import WindowSpec
from etl_platform.transforms.windows.watermark import BatchTimes

if TYPE_CHECKING:
    import duckdb

_OF_PARTIALS = {
    "kind", "size", "every", "event_time", "keys", "aggregates", "filter", "deduplicate",
}  # fmt: skip
_AHEAD = {"max_ahead", "ahead"}


def declared(spec: WindowSpec, enrichment: Enrichment | None) -> str:
    """A digest of everything that partial aggregates depend on, besides the rows."""
    named = _OF_PARTIALS if spec.max_ahead is None else _OF_PARTIALS | _AHEAD
    said = f"{spec.model_dump_json(include=named)} {enrichment!r}"
    return sha256(said.encode()).hexdigest()[:16]


def progress_sql(
    spec: WindowSpec,
    rows: str,
    batches: Sequence[StreamBatchRecord],
    digest: str,
    versions: Mapping[int, int],
) -> str:
    """A SELECT of the rows of the table for some batches.

    Args:
        rows: SQL for after FROM, with ``_number``.
        versions: by batch, of the table that its rows were joined to.
    """
    cuts = ", ".join(
        f"({one.number}::BIGINT, {cut_us(one)}::BIGINT, {versions.get(one.number, 'NULL')}::BIGINT)"
        for one in batches
    )
    moment = event_time_us(spec)
    ahead, left_out = ahead_sql(spec, batches), left_out_sql(spec, batches)
    return (
        "SELECT _batch, _source_partition, newest_us, oldest_us, "
        f"coalesce(timeless, 0) AS timeless, cut_us, {literal(digest)} AS declared, enriched "
        f"FROM (VALUES {cuts}) AS cuts(_batch, cut_us, enriched) LEFT JOIN "
        f"(SELECT {NUMBER} AS _batch, _source_partition, "
        f"max({moment}) FILTER (NOT {ahead}) AS newest_us, min({moment}) AS oldest_us, "
        f"count(*) FILTER ({moment} IS NULL OR {left_out}) AS timeless "
        f"FROM {rows} GROUP BY ALL) USING (_batch)"
    )


@dataclass(frozen=True, slots=True)
class Finished:
    """Batches whose partial aggregates are there, as the window is declared now.

    Attributes:
        partitions: the Dagster partitions that hold them.
        oldest_us: by number, the smallest event time; None where a row is in no window at all.
    """

    times: tuple[BatchTimes, ...]
    partitions: frozenset[str]
    oldest_us: Mapping[int, int | None]

    def may_be_late(self, number: int, closed_us: int | None) -> bool:
        """Whether a batch can hold rows that no window takes.

        Args:
            closed_us: windows that end up to this take nothing of it; None where all take all.
        """
        if number not in self.oldest_us:
            return False
        oldest = self.oldest_us[number]
        return oldest is None or (closed_us is not None and oldest < closed_us)


def finished(
    con: duckdb.DuckDBPyConnection,
    progress: str,
    digest: str,
    batches: Iterable[StreamBatchRecord],
) -> Finished:
    """Read the table.

    Args:
        progress: SQL for after FROM.
        batches: of the stream's log; those without messages are never materialised, and count.
    """
    newest: dict[int, dict[str, int]] = {}
    cuts: dict[int, int] = {}
    partitions: set[str] = set()
    oldest: dict[int, int | None] = {}
    found = con.execute(
        "SELECT _batch, _source_partition, newest_us, oldest_us, timeless, cut_us, _partition "
        f"FROM {progress} WHERE declared = {literal(digest)}"
    ).fetchall()
    for number, partition, high, low, timeless, cut, key in found:
        cuts[number] = cut
        partitions.add(key)
        held = newest.setdefault(number, {})
        if high is not None:
            held[partition] = high
        if low is not None:
            before = oldest.get(number, low)
            oldest[number] = None if before is None else min(before, low)
        if timeless:
            oldest[number] = None
    for one in batches:
        if one.number not in cuts and all(each.empty for each in from_json(one.ranges)):
            cuts[one.number], newest[one.number] = cut_us(one), {}
    times = tuple(BatchTimes(number, cuts[number], newest[number]) for number in sorted(cuts))
    return Finished(times, frozenset(partitions), oldest)
