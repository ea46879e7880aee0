"""Records that came more than once: pages overlap, shift while they are read, or are served twice.

16 bytes are held per record: hashes of its key, or of its text where there is no key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from etl_platform.core.errors import SchemaMismatch
from etl_platform.sources.api.messages import BadResponse

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    Booleans = np.ndarray[Any, np.dtype[np.bool_]]

_SEEDS = (11, 97)


def kept_by_key(keys: Iterable[pa.RecordBatch]) -> Booleans | None:
    """Which records to keep: of those with the same key the last. None: all of them.

    Args:
        keys: the key's columns of all records, in order.

    Raises:
        SchemaMismatch: a record without a key.
    """
    import numpy as np
    import polars as pl

    first = 1
    hashes: list[list[Any]] = [[], []]
    for batch in keys:
        for column in batch.columns:
            if column.null_count:
                row = column.is_null().index(True).as_py()
                raise SchemaMismatch(
                    f"record {first + row} has no {batch.schema.names[0]!r}, which is its "
                    "primary_key",
                    fix="declare the columns that identify each record",
                )
        rows = pl.DataFrame(_hashable(batch))
        for seed, held in zip(_SEEDS, hashes, strict=True):
            held.append(rows.hash_rows(seed).to_numpy())
        first += batch.num_rows
    if not hashes[0]:
        return None
    one, other = (np.concatenate(held) for held in hashes)
    alone = np.sort(one)
    if (alone[1:] != alone[:-1]).all():
        return None
    order = np.lexsort((other, one))  # keeps the order of equal ones
    again = (one[order][:-1] == one[order][1:]) & (other[order][:-1] == other[order][1:])
    if not again.any():
        return None
    kept = np.ones(len(order), bool)
    kept[order[:-1][again]] = False
    return kept


class PageHashes:
    """Two pages must not hold the same record; one page may, as nothing tells that it is one."""

    def __init__(self) -> None:
        self._hashes: list[np.ndarray[Any, np.dtype[np.int64]]] = []

    def add(self, records: Sequence[bytes]) -> None:
        """Take in the next page."""
        import numpy as np

        self._hashes.append(np.fromiter(map(hash, records), np.int64, len(records)))

    def check(self) -> None:
        """Compare all pages.

        Raises:
            BadResponse: naming two that hold the same record.
        """
        import numpy as np

        hashes = np.concatenate([np.empty(0, np.int64), *self._hashes])
        lengths = [len(page) for page in self._hashes]
        numbers = np.repeat(np.arange(1, len(lengths) + 1), lengths)
        order = np.lexsort((numbers, hashes))
        hashes, numbers = hashes[order], numbers[order]
        again = np.flatnonzero((hashes[:-1] == hashes[1:]) & (numbers[:-1] != numbers[1:]))
        if len(again):
            at = again[np.argmin(numbers[again])]
            raise BadResponse(
                f"pages {numbers[at]} and {numbers[at + 1]} hold the same record, as do "
                f"{len(again) - 1} others: pages overlap, or shifted while they were read",
                fix="declare primary_key, so that each record is kept once; or duplicates: keep, "
                "if different records may look the same",
            )


def _hashable(batch: pa.RecordBatch) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types as t

    return pa.table(
        {
            str(at): column if t.is_integer(column.type) else pc.cast(column, pa.string())
            for at, column in enumerate(batch.columns)
        }
    )
